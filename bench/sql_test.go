package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

const sqlTurn = 512 // tasks

// BenchmarkSQL is what is asked of an Auth on a database, by 64 at once, each for a
// user of its own with five sessions, besides bare statements on the same pool: update
// is a transaction of one UPDATE of one row, found by user and version; select reads
// that row. x is of the time that passes, the median of all turns.
func BenchmarkSQL(b *testing.B) {
	for server := range sqlServers {
		b.Run(sqlServers[server].name, func(b *testing.B) {
			w := newOnSQL(b, server, atOnce, 5)
			update, read := rival{"update", w.moveBare(server)}, rival{"select", w.selectBare(server)}
			own := func(do func(*browser, *account) error) task {
				return func(n int) error { return do(w.browsers[n], w.accounts[n]) }
			}
			for _, of := range []struct {
				name string
				task
				rival
			}{
				{"refresh", own((*browser).refresh), update},
				{"sign-in", own((*browser).login), update},
				{"revoke", own(w.revoke), update},
				{"list", own(w.list), read},
				{"guarded", own(func(b *browser, a *account) error { return b.get("GET /orders", a) }), read},
			} {
				b.Run(of.name, func(b *testing.B) { alternate(b, of.task, of.rival) })
			}
		})
	}
}

// revoke ends a session by its access token, and begins another.
func (w *onSQL) revoke(b *browser, a *account) error {
	sessions, err := w.Sessions(context.Background(), a.user)
	if err != nil || len(sessions) == 0 {
		return errors.Join(errors.New("no session"), err)
	}
	if err := w.Revoke(context.Background(), a.user, sessions[0].ID, core.ReasonRevokedByAdmin); err != nil {
		return err
	}
	return b.login(a)
}

func (w *onSQL) list(_ *browser, a *account) error {
	sessions, err := w.Sessions(context.Background(), a.user)
	if err == nil && len(sessions) == 0 {
		err = fmt.Errorf("%s has no sessions", a.user)
	}
	return err
}

// alternate has a task and its rival take turns, each by 64 at once.
func alternate(b *testing.B, ours task, theirs rival) {
	sides := [2]task{ours, theirs.task}
	var ratios []float64
	for _, s := range sides {
		sqlTask(b, s)
	}
	runtime.GC()
	for n := 0; b.Loop(); n++ {
		var passed [2]time.Duration
		for i := range sides {
			which := (n + i) % 2
			passed[which] = sqlTask(b, sides[which])
		}
		ratios = append(ratios, float64(passed[0])/float64(passed[1]))
	}
	b.ReportMetric(median(ratios), "x-"+theirs.name)
	b.ReportMetric(0, "ns/op") // of all turns: it says nothing
}

func sqlTask(b *testing.B, do task) time.Duration {
	var errs [atOnce]error
	var all sync.WaitGroup
	began := time.Now()
	for n := range errs {
		all.Go(func() {
			for range sqlTurn / atOnce {
				if errs[n] = do(n); errs[n] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// What the benchmarks on databases compare does what they say it does: nobody gets an
// error, and each moves on what is its own.
func TestOnSQL(t *testing.T) {
	for server := range sqlServers {
		t.Run(sqlServers[server].name, func(t *testing.T) {
			w := newOnSQL(t, server, 2, 2)
			for name, do := range map[string]func(*browser, *account) error{"refresh": (*browser).refresh, "sign-in": (*browser).login} {
				before := w.accounts[0].refresh
				if err := do(w.browsers[0], w.accounts[0]); err != nil || w.accounts[0].refresh == before {
					t.Errorf("%s: %v", name, err)
				}
			}
			if err := errors.Join(w.list(nil, w.accounts[0]), w.revoke(w.browsers[0], w.accounts[0])); err != nil {
				t.Error(err)
			}
			update, read := w.moveBare(server), w.selectBare(server)
			for range 3 {
				if err := errors.Join(update(0), read(0)); err != nil {
					t.Error(err)
				}
			}
			var version int
			if err := w.db.QueryRow("SELECT version FROM bare WHERE user_id = '" + w.accounts[0].user + "'").Scan(&version); err != nil || version != 3 {
				t.Errorf("got version %d, %v", version, err)
			}
		})
	}
}
