package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// only picks one session.
func only(id ID) func(*Session) bool { return func(s *Session) bool { return s.ID == id } }

// end ends the sessions that which picks and returns how many.
func (a *Auth) end(ctx context.Context, userID string, which func(*Session) bool, why Reason) (int, error) {
	return a.endBy(ctx, userID, why, func(l Ledger, now time.Time) ([]Session, *Change) {
		return endSessions(l, which, why, now)
	})
}

func (a *Auth) endBy(ctx context.Context, userID string, why Reason, rule func(Ledger, time.Time) ([]Session, *Change)) (int, error) {
	userID = strings.Clone(userID) // it outlives the call, see SignInRequest.own
	ended, err := transact(ctx, a, userID, rule)
	if err != nil {
		return 0, err
	}
	a.feed.doubt(userID)
	a.auditEnded(ctx, userID, endings(ended, why))
	return len(ended), nil
}

// Revoke ends one session of a user. Errors: ErrSessionNotFound if the user has
// no such live session, ErrStoreUnavailable. When it returns nil no token of the
// session passes any more: at once here, within MaxStaleness in other processes.
// The same holds for every call below.
func (a *Auth) Revoke(ctx context.Context, userID string, session ID, why Reason) error {
	n, err := a.end(ctx, userID, only(session), why)
	if err == nil && n == 0 {
		return ErrSessionNotFound
	}
	return err
}

// RevokeOthers ends all sessions of a user but one, and returns how many. A
// password change calls it with ReasonPasswordChanged.
func (a *Auth) RevokeOthers(ctx context.Context, userID string, keep ID, why Reason) (int, error) {
	return a.endBy(ctx, userID, why, func(l Ledger, now time.Time) ([]Session, *Change) {
		return endAll(l, func(s *Session) bool { return s.ID != keep }, why, now)
	})
}

// RevokeAll ends all sessions of a user and returns how many. The user may sign
// in again at once; a sign-in that is under way is confirmed first, see
// [SignInRequest].
func (a *Auth) RevokeAll(ctx context.Context, userID string, why Reason) (int, error) {
	return a.endBy(ctx, userID, why, func(l Ledger, now time.Time) ([]Session, *Change) {
		return endAll(l, func(*Session) bool { return true }, why, now)
	})
}

// Trim ends all sessions of a user but the newest keep, and returns how many.
func (a *Auth) Trim(ctx context.Context, userID string, keep int) (int, error) {
	if keep < 0 {
		return 0, ErrBadRequest.saying("keep must not be negative")
	}
	return a.endBy(ctx, userID, ReasonTrimmed, func(l Ledger, now time.Time) ([]Session, *Change) {
		return trim(l, keep, now)
	})
}

// Forget removes all that is kept about a user who was deleted, history
// included, and ends every session. Have [Config.Authenticate] and
// [Config.Active] say no before: of a sign-in that is under way nothing is known
// any more. Foreign tokens that were revoked are refused as long as the feed of
// revocations is followed.
func (a *Auth) Forget(ctx context.Context, userID string) error {
	_, err := a.endBy(ctx, userID, ReasonForgotten, forget)
	if err == nil {
		a.audit(ctx, EventUserForgotten, Event{UserID: strings.Clone(userID)})
	}
	return err
}

// RevokeToken revokes the session of a refresh token, or one access token and
// nothing else, and returns 1, or 0 if the access token was no good already.
// Errors: ErrTokenNotFound for what is no authentic token of a live session, or
// a foreign token without a "jti"; ErrStoreUnavailable; ErrInternal if 256
// foreign tokens of the user are revoked and have yet to expire.
func (a *Auth) RevokeToken(ctx context.Context, token string) (int, error) {
	t, err := a.open(token)
	if err != nil {
		return 0, ErrTokenNotFound.because(err)
	}
	if t.access == nil {
		if err := a.Revoke(ctx, t.userID, t.session, ReasonRevokedByAdmin); errors.Is(err, ErrSessionNotFound) {
			return 0, ErrTokenNotFound
		} else if err != nil {
			return 0, err
		}
		return 1, nil
	}
	if t.access.foreign() {
		n, err := a.revokeForeign(ctx, t.access.principal)
		if err == nil && t.access.nameless() {
			err = ErrTokenNotFound.because(errNameless)
		}
		return n, err
	}
	return a.revokeAccess(ctx, &t)
}

func (a *Auth) revokeAccess(ctx context.Context, t *openToken) (int, error) {
	type outcome struct{ live, revoked bool }
	jti := t.access.principal.TokenID
	out, err := transact(ctx, a, t.userID, func(l Ledger, now time.Time) (outcome, *Change) {
		if l.session(t.session, now) == nil {
			return outcome{}, nil
		}
		if t.expired {
			return outcome{live: true}, nil
		}
		revoked, change := revokeToken(l, t.session, t.access.serial, jti, t.access.principal.ExpiresAt, now)
		return outcome{live: true, revoked: revoked}, change
	})
	switch {
	case err != nil:
		return 0, err
	case !out.live:
		err = ErrTokenNotFound
	}
	return a.tokenRevoked(ctx, t.access.principal, out.revoked), err
}

var (
	errNameless    = errors.New("a foreign token without a jti")
	errForeignFull = fmt.Errorf("sallyport: %d foreign tokens of this user are revoked and have not expired; there is no room for another", foreignCeiling)
)

// revokeForeign revokes a foreign token if it can be named, and returns 1, or 0
// if it was no good already.
func (a *Auth) revokeForeign(ctx context.Context, p *Principal) (int, error) {
	if p.TokenID == "" || !a.now().Before(p.ExpiresAt.Add(a.config.Leeway)) {
		return 0, nil
	}
	type outcome struct{ revoked, full bool }
	out, err := transact(ctx, a, p.UserID, func(l Ledger, now time.Time) (outcome, *Change) {
		revoked, full, change := revokeForeign(l, p.TokenID, foreignName(p.UserID, p.TokenID), p.ExpiresAt, now)
		return outcome{revoked, full}, change
	})
	switch {
	case err != nil:
		return 0, err
	case out.full:
		return 0, ErrInternal.because(errForeignFull)
	}
	return a.tokenRevoked(ctx, p, out.revoked), nil
}

// tokenRevoked notes that a single token was revoked, by this call or before,
// and returns how many were by this.
func (a *Auth) tokenRevoked(ctx context.Context, p *Principal, now bool) int {
	a.feed.doubt(p.UserID)
	if !now {
		return 0
	}
	a.audit(ctx, EventTokenRevoked, Event{UserID: p.UserID, Session: p.SessionID, TokenHash: tokenHash(p.TokenID)})
	return 1
}

// SignOut ends the sessions that tokens name, access or refresh, expired or not,
// and returns how many were live. Empty strings are passed over, and so is what
// is not authentic beside something that is. Errors: ErrTokenMissing if there
// was none, ErrTokenInvalid or ErrRefreshTokenInvalid if none was authentic,
// ErrStoreUnavailable, ErrInternal (see [Auth.RevokeToken]).
func (a *Auth) SignOut(ctx context.Context, tokens ...string) (int, error) {
	opened, err := openAll(a.open, tokens)
	if err != nil {
		return 0, err
	}
	return a.signOut(ctx, opened)
}

func (a *Auth) signOut(ctx context.Context, opened []openToken) (int, error) {
	total, failed := 0, error(nil)
	for _, t := range opened {
		signOut := func() (int, error) { return a.end(ctx, t.userID, only(t.session), ReasonSignedOut) }
		if t.access != nil && t.access.foreign() {
			signOut = func() (int, error) { return a.revokeForeign(ctx, t.access.principal) }
		}
		n, err := signOut()
		switch {
		case errors.Is(err, ErrStoreUnavailable):
			return total, err
		case err != nil:
			failed = err // the others can be ended all the same
		}
		total += n
	}
	return total, failed
}

// SignOutAll ends all sessions of the users of the live sessions that tokens
// name, and returns how many. Errors are those of SignOut, and ErrTokenRevoked
// if none of the sessions is live, or all tokens were revoked or spent: what was
// taken away moves nobody.
func (a *Auth) SignOutAll(ctx context.Context, tokens ...string) (int, error) {
	opened, err := openAll(a.open, tokens)
	if err != nil {
		return 0, err
	}
	return a.signOutAll(ctx, opened)
}

func (a *Auth) signOutAll(ctx context.Context, opened []openToken) (int, error) {
	total, moved := 0, false
	for _, t := range opened {
		good := false
		n, err := a.endBy(ctx, t.userID, ReasonSignedOutAll, func(l Ledger, now time.Time) ([]Session, *Change) {
			if good = t.moves(&l, now); !good {
				return nil, nil
			}
			return endAll(l, func(*Session) bool { return true }, ReasonSignedOutAll, now)
		})
		total += n
		if err == nil && good && t.access != nil && t.access.foreign() {
			n, err = a.revokeForeign(ctx, t.access.principal) // it goes with the sessions
			total += n
			moved = true
		}
		if err != nil {
			return total, err
		}
	}
	if total == 0 && !moved {
		return 0, ErrTokenRevoked
	}
	return total, nil
}

// openToken is an authentic token of either kind.
type openToken struct {
	userID  string
	session ID
	gen     uint64 // of a refresh token
	access  *known // nil for a refresh token
	expired bool   // an access token that has expired
}

// moves reports whether the token may still end its user's sessions: what was
// taken away moves nobody. A foreign one has nothing but its own time.
func (t *openToken) moves(l *Ledger, now time.Time) bool {
	if t.access != nil && t.access.foreign() {
		return !t.expired && !l.revokedForeign(t.access.principal.TokenID)
	}
	s := l.session(t.session, now)
	return s != nil && t.opens(s, now)
}

// opens reports whether a live session takes the token, but for its expiry, or
// may yet take it.
func (t *openToken) opens(s *Session, now time.Time) bool {
	if t.access == nil {
		return t.gen+1 >= s.Gen
	}
	return s.accepts(t.access.serial, t.access.principal.TokenID, now)
}

// open reads a raw token of either kind. It does not ask the store.
func (a *Auth) open(token string) (openToken, error) {
	if strings.HasPrefix(token, refreshKind.prefix) {
		return a.openRefresh(token)
	}
	return a.openAccess(token)
}

func (a *Auth) openRefresh(token string) (openToken, error) {
	t, err := a.secret.openRefresh(token)
	return openToken{userID: t.User, session: t.Session, gen: t.Gen}, err
}

func (a *Auth) openAccess(token string) (openToken, error) {
	k, err := a.readAccess(token, a.now())
	if k == nil {
		return openToken{}, err
	}
	return openToken{userID: k.userID(), session: k.session, access: k, expired: err != nil}, nil
}

// openName names what a token opens: its session, or a foreign token itself.
type openName struct {
	session ID
	foreign *known
}

func (t *openToken) name() openName {
	if t.access != nil && t.access.foreign() {
		return openName{foreign: t.access}
	}
	return openName{session: t.session}
}

// openAll opens the authentic ones of tokens, one per session. If there is none
// the error says what was wrong with the first, or ErrTokenMissing.
func openAll(open func(string) (openToken, error), tokens []string) ([]openToken, error) {
	var (
		opened []openToken
		refuse error
		known  = make(map[openName]bool, len(tokens))
	)
	for _, token := range distinct(tokens...) {
		t, err := open(token)
		switch {
		case err != nil:
			refuse = cmp.Or(refuse, err)
		case !known[t.name()]:
			known[t.name()] = true
			opened = append(opened, t)
		}
	}
	if opened == nil {
		return nil, cmp.Or(refuse, error(ErrTokenMissing))
	}
	return opened, nil
}
