package core

import (
	"bytes"
	"math"
	"slices"
	"time"
)

// Ledger is all that is known of one user: one value, read and changed as a
// whole. Every decision is a pure function of a ledger, a request and a time.
// A session that is not in it is dead; nothing that was ended has to be
// remembered in it.
//
// Times, here and in revocations, are UTC with millisecond precision. Text is
// UTF-8 without NUL. The order of a ledger's lists means nothing; that of lists
// inside a session is kept, and Session.Claims byte for byte.
type Ledger struct {
	// Version is the ID of the change that made this ledger; zero for a user
	// of whom nothing is known. It is random, never a counter, so that a
	// restored or emptied store can't repeat one.
	Version ID
	// At is the time of that change. No later decision is dated before it.
	At time.Time
	// RevokedAt is when the user's sessions were last ended as a whole. A
	// sign-in whose credentials were checked before that has to be confirmed.
	RevokedAt time.Time
	// ReusedAt is when a spent refresh token of the user came back last.
	ReusedAt time.Time
	// SignIns are the times of the last sign-ins, the latest first, at most 24.
	SignIns []time.Time
	// Networks are those from which the user was seen last, at most 16.
	Networks []KnownNetwork

	Sessions []Session
	Devices  []KnownDevice
	Pending  []Pending
	Foreign  []RevokedToken // revoked tokens that belong to no session
}

// Session is one sign-in on one device.
type Session struct {
	ID         ID
	CreatedAt  time.Time
	LastSeenAt time.Time // last activity that was recorded, see Config.TouchInterval

	// ExpiresAt is when the session is over unless something happens: the
	// earliest of the next two and LastSeenAt plus the idle timeout.
	ExpiresAt         time.Time
	RefreshExpiresAt  time.Time // end of the current refresh token's life
	AbsoluteExpiresAt time.Time // no refresh moves this

	// Gen is the generation of the current refresh token. It starts at 1 and
	// a rotation adds 1.
	Gen uint64
	// Serial is stamped on access tokens (claim "ser"). It grows whenever Gen
	// does, and when a late replay shuts out whoever was answered before.
	Serial uint64
	// MinSerial is the lowest serial that is still accepted.
	MinSerial uint64
	// MovedAt is the time of the last rotation or replay; zero before the first.
	MovedAt time.Time
	// SeenAt is when a token of the current serial was first seen in use; zero
	// until then.
	SeenAt time.Time
	// RetireAt, if set, is when access tokens below Serial stop being accepted.
	RetireAt time.Time
	// LateReplays are the times of the late replays of the last day, at most 3.
	LateReplays []time.Time

	Access  AccessRecord
	Revoked []RevokedToken // single access tokens, at most 8

	Device    Device
	IP        string // as text, "" if unknown
	UserAgent string // at most 512 bytes
	Location  Location
	Risk      Risk

	AuthTime time.Time // when the user last proved who they are
	AMR      []string  // how: RFC 8176
	Scopes   []string
	Roles    []string
	Claims   []byte // the app's own claims: a JSON object, or nil
}

// AccessRecord tells of a session's access tokens without keeping one.
type AccessRecord struct {
	JTI       ID        // of the newest that was recorded
	IssuedAt  time.Time // of the newest
	ExpiresAt time.Time // of the newest
	// Until is a time after which no access token of the session verifies,
	// leeway not counted.
	Until time.Time
}

// RevokedToken names one access token that was revoked on its own.
type RevokedToken struct {
	JTI   string
	Until time.Time // when no such token verifies any more
}

// Device is what a session runs on, as far as it is known. All but ID may be
// wrong: a User-Agent is evidence, not proof.
type Device struct {
	ID         string // 1-128 bytes
	Signed     bool   // the server named it, in a cookie that can't be forged
	Name       string // for people
	Type       string // desktop phone tablet bot tool unknown
	ClientType string // the client's word: [a-z0-9_-]{1,32}
	Browser    string
	OS         string
}

// KnownDevice is a device on which the user has signed in before.
type KnownDevice struct {
	Device
	FirstSeenAt time.Time
	LastSeenAt  time.Time
	IP          string
	Location    Location
}

// KnownNetwork is a network from which the user signed in or went on before.
type KnownNetwork struct {
	Prefix     string // "203.0.113.0/24", IPv6: /48
	ASN        uint32 // see [Place]; 0: unknown
	Location   Location
	LastSeenAt time.Time
}

// Location is where an address seems to be. Zero means unknown.
type Location struct {
	Country string // ISO 3166-1 alpha-2
	City    string
}

// Risk is what a sign-in was scored: 0 (nothing unusual) to 100.
type Risk struct {
	Score   int
	Reasons []RiskReason
}

// RiskReason is one signal of a score, with a sentence a person understands.
type RiskReason struct {
	Code   string `json:"code"`
	Points int    `json:"points"`
	Detail string `json:"detail"`
}

// Pending is a sign-in that waits for a second factor. Session is what begins
// when it arrives; until then it opens nothing.
type Pending struct {
	Session   Session
	ExpiresAt time.Time
	Attempts  int
}

// Change is one decision about one ledger. A store applies it whole or not at
// all, and only if the ledger's version is still If. No session is twice in it.
type Change struct {
	ID ID        // the version that the ledger then has
	If ID        // the version that was decided on; zero: nothing known
	At time.Time // the time of the decision

	Put []Session // each replaces the session of its ID, or is added
	End []Ended   // each removes a session; unknown ones are passed over

	// Each of these replaces the whole list, unless it is nil.
	Devices []KnownDevice
	Pending []Pending
	Foreign []RevokedToken

	RevokedAt time.Time      // replaces Ledger.RevokedAt, unless it is zero
	ReusedAt  time.Time      // replaces Ledger.ReusedAt, unless it is zero
	SignIns   []time.Time    // replaces Ledger.SignIns, unless it is nil
	Networks  []KnownNetwork // replaces Ledger.Networks, unless it is nil

	Publish []Revocation // appended to the feed, in this order

	// KeepUntil is when nothing in the ledger matters any more. A store may
	// drop the whole ledger after it, and must not before.
	KeepUntil time.Time
	// Forget removes all that is kept about the user, history included. Only
	// ID, If, At and Publish are set beside it.
	Forget bool
}

// Ended says that a session ends, and why.
type Ended struct {
	ID     ID
	Reason Reason
}

// Reason is why a session ended. It is stored and audited, so it never changes.
type Reason string

const (
	ReasonSignedOut       Reason = "signed_out"       // on this browser, by its user
	ReasonSignedOutAll    Reason = "signed_out_all"   // everywhere, by the user
	ReasonRevoked         Reason = "revoked"          // by the user, from another session
	ReasonRevokedByAdmin  Reason = "revoked_by_admin" // by an administrator or the app
	ReasonPasswordChanged Reason = "password_changed"
	ReasonUserInactive    Reason = "user_inactive"
	ReasonReuse           Reason = "reuse"     // a spent refresh token came back
	ReasonEvicted         Reason = "evicted"   // by the cap on sessions
	ReasonReplaced        Reason = "replaced"  // its browser signed in again
	ReasonTrimmed         Reason = "trimmed"   // only the newest were to stay
	ReasonExpired         Reason = "expired"   // idle, absolute, or the refresh token's life
	ReasonOvertaken       Reason = "overtaken" // the user's sessions were revoked while it was signing in, or by a process that could not know it, and it was not confirmed
	ReasonForgotten       Reason = "forgotten" // the user was deleted
	ReasonRevived         Reason = "revived"   // it had ended before, and the store had lost that
	ReasonUnstored        Reason = "unstored"  // it began while the store was out, and must not begin there any more
)

// AllSerials as Revocation.MinSerial revokes every access token of a session.
// It fits a signed 64-bit column.
const AllSerials uint64 = math.MaxInt64

// Revocation tells every process that access tokens are not to be accepted any
// more, though they verify: those of Session with a serial below MinSerial, or
// the one named by JTI. Exactly one of MinSerial and JTI is set.
type Revocation struct {
	// UserID is whose it is: a store that fell back behind what it had
	// acknowledged is told again by processes that know.
	UserID    string
	Session   ID // zero for a token that belongs to no session
	MinSerial uint64
	JTI       string
	From      time.Time // when it takes effect; zero: at once
	Until     time.Time // when no such token verifies any more: it need not be kept longer
}

// Apply returns the ledger that a committed change makes of l: what a store's
// Commit has to amount to. It shares no memory with l or c.
func (c *Change) Apply(l Ledger) Ledger {
	if c.Forget {
		return Ledger{}
	}
	gone := func(s Session) bool {
		return slices.ContainsFunc(c.End, func(e Ended) bool { return e.ID == s.ID }) ||
			slices.ContainsFunc(c.Put, func(p Session) bool { return p.ID == s.ID })
	}
	next := Ledger{
		Version:   c.ID,
		At:        c.At,
		RevokedAt: l.RevokedAt,
		ReusedAt:  l.ReusedAt,
		SignIns:   l.SignIns,
		Networks:  l.Networks,
		Sessions:  append(slices.DeleteFunc(slices.Clone(l.Sessions), gone), c.Put...),
		Devices:   l.Devices,
		Pending:   l.Pending,
		Foreign:   l.Foreign,
	}
	if !c.RevokedAt.IsZero() {
		next.RevokedAt = c.RevokedAt
	}
	if !c.ReusedAt.IsZero() {
		next.ReusedAt = c.ReusedAt
	}
	if c.SignIns != nil {
		next.SignIns = c.SignIns
	}
	if c.Networks != nil {
		next.Networks = c.Networks
	}
	if c.Devices != nil {
		next.Devices = c.Devices
	}
	if c.Pending != nil {
		next.Pending = c.Pending
	}
	if c.Foreign != nil {
		next.Foreign = c.Foreign
	}
	return next.Clone()
}

// Clone returns a copy that shares no memory with l. Empty lists become nil.
func (l Ledger) Clone() Ledger {
	l.Sessions = cloneList(l.Sessions, Session.Clone)
	l.Devices = cloneList(l.Devices, func(d KnownDevice) KnownDevice { return d })
	l.Pending = cloneList(l.Pending, func(p Pending) Pending { p.Session = p.Session.Clone(); return p })
	l.Foreign = cloneList(l.Foreign, func(t RevokedToken) RevokedToken { return t })
	l.Networks = cloneList(l.Networks, func(n KnownNetwork) KnownNetwork { return n })
	l.SignIns = cloneList(l.SignIns, func(t time.Time) time.Time { return t })
	return l
}

// Clone returns a copy that shares no memory with s. Empty lists become nil.
func (s Session) Clone() Session {
	same := func(r RevokedToken) RevokedToken { return r }
	s.LateReplays = cloneList(s.LateReplays, func(t time.Time) time.Time { return t })
	s.Revoked = cloneList(s.Revoked, same)
	s.Risk.Reasons = cloneList(s.Risk.Reasons, func(r RiskReason) RiskReason { return r })
	word := func(w string) string { return w }
	s.AMR, s.Scopes, s.Roles = cloneList(s.AMR, word), cloneList(s.Scopes, word), cloneList(s.Roles, word)
	if s.Claims = bytes.Clone(s.Claims); len(s.Claims) == 0 {
		s.Claims = nil
	}
	return s
}

func cloneList[T any](list []T, clone func(T) T) []T {
	if len(list) == 0 {
		return nil
	}
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = clone(v)
	}
	return out
}
