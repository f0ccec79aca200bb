package storetest_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

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
				for time.Sleep(1); ; { // whatever was committed in between is lost
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
		name: "applies twice what is sent again at once",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				if err != nil || l.Version == c.ID {
					return core.Ledger{}, err
				}
				time.Sleep(1)
				if l, _ = b.store.Load(ctx, user); l.Version == c.ID {
					b.publish(c.Publish...)
				}
				return b.store.Commit(ctx, user, c)
			}
		},
		caught: []string{"concurrent/sent-again"},
	},
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
					time.Sleep(1)
					if ctx.Err() != nil {
						b.publish(c.Publish...)
					}
				}
				return b.store.Commit(ctx, user, c)
			}
		},
		caught: []string{"context/cut"},
	},
	{
		name: "parts of two changes in one ledger",
		how: func(b *bent) {
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				time.Sleep(1)
				next, _ := b.store.Load(ctx, user)
				l.Devices = next.Devices
				return l, err
			}
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				time.Sleep(1)
				return b.store.Commit(ctx, user, c)
			}
		},
		caught: []string{"concurrent/load"},
	},
	{
		name: "applies the sessions and not the rest",
		how: func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) { c.Devices, c.Pending, c.Foreign = nil, nil, nil })
		},
		caught: []string{"value/every-field", "ledger/lists", "version/stale", "version/sent-again", "concurrent/load"},
		also:   []string{"ledger/", "value/", "context/", "sweep/", "load-many/"},
	},
	{
		name: "LoadMany makes up users",
		how: func(b *bent) {
			b.many = func(ctx context.Context, users []string) (map[string]core.Ledger, error) {
				ledgers, err := b.store.LoadMany(ctx, users)
				for _, user := range users {
					if _, known := ledgers[user]; !known && err == nil {
						ledgers[user] = core.Ledger{}
					}
				}
				return ledgers, err
			}
		},
		caught: []string{"load-many/as-load"},
	},
	{
		name: "LoadMany of nobody is of all",
		how: func(b *bent) {
			b.many = func(ctx context.Context, users []string) (map[string]core.Ledger, error) {
				if len(users) == 0 {
					users = slices.Collect(maps.Keys(b.users))
				}
				ledgers, err := b.store.LoadMany(ctx, users)
				if len(users) == 0 && err == nil {
					ledgers["nobody"] = core.Ledger{}
				}
				return ledgers, err
			}
		},
		caught: []string{"load-many/as-load"},
	},
}
