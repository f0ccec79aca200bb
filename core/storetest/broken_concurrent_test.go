package storetest_test

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// These take their time between two steps, as a store does that takes two round
// trips. In a bubble that is long enough for everybody else.
var brokenConcurrent = []broken{
	{
		name: "compares, then swaps",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				stands, err := b.store.Load(ctx, user)
				if err != nil || stands.Version == c.ID {
					return core.Ledger{}, err
				}
				if stands.Version != c.If {
					return stands, core.ErrConflict
				}
				<-time.After(1)
				for { // whatever was committed in between is lost
					stands, _ = b.store.Load(ctx, user)
					c.If = stands.Version
					if stands, err = b.store.Commit(ctx, user, c); !errors.Is(err, core.ErrConflict) {
						return stands, err
					}
				}
			}
		},
		caught: []string{"concurrent/same-version", "concurrent/no-lost-update"},
		also:   []string{"concurrent/sent-again"},
	},
	{
		name: "applies twice what is sent again at once",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				if err != nil || l.Version == c.ID {
					return core.Ledger{}, err
				}
				<-time.After(1)
				if l, _ = b.store.Load(ctx, user); l.Version == c.ID {
					b.publish(c.Publish...)
				}
				return b.store.Commit(ctx, user, c)
			}
		},
		caught: []string{"concurrent/sent-again"},
	},
	{
		name: "publishes after it applied",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				stands, _ := b.store.Load(ctx, user)
				list := c.Publish
				c.Publish = nil
				l, err := b.store.Commit(ctx, user, c)
				if err == nil && stands.Version != c.ID {
					<-time.After(5 * time.Millisecond)
					b.publish(list...)
				}
				return l, err
			}
		},
		caught: []string{"concurrent/ledger-and-feed", "concurrent/sent-again"},
		also:   []string{"feed/epoch", "concurrent/"},
	},
	{
		name: "publishes one by one",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				if stands, err := b.store.Load(ctx, user); err == nil && stands.Version == c.If && len(c.Publish) > 1 {
					b.publish(c.Publish[0])
					<-time.After(5 * time.Millisecond)
					c.Publish = c.Publish[1:]
				}
				return b.store.Commit(ctx, user, c)
			}
		},
		caught: []string{"concurrent/ledger-and-feed", "wait/woken"},
		also:   []string{"feed/", "concurrent/", "context/cut"},
	},
	{
		name: "publishes before it applies",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				if stands, err := b.store.Load(ctx, user); err == nil && stands.Version == c.If {
					b.publish(c.Publish...)
					c.Publish = nil
					<-time.After(5 * time.Millisecond)
				}
				return b.store.Commit(ctx, user, c)
			}
		},
		caught: []string{"concurrent/ledger-and-feed", "concurrent/same-version"},
		also:   []string{"feed/", "wait/", "concurrent/", "context/cut"},
	},
	{
		name: "parts of two changes in one ledger",
		how: func(b *bent) {
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				<-time.After(1)
				next, _ := b.store.Load(ctx, user)
				l.Devices = next.Devices
				return l, err
			}
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				<-time.After(1)
				return b.store.Commit(ctx, user, c)
			}
		},
		caught: []string{"concurrent/load"},
	},
}
