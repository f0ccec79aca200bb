package core_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// Something found no room while the feed was read from its start. The read
// does not know it, so that it must not say that nothing is missing.
func TestFeedNoRoomDuringAReadFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &tailed{tap: newTap()}
		h := open(t, store, func(c *core.Config) { c.MaxRevocations, c.RetireAccess = 1, core.AtOnce })
		settle(h)
		// The one that there is room for.
		if err := h.Revoke(t.Context(), "bob", h.signIn("bob").Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		p := h.signIn("alice")
		elapse(time.Second)
		if h.Health().Degraded {
			t.Fatal("there is room for one")
		}
		h.expectVerify(p, nil)
		elapse(time.Second)

		release, again := make(chan struct{}), make(chan struct{})
		reads := 0
		store.set(func(call string, do func() error) error {
			if call != "tail" {
				return do()
			}
			err := do()
			switch reads++; reads {
			case 1:
				<-release
			case 2:
				<-again // the next read is slow
			}
			return err
		})
		// A gap: the read has all that was there when it looked.
		whole, err := store.tap.Store.Tail(t.Context(), "", 0)
		if err != nil {
			t.Fatal(err)
		}
		elapse(700 * time.Millisecond)
		store.next(func(b *core.Batch) { b.Reset, b.Events = true, whole.Events })
		next := h.refresh(p) // retires p, for which there is no room
		synctest.Wait()
		close(release)
		synctest.Wait()
		h.expectVerify(p, core.ErrTokenRevoked)
		h.expectVerify(next, nil)
		close(again)
	})
}

// A dead token of before the epoch, for which the feed never vouches, has no
// other token of its user asked about.
func TestFeedDeadTokenOfBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := open(t, memstore.New())
		old := before.signIn("alice")
		store := newTap() // the memory store was restarted
		h := open(t, store)
		settle(h)
		p := h.signIn("alice")
		h.expectVerify(p, nil)
		elapse(time.Second)
		calls := store.counting()
		for range 10 {
			h.expectVerify(old, core.ErrTokenRevoked)
			calls()
			h.expectVerify(p, nil)
			if n := calls(); n["load"] != 0 {
				t.Errorf("asked about a good token: %v", n)
			}
		}
	})
}
