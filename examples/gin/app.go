package main

import (
	"fmt"
	"runtime/debug"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/api"
	"github.com/sallyport-go/sallyport/examples/internal/users"
	"github.com/sallyport-go/sallyport/ginauth"
)

// app has the routes that are the app's own.
type app struct {
	auth   *core.Auth
	people *users.Users
	store  string // what sessions are in
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
	n, err := a.auth.RevokeAll(c.Request.Context(), user, core.ReasonUserInactive)
	a.reply(c, api.Active(user, false, n), err)
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
