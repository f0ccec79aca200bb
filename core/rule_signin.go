package core

import (
	"cmp"
	"slices"
	"time"
)

// SessionLimitPolicy says what a sign-in beyond the cap does.
type SessionLimitPolicy int

const (
	EvictOldest SessionLimitPolicy = iota // end the session that was created first
	EvictIdle                             // end the session that was seen longest ago
	RefuseNew                             // refuse the sign-in
)

type signInRequest struct {
	// session is what begins. Its ID is drawn once per call, so that a second
	// look after a lost reply recognises its own. The rule sets all times.
	session  Session
	jti      ID        // of the first access token
	checked  time.Time // when the app began to check the credentials; zero: not said
	replaces []ID      // sessions that end first: those of the same browser
	asn      uint32    // of the network; 0: unknown
	stepUp   bool      // the app asks for a second factor
	fulfils  ID        // what waited for a second factor that has come now; zero: nothing
}

type signInOutcome struct {
	session Session
	ended   []Ended // evicted or replaced
	refused bool    // the cap is reached and the policy is to refuse
	denied  bool    // it is too unusual
	waits   bool    // for a second factor
	spent   bool    // what it fulfils waits no longer
	// confirm says that what the credentials were checked against may be out of
	// date: the user's sessions were revoked since, as after a new password.
	confirm bool
}

// begins reports whether a session has begun.
func (o *signInOutcome) begins() bool { return !o.refused && !o.denied && !o.waits && !o.spent }

// signIn begins a session, or has it wait for a second factor. It never leaves more
// live sessions than the caps.
func (p *policy) signIn(l Ledger, r signInRequest, now time.Time) (signInOutcome, *Change) {
	confirm := !r.checked.IsZero() &&
		(r.checked.Before(l.RevokedAt.Add(clockMargin)) || now.Sub(r.checked) > signInLasts-clockMargin)
	own := l.session(r.session.ID, now) // committed by an earlier look
	var c Change
	switch score := r.session.Risk.Score; {
	case own != nil:
	case !r.fulfils.IsZero():
		if !c.fulfil(&l, &r, now) {
			return signInOutcome{spent: true}, nil
		}
	case reaches(score, p.deny):
		return signInOutcome{denied: true, session: r.session}, nil
	case l.pendingOf(r.session.ID, now) >= 0:
		return signInOutcome{waits: true, session: r.session, confirm: confirm}, nil
	case r.stepUp || reaches(score, p.stepUp):
		return signInOutcome{waits: true, session: r.session, confirm: confirm}, p.wait(l, r, now)
	}
	if own != nil {
		return signInOutcome{session: *own, confirm: confirm}, nil
	}
	live := l.live(now)
	end := func(s *Session, why Reason) {
		id := s.ID
		c.end(s, why)
		live = slices.DeleteFunc(live, func(o Session) bool { return o.ID == id })
	}
	for _, id := range r.replaces {
		if i := slices.IndexFunc(live, func(s Session) bool { return s.ID == id }); i >= 0 {
			end(&live[i], ReasonReplaced)
		}
	}
	client := r.session.Device.ClientType
	ofClient := func(s Session) bool { return s.Device.ClientType == client }
	if most, capped := p.maxPerClient[client]; capped && !p.makeRoom(live, ofClient, most, end) {
		return signInOutcome{refused: true}, nil
	}
	anyone := func(Session) bool { return true }
	if !p.makeRoom(live, anyone, min(p.maxSessions, sessionCeiling), end) {
		return signInOutcome{refused: true}, nil
	}

	s := r.session
	s.CreatedAt, s.LastSeenAt = now, now
	if s.AuthTime.IsZero() || s.AuthTime.After(now) {
		s.AuthTime = now
	}
	s.AbsoluteExpiresAt = now.Add(p.sessionTTL)
	s.Gen, s.Serial = 1, 1
	p.renew(&s, now)
	p.record(&s, r.jti, now)
	c.Put = []Session{s}
	c.Devices = know(l.Devices, &s, now)
	c.Networks = knowNetwork(l.Networks, &s, r.asn, now)
	c.SignIns = latestTimes([]time.Time{now}, l.SignIns)
	return signInOutcome{session: s, ended: slices.Clone(c.End), confirm: confirm}, c.seal(&l, now)
}

// reaches reports whether a score is as high as a threshold; 0: there is none.
func reaches(score, threshold int) bool { return threshold > 0 && score >= threshold }

// judges reports whether more than a notice may follow from a score.
func (p *policy) judges() bool { return p.stepUp > 0 || p.deny > 0 }

// makeRoom ends sessions among those that count until there is room for one
// more below most. It reports false if the policy forbids that.
func (p *policy) makeRoom(live []Session, counts func(Session) bool, most int, end func(*Session, Reason)) bool {
	var counted []Session
	for _, s := range live {
		if counts(s) {
			counted = append(counted, s)
		}
	}
	excess := len(counted) + 1 - most
	if excess <= 0 {
		return true
	}
	if p.limit == RefuseNew {
		return false
	}
	slices.SortFunc(counted, func(a, b Session) int {
		byAge := newestFirst(b, a)
		if p.limit == EvictIdle {
			return cmp.Or(a.LastSeenAt.Compare(b.LastSeenAt), byAge)
		}
		return byAge
	})
	for i := range counted[:excess] {
		end(&counted[i], ReasonEvicted)
	}
	return true
}

// know returns the known devices with a session's device among them, the
// latest deviceCeiling of them.
func know(devices []KnownDevice, s *Session, now time.Time) []KnownDevice {
	k := KnownDevice{Device: s.Device, FirstSeenAt: now, LastSeenAt: now, IP: s.IP, Location: s.Location}
	out := make([]KnownDevice, 0, len(devices)+1)
	for _, d := range devices {
		if d.ID == k.ID && d.Signed == k.Signed {
			k.FirstSeenAt = d.FirstSeenAt
		} else {
			out = append(out, d)
		}
	}
	return latestDevices(append(out, k))
}

// latestDevices returns the deviceCeiling devices that were seen last.
func latestDevices(devices []KnownDevice) []KnownDevice {
	slices.SortFunc(devices, func(a, b KnownDevice) int {
		return cmp.Or(b.LastSeenAt.Compare(a.LastSeenAt), cmp.Compare(a.ID, b.ID), cmp.Compare(a.text(), b.text()))
	})
	return devices[:min(len(devices), deviceCeiling)]
}

// knowNetwork returns the known networks with that of a session among them, the latest
// networkCeiling of them.
func knowNetwork(networks []KnownNetwork, s *Session, asn uint32, now time.Time) []KnownNetwork {
	k := KnownNetwork{Prefix: networkOf(s.IP), ASN: asn, Location: s.Location, LastSeenAt: now}
	if k.Prefix == "" {
		return nil
	}
	out := slices.DeleteFunc(slices.Clone(networks), func(n KnownNetwork) bool {
		return n.Prefix == k.Prefix || !now.Before(n.LastSeenAt.Add(deviceMemory))
	})
	return latestNetworks(append(out, k))
}

// latestNetworks returns the networkCeiling networks that were seen last.
func latestNetworks(networks []KnownNetwork) []KnownNetwork {
	slices.SortFunc(networks, func(a, b KnownNetwork) int {
		return cmp.Or(b.LastSeenAt.Compare(a.LastSeenAt), cmp.Compare(a.Prefix, b.Prefix), cmp.Compare(a.text(), b.text()))
	})
	return networks[:min(len(networks), networkCeiling)]
}
