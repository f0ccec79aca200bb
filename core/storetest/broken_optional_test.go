package storetest_test

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

var brokenSweeps = []broken{
	{
		name: "sweeps nothing",
		how: func(b *bent) {
			b.sweep = func(ctx context.Context, _ time.Time, _ int) (int, error) { return 0, ctx.Err() }
		},
		caught: []string{"sweep/over", "sweep/limit", "sweep/beside-commits"},
	},
	{
		name: "sweeps a live session",
		how: func(b *bent) {
			b.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return b.store.Sweep(ctx, before.Add(2*time.Hour), limit)
			}
		},
		caught: []string{"sweep/over", "sweep/limit", "sweep/beside-commits"},
	},
	{
		name: "sweeps what ends at the time",
		how: func(b *bent) {
			b.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return b.store.Sweep(ctx, before.Add(time.Millisecond), limit)
			}
		},
		caught: []string{"sweep/over"},
	},
	{
		name: "a sweep is a change",
		how: func(b *bent) {
			b.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n, err := b.store.Sweep(ctx, before, limit)
				b.mu.Lock()
				defer b.mu.Unlock()
				for user := range b.users {
					if l, _ := b.store.Load(ctx, user); !l.Version.IsZero() && n > 0 {
						id := l.Version
						id[0]++
						b.store.Commit(ctx, user, core.Change{ID: id, If: l.Version, At: l.At, KeepUntil: before})
					}
				}
				return n, err
			}
		},
		caught: []string{"sweep/over"},
		also:   []string{"sweep/beside-commits"},
	},
	{
		name: "sweeps half of what it is asked to",
		how: func(b *bent) {
			b.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return b.store.Sweep(ctx, before, limit/2)
			}
		},
		caught: []string{"sweep/limit"},
	},
	{
		name: "sweeps without a limit",
		how: func(b *bent) {
			b.sweep = func(ctx context.Context, before time.Time, _ int) (int, error) {
				return b.store.Sweep(ctx, before, 1<<30)
			}
		},
		caught: []string{"sweep/limit"},
	},
	{
		name: "a sweep resets the readers",
		how: func(b *bent) {
			swept := false
			b.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				b.mu.Lock()
				swept = true
				b.mu.Unlock()
				return b.store.Sweep(ctx, before, limit)
			}
			b.reading(func(after core.Cursor, batch *core.Batch) {
				b.mu.Lock()
				defer b.mu.Unlock()
				batch.Reset = batch.Reset || swept && after != ""
			})
		},
		caught: []string{"sweep/readers"},
	},
	{
		name: "a sweep writes back what it read before",
		how: func(b *bent) {
			read := map[string]core.Ledger{}
			b.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				b.mu.Lock()
				defer b.mu.Unlock()
				for user, l := range read {
					now, _ := b.store.Load(ctx, user)
					if n := len(l.Sessions); n > 0 && now.Version != l.Version {
						id := core.ID{99}
						b.store.Commit(ctx, user, core.Change{ID: id, If: now.Version, KeepUntil: before.Add(time.Hour), Put: l.Sessions[:1]})
						b.store.Commit(ctx, user, core.Change{ID: now.Version, If: id, At: now.At, KeepUntil: before.Add(time.Hour)})
					}
				}
				for user := range b.users {
					read[user], _ = b.store.Load(ctx, user)
				}
				return b.store.Sweep(ctx, before, limit)
			}
		},
		caught: []string{"sweep/beside-commits"},
		also:   []string{"sweep/"},
	},
}

var brokenLoadMany = []broken{
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
	{
		name: "LoadMany hands out its memory",
		how: func(b *bent) {
			kept := map[string]core.Ledger{}
			b.many = func(ctx context.Context, users []string) (map[string]core.Ledger, error) {
				ledgers, err := b.store.LoadMany(ctx, users)
				for user, l := range ledgers {
					if k, ok := kept[user]; ok && k.Version == l.Version {
						ledgers[user] = k
					}
				}
				maps.Copy(kept, ledgers)
				return ledgers, err
			}
		},
		caught: []string{"load-many/memory-not-handed-out"},
	},
}
