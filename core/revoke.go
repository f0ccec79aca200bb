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
	if errors.Is(err, errApart) || err != nil && !errors.Is(err, ErrNotDurable) {
		return 0, err // what was decided apart is told when it is joined
	}
	a.feed.doubt(userID)
	a.auditEnded(ctx, userID, endings(ended, why), err)
	return len(ended), err
}

// endOne is end for one session, and for a store that is away.
func (a *Auth) endOne(ctx context.Context, userID string, session ID, why Reason) (int, error) {
	userID = strings.Clone(userID)
	n, err := a.end(ctx, userID, only(session), why)
	return a.orElse(ctx, n, err, order{
		userID: userID, session: session, why: why,
		write: func(ctx context.Context, meant func(*Session) bool) error {
			_, err := a.endBy(ctx, userID, why, func(l Ledger, now time.Time) ([]Session, *Change) {
				ended, change := endSessions(l, meant, why, now)
				if change == nil { // no token may pass of a session that the store has lost, either
					until := lastVerifies(now.Add(a.policy.accessTTL + a.policy.grace))
					_, change = reassert(l, []Revocation{{Session: session, MinSerial: AllSerials, Until: until}}, false, now)
				}
				return ended, change
			})
			return err
		},
	})
}

// endAll ends all sessions of a user but keep, if that is one, also while the store is
// away.
func (a *Auth) endAll(ctx context.Context, userID string, keep ID, why Reason) (int, error) {
	userID = strings.Clone(userID)
	at := ledgerTime(a.now())
	n, err := a.endBy(ctx, userID, why, func(l Ledger, now time.Time) ([]Session, *Change) {
		return endAll(l, func(s *Session) bool { return s.ID != keep }, why, now)
	})
	return a.orElse(ctx, n, err, order{
		userID: userID, all: true, keep: keep, at: at, why: why,
		write: func(ctx context.Context, meant func(*Session) bool) error {
			_, err := a.endBy(ctx, userID, why, func(l Ledger, now time.Time) ([]Session, *Change) {
				return endAllSince(l, meant, at, why, now)
			})
			return err
		},
	})
}

// Revoke ends one session of a user. Errors: ErrSessionNotFound if the user has
// no such live session, ErrNotDurable, ErrStoreUnavailable. When it returns nil no
// token of the session passes any more: at once here, within MaxStaleness in other
// processes. The same holds for every call below.
//
// If the store does not take the revocation it is enforced here at once and written
// when the store is back: the error is ErrNotDurable (and ErrStoreUnavailable as well).
// ErrStoreUnavailable alone: nothing was done, as [Config.MaxQueued] of them wait already.
func (a *Auth) Revoke(ctx context.Context, userID string, session ID, why Reason) error {
	n, err := a.endOne(ctx, userID, session, why)
	if err == nil && n == 0 {
		return ErrSessionNotFound
	}
	return err
}

// RevokeOthers ends all sessions of a user but one, and returns how many. A
// password change calls it with ReasonPasswordChanged.
func (a *Auth) RevokeOthers(ctx context.Context, userID string, keep ID, why Reason) (int, error) {
	return a.endAll(ctx, userID, keep, why)
}

// RevokeAll ends all sessions of a user and returns how many. The user may sign
// in again at once; a sign-in that is under way is confirmed first, see
// [SignInRequest]. While the store is away it is noted as "the sessions that began before
// now", and returns 0 with ErrNotDurable.
func (a *Auth) RevokeAll(ctx context.Context, userID string, why Reason) (int, error) {
	return a.endAll(ctx, userID, ID{}, why)
}

// Trim ends all sessions of a user but the newest keep, and returns how many. Without
// the store nobody knows which: it is never ErrNotDurable then.
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
	userID = strings.Clone(userID)
	again := func(ctx context.Context, _ func(*Session) bool) error {
		_, err := a.endBy(ctx, userID, ReasonForgotten, forget)
		if weak := errors.Is(err, ErrNotDurable); err == nil || weak && !errors.Is(err, errApart) {
			a.audit(ctx, EventUserForgotten, Event{UserID: userID, NotDurable: weak})
		}
		return err
	}
	at := ledgerTime(a.now())
	_, err := a.orElse(ctx, 0, again(ctx, nil), order{userID: userID, all: true, at: at, why: ReasonForgotten, write: again})
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
		n, err := a.endOne(ctx, t.userID, t.session, ReasonRevokedByAdmin)
		if err == nil && n == 0 {
			err = ErrTokenNotFound
		}
		return n, err
	}
	if t.access.foreign() {
		n, err := a.revokeForeign(ctx, t.access.principal)
		if err == nil && t.access.nameless() {
			err = ErrTokenNotFound.because(errNameless)
		}
		return n, err
	}
	n, err := a.revokeAccess(ctx, &t)
	return a.orElseToken(ctx, n, err, t.access.principal, t.access.jti, func(ctx context.Context) error {
		_, err := a.revokeAccess(ctx, &t)
		return err
	})
}

// orElseToken is orElse for a single token.
func (a *Auth) orElseToken(ctx context.Context, n int, err error, p *Principal, jti [16]byte, again func(context.Context) error) (int, error) {
	return a.orElse(ctx, n, err, order{
		userID: p.UserID, jti: jti, session: p.SessionID, why: ReasonRevokedByAdmin,
		write: func(ctx context.Context, _ func(*Session) bool) error { return again(ctx) },
	})
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
	case errors.Is(err, errApart), err != nil && !errors.Is(err, ErrNotDurable):
		return 0, err // what was decided apart is told when it is written
	case !out.live:
		err = ErrTokenNotFound
	}
	return a.tokenRevoked(ctx, t.access.principal, out.revoked, err), err
}

var (
	errNameless    = errors.New("a foreign token without a jti")
	errForeignFull = fmt.Errorf("sallyport: %d foreign tokens of this user are revoked and have not expired; there is no room for another", foreignCeiling)
)

// revokeForeign revokes a foreign token if it can be named, and returns 1, or 0
// if it was no good already.
func (a *Auth) revokeForeign(ctx context.Context, p *Principal) (int, error) {
	n, err := a.storeForeign(ctx, p)
	return a.orElseToken(ctx, n, err, p, jtiKey(foreignName(p.UserID, p.TokenID)), func(ctx context.Context) error {
		_, err := a.storeForeign(ctx, p)
		return err
	})
}

func (a *Auth) storeForeign(ctx context.Context, p *Principal) (int, error) {
	if p.TokenID == "" || !a.now().Before(p.ExpiresAt.Add(a.config.Leeway)) {
		return 0, nil
	}
	type outcome struct{ revoked, full bool }
	out, err := transact(ctx, a, p.UserID, func(l Ledger, now time.Time) (outcome, *Change) {
		revoked, full, change := revokeForeign(l, p.TokenID, foreignName(p.UserID, p.TokenID), p.ExpiresAt, now)
		return outcome{revoked, full}, change
	})
	switch {
	case errors.Is(err, errApart), err != nil && !errors.Is(err, ErrNotDurable):
		return 0, err
	case out.full:
		return 0, ErrInternal.because(errForeignFull)
	}
	return a.tokenRevoked(ctx, p, out.revoked, err), err
}

// tokenRevoked notes that a single token was revoked, by this call or before,
// and returns how many were by this. err is what the commit answered.
func (a *Auth) tokenRevoked(ctx context.Context, p *Principal, now bool, err error) int {
	a.feed.doubt(p.UserID)
	if !now {
		return 0
	}
	a.audit(ctx, EventTokenRevoked, Event{UserID: p.UserID, Session: p.SessionID, TokenHash: tokenHash(p.TokenID), NotDurable: errors.Is(err, ErrNotDurable)})
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
	done := make(map[openName]bool, len(opened))
	for _, t := range opened {
		if done[t.name()] { // by a token of the other kind
			continue
		}
		done[t.name()] = true
		signOut := func() (int, error) { return a.endOne(ctx, t.userID, t.session, ReasonSignedOut) }
		if t.access != nil && t.access.foreign() {
			signOut = func() (int, error) { return a.revokeForeign(ctx, t.access.principal) }
		}
		n, err := signOut()
		switch {
		case errors.Is(err, ErrStoreUnavailable) && !errors.Is(err, ErrNotDurable):
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
	var (
		total  int
		moved  bool
		queued error
	)
	for _, t := range opened {
		good := false
		at := ledgerTime(a.now())
		n, err := a.endBy(ctx, t.userID, ReasonSignedOutAll, func(l Ledger, now time.Time) ([]Session, *Change) {
			if good = t.moves(&l, now); !good {
				return nil, nil
			}
			return endAllSince(l, func(*Session) bool { return true }, at, ReasonSignedOutAll, now)
		})
		all := errors.Is(err, errApart) || a.trusts(&t)
		if all || !t.session.IsZero() {
			n, err = a.orElse(ctx, n, err, order{
				userID: t.userID, session: t.session, all: all, at: at, why: ReasonSignedOutAll, write: a.signsOutAll(t, all, at),
			})
		}
		if errors.Is(err, ErrNotDurable) {
			good, moved, queued, err = true, true, err, nil
		}
		total += n
		if err == nil && good && t.access != nil && t.access.foreign() {
			n, err = a.revokeForeign(ctx, t.access.principal) // it goes with the sessions
			total += n
			moved = true
			if errors.Is(err, ErrNotDurable) {
				queued, err = err, nil
			}
		}
		if err != nil {
			return total, err
		}
	}
	if total == 0 && !moved {
		return 0, ErrTokenRevoked
	}
	return total, queued
}

// signsOutAll writes that a token has ended all sessions of its user that began before a
// time. One that was not trusted with that ends its own, and the others if the ledger
// shows that it may.
func (a *Auth) signsOutAll(t openToken, trusted bool, at time.Time) func(context.Context, func(*Session) bool) error {
	return func(ctx context.Context, meant func(*Session) bool) error {
		_, err := a.endBy(ctx, t.userID, ReasonSignedOutAll, func(l Ledger, now time.Time) ([]Session, *Change) {
			switch {
			case trusted:
				return endAllSince(l, meant, at, ReasonSignedOutAll, now)
			case t.moves(&l, now):
				before := func(s *Session) bool { return meant(s) || s.CreatedAt.Before(at) }
				return endAllSince(l, before, at, ReasonSignedOutAll, now)
			default:
				return endSessions(l, meant, ReasonSignedOutAll, now)
			}
		})
		return err
	}
}

// trusts reports whether a token may end all sessions of its user while no ledger
// shows that it is good: an access token that would pass here. Another ends its own.
func (a *Auth) trusts(t *openToken) bool {
	if t.access == nil || t.expired {
		return false
	}
	now := a.now()
	switch a.feed.look(t.access, now) {
	case feedRevoked:
		return false
	case feedVouched:
		return true
	default:
		return t.access.nameless() || a.tolerates(t.access, now, ErrStoreUnavailable)
	}
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
