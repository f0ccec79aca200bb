package storetest_test

import (
	"context"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

var brokenMemory = []broken{
	{
		name: "hands out its memory",
		how: func(b *bent) {
			kept := map[string]core.Ledger{}
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				b.mu.Lock()
				defer b.mu.Unlock()
				if k, ok := kept[user]; err == nil && ok && k.Version == l.Version {
					return k, nil
				}
				kept[user] = l
				return l, err
			}
			b.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				b.mu.Lock()
				clear(kept)
				b.mu.Unlock()
				return b.store.Sweep(ctx, before, limit)
			}
		},
		caught: []string{"ledger/memory-not-handed-out"},
	},
	{
		name: "a conflict hands out its memory",
		how: func(b *bent) {
			kept := map[string]core.Ledger{}
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				l, err := b.store.Commit(ctx, user, c)
				b.mu.Lock()
				defer b.mu.Unlock()
				kept[user] = l
				return l, err
			}
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				b.mu.Lock()
				defer b.mu.Unlock()
				if k, ok := kept[user]; err == nil && ok && k.Version == l.Version {
					return k, nil
				}
				return l, err
			}
		},
		caught: []string{"ledger/memory-not-handed-out"},
	},
	{
		name: "the feed hands out its memory",
		how: func(b *bent) {
			kept := map[core.Cursor]core.Batch{}
			b.tail = func(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
				batch, err := b.store.Tail(ctx, after, wait)
				b.mu.Lock()
				defer b.mu.Unlock()
				if k, ok := kept[after]; ok && len(k.Events) == len(batch.Events) {
					batch.Events = k.Events
				}
				kept[after] = batch
				return batch, err
			}
		},
		caught: []string{"ledger/memory-not-handed-out"},
	},
	{
		name: "keeps what was handed in",
		how: func(b *bent) {
			kept := map[string]core.Change{}
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				l, err := b.store.Commit(ctx, user, c)
				b.mu.Lock()
				defer b.mu.Unlock()
				if err == nil {
					kept[user] = c
				}
				return l, err
			}
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				b.mu.Lock()
				defer b.mu.Unlock()
				if c := kept[user]; c.ID == l.Version && c.Devices != nil {
					l.Devices = c.Devices
				}
				return l.Clone(), err
			}
		},
		caught: []string{"ledger/memory-not-kept"},
	},
	{
		name: "keeps the claims that were handed in",
		how: func(b *bent) {
			kept := map[core.ID][]byte{}
			b.changing(func(_ core.Ledger, c *core.Change) {
				b.mu.Lock()
				defer b.mu.Unlock()
				for _, s := range c.Put {
					kept[s.ID] = s.Claims
				}
			})
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				b.mu.Lock()
				defer b.mu.Unlock()
				for i, s := range l.Sessions {
					if claims, ok := kept[s.ID]; ok && s.Claims != nil {
						l.Sessions[i].Claims = claims
					}
				}
				return l.Clone(), err
			}
		},
		caught: []string{"ledger/memory-not-kept"},
		also:   []string{"version/stale"},
	},
}
