package sqlstore_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// stuck has calls on a driver hang of a name, or all, until they are let go.
func (f *faulty) stuck(call string) (letGo func()) {
	held := make(chan struct{})
	f.fail(func(_ int, asked string) *fault {
		if asked == call || call == "" {
			return &fault{wait: func() { <-held }}
		}
		return nil
	})
	return func() {
		f.fail(nil)
		close(held)
	}
}

// A commit that hangs in a driver beyond its time takes nobody else with it when it is
// over, and is published if it took place.
func TestAbandonedCommit(t *testing.T) {
	for _, call := range []string{"begin", "commit", "rollback"} {
		onEach(t, func(t *testing.T, engine string) {
			d := migrated(t, sqltest.New(t, engine))
			driver := faultyOf(t, d)
			s, err := sqlstore.New(driver.open(t), dialects[engine], sqlstore.Options{Timeout: 500 * time.Millisecond, PollInterval: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			sound := open(t, d, sqlstore.Options{})
			commit(t, sound, "somebody", raised("somebody", core.Ledger{}, 1))
			from := tail(t, s, "").Next
			c := raised("alice", core.Ledger{}, 1)
			letGo := driver.stuck(call)
			if _, err = s.Commit(t.Context(), "alice", c); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: Commit that hangs: got error %v, want its deadline", call, err)
			}
			letGo()
			again := func() error { _, err := s.Commit(t.Context(), "alice", c); return err }
			for err = again(); err != nil; err = again() {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("%s: Commit afterwards: got error %v", call, err)
				}
			}
			if n, err := tally(load(t, sound, "alice")); n != 1 || err != nil {
				t.Errorf("%s: alice is at %d, %v, want 1", call, n, err)
			}
			if b, err := s.Tail(t.Context(), from, time.Hour); err != nil || len(b.Events) != 1 {
				t.Errorf("%s: Tail: got %d revocations and error %v, want 1", call, len(b.Events), err)
			}
		})
	}
}

// However many calls a driver leaves hanging, those that wait for them end with their
// time.
func TestHangingDriver(t *testing.T) {
	long(t)
	for _, call := range []string{"", "prepare"} {
		d := migrated(t, sqltest.SQLite(t))
		driver := faultyOf(t, d)
		db := driver.open(t)
		db.SetMaxOpenConns(2)
		s, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Options{Timeout: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if call == "" {
			load(t, s, "alice")
		}
		letGo := driver.stuck("")
		before := runtime.NumGoroutine()
		for range 10 {
			var calls sync.WaitGroup
			for range 20 {
				calls.Go(func() {
					if _, err := s.Load(t.Context(), "alice"); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Load: got error %v, want its deadline", err)
					}
					if _, err := s.Commit(t.Context(), "alice", change("alice", core.ID{})); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Commit: got error %v, want its deadline", err)
					}
				})
			}
			calls.Wait()
		}
		few(t, before+20)
		letGo()
		few(t, before+2)
		load(t, s, "alice")
	}
}

// few returns when there are at most so many goroutines.
func few(t *testing.T, most int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for left := 5000; runtime.NumGoroutine() > most; left-- {
		if left == 0 {
			t.Fatalf("%d goroutines, want at most %d", runtime.NumGoroutine(), most)
		}
		<-tick.C
	}
}

// Whoever waits for revocations and gives up leaves nothing behind.
func TestManyWaits(t *testing.T) {
	d := newDesk(t, "sqlite")
	s := open(t, d.Database, sqlstore.Options{PollInterval: time.Hour})
	from := tail(t, s, "").Next
	waits := 500
	if proof() {
		waits = 10_000
	}
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range waits {
		all.Go(func() {
			if b, err := s.Tail(ctx, from, time.Hour); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v and error %v, want that it was cancelled", b, err)
			}
		})
	}
	cancel()
	all.Wait()
	few(t, before+2)
}
