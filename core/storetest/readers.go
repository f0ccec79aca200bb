package storetest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

var readerCases = []testCase{
	{
		"concurrent/readers",
		"Everyone who follows the feed gets every revocation once, those of one commit in its order.",
		concurrentReaders,
	},
	{
		"concurrent/order",
		"If a commit returned before another of the same user began, its revocations come first, and everyone reads a user's in the same order.",
		concurrentOrder,
	},
}

// commitTimes is when a commit began and returned, by a clock that counts.
type commitTimes struct {
	user         string
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
			if i == 0 || i == each/2 {
				k.tail(k.end(), aMoment) // lets the readers catch up
			}
			c := k.change(version, k.revocations(i%3+1)...)
			t := commitTimes{user: user, commit: count()}
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
		type end struct {
			at int64
			of int
		}
		ended := map[string]end{}
		for _, r := range slices.Backward(events) {
			n := k.number(r)
			t := when[n]
			e, later := ended[t.user]
			if later && t.began > e.at {
				k.errorf("%s: got revocation %d before %d, whose commit returned before the other began", name, n, e.of)
			}
			if !later || t.ended < e.at {
				ended[t.user] = end{t.ended, n}
			}
		}
	}
}
