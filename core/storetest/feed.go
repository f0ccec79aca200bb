package storetest

import (
	"time"

	"github.com/sallyport-go/sallyport/core"
)

var feedCases = []testCase{
	{
		"feed/order",
		"A user's revocations are in the feed in the order of their commits, those of one commit in its order, each once.",
		feedOrder,
	},
	{
		"feed/cursors",
		"After any cursor that was ever returned come exactly the revocations committed since, each once.",
		feedCursors,
	},
	{
		"feed/whole",
		"One Tail returns everything there is after its cursor, however much: a batch is never cut short.",
		feedWhole,
	},
	{
		"feed/before-return",
		"A revocation is in the feed before its Commit returns.",
		feedBeforeReturn,
	},
	{
		"feed/idle",
		"With wait 0, or from the zero cursor, Tail returns at once; the Next of an empty batch is a place to go on from.",
		feedIdle,
	},
	{
		"feed/unknown-cursor",
		"A cursor that is not of this feed gets Reset and, at once, all that a zero cursor gets.",
		unknownCursor,
	},
	{
		"feed/epoch",
		"The epoch is named after the first change committed in it and its time, and stays while the feed lives, on every batch.",
		epoch,
	},
}

func feedOrder(k *kit) {
	from := k.end()
	versions := map[string]core.ID{}
	users := []string{k.user(), k.user(), k.user()}
	var want []core.Revocation
	for i := range 30 {
		user := users[i*i%len(users)]
		c := k.change(versions[user], k.revocations(i%4)...)
		k.commit(user, c)
		versions[user] = c.ID
		want = append(want, c.Publish...)
	}
	k.published(from, want...)
	k.published("", want...)
	k.published(from, want...) // reading takes nothing away
}

func feedCursors(k *kit) {
	start := k.end()
	cursors := []core.Cursor{start}
	at := []int{0} // how many revocations came before each cursor
	var want []core.Revocation
	read := start
	var pages []core.Revocation
	for i := range 12 {
		c := k.change(core.ID{}, k.revocations(i%3)...)
		k.commit(k.user(), c)
		want = append(want, c.Publish...)
		b := k.tail(read, 0)
		pages, read = append(pages, b.Events...), b.Next
		cursors, at = append(cursors, b.Next, k.end()), append(at, len(want), len(want))
	}
	k.sameEvents("the feed, read after every commit", pages, want)
	for i, c := range cursors {
		k.published(c, want[at[i]:]...)
	}
}

func feedWhole(k *kit) {
	from := k.end()
	var want []core.Revocation
	for range 5 {
		c := k.change(core.ID{}, k.revocations(256)...)
		k.commit(k.user(), c)
		want = append(want, c.Publish...)
	}
	k.published("", want...)
	end := k.published(from, want...)
	k.published(end)
}

func feedBeforeReturn(k *kit) {
	next := k.end()
	user := k.user()
	var version core.ID
	for range 25 {
		c := k.change(version, k.revocation())
		k.commit(user, c)
		next = k.published(next, c.Publish...)
		version = c.ID
	}
}

func feedIdle(k *kit) {
	b := k.tail("", 0)
	if b.Reset {
		k.errorf("Tail from the zero cursor: got Reset, want none: nothing is missing")
	}
	next := b.Next
	if next == "" {
		k.fatalf("Tail: got the zero cursor as Next, want one to wait at")
	}
	for range 3 {
		next = k.published(next)
	}
	k.tail("", time.Hour) // does not wait, though there may be nothing

	c := k.change(core.ID{}) // nor is a commit that publishes nothing in the way
	user := k.user()
	k.commit(user, c)
	next = k.published(next)

	c = k.change(c.ID, k.revocation())
	k.commit(user, c)
	k.published(next, c.Publish...)
	k.published(b.Next, c.Publish...)
}

func unknownCursor(k *kit) {
	if b := k.tail("no such cursor", time.Hour); !b.Reset || b.Next == "" { // of a feed with nothing in it, perhaps
		k.errorf("Tail after an unknown cursor: got Reset %t and Next %q, want Reset and a place to go on from", b.Reset, b.Next)
	}
	c := k.change(core.ID{}, k.revocations(3)...)
	k.commit(k.user(), c)
	end := k.end()
	for _, cursor := range []core.Cursor{
		"no such cursor", " ", "-1", "\xff\x00", "%", end + "~", " " + end, end[:len(end)/2] + "~" + end[len(end)/2:],
	} {
		b := k.tail(cursor, time.Hour)
		if !b.Reset {
			k.errorf("Tail after %q: got no Reset, want one", cursor)
		}
		k.sameEvents("the feed after an unknown cursor", b.Events, c.Publish)
		k.published(b.Next)
	}
}

func epoch(k *kit) {
	before := k.tail("", 0).Epoch
	user := k.user()
	first := k.change(core.ID{})
	first.At = first.At.Add(7 * time.Millisecond)
	k.commit(user, first)
	b := k.tail("", 0)
	if b.Epoch.ID.IsZero() || b.Epoch.Began.IsZero() {
		k.fatalf("after a commit: got epoch %v, begun %s, want one", b.Epoch.ID, show(b.Epoch.Began))
	}
	switch {
	case before.ID.IsZero():
		k.sameEpoch("after the first commit", b.Epoch, core.Epoch{ID: first.ID, Began: first.At})
	default:
		k.sameEpoch("after a commit", b.Epoch, before)
	}

	second := k.change(first.ID, k.revocations(2)...)
	k.commit(user, second)
	k.commit(k.user(), k.change(core.ID{}, k.revocation()))
	k.commit(user, core.Change{ID: newID(), If: second.ID, At: k.tick(), Forget: true})
	k.sameEpoch("from the zero cursor", k.tail("", 0).Epoch, b.Epoch)
	more := k.tail(b.Next, 0)
	k.sameEpoch("with new revocations", more.Epoch, b.Epoch)
	k.sameEpoch("with none", k.tail(more.Next, 0).Epoch, b.Epoch)
	k.sameEpoch("with Reset", k.tail("no such cursor", 0).Epoch, b.Epoch)
}

func (k *kit) sameEpoch(when string, got, want core.Epoch) {
	for _, d := range differences(got, want) {
		k.errorf("%s: Epoch.%s", when, d)
	}
}
