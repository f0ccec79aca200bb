package core_test

import (
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// seen returns what is stored of when a session was used.
func (s *tap) seen(t *testing.T, p core.Pair) (seen, last time.Time) {
	t.Helper()
	for _, o := range s.ledger(t, p.UserID).Sessions {
		if o.ID == p.Session.ID {
			return o.SeenAt, o.LastSeenAt
		}
	}
	t.Fatalf("no session %v", p.Session.ID)
	return
}

func randomID(t *testing.T) (id core.ID) {
	if _, err := rand.Read(id[:]); err != nil {
		t.Fatal(err)
	}
	return id
}

// A sign of life that could not be written is noted again by a later request,
// whatever failed, and written once.
func TestSignOfLifeThatFails(t *testing.T) {
	for _, call := range []string{"load", "commit"} {
		synctest.Test(t, func(t *testing.T) {
			store := newTap()
			h := open(t, store, func(c *core.Config) {
				if call == "load" { // a ledger that was seen lately needs none
					c.LedgerCacheBytes = -1
				}
			})
			settle(h)
			p := h.signIn("alice")
			elapse(time.Second)
			var broken atomic.Bool
			var commits atomic.Int64
			broken.Store(true)
			store.set(func(c string, do func() error) error {
				if c == call && broken.Load() {
					return errBroken
				}
				if c == "commit" {
					commits.Add(1)
				}
				return do()
			})
			for range 3 {
				h.expectVerify(p, nil)
				synctest.Wait()
			}
			if seen, _ := store.seen(t, p); !seen.IsZero() {
				t.Errorf("seen at %v through a store that fails", seen)
			}
			broken.Store(false)
			elapse(time.Second) // it is noticed that the store answers again
			for range 5 {
				h.expectVerify(p, nil)
				synctest.Wait()
			}
			if seen, _ := store.seen(t, p); !seen.Equal(time.Now()) || commits.Load() != 1 {
				t.Errorf("a failing %s: seen at %v after %d writes, want now and 1", call, seen, commits.Load())
			}
		})
	}
}

// Signs of life for which there is no room are noted at a later request.
func TestTooManySignsOfLife(t *testing.T) {
	const queued = 4096
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := still(t, store, time.Now)
		pairs := make([]core.Pair, queued+2)
		for i := range pairs {
			pairs[i] = h.signIn(fmt.Sprint("user-", i))
			h.expectVerify(pairs[i], nil)
		}
		last := pairs[len(pairs)-1]
		h.FlushUses(t.Context())
		if seen, _ := store.seen(t, pairs[0]); seen.IsZero() {
			t.Error("what was queued is not written")
		}
		if seen, _ := store.seen(t, last); !seen.IsZero() {
			t.Fatal("there was room for all")
		}
		h.expectVerify(last, nil)
		h.FlushUses(t.Context())
		if seen, _ := store.seen(t, last); seen.IsZero() {
			t.Error("not noted again when there was room")
		}
	})
}

// However many requests come, in however many processes, a session is written
// once per touch interval, beside once for each token that is seen in use; and
// what is written is never older than that.
func TestSignsOfLifeAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		houses := []*house{open(t, store), open(t, store), open(t, store, func(c *core.Config) { c.TokenCacheBytes = -1 })}
		settle(houses[0])
		p := houses[0].signIn("alice")
		elapse(time.Second)
		var loads, writes atomic.Int64
		store.set(func(call string, do func() error) error {
			err := do()
			switch {
			case call == "load":
				loads.Add(1)
			case call == "commit" && err == nil: // of two that race, one is refused
				writes.Add(1)
			}
			return err
		})
		for range 6 {
			loads.Store(0)
			writes.Store(0)
			for n := range 300 { // 50 minutes
				for i := range houses {
					houses[(n+i)%3].expectVerify(p, nil)
					houses[(n+i)%3].expectVerify(p, nil)
				}
				elapse(10 * time.Second)
				if _, last := store.seen(t, p); time.Since(last) > 5*time.Minute+10*time.Second {
					t.Fatalf("last written %v ago", time.Since(last))
				}
			}
			if n, most := writes.Load(), int64(50/5+1); n > most || loads.Load() > 3*most {
				t.Errorf("%d writes and %d loads in 50 minutes, want at most %d, and a load of each process for each", n, loads.Load(), most)
			}
			p = houses[0].refresh(p)
		}
	})
}

// P39: what was noted is remembered of a bounded number of sessions; when they
// are forgotten, nothing is written again.
func TestSignsOfLifeAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := still(t, store, time.Now)
		p := h.refresh(h.signIn("alice"))
		h.expectVerify(p, nil)
		h.FlushUses(t.Context())
		calls := store.counting()
		for range 6 {
			ids := make([]core.ID, 40_000)
			for i := range ids {
				ids[i] = randomID(t)
			}
			if n := h.NoteSessions(ids); n > 100_000 {
				t.Fatalf("%d sessions remembered", n)
			}
			h.expectVerify(p, nil)
		}
		other := h.refresh(p) // in the grace period: another access token of the same serial
		calls()
		h.expectVerify(other, nil)
		h.FlushUses(t.Context())
		if n := calls(); n["commit"] != 0 {
			t.Errorf("written again: %v", n)
		}
	})
}
