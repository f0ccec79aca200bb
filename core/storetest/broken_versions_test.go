package storetest_test

import (
	"context"
	"errors"

	"github.com/sallyport-go/sallyport/core"
)

var brokenVersions = []broken{
	{
		name: "no compare-and-swap",
		how: func(b *bent) {
			b.changing(func(stands core.Ledger, c *core.Change) { c.If = stands.Version })
		},
		caught: []string{"version/stale", "version/first", "version/sent-again-late", "concurrent/same-version"},
		also:   []string{"concurrent/", "ledger/forget", "ledger/memory-not-handed-out", "sweep/over"},
	},
	{
		name: "a conflict without what stands",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				_, err := b.store.Commit(ctx, user, c)
				return core.Ledger{}, err
			}
		},
		caught: []string{"version/stale", "version/first", "version/sent-again-late"},
		also:   []string{"concurrent/no-lost-update"},
	},
	{
		name: "a conflict with another error",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				l, err := b.store.Commit(ctx, user, c)
				if err != nil {
					err = errors.New("no rows were updated")
				}
				return l, err
			}
		},
		caught: []string{
			"version/stale", "version/first", "version/sent-again-late", "ledger/forget",
			"ledger/memory-not-handed-out", "concurrent/same-version", "sweep/over",
		},
		also: []string{"concurrent/no-lost-update"},
	},
	{
		name: "publishes before it compares",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				l, err := b.store.Commit(ctx, user, c)
				if errors.Is(err, core.ErrConflict) {
					b.publish(c.Publish...)
				}
				return l, err
			}
		},
		caught: []string{
			"version/stale", "version/first", "version/sent-again-late", "ledger/forget", "concurrent/same-version",
		},
		also: []string{"concurrent/no-lost-update"},
	},
	{
		name: "a refused change is half applied",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				l, err := b.store.Commit(ctx, user, c)
				if errors.Is(err, core.ErrConflict) && len(c.End) > 0 {
					b.store.Commit(ctx, user, core.Change{ID: l.Version, If: l.Version})
					b.store.Commit(ctx, user, core.Change{
						ID: c.ID, If: l.Version, At: l.At, KeepUntil: c.KeepUntil, End: c.End,
					})
				}
				return l, err
			}
		},
		caught: []string{"version/stale"},
	},
	{
		name: "a first change overwrites",
		how: func(b *bent) {
			b.changing(func(stands core.Ledger, c *core.Change) {
				if c.If.IsZero() {
					c.If = stands.Version
				}
			})
		},
		caught: []string{"version/first", "concurrent/same-version"},
		also:   []string{"version/sent-again-late", "ledger/memory-not-handed-out", "concurrent/no-lost-update"},
	},
	{
		name: "any version suits an unknown user",
		how: func(b *bent) {
			b.changing(func(stands core.Ledger, c *core.Change) {
				if stands.Version.IsZero() {
					c.If = core.ID{}
				}
			})
		},
		caught: []string{"version/first", "ledger/forget", "sweep/over"},
	},
	{
		name: "a counter for a version",
		how: func(b *bent) {
			counts := map[string]byte{} // by the user's name; the rest of the version is zero
			count := func(user string) core.ID { b.mu.Lock(); defer b.mu.Unlock(); return core.ID{counts[user]} }
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				l.Version = count(user)
				return l, err
			}
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				l, _ := b.store.Load(ctx, user)
				if c.If == count(user) {
					c.If = l.Version
				}
				l, err := b.store.Commit(ctx, user, c)
				if err == nil {
					b.mu.Lock()
					counts[user]++
					b.mu.Unlock()
				}
				return l, err
			}
		},
		caught: []string{"version/is-the-change", "value/every-field", "ledger/put-and-end"},
		also: []string{
			"version/", "ledger/", "value/", "context/", "concurrent/", "feed/", "wait/", "sweep/", "load-many/",
		},
	},
	{
		name: "knows every change that ever was",
		how: func(b *bent) {
			sent := map[core.ID]bool{}
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				b.mu.Lock()
				again := sent[c.ID]
				b.mu.Unlock()
				if again {
					return core.Ledger{}, ctx.Err()
				}
				l, err := b.store.Commit(ctx, user, c)
				if err == nil {
					b.mu.Lock()
					sent[c.ID] = true
					b.mu.Unlock()
				}
				return l, err
			}
		},
		caught: []string{"version/sent-again-late"},
	},
	{
		name: "refuses what is sent again",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				if l, err := b.store.Load(ctx, user); err == nil && l.Version == c.ID {
					return l, core.ErrConflict
				}
				return b.store.Commit(ctx, user, c)
			}
		},
		caught: []string{"version/sent-again", "version/sent-again-late", "concurrent/sent-again"},
		also:   []string{"context/cut"},
	},
	{
		name: "publishes again what is sent again",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				if l, err := b.store.Load(ctx, user); err == nil && l.Version == c.ID {
					b.publish(c.Publish...)
				}
				return b.store.Commit(ctx, user, c)
			}
		},
		caught: []string{"version/sent-again", "version/sent-again-late"},
		also:   []string{"context/cut", "concurrent/sent-again"},
	},
	{
		name: "applies the sessions and not the rest",
		how: func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) { c.Devices, c.Pending, c.Foreign = nil, nil, nil })
		},
		caught: []string{"value/every-field", "ledger/lists", "version/stale", "version/sent-again", "concurrent/load"},
		also:   []string{"ledger/", "value/", "context/", "sweep/", "load-many/"},
	},
}
