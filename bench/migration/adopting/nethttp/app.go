// Package nethttp is the app on net/http.
package nethttp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/bench/migration/adopting"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

type server struct {
	adopting.App
	auth *core.Auth
}

// Before is the app as it is.
func Before(app adopting.App) http.Handler {
	s := &server{App: app}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", s.login)
	mux.Handle("GET /orders", s.signedIn(http.HandlerFunc(orders)))
	return mux
}

func (s *server) login(w http.ResponseWriter, r *http.Request) {
	user, err := s.Check(r.FormValue("name"), r.FormValue("password"))
	if err != nil {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	token, err := s.Issue(user)
	if err != nil {
		http.Error(w, "sorry", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
}

type userKey struct{}

func (s *server) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := s.Read(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if err != nil {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user.Name)))
	})
}

func orders(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "orders of %v", r.Context().Value(userKey{}))
}

// Guarded is step 1.
func Guarded(app adopting.App, auth *core.Auth) http.Handler {
	s := &server{app, auth}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", s.login)
	guard := nethttpauth.Require(auth)
	mux.Handle("GET /orders", guard(known(http.HandlerFunc(orders))))
	return mux
}

// known puts the user where your handlers look.
func known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := nethttpauth.Principal(r).UserID
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
	})
}

// Refreshed is step 2.
func Refreshed(app adopting.App, auth *core.Auth) http.Handler {
	s := &server{app, auth}
	mux := http.NewServeMux()
	mux.Handle("POST /login", nethttpauth.Watch(auth)(http.HandlerFunc(s.login)))
	nethttpauth.Mount(mux, "/auth", auth.Routes())
	guard := nethttpauth.Require(auth)
	mux.Handle("GET /orders", guard(known(http.HandlerFunc(orders))))
	return mux
}

// Adopted is step 3.
func Adopted(app adopting.App, auth *core.Auth) http.Handler {
	s := &server{app, auth}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", s.signIn)
	nethttpauth.Mount(mux, "/auth", auth.Routes())
	guard := nethttpauth.Require(auth)
	mux.Handle("GET /orders", guard(known(http.HandlerFunc(orders))))
	return mux
}

// signIn takes the place of login.
func (s *server) signIn(w http.ResponseWriter, r *http.Request) {
	name, password, began := r.FormValue("name"), r.FormValue("password"), time.Now()
	user, err := s.Check(name, password)
	if err != nil {
		nethttpauth.Write(w, s.auth.Problem(err))
		return
	}
	pair, err := nethttpauth.SignIn(w, r, s.auth, core.SignInForm{
		Identity:  core.Identity{UserID: user.Name, Roles: []string{user.Role}},
		Delivery:  r.FormValue("delivery"), // "body" from a client without cookies
		CheckedAt: began,
		Confirm: func(context.Context) error {
			_, err := s.Check(name, password)
			return err
		},
	})
	if err != nil {
		nethttpauth.Write(w, s.auth.Problem(err))
		return
	}
	answer := map[string]string{"token": pair.AccessToken}
	if r.FormValue("delivery") == "body" {
		answer["refresh_token"] = pair.RefreshToken
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer)
}
