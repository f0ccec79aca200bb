package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

var concurrentCases = []testCase{
	{
		"concurrent/same-version",
		"Of several changes at once that were decided on the same version, or on an unknown user, exactly one is committed.",
		concurrentSameVersion,
	},
	{
		"concurrent/no-lost-update",
		"However many change one user at once, each commit is made on the version that it was decided on: none is lost.",
		concurrentNoLostUpdate,
	},
	{
		"concurrent/sent-again",
		"A change that is sent several times at once succeeds every time, is published whenever it does, and is applied and published once.",
		concurrentSentAgain,
	},
	{
		"concurrent/load",
		"Load returns a ledger as one change left it, never parts of two.",
		concurrentLoad,
	},
	{
		"concurrent/ledger-and-feed",
		"A change is in the ledger and in the feed at once, with all that it publishes: who sees it in one finds it in the other.",
		ledgerAndFeed,
	},
}

func concurrentSameVersion(k *kit) {
	user := k.user()
	var stands core.Ledger
	for range 12 {
		from := k.end()
		var mu sync.Mutex
		var won []core.Change
		k.parallel(times(6, func() {
			c := k.change(stands.Version, k.revocation())
			_, err := k.store.Commit(k.ctx, user, c)
			switch {
			case err == nil:
				mu.Lock()
				won = append(won, c)
				mu.Unlock()
			case !errors.Is(err, core.ErrConflict):
				k.errorf("Commit: got error %v, want none or ErrConflict", err)
			}
		})...)
		k.stopIfBroken()
		if len(won) != 1 {
			k.fatalf("got %d of 6 changes committed, want 1", len(won))
		}
		stands = won[0].Apply(stands)
		k.stands(user, stands)
		k.published(from, won[0].Publish...)
	}
}

func concurrentNoLostUpdate(k *kit) {
	const goroutines, each = 8, 10
	user := k.user()
	from := k.end()
	counter := k.session()
	counter.Gen = 0

	var mu sync.Mutex
	var decidedOn, made []core.ID
	k.parallel(times(goroutines, func() {
		stands := k.load(user)
		for done := 0; done < each; {
			c := k.change(stands.Version, k.revocation())
			c.Put[0] = counter
			if len(stands.Sessions) > 0 {
				c.Put[0].Gen = stands.Sessions[0].Gen
			}
			c.Put[0].Gen++
			now, err := k.store.Commit(k.ctx, user, c)
			switch {
			case err == nil:
				mu.Lock()
				decidedOn, made = append(decidedOn, c.If), append(made, c.ID)
				mu.Unlock()
				done++
				stands = c.Apply(stands)
			case errors.Is(err, core.ErrConflict):
				if now.Version == c.If {
					k.fatalf("Commit: got ErrConflict with the version %v that was decided on", now.Version)
				}
				stands = now
			default:
				k.fatalf("Commit: got error %v, want none or ErrConflict", err)
			}
		}
	})...)
	k.stopIfBroken()

	if got := distinct(decidedOn); got != goroutines*each {
		k.errorf("got %d commits on %d versions, want each on its own", len(decidedOn), got)
	}
	l := k.load(user)
	if len(l.Sessions) != 1 || l.Sessions[0].Gen != goroutines*each {
		k.errorf("got %d sessions, of generations %v, after %d increments of one", len(l.Sessions), gens(l), goroutines*each)
	}
	if !slices.Contains(made, l.Version) {
		k.errorf("got version %v, want that of a change that was committed", l.Version)
	}
	if got := len(k.ours(k.tail(from, 0).Events)); got != goroutines*each {
		k.errorf("got %d revocations from %d commits of one each", got, goroutines*each)
	}
}

func gens(l core.Ledger) []uint64 {
	var list []uint64
	for _, s := range l.Sessions {
		list = append(list, s.Gen)
	}
	return list
}

func concurrentSentAgain(k *kit) {
	user := k.user()
	from := k.end()
	var want core.Ledger
	var published []core.Revocation
	for range 10 {
		c := k.change(want.Version, k.revocations(2)...)
		before := k.end()
		k.parallel(times(4, func() {
			k.commit(user, c)
			k.published(before, c.Publish...)
		})...)
		k.stopIfBroken()
		want = c.Apply(want)
		published = append(published, c.Publish...)
		k.stands(user, want)
	}
	k.published(from, published...)
}

func concurrentLoad(k *kit) {
	user := k.user()
	c := k.filled(core.ID{})
	mark := func() { // every part carries the id of the change
		word := c.ID.String()
		c.Put, c.Devices = slices.Clone(c.Put), slices.Clone(c.Devices)
		c.Pending, c.Foreign = slices.Clone(c.Pending), slices.Clone(c.Foreign)
		c.Put[0].UserAgent, c.Put[1].UserAgent = word, word
		c.Devices[0].Name, c.Pending[0].Session.UserAgent, c.Foreign[0].JTI = word, word, word
	}
	mark()
	k.commit(user, c)

	writing, done := context.WithCancel(k.ctx)
	reader := func() {
		for n := 0; n == 0 || n < 200 && writing.Err() == nil; n++ {
			l := k.load(user)
			if len(l.Sessions) != 2 || len(l.Devices) != 2 || len(l.Pending) != 2 || len(l.Foreign) != 2 {
				k.fatalf("got %d sessions, %d devices, %d pending, %d foreign, want 2 of each",
					len(l.Sessions), len(l.Devices), len(l.Pending), len(l.Foreign))
			}
			l = sorted(l)
			word := l.Version.String()
			marks := []string{word, l.Sessions[0].UserAgent, l.Sessions[1].UserAgent}
			for i := range 2 {
				marks = append(marks, l.Devices[i].Name, l.Pending[i].Session.UserAgent, l.Foreign[i].JTI)
			}
			marks = slices.DeleteFunc(marks, func(m string) bool { return len(m) != len(word) })
			if len(marks) != 6 || distinct(marks) != 1 {
				k.fatalf("got parts of the changes %q in one ledger, want 6 of one", marks)
			}
		}
	}
	writer := func() {
		defer done()
		for range 40 {
			c.ID, c.If, c.At = newID(), c.ID, k.tick()
			mark()
			k.commit(user, c)
		}
	}
	k.parallel(writer, reader, reader, reader)
}

func ledgerAndFeed(k *kit) {
	const each = 3
	user := k.user()
	from := k.end()
	counter := k.session()
	counter.Gen = 0
	loaded := func() int {
		if l := k.load(user); len(l.Sessions) > 0 {
			return int(l.Sessions[0].Gen)
		}
		return 0
	}
	published := func() int { return len(k.ours(k.tail(from, 0).Events)) }

	writing, done := context.WithCancel(k.ctx)
	reader := func() {
		next := from
		for n := 0; writing.Err() == nil; n++ {
			if n%10 == 0 { // now and then after something happened, else at any time
				next = k.tail(next, time.Millisecond).Next
			}
			changes := loaded()
			revocations := published()
			if revocations%each != 0 {
				k.fatalf("got %d revocations of changes that publish %d each", revocations, each)
			}
			if revocations < changes*each {
				k.fatalf("got %d revocations when %d changes of %d each were made", revocations, changes, each)
			}
			if changes = loaded(); changes*each < revocations {
				k.fatalf("got %d changes when %d revocations, %d each, were published", changes, revocations, each)
			}
		}
	}
	writer := func() {
		defer done()
		var version core.ID
		for range 40 {
			counter.Gen++
			c := k.change(version, k.revocations(each)...)
			c.Put[0] = counter
			k.commit(user, c)
			version = c.ID
		}
	}
	k.parallel(writer, reader, reader)
}
