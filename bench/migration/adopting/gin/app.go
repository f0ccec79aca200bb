// Package gin is the app on Gin.
package gin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/bench/migration/adopting"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
)

type server struct {
	adopting.App
	auth *core.Auth
}

// Before is the app as it is.
func Before(app adopting.App) http.Handler {
	s := &server{App: app}
	e := gin.New()
	e.POST("/login", s.login)
	e.GET("/orders", s.signedIn, orders)
	return e
}

func (s *server) login(c *gin.Context) {
	user, err := s.Check(c.PostForm("name"), c.PostForm("password"))
	if err != nil {
		c.String(http.StatusUnauthorized, "no")
		return
	}
	token, err := s.Issue(user)
	if err != nil {
		c.String(http.StatusInternalServerError, "sorry")
		return
	}
	c.JSON(http.StatusOK, gin.H{"token": token})
}

func (s *server) signedIn(c *gin.Context) {
	user, err := s.Read(strings.TrimPrefix(c.GetHeader("Authorization"), "Bearer "))
	if err != nil {
		c.String(http.StatusUnauthorized, "no")
		c.Abort()
		return
	}
	c.Set("user", user.Name)
}

func orders(c *gin.Context) { c.String(http.StatusOK, "orders of %s", c.GetString("user")) }

// Guarded is step 1.
func Guarded(app adopting.App, auth *core.Auth) http.Handler {
	s := &server{app, auth}
	e := gin.New()
	e.POST("/login", s.login)
	signedIn := e.Group("/", ginauth.Require(auth), known)
	signedIn.GET("/orders", orders)
	return e
}

// known puts the user where your handlers look.
func known(c *gin.Context) { c.Set("user", ginauth.Principal(c).UserID) }

// Refreshed is step 2.
func Refreshed(app adopting.App, auth *core.Auth) http.Handler {
	s := &server{app, auth}
	e := gin.New()
	e.POST("/login", ginauth.Watch(auth), s.login)
	ginauth.Mount(e, "/auth", auth.Routes())
	signedIn := e.Group("/", ginauth.Require(auth), known)
	signedIn.GET("/orders", orders)
	return e
}

// Adopted is step 3.
func Adopted(app adopting.App, auth *core.Auth) http.Handler {
	s := &server{app, auth}
	e := gin.New()
	e.POST("/login", s.signIn)
	ginauth.Mount(e, "/auth", auth.Routes())
	signedIn := e.Group("/", ginauth.Require(auth), known)
	signedIn.GET("/orders", orders)
	return e
}

// signIn takes the place of login.
func (s *server) signIn(c *gin.Context) {
	name, password, began := c.PostForm("name"), c.PostForm("password"), time.Now()
	user, err := s.Check(name, password)
	if err != nil {
		ginauth.Write(c, s.auth.Problem(err))
		return
	}
	pair, err := ginauth.SignIn(c, s.auth, core.SignInForm{
		Identity:  core.Identity{UserID: user.Name, Roles: []string{user.Role}},
		Delivery:  c.PostForm("delivery"), // "body" from a client without cookies
		CheckedAt: began,
		Confirm: func(context.Context) error {
			_, err := s.Check(name, password)
			return err
		},
	})
	if err != nil {
		ginauth.Write(c, s.auth.Problem(err))
		return
	}
	answer := gin.H{"token": pair.AccessToken}
	if c.PostForm("delivery") == "body" {
		answer["refresh_token"] = pair.RefreshToken
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, answer)
}
