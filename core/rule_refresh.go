package core

import (
	"cmp"
	"slices"
	"time"
)

// RefreshPolicy says what a refresh does with the refresh token.
type RefreshPolicy int

const (
	// Rotate answers with the token's successor, and finds theft: a spent
	// token that comes back ends the session.
	Rotate RefreshPolicy = iota
	// Sliding keeps the token and slides its life forward. It finds no theft:
	// a copied token is as good as the original until the session ends.
	Sliding
)

type refreshRequest struct {
	session ID
	gen     uint64 // of the token that was presented
	device  string // "" if none was presented
	ip      string // "" if unknown
	agent   string // the User-Agent; "" if unknown
	jti     ID     // of the access token, if one is recorded

	// moved says that it comes from elsewhere than the session was, or from something
	// else; the others are what is known of that.
	moved    bool
	program  Device // its browser, system and type
	location Location
	asn      uint32
	risk     Risk
}

// refreshVerdict is a row of the table at policy.refreshSession. Those from
// refreshRepeated on are answered with tokens.
type refreshVerdict int

const (
	refreshEnded        refreshVerdict = iota + 1 // no such session, or idle or absolute end
	refreshExpired                                // the refresh token's own life is over
	refreshMismatch                               // another device; the session stays
	refreshReused                                 // a spent token: the session has ended
	refreshInactive                               // the app says no: the session has ended
	refreshRepeated                               // moved a moment ago: the same token again
	refreshRotated                                // the successor
	refreshSlid                                   // the same token with a new life
	refreshReplayed                               // the predecessor: its successor again
	refreshReplayedLate                           // the same, and whoever was answered before is shut out
	refreshRecovered                              // from the future: the store lost a write
)

type refreshOutcome struct {
	verdict refreshVerdict
	session Session // as it is after the refresh; after reuse, as it was
	ended   []Ended
	known   bool // it is not by the ledger that the session has ended
}

// refreshSession decides what a refresh token of generation t opens in a
// session of generation g. The rows, in their order:
//
//	the session is not in the ledger, or over      refused
//	t >= g, from another device                    refused, the session stays
//	t <  g, from another device                    reuse
//	t =  g, moved less than grace ago              g again, nothing moves
//	t =  g                                         g+1 (or g with a new life, when sliding)
//	t >  g                                         t+1: the store lost what it had acknowledged
//	t =  g-1, g unseen or seen less than grace ago:
//	    g unseen and moved a grace or longer ago   g again, and g's first holder is shut out;
//	                                               the 4th time in a day: reuse
//	    otherwise                                  g again
//	t <  g otherwise                               reuse: the session ends
//
// A spent token so dies a grace after its successor was first seen in use. A
// replay restarts the time in which g does not move, so that g stands still
// while stragglers are under way. No replay extends the session or leaves the
// device. A grace of 0 is strict single use.
func (p *policy) refreshSession(l Ledger, r refreshRequest, now time.Time) (refreshOutcome, *Change) {
	i := slices.IndexFunc(l.Sessions, func(s Session) bool { return s.ID == r.session })
	if i < 0 {
		return refreshOutcome{verdict: refreshEnded}, nil
	}
	s := l.Sessions[i].Clone()
	if !s.live(now) {
		verdict := refreshEnded
		if !now.Before(s.RefreshExpiresAt) && now.Before(s.AbsoluteExpiresAt) {
			verdict = refreshExpired
		}
		return refreshOutcome{verdict: verdict, session: s}, nil
	}

	within := func(t time.Time) bool { return !t.IsZero() && now.Sub(t) < p.grace }
	elsewhere := r.device != "" && r.device != s.Device.ID
	seen := !s.SeenAt.IsZero()
	switch {
	case r.gen >= s.Gen && elsewhere:
		return refreshOutcome{verdict: refreshMismatch, session: s}, nil
	case elsewhere:
		return p.reused(&l, &s, now)
	case r.gen == s.Gen && within(s.MovedAt):
		return refreshOutcome{verdict: refreshRepeated, session: s}, nil
	case r.gen == s.Gen && p.refresh == Sliding:
		return p.moved(&l, &s, r, s.Gen, s.Serial+1, refreshSlid, now)
	case r.gen == s.Gen:
		return p.moved(&l, &s, r, s.Gen+1, s.Serial+1, refreshRotated, now)
	case r.gen > s.Gen:
		// Each lost generation took a serial, and so did some things besides.
		lost := r.gen - s.Gen + lostSerials
		return p.moved(&l, &s, r, r.gen+1, s.Serial+lost+1, refreshRecovered, now)
	case p.grace == 0 || r.gen != s.Gen-1 || seen && !within(s.SeenAt):
		return p.reused(&l, &s, now)
	case seen || within(s.MovedAt):
		return p.replayed(&l, &s, r, now)
	default:
		return p.replayedLate(&l, &s, r, now)
	}
}

// moved takes the session to a generation and a serial.
func (p *policy) moved(l *Ledger, s *Session, r refreshRequest, gen, serial uint64, verdict refreshVerdict, now time.Time) (refreshOutcome, *Change) {
	var c Change
	if p.retire != AtOnce && !s.RetireAt.IsZero() { // one overlap at a time: what it kept is over now
		s.MinSerial, s.RetireAt = s.Serial, time.Time{}
		c.Publish = append(c.Publish, revokeBelow(s, s.Serial, time.Time{}))
	}
	switch {
	case p.retire == AtOnce:
		s.MinSerial, s.RetireAt = serial, time.Time{}
		c.Publish = append(c.Publish, revokeBelow(s, serial, time.Time{}))
	case p.retire > 0:
		s.RetireAt = now.Add(p.retire)
		c.Publish = append(c.Publish, revokeBelow(s, serial, s.RetireAt))
	}
	s.Gen, s.Serial = gen, serial
	s.MovedAt, s.SeenAt = now, time.Time{}
	s.IP, s.UserAgent = cmp.Or(r.ip, s.IP), cmp.Or(r.agent, s.UserAgent)
	if r.moved {
		s.Location = r.location
		s.Device.Browser, s.Device.OS, s.Device.Type = r.program.Browser, r.program.OS, r.program.Type
		s.Risk = s.Risk.raised(r.risk)
		if !reaches(r.risk.Score, riskHigh) { // a stolen token makes no place familiar
			c.Devices = know(l.Devices, s, now)
			c.Networks = knowNetwork(l.Networks, s, r.asn, now)
		}
	}
	if r.device == "" && s.Device.Signed {
		s.Risk.addOnce(RiskDeviceUnsaid, 5, "a refresh token came without the device's cookie")
	}
	p.renew(s, now)
	return p.answered(l, s, r, c, verdict, now)
}

// replayed answers with the current token once more.
func (p *policy) replayed(l *Ledger, s *Session, r refreshRequest, now time.Time) (refreshOutcome, *Change) {
	s.MovedAt = now
	s.Risk.addOnce(RiskRefreshReplayed, 5, "an older refresh token of this session was presented again")
	return p.answered(l, s, r, Change{}, refreshReplayed, now)
}

// replayedLate answers with the current token once more, though nobody was
// seen to use it for long: the first answer was lost, or is in other hands.
func (p *policy) replayedLate(l *Ledger, s *Session, r refreshRequest, now time.Time) (refreshOutcome, *Change) {
	s.LateReplays = slices.DeleteFunc(s.LateReplays, func(t time.Time) bool { return now.Sub(t) >= lateReplayDay })
	if len(s.LateReplays) >= lateReplayLimit {
		return p.reused(l, s, now)
	}
	s.LateReplays = append(s.LateReplays, now)
	s.MovedAt = now
	s.Risk.addOnce(RiskRefreshReplayedLate, 10, "an older refresh token of this session was presented late")
	var c Change
	shutOut(&c, s)
	return p.answered(l, s, r, c, refreshReplayedLate, now)
}

// shutOut revokes every access token that a session has issued so far. The
// session goes on with the next serial.
func shutOut(c *Change, s *Session) {
	s.Serial++
	s.MinSerial, s.RetireAt = s.Serial, time.Time{}
	c.Publish = append(c.Publish, revokeBelow(s, s.Serial, time.Time{}))
}

// answered completes a change whose answer carries a new access token.
func (p *policy) answered(l *Ledger, s *Session, r refreshRequest, c Change, verdict refreshVerdict, now time.Time) (refreshOutcome, *Change) {
	p.record(s, r.jti, now)
	c.Put = []Session{*s}
	return refreshOutcome{verdict: verdict, session: *s}, c.seal(l, now)
}

// reused ends the session of a spent token, or all sessions by policy.
func (p *policy) reused(l *Ledger, s *Session, now time.Time) (refreshOutcome, *Change) {
	c := Change{ReusedAt: now}
	for _, o := range l.live(now) {
		if o.ID == s.ID || p.reuseEndsAll {
			c.end(&o, ReasonReuse)
		}
	}
	return refreshOutcome{verdict: refreshReused, session: *s, ended: slices.Clone(c.End)}, c.seal(l, now)
}
