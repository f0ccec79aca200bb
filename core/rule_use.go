package core

import "time"

// use is a sign of life: a request showed an access token of a serial, or a
// refresh token of a generation, that was good at a time.
type use struct {
	session ID
	serial  uint64 // 0 if an access token was not shown
	gen     uint64 // 0 if a refresh token was not shown
	at      time.Time
}

// used notes a sign of life: that what the session issued last has arrived
// (SeenAt), and that the session is not idle (LastSeenAt), the latter at most
// once per touch interval. It revives nothing.
func (p *policy) used(l Ledger, u use, now time.Time) *Change {
	found := l.session(u.session, now)
	if found == nil {
		return nil
	}
	s := found.Clone()
	at := earliest(u.at, now)
	changed := false
	if s.SeenAt.IsZero() && (u.serial == s.Serial || u.gen == s.Gen) {
		s.SeenAt = latest(at, s.MovedAt)
		changed = true
	}
	if at.Sub(s.LastSeenAt) >= p.touch {
		p.active(&s, at)
		changed = true
	}
	if !changed {
		return nil
	}
	c := Change{Put: []Session{s}}
	return c.seal(&l, now)
}
