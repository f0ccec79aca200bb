package core_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

var around = []time.Duration{-time.Second, -time.Millisecond, 0, time.Millisecond, time.Second}

// P22: every end, 1 s and 1 ms before, at it, and after.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		name   string
		config func(*core.Config)
		end    time.Duration // after sign-in
		live   func(h *house, p core.Pair) error
		over   error
	}{
		{"access token", nil, time.Hour, verify, core.ErrTokenExpired},
		{"access token with leeway", func(c *core.Config) { c.Leeway = 30 * time.Second }, time.Hour + 30*time.Second, verify, core.ErrTokenExpired},
		{"access token of a session that ends before", func(c *core.Config) { c.SessionTTL = time.Minute }, time.Minute, verify, core.ErrTokenExpired},
		{"refresh token", func(c *core.Config) { c.RefreshTTL = 2 * time.Hour }, 2 * time.Hour, refresh, core.ErrRefreshTokenExpired},
		{"idle", func(c *core.Config) { c.IdleTimeout = 20 * time.Minute }, 20 * time.Minute, refresh, core.ErrSessionEnded},
		{"absolute", func(c *core.Config) { c.SessionTTL = 90 * time.Minute }, 90 * time.Minute, refresh, core.ErrSessionEnded},
		{"absolute, for lists", func(c *core.Config) { c.SessionTTL = 90 * time.Minute }, 90 * time.Minute, listed, errBroken},
		{"idle, for lists", func(c *core.Config) { c.IdleTimeout = 20 * time.Minute }, 20 * time.Minute, listed, errBroken},
	} {
		for _, d := range around {
			t.Run(fmt.Sprint(c.name, " ", d), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := open(t, memstore.New(), func(k *core.Config) {
						k.MaxStaleness = time.Minute // fewer reads of the feed in fake hours
						if c.config != nil {
							c.config(k)
						}
					})
					p := h.signIn("alice")
					elapse(c.end + d)
					want := error(nil)
					if d >= 0 {
						want = c.over
					}
					if err := c.live(h, p); !errors.Is(err, want) {
						t.Errorf("%v, want %v", err, want)
					}
				})
			})
		}
	}
}

func verify(h *house, p core.Pair) error {
	_, err := h.Verify(h.t.Context(), p.AccessToken)
	return err
}

func refresh(h *house, p core.Pair) error {
	_, err := h.Refresh(h.t.Context(), core.RefreshRequest{Token: p.RefreshToken})
	return err
}

func listed(h *house, p core.Pair) error {
	n, err := h.Count(h.t.Context(), p.UserID)
	if err == nil && n == 0 {
		return errBroken
	}
	return err
}

// P22: guarded activity extends the idle end, to within a touch interval, and
// never past the absolute one.
func TestActivityExtendsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memstore.New(), func(c *core.Config) {
			c.AccessTTL, c.IdleTimeout, c.SessionTTL = 3*time.Hour, 20*time.Minute, 2*time.Hour
		})
		p := h.signIn("alice")
		// An access token lives no longer than the session would without activity.
		if p.ExpiresIn != 20*time.Minute {
			t.Errorf("an access token for %v", p.ExpiresIn)
		}
		// The worst rhythm there is: always a moment before it would be noted.
		elapse(5*time.Minute - time.Second)
		h.expectVerify(p, nil)
		elapse(5*time.Minute - time.Second)
		h.expectVerify(p, nil)
		elapse(15*time.Minute - time.Millisecond)
		h.expectCount("alice", 1)
		elapse(5*time.Minute + time.Millisecond)
		h.expectCount("alice", 0)

		// Busy all along: alive until the absolute end and not longer.
		p = h.signIn("alice")
		begin := time.Now()
		for time.Since(begin) < 2*time.Hour-time.Minute {
			elapse(time.Minute)
			h.expectVerify(p, nil)
			if time.Since(begin)%(19*time.Minute) == 0 {
				p = h.refresh(p)
			}
		}
		elapse(time.Minute - time.Millisecond)
		h.expectCount("alice", 1)
		elapse(time.Millisecond)
		h.expectCount("alice", 0)
		h.expectRefresh(p, core.ErrSessionEnded)
		h.expectVerify(p, core.ErrTokenExpired)
	})
}

// At most one write per session and touch interval, beside those that mark a
// new token as seen.
func TestActivityIsWrittenSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store)
		settle(h)
		p := h.signIn("alice")
		calls := store.counting()
		for range 60 {
			h.expectVerify(p, nil)
			elapse(10 * time.Second)
		}
		if n := calls(); n["commit"] != 2 || n["load"] > 4 {
			t.Errorf("in 10 minutes of use: %v; want 2 commits", n)
		}
	})
}

// P19: a revocation refuses a token until it can't verify any more, leeway
// included: at every moment, whether the feed vouches or the store is asked,
// and in a process that began later.
func TestRevocationsOutliveTokens(t *testing.T) {
	const ttl, leeway = 3 * time.Minute, 60 * time.Second
	for name, end := range map[string]func(h *house, p core.Pair) error{
		"revoke": func(h *house, p core.Pair) error {
			return h.Revoke(h.t.Context(), "alice", p.Session.ID, core.ReasonRevoked)
		},
		"forget": func(h *house, _ core.Pair) error { return h.Forget(h.t.Context(), "alice") },
		"token":  func(h *house, p core.Pair) error { return one(h.RevokeToken(h.t.Context(), p.AccessToken)) },
		"evicted": func(h *house, _ core.Pair) error {
			_, err := h.SignIn(h.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
			return err
		},
		"retired": func(h *house, p core.Pair) error {
			_, err := h.Refresh(h.t.Context(), core.RefreshRequest{Token: p.RefreshToken})
			return err
		},
	} {
		for _, after := range []time.Duration{0, time.Millisecond, 500 * time.Millisecond, time.Minute, ttl - time.Second, ttl - time.Millisecond} {
			for _, at := range []time.Duration{0, 1, 999} { // ms into the second
				if name == "retired" && after == time.Millisecond {
					continue // within the grace period nothing moves
				}
				t.Run(fmt.Sprint(name, " after ", after, " at ", at), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						config := func(c *core.Config) {
							c.AccessTTL, c.Leeway, c.MaxSessions, c.RetireAccess, c.Grace = ttl, leeway, 1, core.AtOnce, 100*time.Millisecond
						}
						store := memstore.New()
						h := open(t, store, config)
						settle(h)
						elapse(at * time.Millisecond)
						p := h.signIn("alice")
						again := p
						if after > 0 {
							again = h.refresh(p)
							elapse(50 * time.Millisecond)
							again = h.refresh(again) // the same again: no commit
							h.refresh(p)             // a replay
						}
						born := time.Now()
						elapse(after)
						if err := end(h, again); err != nil {
							t.Fatal(err)
						}
						later := open(t, store, config)
						watch := open(t, store, config)
						lapsed := open(t, store, config)
						if err := lapsed.Close(); err != nil {
							t.Error(err)
						}
						seen := 0
						for time.Since(born) < ttl+leeway+3*time.Second {
							for _, w := range []*house{h, later, watch, lapsed} {
								_, err := w.Verify(t.Context(), again.AccessToken)
								switch {
								case errors.Is(err, core.ErrTokenRevoked):
									seen++
								case errors.Is(err, core.ErrTokenExpired) && time.Since(born) > ttl+leeway-time.Second-time.Millisecond:
								default:
									t.Fatalf("%v after it was issued: %v", time.Since(born), err)
								}
							}
							elapse(997 * time.Millisecond)
						}
						if seen < 40 {
							t.Errorf("looked only %d times", seen)
						}
					})
				})
			}
		}
	}
}

// With leeway an access token verifies when its session is over already; ending
// the session then takes it away all the same.
func TestRevokingWhatIsOver(t *testing.T) {
	for name, end := range map[string]func(h *house) error{
		"all":    func(h *house) error { _, err := h.RevokeAll(h.t.Context(), "alice", core.ReasonRevoked); return err },
		"forget": func(h *house) error { return h.Forget(h.t.Context(), "alice") },
	} {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, memstore.New(), func(c *core.Config) { c.SessionTTL, c.Leeway = time.Minute, time.Minute })
			settle(h)
			p := h.signIn("alice")
			elapse(time.Minute + 10*time.Second)
			h.expectCount("alice", 0)
			if err := end(h); err != nil {
				t.Fatal(err)
			}
			h.expectVerify(p, core.ErrTokenRevoked)
			elapse(5 * time.Second)
			h.expectVerify(p, core.ErrTokenRevoked)
			if got := h.trail.take(); name == "all" && len(got) != 1 {
				t.Errorf("audited %q", got)
			}
		})
	}
}

// A clock that lags takes nothing back, and one that leads is not believed.
func TestClocksThatDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		config := core.Config{Store: store, Keys: []core.Key{{Secret: testSecret("key")}}, Audit: (&trail{}).add}
		skew := time.Duration(0)
		slow, err := core.NewStill(config, func() time.Time { return time.Now().Add(skew) })
		if err != nil {
			t.Fatal(err)
		}
		slack := config
		slack.Leeway = 5 * time.Second
		lenient, err := core.NewStill(slack, func() time.Time { return time.Now().Add(skew) })
		if err != nil {
			t.Fatal(err)
		}
		h := open(t, store)
		p := h.signIn("alice")
		for _, c := range []struct {
			skew            time.Duration
			strict, lenient error
		}{
			{0, nil, nil},
			{-time.Millisecond, core.ErrTokenInvalid, nil},
			{-5 * time.Second, core.ErrTokenInvalid, nil},
			{-5*time.Second - time.Millisecond, core.ErrTokenInvalid, core.ErrTokenInvalid},
			{time.Hour - time.Millisecond, nil, nil},
			{time.Hour, core.ErrTokenExpired, nil},
			{time.Hour + 5*time.Second, core.ErrTokenExpired, core.ErrTokenExpired},
		} {
			skew = c.skew
			if _, err := slow.Verify(t.Context(), p.AccessToken); !errors.Is(err, c.strict) {
				t.Errorf("%v off: %v, want %v", c.skew, err, c.strict)
			}
			if _, err := lenient.Verify(t.Context(), p.AccessToken); !errors.Is(err, c.lenient) {
				t.Errorf("%v off, with leeway: %v, want %v", c.skew, err, c.lenient)
			}
		}
		skew = -time.Hour
		second, err := slow.Refresh(t.Context(), core.RefreshRequest{Token: p.RefreshToken})
		if err != nil || second.Session.MovedAt.Before(p.Session.CreatedAt) || second.Session.ExpiresAt.Before(p.Session.ExpiresAt) {
			t.Errorf("a decision ran backwards: %+v, %v", second.Session, err)
		}
		if again := h.refresh(second); !again.Same {
			t.Error("moved twice in a grace period")
		}
	})
}

// P17: revoked in one process, refused in the other within MaxStaleness, by
// the feed alone.
func TestTwoProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		here, there := open(t, store), open(t, store)
		settle(here)
		for range 20 {
			p := here.signIn("alice")
			there.expectVerify(p, nil)
			elapse(77 * time.Millisecond)
			if err := here.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
				t.Fatal(err)
			}
			here.expectVerify(p, core.ErrTokenRevoked)
			elapse(2 * time.Second)
			calls := store.counting()
			there.expectVerify(p, core.ErrTokenRevoked)
			if n := calls(); n["load"] != 0 {
				t.Errorf("the store was asked: %v", n)
			}
		}
	})
}

// P17: whoever is told that nothing was left to revoke may rely on it, though it
// was another process that revoked, and the news is still under way.
func TestRevokedElsewhereAMomentAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newTap()
		other := &tap{Store: one.Store}
		here, there := open(t, one), open(t, other)
		settle(here)
		for _, call := range []func(p core.Pair) (int, error){
			func(core.Pair) (int, error) { return there.RevokeAll(t.Context(), "alice", core.ReasonRevoked) },
			func(p core.Pair) (int, error) { return there.SignOut(t.Context(), p.RefreshToken) },
			func(p core.Pair) (int, error) {
				err := there.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked)
				if errors.Is(err, core.ErrSessionNotFound) {
					err = nil
				}
				return 0, err
			},
		} {
			p := here.signIn("alice")
			elapse(time.Second)
			hold := make(chan struct{})
			other.set(func(call string, do func() error) error {
				if call == "tail" {
					<-hold
				}
				return do()
			})
			elapse(time.Second) // the read that was under way is over
			if n, err := here.RevokeAll(t.Context(), "alice", core.ReasonRevoked); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			there.expectVerify(p, nil) // nothing was promised here yet
			if n, err := call(p); n != 0 || err != nil {
				t.Fatal(n, err)
			}
			there.expectVerify(p, core.ErrTokenRevoked)
			close(hold)
			other.set(nil)
			elapse(time.Second)
			there.expectVerify(p, core.ErrTokenRevoked)
		}
	})
}

// A store that answers at once where it should wait costs no more than one that
// waits.
func TestTailThatDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &hasty{Store: memstore.New()}
		h := open(t, store)
		settle(h)
		before := store.tails.Load()
		elapse(10 * time.Second)
		if n := store.tails.Load() - before; n > 25 {
			t.Errorf("%d reads of the feed in 10 s", n)
		}
	})
}

type hasty struct {
	core.Store
	tails atomic.Int64
}

func (s *hasty) Tail(ctx context.Context, after core.Cursor, _ time.Duration) (core.Batch, error) {
	s.tails.Add(1)
	return s.Store.Tail(ctx, after, 0)
}

// A feed that can't be read: for MaxStaleness it is believed, then the store is
// asked, and once it can be read again it is believed again.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		here, there := open(t, store), open(t, store)
		settle(here)
		p := here.signIn("alice")
		elapse(time.Second)
		there.expectVerify(p, nil)
		var mu sync.Mutex
		loads := 0
		store.set(func(call string, do func() error) error {
			mu.Lock()
			defer mu.Unlock()
			switch call {
			case "tail":
				return errBroken
			case "load":
				loads++
			}
			return do()
		})
		elapse(3 * time.Second)
		if err := here.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		loads = 0
		mu.Unlock()
		there.expectVerify(p, core.ErrTokenRevoked)
		if loads != 1 || !there.Health().Degraded || there.Health().FeedAge < 2*time.Second {
			t.Errorf("%d loads, health %+v", loads, there.Health())
		}
		found := there.Check(t.Context())
		if len(found) == 0 || found[len(found)-1].Subject != "feed" {
			t.Errorf("check: %v", found)
		}
		store.set(nil)
		elapse(3 * time.Second)
		bob := there.signIn("bob")
		there.expectVerify(bob, nil)
		synctest.Wait() // the sign of life is written
		calls := store.counting()
		there.expectVerify(p, core.ErrTokenRevoked)
		there.expectVerify(bob, nil)
		if n := calls(); n["load"] != 0 || there.Health().Degraded {
			t.Errorf("%v, health %+v", n, there.Health())
		}
		if found := there.Check(t.Context()); found != nil {
			t.Errorf("check: %v", found)
		}
	})
}

// More revocations than there is room for: the store is asked, refuses what was
// revoked, and there is room again when they are over.
func TestTooManyRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		small := func(c *core.Config) { c.MaxRevocations, c.AccessTTL = 3, 5*time.Minute }
		here, there := open(t, store, small), open(t, store, small)
		settle(here)
		var gone []core.Pair
		for i := range 6 {
			p := here.signIn(fmt.Sprint("user", i))
			gone = append(gone, p)
			if err := here.Revoke(t.Context(), p.UserID, p.Session.ID, core.ReasonRevoked); err != nil {
				t.Fatal(err)
			}
			here.expectVerify(p, core.ErrTokenRevoked)
			elapse(3 * time.Second)
			for _, h := range []*house{here, there} {
				for _, p := range gone {
					h.expectVerify(p, core.ErrTokenRevoked)
				}
			}
		}
		kept := here.signIn("kept")
		here.expectVerify(kept, nil)
		elapse(2 * time.Second) // what the store said holds no longer
		calls := store.counting()
		here.expectVerify(kept, nil)
		here.expectVerify(kept, nil)
		if n := calls(); n["load"] != 1 || !here.Health().Degraded {
			t.Errorf("full, but %v, %+v", n, here.Health())
		}
		elapse(10 * time.Minute)
		kept = here.refresh(kept)
		for _, h := range []*house{here, there} {
			h.expectVerify(kept, nil)
		}
		synctest.Wait()
		calls = store.counting()
		here.expectVerify(kept, nil)
		there.expectVerify(kept, nil)
		if n := calls(); n["load"] != 0 || here.Health().Degraded {
			t.Errorf("room again, but %v, %+v", n, here.Health())
		}
	})
}

// A memory store that was emptied: nothing of before passes, though it verifies.
func TestRestartWithAnEmptyStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := open(t, memstore.New())
		settle(before)
		old := before.signIn("alice")
		before.expectVerify(old, nil)
		after := open(t, memstore.New())
		after.expectVerify(old, core.ErrTokenRevoked)
		after.expectRefresh(old, core.ErrSessionEnded)
		next := after.signIn("alice")
		for range 20 {
			after.expectVerify(old, core.ErrTokenRevoked)
			after.expectVerify(next, nil)
			elapse(time.Second)
		}
	})
}

// Close stops the background work, writes what is pending, and may come twice.
// Afterwards the store is asked, and what it says holds for MaxStaleness.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store)
		settle(h)
		p := h.signIn("alice")
		elapse(6 * time.Minute)
		release := make(chan struct{})
		store.set(func(call string, do func() error) error {
			if call == "commit" {
				<-release // the first sign of life is on its way when Close comes
			}
			return do()
		})
		h.expectVerify(p, nil)
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- h.Close() }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("closed before what was pending is written")
		default:
		}
		close(release)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if s := store.ledger(t, "alice").Sessions[0]; s.SeenAt.IsZero() || !s.LastSeenAt.Equal(time.Now().UTC()) {
			t.Errorf("seen at %v, last at %v", s.SeenAt, s.LastSeenAt)
		}
		if err := h.Close(); err != nil {
			t.Errorf("a second time: %v", err)
		}
		calls := store.counting()
		for range 3 {
			h.expectVerify(p, nil)
			h.expectVerify(p, nil)
			elapse(2 * time.Second)
		}
		if n := calls(); n["load"] != 3 || n["tail"] != 0 {
			t.Errorf("after Close: %v", n)
		}
		h.refresh(p)
	})
}

// What Close finds queued is written; when the store does not answer it gives up.
func TestCloseWithAQueue(t *testing.T) {
	for _, broken := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := newTap()
			h := open(t, store)
			settle(h)
			var pairs []core.Pair
			for i := range 20 {
				pairs = append(pairs, h.signIn(fmt.Sprint("user", i)))
			}
			elapse(6 * time.Minute)
			tries := 0
			var mu sync.Mutex
			store.set(func(call string, do func() error) error {
				if call == "tail" {
					return do()
				}
				<-time.After(100 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				tries++
				if broken {
					return errBroken
				}
				return do()
			})
			for _, p := range pairs {
				h.expectVerify(p, nil)
			}
			synctest.Wait()
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			if broken && tries > 2*4 { // each of the writers
				t.Errorf("%d tries on a store that does not answer", tries)
			}
			for _, p := range pairs {
				l, _ := store.Store.Load(context.Background(), p.UserID)
				if l.Sessions[0].SeenAt.IsZero() != broken {
					t.Errorf("broken %v: %s seen at %v", broken, p.UserID, l.Sessions[0].SeenAt)
				}
			}
		})
	}
}

// Close does not wait for ever on a store that is slow, however much is queued.
func TestCloseOnASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store)
		settle(h)
		var pairs []core.Pair
		for i := range 400 {
			pairs = append(pairs, h.signIn(fmt.Sprint("user", i)))
		}
		elapse(2 * time.Minute)
		store.set(func(call string, do func() error) error {
			if call == "load" {
				<-time.After(time.Second)
			}
			return do()
		})
		for _, p := range pairs {
			h.expectVerify(p, nil)
		}
		began := time.Now()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("Close took %v", took)
		}
	})
}

// Settings that were made stricter shorten no session to less than the access
// tokens that it has issued: they could not be revoked.
func TestStricterSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		before := open(t, store)
		after := open(t, store, func(c *core.Config) { c.IdleTimeout, c.RefreshTTL = 5*time.Minute, 5*time.Minute })
		settle(before)
		p := before.signIn("alice")
		elapse(time.Minute)
		after.expectVerify(p, nil)
		elapse(10 * time.Minute)
		after.expectVerify(p, nil)
		elapse(10 * time.Minute)
		if n, err := after.RevokeAll(t.Context(), "alice", core.ReasonRevoked); n != 1 || err != nil {
			t.Errorf("revoked %d, %v", n, err)
		}
		elapse(time.Second)
		after.expectVerify(p, core.ErrTokenRevoked)
		before.expectVerify(p, core.ErrTokenRevoked)
	})
}

// Sessions that are over vanish from the store.
func TestSweeping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store, func(c *core.Config) { c.SessionTTL = time.Hour })
		h.signIn("alice")
		elapse(2*time.Hour + 2*time.Minute)
		if n := len(store.ledger(t, "alice").Sessions); n != 0 {
			t.Errorf("%d sessions left", n)
		}
	})
}

// A feed does not vouch for tokens of before its epoch, nor for those that were
// issued within the margin by which clocks may differ, until a ledger has shown
// them good.
func TestTokensOfANewEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store)
		h.signIn("the first of all")
		for _, c := range []struct {
			wait  time.Duration // between the epoch's beginning and the token
			loads int
		}{{time.Second, 1}, {70 * time.Second, 1}, {71 * time.Second, 0}} {
			elapse(time.Until(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(c.wait)))
			p := h.signIn("alice")
			synctest.Wait() // the feed has been read: the commit has nothing for it
			calls := store.counting()
			h.expectVerify(p, nil)
			synctest.Wait()
			if n := calls(); n["load"] != c.loads {
				t.Errorf("issued %v into the epoch: %v, want %d loads", c.wait, n, c.loads)
			}
			elapse(10 * time.Second)
			calls = store.counting()
			h.expectVerify(p, nil)
			if n := calls(); n["load"] != 0 {
				t.Errorf("issued %v into the epoch, and shown good: %v", c.wait, n)
			}
			if err := h.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
				t.Error(err)
			}
			h.expectVerify(p, core.ErrTokenRevoked)
			elapse(time.Second) // the user is in doubt until the feed was read
		}
	})
}
