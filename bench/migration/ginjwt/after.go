package ginjwt

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/bench/migration/internal/shop"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
)

// Config is for all steps, but for Authenticate.
func Config(store core.Store, secret, key []byte, users *shop.Users) core.Config {
	return core.Config{
		Store:        store,
		Keys:         []core.Key{{Secret: secret}}, // a new one
		Foreign:      core.Foreign{Keys: []core.Key{{Secret: key}}, Identity: fromGinJWT},
		Active:       func(_ context.Context, userID string) (bool, error) { return users.Active(userID), nil },
		AccessTTL:    15 * time.Minute, // Timeout
		AccessCookie: "jwt",            // CookieName
		TokenMember:  "token",          // where Watch finds gin-jwt's token
		Prefix:       "/auth",
		Cookie:       core.Cookie{Path: "/"}, // /login and /logout are not below /auth
		Problem:      problem,
	}
}

// claims are what PayloadFunc wrote beside the user and the role.
type claims struct {
	Plan string `json:"plan"`
}

// fromGinJWT says who it is: what IdentityHandler did.
func fromGinJWT(payload []byte) (core.Identity, error) {
	c, err := core.DecodeClaims[struct {
		ID   string `json:"id"`
		Role string `json:"role"`
		Plan string `json:"plan"`
	}](payload)
	return core.Identity{UserID: c.ID, Roles: []string{c.Role}, Claims: claims{c.Plan}}, err
}

// problem is what Unauthorized wrote.
func problem(e core.Error) (contentType string, body []byte) {
	body, _ = json.Marshal(gin.H{"code": e.Status, "message": e.Detail})
	return "application/json; charset=utf-8", body
}

// authenticate is what Authenticator and PayloadFunc did.
func authenticate(users *shop.Users) func(context.Context, core.Credentials) (core.Identity, error) {
	return func(_ context.Context, c core.Credentials) (core.Identity, error) {
		user, ok := users.Check(c.Username, c.Password)
		if !ok {
			return core.Identity{}, core.ErrInvalidCredentials
		}
		return core.Identity{UserID: user.Name, Roles: []string{user.Role}, Claims: claims{user.Plan}}, nil
	}
}

// After is the app without gin-jwt. The config has Authenticate.
func After(auth *core.Auth) *gin.Engine {
	e := gin.New()
	ginauth.Mount(e, "/", append(routes(auth), refreshRoute(auth)))
	signedIn := e.Group("/", ginauth.Require(auth))
	signedIn.GET("/hello", greet)
	signedIn.POST("/orders", order)
	e.GET("/admin/report", ginauth.Require(auth, core.Role("admin")), report)
	e.GET("/export", tokenFromQuery, ginauth.Require(auth), export)
	return e
}

func greet(c *gin.Context) {
	p := ginauth.Principal(c)
	own, err := core.ClaimsOf[claims](p)
	if err != nil {
		c.Status(http.StatusInternalServerError)
		return
	}
	c.JSON(http.StatusOK, gin.H{"user": p.UserID, "plan": own.Plan})
}

// routes are those of the library, with login and logout where clients of
// gin-jwt look for them.
func routes(auth *core.Auth) []core.Route {
	out := auth.Routes()
	for i, r := range out {
		switch r.Path {
		case "/login", "/logout":
			out[i].Serve = asBefore(r)
		default:
			out[i].Path = "/auth" + r.Path
		}
	}
	return out
}

// refreshRoute is where clients of gin-jwt refresh.
func refreshRoute(auth *core.Auth) core.Route {
	for _, r := range auth.Routes() {
		if r.Path == "/refresh" {
			return core.Route{Method: "GET", Path: "/auth/refresh_token", Serve: asBefore(r)}
		}
	}
	panic("there is no such route")
}

// asBefore answers as LoginHandler, RefreshHandler and LogoutHandler did, and
// keeps the cookie of SendCookie. A native client that asks for its refresh token
// finds it beside.
func asBefore(route core.Route) func(core.Request) core.Response {
	return func(r core.Request) core.Response {
		out := route.Serve(r)
		var pair struct {
			AccessToken  string `json:"access_token"`
			ExpiresIn    int    `json:"expires_in"`
			RefreshToken string `json:"refresh_token"`
		}
		if out.Status != http.StatusOK || json.Unmarshal(out.Body, &pair) != nil {
			return out
		}
		answer := gin.H{"code": out.Status}
		cookie := http.Cookie{Name: "jwt", Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
		if pair.AccessToken != "" {
			answer["token"] = pair.AccessToken
			answer["expire"] = time.Now().Add(time.Duration(pair.ExpiresIn) * time.Second).Format(time.RFC3339)
			cookie.Value, cookie.MaxAge = pair.AccessToken, pair.ExpiresIn
		}
		if pair.RefreshToken != "" {
			answer["refresh_token"] = pair.RefreshToken
		}
		out.Header = out.Header.Clone()
		out.Header.Add("Set-Cookie", cookie.String())
		out.Body, _ = json.Marshal(answer)
		return out
	}
}

// tokenFromQuery is for a link that can carry no header, until it is replaced:
// a token in a URL is seen by logs, histories and whoever gets the Referer.
func tokenFromQuery(c *gin.Context) {
	if token := c.Query("token"); token != "" && c.GetHeader("Authorization") == "" {
		c.Request.Header.Set("Authorization", "Bearer "+token)
	}
}
