package core

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"time"
)

// Config is everything that an Auth is told. Store, Keys and Authenticate are
// needed; every other zero value is the recommended setting.
type Config struct {
	// Store keeps the sessions: memstore.New(), or one that is shared by
	// several processes.
	Store Store

	// Authenticate checks what a user typed at sign-in and says who it is. It
	// returns ErrInvalidCredentials for a wrong name or password and
	// ErrUserInactive for a right password of a disabled user; every other
	// error is a failure, answered with 500 and never as a refusal. nil: the
	// login route is not mounted and the app calls SignIn itself.
	Authenticate func(ctx context.Context, c Credentials) (Identity, error)

	// Active reports whether a user may go on. It is asked at every refresh
	// with an authentic token; false ends the session. nil: every user may.
	Active func(ctx context.Context, userID string) (bool, error)

	// Keys sign and verify access tokens.
	Keys []Key
	// Secrets protect refresh and device tokens. nil: the HMAC keys in Keys
	// serve, each through HKDF.
	Secrets []Secret

	// Foreign tokens are accepted by guards as well. Zero: there are none.
	Foreign Foreign

	// Issuer and Audience are the claims "iss" and "aud" of access tokens, and
	// what they must say to be accepted. "": "sallyport", for both.
	Issuer   string
	Audience string

	// AccessTTL is how long an access token lives, in whole seconds. 0: 1 hour.
	AccessTTL time.Duration
	// RefreshTTL is how long a refresh token lives. 0: 7 days.
	RefreshTTL time.Duration
	// SessionTTL is how long a session lives at most; no refresh extends it.
	// 0: 30 days.
	SessionTTL time.Duration
	// IdleTimeout ends a session that is not used: neither by a guarded
	// request nor by a refresh. 0: RefreshTTL.
	IdleTimeout time.Duration
	// TouchInterval is how exactly guarded requests are noted as activity: at
	// most one write per session in this time. 0: 5 minutes. It is never more
	// than a quarter of IdleTimeout.
	TouchInterval time.Duration
	// Leeway is how far another machine's clock may be off when "exp" and
	// "iat" are checked, at most 1 minute. 0: not at all, which is right for
	// one machine; with several, a few seconds.
	Leeway time.Duration

	// RefreshPolicy is Rotate or Sliding.
	RefreshPolicy RefreshPolicy
	// Grace is how long a spent refresh token is forgiven after its successor
	// was first seen in use, so that tabs, retries and lost replies log nobody
	// out. At most 5 minutes, and shorter than AccessTTL. 0: 10 seconds, or
	// half of AccessTTL if that is shorter. It is never more than half of
	// RefreshTTL. NoGrace: strict single use.
	Grace time.Duration
	// RetireAccess says when a refresh retires the access tokens that the
	// session had before. 0: never, they expire. AtOnce: when it rotates.
	// Otherwise that long after, at most AccessTTL.
	RetireAccess time.Duration
	// ReuseEndsAll ends all of a user's sessions, not only the one concerned,
	// when a spent refresh token comes back.
	ReuseEndsAll bool

	// MaxSessions is how many sessions a user may have, 1 to 256. 0: 5.
	MaxSessions int
	// MaxPerClientType caps sessions per client type, each 1 to 256:
	// {"phone": 1, "desktop": 1}. A type without an entry has no cap of its own.
	MaxPerClientType map[string]int
	// SessionLimitPolicy says what a sign-in beyond a cap does.
	SessionLimitPolicy SessionLimitPolicy

	// Prefix is the path under which browsers see the auth routes, such as
	// "/api/v1/auth". It is where the cookies travel: a login route of the app's
	// own that is not below it sees none, and would leave the browser's session
	// behind; then set Cookie.Path. "": "/".
	Prefix string
	// Cookie shapes the refresh cookie and the device cookie.
	Cookie Cookie
	// TrustedOrigins are other origins whose pages may call the routes that
	// change state: "https://app.example.com".
	TrustedOrigins []string

	// AccessCookie is a cookie in which guards look for the access token when
	// there is no bearer token; the app sets it. A request with it that
	// changes state and comes from another site is refused. "": none.
	AccessCookie string
	// TokenMember is the member of a login answer in which [LoginWatch] finds the
	// access token. "": access_token.
	TokenMember string

	// TrustedProxies are the proxies that are believed when they say who the
	// client is. Nil: none, so that the client is whoever is connected.
	TrustedProxies []netip.Prefix
	// ForwardedHeader is where they say it: "X-Forwarded-For", or "Forwarded"
	// (RFC 7239). It has to be the one that all of them write; the other is never
	// looked at. "": X-Forwarded-For.
	ForwardedHeader string

	// Resolver finds where sign-ins seem to come from. nil: no place is known.
	Resolver Resolver
	// Scorer says how unusual a sign-in is. nil: the rules of [Score].
	Scorer Scorer
	// Risk says what follows from a score.
	Risk RiskPolicy
	// Notify is told of sign-ins that a user should hear of, see RiskPolicy.Notify:
	// to send a mail, for example. It is called in the background, by a few
	// goroutines, with a context that ends after 30 seconds. Up to 1,000 notices
	// wait; what is beyond, or fails, is audited and lost. nil: nobody is told.
	Notify func(ctx context.Context, n Notice) error

	// Limits say how often something may be tried.
	Limits Limits
	// Limiter counts what Limits limit. nil: in memory, for each process on its own.
	Limiter Limiter

	// Observer is told what is done, for metrics. nil: nobody is.
	Observer Observer

	// Problem shapes refusals: it returns the body, and what it is. Status and
	// headers stay what they are. It must not fail. nil: RFC 9457, as
	// application/problem+json.
	Problem func(e Error) (contentType string, body []byte)

	// Audit receives one record per event. It is called on the request's path
	// by many goroutines and must not block. nil: slog.Default, level Info.
	Audit func(ctx context.Context, e Event)

	// StoreTimeout bounds one call of an Auth on its store, retries included.
	// 0: 3 seconds.
	StoreTimeout time.Duration
	// MaxStaleness is the time within which a revocation that was made in
	// another process is enforced here. 0: 2 seconds.
	MaxStaleness time.Duration
	// MaxRevocations is how many revocations are held in memory. With more,
	// the store is asked for each token, once in MaxStaleness. 0: 1,000,000.
	MaxRevocations int

	// MaxDegraded is how long guards let tokens in by what is known here while the
	// store does not answer, and how long ServeFromMemory does; then all is refused
	// with 503. At most 24 hours. 0: AccessTTL, if that is no longer.
	MaxDegraded time.Duration
	// ServeFromMemory has refreshes and sign-ins go on while the store does not
	// answer: refreshes of sessions that this process saw lately, in
	// LedgerCacheBytes. What was done is joined with the store's ledgers when it is
	// back; if it has lost data, sessions that began meanwhile end. Caps and single use
	// hold per process until then, and a session that was ended elsewhere goes on here.
	// false: refreshes and sign-ins answer 503.
	ServeFromMemory bool
	// AcceptNotDurable has the routes answer 202, with "durable":false, to a revocation
	// that is enforced here and not stored yet. false: 503, though it is enforced.
	AcceptNotDurable bool
	// MaxQueued is how many revocations may wait for the store, and how many users may
	// be served from memory; beyond it they are refused. 0: 10,000.
	MaxQueued int
	// OnMode is told each change of mode, one after the other. It must not block.
	OnMode func(c ModeChange)
	// LedgerCacheBytes is about how much memory the ledgers seen last may take, so
	// that a change of one needs one call on the store and not two: some 1 KB a
	// session. 0: 32 MiB. Negative: none is kept.
	LedgerCacheBytes int

	// TokenCacheBytes is about how much memory verified access tokens may take,
	// so that each is verified once: some 2 KB a token. 0: 64 MiB. Negative:
	// every token is verified every time.
	TokenCacheBytes int

	// Random is the source of ids, safe for concurrent use. nil: crypto/rand. A
	// source that fails makes the call fail that needed it.
	Random io.Reader
}

const (
	// NoGrace as Config.Grace: a refresh token opens something once, whatever
	// happens to the reply.
	NoGrace time.Duration = -1
	// AtOnce as Config.RetireAccess: a refresh revokes older access tokens.
	AtOnce time.Duration = -1
)

// Cookie shapes the cookies that Auth sets. They are always HttpOnly.
type Cookie struct {
	// Name of the refresh cookie. "": "__Secure-refresh_token", or
	// "refresh_token" when Insecure. A name that begins with __Secure- or
	// __Host- must keep the rules of that prefix (RFC 6265bis section 4.1.3).
	Name string
	// Path on which the cookies travel. "": Config.Prefix.
	Path string
	// Domain of the cookies. "": this host alone.
	Domain string
	// SameSite is Lax by default. None needs a secure cookie.
	SameSite http.SameSite
	// Insecure leaves out the attribute Secure, for development without TLS.
	Insecure bool
}

// Credentials are what a user typed at sign-in.
type Credentials struct {
	Username string
	Password string
}

// Identity is who signs in.
type Identity struct {
	UserID string   // 1-255 bytes of UTF-8 without control characters
	Scopes []string // claim "scope": no spaces in one
	Roles  []string // claim "roles" (RFC 9068 section 2.2.3.1)
	AMR    []string // claim "amr": how the user proved it (RFC 8176)
	// StepUp has the sign-in wait for a second factor, see [Auth.StepUp]: for users
	// who have one.
	StepUp bool
	// AuthTime is when the user proved it, claim "auth_time". Zero: at this
	// sign-in.
	AuthTime time.Time
	// Claims are the app's own: anything that marshals to a JSON object of at
	// most 4 KiB, such as a struct. They become members of the access token and
	// stay the same for the whole session. Read them with [ClaimsOf].
	Claims any
}
