package handwritten

import (
	"net/http"
	"time"

	"github.com/sallyport-go/sallyport/bench/migration/internal/shop"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// During is the app that accepts what the library issues, and goes on issuing
// tokens of its own.
func During(auth *core.Auth, key []byte, users *shop.Users) http.Handler {
	app := app{auth, users, old{key, users, time.Now}}
	routes := http.NewServeMux()
	nethttpauth.Mount(routes, "/session", app.routes())
	mux := http.NewServeMux()
	mux.HandleFunc("POST /session/login", app.old.login)
	mux.HandleFunc("POST /session/refresh", func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("__Secure-refresh_token"); err == nil {
			routes.ServeHTTP(w, r)
			return
		}
		app.old.refresh(w, r)
	})
	mux.Handle("/session/", routes)
	app.mount(mux)
	return mux
}
