// Command nethttp is an app on net/http that signs people in with sallyport.
// It runs with nothing installed; -h tells its settings.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/console"
	"github.com/sallyport-go/sallyport/examples/internal/mail"
	"github.com/sallyport-go/sallyport/examples/internal/metrics"
	"github.com/sallyport-go/sallyport/examples/internal/server"
	"github.com/sallyport-go/sallyport/examples/internal/settings"
	"github.com/sallyport-go/sallyport/examples/internal/storage"
	"github.com/sallyport-go/sallyport/examples/internal/users"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	console.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout))
}

// run serves until ctx is done, or does what the arguments ask for instead.
func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	check, err := console.Parse("nethttp", args, out)
	if err != nil {
		return err
	}
	set, err := settings.Read(getenv)
	if err != nil {
		return err
	}
	people, err := users.New()
	if err != nil {
		return err
	}
	notify, err := mail.Notifier(set.Mail, people.Address)
	if err != nil {
		return err
	}

	measured, err := metrics.New(set.Metrics)
	if err != nil {
		return err
	}

	kept, err := storage.Open(ctx, set)
	if err != nil {
		return err
	}
	defer kept.Close() // runs after auth.Close

	config := set.Auth // what the environment says: keys, lifetimes, cookies, limits
	config.Authenticate = people.Authenticate
	config.Active = people.Active
	config.Store = kept.Store
	config.Limiter = kept.Limiter
	config.Resolver = kept.Resolver
	config.Audit = kept.Audit
	config.Notify = notify
	config.Observer = measured.Observer()
	config.Prefix = "/api/v1/auth"
	auth, err := core.New(config)
	if err != nil {
		return settings.Explain(err)
	}
	defer auth.Close()
	if err := measured.Watch(auth); err != nil {
		return err
	}
	if check {
		return console.Check(ctx, out, auth, set.Local)
	}

	listener, err := net.Listen("tcp", set.Addr)
	if err != nil {
		return fmt.Errorf("ADDR: %w", err)
	}
	console.Welcome(out, "http://"+listener.Addr().String(), set)
	a := &app{auth: auth, people: people, store: set.Store(), metrics: measured.Handler()}
	return server.Serve(ctx, listener, a.routes(config.Prefix))
}

// routes mounts the groups of the library and, beside them, the app's own.
func (a *app) routes(prefix string) *http.ServeMux {
	mux := http.NewServeMux()
	admin := core.Role(users.RoleAdmin)
	nethttpauth.Mount(mux, prefix, a.auth.Routes())
	nethttpauth.Mount(mux, "/api/v1/admin", a.auth.AdminRoutes(admin))
	nethttpauth.Mount(mux, "/", a.auth.KeyRoutes())

	// The groups refuse other sites on their own; the app's routes ask for it.
	signedIn := nethttpauth.Require(a.auth, core.SameSite())
	justSignedIn := nethttpauth.Require(a.auth, core.SameSite(), core.Fresh(users.EnrollWithin))
	asAdmin := nethttpauth.Require(a.auth, core.SameSite(), admin)
	mux.Handle("GET /api/v1/me", signedIn(http.HandlerFunc(a.me)))
	mux.Handle("POST /api/v1/password", signedIn(http.HandlerFunc(a.setPassword)))
	mux.Handle("POST /api/v1/totp/enroll", justSignedIn(http.HandlerFunc(a.enrollTOTP)))
	mux.Handle("POST /api/v1/totp/confirm", signedIn(http.HandlerFunc(a.confirmTOTP)))
	mux.HandleFunc("POST "+prefix+"/step-up", a.stepUp)
	mux.Handle("POST /api/v1/admin/users/{user}/active", asAdmin(http.HandlerFunc(a.setActive)))
	mux.HandleFunc("GET /healthz", a.health)
	if a.metrics != nil {
		mux.Handle("GET "+metrics.Path, a.metrics)
	}
	return mux
}
