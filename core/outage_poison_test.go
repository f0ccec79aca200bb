package core_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// One ledger that can't be read, or not be written, is no outage: everybody else goes on,
// however often it is asked for and whatever waits for it.
func TestOneLedgerIsBroken(t *testing.T) {
	for name, broken := range map[string]func(call, user string) (bool, time.Duration){
		"unreadable": func(_, user string) (bool, time.Duration) { return user == "mallory", 0 },
		"unwritable": func(call, user string) (bool, time.Duration) { return user == "mallory" && call == "commit", 0 },
		"hangs":      func(_, user string) (bool, time.Duration) { return user == "mallory", 3 * time.Second },
	} {
		for _, ordered := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", ordered ", ordered), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newFragile().wire()
					h := open(t, w)
					settle(h)
					p, bad := h.signIn("alice"), h.signIn("mallory")
					elapse(time.Minute)
					h.expectVerify(p, nil)
					loads := 0
					w.set(func(call, user string, do func() error) error {
						if call == "load" && user == "alice" {
							loads++
						}
						if fails, after := broken(call, user); fails {
							if after > 0 {
								<-time.After(after)
								return context.DeadlineExceeded
							}
							return errBroken
						}
						return do()
					})
					h.trail.take()
					if ordered {
						expectQueued(t, h.Revoke(t.Context(), "mallory", bad.Session.ID, core.ReasonRevoked))
						_, err := h.RevokeAll(t.Context(), "mallory", core.ReasonRevoked)
						expectQueued(t, err)
					}
					fresh := 0
					for range 100 {
						for range 4 {
							h.expectRefresh(bad, core.ErrStoreUnavailable)
						}
						h.expectVerify(p, nil)
						if _, err := h.Sessions(t.Context(), "bob"); err != nil {
							t.Error(err)
						}
						if h.Health().FeedAge <= 2*time.Second {
							fresh++
						}
						if mode := h.Health().Mode; mode != core.ModeNormal {
							t.Fatal(mode)
						}
						elapse(time.Second)
					}
					if fresh < 80 { // now and then somebody waits for it
						t.Errorf("the feed was fresh in %d looks of 100", fresh)
					}
					if loads > 20 {
						t.Errorf("%d loads for 100 requests", loads)
					}
					if n := countOf(h.trail.take(), "mode_changed"); n != 0 {
						t.Errorf("%d changes of mode", n)
					}
					if ordered {
						h.expectVerify(bad, core.ErrTokenRevoked)
					}
					w.set(nil)
					elapse(time.Minute)
					if ordered {
						h.expectCount("mallory", 0)
					}
					if n := h.Health().Queued; n != 0 {
						t.Errorf("%d wait", n)
					}
				})
			})
		}
	}
}

// What waits for a ledger that can't be read holds up nothing that waits for others,
// after an outage as well.
func TestOutageThatLeavesOneLedgerBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		w := store.wire()
		h := open(t, w)
		settle(h)
		pairs := make([]core.Pair, 20)
		for i := range pairs {
			pairs[i] = h.signIn(fmt.Sprint("user ", i))
		}
		elapse(time.Minute)
		w.away(errBroken)
		elapse(5 * time.Second)
		for i, p := range pairs {
			expectQueued(t, h.Revoke(t.Context(), fmt.Sprint("user ", i), p.Session.ID, core.ReasonRevoked))
		}
		w.fails(func(_, user string) bool { return user == "user 7" })
		w.away(nil)
		elapse(3 * time.Second)
		h.expectMode(core.ModeNormal)
		if n := h.Health().Queued; n != 1 {
			t.Errorf("%d wait", n)
		}
		there := open(t, store.link())
		for i, p := range pairs {
			h.expectVerify(p, core.ErrTokenRevoked)
			if i != 7 {
				there.expectVerify(p, core.ErrTokenRevoked)
			}
		}
		w.set(nil)
		elapse(time.Minute)
		there.expectVerify(pairs[7], core.ErrTokenRevoked)
	})
}

// Nor does it hold up what a store that fell back is told of the others.
func TestStoreFallsBackWithOneLedgerBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		w := store.wire()
		h := open(t, w)
		settle(h)
		pairs := make([]core.Pair, 20)
		for i := range pairs {
			pairs[i] = h.signIn(fmt.Sprint("user ", i))
		}
		elapse(time.Minute)
		for i, p := range pairs {
			if err := h.Revoke(t.Context(), fmt.Sprint("user ", i), p.Session.ID, core.ReasonRevoked); err != nil {
				t.Fatal(err)
			}
		}
		elapse(time.Second)
		w.fails(func(_, user string) bool { return user == "user 7" })
		store.fallBack(len(pairs))
		elapse(5 * time.Second)
		h.expectMode(core.ModeNormal)
		if age := h.Health().FeedAge; age > 2*time.Second {
			t.Errorf("the feed is %v old", age)
		}
		there := open(t, store.link())
		for i, p := range pairs {
			h.expectVerify(p, core.ErrTokenRevoked)
			h.expectVerify(p, core.ErrTokenRevoked)
			if i != 7 {
				there.expectVerify(p, core.ErrTokenRevoked)
				there.expectRefresh(p, core.ErrSessionEnded)
			}
		}
		w.set(nil)
		elapse(time.Minute)
		there.expectVerify(pairs[7], core.ErrTokenRevoked)
		there.expectRefresh(pairs[7], core.ErrSessionEnded)
	})
}
