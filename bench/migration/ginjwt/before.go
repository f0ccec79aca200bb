// Package ginjwt is an app that leaves gin-jwt: as it was, on the way, and as it
// is then.
package ginjwt

import (
	"net/http"
	"strings"
	"time"

	jwt "github.com/appleboy/gin-jwt/v2"
	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/bench/migration/internal/shop"
)

// middleware is gin-jwt's, set up in the way that its documentation shows.
func middleware(key []byte, users *shop.Users, now func() time.Time) (*jwt.GinJWTMiddleware, error) {
	return jwt.New(&jwt.GinJWTMiddleware{
		Realm:       "shop",
		Key:         key,
		Timeout:     15 * time.Minute,
		MaxRefresh:  24 * time.Hour,
		IdentityKey: "id",
		PayloadFunc: func(data any) jwt.MapClaims {
			if u, ok := data.(*shop.User); ok {
				return jwt.MapClaims{"id": u.Name, "role": u.Role, "plan": u.Plan}
			}
			return jwt.MapClaims{}
		},
		IdentityHandler: func(c *gin.Context) any {
			claims := jwt.ExtractClaims(c)
			name, _ := claims["id"].(string)
			role, _ := claims["role"].(string)
			return &shop.User{Name: name, Role: role}
		},
		Authenticator: func(c *gin.Context) (any, error) {
			var form struct {
				Username string `form:"username" json:"username" binding:"required"`
				Password string `form:"password" json:"password" binding:"required"`
			}
			if c.ShouldBind(&form) != nil {
				return nil, jwt.ErrMissingLoginValues
			}
			user, ok := users.Check(form.Username, form.Password)
			if !ok {
				return nil, jwt.ErrFailedAuthentication
			}
			return &user, nil
		},
		Authorizator: func(data any, c *gin.Context) bool {
			u, ok := data.(*shop.User)
			return ok && (u.Role == "admin" || !strings.HasPrefix(c.FullPath(), "/admin/"))
		},
		Unauthorized: func(c *gin.Context, code int, message string) {
			c.JSON(code, gin.H{"code": code, "message": message})
		},
		TokenLookup:    "header: Authorization, query: token, cookie: jwt",
		SendCookie:     true,
		SecureCookie:   true,
		CookieHTTPOnly: true,
		TimeFunc:       now,
	})
}

// Before is the app with gin-jwt.
func Before(key []byte, users *shop.Users, now func() time.Time) (*gin.Engine, error) {
	mw, err := middleware(key, users, now)
	if err != nil {
		return nil, err
	}
	e := gin.New()
	e.POST("/login", mw.LoginHandler)
	e.POST("/logout", mw.LogoutHandler)
	signedIn := e.Group("/", mw.MiddlewareFunc())
	signedIn.GET("/auth/refresh_token", mw.RefreshHandler)
	signedIn.GET("/hello", hello)
	signedIn.GET("/admin/report", report)
	signedIn.GET("/export", export)
	signedIn.POST("/orders", order)
	return e, nil
}

func hello(c *gin.Context) {
	user, _ := c.Get("id")
	c.JSON(http.StatusOK, gin.H{"user": user.(*shop.User).Name, "plan": jwt.ExtractClaims(c)["plan"]})
}

func report(c *gin.Context) { c.String(http.StatusOK, "all is well") }

func export(c *gin.Context) { c.String(http.StatusOK, "a file") }

func order(c *gin.Context) { c.Status(http.StatusCreated) }
