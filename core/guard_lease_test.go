package core_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/sallyport-go/sallyport/core"
)

// What was loaded vouches for MaxStaleness from the load's beginning, however
// long it took, and no further if the token is to be retired.
func TestLoadVouches(t *testing.T) {
	const staleness = 3 * time.Second
	for _, took := range []time.Duration{0, 2 * time.Second, staleness, staleness + time.Second} {
		synctest.Test(t, func(t *testing.T) {
			store := newTap()
			elsewhere := still(t, store.Store, time.Now)
			h := still(t, store, time.Now, func(c *core.Config) { c.MaxStaleness, c.StoreTimeout = staleness, time.Minute })
			p := h.signIn("alice")
			loads := 0
			store.set(func(call string, do func() error) error {
				err := do()
				if call == "load" {
					if loads++; took > 0 {
						<-time.After(took)
					}
				}
				return err
			})
			h.expectVerify(p, nil)
			if took >= staleness {
				h.expectVerify(p, nil)
				if loads != 2 {
					t.Errorf("took %v: %d loads for 2 requests", took, loads)
				}
				return
			}
			elapse(staleness - took - time.Nanosecond)
			if err := elsewhere.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
				t.Fatal(err)
			}
			h.expectVerify(p, nil)
			if loads != 1 {
				t.Errorf("took %v: %d loads, want 1 for MaxStaleness", took, loads)
			}
			elapse(time.Nanosecond)
			h.expectVerify(p, core.ErrTokenRevoked)
			if loads != 2 {
				t.Errorf("took %v: %d loads, want another after MaxStaleness", took, loads)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		retire := func(c *core.Config) { c.RetireAccess = time.Second }
		elsewhere, h := still(t, store.Store, time.Now, retire), still(t, store, time.Now, retire)
		p := elsewhere.signIn("alice")
		elapse(time.Minute)
		next := elsewhere.refresh(p)
		calls := store.counting()
		h.expectVerify(p, nil)
		h.expectVerify(next, nil)
		elapse(time.Second - time.Millisecond)
		h.expectVerify(p, nil)
		h.expectVerify(next, nil)
		if n := calls(); n["load"] != 2 {
			t.Errorf("%v, want one load for each token", n)
		}
		elapse(time.Millisecond)
		h.expectVerify(p, core.ErrTokenRevoked)
		h.expectVerify(next, nil)
	})
}

// A token that is to be retired is let in until then, and not a moment longer,
// by the feed alone.
func TestKnownTokenRetires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		retire := func(c *core.Config) { c.RetireAccess = 30 * time.Second }
		here, there := open(t, store, retire), open(t, store, retire)
		settle(here)
		houses := []*house{here, there}
		p := here.signIn("alice")
		each := func(q core.Pair, want error) {
			for _, h := range houses {
				h.expectVerify(q, want)
				h.expectVerify(q, want)
			}
		}
		each(p, nil)
		elapse(time.Minute)
		each(p, nil)
		next := here.refresh(p)
		retires := time.Now().Add(30 * time.Second)
		each(p, nil)
		each(next, nil)
		elapse(time.Second) // the feed has brought it, and signs of life are written
		calls := store.counting()
		for range 9 {
			each(p, nil)
			elapse(3 * time.Second)
		}
		elapse(time.Until(retires.Add(-time.Nanosecond)))
		each(p, nil)
		elapse(time.Nanosecond)
		each(p, core.ErrTokenRevoked)
		each(next, nil)
		if n := calls(); n["load"] != 0 {
			t.Errorf("asked the store: %v", n)
		}
	})
}

// tailed is a tap whose batches a test can change.
type tailed struct {
	*tap
	edit atomic.Pointer[func(*core.Batch)]
}

func (s *tailed) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	b, err := s.tap.Tail(ctx, after, wait)
	if edit := s.edit.Load(); edit != nil {
		(*edit)(&b)
	}
	return b, err
}

// next has the next batch changed.
func (s *tailed) next(change func(*core.Batch)) {
	edit := func(b *core.Batch) {
		change(b)
		s.edit.Store(nil)
	}
	s.edit.Store(&edit)
}

// A token from about the epoch's beginning is loaded once; from then on the feed
// vouches for it, until something may be missing from the feed.
func TestShownUntilAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &tailed{tap: newTap()}
		h := open(t, store, func(c *core.Config) { c.TouchInterval = time.Hour })
		p := h.signIn("alice") // begins the epoch
		elapse(time.Second)    // the feed has been read
		h.expectVerify(p, nil)
		elapse(5 * time.Second)
		calls := store.counting()
		look := func(what string, want int) {
			t.Helper()
			h.expectVerify(p, nil)
			if n := calls(); n["load"] != want {
				t.Errorf("%s: %v, want %d loads", what, n, want)
			}
		}
		for range 10 {
			look("the feed vouches", 0)
			elapse(3 * time.Second)
		}
		elapse(2 * time.Minute) // it still is of the epoch's beginning
		look("the feed vouches", 0)
		for name, change := range map[string]func(*core.Batch){
			"a gap":       func(b *core.Batch) { b.Reset = true },
			"a new epoch": func(b *core.Batch) { b.Epoch.ID[0]++ }, // and then the old one again
		} {
			store.next(change)
			elapse(3 * time.Second)
			look(name, 1)
			elapse(3 * time.Second)
			look(name+", and then", 0)
		}

		// A load that began before the gap shows nothing of the feed after it.
		elapse(3 * time.Second)
		store.next(func(b *core.Batch) { b.Reset = true })
		elapse(3 * time.Second)
		calls()
		release, loads := store.held()
		done := h.verifies(t.Context(), 1, p.AccessToken)
		store.next(func(b *core.Batch) { b.Reset = true })
		elapse(time.Second)
		release()
		if got := done(); got[nil] != 1 || loads.Load() != 1 {
			t.Errorf("%v after %d loads", got, loads.Load())
		}
		elapse(3 * time.Second)
		calls = store.counting()
		look("the feed began anew while the ledger was loaded", 1)
	})
}

// wallMoved returns a time whose wall clock was set by whole seconds and whose
// monotonic reading goes on: what time.Now returns after somebody set the clock.
// Fake time has one clock, so both are made of it.
func wallMoved(t time.Time, by time.Duration) (moved time.Time) {
	layout := (*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&moved))
	since := func(year int) time.Duration { return t.Sub(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)) }
	wall := since(1885) + by
	layout.wall = 1<<63 | uint64(wall/time.Second)<<30 | uint64(wall%time.Second)
	layout.ext = int64(since(1999))
	if !moved.Round(0).Equal(t.Add(by)) {
		panic("a time has another layout")
	}
	return moved
}

// The lease goes by both clocks: a known token is good for MaxStaleness after
// the feed was read, as far as either can tell.
func TestLeaseByBothClocks(t *testing.T) {
	for _, c := range []struct {
		monotonic, wall time.Duration // since the read
		asked           bool
	}{
		{0, 0, false},
		{time.Second, time.Second, false},
		{2*time.Second - 1, 2*time.Second - 1, false},
		{2 * time.Second, 2 * time.Second, true},
		{0, 2 * time.Second, true}, // suspended, or set forward
		{0, 10 * time.Minute, true},
		{2 * time.Second, 0, true}, // set back
		{2 * time.Second, -10 * time.Second, true},
		{1500 * time.Millisecond, 2400 * time.Millisecond, true}, // hardly set, but over by one of them
		{2400 * time.Millisecond, 1500 * time.Millisecond, true}, // likewise, by the other
		{1900 * time.Millisecond, time.Second, false},
		{time.Second, -10 * time.Second, true}, // what was forgotten may matter again
	} {
		synctest.Test(t, func(t *testing.T) {
			var wall time.Duration
			store := newTap()
			elsewhere := still(t, store.Store, time.Now)
			h := still(t, store, func() time.Time { return wallMoved(time.Now(), wall) }, func(c *core.Config) { c.Leeway = time.Minute })
			elsewhere.signIn("the first of all")
			elapse(2 * time.Minute)
			p := elsewhere.signIn("alice")
			h.ReadFeed(t.Context())
			calls := store.counting()
			h.expectVerify(p, nil)
			if n := calls(); n["load"] != 0 {
				t.Fatalf("the feed does not vouch: %v", n)
			}
			if err := elsewhere.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
				t.Fatal(err)
			}
			elapse(c.monotonic)
			wall = c.wall - c.monotonic
			want := error(nil)
			if c.asked {
				want = core.ErrTokenRevoked
			}
			h.expectVerify(p, want)
			if n := calls(); (n["load"] != 0) != c.asked {
				t.Errorf("%v later by one clock, %v by the other: %v, want asked %v", c.monotonic, c.wall, n, c.asked)
			}
		})
	}
}

// The lease counts from the beginning of the read, however long it took.
func TestLeaseFromTheReadsBeginning(t *testing.T) {
	const took = 1500 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		elsewhere, h := still(t, store.Store, time.Now), still(t, store, time.Now)
		elsewhere.signIn("the first of all")
		elapse(2 * time.Minute)
		p := elsewhere.signIn("alice")
		loads := 0
		store.set(func(call string, do func() error) error {
			err := do()
			if call == "tail" {
				<-time.After(took)
			} else {
				loads++
			}
			return err
		})
		h.ReadFeed(t.Context())
		h.expectVerify(p, nil)
		if err := elsewhere.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		elapse(2*time.Second - took - time.Nanosecond)
		h.expectVerify(p, nil)
		if loads != 0 {
			t.Errorf("%d loads within the lease", loads)
		}
		elapse(time.Nanosecond)
		h.expectVerify(p, core.ErrTokenRevoked)
	})
}

// P17: a user is in doubt until a read of the feed that began afterwards: one
// that was under way ends no doubt.
func TestDoubtOutlivesAnOldRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newTap()
		other := &tap{Store: one.Store}
		here, there := open(t, one), open(t, other)
		settle(here)
		p, bystander := here.signIn("alice"), here.signIn("bob")
		elapse(time.Second)
		there.expectVerify(p, nil)
		there.expectVerify(bystander, nil)
		elapse(time.Second)

		// A read that has looked, and whose answer is under way.
		release, again := make(chan struct{}), make(chan struct{})
		reads := make(chan struct{}, 8)
		other.set(func(call string, do func() error) error {
			if call != "tail" {
				return do()
			}
			err := do()
			reads <- struct{}{}
			if len(reads) == 1 {
				<-release
			} else {
				<-again
			}
			return err
		})
		elapse(time.Second)
		if n, err := here.RevokeAll(t.Context(), "alice", core.ReasonRevoked); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		there.expectVerify(p, nil) // nothing was promised here yet
		if n, err := there.RevokeAll(t.Context(), "alice", core.ReasonRevoked); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		there.expectVerify(p, core.ErrTokenRevoked)
		close(release)
		synctest.Wait() // that read is over, and the next is held up
		there.expectVerify(p, core.ErrTokenRevoked)
		n := other.counting()
		there.expectVerify(bystander, nil)
		if got := n(); got["load"] != 0 {
			t.Errorf("another user's token: %v", got)
		}
		close(again)
		elapse(time.Second)
		n = other.counting()
		there.expectVerify(p, core.ErrTokenRevoked)
		there.expectVerify(bystander, nil)
		if got := n(); got["load"] != 0 {
			t.Errorf("the doubt is over, but %v", got)
		}
	})
}

// A feed that has no room vouches for nothing: what was loaded before something
// found no room vouches no more either.
func TestFullFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store, func(c *core.Config) { c.MaxRevocations, c.RetireAccess = 1, core.AtOnce })
		settle(h)
		if err := h.Revoke(t.Context(), "bob", h.signIn("bob").Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			p := h.signIn("alice")
			elapse(time.Minute)
			h.expectVerify(p, nil)
			h.expectVerify(p, nil)
			next := h.refresh(p) // retires p, for which there is no room
			h.expectVerify(p, core.ErrTokenRevoked)
			h.expectVerify(next, nil)
			d := h.Guard().Check(bearing(p.AccessToken))
			if d.Refusal == nil || d.Refusal.Status != http.StatusUnauthorized {
				t.Errorf("let in: %+v", d)
			}
		}
	})
}
