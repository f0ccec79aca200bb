package core_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// A store that takes what it is told, but on fewer machines than it was asked for, has
// taken it.
func TestStoreFallsBackAndIsNotDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		w := store.wire()
		h := open(t, w)
		settle(h)
		const users = 50
		for i := range users {
			h.signIn(fmt.Sprint("user ", i))
		}
		elapse(time.Minute)
		for i := range users {
			if n, err := h.RevokeAll(t.Context(), fmt.Sprint("user ", i), core.ReasonRevoked); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
		elapse(time.Second)
		var commits atomic.Int32
		w.set(func(call, _ string, do func() error) error {
			err := do()
			if call == "commit" && err == nil {
				commits.Add(1)
				return core.ErrNotDurable
			}
			return err
		})
		store.fallBack(users)
		elapse(3 * time.Second)
		if age := h.Health().FeedAge; age > 2*time.Second {
			t.Errorf("the feed is %v old", age)
		}
		if n := commits.Load(); n != users {
			t.Errorf("it was told %d times, want %d", n, users)
		}
	})
}

// What is to be revoked later is told again as well, also if the first try fails.
func TestStoreFallsBackBeforeTokensRetire(t *testing.T) {
	for _, failing := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := newFragile()
			w := store.wire()
			h := open(t, w, func(c *core.Config) { c.RetireAccess = 10 * time.Minute })
			settle(h)
			ended := h.signIn("bob")
			p := h.signIn("alice")
			elapse(time.Minute)
			next := h.refresh(p)
			if err := h.Revoke(t.Context(), "bob", ended.Session.ID, core.ReasonRevoked); err != nil {
				t.Fatal(err)
			}
			elapse(time.Second)
			var fails atomic.Int32
			w.set(func(call, user string, do func() error) error {
				if failing && call == "commit" && user == "alice" && fails.Add(1) <= 4 {
					return errBroken
				}
				return do()
			})
			store.fallBack(2)
			elapse(time.Minute)
			b, err := store.now().Tail(t.Context(), "", 0)
			if err != nil {
				t.Fatal(err)
			}
			later := 0
			for _, e := range b.Events {
				if !e.From.IsZero() {
					later++
				}
			}
			if later != 1 {
				t.Errorf("failing %v: the store was told %d times of what is to be revoked later", failing, later)
			}
			h.expectVerify(next, nil)
		})
	}
}

// A feed that is read from its start may lack something as well.
func TestStoreFallsBackBeforeItIsReadAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		var wall atomic.Int64 // by which the wall clock is moved
		config := core.Config{Store: store.link(), Keys: []core.Key{{Secret: testSecret("key")}}, Audit: (&trail{}).add}
		auth, err := core.NewBy(config, func() time.Time { return wallMoved(time.Now(), time.Duration(wall.Load())) })
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		h := &house{Auth: auth, t: t, trail: &trail{}}
		settle(h)
		p := h.signIn("alice")
		elapse(time.Minute)
		if err := h.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		elapse(time.Second + 100*time.Millisecond)
		wall.Add(int64(time.Minute)) // it reads from the start next
		store.fallBack(1)
		elapse(3 * time.Second)
		there := open(t, store.link())
		there.expectVerify(p, core.ErrTokenRevoked)
		there.expectRefresh(p, core.ErrSessionEnded)
	})
}

// Nor may one that is read for the first time, by a process that has revoked already.
func TestStoreFallsBackBeforeItIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		first := open(t, store.link())
		settle(first)
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		w := store.wire()
		w.fails(func(call, _ string) bool { return call == "tail" })
		h := open(t, w)
		p := h.signIn("alice")
		if err := h.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		elapse(time.Second)
		store.fallBack(1)
		w.set(nil)
		elapse(3 * time.Second)
		there := open(t, store.link())
		there.expectVerify(p, core.ErrTokenRevoked)
		there.expectRefresh(p, core.ErrSessionEnded)
	})
}

// D3: a token of which the feed does not tell, since it was issued before the feed
// began, is not let in on the feed's word while the store is away.
func TestOutageAndTokensOfAnotherEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		before := open(t, store.link())
		settle(before)
		p, dead := before.signIn("alice"), before.signIn("alice")
		if err := before.Revoke(t.Context(), "alice", dead.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		if err := before.Close(); err != nil {
			t.Fatal(err)
		}
		store.fallBack(100) // nobody is left who knows
		w := store.wire()
		h := open(t, w)
		settle(h)
		known := h.signIn("bob")
		elapse(time.Minute)
		w.away(errBroken)
		elapse(5 * time.Second)
		h.expectMode(core.ModeDegraded)
		h.expectVerify(known, nil)
		h.expectVerify(p, core.ErrStoreUnavailable)
		h.expectVerify(dead, core.ErrStoreUnavailable)
		w.away(nil)
		elapse(time.Second)
		h.expectVerify(p, core.ErrTokenRevoked)
	})
}

// A store that is emptied, and falls back once more before all is told, is another than
// it was all the same.
func TestStoreIsEmptiedAndFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		w := store.wire()
		h := open(t, w, memoryServed)
		settle(h)
		elapse(time.Minute)
		w.away(errBroken)
		elapse(5 * time.Second)
		begun := h.signIn("alice")
		expectQueued(t, h.Revoke(t.Context(), "bob", core.ID{9}, core.ReasonRevoked))
		store.fallBack(100)
		settle(open(t, store.link())) // begins an epoch
		w.set(func(call, user string, do func() error) error {
			if call == "load" && user != "sallyport-probe" { // the feed is read, and no more
				return errBroken
			}
			if user == "sallyport-probe" {
				return errBroken
			}
			return do()
		})
		w.away(nil)
		elapse(time.Second)
		store.fallBack(0) // the same epoch, and the cursor is none of it
		elapse(time.Second)
		w.set(nil)
		elapse(3 * time.Second)
		h.expectMode(core.ModeNormal)
		h.expectCount("alice", 0)
		h.expectVerify(begun, core.ErrTokenRevoked)
	})
}

// A store that has lost nothing is not told anything twice, however often its feed has to
// be read from the start.
func TestReadAnewWithoutLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		w := store.wire()
		h := open(t, w)
		settle(h)
		for range 20 {
			p := h.signIn("alice")
			if err := h.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
				t.Fatal(err)
			}
		}
		_, err := h.RevokeToken(t.Context(), h.signIn("bob").AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		elapse(time.Second)
		var commits atomic.Int32
		w.set(func(call, _ string, do func() error) error {
			if call == "commit" {
				commits.Add(1)
			}
			return do()
		})
		for range 3 {
			store.fallBack(0)
			elapse(3 * time.Second)
		}
		if n := commits.Load(); n != 0 {
			t.Errorf("%d commits", n)
		}
		if hh := h.Health(); hh.Degraded {
			t.Errorf("health %+v", hh)
		}
	})
}
