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
		"A change that is sent several times at once succeeds every time, and is applied and published once.",
		concurrentSentAgain,
	},
	{
		"concurrent/load",
		"Load returns a ledger as one change left it, never parts of two.",
		concurrentLoad,
	},
	{
		"concurrent/readers",
		"Everyone who follows the feed gets every revocation once, those of one commit in its order.",
		concurrentReaders,
	},
	{
		"concurrent/order",
		"If a commit returned before another began, its revocations come first, and everyone reads the same order.",
		concurrentOrder,
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
		k.parallel(times(4, func() { k.commit(user, c) })...)
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
		for n := 0; n < 200 && writing.Err() == nil; n++ {
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

// commitTimes is when a commit began and returned, by a clock that counts.
type commitTimes struct {
	commit       int64
	began, ended int64
}

// busyFeed lets several users commit at once while others follow the feed. It
// returns what each of those got, and of every revocation, in the order of
// its number, which commit it was of and when.
func (k *kit) busyFeed() (read map[string][]core.Revocation, when map[int]commitTimes) {
	const writers, each = 6, 12
	from := k.end()
	read, when = map[string][]core.Revocation{}, map[int]commitTimes{}
	var mu sync.Mutex
	var clock int64
	count := func() int64 {
		mu.Lock()
		defer mu.Unlock()
		clock++
		return clock
	}

	writing, done := context.WithCancel(k.ctx)
	defer done()
	follower := func(name string, wait time.Duration) func() {
		return func() {
			got := k.follow(writing, from, wait)
			mu.Lock()
			defer mu.Unlock()
			read[name] = got
		}
	}
	write := func() {
		user := k.user()
		var version core.ID
		for i := range each {
			c := k.change(version, k.revocations(i%3+1)...)
			t := commitTimes{commit: count()}
			t.began = t.commit
			k.commit(user, c)
			t.ended = count()
			version = c.ID
			mu.Lock()
			for _, r := range c.Publish {
				when[k.number(r)] = t
			}
			mu.Unlock()
		}
	}
	k.parallel(
		follower("a reader that waits", time.Hour),
		follower("another reader that waits", time.Hour),
		follower("a reader that asks often", time.Millisecond),
		func() {
			defer done()
			k.parallel(times(writers, write)...)
		},
	)
	k.stopIfBroken()
	read["a reader that came later"] = k.ours(k.tail(from, 0).Events)
	read["a reader from the zero cursor"] = k.ours(k.tail("", 0).Events)
	return read, when
}

// follow reads the feed until writing is done, and then what is left of it.
func (k *kit) follow(writing context.Context, after core.Cursor, wait time.Duration) []core.Revocation {
	var got []core.Revocation
	for writing.Err() == nil {
		b, err := k.store.Tail(writing, after, wait)
		if err != nil {
			if writing.Err() == nil {
				k.fatalf("Tail: got error %v, want none", err)
			}
			break
		}
		if b.Reset {
			k.errorf("Tail: got Reset, want none")
		}
		got, after = append(got, k.ours(b.Events)...), b.Next
	}
	return append(got, k.ours(k.tail(after, 0).Events)...)
}

func concurrentReaders(k *kit) {
	read, when := k.busyFeed()
	for name, events := range read {
		seen := map[int]int{}
		last := map[int64]int{} // of each commit
		for _, r := range events {
			n := k.number(r)
			seen[n]++
			if commit := when[n].commit; n < last[commit] {
				k.errorf("%s: got revocation %d after %d of the same commit", name, n, last[commit])
			} else {
				last[commit] = n
			}
		}
		for n := range when {
			if seen[n] != 1 {
				k.errorf("%s: got revocation %d %d times, want once", name, n, seen[n])
			}
		}
	}
}

func concurrentOrder(k *kit) {
	read, when := k.busyFeed()
	want := read["a reader that came later"]
	for name, events := range read {
		k.sameEvents(name+", against one that came later", events, want)
		// From the back: nothing may have begun after something later ended.
		ended, of := int64(1<<62), 0
		for _, r := range slices.Backward(events) {
			n := k.number(r)
			if when[n].began > ended {
				k.errorf("%s: got revocation %d before %d, whose commit returned before the other began", name, n, of)
			}
			if when[n].ended < ended {
				ended, of = when[n].ended, n
			}
		}
	}
}
