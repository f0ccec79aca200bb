package storetest_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

var brokenSameFeeds = []brokenHistory{
	{
		"every fiftieth revocation is lost",
		func(b *bent) {
			n := 0
			b.publishing(func(list []core.Revocation) []core.Revocation {
				return slices.DeleteFunc(list, func(core.Revocation) bool { n++; return n%50 == 0 })
			})
		},
		anyTail,
	},
	{
		"the order in a commit is turned round",
		func(b *bent) {
			b.publishing(func(list []core.Revocation) []core.Revocation { slices.Reverse(list); return list })
		},
		anyTail,
	},
	{
		"ordered by session",
		func(b *bent) {
			b.reading(func(_ core.Cursor, batch *core.Batch) {
				slices.SortFunc(batch.Events, func(x, y core.Revocation) int { return bytes.Compare(x.Session[:], y.Session[:]) })
			})
		},
		anyTail,
	},
	{
		"a revocation that is there is not there again",
		func(b *bent) {
			there := map[core.Revocation]bool{}
			b.publishing(func(list []core.Revocation) []core.Revocation {
				return slices.DeleteFunc(list, func(r core.Revocation) bool { was := there[r]; there[r] = true; return was })
			})
		},
		anyTail,
	},
	{
		"a page over what is over is torn",
		func(b *bent) {
			b.reading(func(after core.Cursor, batch *core.Batch) {
				if batch.Reset && after != "" && len(batch.Events) > 0 {
					batch.Events = batch.Events[1:]
				}
			})
		},
		anyTail,
	},
	{
		"the user of a revocation has no case",
		func(b *bent) {
			b.publishing(func(list []core.Revocation) []core.Revocation {
				for i := range list {
					list[i].UserID = strings.ToLower(list[i].UserID)
				}
				return list
			})
		},
		anyTail,
	},
	{
		"Reset after every Sweep",
		func(b *bent) {
			swept := false
			b.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				swept = true
				return b.store.Sweep(ctx, before, limit)
			}
			b.reading(func(after core.Cursor, batch *core.Batch) {
				if swept && after != "" {
					batch.Reset, swept = true, false
				}
			})
		},
		anyTail,
	},
	{
		"Reset with all of the feed where nothing is missing",
		func(b *bent) {
			reads := 0
			b.tail = func(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
				if reads++; reads%40 != 0 || after == "" {
					return b.store.Tail(ctx, after, wait)
				}
				batch, err := b.store.Tail(ctx, "", 0)
				batch.Reset = true
				return batch, err
			}
		},
		anyTail,
	},
	{
		"ledgers that are over are not swept",
		func(b *bent) {
			kept := map[string]core.Ledger{}
			b.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				for user := range b.users {
					kept[user], _ = b.store.Load(ctx, user)
				}
				return b.store.Sweep(ctx, before, limit)
			}
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				if l.Version.IsZero() {
					l = kept[user]
					l.Sessions = nil
				}
				return l, err
			}
		},
		caughtBy{"Sweep"},
	},
	{
		"sessions that are over are not swept",
		func(b *bent) {
			kept := map[string]core.Ledger{}
			b.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				for user := range b.users {
					kept[user], _ = b.store.Load(ctx, user)
				}
				return b.store.Sweep(ctx, before, limit)
			}
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				if l.Version == kept[user].Version {
					l = kept[user]
				}
				return l, err
			}
		},
		caughtBy{"Sweep"},
	},
	{
		"revocations that are over are not swept",
		func(b *bent) {
			var all []core.Revocation
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				stands, _ := b.store.Load(ctx, user)
				l, err := b.store.Commit(ctx, user, c)
				if err == nil && stands.Version != c.ID {
					all = append(all, c.Publish...)
				}
				return l, err
			}
			b.reading(func(after core.Cursor, batch *core.Batch) {
				if after == "" {
					batch.Events = slices.Clone(all)
				}
			})
		},
		caughtBy{"Sweep"},
	},
	{
		"the epoch ends with what is swept",
		func(b *bent) {
			sweeps := 0
			b.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				sweeps++
				return b.store.Sweep(ctx, before, limit)
			}
			b.reading(func(_ core.Cursor, batch *core.Batch) { batch.Epoch.ID[0] ^= byte(sweeps) })
		},
		anyTail,
	},
	{
		"Sweep is an hour late",
		func(b *bent) {
			b.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return b.store.Sweep(ctx, before.Add(-time.Hour), limit)
			}
		},
		caughtBy{"Sweep"},
	},
	{
		"Sweep is an hour early",
		func(b *bent) {
			b.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return b.store.Sweep(ctx, before.Add(time.Hour), limit)
			}
		},
		caughtBy{"Load", "LoadMany", "Tail"},
	},
	{
		"LoadMany passes over who is named twice",
		func(b *bent) {
			b.many = func(ctx context.Context, users []string) (map[string]core.Ledger, error) {
				ledgers, err := b.store.LoadMany(ctx, users)
				for i, user := range users {
					if slices.Contains(users[:i], user) {
						delete(ledgers, user)
					}
				}
				return ledgers, err
			}
		},
		caughtBy{"LoadMany"},
	},
	{
		"LoadMany finds those who are unknown",
		func(b *bent) {
			b.many = func(ctx context.Context, users []string) (map[string]core.Ledger, error) {
				ledgers, err := b.store.LoadMany(ctx, users)
				for _, user := range users {
					l := ledgers[user]
					ledgers[user] = l
				}
				return ledgers, err
			}
		},
		caughtBy{"LoadMany"},
	},
}
