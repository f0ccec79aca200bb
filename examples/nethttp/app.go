package main

import (
	"errors"
	"io"
	"net/http"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/api"
	"github.com/sallyport-go/sallyport/examples/internal/users"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// app has the routes that are the app's own.
type app struct {
	auth   *core.Auth
	people *users.Users
}

// me says who is asking.
func (a *app) me(r *http.Request) (any, error) {
	return api.Me(nethttpauth.Principal(r)), nil
}

// setPassword changes the password and ends the user's other sessions: whoever
// had the old one is out.
func (a *app) setPassword(r *http.Request) (any, error) {
	var form api.PasswordForm
	if err := read(r, &form); err != nil {
		return nil, err
	}
	p := nethttpauth.Principal(r)
	if err := a.people.SetPassword(p.UserID, form.Old, form.New); err != nil {
		return nil, err
	}
	n, err := a.auth.RevokeOthers(r.Context(), p.UserID, p.SessionID, core.ReasonPasswordChanged)
	return api.PasswordChanged(n), err
}

// setActive disables a user or lets one in again. First the app says no to
// sign-ins and refreshes, then what is open is ended.
func (a *app) setActive(r *http.Request) (any, error) {
	var form api.ActiveForm
	if err := read(r, &form); err != nil {
		return nil, err
	}
	user, active := r.PathValue("user"), *form.Active
	if err := a.people.SetActive(user, active); err != nil {
		return nil, err
	}
	if active {
		return api.Active(user, true, 0), nil
	}
	n, err := a.auth.RevokeAll(r.Context(), user, core.ReasonUserInactive)
	return api.Active(user, false, n), err
}

// health says whether revocations arrive. The server answers in either case.
func (a *app) health(*http.Request) (any, error) {
	return api.Health(a.auth.Health(), "memory"), nil
}

// handle turns a route into a handler of net/http. What it refuses looks like
// the refusals of the library's own routes.
func (a *app) handle(route func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := route(r)
		nethttpauth.Write(w, api.Reply(a.auth, answer, err))
	})
}

// read reads what a client sent.
func read(r *http.Request, form api.Form) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, api.BodyMax))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return core.ErrBodyTooLarge
	case err != nil:
		return core.ErrBadRequest
	}
	return api.Decode(r.Header.Get("Content-Type"), body, form)
}
