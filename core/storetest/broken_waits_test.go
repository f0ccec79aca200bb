package storetest_test

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

var brokenWaits = []broken{
	{
		name: "does not wait",
		how: func(b *bent) {
			b.tail = func(ctx context.Context, after core.Cursor, _ time.Duration) (core.Batch, error) {
				return b.store.Tail(ctx, after, 0)
			}
		},
		caught: []string{"wait/deadline"},
		also:   []string{"wait/woken", "wait/cancelled"}, // if nobody was faster
	},
	{
		name: "waits to the end, whatever comes",
		how: func(b *bent) {
			b.tail = func(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
				if after != "" {
					select {
					case <-time.After(wait):
					case <-ctx.Done():
					}
				}
				return b.store.Tail(ctx, after, 0)
			}
		},
		caught: []string{"wait/woken", "wait/in-vain", "feed/unknown-cursor"},
	},
	{
		name: "waits also from the zero cursor",
		how: func(b *bent) {
			b.tail = func(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
				batch, err := b.store.Tail(ctx, after, 0)
				if err == nil && len(batch.Events) == 0 {
					return b.store.Tail(ctx, batch.Next, wait)
				}
				return batch, err
			}
		},
		caught: []string{"feed/idle", "feed/unknown-cursor"},
	},
	{
		name: "any commit wakes",
		how: func(b *bent) {
			woken := make(chan struct{})
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				l, err := b.store.Commit(ctx, user, c)
				b.mu.Lock()
				defer b.mu.Unlock()
				close(woken)
				woken = make(chan struct{})
				return l, err
			}
			b.tail = func(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
				b.mu.Lock()
				wake := woken
				b.mu.Unlock()
				batch, err := b.store.Tail(ctx, after, 0)
				if err != nil || len(batch.Events) > 0 || batch.Reset || after == "" {
					return batch, err
				}
				select {
				case <-wake:
				case <-time.After(wait):
				case <-ctx.Done():
				}
				return b.store.Tail(ctx, after, 0)
			}
		},
		caught: []string{"wait/woken"},
	},
	{
		name: "a wait that is over is an error",
		how: func(b *bent) {
			b.tail = func(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
				batch, err := b.store.Tail(ctx, after, wait)
				if err == nil && wait > 0 && len(batch.Events) == 0 && after != "" {
					err = errors.New("i/o timeout")
				}
				return batch, err
			}
		},
		caught: []string{"wait/in-vain", "wait/woken", "wait/cancelled"},
		also:   []string{"concurrent/", "feed/unknown-cursor", "sweep/beside-commits"},
	},
	{
		name: "a context that is done ends the wait without an error",
		how: func(b *bent) {
			b.tail = func(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
				batch, err := b.store.Tail(ctx, after, wait)
				if err != nil && wait > 0 {
					return core.Batch{Next: after}, nil
				}
				return batch, err
			}
		},
		caught: []string{"wait/deadline", "wait/cancelled", "context/done"},
	},
}

var brokenContexts = []broken{
	{
		name: "ignores its context",
		how: func(b *bent) {
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				return b.store.Load(context.WithoutCancel(ctx), user)
			}
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				return b.store.Commit(context.WithoutCancel(ctx), user, c)
			}
			b.tail = func(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
				return b.store.Tail(context.WithoutCancel(ctx), after, wait)
			}
		},
		caught: []string{"context/done", "wait/deadline", "wait/cancelled"},
	},
	{
		name: "a change that was cut off is published",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				if ctx.Err() != nil {
					b.publish(c.Publish...)
				}
				return b.store.Commit(ctx, user, c)
			}
		},
		caught: []string{"context/done"},
		also:   []string{"context/cut"},
	},
	{
		name: "a change that was cut off in the middle is published",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				if ctx.Err() == nil {
					<-time.After(1)
					if ctx.Err() != nil {
						b.publish(c.Publish...)
					}
				}
				return b.store.Commit(ctx, user, c)
			}
		},
		caught: []string{"context/cut"},
	},
}
