package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// The store goes away again while it is being told what it lacks: that is noticed, and
// the process goes on as it has to.
func TestOutageWhileTheStoreIsTold(t *testing.T) {
	for name, mode := range map[core.Mode]func(*core.Config){
		core.ModeDegraded: func(*core.Config) {},
		core.ModeMemory:   memoryServed,
	} {
		t.Run(string(name), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFragile().wire()
				h := open(t, w, mode)
				settle(h)
				var others []core.Pair
				for i := range 5 {
					others = append(others, h.signIn(fmt.Sprint("user ", i)))
				}
				elapse(time.Minute)
				w.fails(func(_, user string) bool { return user == "alice" })
				expectQueued(t, h.Revoke(t.Context(), "alice", core.ID{9}, core.ReasonRevoked))
				w.set(func(call, user string, do func() error) error {
					switch {
					case user == "alice" && call == "commit": // by the reader of the feed
						w.fails(func(string, string) bool { return true })
						for i := range others {
							expectQueued(t, h.Revoke(t.Context(), fmt.Sprint("user ", i), core.ID{9}, core.ReasonRevoked))
						}
						return do()
					}
					return do()
				})
				elapse(20 * time.Second)
				h.expectMode(name)
				h.expectVerify(others[0], nil)
				w.set(nil)
				elapse(2 * time.Second)
				h.expectMode(core.ModeNormal)
			})
		})
	}
}

// A store that takes what is written, and whose feed alone can't be read, is told what
// was ordered, and is not away.
func TestFeedFailsAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		w := store.wire()
		h, there := open(t, w), open(t, store.link())
		settle(h)
		settle(there)
		p, q := h.signIn("alice"), h.signIn("bob")
		elapse(time.Minute)
		w.away(errBroken)
		elapse(5 * time.Second)
		expectQueued(t, h.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked))
		w.fails(func(call, _ string) bool { return call == "tail" })
		w.away(nil)
		elapse(time.Minute)
		h.expectMode(core.ModeNormal)
		if hh := h.Health(); hh.Queued != 0 || !hh.Degraded {
			t.Errorf("health %+v", hh)
		}
		for _, who := range []*house{h, there} {
			who.expectVerify(p, core.ErrTokenRevoked)
			who.expectRefresh(p, core.ErrSessionEnded)
			who.expectVerify(q, nil)
		}
		w.set(nil)
		elapse(time.Second)
	})
}

// Once closed for good reason the doors stay closed until the store is back: a store
// that answers now and then, and not for long enough, changes nothing.
func TestClosedStaysClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFragile().wire()
		h := open(t, w, func(c *core.Config) { c.MaxDegraded = time.Minute })
		settle(h)
		p := h.signIn("bob")
		elapse(time.Second)
		w.away(errBroken)
		elapse(5 * time.Second)
		expectQueued(t, h.Revoke(t.Context(), "alice", core.ID{9}, core.ReasonRevoked))
		elapse(2 * time.Minute)
		h.expectMode(core.ModeClosed)
		h.trail.take()
		var reads atomic.Int32
		w.away(nil)
		w.set(func(call, _ string, do func() error) error { // the feed answers every other time, nothing else does
			if call == "tail" && reads.Add(1)%2 == 0 {
				return do()
			}
			return errBroken
		})
		for range 60 {
			elapse(time.Second)
			for i := range 5 {
				_ = h.Revoke(t.Context(), fmt.Sprint("user ", i), core.ID{9}, core.ReasonRevoked)
			}
			h.expectVerify(p, core.ErrStoreUnavailable)
		}
		if n := countOf(h.trail.take(), "mode_changed"); n != 0 {
			t.Errorf("%d changes of mode", n)
		}
		w.set(nil)
		elapse(2 * time.Second)
		h.expectMode(core.ModeNormal)
		h.expectVerify(p, nil)
	})
}

// Hooks may call the Auth: each change of mode is told once, and in order.
func TestHooksThatCallTheAuth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFragile().wire()
		var h *house
		var modes []string
		h = open(t, w, func(c *core.Config) {
			c.OnMode = func(m core.ModeChange) {
				modes = append(modes, string(m.From)+" "+string(m.To))
				h.Health()
				if m.To == core.ModeNormal && len(modes) < 4 {
					w.away(errBroken) // it is away again, and the hook is the one to see it
				}
				for i := range 4 {
					_ = h.Revoke(context.Background(), fmt.Sprint("user ", i), core.ID{9}, core.ReasonRevoked)
				}
				modes = append(modes, "told")
			}
		})
		settle(h)
		elapse(time.Minute)
		w.away(errBroken)
		elapse(5 * time.Second)
		w.away(nil)
		elapse(5 * time.Second)
		w.away(nil)
		elapse(5 * time.Second)
		want := []string{"normal degraded", "told", "degraded normal", "told", "normal degraded", "told", "degraded normal", "told"}
		if !slices.Equal(modes, want) {
			t.Errorf("%q, want %q", modes, want)
		}
	})
}

// Closing an Auth is no outage, whatever the reader of the feed is at.
func TestCloseTellsNoMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFragile().wire()
		h := open(t, w)
		settle(h)
		probing := make(chan struct{})
		w.set(func(call, user string, do func() error) error {
			switch {
			case call == "tail":
				return errBroken
			case user == "sallyport-probe":
				select {
				case <-probing:
				default:
					close(probing)
				}
				<-time.After(time.Second)
				return context.Canceled
			}
			return do()
		})
		<-probing
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		h.expectMode(core.ModeNormal)
		h.trail.expect(t, "closing")
	})
}

// After Close an Auth asks the store each time: nobody would notice that it is back.
func TestClosedAuthAsksTheStore(t *testing.T) {
	for _, away := range []bool{false, true} { // when it is closed
		synctest.Test(t, func(t *testing.T) {
			store := newFragile()
			w := store.wire()
			h, there := open(t, w), open(t, store.link())
			settle(h)
			p, q := h.signIn("alice"), h.signIn("bob")
			elapse(time.Minute)
			if away {
				w.away(errBroken)
				elapse(5 * time.Second)
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			w.away(errBroken)
			for i := range 10 {
				_, err := h.RevokeAll(t.Context(), fmt.Sprint("user ", i), core.ReasonRevoked)
				expectQueued(t, err)
			}
			h.lossy = true
			w.away(nil)
			if err := there.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
				t.Fatal(err)
			}
			elapse(5 * time.Second)
			h.expectVerify(p, core.ErrTokenRevoked)
			h.expectVerify(q, nil)
			h.expectRefresh(q, nil)
		})
	}
}

// With hardly any MaxDegraded the doors close at once, and open again.
func TestMaxDegradedIsTiny(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := newFragile().link()
		h := open(t, link, func(c *core.Config) { c.MaxDegraded = 1 }, memoryServed)
		settle(h)
		p := h.signIn("alice")
		elapse(time.Minute)
		link.away(errBroken)
		elapse(5 * time.Second)
		h.expectMode(core.ModeClosed)
		h.expectVerify(p, core.ErrStoreUnavailable)
		h.expectRefresh(p, core.ErrStoreUnavailable)
		if _, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "bob"}}); !errors.Is(err, core.ErrStoreUnavailable) {
			t.Error(err)
		}
		expectQueued(t, h.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked))
		h.expectVerify(p, core.ErrTokenRevoked)
		link.away(nil)
		elapse(time.Second)
		h.expectMode(core.ModeNormal)
		h.expectCount("alice", 0)
	})
}

// A request waits for a store that hangs no longer than StoreTimeout, whoever else waits.
func TestNobodyWaitsForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFragile().wire()
		h := open(t, w, func(c *core.Config) { c.StoreTimeout = 3 * time.Second })
		settle(h)
		pairs := make([]core.Pair, 20)
		for i := range pairs {
			pairs[i] = h.signIn(fmt.Sprint("user ", i))
		}
		elapse(time.Minute)
		w.set(func(call, _ string, _ func() error) error {
			<-time.After(3*time.Second + time.Millisecond) // when the call's context is done
			return context.DeadlineExceeded
		})
		for range 10 {
			begin := time.Now()
			done := make(chan error)
			for _, p := range pairs {
				go func() {
					_, err := h.Refresh(t.Context(), core.RefreshRequest{Token: p.RefreshToken})
					done <- err
				}()
				go func() {
					_, err := h.Verify(t.Context(), p.AccessToken)
					done <- err
				}()
			}
			for range 2 * len(pairs) {
				if err := <-done; err != nil && !errors.Is(err, core.ErrStoreUnavailable) {
					t.Error(err)
				}
			}
			if took := time.Since(begin); took > 3*time.Second+time.Millisecond {
				t.Errorf("%v", took)
			}
			elapse(time.Second)
		}
		h.expectMode(core.ModeDegraded)
		begin := time.Now()
		for _, p := range pairs {
			h.expectVerify(p, nil)
			h.expectRefresh(p, core.ErrStoreUnavailable)
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("open, and %v", took)
		}
		w.set(nil)
		elapse(10 * time.Second)
		h.expectMode(core.ModeNormal)
	})
}
