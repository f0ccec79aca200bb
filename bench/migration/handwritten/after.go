package handwritten

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/sallyport-go/sallyport/bench/migration/internal/shop"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// Config is the library's.
func Config(store core.Store, secret, key []byte, users *shop.Users) core.Config {
	return core.Config{
		Store:        store,
		Keys:         []core.Key{{Secret: secret}}, // a new one
		Foreign:      core.Foreign{Keys: []core.Key{{Secret: key}}, Identity: fromOld},
		Active:       func(_ context.Context, userID string) (bool, error) { return users.Active(userID), nil },
		AccessTTL:    15 * time.Minute,
		RefreshTTL:   30 * 24 * time.Hour,
		AccessCookie: "token",
		Prefix:       "/session", // where the refresh cookie travels
		Problem:      problem,
	}
}

// fromOld says who it is. The app's refresh tokens have the same claims as its
// access tokens; what tells them apart is how long they live.
func fromOld(payload []byte) (core.Identity, error) {
	c, err := core.DecodeClaims[struct {
		Sub  string  `json:"sub"`
		Role string  `json:"role"`
		Iat  float64 `json:"iat"`
		Exp  float64 `json:"exp"`
	}](payload)
	if err == nil && c.Exp-c.Iat > 3600 {
		err = core.ErrTokenInvalid
	}
	return core.Identity{UserID: c.Sub, Roles: []string{c.Role}}, err
}

// problem is what refuse wrote.
func problem(e core.Error) (contentType string, body []byte) {
	body, _ = json.Marshal(map[string]string{"error": e.Detail})
	return "application/json", body
}

type app struct {
	auth  *core.Auth
	users *shop.Users
	old   old // until the last of its refresh tokens has expired
}

// After is the app with the library.
func After(auth *core.Auth, key []byte, users *shop.Users) http.Handler {
	app := app{auth, users, old{key, users, time.Now}}
	routes := http.NewServeMux()
	nethttpauth.Mount(routes, "/session", app.routes())
	mux := http.NewServeMux()
	mux.HandleFunc("POST /session/login", app.login)
	mux.HandleFunc("POST /session/refresh", func(w http.ResponseWriter, r *http.Request) {
		if !app.oldRefresh(w, r) {
			routes.ServeHTTP(w, r)
		}
	})
	mux.Handle("/session/", routes)
	app.mount(mux)
	return mux
}

// mount registers the app's own routes behind the guards.
func (app app) mount(mux *http.ServeMux) {
	guard := nethttpauth.Require(app.auth)
	admins := nethttpauth.Require(app.auth, core.Role("admin"))
	anybody := nethttpauth.Optional(app.auth, core.SameSite())
	mux.Handle("GET /me", guard(app.known(http.HandlerFunc(me))))
	mux.Handle("POST /orders", guard(app.known(http.HandlerFunc(order))))
	mux.Handle("GET /report", admins(http.HandlerFunc(report)))
	mux.Handle("POST /cart", anybody(http.HandlerFunc(cart)))
}

func (app app) login(w http.ResponseWriter, r *http.Request) {
	name, password, began := r.FormValue("name"), r.FormValue("password"), time.Now()
	check := func(context.Context) error {
		if _, ok := app.users.Check(name, password); !ok {
			return core.ErrInvalidCredentials
		}
		return nil
	}
	if err := check(r.Context()); err != nil {
		nethttpauth.Write(w, app.auth.Problem(err))
		return
	}
	app.begin(w, r, core.SignInForm{Identity: identity(app.users.ByName(name)), CheckedAt: began, Confirm: check})
}

func identity(user shop.User) core.Identity {
	return core.Identity{UserID: user.Name, Roles: []string{user.Role}}
}

// begin answers with the cookies of a new session; those from before go.
func (app app) begin(w http.ResponseWriter, r *http.Request, form core.SignInForm) {
	pair, err := nethttpauth.SignIn(w, r, app.auth, form)
	if err != nil {
		nethttpauth.Write(w, app.auth.Problem(err))
		return
	}
	setCookie(w, "token", pair.AccessToken, pair.ExpiresIn)
	setCookie(w, "refresh", "", -1)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// oldRefresh begins a session for a refresh cookie from before, and reports
// whether there was one. When the last has expired it goes.
func (app app) oldRefresh(w http.ResponseWriter, r *http.Request) bool {
	if _, err := r.Cookie("__Secure-refresh_token"); err == nil {
		return false
	}
	began := time.Now()
	claims, err := app.old.read(r, "refresh")
	if err != nil {
		return false
	}
	active := func(context.Context) error {
		if !app.users.Active(claims.Subject) {
			return core.ErrUserInactive
		}
		return nil
	}
	if err := active(r.Context()); err != nil {
		nethttpauth.Write(w, app.auth.Problem(err))
		return true
	}
	id := identity(app.users.ByName(claims.Subject))
	id.AuthTime = claims.IssuedAt.Time // a refresh token of this app is made at login alone
	app.begin(w, r, core.SignInForm{Identity: id, CheckedAt: began, Confirm: active})
	return true
}

// routes are those of the library, with the access token in the cookie and no
// body.
func (app app) routes() []core.Route {
	out := app.auth.Routes()
	for i, r := range out {
		switch r.Path {
		case "/refresh", "/logout", "/logout-all":
			out[i].Serve = inCookies(r)
		}
	}
	return out
}

func inCookies(route core.Route) func(core.Request) core.Response {
	return func(r core.Request) core.Response {
		out := route.Serve(r)
		if out.Status != http.StatusOK {
			return out
		}
		var pair struct {
			AccessToken string `json:"access_token"`
			ExpiresIn   int    `json:"expires_in"`
		}
		if err := json.Unmarshal(out.Body, &pair); err != nil {
			return out
		}
		cookies := []http.Cookie{{Name: "token", Value: pair.AccessToken, MaxAge: pair.ExpiresIn}}
		if pair.AccessToken == "" { // signed out
			cookies = []http.Cookie{{Name: "token", MaxAge: -1}, {Name: "refresh", MaxAge: -1}}
		}
		out.Header = out.Header.Clone()
		out.Header.Del("Content-Type")
		for _, c := range cookies {
			c.Path, c.Secure, c.HttpOnly, c.SameSite = "/", true, true, http.SameSiteLaxMode
			out.Header.Add("Set-Cookie", c.String())
		}
		out.Status, out.Body = http.StatusNoContent, nil
		return out
	}
}

// known puts who it is where handlers look that stay.
func (app app) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := app.users.ByName(nethttpauth.Principal(r).UserID)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
	})
}
