package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// A user beside whom 1,000,000 sessions of others stand lists, refreshes and ends as one
// who is alone: by the same plans, reading as many rows, and pages by the height of the
// indexes.
func TestProofBesideAMillion(t *testing.T) {
	if !proof() {
		t.Skip("SALLYPORT_PROOF is not set")
	}
	beside(t, 200_000)
}

func TestBesideAFew(t *testing.T) {
	long(t)
	beside(t, 2000)
}

// home is a database of one connection, by which all that it counts is of its user.
type home struct {
	d  sqltest.Database
	db *sql.DB
	s  *sqlstore.Store
}

func newHome(t *testing.T, engine string, others int, now time.Time) *home {
	t.Helper()
	h := &home{d: migrated(t, sqltest.New(t, engine))}
	if engine == "postgres" && others == 0 { // it reads all of what is on one page
		h.d = h.d.With("enable_seqscan=off")
	}
	h.db = openTraced(t, h.d)
	h.db.SetMaxOpenConns(1)
	if engine == "postgres" { // it reads too
		for _, table := range tableNames {
			if _, err := h.db.ExecContext(t.Context(), "ALTER TABLE "+table+" SET (autovacuum_enabled = false)"); err != nil {
				t.Fatal(err)
			}
		}
	}
	var err error
	if h.s, err = sqlstore.New(h.db, dialects[engine], sqlstore.Options{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	beginBuckets(t, h.s, now)
	if others > 0 {
		fill(t, h.d, crowd{users: others, live: 3, ended: 2, feed: others / 2}, now)
	}
	c := core.Change{ID: newID(), At: now, KeepUntil: now.Add(time.Hour), Devices: []core.KnownDevice{{Device: core.Device{ID: "phone"}}}}
	for range 25 {
		c.Put = append(c.Put, core.Session{ID: newID(), CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(time.Hour), Gen: 1, Serial: 1, MinSerial: 1})
	}
	if _, err := h.s.Commit(t.Context(), "me", c); err != nil {
		t.Fatal(err)
	}
	if others > 0 || engine == "postgres" {
		analyze(t, h.d, h.db)
	}
	return h
}

// counted returns how many rows and pages the engine says that f read, -1 for what it
// does not count.
func (h *home) counted(t *testing.T, f func() error) (rows, pages int) {
	t.Helper()
	count := func() (rows, pages int) {
		var text string
		switch h.d.Engine {
		case "sqlite":
			return -1, -1
		case "mariadb":
			text = "SELECT sum(variable_value), -1 FROM information_schema.session_status WHERE variable_name LIKE 'Handler_read%'"
		default:
			if _, err := h.db.ExecContext(t.Context(), "SELECT pg_stat_force_next_flush()"); err != nil {
				t.Fatal(err)
			}
			text = `SELECT sum(coalesce(idx_tup_fetch, 0) + CASE relname WHEN 'user_session_buckets' THEN 0 ELSE seq_tup_read END),
				(SELECT sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read, 0) + coalesce(idx_blks_hit, 0)) FROM pg_statio_user_tables) FROM pg_stat_user_tables`
		}
		if err := h.db.QueryRowContext(t.Context(), text).Scan(&rows, &pages); err != nil {
			t.Fatal(err)
		}
		return rows, pages
	}
	count() // what reads the counters may be counted the first time
	rows, pages = count()
	again, againPages := count()
	own, ownPages := again-rows, againPages-pages
	if err := f(); err != nil {
		t.Fatal(err)
	}
	rows, pages = count()
	if h.d.Engine == "sqlite" {
		return -1, -1
	}
	return rows - again - own, pages - againPages - ownPages
}

func beside(t *testing.T, others int) {
	onEach(t, func(t *testing.T, engine string) {
		now := time.Now().UTC().Truncate(time.Millisecond)
		homes := []*home{newHome(t, engine, 0, now), newHome(t, engine, others, now)}
		commit := func(ctx context.Context, h *home, l core.Ledger, change core.Change) error {
			change.ID, change.If, change.At, change.KeepUntil = newID(), l.Version, now, now.Add(time.Hour)
			_, err := h.s.Commit(ctx, "me", change)
			return err
		}
		for _, a := range []struct {
			name string
			do   func(ctx context.Context, h *home, l core.Ledger) error
		}{
			{"list", func(ctx context.Context, h *home, _ core.Ledger) error { _, err := h.s.Load(ctx, "me"); return err }},
			{"refresh", func(ctx context.Context, h *home, l core.Ledger) error {
				return commit(ctx, h, l, core.Change{Put: []core.Session{afterRefresh(l.Sessions[0], now)}})
			}},
			{"end", func(ctx context.Context, h *home, l core.Ledger) error {
				return commit(ctx, h, l, core.Change{
					End:     ends(l.Sessions[:1]),
					Publish: []core.Revocation{{UserID: "me", Session: l.Sessions[0].ID, MinSerial: core.AllSerials, Until: now.Add(time.Hour)}},
				})
			}},
		} {
			var plans [2][]string
			var rows, pages [2]int
			var took [2][]time.Duration
			for i := range 40 { // they take turns
				h := homes[i%2]
				l, err := h.s.Load(t.Context(), "me")
				if err != nil {
					t.Fatal(err)
				}
				var all []statement
				r, p := h.counted(t, func() error {
					began := time.Now()
					all, err = traced(t.Context(), func(ctx context.Context) error { return a.do(ctx, h, l) })
					took[i%2] = append(took[i%2], time.Since(began))
					return err
				})
				if i < 20 { // connections warm up: an engine looks at its tables, and plans anew
					continue
				}
				if len(plans[i%2]) == 0 {
					rows[i%2], pages[i%2] = r, p
					plans[i%2] = plansOf(t, h, all)
				}
				rows[i%2], pages[i%2] = min(rows[i%2], r), min(pages[i%2], p)
			}
			if engine == "sqlite" && !slices.Equal(plans[0], plans[1]) {
				t.Errorf("%s: alone %q, beside others %q", a.name, plans[0], plans[1])
			}
			for _, steps := range plans[1] {
				if step := readsAll(engine, steps); step != "" {
					t.Errorf("%s: beside others: %s", a.name, step)
				}
			}
			if rows[1] > rows[0] || engine != "sqlite" && rows[0] <= 0 {
				t.Errorf("%s: alone %d rows, beside others %d", a.name, rows[0], rows[1])
			}
			if pages[0] > 0 && pages[1] > 5*pages[0] { // an index of a page or two has four levels then
				t.Errorf("%s: alone %d pages, beside others %d", a.name, pages[0], pages[1])
			}
			t.Logf("%s beside %d sessions: %d rows, alone %d; %d pages, alone %d; %s of the time", a.name, others*5, rows[1], rows[0], pages[1], pages[0],
				fmt.Sprintf("%.2f", float64(slices.Min(took[1]))/float64(slices.Min(took[0]))))
		}
	})
}

// plansOf returns the plans of statements that look for something.
func plansOf(t *testing.T, h *home, all []statement) []string {
	t.Helper()
	var plans []string
	for _, s := range all {
		if !looks(s.text) {
			continue
		}
		steps, err := plan(t.Context(), h.db, h.d.Engine, s)
		if err != nil {
			t.Fatalf("%v, of\n%s", err, s.text)
		}
		plans = append(plans, steps)
	}
	return plans
}
