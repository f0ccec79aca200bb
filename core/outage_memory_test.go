package core_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// D4, D7: served from memory, sessions that are known here go on, others can begin, and
// what was done is joined with what the store has.
func TestServedFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		link := store.link()
		h, there := open(t, link, memoryServed), open(t, store.link(), memoryServed)
		settle(h)
		settle(there)
		known, gone := h.signIn("alice"), h.signIn("alice")
		unknown := there.signIn("bob")
		elapse(time.Minute)
		link.away(errBroken)
		elapse(5 * time.Second)
		h.expectMode(core.ModeMemory)
		h.trail.take()

		next := h.refresh(known)
		elapse(11 * time.Second)
		h.expectVerify(next, nil)
		last := h.refresh(next)
		h.expectVerify(last, nil)
		begun := h.signIn("alice")
		carol := h.signIn("carol")
		h.expectVerify(begun, nil)
		h.expectVerify(carol, nil)
		h.refresh(carol)
		h.expectRefresh(unknown, core.ErrStoreUnavailable) // nobody here knows
		h.expectVerify(unknown, nil)
		if err := h.Revoke(t.Context(), "alice", gone.Session.ID, core.ReasonRevoked); !errors.Is(err, core.ErrNotDurable) {
			t.Errorf("revoke: %v", err)
		}
		h.expectVerify(gone, core.ErrTokenRevoked)
		h.expectRefresh(gone, core.ErrSessionEnded)
		over := h.signIn("carol")
		if err := h.Revoke(t.Context(), "carol", over.Session.ID, core.ReasonRevoked); !errors.Is(err, core.ErrNotDurable) {
			t.Errorf("revoke: %v", err)
		}
		h.expectVerify(over, core.ErrTokenRevoked)
		expectDecision(t, "strict", h.Guard(core.Strict()).Check(bearing(last.AccessToken)), "", core.ErrStoreUnavailable, "")
		if hh := h.Health(); hh.Apart != 2 || !hh.Degraded {
			t.Errorf("health %+v", hh)
		}

		link.away(nil)
		elapse(3 * time.Second)
		h.expectMode(core.ModeNormal)
		if hh := h.Health(); hh.Apart != 0 || hh.Queued != 0 || hh.Degraded {
			t.Errorf("health %+v", hh)
		}
		for _, who := range []*house{h, there} {
			who.expectVerify(last, nil)
			who.expectVerify(begun, nil)
			who.expectVerify(carol, nil)
			who.expectVerify(gone, core.ErrTokenRevoked)
			who.expectVerify(over, core.ErrTokenRevoked)
			who.expectRefresh(gone, core.ErrSessionEnded)
			who.expectRefresh(over, core.ErrSessionEnded)
			who.expectCount("alice", 2)
			who.expectCount("carol", 1)
		}
		there.expectRefresh(begun, nil)
		there.expectRefresh(carol, nil)
		elapse(time.Minute)
		there.expectVerify(there.expectRefresh(last, nil), nil)
		elapse(time.Minute)
		there.expectRefresh(known, core.ErrRefreshTokenReused) // spent two moves ago, while apart
		there.expectCount("alice", 1)
	})
}

// What was ended elsewhere meanwhile stays gone, and so does what began here before
// another process ended all.
func TestApartFromWhatWasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		link := store.link()
		h, there := open(t, link, memoryServed), open(t, store.link())
		settle(h)
		settle(there)
		a, b := h.signIn("alice"), h.signIn("bob")
		elapse(time.Minute)
		link.away(errBroken)
		elapse(5 * time.Second)
		b = h.refresh(b)
		begun := h.signIn("alice")
		elapse(30 * time.Second)
		if err := there.Revoke(t.Context(), "bob", b.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		if _, err := there.RevokeAll(t.Context(), "alice", core.ReasonPasswordChanged); err != nil {
			t.Fatal(err)
		}
		elapse(30 * time.Second)
		later := h.signIn("alice") // with the new password
		b = h.refresh(b)           // here nobody knows yet
		elapse(20 * time.Minute)
		link.away(nil)
		elapse(3 * time.Second)
		for _, who := range []*house{h, there} {
			for _, p := range []core.Pair{a, b, begun} {
				who.expectVerify(p, core.ErrTokenRevoked)
				who.expectRefresh(p, core.ErrSessionEnded)
			}
			who.expectVerify(later, nil)
			who.expectCount("alice", 1)
		}
	})
}

// Under another epoch what only memory knows ends: it may have been revoked in what
// the store has lost.
func TestApartFromAStoreThatWasEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		link := store.link()
		h := open(t, link, memoryServed)
		settle(h)
		known := h.signIn("alice")
		elapse(time.Minute)
		link.away(errBroken)
		elapse(5 * time.Second)
		next, begun := h.refresh(known), h.signIn("alice")
		store.fallBack(100)
		there := open(t, store.link())
		settle(there)
		other := there.signIn("bob")
		elapse(2 * time.Minute)
		link.away(nil)
		elapse(3 * time.Second)
		for _, who := range []*house{h, there} {
			for _, p := range []core.Pair{known, next, begun} {
				who.expectVerify(p, core.ErrTokenRevoked)
				who.expectRefresh(p, core.ErrSessionEnded)
			}
			who.expectVerify(other, nil)
		}
		h.expectMode(core.ModeNormal)
	})
}

// The mode ends after MaxDegraded, and what was done in it is joined all the same. D7:
// apart the cap holds per process, and afterwards for all.
func TestApartForTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		link := store.link()
		h := open(t, link, memoryServed, func(c *core.Config) { c.MaxDegraded, c.MaxSessions = 10*time.Minute, 2 })
		there := open(t, store.link(), func(c *core.Config) { c.MaxSessions = 2 })
		settle(h)
		settle(there)
		elapse(time.Minute)
		link.away(errBroken)
		elapse(5 * time.Second)
		var here, far []core.Pair
		for range 3 {
			here = append(here, h.signIn("alice"))
			elapse(time.Second)
			far = append(far, there.signIn("alice"))
			elapse(time.Second)
		}
		h.expectVerify(here[0], core.ErrTokenRevoked)
		h.expectVerify(here[1], nil)
		elapse(10 * time.Minute)
		h.expectMode(core.ModeClosed)
		h.expectVerify(here[2], core.ErrStoreUnavailable)
		h.expectRefresh(here[2], core.ErrStoreUnavailable)
		if _, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "dave"}}); !errors.Is(err, core.ErrStoreUnavailable) {
			t.Errorf("sign-in: %v", err)
		}
		link.away(nil)
		elapse(3 * time.Second)
		h.expectMode(core.ModeNormal)
		for _, who := range []*house{h, there} {
			who.expectCount("alice", 2)
			who.expectVerify(here[2], nil)
			who.expectVerify(far[2], nil)
			for _, p := range []core.Pair{here[0], here[1], far[0], far[1]} {
				who.expectVerify(p, core.ErrTokenRevoked)
				who.expectRefresh(p, core.ErrSessionEnded)
			}
		}
	})
}

// The reply of the write that joins is lost, and what it began has ended since: it does
// not begin again.
func TestJoinedAndEndedBeforeItsReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		link := store.link()
		h, there := open(t, link, memoryServed), open(t, store.link())
		settle(h)
		settle(there)
		link.away(errBroken)
		elapse(5 * time.Second)
		begun := h.signIn("alice")
		link.loseReply(func() {
			if err := there.Revoke(t.Context(), "alice", begun.Session.ID, core.ReasonRevoked); err != nil {
				t.Error(err)
			}
			link.away(errBroken)
		})
		link.away(nil)
		elapse(time.Second)
		if h.Health().Apart != 1 {
			t.Fatal("it was joined")
		}
		elapse(2 * time.Hour) // the revocation is over
		link.away(nil)
		elapse(3 * time.Second)
		h.expectRefresh(begun, core.ErrSessionEnded)
		h.expectCount("alice", 0)
	})
}

// What began in memory comes to another process before the store has it. It is refused
// there, and good as soon as it was joined, or a little later.
func TestApartSeenElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		link := store.link()
		h, there := open(t, link, memoryServed), open(t, store.link(), memoryServed)
		settle(h)
		settle(there)
		elapse(2 * time.Minute)
		link.away(errBroken)
		elapse(5 * time.Second)
		begun := h.signIn("alice")
		there.expectVerify(begun, nil) // nothing revokes it
		expectDecision(t, "strict", there.Guard(core.Strict()).Check(bearing(begun.AccessToken)), "", core.ErrTokenRevoked, invalidToken)
		there.expectVerify(begun, core.ErrTokenRevoked)
		there.expectRefresh(begun, core.ErrSessionEnded)
		link.away(nil)
		elapse(3 * time.Second)
		h.expectVerify(begun, nil)
		next := there.expectRefresh(begun, nil)
		elapse(3 * time.Minute)
		there.expectVerify(begun, nil)
		there.expectVerify(next, nil)
		h.expectVerify(next, nil)
	})
}
