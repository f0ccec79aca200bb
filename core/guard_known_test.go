package core_test

import (
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

// still starts an Auth that does nothing in the background: it follows no feed,
// so that nothing but the ledger vouches for a token.
func still(t *testing.T, store core.Store, now func() time.Time, changes ...func(*core.Config)) *house {
	t.Helper()
	h := &house{t: t, trail: &trail{}}
	c := core.Config{Store: store, Keys: []core.Key{{Secret: testSecret("key")}}, Audit: h.trail.add}
	for _, change := range changes {
		change(&c)
	}
	auth, err := core.NewStill(c, now)
	if err != nil {
		t.Fatal(err)
	}
	h.Auth = auth
	return h
}

// A token that was let in before asks no store, with rules and without, for as
// long as it lives and the feed is read.
func TestKnownTokenAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store, func(c *core.Config) { c.TouchInterval = 2 * time.Hour })
		settle(h)
		p := h.signInAs([]string{"a"}, []string{"b"})
		guards := []*core.Guard{h.Guard(), h.Guard(core.Scope("a"), core.Role("b"), core.Fresh(time.Hour)), h.OptionalGuard()}
		look := func(what string) {
			for _, guard := range guards {
				expectDecision(t, what, guard.Check(bearing(p.AccessToken)), "alice", nil, "")
			}
		}
		look("first")
		elapse(time.Second) // the sign of life is written
		calls := store.counting()
		for range 59 {
			for range 20 {
				look("again")
			}
			elapse(time.Minute)
		}
		if n := calls(); n["load"]+n["commit"] != 0 {
			t.Errorf("asked the store: %v", n)
		}
		for range 10 { // others' revocations are looked at, and that is all
			other := h.signIn("bob")
			if err := h.Revoke(t.Context(), "bob", other.Session.ID, core.ReasonRevoked); err != nil {
				t.Fatal(err)
			}
			calls()
			look("after a revocation")
			if n := calls(); n["load"]+n["commit"] != 0 {
				t.Errorf("after a revocation of another user's: %v", n)
			}
		}
	})
}

// P5: a known token expires to the second, leeway included, and is not good
// before it was issued: a clock that is set back makes it so, and forward again
// good.
func TestKnownTokenAndItsTimes(t *testing.T) {
	for _, leeway := range []time.Duration{0, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			now := start
			h := still(t, memstore.New(), func() time.Time { return now }, func(c *core.Config) { c.Leeway = leeway })
			p := h.signIn("alice")
			last := time.Hour + leeway
			for _, c := range []struct {
				at   time.Duration
				want error
				kept int // tokens, afterwards
			}{
				{0, nil, 1},
				{-leeway, nil, 1},
				{-leeway - 1, core.ErrTokenInvalid, 0},
				{-time.Hour, core.ErrTokenInvalid, 0},
				{0, nil, 1},
				{time.Hour - 1, nil, 1},
				{last, core.ErrTokenExpired, 0},
				{last + time.Hour, core.ErrTokenExpired, 0},
				{time.Hour - time.Second, nil, 1},
				{last, core.ErrTokenExpired, 0},
			} {
				now = start.Add(c.at)
				for range 2 {
					h.expectVerify(p, c.want)
				}
				if n := h.CachedTokens(); n != c.kept {
					t.Errorf("leeway %v, at %v: %d tokens kept, want %d", leeway, c.at, n, c.kept)
				}
			}
		})
	}
}

// Only what was let in is kept, and what is revoked or over is kept no longer.
func TestWhatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store, func(c *core.Config) { c.MaxDegraded = time.Nanosecond })
		elsewhere := open(t, store)
		settle(h)
		over := h.signIn("alice")
		elapse(time.Hour)
		good, dead, gone := h.signIn("alice"), h.signIn("alice"), h.signIn("alice")
		if err := h.Revoke(t.Context(), "alice", dead.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		elapse(time.Second)
		kept := func(what string, want int) {
			t.Helper()
			if n := h.CachedTokens(); n != want {
				t.Errorf("%s: %d tokens kept, want %d", what, n, want)
			}
		}
		refused := func(p core.Pair, want error) {
			t.Helper()
			for _, guard := range []*core.Guard{h.Guard(), h.Guard(core.Strict())} {
				if d := guard.Check(bearing(p.AccessToken)); d.Refusal == nil {
					t.Errorf("let in, want %v", want)
				}
			}
			h.expectVerify(p, want)
		}
		forged := []byte(good.AccessToken)
		forged[len(forged)-8] ^= 1
		refused(core.Pair{AccessToken: string(forged)}, core.ErrTokenInvalid)
		refused(core.Pair{AccessToken: good.AccessToken + "."}, core.ErrTokenInvalid)
		refused(over, core.ErrTokenExpired)
		refused(dead, core.ErrTokenRevoked) // by the feed
		kept("refused", 0)

		store.set(func(string, func() error) error { return errBroken })
		elapse(5 * time.Second)
		refused(good, core.ErrStoreUnavailable)
		kept("not known to be good", 0)
		store.set(func(call string, do func() error) error {
			if call == "tail" {
				return errBroken
			}
			return do()
		})
		elapse(time.Second) // it is noticed that the store answers again
		if err := elsewhere.Revoke(t.Context(), "alice", gone.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		refused(gone, core.ErrTokenRevoked) // by the ledger
		kept("revoked, by the ledger", 0)

		h.expectVerify(good, nil)
		h.expectVerify(good, nil)
		kept("good", 1)
		d := h.Guard(core.Scope("x")).Check(bearing(good.AccessToken))
		expectDecision(t, "good, but not for this", d, "", core.ErrForbidden, wantScope("x"))
		kept("good, but not for this", 1)
		if _, err := h.RevokeToken(t.Context(), good.AccessToken); err != nil {
			t.Fatal(err)
		}
		refused(good, core.ErrTokenRevoked)
		kept("revoked", 0)
	})
}

// P17: whatever ends a token here, a known one is refused from then on, also
// when the user is no longer in doubt; and in another process by the feed.
func TestKnownTokenIsRevoked(t *testing.T) {
	for _, d := range deeds {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, store, a, b := stage(t)
				other := open(t, store, func(c *core.Config) { c.MaxSessions, c.RetireAccess = 2, core.AtOnce })
				elapse(time.Second)
				for range 2 {
					for _, p := range []core.Pair{a, b} {
						h.expectVerify(p, nil)
						other.expectVerify(p, nil)
					}
				}
				elapse(time.Second)
				h.quiet = true
				if err := d.do(t.Context(), h, a, b); err != nil {
					t.Fatal(err)
				}
				look := func(h *house) {
					t.Helper()
					for i, p := range []core.Pair{a, b} {
						want := error(nil)
						for _, gone := range d.gone {
							if gone == i {
								want = core.ErrTokenRevoked
							}
						}
						h.expectVerify(p, want)
					}
				}
				look(h)
				elapse(2 * time.Second)
				calls := store.counting()
				look(h)
				look(other)
				if n := calls(); n["load"] != 0 {
					t.Errorf("asked the store: %v", n)
				}
			})
		})
	}
}

// All at once, for the race detector: known tokens, first sights, revocations.
func TestKnownTokensAtOnce(t *testing.T) {
	h := open(t, memstore.New(), func(c *core.Config) { c.MaxSessions = 256 })
	pairs := make([]core.Pair, 32)
	for i := range pairs {
		pairs[i] = h.signIn(fmt.Sprint("user-", i%4))
	}
	var dead [32]atomic.Bool
	var racers sync.WaitGroup
	for g := range 8 {
		racers.Go(func() {
			for n := range 400 {
				i := (n*7 + g) % len(pairs)
				was := dead[i].Load()
				_, err := h.Verify(t.Context(), pairs[i].AccessToken)
				switch {
				case err == nil && was:
					t.Errorf("token %d passed after it was revoked", i)
				case err != nil && !errors.Is(err, core.ErrTokenRevoked):
					t.Error(err)
				}
				if n == 50*(g+1) {
					p := pairs[4*g]
					if err := h.Revoke(t.Context(), p.UserID, p.Session.ID, core.ReasonRevoked); err != nil {
						t.Error(err)
					}
					dead[4*g].Store(true)
				}
			}
		})
	}
	racers.Wait()
	for i, p := range pairs {
		want := error(nil)
		if dead[i].Load() {
			want = core.ErrTokenRevoked
		}
		h.expectVerify(p, want)
	}
}
