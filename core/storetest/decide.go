package storetest

import (
	"slices"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// change chooses whose ledger changes in a step, and how.
func (p *past) change(s *step) {
	user := p.user()
	u := p.of(user)
	s.users = []string{user}
	known := !u.ledger.Version.IsZero()
	s.anew = p.isOver(user)
	switch n := p.IntN(100); {
	case s.anew && n < 5:
		s.change, s.anew = p.decided(u), false
		s.change.If = p.id()
	case s.anew && n < 15:
		s.change = p.forgets(u)
		s.change.Publish = nil // as below
	case known && n < 6:
		s.change = p.forgets(u)
	case s.anew:
		s.change = p.whole(p.decided(u))
	case len(u.sent) > 0 && n < 14: // the last one again
		s.change = u.sent[len(u.sent)-1]
		s.either = s.change.Forget
	case !known && n < 28 && len(u.before(true)) > 0: // one from before a Forget
		s.change = anyOf(&p.script, u.before(true))
	case !known && n < 42 && len(u.before(false)) > 0:
		s.change = anyOf(&p.script, u.before(false))
	case len(u.sent) > 0 && n < 20: // one before
		s.change = anyOf(&p.script, u.sent)
		s.either = s.change.Forget && !known
	case known && n < 30: // one that was decided on something else
		s.change = p.decided(u)
		if p.odds(10) {
			s.change = p.forgets(u)
		}
		s.change.If = p.otherVersion(u)
	case !known && n < 46:
		s.change = p.forgets(u)
		s.change.Publish = nil // of one that is sent again a store may make what it likes
	case !known && n < 52:
		s.change = p.decided(u)
		s.change.If = p.id()
	default:
		s.change = p.decided(u)
	}
	if s.anew {
		s.change.If = core.ID{} // until a store has said what it has
	}
	for i := range s.change.Publish {
		s.change.Publish[i].UserID = user
	}
}

// before are changes that were committed: those that begin a user, who begins anew if one
// comes again after a Forget, or the others, which then conflict.
func (u *known) before(begins bool) []core.Change {
	return slices.DeleteFunc(slices.Clone(u.sent), func(c core.Change) bool { return c.Forget || c.If.IsZero() != begins })
}

// otherVersion returns one that is hardly the version of a user who is known.
func (p *past) otherVersion(u *known) core.ID {
	switch p.IntN(4) {
	case 0:
		return core.ID{}
	case 1:
		return p.id()
	case 2:
		return anyOf(&p.script, u.sent).ID // now and then the right one
	}
	if other := p.of(p.user()).ledger.Version; other != u.ledger.Version {
		return other
	}
	return core.ID{}
}

func (p *past) forgets(u *known) core.Change {
	c := core.Change{ID: p.id(), If: u.ledger.Version, At: p.now, Forget: true}
	for i := range u.ledger.Sessions {
		c.Publish = append(c.Publish, p.revocation(u.ledger.Sessions[i].ID))
	}
	return c
}

// decided returns a change that was decided on what stands.
func (p *past) decided(u *known) core.Change {
	c := core.Change{ID: p.id(), If: u.ledger.Version, At: p.now}
	puts := anyOf(&p.script, []int{0, 0, 1, 1, 1, 2, 3})
	many := p.IntN(150) == 0
	if many {
		puts = 80
	}
	for range puts {
		s := p.session()
		switch n := p.IntN(100); {
		case many:
		case n < 40 && len(u.ledger.Sessions) > 0:
			s.ID = anyOf(&p.script, u.ledger.Sessions).ID
		case n < 48 && len(u.ended) > 0: // it comes back
			s.ID = anyOf(&p.script, u.ended)
		case n < 53:
			if theirs := p.of(p.user()).ledger.Sessions; len(theirs) > 0 {
				s.ID = anyOf(&p.script, theirs).ID
			}
		}
		if !slices.ContainsFunc(c.Put, func(other core.Session) bool { return other.ID == s.ID }) {
			c.Put = append(c.Put, s)
		}
	}
	ends := 12
	if len(u.ledger.Sessions) > 6 {
		ends = 80
	}
	for _, s := range u.ledger.Sessions {
		if p.odds(ends) && !slices.ContainsFunc(c.Put, func(put core.Session) bool { return put.ID == s.ID }) {
			c.End = append(c.End, core.Ended{ID: s.ID, Reason: anyOf(&p.script, reasons)})
			if p.odds(90) {
				c.Publish = append(c.Publish, p.revocation(s.ID))
			}
		}
	}
	if p.odds(10) {
		c.End = append(c.End, core.Ended{ID: p.id(), Reason: core.ReasonExpired})
	}
	c.Devices = listOf(&p.script, "KnownDevice", func(d *core.KnownDevice) string { return d.ID })
	c.Pending = listOf(&p.script, "Pending", func(w *core.Pending) string { return w.Session.ID.String() })
	c.Foreign = listOf(&p.script, "RevokedToken", func(t *core.RevokedToken) string { return t.JTI })
	c.Networks = listOf(&p.script, "KnownNetwork", func(n *core.KnownNetwork) string { return n.Prefix })
	c.SignIns = p.signIns()
	if p.odds(15) {
		c.RevokedAt = p.now
	}
	if p.odds(15) {
		c.ReusedAt = p.now.Add(-p.life()) // neither of the others
	}
	for range anyOf(&p.script, []int{0, 0, 0, 1, 2}) {
		c.Publish = append(c.Publish, p.revocation(p.id()))
	}

	c.KeepUntil = p.now
	for _, list := range [][]core.Session{u.ledger.Sessions, c.Put} {
		for i := range list {
			if list[i].ExpiresAt.After(c.KeepUntil) {
				c.KeepUntil = list[i].ExpiresAt
			}
		}
	}
	c.KeepUntil = c.KeepUntil.Add(p.life())
	return c
}

var reasons = []core.Reason{
	core.ReasonSignedOut, core.ReasonSignedOutAll, core.ReasonRevokedByAdmin, core.ReasonReuse, core.ReasonEvicted, core.ReasonExpired,
}

// whole makes a change one that leaves nothing of a ledger that is over: a store may
// have it or not.
func (p *past) whole(c core.Change) core.Change {
	c.RevokedAt, c.ReusedAt = p.now, p.now.Add(-p.life())
	c.SignIns = append([]time.Time{}, c.SignIns...)
	c.Networks = append([]core.KnownNetwork{}, c.Networks...)
	c.Devices = append([]core.KnownDevice{}, c.Devices...)
	c.Pending = append([]core.Pending{}, c.Pending...)
	c.Foreign = append([]core.RevokedToken{}, c.Foreign...)
	return c
}

// life is how long something lasts.
func (s *script) life() time.Duration {
	longest := int64(6 * time.Hour)
	if s.odds(30) {
		longest = int64(10 * 24 * time.Hour)
	}
	return time.Duration(s.Int64N(longest)).Truncate(time.Millisecond)
}
