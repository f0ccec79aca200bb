package core

import (
	"slices"
	"time"
)

// endSessions ends those live sessions that which picks and returns them.
func endSessions(l Ledger, which func(*Session) bool, why Reason, now time.Time) ([]Session, *Change) {
	var c Change
	ended := c.endThose(&l, which, why, now)
	if c.End == nil {
		return nil, nil
	}
	return ended, c.seal(&l, now)
}

// endAll is endSessions, and has the sign-ins that are under way confirmed, and those
// that wait for a second factor begin again.
// There is something to commit even if nothing is live.
func endAll(l Ledger, which func(*Session) bool, why Reason, now time.Time) ([]Session, *Change) {
	return endAllSince(l, which, now, why, now)
}

// endAllSince is endAll that was asked for at a time.
func endAllSince(l Ledger, which func(*Session) bool, asked time.Time, why Reason, now time.Time) ([]Session, *Change) {
	c := Change{RevokedAt: latest(l.RevokedAt, asked)}
	if l.Pending != nil {
		c.Pending = []Pending{} // none of them begins any more
	}
	ended := c.endThose(&l, which, why, now)
	return ended, c.seal(&l, now)
}

// endThose ends those live sessions that which picks and returns them. Of those
// that are over it revokes what may still verify.
func (c *Change) endThose(l *Ledger, which func(*Session) bool, why Reason, now time.Time) []Session {
	var ended []Session
	for _, s := range l.live(now) {
		if which(&s) {
			c.end(&s, why)
			ended = append(ended, s)
		}
	}
	for i := range l.Sessions {
		if s := &l.Sessions[i]; s.lingers(now) && which(s) {
			c.end(s, ReasonExpired)
		}
	}
	return ended
}

// trim ends all live sessions but the newest keep.
func trim(l Ledger, keep int, now time.Time) ([]Session, *Change) {
	live := l.live(now)
	if len(live) <= keep {
		return nil, nil
	}
	old := live[keep:]
	picked := func(s *Session) bool {
		return slices.ContainsFunc(old, func(o Session) bool { return o.ID == s.ID })
	}
	return endSessions(l, picked, ReasonTrimmed, now)
}

// revokeToken revokes one access token of a live session and reports whether
// it was good until now. A session remembers revokedCeiling of them; one more
// revokes all that it has issued, which is more than was asked and never less.
func revokeToken(l Ledger, session ID, serial uint64, jti string, expires, now time.Time) (bool, *Change) {
	found := l.session(session, now)
	if found == nil || !found.accepts(serial, jti, now) {
		return false, nil
	}
	s := found.Clone()
	s.Revoked = slices.DeleteFunc(s.Revoked, func(r RevokedToken) bool { return !now.Before(r.Until) })
	r := RevokedToken{JTI: jti, Until: lastVerifies(expires)}
	s.Revoked = append(s.Revoked, r)
	var c Change
	if !c.crowdedOut(&s) {
		c.Publish = []Revocation{{Session: s.ID, JTI: r.JTI, Until: r.Until}}
	}
	c.Put = []Session{s}
	return true, c.seal(&l, now)
}

// crowdedOut reports whether a session has more revoked tokens than it
// remembers, and then revokes all that it has issued.
func (c *Change) crowdedOut(s *Session) bool {
	if len(s.Revoked) <= revokedCeiling {
		return false
	}
	s.Revoked = nil
	shutOut(c, s)
	return true
}

// forget removes all that is kept about a user. It is committed even if
// nothing is live, since a store may keep history.
func forget(l Ledger, now time.Time) ([]Session, *Change) {
	c := Change{Forget: true}
	for i := range l.Sessions {
		if s := &l.Sessions[i]; s.live(now) || s.lingers(now) {
			c.Publish = append(c.Publish, revokeBelow(s, AllSerials, time.Time{}))
		}
	}
	return l.live(now), c.seal(&l, now)
}

// revokedForeign reports whether a token that belongs to no session was revoked.
func (l *Ledger) revokedForeign(jti string) bool {
	return slices.ContainsFunc(l.Foreign, func(r RevokedToken) bool { return r.JTI == jti })
}

// revokeForeign revokes one token that belongs to no session, which the feed
// calls by a name, and reports whether it was good until now. full: there is no
// room for one more, and it stays good.
func revokeForeign(l Ledger, jti, name string, expires, now time.Time) (was, full bool, c *Change) {
	if l.revokedForeign(jti) {
		return false, false, nil
	}
	stand := slices.DeleteFunc(slices.Clone(l.Foreign), func(r RevokedToken) bool { return !now.Before(r.Until) })
	if len(stand) >= foreignCeiling {
		return true, true, nil
	}
	r := RevokedToken{JTI: jti, Until: lastVerifies(expires)}
	c = &Change{
		Foreign: append(stand, r),
		Publish: []Revocation{{JTI: name, Until: r.Until}},
	}
	return true, false, c.seal(&l, now)
}

// reassert has revocations stand that were acknowledged once, in a store that may have
// lost them: sessions end again, tokens are revoked again, and everybody is told again.
// fresh: nothing needs telling that no ledger has. It returns the sessions that had come
// back.
func reassert(l Ledger, known []Revocation, fresh bool, now time.Time) ([]Session, *Change) {
	var c Change
	var back []Session
	for _, r := range known {
		i := slices.IndexFunc(l.Sessions, func(s Session) bool { return s.ID == r.Session })
		switch {
		case i < 0:
			if fresh && r.JTI == "" {
				continue
			}
		case r.JTI != "", !r.From.IsZero():
			// The feed alone says so. A single token has no name here but a short hash.
		case r.MinSerial >= AllSerials:
			if s := &l.Sessions[i]; s.live(now) {
				back = append(back, *s)
			}
			c.End = append(c.End, Ended{ID: r.Session, Reason: ReasonRevived})
			r.Until = latest(r.Until, lastVerifies(l.Sessions[i].Access.Until))
		case l.Sessions[i].MinSerial < r.MinSerial:
			s := l.Sessions[i].Clone()
			s.MinSerial, s.Serial = r.MinSerial, max(s.Serial, r.MinSerial)
			c.Put = append(c.Put, s)
		}
		c.Publish = append(c.Publish, r)
	}
	if c.Publish == nil {
		return nil, nil
	}
	return back, c.seal(&l, now)
}
