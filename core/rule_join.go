package core

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// join returns what two copies of one session come to that went on apart: the
// least that says all that either says. Any order and grouping of joins comes to
// the same, and once is as good as twice; but the list of revoked tokens is in no
// order and may be longer than a session remembers. Where both can't be kept the
// stricter stays. What never changes is taken from s.
func (s *Session) join(o *Session) Session {
	j := s.Clone()
	j.Gen, j.Serial, j.MinSerial = max(s.Gen, o.Gen), max(s.Serial, o.Serial), max(s.MinSerial, o.MinSerial)
	switch cmp.Compare(s.Gen, o.Gen) { // these are of the generation
	case 0:
		j.MovedAt, j.SeenAt = latest(s.MovedAt, o.MovedAt), firstSet(s.SeenAt, o.SeenAt)
	case -1:
		j.MovedAt, j.SeenAt = o.MovedAt, o.SeenAt
	}
	switch low, high := bySerial(s, o); {
	case low.Serial == high.Serial:
		j.RetireAt = firstSet(s.RetireAt, o.RetireAt)
	case low.RetireAt.IsZero():
		j.RetireAt = high.RetireAt
	default: // one overlap at a time, as in moved
		j.MinSerial, j.RetireAt = max(j.MinSerial, low.Serial), high.RetireAt
	}
	j.LateReplays = lastReplays(s.LateReplays, o.LateReplays)
	j.LastSeenAt, j.ExpiresAt = latest(s.LastSeenAt, o.LastSeenAt), latest(s.ExpiresAt, o.ExpiresAt)
	j.RefreshExpiresAt = latest(s.RefreshExpiresAt, o.RefreshExpiresAt)
	j.Access, j.Revoked = s.Access.join(o.Access), joinRevoked(s.Revoked, o.Revoked)
	if cmp.Or(s.LastSeenAt.Compare(o.LastSeenAt), cmp.Compare(s.from(), o.from())) < 0 {
		j.IP, j.Location, j.UserAgent = o.IP, o.Location, o.UserAgent
		j.Device.Browser, j.Device.OS, j.Device.Type = o.Device.Browser, o.Device.OS, o.Device.Type
	}
	if s.Risk.compare(o.Risk) < 0 {
		j.Risk = o.Clone().Risk
	}
	return j
}

func bySerial(s, o *Session) (low, high *Session) {
	if s.Serial > o.Serial {
		return o, s
	}
	return s, o
}

// from is where and on what a session was active last, as text.
func (s *Session) from() string {
	d := &s.Device
	return strings.Join([]string{s.IP, s.Location.Country, s.Location.City, s.UserAgent, d.Browser, d.OS, d.Type}, "\x00")
}

// firstSet returns the earlier of those times that are set.
func firstSet(t, u time.Time) time.Time {
	if t.IsZero() || !u.IsZero() && u.Before(t) {
		return u
	}
	return t
}

// lastReplays returns the latest of both, as many as a session remembers.
func lastReplays(a, b []time.Time) []time.Time {
	out := slices.SortedFunc(slices.Values(slices.Concat(a, b)), time.Time.Compare)
	out = slices.CompactFunc(out, time.Time.Equal)
	return out[max(0, len(out)-lateReplayLimit):]
}

// join tells of the newest token of both.
func (r AccessRecord) join(o AccessRecord) AccessRecord {
	until := latest(r.Until, o.Until)
	if cmp.Or(r.IssuedAt.Compare(o.IssuedAt), slices.Compare(r.JTI[:], o.JTI[:]), r.ExpiresAt.Compare(o.ExpiresAt)) < 0 {
		r = o
	}
	r.Until = until
	return r
}

// joinRevoked returns a, and after it what only b has. No token is twice in it.
func joinRevoked(a, b []RevokedToken) []RevokedToken {
	out := slices.Clone(a)
	for _, r := range b {
		if i := slices.IndexFunc(out, func(o RevokedToken) bool { return o.JTI == r.JTI }); i >= 0 {
			out[i].Until = latest(out[i].Until, r.Until)
		} else {
			out = append(out, r)
		}
	}
	return out
}

func (r Risk) compare(o Risk) int {
	return cmp.Or(cmp.Compare(r.Score, o.Score), slices.CompareFunc(r.Reasons, o.Reasons, func(a, b RiskReason) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Points, b.Points), cmp.Compare(a.Detail, b.Detail))
	}))
}

// alike reports whether a join has changed nothing.
func (s *Session) alike(o *Session) bool {
	times := func(s *Session) []time.Time {
		return append([]time.Time{
			s.LastSeenAt, s.ExpiresAt, s.RefreshExpiresAt, s.MovedAt, s.SeenAt, s.RetireAt,
			s.Access.IssuedAt, s.Access.ExpiresAt, s.Access.Until,
		}, s.LateReplays...)
	}
	return s.Gen == o.Gen && s.Serial == o.Serial && s.MinSerial == o.MinSerial && s.Access.JTI == o.Access.JTI &&
		s.from() == o.from() && s.Risk.compare(o.Risk) == 0 && slices.EqualFunc(times(s), times(o), time.Time.Equal) &&
		slices.EqualFunc(s.Revoked, o.Revoked, RevokedToken.same)
}

func (r RevokedToken) same(o RevokedToken) bool { return r.JTI == o.JTI && r.Until.Equal(o.Until) }

type rejoinOutcome struct {
	// ended are the sessions that end by it, in the store's ledger or before they
	// came there. One that ended apart has the reason that it had there.
	ended []Ended
}

// rejoin decides what becomes of the store's ledger after something was done
// apart. Each session, in this order:
//
//	ended apart                                    ends
//	the store's, over for as long as expiredKept   stays over
//	the store's, and all were ended apart          ends, unless that was to spare it
//	the store's, over when all were ended there,
//	    and went on apart                          ends
//	the store's                                    joined with what was done apart
//	not the store's, nor begun apart               stays gone
//	begun apart, and over                          stays over
//	begun apart, and spent                         ends
//	begun apart, not clearly after all were ended
//	    in the store's ledger                      ends
//	begun apart                                    is added
//
// spent says that what began apart must not begin any more: the store is in
// another epoch or has forgotten the user, or an earlier try may have added it and
// the ledger has moved on since. Whatever was revoked on either side, and every
// token of a session that is no more, is published for as long as it verifies.
//
// Up to here several that were apart may rejoin in any order, or be joined before,
// and the ledger is the same. One that rejoins twice changes nothing more, though
// some of it may be published again. The caps have no such order and come last.
// They hold afterwards. Where the oldest goes the same sessions stay, but that one
// may go to make room beside another that the next to rejoin has ended; where the
// idle one goes, or nobody, it is first come, first served. foreignCeiling is no cap
// here, or a token that was revoked would be good again: it keeps others from being
// added.
func (p *policy) rejoin(l Ledger, a *apart, spent bool, now time.Time) (rejoinOutcome, *Change) {
	now = latest(now, a.at)
	var (
		c        Change
		out      rejoinOutcome
		sessions []Session // as they are afterwards
		stands   = make(map[ID]*Session)
	)
	revoke := func(s *Session) { c.Publish = append(c.Publish, revokeBelow(s, AllSerials, time.Time{})) }
	end := func(s *Session, why Reason) {
		out.ended = append(out.ended, Ended{s.ID, why})
		if stands[s.ID] != nil {
			c.end(s, why)
		} else {
			revoke(s)
		}
	}
	for i := range l.Sessions {
		s := &l.Sessions[i]
		stands[s.ID] = s
		mine, known := a.sessions[s.ID]
		j := *s
		if known {
			if mine.Serial < s.MinSerial {
				mine.Revoked = nil // none of them is accepted any more
			}
			j = s.join(&mine.Session)
		}
		e, ended := a.ended[s.ID]
		switch {
		case ended:
			j.Access.Until = latest(j.Access.Until, e.until)
			end(&j, e.reason)
		case !now.Before(s.ExpiresAt.Add(expiredKept)): // any change drops it
			if known {
				revoke(&mine.Session)
			}
		case a.overtakes(s.ID, s.CreatedAt), known && !s.live(l.RevokedAt):
			end(&j, ReasonOvertaken)
		default:
			sessions = append(sessions, j)
		}
	}
	for _, id := range sortedIDs(a.ended) {
		if stands[id] == nil {
			revoke(&Session{ID: id, Access: AccessRecord{Until: a.ended[id].until}})
		}
	}
	for _, id := range sortedIDs(a.sessions) {
		mine := a.sessions[id]
		switch s := &mine.Session; {
		case stands[id] != nil:
		case !mine.begun, !s.live(now):
			revoke(s)
		case spent:
			end(s, ReasonUnstored)
		case s.CreatedAt.Before(l.RevokedAt.Add(clockMargin)):
			end(s, ReasonOvertaken)
		default:
			sessions = append(sessions, s.Clone())
		}
	}

	unheard := func(s *Session) bool { return stands[s.ID] == nil || !stands[s.ID].live(now) }
	p.fit((&Ledger{Sessions: sessions}).live(now), unheard, func(s *Session, why Reason) {
		id := s.ID
		end(s, why)
		sessions = slices.DeleteFunc(sessions, func(o Session) bool { return o.ID == id })
	})
	for i := range sessions {
		s := &sessions[i]
		if mine, known := a.sessions[s.ID]; known {
			c.rejoined(cmp.Or(stands[s.ID], &Session{}), s, mine.issued, now)
		}
	}
	c.learn(&l, a, now)
	c.Publish = slices.DeleteFunc(c.Publish, func(r Revocation) bool { return !now.Before(r.Until) })
	if a.revokedAt.After(l.RevokedAt) {
		c.RevokedAt = a.revokedAt
		if l.Pending != nil {
			c.Pending = []Pending{} // as in endAllSince
		}
	}
	if len(c.Put)+len(c.End)+len(c.Publish) == 0 && c.Devices == nil && c.Networks == nil && c.SignIns == nil &&
		c.RevokedAt.IsZero() && c.ReusedAt.IsZero() {
		return out, nil
	}
	return out, c.seal(&l, now)
}

// fit ends live sessions until the caps hold, in the order in which a sign-in
// makes room. Where the policy is to refuse, only those end that the store had no
// live one of, the newest first.
func (p *policy) fit(live []Session, unheard func(*Session) bool, end func(*Session, Reason)) {
	drop := func(s *Session, why Reason) {
		id := s.ID
		end(s, why)
		live = slices.DeleteFunc(live, func(o Session) bool { return o.ID == id })
	}
	within := func(most int, counts func(Session) bool) {
		if p.makeRoom(live, counts, most+1, drop) {
			return
		}
		excess := -most
		for _, s := range live {
			if counts(s) {
				excess++
			}
		}
		for _, s := range slices.Clone(live) {
			if excess > 0 && counts(s) && unheard(&s) {
				drop(&s, ReasonEvicted)
				excess--
			}
		}
	}
	for _, client := range slices.Sorted(maps.Keys(p.maxPerClient)) {
		within(p.maxPerClient[client], func(s Session) bool { return s.Device.ClientType == client })
	}
	within(min(p.maxSessions, sessionCeiling), func(Session) bool { return true })
}

// rejoined puts a session that was joined, and has every process learn what is
// revoked of it beyond what was published for the session that was: that lasts as
// long as the tokens of then, and of those issued apart some may last longer.
func (c *Change) rejoined(was, s *Session, issued uint64, now time.Time) {
	s.Revoked = slices.DeleteFunc(s.Revoked, func(r RevokedToken) bool { return !now.Before(r.Until) })
	new(Change).crowdedOut(s) // what it revokes is published here
	if !s.alike(was) {
		c.Put = append(c.Put, *s)
	}
	if s.MinSerial > was.MinSerial || issued > 0 && issued < s.MinSerial {
		c.Publish = append(c.Publish, revokeBelow(s, s.MinSerial, time.Time{}))
	}
	if !s.RetireAt.IsZero() && (s.Serial != was.Serial || !s.RetireAt.Equal(was.RetireAt) || issued > 0 && issued < s.Serial) {
		c.Publish = append(c.Publish, revokeBelow(s, s.Serial, s.RetireAt))
	}
	for _, r := range s.Revoked {
		if !slices.ContainsFunc(was.Revoked, r.same) {
			c.Publish = append(c.Publish, Revocation{Session: s.ID, JTI: r.JTI, Until: r.Until})
		}
	}
}

// learn adds to a ledger the foreign tokens that were revoked apart, the devices and
// networks that were seen, and when the user signed in.
func (c *Change) learn(l *Ledger, a *apart, now time.Time) {
	foreign := slices.Clone(l.Foreign)
	for _, jti := range slices.Sorted(maps.Keys(a.foreign)) {
		t := a.foreign[jti]
		stands := slices.ContainsFunc(l.Foreign, func(r RevokedToken) bool { return r.JTI == jti && !r.Until.Before(t.until) })
		if !stands && now.Before(t.until) {
			foreign = joinRevoked(foreign, []RevokedToken{{jti, t.until}})
			c.Foreign = foreign
			c.Publish = append(c.Publish, Revocation{JTI: t.name, Until: t.until})
		}
	}

	devices := make(map[deviceKey]KnownDevice)
	for _, d := range l.Devices {
		devices[d.key()] = d
	}
	devices = union(devices, a.devices, KnownDevice.join)
	maps.DeleteFunc(devices, func(_ deviceKey, d KnownDevice) bool { return !now.Before(d.LastSeenAt.Add(deviceMemory)) })
	known := latestDevices(slices.Collect(maps.Values(devices)))
	if slices.ContainsFunc(known, func(d KnownDevice) bool { return !slices.ContainsFunc(l.Devices, d.same) }) {
		c.Devices = known
	}

	networks := make(map[string]KnownNetwork)
	for _, n := range l.Networks {
		networks[n.Prefix] = n
	}
	networks = union(networks, a.networks, KnownNetwork.join)
	maps.DeleteFunc(networks, func(_ string, n KnownNetwork) bool { return !now.Before(n.LastSeenAt.Add(deviceMemory)) })
	places := latestNetworks(slices.Collect(maps.Values(networks)))
	if slices.ContainsFunc(places, func(n KnownNetwork) bool { return !slices.ContainsFunc(l.Networks, n.same) }) {
		c.Networks = places
	}
	if times := latestTimes(l.SignIns, a.signIns); !slices.EqualFunc(times, l.SignIns, time.Time.Equal) {
		c.SignIns = times
	}
	if a.reusedAt.After(l.ReusedAt) {
		c.ReusedAt = a.reusedAt
	}
}

func sortedIDs[V any](m map[ID]V) []ID {
	return slices.SortedFunc(maps.Keys(m), func(a, b ID) int { return slices.Compare(a[:], b[:]) })
}
