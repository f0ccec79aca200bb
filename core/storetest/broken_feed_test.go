package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// wholeFeeds are the cases that look at what was published.
var wholeFeeds = []string{
	"feed/", "wait/", "context/", "concurrent/", "sweep/", "version/", "value/", "ledger/forget", "ledger/memory-not-kept",
	"ledger/memory-not-handed-out",
}

// back is the cursor n revocations before c. Only a test may know that a
// memstore's ends in the position.
func back(c core.Cursor, n int) core.Cursor {
	name, pos, _ := strings.Cut(string(c), ".")
	at, _ := strconv.Atoi(pos)
	return core.Cursor(name + "." + strconv.Itoa(max(0, at-n)))
}

var brokenFeeds = []broken{
	{
		name: "every fifth revocation is lost",
		how: func(b *bent) {
			n := 0
			b.publishing(func(list []core.Revocation) []core.Revocation {
				b.mu.Lock()
				defer b.mu.Unlock()
				return slices.DeleteFunc(list, func(core.Revocation) bool { n++; return n%5 == 0 })
			})
		},
		caught: []string{"feed/order", "feed/cursors", "feed/whole", "feed/before-return", "wait/woken", "concurrent/readers"},
		also:   wholeFeeds,
	},
	{
		name: "the order in a commit is turned round",
		how: func(b *bent) {
			b.publishing(func(list []core.Revocation) []core.Revocation { slices.Reverse(list); return list })
		},
		caught: []string{"feed/order", "feed/cursors", "concurrent/readers"},
		also:   wholeFeeds,
	},
	{
		name: "ordered by session",
		how: func(b *bent) {
			b.reading(func(_ core.Cursor, batch *core.Batch) {
				slices.SortFunc(batch.Events, func(x, y core.Revocation) int { return bytes.Compare(x.Session[:], y.Session[:]) })
			})
		},
		// Not always by feed/cursors: its four pairs may come in order by chance.
		caught: []string{"feed/order", "feed/whole", "concurrent/order"},
		also:   wholeFeeds,
	},
	{
		name: "each user's own order, but not that of commits",
		how: func(b *bent) { // of two commits the later one comes first
			var held []core.Revocation
			b.publishing(func(list []core.Revocation) []core.Revocation {
				b.mu.Lock()
				defer b.mu.Unlock()
				if len(held) > 0 {
					list, held = append(list, held...), nil
				} else {
					list, held = nil, list
				}
				return list
			})
		},
		caught: []string{"feed/order", "feed/before-return", "concurrent/order"},
		also:   wholeFeeds,
	},
	{
		name: "published after the commit returned",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				stands, _ := b.store.Load(ctx, user)
				list := c.Publish
				c.Publish = nil
				l, err := b.store.Commit(ctx, user, c)
				if err == nil && stands.Version != c.ID {
					time.AfterFunc(time.Millisecond, func() { b.publish(list...) })
				}
				return l, err
			}
		},
		caught: []string{"feed/before-return", "feed/order"},
		also:   wholeFeeds,
	},
	{
		name: "the first revocation of every page is lost",
		how: func(b *bent) {
			b.reading(func(after core.Cursor, batch *core.Batch) {
				if after != "" && len(batch.Events) > 0 {
					batch.Events = batch.Events[1:]
				}
			})
		},
		caught: []string{"feed/cursors", "feed/before-return", "wait/woken", "concurrent/readers"},
		also:   wholeFeeds,
	},
	{
		name: "the last revocation of a page comes again on the next",
		how: func(b *bent) {
			b.tail = func(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
				batch, err := b.store.Tail(ctx, after, wait)
				if err == nil && after != "" && len(batch.Events) > 0 && !batch.Reset {
					return b.store.Tail(ctx, back(after, 1), 0)
				}
				return batch, err
			}
		},
		caught: []string{"feed/cursors", "feed/before-return", "concurrent/readers"},
		also:   wholeFeeds,
	},
	{
		name: "a batch is cut at 1000",
		how: func(b *bent) {
			b.reading(func(_ core.Cursor, batch *core.Batch) {
				if more := len(batch.Events) - 1000; more > 0 {
					batch.Events, batch.Next = batch.Events[:1000], back(batch.Next, more)
				}
			})
		},
		caught: []string{"feed/whole"},
	},
	{
		name: "reading takes away",
		how: func(b *bent) {
			var at core.Cursor
			b.tail = func(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
				b.mu.Lock()
				from := at
				b.mu.Unlock()
				if after == "" {
					wait = 0
				}
				batch, err := b.store.Tail(ctx, from, wait)
				b.mu.Lock()
				defer b.mu.Unlock()
				if err == nil {
					at = batch.Next
				}
				return batch, err
			}
		},
		caught: []string{"feed/order", "feed/cursors", "feed/unknown-cursor", "concurrent/readers"},
		also:   wholeFeeds,
	},
	{
		name: "no Next without a revocation",
		how: func(b *bent) {
			b.reading(func(_ core.Cursor, batch *core.Batch) {
				if len(batch.Events) == 0 {
					batch.Next = ""
				}
			})
		},
		caught: []string{"feed/idle"},
		also:   wholeFeeds,
	},
	{
		name: "an unknown cursor is the end of the feed",
		how: func(b *bent) {
			b.reading(func(_ core.Cursor, batch *core.Batch) {
				if batch.Reset {
					batch.Reset, batch.Events = false, nil
				}
			})
		},
		caught: []string{"feed/unknown-cursor"},
		also:   []string{"sweep/over"},
	},
	{
		name: "Reset at every start",
		how: func(b *bent) {
			b.reading(func(after core.Cursor, batch *core.Batch) { batch.Reset = after == "" || batch.Reset })
		},
		caught: []string{"feed/idle"},
	},
	{
		name: "Reset with every revocation",
		how: func(b *bent) {
			b.reading(func(_ core.Cursor, batch *core.Batch) { batch.Reset = batch.Reset || len(batch.Events) > 0 })
		},
		caught: []string{"feed/cursors", "wait/woken"},
		also:   wholeFeeds,
	},
	{
		name: "an unknown cursor is an error",
		how: func(b *bent) {
			b.tail = func(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
				batch, err := b.store.Tail(ctx, after, wait)
				if batch.Reset {
					err = errors.New("invalid stream id")
				}
				return batch, err
			}
		},
		caught: []string{"feed/unknown-cursor", "feed/epoch"},
		also:   []string{"sweep/over"},
	},
	{
		name: "the epoch is the last change",
		how: func(b *bent) {
			var last core.Epoch
			b.changing(func(_ core.Ledger, c *core.Change) {
				b.mu.Lock()
				defer b.mu.Unlock()
				last = core.Epoch{ID: c.ID, Began: c.At}
			})
			b.reading(func(_ core.Cursor, batch *core.Batch) {
				b.mu.Lock()
				defer b.mu.Unlock()
				batch.Epoch = last
			})
		},
		caught: []string{"feed/epoch"},
	},
	{
		name: "no epoch without a revocation",
		how: func(b *bent) {
			b.reading(func(_ core.Cursor, batch *core.Batch) {
				if len(batch.Events) == 0 {
					batch.Epoch = core.Epoch{}
				}
			})
		},
		caught: []string{"feed/epoch"},
	},
}
