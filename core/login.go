package core

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// SignInForm is a sign-in over HTTP that an app's own handler has checked.
type SignInForm struct {
	Identity Identity

	// What the client says of itself. Each may be ""; see [Client].
	DeviceID   string
	DeviceName string
	ClientType string
	// Delivery is how the client gets its refresh token: "cookie", or "body"
	// for a client without cookies. "": "cookie".
	Delivery string
	// Username is what the user typed: see [Auth.AllowSignIn]. "": not said.
	Username string

	// See [SignInRequest].
	CheckedAt time.Time
	Confirm   func(context.Context) error
}

// SignInFrom begins a session for whoever sent a request, as the login route
// does: it refuses a request from another site, knows the device by its cookie,
// and ends the session that the browser had. It returns the cookies to set, as a
// header, beside the tokens; the rest of the answer is the app's, or
// [Pair.Response]. Errors are those of [Auth.SignIn], and ErrCrossSite; with
// ErrStepUpRequired there are cookies to set as well.
func (a *Auth) SignInFrom(r Request, f SignInForm) (Pair, http.Header, error) {
	if err := a.sameSite(r); err != nil {
		return Pair{}, nil, err
	}
	client, device, err := a.formClient(r, &f)
	if err != nil {
		return Pair{}, nil, err
	}
	return a.signInFrom(r, client, device, &f)
}

// formClient returns who is signing in and on what device, or what of it can't be.
func (a *Auth) formClient(r Request, f *SignInForm) (Client, deviceToken, error) {
	if f.Delivery != "" && f.Delivery != "cookie" && f.Delivery != "body" {
		return Client{}, deviceToken{}, ErrBadRequest.saying(`delivery must be "cookie" or "body"`)
	}
	client, device := a.clientOf(r), a.presentedDevice(r, f.DeviceID)
	client.DeviceID, client.Signed = device.ID, device.Signed
	client.DeviceName, client.ClientType = f.DeviceName, f.ClientType
	if client.DeviceID == "" {
		client.Signed = f.Delivery != "body" // the server names it, in a cookie or not
	}
	return client, device, client.check()
}

func (a *Auth) signInFrom(r Request, client Client, device deviceToken, f *SignInForm) (Pair, http.Header, error) {
	presented := a.presentedRefresh(r)
	pair, err := a.SignIn(r.Context(), SignInRequest{
		Identity:  f.Identity,
		Client:    client,
		Replaces:  presented,
		CheckedAt: f.CheckedAt,
		Confirm:   f.Confirm,
		Failures:  a.failures(r.Context(), f.Username),
		username:  f.Username,
	})
	if errors.Is(err, ErrStepUpRequired) && f.Delivery != "body" {
		cookies := make(http.Header, 1) // the second factor has to come from this device
		if failed := a.setDeviceCookie(cookies, pair.Session.Device, device, pair.account); failed != nil {
			return Pair{}, nil, failed
		}
		return Pair{}, cookies, err
	}
	if err != nil {
		return Pair{}, nil, err
	}
	return a.deliver(pair, f.Delivery, presented, device)
}

// deliver returns the pair as it is delivered, and the cookies that go with it.
func (a *Auth) deliver(pair Pair, delivery string, presented []string, device deviceToken) (Pair, http.Header, error) {
	pair.inBody = delivery == "body"
	cookies := make(http.Header, 1)
	switch {
	case !pair.inBody:
		a.setRefreshCookie(cookies, &pair)
		if err := a.setDeviceCookie(cookies, pair.Session.Device, device, pair.account); err != nil {
			return Pair{}, nil, err
		}
	case len(presented) > 0:
		a.dropRefreshCookie(cookies)
	}
	return pair, cookies, nil
}

// presentedRefresh returns the refresh tokens in a request's cookies.
func (a *Auth) presentedRefresh(r Request) []string {
	return distinct(r.Cookies(a.config.Cookie.Name)...)
}

// Response returns the answer of the login and refresh routes, without cookies.
// The refresh token is in it if that is how the client gets it.
func (p *Pair) Response() Response { return reply(http.StatusOK, shapePair(p)) }

func (a *Auth) serveLogin(r Request) (Response, error) {
	var body struct {
		Username   string `json:"username"`
		Password   string `json:"password"`
		DeviceID   string `json:"device_id"`
		DeviceName string `json:"device_name"`
		ClientType string `json:"client_type"`
		Delivery   string `json:"delivery"`
	}
	if err := decodeBody(r, &body); err != nil {
		return Response{}, err
	}
	if body.Username == "" || body.Password == "" {
		return Response{}, ErrBadRequest.saying("username and password are required")
	}
	form := SignInForm{
		DeviceID:   body.DeviceID,
		DeviceName: body.DeviceName,
		ClientType: body.ClientType,
		Delivery:   body.Delivery,
		Username:   body.Username,
		CheckedAt:  a.now(),
	}
	client, device, err := a.formClient(r, &form) // before the password is looked at
	if err != nil {
		return Response{}, err
	}
	if err := a.allowSignIn(r.Context(), &client, &device, body.Username); err != nil {
		return Response{}, err
	}
	credentials := Credentials{Username: body.Username, Password: body.Password}
	form.Identity, err = a.config.Authenticate(r.Context(), credentials)
	if err != nil {
		err = appError(err, ErrInvalidCredentials, ErrUserInactive)
		if !errors.Is(err, ErrInternal) {
			a.signInFailed(r.Context(), &client, body.Username, err)
		}
		return Response{}, err
	}
	form.Confirm = func(ctx context.Context) error {
		again, err := a.config.Authenticate(ctx, credentials)
		if err == nil && again.UserID != form.Identity.UserID {
			err = ErrInvalidCredentials
		}
		return err
	}
	pair, cookies, err := a.signInFrom(r, client, device, &form)
	if err != nil && cookies != nil {
		return a.Problem(err).with(cookies), nil
	}
	if err != nil {
		return Response{}, err
	}
	return pair.Response().with(cookies), nil
}

// with returns the answer with cookies.
func (r Response) with(cookies http.Header) Response {
	if set := cookies["Set-Cookie"]; set != nil {
		r.Header["Set-Cookie"] = set
	}
	return r
}

// appError returns what an app's function answered if it is one of those that
// it may answer, and ErrInternal otherwise: a failure never looks like a refusal.
func appError(err error, may ...*Error) error {
	for _, e := range may {
		if errors.Is(err, e) {
			return e
		}
	}
	return ErrInternal.because(err)
}
