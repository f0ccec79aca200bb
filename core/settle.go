package core

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
)

// longest is more than any lifetime makes sense for: 10 years.
const longest = 10 * 365 * 24 * time.Hour

// settings are a Config with every default filled in.
type settings struct {
	config  Config
	policy  policy
	ring    *keyRing
	secret  *secretRing
	cross   *http.CrossOriginProtection
	foreign *foreignVerifier // nil: there are none
	proxies proxies
}

// settle fills in the defaults and reports every mistake at once.
func (c Config) settle(now time.Time) (*settings, error) {
	var wrong []error
	mistake := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("sallyport: Config."+format, args...))
	}

	if c.Store == nil {
		mistake("Store: there is none; memstore.New() is the embedded one")
	}
	set := func(v *time.Duration, name string, standard, least time.Duration) {
		if *v == 0 {
			*v = standard
		}
		if *v < least || *v > longest {
			mistake("%s: %v is not between %v and %v", name, *v, least, longest)
		}
	}
	whole := func(v time.Duration, name string) { // ledgers hold no less
		if v%time.Millisecond != 0 {
			mistake("%s: %v is not in whole milliseconds", name, v)
		}
	}
	set(&c.AccessTTL, "AccessTTL", time.Hour, time.Second)
	if c.AccessTTL%time.Second != 0 {
		mistake("AccessTTL: %v is not in whole seconds", c.AccessTTL)
	}
	set(&c.RefreshTTL, "RefreshTTL", 7*24*time.Hour, time.Second)
	set(&c.SessionTTL, "SessionTTL", 30*24*time.Hour, time.Second)
	set(&c.IdleTimeout, "IdleTimeout", c.RefreshTTL, time.Second)
	set(&c.TouchInterval, "TouchInterval", 5*time.Minute, time.Millisecond)
	set(&c.StoreTimeout, "StoreTimeout", 3*time.Second, time.Millisecond)
	set(&c.MaxStaleness, "MaxStaleness", 2*time.Second, 100*time.Millisecond)
	whole(c.RefreshTTL, "RefreshTTL")
	whole(c.SessionTTL, "SessionTTL")
	if c.IdleTimeout != c.RefreshTTL {
		whole(c.IdleTimeout, "IdleTimeout")
	}
	if c.Leeway < 0 || c.Leeway > maxLeeway {
		mistake("Leeway: %v is not between 0 and %v", c.Leeway, maxLeeway)
	}
	if c.RefreshPolicy != Rotate && c.RefreshPolicy != Sliding {
		mistake("RefreshPolicy: %d is unknown", c.RefreshPolicy)
	}
	switch {
	case c.Grace == 0:
		c.Grace = min(10*time.Second, c.AccessTTL/2)
	case c.Grace == NoGrace:
		c.Grace = 0
	case c.Grace < 0 || c.Grace > 5*time.Minute:
		mistake("Grace: %v is not between 0 and 5m", c.Grace)
	case c.Grace >= c.AccessTTL:
		mistake("Grace: %v is not shorter than AccessTTL, %v", c.Grace, c.AccessTTL)
	default:
		whole(c.Grace, "Grace")
	}
	if c.RetireAccess != AtOnce {
		whole(c.RetireAccess, "RetireAccess")
	}
	if c.RetireAccess != AtOnce && (c.RetireAccess < 0 || c.RetireAccess > c.AccessTTL) {
		mistake("RetireAccess: %v is not AtOnce or between 0 and AccessTTL, %v", c.RetireAccess, c.AccessTTL)
	}
	if c.MaxSessions == 0 {
		c.MaxSessions = 5
	}
	if c.MaxSessions < 1 || c.MaxSessions > sessionCeiling {
		mistake("MaxSessions: %d is not between 1 and %d", c.MaxSessions, sessionCeiling)
	}
	c.MaxPerClientType = maps.Clone(c.MaxPerClientType)
	for client, most := range c.MaxPerClientType {
		if !validClientType(client) {
			mistake("MaxPerClientType: %q is no client type: want [a-z0-9_-]{1,32}", client)
		}
		if most < 1 || most > sessionCeiling {
			mistake("MaxPerClientType: %d for %q is not between 1 and %d", most, client, sessionCeiling)
		}
	}
	if c.SessionLimitPolicy < EvictOldest || c.SessionLimitPolicy > RefuseNew {
		mistake("SessionLimitPolicy: %d is unknown", c.SessionLimitPolicy)
	}
	wrong = append(wrong, c.Risk.settle()...)
	wrong = append(wrong, c.Limits.settle()...)
	if c.MaxRevocations == 0 {
		c.MaxRevocations = 1_000_000
	}
	if c.MaxRevocations < 0 {
		mistake("MaxRevocations: %d is negative", c.MaxRevocations)
	}
	if c.MaxDegraded == 0 {
		c.MaxDegraded = min(c.AccessTTL, outageLasts)
	}
	if c.MaxDegraded < 0 || c.MaxDegraded > outageLasts {
		mistake("MaxDegraded: %v is not between 0 and %v", c.MaxDegraded, outageLasts)
	}
	if c.MaxQueued == 0 {
		c.MaxQueued = 10_000
	}
	if c.MaxQueued < 0 {
		mistake("MaxQueued: %d is negative", c.MaxQueued)
	}
	if c.LedgerCacheBytes == 0 {
		c.LedgerCacheBytes = 32 << 20
	}
	if c.ServeFromMemory && c.LedgerCacheBytes < 0 {
		mistake("ServeFromMemory: without LedgerCacheBytes no session is known here")
	}
	if c.Issuer == "" {
		c.Issuer = "sallyport"
	}
	if c.Audience == "" {
		c.Audience = "sallyport"
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Audit == nil {
		c.Audit = logEvent
	}
	if c.TokenCacheBytes == 0 {
		c.TokenCacheBytes = 64 << 20
	}
	if c.ForwardedHeader == "" {
		c.ForwardedHeader = "X-Forwarded-For"
	}
	if c.TokenMember == "" {
		c.TokenMember = "access_token"
	}
	if c.Problem == nil {
		c.Problem = problemBody
	}
	if c.Active == nil {
		c.Active = func(context.Context, string) (bool, error) { return true, nil }
	}
	wrong = append(wrong, c.settleCookie()...)

	s := &settings{cross: http.NewCrossOriginProtection()}
	for _, origin := range c.TrustedOrigins {
		if err := s.cross.AddTrustedOrigin(origin); err != nil {
			mistake("TrustedOrigins: %w", err)
		}
	}
	var err error
	if s.proxies, err = newProxies(c.TrustedProxies, c.ForwardedHeader); err != nil {
		wrong = append(wrong, err)
	}
	if s.foreign, err = c.settleForeign(); err != nil {
		wrong = append(wrong, err)
	}
	if s.ring, err = newKeyRing(c.Keys, now); err != nil {
		wrong = append(wrong, err)
	}
	if s.secret, err = newSecretRing(c.Secrets, c.Keys, now); err != nil {
		wrong = append(wrong, err)
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	c.Keys, c.Secrets, c.Foreign.Keys = nil, nil, nil // nobody prints them by printing an Auth
	s.config = c
	s.policy = policy{
		accessTTL:    c.AccessTTL,
		refreshTTL:   c.RefreshTTL,
		sessionTTL:   c.SessionTTL,
		idleTimeout:  c.IdleTimeout,
		touch:        min(c.TouchInterval, c.IdleTimeout/4),
		refresh:      c.RefreshPolicy,
		grace:        min(c.Grace, c.RefreshTTL/2),
		retire:       c.RetireAccess,
		reuseEndsAll: c.ReuseEndsAll,
		maxSessions:  c.MaxSessions,
		maxPerClient: c.MaxPerClientType,
		limit:        c.SessionLimitPolicy,
		notify:       max(c.Risk.Notify, 0),
		stepUp:       c.Risk.StepUp,
		deny:         c.Risk.Deny,
	}
	return s, nil
}

// settleCookie fills in the cookie's defaults and returns what is wrong.
func (c *Config) settleCookie() []error {
	var wrong []error
	mistake := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("sallyport: Config."+format, args...))
	}
	if c.Prefix == "" {
		c.Prefix = "/"
	}
	if !validPath(c.Prefix) || len(c.Prefix) > 1 && strings.HasSuffix(c.Prefix, "/") {
		mistake("Prefix: %q is no path such as /api/v1/auth", c.Prefix)
	}
	k := &c.Cookie
	if k.Path == "" {
		k.Path = c.Prefix
	}
	if !validPath(k.Path) {
		mistake("Cookie.Path: %q is no path", k.Path)
	}
	if k.Name == "" {
		k.Name = "__Secure-refresh_token"
		if k.Insecure {
			k.Name = "refresh_token"
		}
	}
	if !validCookieName(k.Name) {
		mistake("Cookie.Name: %q is no cookie name (RFC 6265 section 4.1.1)", k.Name)
	}
	switch lower := strings.ToLower(k.Name); {
	case strings.HasPrefix(lower, "__secure-") && k.Insecure:
		mistake("Cookie.Name: %q needs a secure cookie", k.Name)
	case strings.HasPrefix(lower, "__host-") && (k.Insecure || k.Path != "/" || k.Domain != ""):
		mistake("Cookie.Name: %q needs a secure cookie with the path / and no domain", k.Name)
	case k.Name == deviceCookieName(k.Insecure):
		mistake("Cookie.Name: %q is the device cookie's name", k.Name)
	}
	if c.AccessCookie != "" {
		switch {
		case !validCookieName(c.AccessCookie):
			mistake("AccessCookie: %q is no cookie name (RFC 6265 section 4.1.1)", c.AccessCookie)
		case c.AccessCookie == k.Name || c.AccessCookie == deviceCookieName(k.Insecure):
			mistake("AccessCookie: %q is the name of another cookie", c.AccessCookie)
		}
	}
	if k.Domain != "" && (&http.Cookie{Name: "n", Value: "v", Domain: k.Domain}).Valid() != nil {
		mistake("Cookie.Domain: %q is no domain", k.Domain)
	}
	switch k.SameSite {
	case 0, http.SameSiteDefaultMode:
		k.SameSite = http.SameSiteLaxMode
	case http.SameSiteLaxMode, http.SameSiteStrictMode:
	case http.SameSiteNoneMode:
		if k.Insecure {
			mistake("Cookie.SameSite: None needs a secure cookie")
		}
	default:
		mistake("Cookie.SameSite: %d is unknown", k.SameSite)
	}
	return wrong
}

func validCookieName(name string) bool {
	return len(name) <= 128 && (&http.Cookie{Name: name, Value: "v"}).Valid() == nil
}

// validPath reports whether a cookie can carry a path.
func validPath(path string) bool {
	if !strings.HasPrefix(path, "/") || len(path) > 512 {
		return false
	}
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c >= 0x7f || c == ';' || c == '?' || c == '#' {
			return false
		}
	}
	return true
}

// validClientType reports whether a word is a client type: [a-z0-9_-]{1,32}.
func validClientType(word string) bool {
	for i := range len(word) {
		c := word[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return len(word) >= 1 && len(word) <= 32
}
