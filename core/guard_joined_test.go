package core_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// held has the next load of a tap look at the ledger and keep the answer back
// until it is released. Those after it take a moment.
func (s *tap) held() (release func(), loads *atomic.Int64) {
	return s.holding(func(do func() error, let <-chan struct{}) error {
		err := do()
		<-let
		return err
	})
}

// holding is held with another way to hold.
func (s *tap) holding(hold func(do func() error, let <-chan struct{}) error) (release func(), loads *atomic.Int64) {
	loads = new(atomic.Int64)
	let := make(chan struct{})
	s.set(func(call string, do func() error) error {
		switch {
		case call != "load":
			return do()
		case loads.Add(1) == 1:
			return hold(do, let)
		}
		err := do()
		<-time.After(time.Millisecond)
		return err
	})
	return func() { close(let) }, loads
}

// verifies starts requests with a token and returns a function that waits for
// them and counts their answers.
func (h *house) verifies(ctx context.Context, n int, token string) func() map[error]int {
	answers := make(chan error, n)
	for range n {
		go func() {
			_, err := h.Verify(ctx, token)
			answers <- err
		}()
	}
	synctest.Wait()
	return func() map[error]int {
		count := map[error]int{}
		for range n {
			err := <-answers
			for _, known := range []error{nil, core.ErrTokenRevoked, core.ErrStoreUnavailable} {
				if errors.Is(err, known) {
					err = known
				}
			}
			count[err]++
		}
		return count
	}
}

// However many come at once for a user, the ledger is loaded once.
func TestFirstRequestsShareALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := still(t, store, time.Now)
		var pairs []core.Pair
		for range 5 {
			pairs = append(pairs, h.signIn("alice"))
		}
		other := h.signIn("bob")
		elapse(time.Minute)
		for name, tokens := range map[string][]core.Pair{"one token": {pairs[0]}, "several sessions": pairs[1:]} {
			release, loads := store.holding(func(do func() error, let <-chan struct{}) error {
				<-let
				return do()
			})
			first, cancel := context.WithCancel(t.Context())
			done := []func() map[error]int{h.verifies(first, 1, tokens[0].AccessToken)}
			for range 64 / len(tokens) {
				for _, p := range tokens {
					done = append(done, h.verifies(t.Context(), 1, p.AccessToken))
				}
			}
			cancel() // who asked first goes away
			synctest.Wait()
			if n := loads.Load(); n != 1 {
				t.Errorf("%s: %d loads under way, want 1", name, n)
			}
			h.expectVerify(other, nil) // no other user waits for it
			release()
			for _, wait := range done {
				if got := wait(); got[nil] != 1 {
					t.Errorf("%s: %v", name, got)
				}
			}
			if n := loads.Load(); n != 2 {
				t.Errorf("%s: %d loads, want 1 of alice and 1 of bob", name, n)
			}
			elapse(time.Minute) // what was loaded vouches no longer
		}
	})
}

// A load that fails, fails for all that wait for it, as a failure; the next
// request asks again.
func TestSharedLoadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := still(t, store, time.Now)
		p := h.signIn("alice")
		let := make(chan struct{})
		store.set(func(string, func() error) error { <-let; return errBroken })
		done := h.verifies(t.Context(), 8, p.AccessToken)
		close(let)
		if got := done(); got[core.ErrStoreUnavailable] != 8 {
			t.Errorf("a failing load: %v", got)
		}
		store.set(nil)
		h.expectVerify(p, nil)
		elapse(time.Minute)

		let = make(chan struct{})
		store.set(func(string, func() error) error { <-let; panic(errBroken) })
		panics := make(chan any)
		for range 8 {
			go func() {
				defer func() { panics <- recover() }()
				_, _ = h.Verify(t.Context(), p.AccessToken)
			}()
		}
		synctest.Wait()
		close(let)
		for range 8 {
			if <-panics == nil {
				t.Error("a store that panics let somebody in, or refused")
			}
		}
		store.set(nil)
		h.expectVerify(p, nil)
	})
}

// P17: a load that began before a request came shows nothing of what happened
// in between. Whatever it was, the request does not pass by that load.
func TestJoinedLoadThatBeganEarlier(t *testing.T) {
	atOnce := func(c *core.Config) { c.RetireAccess, c.MaxSessions, c.Grace = core.AtOnce, 2, core.NoGrace }
	for _, c := range []struct {
		what string
		do   func(h, elsewhere *house, a, b core.Pair) error // a is the token, b another session
		want error
	}{
		{"nothing", func(h, elsewhere *house, a, b core.Pair) error { return nil }, nil},
		{"revoked", func(h, _ *house, a, _ core.Pair) error {
			return h.Revoke(t.Context(), "alice", a.Session.ID, core.ReasonRevoked)
		}, core.ErrTokenRevoked},
		{"the token revoked", func(h, _ *house, a, _ core.Pair) error {
			_, err := h.RevokeToken(t.Context(), a.AccessToken)
			return err
		}, core.ErrTokenRevoked},
		{"the others revoked", func(h, _ *house, _, b core.Pair) error {
			_, err := h.RevokeOthers(t.Context(), "alice", b.Session.ID, core.ReasonRevoked)
			return err
		}, core.ErrTokenRevoked},
		{"the other revoked", func(h, _ *house, _, b core.Pair) error {
			return h.Revoke(t.Context(), "alice", b.Session.ID, core.ReasonRevoked)
		}, nil},
		{"signed out", func(h, _ *house, a, _ core.Pair) error {
			_, err := h.SignOut(t.Context(), a.RefreshToken)
			return err
		}, core.ErrTokenRevoked},
		{"trimmed", func(h, _ *house, _, _ core.Pair) error {
			_, err := h.Trim(t.Context(), "alice", 1)
			return err
		}, core.ErrTokenRevoked},
		{"forgotten", func(h, _ *house, _, _ core.Pair) error { return h.Forget(t.Context(), "alice") }, core.ErrTokenRevoked},
		// No call of these puts the user in doubt.
		{"retired by a refresh", func(h, _ *house, a, _ core.Pair) error { h.refresh(a); return nil }, core.ErrTokenRevoked},
		{"evicted by a sign-in", func(h, _ *house, _, _ core.Pair) error { h.signIn("alice"); return nil }, core.ErrTokenRevoked},
		{"reused", func(h, elsewhere *house, a, _ core.Pair) error {
			elsewhere.refresh(a)
			h.expectRefresh(a, core.ErrRefreshTokenReused)
			return nil
		}, core.ErrTokenRevoked},
		// Nothing is left to do here, and the call says so.
		{"revoked elsewhere, and here again", func(h, elsewhere *house, a, _ core.Pair) error {
			if err := elsewhere.Revoke(t.Context(), "alice", a.Session.ID, core.ReasonRevoked); err != nil {
				return err
			}
			if err := h.Revoke(t.Context(), "alice", a.Session.ID, core.ReasonRevoked); !errors.Is(err, core.ErrSessionNotFound) {
				return fmt.Errorf("revoked a second time: %v", err)
			}
			return nil
		}, core.ErrTokenRevoked},
	} {
		for _, full := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, full %v", c.what, full), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := newTap()
					elsewhere := still(t, store.Store, time.Now, atOnce)
					h := still(t, store, time.Now, atOnce, func(c *core.Config) {
						if full {
							c.MaxRevocations = 1
						}
					})
					if err := h.Revoke(t.Context(), "bob", h.signIn("bob").Session.ID, core.ReasonRevoked); err != nil {
						t.Fatal(err)
					}
					a := h.signIn("alice")
					elapse(time.Second)
					b := h.signIn("alice")
					release, loads := store.held()
					first := h.verifies(t.Context(), 1, a.AccessToken)
					if err := c.do(h, elsewhere, a, b); err != nil {
						t.Fatal(err)
					}
					before := loads.Load()
					second := h.verifies(t.Context(), 8, a.AccessToken)
					if n := loads.Load() - before; n != 0 && c.want == nil && c.what == "nothing" {
						t.Errorf("%d loads of their own", n)
					}
					release()
					first() // it came before
					if got := second(); got[c.want] != 8 {
						t.Errorf("%v, want %v", got, c.want)
					}
					if n := loads.Load() - before; n > 1 {
						t.Errorf("%d further loads, want at most 1 for all", n)
					}
				})
			})
		}
	}
}

// P17: a load that is slower than MaxStaleness shows nothing of what was revoked
// elsewhere longer ago than that.
func TestJoinedLoadThatIsSlow(t *testing.T) {
	for _, c := range []struct {
		after time.Duration // between the load's beginning and the request
		want  error
	}{{time.Second, nil}, {2*time.Second + time.Millisecond, core.ErrTokenRevoked}, {2500 * time.Millisecond, core.ErrTokenRevoked}} {
		synctest.Test(t, func(t *testing.T) {
			store := newTap()
			elsewhere, h := still(t, store.Store, time.Now), still(t, store, time.Now)
			p := h.signIn("alice")
			release, loads := store.held()
			first := h.verifies(t.Context(), 1, p.AccessToken)
			if err := elsewhere.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
				t.Fatal(err)
			}
			elapse(c.after)
			second := h.verifies(t.Context(), 8, p.AccessToken)
			if n := loads.Load(); n != 1 {
				t.Errorf("%d loads, want all to join the first", n)
			}
			release()
			first()
			if got := second(); got[c.want] != 8 {
				t.Errorf("%v after it was revoked elsewhere: %v, want %v", c.after, got, c.want)
			}
		})
	}
}

// A strict request waits for nobody else's load.
func TestStrictJoinsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		elsewhere := still(t, store.Store, time.Now)
		h := still(t, store, time.Now)
		p := h.signIn("alice")
		strict := h.Guard(core.Strict())
		release, loads := store.held()
		first := h.verifies(t.Context(), 1, p.AccessToken)
		answers := make(chan core.Decision, 8)
		for range 8 {
			go func() { answers <- strict.Check(bearing(p.AccessToken)) }()
		}
		elapse(2 * time.Millisecond)
		if n := loads.Load(); len(answers) != 8 || n != 9 {
			t.Errorf("%d of 8 answered, after %d loads, while another's load is under way; want 8 and 9", len(answers), n)
		}
		if err := elsewhere.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		late := make(chan core.Decision, 1)
		go func() { late <- strict.Check(bearing(p.AccessToken)) }()
		elapse(2 * time.Millisecond)
		release()
		first()
		for range 8 {
			expectDecision(t, "before it was revoked", <-answers, "alice", nil, "")
		}
		expectDecision(t, "revoked elsewhere", <-late, "", core.ErrTokenRevoked, invalidToken)
	})
}
