package ginjwt

import (
	"crypto/rand"
	"time"

	jwt "github.com/appleboy/gin-jwt/v2"
	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/bench/migration/internal/shop"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// Guarded is the app in which only the guard is another: logins and refreshes
// are gin-jwt's, handlers stay.
func Guarded(auth *core.Auth, mw *jwt.GinJWTMiddleware) *gin.Engine {
	mw.PayloadFunc = named(mw.PayloadFunc, mw.TimeFunc)
	e := gin.New()
	e.POST("/login", mw.LoginHandler)
	e.GET("/auth/refresh_token", ginauth.Require(auth), mw.RefreshHandler)
	ginauth.Mount(e, "/", routes(auth))
	guarded(e, auth)
	return e
}

// During is the app whose browsers get refresh cookies beside gin-jwt's tokens,
// and refresh with them from then on.
func During(auth *core.Auth, mw *jwt.GinJWTMiddleware) *gin.Engine {
	mw.PayloadFunc = named(mw.PayloadFunc, mw.TimeFunc)
	e := gin.New()
	e.POST("/login", browsers(ginauth.Watch(auth)), mw.LoginHandler)
	e.GET("/auth/refresh_token", moved(auth), ginauth.Require(auth), browsers(ginauth.Watch(auth)), mw.RefreshHandler)
	ginauth.Mount(e, "/", routes(auth))
	guarded(e, auth)
	return e
}

// guarded mounts the app's own routes behind the new guard.
func guarded(e *gin.Engine, auth *core.Auth) {
	signedIn := e.Group("/", ginauth.Require(auth), known)
	signedIn.GET("/hello", hello)
	signedIn.POST("/orders", order)
	e.GET("/admin/report", ginauth.Require(auth, core.Role("admin")), known, report)
	e.GET("/export", tokenFromQuery, ginauth.Require(auth), known, export)
}

// known puts who it is where gin-jwt's handlers look.
func known(c *gin.Context) {
	p := ginauth.Principal(c)
	claims, err := core.ClaimsOf[jwt.MapClaims](p)
	if err != nil {
		ginauth.Write(c, core.Response{Status: 500})
		c.Abort()
		return
	}
	c.Set("JWT_PAYLOAD", claims)
	c.Set("id", &shop.User{Name: p.UserID})
}

// named has gin-jwt's tokens say which one they are, so that they can be
// revoked, and when the password was typed.
func named(payload func(any) jwt.MapClaims, now func() time.Time) func(any) jwt.MapClaims {
	return func(data any) jwt.MapClaims {
		claims := payload(data)
		claims["jti"], claims["auth_time"] = rand.Text(), now().Unix()
		return claims
	}
}

// moved answers refreshes with a refresh cookie, and leaves others to gin-jwt.
func moved(auth *core.Auth) gin.HandlerFunc {
	refresh := refreshRoute(auth)
	return func(c *gin.Context) {
		if _, err := c.Cookie("__Secure-refresh_token"); err == nil {
			ginauth.Write(c, refresh.Serve(nethttpauth.Request(c.Request)))
			c.Abort()
		}
	}
}

// browsers leaves clients without cookies as they are: a session that they can't
// refresh would only take the place of another.
func browsers(watch gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		if c.GetHeader("Sec-Fetch-Site") != "" {
			watch(c)
		}
	}
}
