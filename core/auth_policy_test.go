package core_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// Sliding: one refresh token, whose life moves forward.
func TestSliding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memstore.New(), func(c *core.Config) {
			c.RefreshPolicy, c.RefreshTTL, c.MaxStaleness = core.Sliding, time.Hour, time.Minute
		})
		first := h.signIn("alice")
		p := first
		for range 5 {
			elapse(59 * time.Minute)
			next := h.refresh(p)
			if next.RefreshToken != first.RefreshToken || !next.Same || next.RefreshExpiresIn != time.Hour || next.AccessToken == p.AccessToken {
				t.Errorf("slid to %+v", next)
			}
			h.expectVerify(next, nil)
			p = next
		}
		h.trail.expect(t, "sliding", "signed_in", "refreshed", "refreshed", "refreshed", "refreshed", "refreshed")
		elapse(time.Hour)
		h.expectRefresh(p, core.ErrRefreshTokenExpired)
	})
}

// Strict single use: whatever happens to the reply.
func TestStrictSingleUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memstore.New(), func(c *core.Config) { c.Grace, c.ReuseEndsAll = core.NoGrace, true })
		a, b := h.signIn("alice"), h.signIn("alice")
		other := h.signIn("bob")
		second := h.refresh(a)
		third := h.refresh(second)
		h.trail.take()
		h.expectRefresh(second, core.ErrRefreshTokenReused)
		h.trail.expect(t, "reuse ends all of the user's", "refresh_reused", "session_ended: reuse", "session_ended: reuse")
		h.expectVerify(third, core.ErrTokenRevoked)
		h.expectVerify(b, core.ErrTokenRevoked)
		h.expectVerify(other, nil)
	})
}

// A late replay shuts out whoever was answered before, in every process; the
// fourth in a day is reuse.
func TestLateReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		here, there := open(t, store), open(t, store)
		settle(here)
		p := here.signIn("alice")
		answered := []core.Pair{here.refresh(p)}
		for range 3 {
			elapse(time.Minute)
			here.trail.take()
			next := here.refresh(p)
			here.trail.expect(t, "late", "refresh_replayed_late")
			if next.RefreshToken != answered[0].RefreshToken {
				t.Error("another successor")
			}
			for _, a := range answered {
				here.expectVerify(a, core.ErrTokenRevoked)
			}
			elapse(2 * time.Second)
			for _, a := range answered {
				there.expectVerify(a, core.ErrTokenRevoked)
			}
			answered = append(answered, next)
		}
		elapse(time.Minute)
		here.expectRefresh(p, core.ErrRefreshTokenReused)
		here.expectVerify(answered[3], core.ErrTokenRevoked)
	})
}

// Older access tokens go when the overlap is over, in every process, whether
// the feed vouches or the store is asked.
func TestRetiringAfterAnOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		config := func(c *core.Config) { c.RetireAccess = time.Minute }
		houses := []*house{open(t, store, config), open(t, store, config), open(t, store, config)}
		if err := houses[2].Close(); err != nil {
			t.Error(err)
		}
		expect := func(p core.Pair, want error) {
			t.Helper()
			for _, h := range houses {
				h.expectVerify(p, want)
			}
		}
		settle(houses[0])
		first := houses[0].signIn("alice")
		second := houses[0].refresh(first)
		elapse(time.Minute - time.Millisecond)
		expect(first, nil)
		elapse(time.Millisecond)
		expect(first, core.ErrTokenRevoked)
		expect(second, nil)
		third := houses[1].refresh(second)
		elapse(30 * time.Second)
		expect(second, nil)
		fourth := houses[1].refresh(third) // within the overlap
		elapse(3 * time.Second)
		expect(second, core.ErrTokenRevoked)
		expect(third, nil)
		elapse(57 * time.Second)
		expect(third, core.ErrTokenRevoked)
		expect(fourth, nil)
	})
}

// A store that lost its last writes: the client's token is from its future, and
// goes on.
func TestStoreThatLostWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store)
		first := h.signIn("alice")
		saved := store.ledger(t, "alice")
		elapse(time.Minute)
		second := h.refresh(first)
		elapse(time.Minute)
		third := h.refresh(second)
		now := store.ledger(t, "alice")
		back := core.Change{ID: core.ID{0xbb}, If: now.Version, At: saved.At, Put: saved.Sessions, KeepUntil: now.At.Add(1000 * time.Hour)}
		if _, err := store.Store.Commit(t.Context(), "alice", back); err != nil {
			t.Fatal(err)
		}
		elapse(time.Minute)
		h.trail.take()
		fourth := h.refresh(third)
		h.trail.expect(t, "recovered", "refresh_recovered")
		if fourth.Session.Gen != third.Session.Gen+1 || fourth.Session.Serial <= third.Session.Serial {
			t.Errorf("went on to %+v", fourth.Session)
		}
		h.expectVerify(fourth, nil)
		elapse(time.Minute)
		h.expectRefresh(second, core.ErrRefreshTokenReused)
	})
}

// Whoever presents the current refresh token again has it: it counts as seen.
func TestRepeatedIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store)
		first := h.signIn("alice")
		second := h.refresh(first)
		elapse(time.Second)
		if s := store.ledger(t, "alice").Sessions[0]; !s.SeenAt.IsZero() {
			t.Errorf("seen at %v before it was used", s.SeenAt)
		}
		h.refresh(second)
		synctest.Wait()
		if s := store.ledger(t, "alice").Sessions[0]; !s.SeenAt.Equal(time.Now()) {
			t.Errorf("seen at %v, want now", s.SeenAt)
		}
		elapse(10 * time.Second)
		h.expectRefresh(first, core.ErrRefreshTokenReused)
	})
}
