package core

import (
	"bytes"
	"context"
	"time"
)

// Principal is whom an access token speaks for.
type Principal struct {
	UserID     string
	SessionID  ID
	TokenID    string // claim "jti"
	ClientType string
	DeviceID   string
	DeviceType string
	Scopes     []string
	Roles      []string
	AMR        []string
	AuthTime   time.Time
	IssuedAt   time.Time
	ExpiresAt  time.Time

	claims []byte
}

// ClaimsOf returns the app's own claims, as they were given at sign-in. A token
// without any gives the zero T, and so does nobody: a nil Principal. Members that
// T has no place for are passed over.
func ClaimsOf[T any](p *Principal) (T, error) {
	if p == nil {
		var none T
		return none, nil
	}
	return DecodeClaims[T](p.claims)
}

// Verify returns whom an access token speaks for. After a revocation was
// acknowledged in this process the token is refused, and within
// [Config.MaxStaleness] if it was acknowledged in another.
//
// Errors: ErrTokenMissing, ErrTokenInvalid, ErrTokenExpired, ErrTokenRevoked,
// ErrStoreUnavailable.
func (a *Auth) Verify(ctx context.Context, token string) (*Principal, error) {
	if token == "" {
		return nil, ErrTokenMissing
	}
	now := a.now()
	c, err := a.access.verify(token, now)
	if err != nil {
		return nil, err
	}
	jti := c.ID.String()
	revoked, vouched := a.feed.look(c.Subject, c, jti, now)
	if revoked {
		return nil, ErrTokenRevoked
	}
	if !vouched {
		ledger, at, err := a.load(ctx, c.Subject)
		if err != nil {
			return nil, err
		}
		if s := ledger.session(c.Session, at); s == nil || !s.accepts(c.Serial, jti, at) {
			return nil, ErrTokenRevoked
		}
	}
	a.uses.note(c.Subject, use{session: c.Session, serial: c.Serial, at: ledgerTime(now)})
	return c.principal(), nil
}

func (c *accessClaims) principal() *Principal {
	return &Principal{
		UserID:     c.Subject,
		SessionID:  c.Session,
		TokenID:    c.ID.String(),
		ClientType: c.ClientType,
		DeviceID:   c.Device,
		DeviceType: c.DeviceType,
		Scopes:     c.Scopes,
		Roles:      c.Roles,
		AMR:        c.AMR,
		AuthTime:   c.AuthTime,
		IssuedAt:   c.IssuedAt,
		ExpiresAt:  c.ExpiresAt,
		claims:     c.App,
	}
}

// JWKS returns the public keys as a JWK set (RFC 7517 section 5), for services
// that verify access tokens on their own: those of every key in Config.Keys from
// the start, so that a key is known before it signs. HMAC keys are never in it.
// Such services learn of no revocation, and mark no token as seen in use.
func (a *Auth) JWKS() []byte { return bytes.Clone(a.ring.jwks()) }

type principalKey struct{}

// WithPrincipal returns a context that carries whom the request speaks for.
// Guards do this.
func WithPrincipal(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// FromContext returns whom the request speaks for, or nil if no guard let it in.
func FromContext(ctx context.Context) *Principal {
	p, _ := ctx.Value(principalKey{}).(*Principal)
	return p
}
