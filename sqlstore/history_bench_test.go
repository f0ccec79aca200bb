package sqlstore_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// BenchmarkHistoryCommit replaces the one session that a user has: in the bare live
// store, with a History whose database is away, and with one that writes to SQLite.
func BenchmarkHistoryCommit(b *testing.B) {
	quiet := sqlstore.HistoryOptions{MaxQueued: 1 << 20, OnLoss: func(sqlstore.HistoryLost, error) {}}
	for _, c := range []struct {
		name string
		wrap func(b *testing.B) func(core.Store) core.Store
	}{
		{"bare", func(*testing.B) func(core.Store) core.Store { return func(s core.Store) core.Store { return s } }},
		{"away", func(b *testing.B) func(core.Store) core.Store {
			return newHistory(b, &site{Database: sqltest.SQLite(b), db: sqltest.SQLite(b).Open(b)}, quiet).Wrap
		}},
		{"writing", func(b *testing.B) func(core.Store) core.Store { return newHistory(b, newSite(b, "sqlite"), quiet).Wrap }},
	} {
		b.Run(c.name, func(b *testing.B) {
			const users = 10_000
			store := c.wrap(b)(memstore.New())
			names, versions, sessions := make([]string, users), make([]core.ID, users), make([]core.Session, users)
			for i := range users {
				names[i], sessions[i] = fmt.Sprint("user-", i), signedIn(0)
			}
			ctx := context.Background()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				n := i % users
				change := core.Change{ID: newID(), If: versions[n], At: began, KeepUntil: after(7200), Put: sessions[n : n+1]}
				sessions[n].Serial++
				if _, err := store.Commit(ctx, names[n], change); err != nil {
					b.Fatal(err)
				}
				versions[n] = change.ID
			}
		})
	}
}

// BenchmarkHistoryAudit queues events; those beyond the bound are counted as lost.
func BenchmarkHistoryAudit(b *testing.B) {
	h := newHistory(b, &site{Database: sqltest.SQLite(b), db: sqltest.SQLite(b).Open(b)}, sqlstore.HistoryOptions{
		MaxQueued: 1 << 20, OnLoss: func(sqlstore.HistoryLost, error) {},
	})
	audit := h.Audit(nil)
	b.ReportAllocs()
	for b.Loop() {
		audit(context.Background(), core.Event{
			Time: began, Name: core.EventRefreshed, UserID: "alice", IP: "192.0.2.1",
			UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		})
	}
}

// BenchmarkHistoryMemory reports the bytes that a record takes which waits.
func BenchmarkHistoryMemory(b *testing.B) {
	const n = 20_000
	for b.Loop() {
		h := newHistory(b, &site{Database: sqltest.SQLite(b), db: sqltest.SQLite(b).Open(b)}, sqlstore.HistoryOptions{MaxQueued: 10 * n})
		store, audit := h.Wrap(nowhere{}), h.Audit(nil)
		used := func(fill func(i int)) float64 {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for i := range n {
				fill(i)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			return float64(after.HeapAlloc-before.HeapAlloc) / n
		}
		b.ReportMetric(used(func(i int) {
			store.Commit(context.Background(), fmt.Sprint("user-", i), core.Change{At: began, Put: []core.Session{signedIn(i)}})
		}), "B/session")
		b.ReportMetric(used(func(i int) {
			audit(context.Background(), core.Event{
				Time: began, Name: core.EventRefreshed, UserID: fmt.Sprint("user-", i), IP: "192.0.2.1", Session: core.ID{1},
				UserAgent: fmt.Sprint("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/", i),
			})
		}), "B/event")
	}
}

// nowhere is a store that takes everything and keeps nothing.
type nowhere struct{ core.Store }

func (nowhere) Commit(context.Context, string, core.Change) (core.Ledger, error) {
	return core.Ledger{}, nil
}

// BenchmarkHistoryDrain writes 10,000 records of a kind.
func BenchmarkHistoryDrain(b *testing.B) {
	const n = 10_000
	for _, engine := range sqltest.Engines() {
		s := newSite(b, engine)
		for _, kind := range []string{"put", "end", "event"} {
			b.Run(engine+"/"+kind, func(b *testing.B) {
				for b.Loop() {
					h := newHistory(b, s, sqlstore.HistoryOptions{})
					store, audit := h.Wrap(nowhere{}), h.Audit(nil)
					for i := range n {
						one, user := signedIn(i), fmt.Sprint("user-", i)
						c := core.Change{At: after(i), Put: []core.Session{one}}
						switch kind {
						case "event":
							audit(b.Context(), core.Event{Time: after(i), Name: core.EventRefreshed, UserID: user, UserAgent: one.UserAgent})
							continue
						case "end":
							c.Put, c.End = nil, []core.Ended{{ID: one.ID, Reason: core.ReasonSignedOut}}
						}
						store.Commit(b.Context(), user, c)
					}
					closed(b, h)
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}

// BenchmarkHistoryLag reports how long a sign-in takes to be in the table, one at a time.
func BenchmarkHistoryLag(b *testing.B) {
	for _, engine := range sqltest.Engines() {
		b.Run(engine, func(b *testing.B) {
			h := newHistory(b, newSite(b, engine), sqlstore.HistoryOptions{})
			store := h.Wrap(nowhere{})
			tick := time.NewTicker(100 * time.Microsecond)
			defer tick.Stop()
			for b.Loop() {
				store.Commit(b.Context(), "alice", core.Change{At: began, Put: []core.Session{signedIn(0)}})
				for h.Health().Queued > 0 {
					<-tick.C
				}
			}
		})
	}
}
