package main

import (
	"net/http"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/api"
	"github.com/sallyport-go/sallyport/examples/internal/users"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// app has the routes that are the app's own.
type app struct {
	auth    *core.Auth
	people  *users.Users
	store   string       // what sessions are in
	metrics http.Handler // nil: none are served
}

// me says who is asking.
func (a *app) me(w http.ResponseWriter, r *http.Request) {
	a.reply(w, api.Me(nethttpauth.Principal(r)), nil)
}

// setPassword changes the password and ends the user's other sessions: whoever
// had the old one is out.
func (a *app) setPassword(w http.ResponseWriter, r *http.Request) {
	var form api.PasswordForm
	if err := read(r, &form); err != nil {
		a.reply(w, nil, err)
		return
	}
	p := nethttpauth.Principal(r)
	if err := a.people.SetPassword(p.UserID, form.Old, form.New); err != nil {
		a.reply(w, nil, err)
		return
	}
	n, err := a.auth.RevokeOthers(r.Context(), p.UserID, p.SessionID, core.ReasonPasswordChanged)
	a.reply(w, api.PasswordChanged(n), err)
}

// setActive disables a user or lets one in again. First the app says no to
// sign-ins and refreshes, then what is open is ended.
func (a *app) setActive(w http.ResponseWriter, r *http.Request) {
	var form api.ActiveForm
	if err := read(r, &form); err != nil {
		a.reply(w, nil, err)
		return
	}
	user, active := r.PathValue("user"), *form.Active
	if err := a.people.SetActive(user, active); err != nil {
		a.reply(w, nil, err)
		return
	}
	if active {
		a.reply(w, api.Active(user, true, 0), nil)
		return
	}
	ctx := core.WithActor(r.Context(), nethttpauth.Principal(r).UserID)
	n, err := a.auth.RevokeAll(ctx, user, core.ReasonUserInactive)
	a.reply(w, api.Active(user, false, n), err)
}

// enrollTOTP gives the user an authenticator app, which counts once it is confirmed.
func (a *app) enrollTOTP(w http.ResponseWriter, r *http.Request) {
	secret, url, err := a.people.EnrollTOTP(nethttpauth.Principal(r).UserID)
	a.reply(w, api.Enrolled(secret, url), err)
}

// confirmTOTP has sign-ins ask for a code from now on.
func (a *app) confirmTOTP(w http.ResponseWriter, r *http.Request) {
	var form api.CodeForm
	err := read(r, &form)
	if err == nil {
		err = a.people.ConfirmTOTP(nethttpauth.Principal(r).UserID, form.Code)
	}
	a.reply(w, api.Confirmed(), err)
}

// stepUp is the second half of a sign-in: its code. It is below the prefix of the
// library's routes, where the cookies travel that say which browser it began in.
func (a *app) stepUp(w http.ResponseWriter, r *http.Request) {
	var form api.StepUpForm
	if err := read(r, &form); err != nil {
		a.reply(w, nil, err)
		return
	}
	pair, cookies, err := a.auth.StepUpFrom(nethttpauth.Request(r), core.StepUpForm{
		Pending:  form.Pending,
		DeviceID: form.DeviceID,
		Delivery: form.Delivery,
		Verify:   a.people.SecondFactor(form.Code),
	})
	nethttpauth.Write(w, api.SignedIn(a.auth, pair, cookies, err))
}

// health says whether revocations arrive. The server answers in either case.
func (a *app) health(w http.ResponseWriter, _ *http.Request) {
	a.reply(w, api.Health(a.auth.Health(), a.store), nil)
}

// read reads what a client sent.
func read(r *http.Request, form api.Form) error {
	return api.Read(r.Body, r.Header.Get("Content-Type"), form)
}

// reply writes an answer or, after an error, a refusal that looks like those of
// the library's own routes.
func (a *app) reply(w http.ResponseWriter, answer any, err error) {
	nethttpauth.Write(w, api.Reply(a.auth, answer, err))
}
