package core

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// known is an access token that was verified. It is kept so that the next
// request with it costs a look-up.
type known struct {
	principal *Principal // shared by all requests with the token
	issuedAt  time.Time
	from      time.Time // the token is good from here
	until     time.Time // until here, as far as its time goes
	session   ID        // zero: a foreign token
	serial    uint64
	jti       [16]byte // by jtiKey; zero: a token that can't be named
	identity  Identity // of a foreign token

	usage *usage // nil: nothing is noted

	// What was learnt since, see feed.
	taken  atomic.Uint64
	shown  atomic.Uint64 // the life of the feed before which a ledger showed the token good
	loaded atomic.Pointer[loaded]
}

// loaded tells of a ledger that showed a token good.
type loaded struct {
	began   uint64    // the moment before the load
	until   time.Time // the load vouches until then
	retires time.Time // when the token is over, unless zero
}

func (k *known) userID() string { return k.principal.UserID }

// timely reports whether the token's own times allow it.
func (k *known) timely(now time.Time) bool { return !now.Before(k.from) && now.Before(k.until) }

// holds reports whether what a ledger showed after a moment still counts.
func (l *loaded) holds(moment uint64, now time.Time) bool {
	return l != nil && l.began > moment && within(now, l.until) && (l.retires.IsZero() || now.Before(l.retires))
}

// foreign reports whether the token belongs to no session.
func (k *known) foreign() bool { return k.session.IsZero() }

// nameless reports whether nothing can revoke the token.
func (k *known) nameless() bool { return k.foreign() && k.jti == [16]byte{} }

// goodIn reports whether the token is good by its user's ledger, and if that is
// to end, when; else until is zero.
func (k *known) goodIn(l *Ledger, at time.Time) (good bool, until time.Time) {
	if k.foreign() {
		return !l.revokedForeign(k.principal.TokenID), time.Time{}
	}
	s := l.session(k.session, at)
	if s == nil || !s.accepts(k.serial, k.principal.TokenID, at) {
		return false, time.Time{}
	}
	if k.serial < s.Serial {
		until = s.RetireAt
	}
	return true, until
}

// tokenCache holds known tokens by their text: one whose signature is not good
// never gets in. What is used least goes when it is full.
type tokenCache struct {
	tokens *otter.Cache[string, *known] // nil: none
}

// newTokenCache returns a cache of about that many bytes.
func newTokenCache(bytes int) tokenCache {
	if bytes < 0 {
		return tokenCache{}
	}
	return tokenCache{otter.Must(&otter.Options[string, *known]{
		MaximumWeight: uint64(bytes),
		// The text, what was read from it, and what surrounds the two.
		Weigher: func(text string, _ *known) uint32 { return uint32(2*len(text) + 768) },
	})}
}

func (c tokenCache) get(text string) *known {
	if c.tokens == nil {
		return nil
	}
	k, _ := c.tokens.GetIfPresent(text)
	return k
}

// put keeps a token. It does not hold on to the memory that text is part of.
func (c tokenCache) put(text string, k *known) {
	if c.tokens != nil {
		c.tokens.SetIfAbsent(strings.Clone(text), k)
	}
}

func (c tokenCache) drop(text string) {
	if c.tokens != nil {
		c.tokens.Invalidate(text)
	}
}

// knownOwn returns what is kept of a token of this Auth.
func (a *Auth) knownOwn(c *accessClaims) *known {
	jti := c.ID.String()
	return &known{
		principal: &Principal{
			UserID:     c.Subject,
			SessionID:  c.Session,
			TokenID:    jti,
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
		},
		issuedAt: c.IssuedAt,
		from:     c.IssuedAt.Add(-a.config.Leeway),
		until:    c.ExpiresAt.Add(a.config.Leeway),
		session:  c.Session,
		serial:   c.Serial,
		jti:      jtiKey(jti),
	}
}
