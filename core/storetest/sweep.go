package storetest

import (
	"context"
	"slices"

	"github.com/sallyport-go/sallyport/core"
)

var sweepCases = []testCase{
	{
		"sweep/over",
		"Sweep removes what ended before its time: sessions, ledgers, revocations. What ends at that time or later stays, and so does every version.",
		sweepOver,
	},
	{
		"sweep/limit",
		"Sweep removes about limit things at most, and returns fewer than limit when nothing is left that is over.",
		sweepLimit,
	},
	{
		"sweep/readers",
		"Who has read the feed to its end misses nothing by a Sweep, and is not told that he did.",
		sweepReaders,
	},
	{
		"sweep/beside-commits",
		"A Sweep undoes no Commit that happens at the same time, and makes none fail.",
		sweepBesideCommits,
	},
}

// The hours at which things end in these cases: before, at and after the time
// that Sweep is given.
const (
	over  = 1
	bound = 2
	later = 3
)

func (k *kit) sweeper() core.Sweeper {
	s, ok := k.store.(core.Sweeper)
	if !ok {
		k.skip("the store is no core.Sweeper")
	}
	return s
}

// sweepAll sweeps until nothing is left.
func (k *kit) sweepAll(limit int) {
	s := k.sweeper()
	for range 10_000 {
		n, err := s.Sweep(k.ctx, k.in(bound), limit)
		if err != nil {
			k.fatalf("Sweep: got error %v, want none", err)
		}
		if n < limit {
			return
		}
	}
	k.fatalf("Sweep: got no end")
}

func (k *kit) sessionUntil(hours int) core.Session {
	s := k.session()
	s.ExpiresAt = k.in(hours)
	return s
}

func (k *kit) revocationUntil(hours int) core.Revocation {
	return k.mine(core.Revocation{Session: newID(), MinSerial: core.AllSerials, Until: k.in(hours)})
}

func sweepOver(k *kit) {
	k.sweeper()
	from := k.end()
	mixed, idle, gone, edge := k.user(), k.user(), k.user(), k.user()

	// Some sessions are over, and some revocations, old and new.
	c := k.filled(core.ID{})
	c.Put = append(c.Put, k.sessionUntil(over), k.sessionUntil(bound), k.sessionUntil(later), k.sessionUntil(over))
	c.Publish = []core.Revocation{
		k.revocationUntil(later), k.revocationUntil(over), k.revocationUntil(bound), k.revocationUntil(over),
	}
	k.commit(mixed, c)
	stays := c
	stays.Put = slices.Concat(c.Put[:2], c.Put[3:5])

	// All sessions are over; the ledger is not.
	d := k.filled(core.ID{})
	d.Put = []core.Session{k.sessionUntil(over), k.sessionUntil(over)}
	k.commit(idle, d)
	ended := d
	ended.Put = nil

	// The ledger is over, or just not yet.
	e := k.change(core.ID{}, k.revocationUntil(over), k.revocationUntil(later))
	e.Put, e.KeepUntil = []core.Session{k.sessionUntil(over)}, k.in(over)
	k.commit(gone, e)
	f := k.change(core.ID{})
	f.Put, f.KeepUntil = []core.Session{k.sessionUntil(bound), k.sessionUntil(over)}, k.in(bound)
	k.commit(edge, f)
	f.Put = f.Put[:1]

	k.sweepAll(100)
	k.sweepAll(100) // nothing is left to do
	k.stands(mixed, stays.Apply(core.Ledger{}))
	k.stands(idle, ended.Apply(core.Ledger{}))
	k.stands(gone, core.Ledger{})
	k.stands(edge, f.Apply(core.Ledger{}))
	k.sameEvents("the feed", k.tail("", 0).Events, []core.Revocation{c.Publish[0], c.Publish[2], e.Publish[1]})
	// Whether those that are over count as missing is for the store to say.
	k.sameEvents("the feed from before", k.tail(from, 0).Events, []core.Revocation{c.Publish[0], c.Publish[2], e.Publish[1]})

	next := k.change(c.ID)
	k.commit(mixed, next)
	k.stands(mixed, next.Apply(stays.Apply(core.Ledger{})))
	k.conflict(gone, k.change(e.ID), core.Ledger{})
	k.commit(gone, k.change(core.ID{}))

	done, cancel := context.WithCancel(k.ctx)
	cancel()
	if _, err := k.sweeper().Sweep(done, k.in(bound), 100); err == nil {
		k.errorf("Sweep with a context that is done: got no error, want one")
	}
}

func sweepLimit(k *kit) {
	const users, each, limit = 10, 4, 8
	k.sweepAll(1000) // what others left
	var ids []string
	for range users {
		user := k.user()
		c := k.change(core.ID{})
		c.Put = []core.Session{k.sessionUntil(later)}
		for range each {
			c.Put = append(c.Put, k.sessionUntil(over))
			c.Publish = append(c.Publish, k.revocationUntil(over))
		}
		k.commit(user, c)
		ids = append(ids, user)
	}
	left := func() int {
		n := len(k.ours(k.tail("", 0).Events))
		for _, user := range ids {
			n += len(k.load(user).Sessions) - 1
		}
		return n
	}
	all := left()
	for all > 0 {
		n, err := k.sweeper().Sweep(k.ctx, k.in(bound), limit)
		if err != nil {
			k.fatalf("Sweep: got error %v, want none", err)
		}
		now := left()
		if removed := all - now; removed > 4*limit {
			k.errorf("Sweep with limit %d removed %d things", limit, removed)
		}
		if n < limit && now > 0 {
			k.fatalf("Sweep with limit %d: got %d with %d things left", limit, n, now)
		}
		if n >= limit && now == all {
			k.fatalf("Sweep with limit %d: got %d, but nothing was removed", limit, n)
		}
		all = now
	}
	for _, user := range ids {
		if got := len(k.load(user).Sessions); got != 1 {
			k.errorf("got %d sessions, want the one that is not over", got)
		}
	}
}

func sweepReaders(k *kit) {
	k.sweeper()
	k.commit(k.user(), k.change(core.ID{}, k.revocationUntil(later), k.revocationUntil(over)))
	end := k.end()
	k.sweepAll(100)
	end = k.published(end)
	c := k.change(core.ID{}, k.revocation())
	k.commit(k.user(), c)
	k.published(end, c.Publish...)
}

func sweepBesideCommits(k *kit) {
	k.sweeper()
	user := k.user()
	c := k.change(core.ID{})
	live := k.sessionUntil(later)
	c.Put = []core.Session{live}
	k.commit(user, c)

	writing, done := context.WithCancel(k.ctx)
	k.parallel(
		func() {
			defer done()
			for i := range 80 {
				if i == 40 {
					k.tail(k.end(), aMoment) // lets the other sweep
				}
				live.Gen++
				c = k.change(c.ID)
				c.Put = []core.Session{live, k.sessionUntil(over)}
				k.commit(user, c)
				if l := k.load(user); !slices.Contains(gens(l), live.Gen) {
					k.fatalf("got sessions of generations %v after the commit of one of %d", gens(l), live.Gen)
				}
			}
		},
		func() {
			for n := 0; n < 100 && writing.Err() == nil; n++ {
				k.sweepAll(100)
			}
		},
	)
	k.stopIfBroken()
	k.sweepAll(1000)
	l := k.load(user)
	if l.Version != c.ID || len(l.Sessions) != 1 || l.Sessions[0].Gen != live.Gen {
		k.errorf("got version %v and sessions of generations %v, want %v and [%d]", l.Version, gens(l), c.ID, live.Gen)
	}
}
