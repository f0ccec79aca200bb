// Package handwritten is an app that leaves a middleware of its own on golang-jwt:
// as it was, and as it is then.
package handwritten

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/bench/migration/internal/shop"
)

type old struct {
	key   []byte
	users *shop.Users
	now   func() time.Time
}

type oldClaims struct {
	Role string `json:"role"`
	jwt.RegisteredClaims
}

type userKey struct{}

// Before is the app with both tokens in cookies.
func Before(key []byte, users *shop.Users, now func() time.Time) http.Handler {
	app := old{key, users, now}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /session/login", app.login)
	mux.HandleFunc("POST /session/refresh", app.refresh)
	mux.HandleFunc("POST /session/logout", app.logout)
	mux.Handle("GET /me", app.signedIn(http.HandlerFunc(me)))
	mux.Handle("POST /orders", app.signedIn(http.HandlerFunc(order)))
	mux.Handle("GET /report", app.signedIn(app.admins(http.HandlerFunc(report))))
	mux.Handle("POST /cart", http.HandlerFunc(cart))
	return mux
}

func (app old) sign(user shop.User, life time.Duration) string {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, oldClaims{user.Role, jwt.RegisteredClaims{
		Subject:   user.Name,
		IssuedAt:  jwt.NewNumericDate(app.now()),
		ExpiresAt: jwt.NewNumericDate(app.now().Add(life)),
	}}).SignedString(app.key)
	if err != nil {
		panic(err)
	}
	return token
}

func (app old) read(r *http.Request, cookie string) (oldClaims, error) {
	var claims oldClaims
	c, err := r.Cookie(cookie)
	if err == nil {
		_, err = jwt.ParseWithClaims(c.Value, &claims, func(*jwt.Token) (any, error) { return app.key, nil }, jwt.WithValidMethods([]string{"HS256"}))
	}
	return claims, err
}

func (app old) login(w http.ResponseWriter, r *http.Request) {
	user, ok := app.users.Check(r.FormValue("name"), r.FormValue("password"))
	if !ok {
		refuse(w, http.StatusUnauthorized, "wrong name or password")
		return
	}
	setCookie(w, "token", app.sign(user, 15*time.Minute), 15*time.Minute)
	setCookie(w, "refresh", app.sign(user, 30*24*time.Hour), 30*24*time.Hour)
	w.WriteHeader(http.StatusNoContent)
}

func (app old) refresh(w http.ResponseWriter, r *http.Request) {
	claims, err := app.read(r, "refresh")
	if err != nil {
		refuse(w, http.StatusUnauthorized, "sign in")
		return
	}
	setCookie(w, "token", app.sign(app.users.ByName(claims.Subject), 15*time.Minute), 15*time.Minute)
	w.WriteHeader(http.StatusNoContent)
}

func (app old) logout(w http.ResponseWriter, _ *http.Request) {
	setCookie(w, "token", "", -1)
	setCookie(w, "refresh", "", -1)
	w.WriteHeader(http.StatusNoContent)
}

func (app old) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, err := app.read(r, "token")
		if err != nil {
			refuse(w, http.StatusUnauthorized, "sign in")
			return
		}
		user := app.users.ByName(claims.Subject)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
	})
}

func (app old) admins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if userOf(r).Role != "admin" {
			refuse(w, http.StatusForbidden, "admins only")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func userOf(r *http.Request) shop.User {
	user, _ := r.Context().Value(userKey{}).(shop.User)
	return user
}

func setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(life / time.Second), Secure: true, HttpOnly: true})
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message})
}

func me(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, userOf(r).Name) }

func order(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }

func report(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "all is well") }

func cart(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) } // anybody has one
