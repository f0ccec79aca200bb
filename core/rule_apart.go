package core

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// apart is what one process did with a user's ledger while the store was out: it
// went on from the last ledger that it knew, or from none, by the ordinary rules.
// It keeps what came of it, so it grows with the sessions and not with what they
// did. The zero apart is nothing done. For what becomes of it see rejoin.
type apart struct {
	at       time.Time // of the latest decision
	sessions map[ID]apartSession
	ended    map[ID]apartEnd
	foreign  map[string]apartToken // revoked here, by jti
	devices  map[deviceKey]KnownDevice
	networks map[string]KnownNetwork // by prefix
	signIns  []time.Time             // those here, the latest first
	reusedAt time.Time

	// revokedAt is when all sessions were last ended here; zero: they were not.
	// spared are those that were known and left, or began later, with CreatedAt,
	// unless overtakes passes them over anyway.
	revokedAt time.Time
	spared    map[ID]time.Time
}

// apartSession is a session that was begun or changed here, and has not ended here.
type apartSession struct {
	Session
	begun bool // it began here: the store never had it
	// issued is the lowest serial of the access tokens that were issued here and
	// outlive those of before; 0: there are none.
	issued uint64
}

// join joins the session, and what this process has to do with it.
func (s apartSession) join(o apartSession) apartSession {
	issued := max(s.issued, o.issued)
	if s.issued > 0 && o.issued > 0 {
		issued = min(s.issued, o.issued)
	}
	return apartSession{s.Session.join(&o.Session), s.begun || o.begun, issued}
}

// apartEnd is the end of a session here, whether or not the store knew it.
type apartEnd struct {
	reason Reason
	until  time.Time // as AccessRecord.Until
}

// apartToken is the revocation of a token that belongs to no session.
type apartToken struct {
	until time.Time
	name  string // what the feed calls it
}

type deviceKey struct {
	id     string
	signed bool
}

func (d *KnownDevice) key() deviceKey { return deviceKey{d.ID, d.Signed} }

// note adds a change that was decided on before, the ledger as it was here. That
// something was dropped because it is over is no end: the store may know better.
// Forget needs the store; of one made here the ends are noted, and nothing is known
// of devices.
func (a *apart) note(before *Ledger, c *Change) {
	if a.sessions == nil {
		a.sessions, a.ended, a.spared = make(map[ID]apartSession), make(map[ID]apartEnd), make(map[ID]time.Time)
		a.foreign, a.devices = make(map[string]apartToken), make(map[deviceKey]KnownDevice)
		a.networks = make(map[string]KnownNetwork)
	}
	a.at = latest(a.at, c.At)
	reasons := make(map[ID]Reason)
	for _, e := range c.End {
		reasons[e.ID] = e.Reason
	}
	revoked := make(map[ID]bool)
	var names []string
	for _, r := range c.Publish {
		if r.Session.IsZero() {
			names = append(names, r.JTI)
		}
		revoked[r.Session] = revoked[r.Session] || r.MinSerial == AllSerials
	}
	newest := make(map[ID]ID) // access tokens
	for _, s := range before.Sessions {
		newest[s.ID] = s.Access.JTI
		if revoked[s.ID] {
			a.ended[s.ID] = apartEnd{cmp.Or(reasons[s.ID], ReasonForgotten), s.Access.Until}
		}
	}
	if !c.RevokedAt.IsZero() {
		a.revokedAt = c.RevokedAt
		clear(a.spared)
		for _, s := range before.live(c.At) {
			if !revoked[s.ID] {
				a.spare(&s)
			}
		}
	}
	for _, s := range c.Put {
		mine, noted := a.sessions[s.ID]
		jti, had := newest[s.ID]
		mine.Session, mine.begun = s.Clone(), mine.begun || !noted && !had
		if mine.issued == 0 && s.Access.JTI != jti {
			mine.issued = s.Serial
		}
		a.sessions[s.ID] = mine
		a.spare(&s)
	}
	for _, r := range c.Foreign {
		if !before.revokedForeign(r.JTI) { // each has its name, in this order
			a.foreign[r.JTI] = apartToken{r.Until, names[0]}
			names = names[1:]
		}
	}
	for _, d := range c.Devices {
		if !slices.ContainsFunc(before.Devices, d.same) {
			a.devices[d.key()] = d
		}
	}
	for _, n := range c.Networks {
		if !slices.ContainsFunc(before.Networks, n.same) {
			a.networks[n.Prefix] = n
		}
	}
	for _, t := range c.SignIns {
		if !slices.ContainsFunc(before.SignIns, t.Equal) {
			a.signIns = latestTimes(a.signIns, []time.Time{t})
		}
	}
	a.reusedAt = latest(a.reusedAt, c.ReusedAt)
	if c.Forget {
		clear(a.devices)
		clear(a.networks)
		a.signIns, a.reusedAt = nil, time.Time{}
	}
	a.settle()
}

// spare has the end of all sessions pass a session over.
func (a *apart) spare(s *Session) {
	if s.CreatedAt.Before(a.revokedAt.Add(clockMargin)) {
		a.spared[s.ID] = s.CreatedAt
	}
}

// overtakes reports whether the end of all sessions here ends one that it did not
// spare: one that began before, or so soon after that it may be from before by
// another clock, or by the credentials that were checked.
func (a *apart) overtakes(id ID, created time.Time) bool {
	_, spared := a.spared[id]
	return !spared && created.Before(a.revokedAt.Add(clockMargin))
}

// settle moves what has ended from the sessions to the ends.
func (a *apart) settle() {
	for id, s := range a.sessions {
		e, ended := a.ended[id]
		if ended || a.overtakes(id, s.CreatedAt) {
			a.ended[id] = e.join(apartEnd{ReasonOvertaken, s.Access.Until})
			delete(a.sessions, id)
		}
	}
}

// join returns what two processes did apart, as if one had. Any order and grouping
// comes to the same, and once is as good as twice. What ended on either side has
// ended. Both stay as they are. Neither may have gone on from what only the other
// did: a session that began apart stays with one apart until it is stored.
func (a *apart) join(b *apart) *apart {
	j := &apart{
		at:       latest(a.at, b.at),
		sessions: union(a.sessions, b.sessions, apartSession.join),
		ended:    union(a.ended, b.ended, apartEnd.join),
		foreign: union(a.foreign, b.foreign, func(x, y apartToken) apartToken {
			return apartToken{latest(x.until, y.until), max(x.name, y.name)}
		}),
		devices:   union(a.devices, b.devices, KnownDevice.join),
		networks:  union(a.networks, b.networks, KnownNetwork.join),
		signIns:   latestTimes(a.signIns, b.signIns),
		reusedAt:  latest(a.reusedAt, b.reusedAt),
		revokedAt: latest(a.revokedAt, b.revokedAt),
		spared:    union(a.spared, b.spared, latest),
	}
	maps.DeleteFunc(j.spared, func(id ID, created time.Time) bool { return a.overtakes(id, created) || b.overtakes(id, created) })
	j.settle()
	return j
}

// join keeps one reason of two, always the same: one that was given for this very
// session, if there is one.
func (e apartEnd) join(o apartEnd) apartEnd {
	why := max(e.reason, o.reason)
	if why == ReasonOvertaken {
		why = cmp.Or(min(e.reason, o.reason), why)
	}
	return apartEnd{why, latest(e.until, o.until)}
}

// join takes what is known of a device from when it was seen last.
func (d KnownDevice) join(o KnownDevice) KnownDevice {
	if cmp.Or(d.LastSeenAt.Compare(o.LastSeenAt), cmp.Compare(d.text(), o.text())) < 0 {
		d, o = o, d
	}
	d.FirstSeenAt = earliest(d.FirstSeenAt, o.FirstSeenAt)
	return d
}

// text is all of a device but its times, as text.
func (d *KnownDevice) text() string {
	signed := ""
	if d.Signed {
		signed = "signed"
	}
	return strings.Join([]string{d.ID, signed, d.Name, d.Type, d.ClientType, d.Browser, d.OS, d.IP, d.Location.Country, d.Location.City}, "\x00")
}

func (d *KnownDevice) same(o KnownDevice) bool {
	return d.text() == o.text() && d.FirstSeenAt.Equal(o.FirstSeenAt) && d.LastSeenAt.Equal(o.LastSeenAt)
}

// join takes what is known of a network from when it was seen last.
func (n KnownNetwork) join(o KnownNetwork) KnownNetwork {
	if cmp.Or(n.LastSeenAt.Compare(o.LastSeenAt), cmp.Compare(n.text(), o.text())) < 0 {
		return o
	}
	return n
}

// text is all of a network but its time, as text.
func (n *KnownNetwork) text() string {
	return strings.Join([]string{n.Prefix, strconv.FormatUint(uint64(n.ASN), 10), n.Location.Country, n.Location.City}, "\x00")
}

func (n *KnownNetwork) same(o KnownNetwork) bool {
	return n.text() == o.text() && n.LastSeenAt.Equal(o.LastSeenAt)
}

// latestTimes returns the latest of both, the latest first, as many sign-ins as a
// ledger remembers.
func latestTimes(a, b []time.Time) []time.Time {
	out := slices.SortedFunc(slices.Values(slices.Concat(a, b)), func(t, u time.Time) int { return u.Compare(t) })
	out = slices.CompactFunc(out, time.Time.Equal)
	return out[:min(len(out), signInsCeiling)]
}

// union returns what is in a or b, joined where it is in both.
func union[K comparable, V any](a, b map[K]V, join func(V, V) V) map[K]V {
	out := make(map[K]V, len(a)+len(b))
	maps.Copy(out, a)
	for k, v := range b {
		if have, both := out[k]; both {
			v = join(have, v)
		}
		out[k] = v
	}
	return out
}
