package core_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// A session that began in memory is not taken for dead because the store does not have it
// yet: until it is joined its token passes, and strict guards say 503.
func TestStrictGuardBeforeTheJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFragile().wire()
		h := open(t, w, memoryServed, func(c *core.Config) { c.MaxDegraded = 10 * time.Minute })
		h.lossy = true
		settle(h)
		elapse(time.Minute)
		w.away(errBroken)
		elapse(5 * time.Second)
		begun := h.signIn("alice")
		w.fails(func(call, _ string) bool { return call == "commit" || call == "tail" }) // it can be read, and not joined
		w.away(nil)
		elapse(5 * time.Second)
		h.expectVerify(begun, nil)
		expectDecision(t, "strict", h.Guard(core.Strict()).Check(bearing(begun.AccessToken)), "", core.ErrStoreUnavailable, "")
		h.expectVerify(begun, nil)
		elapse(10 * time.Minute) // MaxDegraded is over
		h.expectVerify(begun, core.ErrStoreUnavailable)
		expectDecision(t, "strict", h.Guard(core.Strict()).Check(bearing(begun.AccessToken)), "", core.ErrStoreUnavailable, "")
		h.expectRefresh(begun, core.ErrStoreUnavailable)
	})
}

// D3: in memory as well nobody comes in after MaxDegraded.
func TestMemoryIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := newFragile().link()
		h := open(t, link, memoryServed, func(c *core.Config) { c.MaxDegraded = 10 * time.Minute })
		settle(h)
		elapse(time.Minute)
		link.away(errBroken)
		elapse(5 * time.Second)
		begun := h.signIn("alice")
		h.expectVerify(begun, nil)
		elapse(11 * time.Minute)
		h.expectMode(core.ModeClosed)
		h.expectVerify(begun, core.ErrStoreUnavailable)
		link.away(nil)
		elapse(3 * time.Second)
	})
}

// D6: only those take room of whom something was decided in memory. That they were seen
// is no reason, nor is a token of somebody who is not known here.
func TestRoomForWhoIsServedFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		link := store.link()
		h, there := open(t, link, memoryServed, func(c *core.Config) { c.MaxQueued = 5 }), open(t, store.link())
		settle(h)
		settle(there)
		var known, unknown []core.Pair
		for i := range 20 {
			known = append(known, h.signIn(fmt.Sprint("user ", i)))
			unknown = append(unknown, there.signIn(fmt.Sprint("stranger ", i)))
		}
		elapse(10 * time.Minute)
		link.away(errBroken)
		elapse(5 * time.Second)
		for i := range known {
			h.expectVerify(known[i], nil) // which is noted
			h.expectRefresh(unknown[i], core.ErrStoreUnavailable)
			elapse(time.Second)
		}
		if n := h.Health().Apart; n != 0 {
			t.Errorf("%d users are served from memory", n)
		}
		for i, p := range known {
			want := error(nil)
			if i >= 5 {
				want = core.ErrStoreUnavailable
			}
			h.expectRefresh(p, want)
		}
		if n := h.Health().Apart; n != 5 {
			t.Errorf("%d users are served from memory", n)
		}
		link.away(nil)
		elapse(3 * time.Second)
		if n := h.Health().Apart; n != 0 {
			t.Errorf("%d users are served from memory", n)
		}
	})
}

// A ledger that can't be read when the store is back keeps nobody else in memory.
func TestOneLedgerIsBrokenWhenTheStoreIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFragile().wire()
		h := open(t, w, memoryServed)
		settle(h)
		elapse(time.Minute)
		w.away(errBroken)
		elapse(5 * time.Second)
		for i := range 10 {
			h.signIn(fmt.Sprint("user ", i))
		}
		w.fails(func(_, user string) bool { return user == "user 7" })
		w.away(nil)
		elapse(5 * time.Second)
		h.expectMode(core.ModeNormal)
		if n := h.Health().Apart; n != 1 {
			t.Errorf("%d are apart", n)
		}
		if _, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "user 7"}}); !errors.Is(err, core.ErrStoreUnavailable) {
			t.Error(err)
		}
		h.refresh(h.signIn("user 8"))
		w.set(nil)
		elapse(time.Minute)
		if n := h.Health().Apart; n != 0 {
			t.Errorf("%d are apart", n)
		}
		h.signIn("user 7")
	})
}
