package core

import (
	"errors"
	"net/http"
)

// Routes returns the auth group: what a signed-in user's own client calls.
// Without Config.Authenticate there is no login route.
func (a *Auth) Routes() []Route {
	routes := []Route{
		{http.MethodPost, "/refresh", a.fromHere(a.serveRefresh)},
		{http.MethodPost, "/logout", a.fromHere(a.serveLogout)},
		{http.MethodPost, "/logout-all", a.fromHere(a.guarded(a.serveLogoutAll))},
		{http.MethodGet, "/sessions", a.guarded(a.serveSessions)},
		{http.MethodPost, "/sessions/revoke", a.fromHere(a.guarded(a.serveRevoke))},
		{http.MethodPost, "/sessions/revoke-all", a.fromHere(a.guarded(a.serveRevokeOthers))},
	}
	if a.Authenticate != nil {
		routes = append(routes, Route{http.MethodPost, "/login", a.fromHere(a.serveLogin)})
	}
	return routes
}

// fromHere wraps a route that changes state: requests from other sites end here.
func (a *Auth) fromHere(serve func(Request) Response) func(Request) Response {
	return func(r Request) Response {
		if err := a.sameSite(r); err != nil {
			return refuse(err)
		}
		return serve(r)
	}
}

func (a *Auth) serveLogin(r Request) Response {
	var body struct {
		Username   string `json:"username"`
		Password   string `json:"password"`
		DeviceID   string `json:"device_id"`
		DeviceName string `json:"device_name"`
		ClientType string `json:"client_type"`
		Delivery   string `json:"delivery"`
	}
	if err := decodeBody(r, &body); err != nil {
		return refuse(err)
	}
	switch {
	case body.Username == "" || body.Password == "":
		return refuse(ErrBadRequest.saying("username and password are required"))
	case body.Delivery != "" && body.Delivery != "cookie" && body.Delivery != "body":
		return refuse(ErrBadRequest.saying(`delivery must be "cookie" or "body"`))
	}
	client := clientOf(r)
	client.DeviceID, client.Signed = a.presentedDevice(r, body.DeviceID)
	client.DeviceName, client.ClientType = body.DeviceName, body.ClientType
	if err := client.check(); err != nil {
		return refuse(err) // before the password is looked at
	}
	identity, err := a.Authenticate(r.Context(), Credentials{Username: body.Username, Password: body.Password})
	if err != nil {
		a.audit(r.Context(), EventSignInRefused, Event{DeviceID: client.DeviceID, IP: client.IP, UserAgent: cutText(client.UserAgent, userAgentCap)})
		return refuse(appError(err, ErrInvalidCredentials, ErrUserInactive))
	}
	presented := distinct(r.Cookies(a.Cookie.Name)...)
	pair, err := a.SignIn(r.Context(), SignInRequest{Identity: identity, Client: client, Replaces: presented})
	if err != nil {
		return refuse(err)
	}
	inBody := body.Delivery == "body"
	out := reply(http.StatusOK, shapePair(&pair, inBody))
	switch {
	case !inBody:
		a.setRefreshCookie(&out, &pair)
		a.setDeviceCookie(&out, pair.Session.Device)
	case len(presented) > 0:
		a.dropRefreshCookie(&out)
	}
	return out
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

func (a *Auth) serveRefresh(r Request) Response {
	var body struct {
		RefreshToken string `json:"refresh_token"`
		DeviceID     string `json:"device_id"`
	}
	if err := decodeBody(r, &body); err != nil {
		return refuse(err)
	}
	cookies := distinct(r.Cookies(a.Cookie.Name)...)
	tokens := distinct(append(cookies, body.RefreshToken)...)
	switch {
	case len(tokens) == 0:
		return refuse(ErrRefreshTokenMissing)
	case len(tokens) > 1:
		return refuse(ErrBadRequest.saying("the request presents different refresh tokens"))
	case !validText(body.DeviceID):
		return refuse(errDeviceID)
	}
	device, _ := a.presentedDevice(r, body.DeviceID)
	pair, err := a.Refresh(r.Context(), RefreshRequest{Token: tokens[0], DeviceID: device, Client: clientOf(r)})
	if err != nil {
		return refuse(err)
	}
	inBody := len(cookies) == 0
	out := reply(http.StatusOK, shapePair(&pair, inBody))
	if !inBody {
		a.setRefreshCookie(&out, &pair)
	}
	return out
}

func (a *Auth) serveLogout(r Request) Response {
	var body struct {
		RefreshToken string `json:"refresh_token"`
		All          bool   `json:"all"`
	}
	if err := decodeBody(r, &body); err != nil {
		return refuse(err)
	}
	tokens := append(r.Cookies(a.Cookie.Name), body.RefreshToken, bearer(r))
	signOut := a.SignOut
	if body.All {
		signOut = a.SignOutAll
	}
	n, err := signOut(r.Context(), tokens...)
	if err != nil {
		return refuse(err)
	}
	return a.signedOut("signed out", n)
}

// signedOut answers after the session of this browser has ended.
func (a *Auth) signedOut(message string, n int) Response {
	out := reply(http.StatusOK, revokedShape{message, n})
	a.dropRefreshCookie(&out)
	return out
}

func (a *Auth) serveLogoutAll(r Request, p *Principal) Response {
	n, err := a.RevokeAll(r.Context(), p.UserID, ReasonSignedOutAll)
	if err != nil {
		return refuse(err)
	}
	return a.signedOut("signed out everywhere", n)
}

func (a *Auth) serveSessions(r Request, p *Principal) Response {
	sessions, err := a.Sessions(r.Context(), p.UserID)
	if err != nil {
		return refuse(err)
	}
	list := make([]sessionShape, len(sessions))
	for i := range sessions {
		list[i] = shapeSession(&sessions[i], p.SessionID)
	}
	return reply(http.StatusOK, sessionsShape{list, len(list)})
}

func (a *Auth) serveRevoke(r Request, p *Principal) Response {
	var body struct {
		SessionID string `json:"session_id"`
	}
	if err := decodeBody(r, &body); err != nil {
		return refuse(err)
	}
	if body.SessionID == "" {
		return refuse(ErrBadRequest.saying("session_id is required"))
	}
	id, err := ParseID(body.SessionID)
	if err != nil {
		return refuse(ErrSessionNotFound)
	}
	if err := a.Revoke(r.Context(), p.UserID, id, ReasonRevoked); err != nil {
		return refuse(err)
	}
	if id == p.SessionID {
		return a.signedOut("session revoked", 1)
	}
	return reply(http.StatusOK, revokedShape{"session revoked", 1})
}

func (a *Auth) serveRevokeOthers(r Request, p *Principal) Response {
	n, err := a.RevokeOthers(r.Context(), p.UserID, p.SessionID, ReasonRevoked)
	if err != nil {
		return refuse(err)
	}
	return reply(http.StatusOK, revokedShape{"other sessions revoked", n})
}
