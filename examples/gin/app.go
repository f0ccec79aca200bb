package main

import (
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/api"
	"github.com/sallyport-go/sallyport/examples/internal/users"
	"github.com/sallyport-go/sallyport/ginauth"
)

// app has the routes that are the app's own.
type app struct {
	auth    *core.Auth
	people  *users.Users
	store   string       // what sessions are in
	metrics http.Handler // nil: none are served
}

// me says who is asking.
func (a *app) me(c *gin.Context) {
	a.reply(c, api.Me(ginauth.Principal(c)), nil)
}

// setPassword changes the password and ends the user's other sessions: whoever
// had the old one is out.
func (a *app) setPassword(c *gin.Context) {
	var form api.PasswordForm
	if err := read(c, &form); err != nil {
		a.reply(c, nil, err)
		return
	}
	p := ginauth.Principal(c)
	if err := a.people.SetPassword(p.UserID, form.Old, form.New); err != nil {
		a.reply(c, nil, err)
		return
	}
	n, err := a.auth.RevokeOthers(c.Request.Context(), p.UserID, p.SessionID, core.ReasonPasswordChanged)
	a.reply(c, api.PasswordChanged(n), err)
}

// setActive disables a user or lets one in again. First the app says no to
// sign-ins and refreshes, then what is open is ended.
func (a *app) setActive(c *gin.Context) {
	var form api.ActiveForm
	if err := read(c, &form); err != nil {
		a.reply(c, nil, err)
		return
	}
	// c.Param would take a plus for a space.
	user := ginauth.Request(c).Param("user")
	active := *form.Active
	if err := a.people.SetActive(user, active); err != nil {
		a.reply(c, nil, err)
		return
	}
	if active {
		a.reply(c, api.Active(user, true, 0), nil)
		return
	}
	ctx := core.WithActor(c.Request.Context(), ginauth.Principal(c).UserID)
	n, err := a.auth.RevokeAll(ctx, user, core.ReasonUserInactive)
	a.reply(c, api.Active(user, false, n), err)
}

// enrollTOTP gives the user an authenticator app, which counts once it is confirmed.
func (a *app) enrollTOTP(c *gin.Context) {
	secret, url, err := a.people.EnrollTOTP(ginauth.Principal(c).UserID)
	a.reply(c, api.Enrolled(secret, url), err)
}

// confirmTOTP has sign-ins ask for a code from now on.
func (a *app) confirmTOTP(c *gin.Context) {
	var form api.CodeForm
	err := read(c, &form)
	if err == nil {
		err = a.people.ConfirmTOTP(ginauth.Principal(c).UserID, form.Code)
	}
	a.reply(c, api.Confirmed(), err)
}

// stepUp is the second half of a sign-in: its code. It is below the prefix of the
// library's routes, where the cookies travel that say which browser it began in.
func (a *app) stepUp(c *gin.Context) {
	var form api.StepUpForm
	if err := read(c, &form); err != nil {
		a.reply(c, nil, err)
		return
	}
	pair, cookies, err := a.auth.StepUpFrom(ginauth.Request(c), core.StepUpForm{
		Pending:  form.Pending,
		DeviceID: form.DeviceID,
		Delivery: form.Delivery,
		Verify:   a.people.SecondFactor(form.Code),
	})
	ginauth.Write(c, api.SignedIn(a.auth, pair, cookies, err))
}

// health says whether revocations arrive. The server answers in either case.
func (a *app) health(c *gin.Context) {
	a.reply(c, api.Health(a.auth.Health(), a.store), nil)
}

// read reads what a client sent.
func read(c *gin.Context, form api.Form) error {
	return api.Read(c.Request.Body, c.GetHeader("Content-Type"), form)
}

// reply writes an answer or, after an error, a refusal that looks like those of
// the library's own routes.
func (a *app) reply(c *gin.Context, answer any, err error) {
	ginauth.Write(c, api.Reply(a.auth, answer, err))
}

// panicked answers for a handler that panicked. What Gin would log of it may have
// headers in it; this is the cause alone.
func (a *app) panicked(c *gin.Context, cause any) {
	a.reply(c, nil, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
	c.Abort()
}
