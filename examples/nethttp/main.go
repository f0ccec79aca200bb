// Command nethttp is an app on net/http that signs people in with sallyport.
// It runs with nothing installed; see the README for its settings.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/settings"
	"github.com/sallyport-go/sallyport/examples/internal/users"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx is done.
func run(ctx context.Context, getenv func(string) string, out io.Writer) error {
	set, err := settings.Read(getenv)
	if err != nil {
		return err
	}
	people, err := users.New()
	if err != nil {
		return err
	}

	config := set.Auth // what the environment says: keys, lifetimes, cookies, limits
	config.Store = memstore.New()
	config.Authenticate = people.Authenticate
	config.Active = people.Active
	config.Audit = audit
	config.Prefix = "/api/v1/auth"
	auth, err := core.New(config)
	if err != nil {
		return settings.Explain(err)
	}
	defer auth.Close()

	admin := core.Role(users.RoleAdmin)
	mux := http.NewServeMux()
	nethttpauth.Mount(mux, config.Prefix, auth.Routes())
	nethttpauth.Mount(mux, "/api/v1/admin", auth.AdminRoutes(admin))
	nethttpauth.Mount(mux, "/", auth.KeyRoutes())

	a := &app{auth: auth, people: people}
	signedIn, asAdmin := nethttpauth.Require(auth), nethttpauth.Require(auth, admin)
	mux.Handle("GET /api/v1/me", signedIn(http.HandlerFunc(a.me)))
	mux.Handle("POST /api/v1/password", signedIn(http.HandlerFunc(a.setPassword)))
	mux.Handle("POST /api/v1/admin/users/{user}/active", asAdmin(http.HandlerFunc(a.setActive)))
	mux.HandleFunc("GET /healthz", a.health)

	// The groups refuse requests from other sites on their own. The app's own
	// routes change state as well.
	handler, err := a.sameSite(mux, config.TrustedOrigins)
	if err != nil {
		return err
	}

	listener, err := net.Listen("tcp", set.Addr)
	if err != nil {
		return fmt.Errorf("ADDR: %w", err)
	}
	welcome(out, "http://"+listener.Addr().String(), set)
	return serve(ctx, listener, handler)
}

// sameSite refuses requests that change state and come from another site.
func (a *app) sameSite(next http.Handler, trusted []string) (http.Handler, error) {
	cross := http.NewCrossOriginProtection()
	for _, origin := range trusted {
		if err := cross.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("TRUSTED_ORIGINS: %w", err)
		}
	}
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { a.refuse(w, core.ErrCrossSite) }))
	return cross.Handler(next), nil
}

// audit writes one line for each event. Of what a client says of itself, such
// as its User-Agent, the example logs nothing.
func audit(ctx context.Context, e core.Event) {
	if e.Err != nil {
		slog.ErrorContext(ctx, string(e.Name), "error", e.Err)
		return
	}
	args := []any{"user", e.UserID, "ip", e.IP}
	if !e.Session.IsZero() {
		args = append(args, "session", e.Session)
	}
	if e.Reason != "" {
		args = append(args, "reason", e.Reason)
	}
	slog.InfoContext(ctx, string(e.Name), args...)
}

// drain is how long requests under way may take once the server is to stop.
const drain = 10 * time.Second

// serve answers until ctx is done, and then what is under way.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		slog.Warn("some requests were cut off", "error", err)
		return server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// welcome says what there is to try.
func welcome(out io.Writer, url string, set settings.Settings) {
	fmt.Fprintf(out, `sallyport on %[1]s, with sessions in memory
users: alice / correct-horse, bob / battery-staple, root / tr0ub4dor-and-3 (admin)
`, url)
	if set.RandomKey {
		fmt.Fprintln(out, "SECRET_KEY is not set: a random one is used for this run")
	}
	if !set.Auth.Cookie.Insecure {
		fmt.Fprintln(out, "cookies are Secure: they need TLS in front, or REFRESH_TOKEN_COOKIE_SECURE=false")
	}
	fmt.Fprintf(out, `
try:
  curl -c jar --json '{"username":"alice","password":"correct-horse"}' %[1]s/api/v1/auth/login
  TOKEN=...   # the access_token of that answer
  curl -H "Authorization: Bearer $TOKEN" %[1]s/api/v1/me
  curl -H "Authorization: Bearer $TOKEN" %[1]s/api/v1/auth/sessions
  curl -X POST -b jar -c jar %[1]s/api/v1/auth/refresh
  curl -X POST -b jar -c jar %[1]s/api/v1/auth/logout
`, url)
}
