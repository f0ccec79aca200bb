package core

import (
	"cmp"
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
	if a.config.Authenticate != nil {
		routes = append(routes, Route{http.MethodPost, "/login", a.answer(a.fromHere(a.serveLogin))})
	}
	return a.observed(routes)
}

// KeyRoutes returns the route of the public keys (RFC 7517 section 5), to be
// mounted at "/" so that it stands at /.well-known/jwks.json. Others may keep the
// answer for five minutes: a new key's SignFrom has to be later than that.
func (a *Auth) KeyRoutes() []Route {
	return a.observed([]Route{{http.MethodGet, "/.well-known/jwks.json", func(Request) Response {
		out := answerOf(http.StatusOK, "application/json", a.JWKS())
		out.Header.Set("Cache-Control", "public, max-age=300")
		return out
	}}})
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
	return a.Guard().before(serve)
}

// before wraps a route that a guard stands before.
func (g *Guard) before(serve func(Request, *Principal) (Response, error)) handler {
	return func(r Request) (Response, error) {
		d := g.Check(r)
		if d.Refusal != nil {
			return *d.Refusal, nil
		}
		return serve(r, d.Principal)
	}
}

func (a *Auth) serveRefresh(r Request) (Response, error) {
	var body struct {
		RefreshToken string `json:"refresh_token"`
		DeviceID     string `json:"device_id"`
	}
	if err := decodeBody(r, &body); err != nil {
		return Response{}, err
	}
	cookies := a.presentedRefresh(r)
	tokens := distinct(append(cookies, body.RefreshToken)...)
	switch {
	case len(tokens) == 0:
		return Response{}, ErrRefreshTokenMissing
	case len(tokens) > 1:
		return Response{}, ErrBadRequest.saying("the request presents different refresh tokens")
	case !validText(body.DeviceID):
		return Response{}, errDeviceID
	}
	device := a.presentedDevice(r, body.DeviceID).ID
	client := a.clientOf(r)
	if err := a.allowRefresh(r.Context(), &client, device, tokens[0]); err != nil {
		return Response{}, err
	}
	pair, err := a.Refresh(r.Context(), RefreshRequest{Token: tokens[0], DeviceID: device, Client: client})
	if err != nil {
		return Response{}, err
	}
	pair.inBody = len(cookies) == 0
	out := pair.Response()
	if !pair.inBody {
		a.setRefreshCookie(out.Header, &pair)
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
	// What a token is follows from where it came. What can't be told apart is
	// bad, beside which a good one still ends its session.
	access, bad := a.presented(r)
	opened, wrong := openAll(a.openAccess, []string{access})
	if bad == nil {
		bad = wrong
	}
	more, worse := openAll(a.openRefresh, append(r.Cookies(a.config.Cookie.Name), body.RefreshToken))
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
	return a.signedOut("signed out", n, err)
}

// revoked answers how a revocation of n sessions or tokens went.
func (a *Auth) revoked(message string, n int, err error) (Response, error) {
	switch {
	case errors.Is(err, ErrNotDurable) && a.config.AcceptNotDurable:
		durable := false
		return reply(http.StatusAccepted, revokedShape{message, n, &durable}), nil
	case err != nil:
		return Response{}, err
	}
	return reply(http.StatusOK, revokedShape{Message: message, Revoked: n}), nil
}

// signedOut is revoked for the session of this browser.
func (a *Auth) signedOut(message string, n int, err error) (Response, error) {
	out, err := a.revoked(message, n, err)
	if err == nil {
		a.dropRefreshCookie(out.Header)
	}
	return out, err
}

func (a *Auth) serveLogoutAll(r Request, p *Principal) (Response, error) {
	if err := decodeBody(r, &struct{}{}); err != nil {
		return Response{}, err
	}
	if err := a.limit(r.Context(), &a.limits.logoutAll, p.UserID, a.seenFrom(r, p)); err != nil {
		return Response{}, err
	}
	n, err := a.RevokeAll(r.Context(), p.UserID, ReasonSignedOutAll)
	if _, failed := kept(err); failed == nil && p.SessionID.IsZero() {
		token, worse := a.revokeForeign(r.Context(), p) // it goes with the sessions
		n, err = n+token, cmp.Or(worse, err)
	}
	return a.signedOut("signed out everywhere", n, err)
}

func (a *Auth) serveSessions(r Request, p *Principal) (Response, error) {
	sessions, err := a.Sessions(r.Context(), p.UserID)
	if err != nil {
		return Response{}, err
	}
	return reply(http.StatusOK, sessionsShape{shapeSessions(sessions, p.SessionID), len(sessions)}), nil
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
	err = a.Revoke(r.Context(), p.UserID, id, ReasonRevoked)
	if id == p.SessionID {
		return a.signedOut("session revoked", 1, err)
	}
	return a.revoked("session revoked", 1, err)
}

func (a *Auth) serveRevokeOthers(r Request, p *Principal) (Response, error) {
	if err := decodeBody(r, &struct{}{}); err != nil {
		return Response{}, err
	}
	n, err := a.RevokeOthers(r.Context(), p.UserID, p.SessionID, ReasonRevoked)
	return a.revoked("other sessions revoked", n, err)
}

// seenFrom returns what is audited of a signed-in user's request.
func (a *Auth) seenFrom(r Request, p *Principal) Event {
	client := a.clientOf(r)
	client.DeviceID = p.DeviceID
	seen := client.seen()
	seen.UserID, seen.Session = p.UserID, p.SessionID
	return seen
}
