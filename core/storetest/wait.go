package storetest

import (
	"context"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

var waitCases = []testCase{
	{
		"wait/woken",
		"A Tail that waits returns with the first revocation committed after it began to, and with nothing else.",
		woken,
	},
	{
		"wait/in-vain",
		"A Tail whose wait is over without a revocation returns an empty batch, without Reset, from which to go on.",
		waitInVain,
	},
	{
		"wait/deadline",
		"A Tail that has nothing keeps waiting, and returns an error when its context is done first.",
		waitDeadline,
	},
	{
		"wait/cancelled",
		"A Tail that waits returns an error when its context is cancelled.",
		waitCancelled,
	},
}

// aMoment is a wait in which others get the time to begin theirs. Nothing fails
// if they don't.
const aMoment = 10 * time.Millisecond

func woken(k *kit) {
	user := k.user()
	next := k.end()
	var version core.ID
	for range 20 {
		quiet := k.change(version) // publishes nothing: not a reason to wake
		c := k.change(quiet.ID, k.revocations(2)...)
		from := next
		var got []core.Revocation
		k.parallel(
			func() { got, next = k.next(from) },
			func() {
				k.tail(from, aMoment)
				k.commit(user, quiet)
				k.tail(from, aMoment)
				k.commit(user, c)
			},
		)
		k.stopIfBroken()
		k.sameEvents("the batch that was waited for", got, c.Publish)
		version = c.ID
	}
}

// next waits for the next batch with a revocation of this case.
func (k *kit) next(after core.Cursor) ([]core.Revocation, core.Cursor) {
	for {
		b := k.tail(after, time.Hour)
		if len(b.Events) == 0 {
			k.fatalf("Tail with wait %v: got an empty batch, want it to wait", time.Hour)
		}
		if b.Reset {
			k.errorf("Tail: got Reset, want none")
		}
		if ours := k.ours(b.Events); len(ours) > 0 {
			return ours, b.Next
		}
		after = b.Next
	}
}

func waitInVain(k *kit) {
	next := k.end()
	for range 3 {
		b := k.tail(next, aMoment)
		if b.Reset {
			k.errorf("Tail: got Reset, want none")
		}
		k.sameEvents("the feed", b.Events, nil)
		next = b.Next
	}
	c := k.change(core.ID{}, k.revocation())
	k.commit(k.user(), c)
	b := k.tail(next, time.Hour) // there is one: no wait
	k.sameEvents("the feed", b.Events, c.Publish)
}

func waitDeadline(k *kit) {
	ctx, cancel := context.WithTimeout(k.ctx, 100*time.Millisecond)
	defer cancel()
	k.waitsUntilDone(ctx, k.end())
}

func waitCancelled(k *kit) {
	next := k.end()
	ctx, cancel := context.WithCancel(k.ctx)
	defer cancel()
	k.parallel(
		func() { k.waitsUntilDone(ctx, next) },
		func() {
			k.tail(next, aMoment)
			cancel()
		},
	)
}

// waitsUntilDone tails until an error, which has to be that of ctx.
func (k *kit) waitsUntilDone(ctx context.Context, after core.Cursor) {
	for {
		b, err := k.store.Tail(ctx, after, time.Hour)
		switch {
		case err != nil && ctx.Err() == nil:
			k.fatalf("Tail: got error %v, want it to wait", err)
		case err != nil && k.ctx.Err() != nil:
			k.fatalf("Tail: got no answer when its context was done, want an error")
		case err != nil:
			return
		case len(b.Events) == 0:
			k.fatalf("Tail with wait %v: got an empty batch and no error, want an error when its context is done", time.Hour)
		}
		after = b.Next
	}
}
