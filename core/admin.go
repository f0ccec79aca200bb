package core

import (
	"context"
	"fmt"
	"net/http"
)

// AdminRoutes returns the admin group: what an administrator does with the
// sessions of others. Without an access token the answer is 401; whoever has one
// needs to keep all rules, of which at least one has to say who may come in
// ([Scope], [Role], [Allow]): else nobody does.
func (a *Auth) AdminRoutes(rules ...Rule) []Route {
	guard := a.Guard(rules...)
	if !guard.rules.has(ruleIdentity) {
		guard = a.Guard(Rule{})
	}
	behind := func(serve func(Request, *Principal) (Response, error)) func(Request) Response {
		return a.answer(a.fromHere(guard.before(func(r Request, p *Principal) (Response, error) {
			return serve(acting{r, WithActor(r.Context(), p.UserID)}, p)
		})))
	}
	return a.observed([]Route{
		{http.MethodGet, "/users/{user}/tokens", behind(a.serveUserTokens)},
		{http.MethodGet, "/users/{user}/token-count", behind(a.serveTokenCount)},
		{http.MethodPost, "/users/{user}/logout", behind(a.serveUserLogout)},
		{http.MethodPost, "/users/{user}/trim", behind(a.serveTrim)},
		{http.MethodPost, "/tokens/revoke", behind(a.serveRevokeToken)},
		{http.MethodPost, "/tokens/lookup", behind(a.serveLookup)},
		{http.MethodPost, "/online", behind(a.serveOnline)},
	})
}

// acting is a request of somebody who does something with the sessions of others.
type acting struct {
	Request
	ctx context.Context
}

func (r acting) Context() context.Context { return r.ctx }

func (a *Auth) serveUserTokens(r Request, _ *Principal) (Response, error) {
	user := r.Param("user")
	tokens, err := a.Tokens(r.Context(), user)
	if err != nil {
		return Response{}, err
	}
	return reply(http.StatusOK, shapeTokens(user, tokens)), nil
}

func (a *Auth) serveTokenCount(r Request, _ *Principal) (Response, error) {
	user := r.Param("user")
	n, err := a.Count(r.Context(), user)
	if err != nil {
		return Response{}, err
	}
	return reply(http.StatusOK, countShape{user, n}), nil
}

func (a *Auth) serveUserLogout(r Request, _ *Principal) (Response, error) {
	if err := decodeBody(r, &struct{}{}); err != nil {
		return Response{}, err
	}
	n, err := a.RevokeAll(r.Context(), r.Param("user"), ReasonRevokedByAdmin)
	return a.revoked("user signed out everywhere", n, err)
}

func (a *Auth) serveTrim(r Request, _ *Principal) (Response, error) {
	var body struct {
		Keep int `json:"keep"`
	}
	if err := decodeBody(r, &body); err != nil {
		return Response{}, err
	}
	if body.Keep < 1 || body.Keep > sessionCeiling {
		return Response{}, ErrBadRequest.saying(fmt.Sprintf("keep must be 1 to %d", sessionCeiling))
	}
	n, err := a.Trim(r.Context(), r.Param("user"), body.Keep)
	return a.revoked("older sessions revoked", n, err)
}

func (a *Auth) serveRevokeToken(r Request, _ *Principal) (Response, error) {
	var body struct {
		Token     string `json:"token"`
		UserID    string `json:"user_id"`
		SessionID string `json:"session_id"`
	}
	if err := decodeBody(r, &body); err != nil {
		return Response{}, err
	}
	session := body.UserID != "" && body.SessionID != ""
	switch {
	case body.Token != "" && body.UserID+body.SessionID != "", body.Token == "" && !session:
		return Response{}, ErrBadRequest.saying("either token, or user_id and session_id, are required")
	case session:
		id, err := ParseID(body.SessionID)
		if err != nil {
			return Response{}, ErrSessionNotFound
		}
		return a.revoked("session revoked", 1, a.Revoke(r.Context(), body.UserID, id, ReasonRevokedByAdmin))
	}
	n, err := a.RevokeToken(r.Context(), body.Token)
	return a.revoked("token revoked", n, err)
}

func (a *Auth) serveLookup(r Request, p *Principal) (Response, error) {
	var body struct {
		Token string `json:"token"`
	}
	if err := decodeBody(r, &body); err != nil {
		return Response{}, err
	}
	if body.Token == "" {
		return Response{}, ErrBadRequest.saying("token is required")
	}
	if err := a.limit(r.Context(), &a.limits.lookup, p.UserID, a.seenFrom(r, p)); err != nil {
		return Response{}, err
	}
	user, s, err := a.Find(r.Context(), body.Token)
	if err != nil {
		return Response{}, err
	}
	return reply(http.StatusOK, lookupShape{user, shapeSession(&s, p.SessionID)}), nil
}

const onlineMax = 1000 // users in one question

func (a *Auth) serveOnline(r Request, p *Principal) (Response, error) {
	var body struct {
		UserIDs []string `json:"user_ids"`
	}
	if err := decodeBody(r, &body); err != nil {
		return Response{}, err
	}
	if body.UserIDs == nil || len(body.UserIDs) > onlineMax {
		return Response{}, ErrBadRequest.saying(fmt.Sprintf("user_ids must be a list of at most %d", onlineMax))
	}
	online, err := a.Online(r.Context(), body.UserIDs...)
	if err != nil {
		return Response{}, err
	}
	return reply(http.StatusOK, shapeOnline(online, p.SessionID)), nil
}
