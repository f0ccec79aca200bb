package core_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// More users in doubt than there is room for void the lease. A read that
// began before the doubt must not bring it back.
func TestFeedDoubtsWithoutRoomAndAnOldRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newTap()
		other := &tap{Store: one.Store}
		here := open(t, one)
		there := open(t, other, func(c *core.Config) { c.MaxRevocations = 2 })
		settle(here)
		p := here.signIn("alice")
		elapse(time.Second)
		there.expectVerify(p, nil)
		release := make(chan struct{})
		other.set(func(call string, do func() error) error {
			err := do()
			if call == "tail" {
				<-release // this read is under way
			}
			return err
		})
		elapse(time.Second)
		if n, err := here.RevokeAll(t.Context(), "alice", core.ReasonRevoked); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		for _, user := range []string{"bob", "carol"} {
			if err := there.Revoke(t.Context(), user, randomID(t), core.ReasonRevoked); !errors.Is(err, core.ErrSessionNotFound) {
				t.Fatal(err)
			}
		}
		if n, err := there.RevokeAll(t.Context(), "alice", core.ReasonRevoked); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		there.expectVerify(p, core.ErrTokenRevoked)
		first := true
		other.set(func(call string, do func() error) error {
			if call == "tail" && first {
				first = false
				<-time.After(300 * time.Millisecond) // the next read is slow
			}
			return do()
		})
		close(release)
		synctest.Wait()
		there.expectVerify(p, core.ErrTokenRevoked)
	})
}

// A load that was under way when the session began does not know it.
func TestFeedSessionThatBeganDuringAJoinedLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store)
		settle(h)
		old := h.signIn("alice")
		elapse(time.Second)
		release := make(chan struct{})
		store.set(func(call string, do func() error) error {
			if call == "tail" {
				return errBroken
			}
			return do()
		})
		elapse(5 * time.Second) // the lease lapses
		first := true
		store.set(func(call string, do func() error) error {
			if call == "tail" {
				return errBroken
			}
			err := do()
			if call == "load" && first {
				first = false
				<-release // looked, and the reply is slow
			}
			return err
		})
		done := make(chan error)
		go func() {
			_, err := h.Verify(t.Context(), old.AccessToken)
			done <- err
		}()
		synctest.Wait()
		fresh := h.signIn("alice")
		go func() {
			_, err := h.Verify(t.Context(), fresh.AccessToken)
			done <- err
		}()
		synctest.Wait()
		close(release)
		for range 2 {
			if err := <-done; err != nil {
				t.Errorf("a good token: %v", err)
			}
		}
	})
}

// The clock is set forward for some minutes, and back.
func TestFeedClockForwardAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wall atomic.Int64 // by which the wall clock is moved
		store := &unswept{newTap()}
		auth, err := core.NewBy(core.Config{
			Store: store, Keys: []core.Key{{Secret: testSecret("key")}}, Audit: (&trail{}).add,
		}, func() time.Time { return wallMoved(time.Now(), time.Duration(wall.Load())) })
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		h := &house{Auth: auth, t: t, trail: &trail{}}
		settle(h)
		p := h.signIn("alice")
		elapse(time.Second)
		if err := h.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		elapse(time.Second)
		h.expectVerify(p, core.ErrTokenRevoked)
		wall.Store(int64(3 * time.Hour))
		elapse(3 * time.Minute)
		wall.Store(int64(0))
		elapse(time.Second)
		h.expectVerify(p, core.ErrTokenRevoked)
		elapse(time.Minute)
		h.expectVerify(p, core.ErrTokenRevoked)
	})
}

// unswept is a store that nobody's clock sweeps.
type unswept struct{ core.Store }

// RetireAccess was switched off. The next refresh retires nothing, so the
// token that the session had before it goes on.
func TestFeedRetireAtIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		before := open(t, store, func(c *core.Config) { c.RetireAccess = 30 * time.Second })
		settle(before)
		p := before.refresh(before.signIn("alice"))
		elapse(time.Minute)
		after := open(t, store)
		q := after.refresh(p)
		after.expectVerify(p, nil)
		after.expectVerify(q, nil)
	})
}

// A load vouches for MaxStaleness by the monotonic clock as well if the
// token is to be retired before that.
func TestFeedLoadOfATokenThatRetiresAndAClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wall atomic.Int64 // by which the wall clock is moved
		one := newTap()
		other := &tap{Store: one.Store}
		c := core.Config{Store: other, Keys: []core.Key{{Secret: testSecret("key")}}, Audit: (&trail{}).add, RetireAccess: 10 * time.Second, Leeway: time.Minute}
		auth, err := core.NewBy(c, func() time.Time { return wallMoved(time.Now(), time.Duration(wall.Load())) })
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		there := &house{Auth: auth, t: t, trail: &trail{}}
		here := open(t, one, func(c *core.Config) { c.RetireAccess, c.Leeway = 10*time.Second, time.Minute })
		settle(here)
		other.set(func(call string, do func() error) error {
			if call == "tail" {
				return errBroken
			}
			return do()
		})
		p := here.signIn("alice")
		elapse(20 * time.Second)
		here.refresh(p)
		elapse(9 * time.Second)
		there.expectVerify(p, nil)
		wall.Store(int64(-30 * time.Second))
		if err := here.Revoke(context.Background(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		elapse(3 * time.Second)
		there.expectVerify(p, core.ErrTokenRevoked)
	})
}

// As many revocations as may be held are not too many.
func TestFeedExactlyFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store)
		settle(h)
		for range 3 {
			if err := h.Revoke(t.Context(), "alice", h.signIn("alice").Session.ID, core.ReasonRevoked); err != nil {
				t.Fatal(err)
			}
		}
		small := open(t, store, func(c *core.Config) { c.MaxRevocations = 3 })
		elapse(time.Second)
		if small.Health().Degraded {
			t.Error("degraded, though there is room for all")
		}
	})
}
