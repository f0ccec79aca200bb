package main

import (
	"bytes"
	"errors"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/api"
	"github.com/sallyport-go/sallyport/examples/internal/users"
	"github.com/sallyport-go/sallyport/fiberauth"
)

// app has the routes that are the app's own.
type app struct {
	auth    *core.Auth
	people  *users.Users
	store   string       // what sessions are in
	metrics http.Handler // nil: none are served
}

// me says who is asking.
func (a *app) me(c *fiber.Ctx) error {
	return a.reply(c, api.Me(fiberauth.Principal(c)), nil)
}

// setPassword changes the password and ends the user's other sessions: whoever
// had the old one is out.
func (a *app) setPassword(c *fiber.Ctx) error {
	var form api.PasswordForm
	if err := read(c, &form); err != nil {
		return err
	}
	p := fiberauth.Principal(c)
	if err := a.people.SetPassword(p.UserID, form.Old, form.New); err != nil {
		return err
	}
	n, err := a.auth.RevokeOthers(c.UserContext(), p.UserID, p.SessionID, core.ReasonPasswordChanged)
	return a.reply(c, api.PasswordChanged(n), err)
}

// setActive disables a user or lets one in again. First the app says no to
// sign-ins and refreshes, then what is open is ended.
func (a *app) setActive(c *fiber.Ctx) error {
	var form api.ActiveForm
	if err := read(c, &form); err != nil {
		return err
	}
	// c.Params would be as it was sent, and in memory of the next request.
	user := fiberauth.Request(c).Param("user")
	active := *form.Active
	if err := a.people.SetActive(user, active); err != nil {
		return err
	}
	if active {
		return a.reply(c, api.Active(user, true, 0), nil)
	}
	ctx := core.WithActor(c.UserContext(), fiberauth.Principal(c).UserID)
	n, err := a.auth.RevokeAll(ctx, user, core.ReasonUserInactive)
	return a.reply(c, api.Active(user, false, n), err)
}

// enrollTOTP gives the user an authenticator app, which counts once it is confirmed.
func (a *app) enrollTOTP(c *fiber.Ctx) error {
	secret, url, err := a.people.EnrollTOTP(fiberauth.Principal(c).UserID)
	return a.reply(c, api.Enrolled(secret, url), err)
}

// confirmTOTP has sign-ins ask for a code from now on.
func (a *app) confirmTOTP(c *fiber.Ctx) error {
	var form api.CodeForm
	if err := read(c, &form); err != nil {
		return err
	}
	return a.reply(c, api.Confirmed(), a.people.ConfirmTOTP(fiberauth.Principal(c).UserID, form.Code))
}

// stepUp is the second half of a sign-in: its code. It is below the prefix of the
// library's routes, where the cookies travel that say which browser it began in.
func (a *app) stepUp(c *fiber.Ctx) error {
	var form api.StepUpForm
	if err := read(c, &form); err != nil {
		return err
	}
	pair, cookies, err := a.auth.StepUpFrom(fiberauth.Request(c), core.StepUpForm{
		Pending:  form.Pending,
		DeviceID: form.DeviceID,
		Delivery: form.Delivery,
		Verify:   a.people.SecondFactor(form.Code),
	})
	return fiberauth.Write(c, api.SignedIn(a.auth, pair, cookies, err))
}

// health says whether revocations arrive. The server answers in either case.
func (a *app) health(c *fiber.Ctx) error {
	return a.reply(c, api.Health(a.auth.Health(), a.store), nil)
}

// read reads what a client sent.
func read(c *fiber.Ctx, form api.Form) error {
	return api.Read(bytes.NewReader(c.BodyRaw()), c.Get(fiber.HeaderContentType), form)
}

// reply writes an answer or, after an error, a refusal that looks like those of
// the library's own routes.
func (a *app) reply(c *fiber.Ctx, answer any, err error) error {
	return fiberauth.Write(c, api.Reply(a.auth, answer, err))
}

// failed answers for a handler that returned an error, or panicked. Fiber's own
// refusals, such as 404, stay as they are.
func (a *app) failed(c *fiber.Ctx, err error) error {
	if own := (*fiber.Error)(nil); errors.As(err, &own) {
		return fiber.DefaultErrorHandler(c, err)
	}
	return a.reply(c, nil, err)
}
