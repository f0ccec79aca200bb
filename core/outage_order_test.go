package core_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/core"
)

// expectQueued checks that a revocation is enforced here and waits.
func expectQueued(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, core.ErrNotDurable) || !errors.Is(err, core.ErrStoreUnavailable) {
		t.Fatalf("%v, want ErrNotDurable", err)
	}
}

// D2: what waits for the store is refused here until the token expires, also if the
// store has lost the very session meanwhile, so that there is nothing left to end.
func TestOrderOutlivesItsSession(t *testing.T) {
	for name, revoke := range map[string]func(h *house, p core.Pair) error{
		"one": func(h *house, p core.Pair) error {
			return h.Revoke(h.t.Context(), "alice", p.Session.ID, core.ReasonRevoked)
		},
		"all": func(h *house, _ core.Pair) error {
			_, err := h.RevokeAll(h.t.Context(), "alice", core.ReasonRevoked)
			return err
		},
		"token": func(h *house, p core.Pair) error {
			_, err := h.RevokeToken(h.t.Context(), p.AccessToken)
			return err
		},
		"forget": func(h *house, _ core.Pair) error { return h.Forget(h.t.Context(), "alice") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newFragile()
				link := store.link()
				h := open(t, link)
				settle(h)
				kept := h.signIn("bob")
				p := h.signIn("alice")
				elapse(time.Second)
				h.expectVerify(p, nil)
				link.away(errBroken)
				elapse(5 * time.Second)
				expectQueued(t, revoke(h, p))
				h.expectVerify(p, core.ErrTokenRevoked)
				store.fallBack(1) // the sign-in, and not the epoch
				link.away(nil)
				for range 50 {
					elapse(time.Minute)
					h.expectVerify(p, core.ErrTokenRevoked)
					h.expectRefresh(p, core.ErrSessionEnded)
				}
				h.expectVerify(kept, nil)
				if h.Health().Queued != 0 {
					t.Errorf("health %+v", h.Health())
				}
			})
		})
	}
}

// Nor does a token pass that is of a session which the store has lost, revoked or not.
func TestTokenOfALostSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		h := open(t, store.link())
		settle(h)
		p := h.signIn("alice")
		elapse(time.Second)
		h.expectVerify(p, nil)
		store.fallBack(1)
		elapse(3 * time.Second)
		h.expectVerify(p, core.ErrTokenRevoked)
		h.expectVerify(h.signIn("alice"), nil)
	})
}

// What a token was good for when it ordered all sessions to end is done, also if its own
// session has ended by the time that the store is told.
func TestSignOutAllOrderedByATokenThatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		link := store.link()
		h, there := open(t, link), open(t, store.link())
		settle(h)
		settle(there)
		own, other := h.signIn("alice"), h.signIn("alice")
		elapse(time.Minute)
		link.away(errBroken)
		elapse(5 * time.Second)
		_, err := h.SignOutAll(t.Context(), own.AccessToken)
		expectQueued(t, err)
		h.expectVerify(other, core.ErrTokenRevoked)
		if err := there.Revoke(t.Context(), "alice", own.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		link.away(nil)
		elapse(5 * time.Second)
		for _, who := range []*house{h, there} {
			who.expectVerify(other, core.ErrTokenRevoked)
			who.expectRefresh(other, core.ErrSessionEnded)
		}
	})
}

// A refresh token can't show without a ledger that it may end all sessions: it ends its
// own, and the others as soon as a ledger shows it. One that was spent ends its own.
func TestSignOutAllOrderedByARefreshToken(t *testing.T) {
	for _, spent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := newFragile()
			link := store.link()
			h := open(t, link)
			settle(h)
			own, other := h.signIn("alice"), h.signIn("alice")
			token := own.RefreshToken
			for range 2 {
				elapse(time.Minute)
				if spent {
					own = h.refresh(own)
				}
			}
			link.away(errBroken)
			elapse(5 * time.Second)
			_, err := h.SignOutAll(t.Context(), token)
			expectQueued(t, err)
			h.expectVerify(own, core.ErrTokenRevoked)
			h.expectVerify(other, nil)
			elapse(time.Minute)
			link.away(nil)
			elapse(5 * time.Second)
			h.expectVerify(own, core.ErrTokenRevoked)
			h.expectRefresh(own, core.ErrSessionEnded)
			if spent {
				h.expectVerify(other, nil)
				h.expectCount("alice", 1)
			} else {
				h.expectVerify(other, core.ErrTokenRevoked)
				h.expectCount("alice", 0)
			}
		})
	}
}

// P27: a sign-in that was under way when all sessions were ordered to end begins nothing
// on old credentials, though no ledger says so yet; nor does the order spare it, if it
// was given after the session had begun.
func TestSignInOvertakenByAnOrder(t *testing.T) {
	for _, c := range []struct {
		name    string
		during  bool // the order is given while the sign-in commits
		checked bool
		refusal error
		want    error // of the sign-in
		passes  bool  // the token
	}{
		{name: "before, refused", checked: true, refusal: core.ErrInvalidCredentials, want: core.ErrInvalidCredentials},
		{name: "before, confirmed", checked: true, passes: true},
		{name: "before, unchecked", passes: true},
		{name: "meanwhile, unchecked", during: true},
		{name: "meanwhile, confirmed", during: true, checked: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFragile().wire()
				h := open(t, w)
				settle(h)
				h.signIn("alice")
				elapse(time.Minute)
				revokeAll := func() {
					_, err := h.RevokeAll(t.Context(), "alice", core.ReasonPasswordChanged)
					expectQueued(t, err)
				}
				r := core.SignInRequest{Identity: core.Identity{UserID: "alice"}}
				if c.checked {
					r.CheckedAt = time.Now()
					r.Confirm = func(context.Context) error { return c.refusal }
				}
				elapse(50 * time.Millisecond)
				cut := func() { // nothing of the revocation gets through
					w.fails(func(call, user string) bool { return user == "alice" })
				}
				if c.during {
					w.set(func(call, user string, do func() error) error {
						if call != "commit" || user != "alice" {
							return do()
						}
						err := do()
						cut()
						revokeAll()
						w.set(nil)
						return err
					})
				} else {
					cut()
					revokeAll()
					w.set(nil)
				}
				p, err := h.SignIn(t.Context(), r)
				if !errors.Is(err, c.want) {
					t.Fatalf("%v, want %v", err, c.want)
				}
				n := 0
				if c.want == nil {
					want := core.ErrTokenRevoked
					if c.passes {
						want, n = nil, 1
					}
					expect := func() {
						if want == nil {
							h.expectVerify(p, nil)
						} else {
							h.expectVerify(p, want)
						}
					}
					expect()
					elapse(40 * time.Second)
					expect()
				} else {
					elapse(40 * time.Second)
				}
				h.expectCount("alice", n)
			})
		})
	}
}

// An order that is given again while it is being written is written again, whatever the
// clock says.
func TestOrderGivenAgainWhileItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFragile().wire()
		h := open(t, w)
		settle(h)
		h.signIn("alice")
		elapse(time.Minute)
		down := func(_, user string) bool { return user == "alice" }
		w.fails(down)
		_, err := h.RevokeAll(t.Context(), "alice", core.ReasonRevoked)
		expectQueued(t, err)
		var second core.Pair
		w.set(func(call, user string, do func() error) error {
			if call != "commit" || user != "alice" {
				return do()
			}
			w.set(nil)
			err := do() // the order is written
			second = h.signIn("alice")
			w.fails(down)
			_, again := h.RevokeAll(t.Context(), "alice", core.ReasonRevoked)
			expectQueued(t, again)
			w.set(nil)
			return err
		})
		elapse(40 * time.Second)
		h.expectVerify(second, core.ErrTokenRevoked)
		h.expectRefresh(second, core.ErrSessionEnded)
		h.expectCount("alice", 0)
	})
}

// One that was begun earlier and comes later does not take back what is ordered.
func TestOrdersThatCrossEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		w := store.wire()
		h, there := open(t, w, func(c *core.Config) { c.StoreTimeout = time.Minute }), open(t, store.link())
		settle(h)
		settle(there)
		h.signIn("alice")
		elapse(time.Minute)
		first := true
		w.set(func(_, user string, do func() error) error {
			if user != "alice" {
				return do()
			}
			if first {
				first = false
				<-time.After(30 * time.Second)
			}
			return errBroken
		})
		done := make(chan error)
		go func() {
			_, err := h.RevokeAll(t.Context(), "alice", core.ReasonRevoked)
			done <- err
		}()
		elapse(25 * time.Second)
		between := there.signIn("alice")
		elapse(time.Second)
		_, err := h.RevokeAll(t.Context(), "alice", core.ReasonRevoked)
		expectQueued(t, err)
		h.expectVerify(between, core.ErrTokenRevoked)
		expectQueued(t, <-done)
		h.expectVerify(between, core.ErrTokenRevoked)
		w.set(nil)
		elapse(40 * time.Second)
		h.expectVerify(between, core.ErrTokenRevoked)
		h.expectCount("alice", 0)
	})
}

// A user's share of the queue is bounded, so that nobody can use up that of the others.
func TestQueueIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := newFragile().link()
		h := open(t, link, func(c *core.Config) { c.MaxQueued = 1000 })
		settle(h)
		bob := h.signIn("bob")
		elapse(time.Second)
		link.away(errBroken)
		elapse(5 * time.Second)
		for i := range 2000 {
			err := h.Revoke(t.Context(), "mallory", core.ID{1, byte(i), byte(i >> 8)}, core.ReasonRevoked)
			if !errors.Is(err, core.ErrStoreUnavailable) {
				t.Fatal(err)
			}
		}
		expectQueued(t, h.Revoke(t.Context(), "bob", bob.Session.ID, core.ReasonRevoked))
		h.expectVerify(bob, core.ErrTokenRevoked)
		link.away(nil)
		elapse(5 * time.Second)
	})
}

// P37: the same thing twice is one thing, in the queue as in the store, and what it ended
// is told with its own reason, whoever comes first.
func TestOrdersAreAuditedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFragile().wire()
		h := open(t, w)
		settle(h)
		p, q := h.signIn("alice"), h.signIn("alice")
		elapse(time.Minute)
		h.trail.take()
		w.fails(func(_, user string) bool { return user == "alice" })
		for i := range 2 {
			n, err := h.SignOut(t.Context(), p.AccessToken, p.RefreshToken)
			expectQueued(t, err)
			if n != 1-i {
				t.Errorf("go %d: %d, want %d", i, n, 1-i)
			}
		}
		h.trail.expect(t, "twice", "revocation_queued: signed_out")
		if _, err := h.RevokeOthers(t.Context(), "alice", p.Session.ID, core.ReasonPasswordChanged); err == nil {
			t.Error("done")
		}
		h.trail.expect(t, "others", "revocation_queued: password_changed")
		w.fails(func(call, user string) bool { return call == "tail" })
		// The store takes it, before the reader of the feed has come to it or after.
		h.expectRefresh(q, core.ErrSessionEnded)
		w.set(nil)
		elapse(time.Minute)
		h.trail.expect(t, "written", "refresh_refused", "session_ended: password_changed", "session_ended: signed_out")
	})
}

// Where a ledger has no room for one more foreign token, the token stays refused here.
func TestForeignOrderWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer(t)
		store := newFragile()
		link := store.link()
		h, there := open(t, link, issuer.foreign), open(t, store.link(), issuer.foreign)
		settle(h)
		token := issuer.issue("alice", "last", jwt.MapClaims{"exp": time.Now().Add(3 * time.Hour).Unix()})
		h.expectToken("before", token, nil)
		link.away(errBroken)
		elapse(5 * time.Second)
		_, err := h.RevokeToken(t.Context(), token)
		expectQueued(t, err)
		for i := range 256 {
			other := issuer.issue("alice", string(rune('a'+i%26))+string(rune('a'+i/26)), nil)
			if _, err := there.RevokeToken(t.Context(), other); err != nil {
				t.Fatal(err)
			}
		}
		h.trail.take()
		link.away(nil)
		elapse(10 * time.Minute)
		h.expectToken("no room", token, core.ErrTokenRevoked)
		if n := countOf(h.trail.take(), "failed"); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
		if h.Health().Mode != core.ModeNormal || h.Health().FeedAge > 2*time.Second {
			t.Errorf("health %+v", h.Health())
		}
		elapse(time.Hour) // there is room
		h.expectToken("room", token, core.ErrTokenRevoked)
		there.expectToken("room", token, core.ErrTokenRevoked)
		if h.Health().Queued != 0 {
			t.Errorf("health %+v", h.Health())
		}
	})
}

// A foreign token that has expired moves nobody, and its user's sessions are left alone.
func TestSignOutAllByAForeignTokenThatExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer(t)
		link := newFragile().link()
		h := open(t, link, issuer.foreign)
		settle(h)
		p := h.signIn("alice")
		token := issuer.issue("alice", "one", nil)
		elapse(61 * time.Minute)
		p = h.refresh(p)
		link.away(errBroken)
		elapse(5 * time.Second)
		h.trail.take()
		if n, err := h.SignOutAll(t.Context(), token); n != 0 || err == nil || errors.Is(err, core.ErrNotDurable) {
			t.Errorf("%d, %v", n, err)
		}
		if slices.Contains(h.trail.take(), "revocation_queued: signed_out_all") {
			t.Error("audited")
		}
		h.expectVerify(p, nil)
		link.away(nil)
		elapse(time.Second)
	})
}
