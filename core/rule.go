package core

import (
	"cmp"
	"slices"
	"time"
)

// The rules: pure functions of a ledger, a request, a time and a policy. They
// answer with an outcome and, unless nothing changes, a Change. The files
// rule_*.go import no clock, no store and nothing of HTTP.
//
// now is the later of the clock and Ledger.At, in UTC milliseconds. The
// transaction around a rule sets Change.ID.

const (
	sessionCeiling  = 256                 // live sessions of a user, whatever the policy
	revokedCeiling  = 8                   // single revoked tokens remembered of a session
	foreignCeiling  = 256                 // single revoked tokens remembered beside sessions
	deviceCeiling   = 32                  // known devices of a user
	networkCeiling  = 16                  // known networks of a user
	signInsCeiling  = 24                  // times of sign-ins of a user
	deviceMemory    = 90 * 24 * time.Hour // a known device is forgotten after this
	lateReplayLimit = 3                   // late replays of a session in lateReplayDay
	lateReplayDay   = 24 * time.Hour
	lostSerials     = 1000             // more than a store that fails over loses of one session
	signInLasts     = 10 * time.Minute // from the check of the credentials to the session
	clockMargin     = 10 * time.Second // by which clocks may differ unnoticed
	expiredKept     = time.Hour        // an expired session still answers "expired", not "unknown"
	maxLeeway       = 60 * time.Second // no process allows clocks more than this
	outageLasts     = 24 * time.Hour   // no process goes on without its store for longer
)

// policy is what the rules know of the settings. See Config for their meaning;
// here every default is filled in.
type policy struct {
	accessTTL    time.Duration
	refreshTTL   time.Duration
	sessionTTL   time.Duration
	idleTimeout  time.Duration
	touch        time.Duration
	refresh      RefreshPolicy
	grace        time.Duration // 0: strict single use
	retire       time.Duration // 0: never, AtOnce, or the overlap
	reuseEndsAll bool
	maxSessions  int
	maxPerClient map[string]int
	limit        SessionLimitPolicy
	notify       int // scores; 0: never
	stepUp       int
	deny         int
}

// live reports whether a session opens anything at a time.
func (s *Session) live(now time.Time) bool { return now.Before(s.ExpiresAt) }

// lingers reports whether a session is over, but not for so long that none of
// its access tokens verifies any more, leeway included.
func (s *Session) lingers(now time.Time) bool {
	return !s.live(now) && now.Before(s.ExpiresAt.Add(maxLeeway))
}

// accepts reports whether a session that is live takes an access token.
func (s *Session) accepts(serial uint64, jti string, now time.Time) bool {
	if serial < s.MinSerial {
		return false
	}
	if serial < s.Serial && !s.RetireAt.IsZero() && !now.Before(s.RetireAt) {
		return false
	}
	return !slices.ContainsFunc(s.Revoked, func(r RevokedToken) bool { return r.JTI == jti })
}

// session returns a live session of the ledger, or nil.
func (l *Ledger) session(id ID, now time.Time) *Session {
	for i := range l.Sessions {
		if s := &l.Sessions[i]; s.ID == id && s.live(now) {
			return s
		}
	}
	return nil
}

// live returns the live sessions, newest first.
func (l *Ledger) live(now time.Time) []Session {
	var out []Session
	for _, s := range l.Sessions {
		if s.live(now) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, newestFirst)
	return out
}

func newestFirst(a, b Session) int {
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), slices.Compare(b.ID[:], a.ID[:]))
}

// active notes that a session was active at a time and sets when it is over:
// not before the access tokens that it has issued, even if the settings are
// stricter by now than they were then.
func (p *policy) active(s *Session, at time.Time) {
	if at.After(s.LastSeenAt) {
		s.LastSeenAt = at
	}
	end := latest(earliest(s.LastSeenAt.Add(p.idleTimeout), s.RefreshExpiresAt), s.Access.Until)
	s.ExpiresAt = earliest(end, s.AbsoluteExpiresAt)
}

// renew starts the life of a refresh token at a time.
func (p *policy) renew(s *Session, now time.Time) {
	s.RefreshExpiresAt = earliest(now.Add(p.refreshTTL), s.AbsoluteExpiresAt)
	p.active(s, now)
}

// accessLife returns when an access token that is issued now begins and ends,
// in whole seconds. It outlives neither the session nor what Access.Until says,
// so that a revocation kept until then covers it.
func (p *policy) accessLife(s *Session, now time.Time) (issued, expires time.Time) {
	issued = now.Truncate(time.Second)
	expires = earliest(issued.Add(p.accessTTL), s.ExpiresAt, s.Access.Until)
	return issued, expires.Truncate(time.Second)
}

// record notes an access token that is issued with a commit. Until leaves room
// for those that are issued without one, less than a grace period later.
func (p *policy) record(s *Session, jti ID, now time.Time) {
	until := earliest(now.Add(p.accessTTL+p.grace), s.ExpiresAt)
	s.Access.Until = latest(s.Access.Until, until)
	s.Access.JTI = jti
	s.Access.IssuedAt, s.Access.ExpiresAt = p.accessLife(s, now)
}

// revokeBelow returns the revocation of a session's access tokens below a
// serial, those issued so far.
func revokeBelow(s *Session, serial uint64, from time.Time) Revocation {
	return Revocation{Session: s.ID, MinSerial: serial, From: from, Until: lastVerifies(s.Access.Until)}
}

// lastVerifies returns when no token that expires at a time verifies any more,
// in any process, rounded up to a second.
func lastVerifies(expires time.Time) time.Time {
	return expires.Add(maxLeeway + time.Second - 1).Truncate(time.Second)
}

// end ends a session in a change and has its access tokens revoked everywhere.
func (c *Change) end(s *Session, why Reason) {
	c.End = append(c.End, Ended{ID: s.ID, Reason: why})
	c.Publish = append(c.Publish, revokeBelow(s, AllSerials, time.Time{}))
}

// seal completes a change of l: what it was decided on and when, what is
// long over and goes along, and until when the ledger matters.
func (c *Change) seal(l *Ledger, now time.Time) *Change {
	c.If, c.At = l.Version, now
	if c.Forget {
		return c
	}
	keep := now
	if at := latest(l.RevokedAt, c.RevokedAt); !at.IsZero() { // who signs in apart has to learn of it
		keep = latest(now, at.Add(outageLasts))
	}
	gone := func(id ID) bool {
		return slices.ContainsFunc(c.End, func(e Ended) bool { return e.ID == id }) ||
			slices.ContainsFunc(c.Put, func(s Session) bool { return s.ID == id })
	}
	crowded := len(l.Sessions)+len(c.Put) > sessionCeiling // no room for what is over
	for i := range l.Sessions {
		s := &l.Sessions[i]
		over := s.ExpiresAt
		if !crowded {
			over = over.Add(expiredKept)
		}
		switch {
		case gone(s.ID):
		case now.Before(over):
			keep = latest(keep, over)
		default:
			c.End = append(c.End, Ended{ID: s.ID, Reason: ReasonExpired})
		}
	}
	for _, s := range c.Put {
		keep = latest(keep, s.ExpiresAt.Add(expiredKept))
	}
	c.Pending = prune(c.Pending, l.Pending, func(p Pending) time.Time { return p.ExpiresAt }, now, &keep)
	c.Foreign = prune(c.Foreign, l.Foreign, func(r RevokedToken) time.Time { return r.Until }, now, &keep)
	c.Devices = prune(c.Devices, l.Devices, func(d KnownDevice) time.Time { return d.LastSeenAt.Add(deviceMemory) }, now, &keep)
	c.KeepUntil = keep
	return c
}

// prune returns what a change should say of a list: the changed list, or what
// stands, without what is over; nil if what stands has nothing over. It raises
// keep to the last moment of what stays.
func prune[T any](changed, stands []T, until func(T) time.Time, now time.Time, keep *time.Time) []T {
	list := changed
	if list == nil {
		list = stands
	}
	kept := make([]T, 0, len(list))
	for _, v := range list {
		if end := until(v); now.Before(end) {
			kept = append(kept, v)
			*keep = latest(*keep, end)
		}
	}
	if changed == nil && len(kept) == len(stands) {
		return nil
	}
	return kept
}

func earliest(t time.Time, more ...time.Time) time.Time {
	for _, u := range more {
		if u.Before(t) {
			t = u
		}
	}
	return t
}

func latest(t, u time.Time) time.Time {
	if u.After(t) {
		return u
	}
	return t
}
