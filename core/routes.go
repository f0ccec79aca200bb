package core

import (
	"context"
	"errors"
	"net/http"
)

// Routes returns the auth group: what a signed-in user's own client calls.
// Without Config.Authenticate there is no login route.
func (a *Auth) Routes() []Route {
	routes := []Route{
		{http.MethodPost, "/refresh", a.answer(a.fromHere(a.serveRefresh))},
		{http.MethodPost, "/logout", a.answer(a.fromHere(a.serveLogout))},
		{http.MethodPost, "/logout-all", a.answer(a.fromHere(a.guarded(a.serveLogoutAll)))},
		{http.MethodGet, "/sessions", a.answer(a.guarded(a.serveSessions))},
		{http.MethodPost, "/sessions/revoke", a.answer(a.fromHere(a.guarded(a.serveRevoke)))},
		{http.MethodPost, "/sessions/revoke-all", a.answer(a.fromHere(a.guarded(a.serveRevokeOthers)))},
	}
	if a.Authenticate != nil {
		routes = append(routes, Route{http.MethodPost, "/login", a.answer(a.fromHere(a.serveLogin))})
	}
	return routes
}

// handler answers a request, or says why not.
type handler func(Request) (Response, error)

// answer turns a handler into what a route serves.
func (a *Auth) answer(serve handler) func(Request) Response {
	return func(r Request) Response {
		out, err := serve(r)
		if err != nil {
			return a.refuse(r, err)
		}
		return out
	}
}

// fromHere wraps a route that changes state: requests from other sites end here.
func (a *Auth) fromHere(serve handler) handler {
	return func(r Request) (Response, error) {
		if err := a.sameSite(r); err != nil {
			return Response{}, err
		}
		return serve(r)
	}
}

// guarded wraps a route that needs an access token.
func (a *Auth) guarded(serve func(Request, *Principal) (Response, error)) handler {
	guard := a.Guard()
	return func(r Request) (Response, error) {
		d := guard.Check(r)
		if d.Refusal != nil {
			return *d.Refusal, nil
		}
		return serve(r, d.Principal)
	}
}

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
	switch {
	case body.Username == "" || body.Password == "":
		return Response{}, ErrBadRequest.saying("username and password are required")
	case body.Delivery != "" && body.Delivery != "cookie" && body.Delivery != "body":
		return Response{}, ErrBadRequest.saying(`delivery must be "cookie" or "body"`)
	}
	client := clientOf(r)
	client.DeviceID, client.Signed = a.presentedDevice(r, body.DeviceID)
	client.DeviceName, client.ClientType = body.DeviceName, body.ClientType
	if err := client.check(); err != nil {
		return Response{}, err // before the password is looked at
	}
	inBody := body.Delivery == "body"
	if client.DeviceID == "" {
		client.Signed = !inBody // the server names it, in a cookie or not
	}
	credentials, checked := Credentials{Username: body.Username, Password: body.Password}, a.now()
	identity, err := a.Authenticate(r.Context(), credentials)
	if err != nil {
		err = appError(err, ErrInvalidCredentials, ErrUserInactive)
		if !errors.Is(err, ErrInternal) {
			a.audit(r.Context(), EventSignInRefused, Event{DeviceID: client.DeviceID, IP: client.IP, UserAgent: cutText(client.UserAgent, userAgentCap)})
		}
		return Response{}, err
	}
	presented := distinct(r.Cookies(a.Cookie.Name)...)
	pair, err := a.SignIn(r.Context(), SignInRequest{
		Identity:  identity,
		Client:    client,
		Replaces:  presented,
		CheckedAt: checked,
		Confirm: func(ctx context.Context) error {
			again, err := a.Authenticate(ctx, credentials)
			if err == nil && again.UserID != identity.UserID {
				err = ErrInvalidCredentials
			}
			return err
		},
	})
	if err != nil {
		return Response{}, err
	}
	out := reply(http.StatusOK, shapePair(&pair, inBody))
	switch {
	case !inBody:
		a.setRefreshCookie(&out, &pair)
		if err := a.setDeviceCookie(&out, pair.Session.Device); err != nil {
			return Response{}, err
		}
	case len(presented) > 0:
		a.dropRefreshCookie(&out)
	}
	return out, nil
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

func (a *Auth) serveRefresh(r Request) (Response, error) {
	var body struct {
		RefreshToken string `json:"refresh_token"`
		DeviceID     string `json:"device_id"`
	}
	if err := decodeBody(r, &body); err != nil {
		return Response{}, err
	}
	cookies := distinct(r.Cookies(a.Cookie.Name)...)
	tokens := distinct(append(cookies, body.RefreshToken)...)
	switch {
	case len(tokens) == 0:
		return Response{}, ErrRefreshTokenMissing
	case len(tokens) > 1:
		return Response{}, ErrBadRequest.saying("the request presents different refresh tokens")
	case !validText(body.DeviceID):
		return Response{}, errDeviceID
	}
	device, _ := a.presentedDevice(r, body.DeviceID)
	pair, err := a.Refresh(r.Context(), RefreshRequest{Token: tokens[0], DeviceID: device, Client: clientOf(r)})
	if err != nil {
		return Response{}, err
	}
	inBody := len(cookies) == 0
	out := reply(http.StatusOK, shapePair(&pair, inBody))
	if !inBody {
		a.setRefreshCookie(&out, &pair)
	}
	return out, nil
}

func (a *Auth) serveLogout(r Request) (Response, error) {
	var body struct {
		RefreshToken string `json:"refresh_token"`
		All          bool   `json:"all"`
	}
	if err := decodeBody(r, &body); err != nil {
		return Response{}, err
	}
	// What a token is follows from where it came: a cookie is no place for an
	// access token.
	opened, bad := openAll(a.openAccess, []string{bearer(r)})
	more, worse := openAll(a.openRefresh, append(r.Cookies(a.Cookie.Name), body.RefreshToken))
	opened = append(opened, more...)
	if opened == nil {
		if errors.Is(bad, ErrTokenMissing) {
			bad = worse
		}
		return Response{}, bad
	}
	signOut := a.signOut
	if body.All {
		signOut = a.signOutAll
	}
	n, err := signOut(r.Context(), opened)
	if err != nil {
		return Response{}, err
	}
	return a.signedOut("signed out", n), nil
}

// signedOut answers after the session of this browser has ended.
func (a *Auth) signedOut(message string, n int) Response {
	out := reply(http.StatusOK, revokedShape{message, n})
	a.dropRefreshCookie(&out)
	return out
}

func (a *Auth) serveLogoutAll(r Request, p *Principal) (Response, error) {
	if err := decodeBody(r, &struct{}{}); err != nil {
		return Response{}, err
	}
	n, err := a.RevokeAll(r.Context(), p.UserID, ReasonSignedOutAll)
	if err != nil {
		return Response{}, err
	}
	return a.signedOut("signed out everywhere", n), nil
}

func (a *Auth) serveSessions(r Request, p *Principal) (Response, error) {
	sessions, err := a.Sessions(r.Context(), p.UserID)
	if err != nil {
		return Response{}, err
	}
	list := make([]sessionShape, len(sessions))
	for i := range sessions {
		list[i] = shapeSession(&sessions[i], p.SessionID)
	}
	return reply(http.StatusOK, sessionsShape{list, len(list)}), nil
}

func (a *Auth) serveRevoke(r Request, p *Principal) (Response, error) {
	var body struct {
		SessionID string `json:"session_id"`
	}
	if err := decodeBody(r, &body); err != nil {
		return Response{}, err
	}
	if body.SessionID == "" {
		return Response{}, ErrBadRequest.saying("session_id is required")
	}
	id, err := ParseID(body.SessionID)
	if err != nil {
		return Response{}, ErrSessionNotFound
	}
	if err := a.Revoke(r.Context(), p.UserID, id, ReasonRevoked); err != nil {
		return Response{}, err
	}
	if id == p.SessionID {
		return a.signedOut("session revoked", 1), nil
	}
	return reply(http.StatusOK, revokedShape{"session revoked", 1}), nil
}

func (a *Auth) serveRevokeOthers(r Request, p *Principal) (Response, error) {
	if err := decodeBody(r, &struct{}{}); err != nil {
		return Response{}, err
	}
	n, err := a.RevokeOthers(r.Context(), p.UserID, p.SessionID, ReasonRevoked)
	if err != nil {
		return Response{}, err
	}
	return reply(http.StatusOK, revokedShape{"other sessions revoked", n}), nil
}
