package core

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// Principal is whom an access token speaks for. It is shared by all requests
// that carry the token: read it, and copy what you want to change.
type Principal struct {
	UserID     string
	SessionID  ID     // zero: the token is foreign, see [Config.Foreign]
	TokenID    string // claim "jti"; "" if a foreign token has none
	ClientType string
	DeviceID   string
	DeviceType string
	Scopes     []string
	Roles      []string
	AMR        []string
	AuthTime   time.Time // zero: a foreign token does not say
	IssuedAt   time.Time // likewise
	ExpiresAt  time.Time

	claims []byte
}

// ClaimsOf returns the app's own claims, as they were given at sign-in; of a
// foreign token, all that it says. A token without any gives the zero T, and so
// does nobody: a nil Principal. Members that T has no place for are passed over.
func ClaimsOf[T any](p *Principal) (T, error) {
	if p == nil {
		var none T
		return none, nil
	}
	return DecodeClaims[T](p.claims)
}

// Verify returns whom an access token speaks for. After a revocation was
// acknowledged in this process the token is refused, and within
// [Config.MaxStaleness] if it was acknowledged in another. The store is asked
// only while the feed of revocations can't vouch for the token.
//
// Errors: ErrTokenMissing, ErrTokenInvalid, ErrTokenExpired, ErrTokenRevoked,
// ErrStoreUnavailable.
func (a *Auth) Verify(ctx context.Context, token string) (*Principal, error) {
	p, _, err := a.admit(ctx, token, a.now(), false)
	return p, err
}

// admit is Verify; strict: it asks the store whatever the feed says. before: the token
// had been verified before.
func (a *Auth) admit(ctx context.Context, token string, now time.Time, strict bool) (p *Principal, before bool, err error) {
	k := a.cache.get(token)
	before = k != nil && k.timely(now)
	if !before {
		if k != nil {
			a.cache.drop(token)
		}
		if k, err = a.readAccess(token, now); err != nil {
			return nil, false, err
		}
	}
	if strict || !a.feed.passes(k, now) {
		if err := a.ask(ctx, k, now, strict); err != nil {
			if errors.Is(err, ErrTokenRevoked) {
				a.cache.drop(token)
			}
			return nil, before, err
		}
	}
	if !before {
		if !k.foreign() {
			k.usage = a.uses.of(k.session)
		}
		a.cache.put(token, k)
	}
	if !k.foreign() && !k.usage.says(k.serial, 0, now, a.uses.touch) {
		a.uses.note(k.usage, k.userID(), use{session: k.session, serial: k.serial, at: ledgerTime(now)})
	}
	return k.principal, before, nil
}

// readAccess returns an authentic access token, of this Auth or foreign. With
// ErrTokenExpired it returns one as well; nothing was looked up.
func (a *Auth) readAccess(token string, now time.Time) (*known, error) {
	if token == "" {
		return nil, ErrTokenMissing
	}
	if a.foreign != nil && !a.access.owns(token) {
		return a.foreign.verify(token, now)
	}
	c, err := a.access.verify(token, now)
	if c == nil {
		return nil, err
	}
	return a.knownOwn(c), err
}

// ask finds out whether an authentic token is good: from the feed, and from the
// ledger where the feed can't vouch or the caller is strict. While there is no ledger
// to be had a token passes that is not known to be revoked, see Auth.tolerates.
func (a *Auth) ask(ctx context.Context, k *known, now time.Time, strict bool) error {
	if k.nameless() && !strict {
		return nil // nothing can revoke it
	}
	for came := a.feed.moments.Load(); ; now = a.now() {
		switch a.feed.look(k, now) {
		case feedRevoked:
			return ErrTokenRevoked
		case feedVouched:
			if !strict {
				return nil
			}
		}
		if apart, err := a.judge(k, now, strict); apart {
			return err
		}
		g, err := a.glance(ctx, k.userID(), strict)
		switch {
		case err != nil && !strict && a.tolerates(k, now, err):
			return nil
		case err != nil:
			return err
		}
		good, retires := k.goodIn(&g.ledger, g.at)
		if good {
			k.shown.Store(g.life)
			k.loaded.Store(&loaded{began: g.began, until: g.clock.Add(a.config.MaxStaleness), retires: retires})
		}
		switch {
		case g.began <= came:
			// It was under way before the request came. It may know nothing of
			// a session that began since, and too little of one that was put
			// in doubt. The next load is newer.
		case good:
			return nil
		default:
			// What is dead stays dead.
			a.feed.bury(k, !k.foreign() && g.ledger.session(k.session, g.at) == nil, now)
			return ErrTokenRevoked
		}
	}
}

// glance is a ledger and when it was looked at.
type glance struct {
	ledger Ledger
	at     time.Time
	clock  time.Time // before the load
	began  uint64    // the moment before the load
	life   uint64    // the feed's, before the load
}

// glance loads a user's ledger, for all who wait for it; alone: for this caller.
func (a *Auth) glance(ctx context.Context, userID string, alone bool) (glance, error) {
	load := func() (any, error) {
		g := glance{life: a.feed.view.Load().life, clock: a.now(), began: a.feed.moments.Add(1)}
		var err error
		if g.ledger, g.at, err = a.load(ctx, userID); err == nil {
			a.recent.offer(userID, g.ledger)
		}
		return g, err
	}
	if alone {
		g, err := load()
		return g.(glance), err
	}
	g, err, _ := a.glances.Do(userID, load)
	return g.(glance), err
}

// JWKS returns the public keys as a JWK set (RFC 7517 section 5), for services
// that verify access tokens on their own: those of every key in Config.Keys from
// the start, so that a key is known before it signs. HMAC keys are never in it.
// Such services learn of no revocation, and mark no token as seen in use.
func (a *Auth) JWKS() []byte { return bytes.Clone(a.ring.jwks()) }

// PrincipalKey is the key under which a request's context has its *[Principal]:
// for an adapter whose framework has a context of its own beside.
type PrincipalKey struct{}

// WithPrincipal returns a context that carries whom the request speaks for.
// Guards do this. On [context.Background] it allocates nothing, and two requests
// with one token get the same context: key nothing by it. A nil Principal is
// nobody, whoever ctx speaks for.
func WithPrincipal(ctx context.Context, p *Principal) context.Context {
	if ctx == context.Background() {
		return (*principalContext)(p)
	}
	return context.WithValue(ctx, PrincipalKey{}, p)
}

// principalContext is a context that carries itself and is never done: since it
// is the principal, it is there before the request that it is for.
type principalContext Principal

var _ context.Context = (*principalContext)(nil)

func (*principalContext) Deadline() (deadline time.Time, ok bool) { return }
func (*principalContext) Done() <-chan struct{}                   { return nil }
func (*principalContext) Err() error                              { return nil }

func (c *principalContext) Value(key any) any {
	if key == (PrincipalKey{}) {
		return (*Principal)(c)
	}
	return nil
}

// The context is named where one is printed or logged, and not what is in it.
func (*principalContext) String() string                 { return "sallyport.WithPrincipal" }
func (c *principalContext) GoString() string             { return c.String() }
func (c *principalContext) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// FromContext returns whom the request speaks for, or nil if no guard let it in.
func FromContext(ctx context.Context) *Principal {
	p, _ := ctx.Value(PrincipalKey{}).(*Principal)
	return p
}
