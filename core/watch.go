package core

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
)

// LoginWatch adds a refresh cookie to what an app's own login handler answers,
// so that the handler can stay as it is. An adapter makes one before the handler
// runs, holds the answer back, and sends what Answer makes of it.
type LoginWatch struct {
	auth    *Auth
	request Request
	began   time.Time
}

// LoginAnswerMax is the size of the longest login answer that is watched, in
// bytes. An adapter sends a longer one as it comes.
const LoginAnswerMax = 64 << 10

// WatchLogin returns a watch over one login, or the answer to a request from
// another site, whose login must not run.
func (a *Auth) WatchLogin(r Request) (*LoginWatch, *Response) {
	if err := a.sameSite(r); err != nil {
		refusal := a.refuse(r, err)
		return nil, &refusal
	}
	return &LoginWatch{a, r, a.now()}, nil
}

// Answer returns the app's answer with the refresh cookie and the device cookie.
//
// It looks for an access token in the answer: status 2xx, a JSON object as the
// body, the member Config.TokenMember. If it is one of this Auth, from a session
// that the login has just begun, the cookie is that session's. If it is a foreign
// one, a session is begun for its user; the app's answer keeps the foreign token,
// and the first refresh brings one of this Auth. The session that the browser had
// ends. Anything else goes out as it came: a failed login, an answer without a
// token, or, audited as EventFailed, with a token that is not good or is from
// before the login. What is no login, or repeats a token that a client sent, must
// not be watched.
//
// If the session can't be had it returns a refusal, to be sent in place of the
// app's answer with all its headers: nobody is left half signed in.
func (w *LoginWatch) Answer(answer Response) (out Response, refused bool) {
	token := w.tokenIn(&answer)
	if token == "" {
		return answer, false
	}
	ctx := w.request.Context()
	k, s, err := w.issued(token)
	if errors.Is(err, ErrStoreUnavailable) || errors.Is(err, ErrSessionEnded) {
		return w.auth.refuse(w.request, err), true
	}
	if err != nil {
		w.auth.audit(ctx, EventFailed, Event{Err: fmt.Errorf("sallyport: the login that is watched answered with a token that can't be used: %w", err)})
		return answer, false
	}
	var cookies http.Header
	if k.foreign() {
		_, cookies, err = w.auth.SignInFrom(w.request, SignInForm{
			Identity:  k.identity,
			CheckedAt: w.began,
			Confirm:   func(ctx context.Context) error { return w.confirm(ctx, k.userID()) },
		})
	} else {
		cookies, err = w.cookiesOf(k, s)
	}
	if err != nil {
		return w.auth.refuse(w.request, err).with(cookies), true // of a device that a second factor has to come from
	}
	out = answer
	out.Header = make(http.Header)
	maps.Copy(out.Header, answer.Header.Clone())
	out.Header["Set-Cookie"] = append(out.Header["Set-Cookie"], cookies["Set-Cookie"]...)
	out.Header.Set("Cache-Control", "no-store")
	return out, false
}

var errLoginOld = errors.New("it was not issued by the login")

// issued returns a good access token, if it is from this login: one that was
// there before and is only repeated must not become a refresh token. Of a token
// of this Auth it returns the session; ErrSessionEnded: it has ended since. A
// foreign token without "iat" can't be told.
func (w *LoginWatch) issued(token string) (*known, *Session, error) {
	a, ctx, now := w.auth, w.request.Context(), w.auth.now()
	k, err := a.readAccess(token, now)
	if err != nil {
		return nil, nil, err
	}
	began := w.began.Truncate(time.Second) // as tokens tell the time
	if k.foreign() {
		began = began.Add(-a.config.Leeway) // by another clock, perhaps
	}
	if now.Sub(w.began) > signInLasts || !k.issuedAt.IsZero() && k.issuedAt.Before(began) {
		return nil, nil, ErrTokenInvalid.because(errLoginOld)
	}
	l, at, err := a.load(ctx, k.userID())
	if err != nil {
		return nil, nil, err
	}
	good, _ := k.goodIn(&l, at)
	switch {
	case !good && k.foreign():
		return nil, nil, ErrTokenRevoked
	case !good:
		return nil, nil, ErrSessionEnded
	case k.foreign():
		return k, nil, nil
	}
	s := l.session(k.session, at)
	if s.CreatedAt.Before(ledgerTime(w.began)) {
		return nil, nil, ErrTokenInvalid.because(errLoginOld)
	}
	return k, s, nil
}

// confirm refuses a login during which the user's sessions were revoked as a
// whole, as after a new password, or whose user is not active.
func (w *LoginWatch) confirm(ctx context.Context, userID string) error {
	l, _, err := w.auth.load(ctx, userID)
	if err != nil {
		return err
	}
	if !l.RevokedAt.Before(ledgerTime(w.began)) {
		return ErrInvalidCredentials
	}
	active, err := w.auth.config.Active(ctx, userID)
	if err == nil && !active {
		err = ErrUserInactive
	}
	return err
}

// tokenIn returns the access token in an answer, or "".
func (w *LoginWatch) tokenIn(answer *Response) string {
	if answer.Status < 200 || answer.Status > 299 || len(answer.Body) > LoginAnswerMax {
		return ""
	}
	var members map[string]any
	if json.Unmarshal(answer.Body, &members) != nil {
		return ""
	}
	token, _ := members[w.auth.config.TokenMember].(string)
	return token
}

// cookiesOf returns the cookies of the session that the login has begun, and ends
// that which the browser had.
func (w *LoginWatch) cookiesOf(k *known, s *Session) (http.Header, error) {
	a, ctx := w.auth, w.request.Context()
	replaced, _ := openAll(a.openRefresh, distinct(w.request.Cookies(a.config.Cookie.Name)...))
	for _, old := range replaced {
		if old.session == s.ID {
			continue
		}
		if _, err := a.end(ctx, old.userID, only(old.session), ReasonReplaced); err != nil {
			return nil, err
		}
	}
	pair, err := a.pair(k.userID(), s, s.Access.JTI)
	if err != nil {
		return nil, err
	}
	cookies := make(http.Header, 1)
	a.setRefreshCookie(cookies, &pair)
	if err := a.setDeviceCookie(cookies, s.Device, a.presentedDevice(w.request, ""), accountTag{}); err != nil {
		return nil, err // no cookie goes with a refusal
	}
	return cookies, nil
}
