package core_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
)

// over commits something of no account over what stands.
func over(t *testing.T, store *tap, user string, n byte) {
	l := store.ledger(t, user)
	c := core.Change{ID: core.ID{0xcc, n}, If: l.Version, At: l.At, KeepUntil: l.At.Add(1000 * time.Hour), Foreign: []core.RevokedToken{}}
	if _, err := store.Store.Commit(context.Background(), user, c); err != nil {
		t.Error(err)
	}
}

// P16, P20, P37: a reply that is lost, and a conflict, at every commit of a sign-in that
// waits and of its completion: it counts once, and is audited once.
func TestStepUpLostReplies(t *testing.T) {
	faults := map[string]func(t *testing.T, store *tap, do func() error) error{
		"done":     func(_ *testing.T, _ *tap, do func() error) error { return errors.Join(do(), errBroken) },
		"not done": func(*testing.T, *tap, func() error) error { return errBroken },
		"done, and others since": func(t *testing.T, store *tap, do func() error) error {
			err := do()
			over(t, store, "alice", 1)
			return errors.Join(err, errBroken)
		},
		"not done, and others": func(t *testing.T, store *tap, _ func() error) error {
			over(t, store, "alice", 2)
			return errBroken
		},
		"a conflict": func(t *testing.T, store *tap, do func() error) error {
			over(t, store, "alice", 3)
			return do()
		},
		"not durable": func(_ *testing.T, _ *tap, do func() error) error {
			return errors.Join(do(), core.ErrNotDurable)
		},
	}
	for name, fault := range faults {
		for nth := 1; nth <= 3; nth++ { // to wait, an attempt, to begin
			t.Run(fmt.Sprintf("%s, commit %d", name, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := newTap()
					h := open(t, store)
					settle(h)
					h.signIn("alice") // a conflict needs somebody
					h.trail.take()
					n := 0
					store.set(func(call string, do func() error) error {
						if call == "tail" {
							return errBroken // this process learns nothing from the feed
						}
						if call == "commit" {
							if n++; n == nth {
								return fault(t, store, do)
							}
						}
						return do()
					})
					pending := h.waits("alice")
					h.trail.expect(t, "waits", "step_up_required")
					called := &factor{}
					pair := h.expectStepUp(pending, called.verify, nil)
					h.trail.expect(t, "completed", "signed_in")
					store.set(nil)
					h.expectVerify(pair, nil)
					h.expectCount("alice", 2)
					if got := store.ledger(t, "alice"); len(got.Pending) != 0 || called.calls.Load() != 1 {
						t.Errorf("%+v wait, %d factors were looked at", got.Pending, called.calls.Load())
					}
				})
			})
		}
	}
}

// P16: a store that fails is 503: no factor is looked at that was not counted, nothing
// begins and nothing is audited as done.
func TestStepUpStoreFails(t *testing.T) {
	for _, cache := range []int{0, -1} {
		for nth := 1; ; nth++ {
			reached := false
			t.Run(fmt.Sprint("failing from call ", nth, ", cache ", cache), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := newTap()
					h := open(t, store, func(c *core.Config) { c.LedgerCacheBytes = cache })
					settle(h)
					pending := h.waits("alice")
					h.trail.take()
					var n atomic.Int64
					store.set(func(call string, do func() error) error {
						if call != "tail" && n.Add(1) >= int64(nth) {
							return errBroken
						}
						return do()
					})
					counted := 0
					_, err := h.stepUp(pending, func(context.Context, string) ([]string, error) {
						counted = store.ledger(t, "alice").Pending[0].Attempts
						return []string{"otp"}, nil
					})
					reached = n.Load() >= int64(nth)
					store.set(nil)
					if !reached {
						if err != nil || counted != 1 {
							t.Errorf("nothing failed: %v, %d counted", err, counted)
						}
						return
					}
					if !errors.Is(err, core.ErrStoreUnavailable) || errors.Is(err, core.ErrNotDurable) {
						t.Errorf("%v, want ErrStoreUnavailable", err)
					}
					h.trail.expect(t, "nothing is done")
					l := store.ledger(t, "alice")
					if len(l.Sessions) != 0 || len(l.Pending) != 1 || l.Pending[0].Attempts < counted {
						t.Errorf("ledger %+v", l)
					}
					elapse(3 * time.Second)
					h.expectVerify(h.expectStepUp(pending, right, nil), nil)
				})
			})
			if !reached {
				break
			}
		}
	}
}

// Nothing about it hangs on the client's connection.
func TestStepUpClientGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap())
		settle(h)
		pending := h.waits("alice")
		ctx, cancel := context.WithCancel(t.Context())
		pair, err := h.StepUp(ctx, core.StepUpRequest{Pending: pending, Client: dev, Verify: func(context.Context, string) ([]string, error) {
			cancel()
			return []string{"otp"}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		h.expectVerify(pair, nil)
	})
}

// All sessions are revoked while the store is away: what waited since before comes to
// nothing when it is back, whoever is first.
func TestStepUpAfterQueuedRevokeAll(t *testing.T) {
	for _, first := range []string{"the order", "the second factor"} {
		synctest.Test(t, func(t *testing.T) {
			w := newFragile().wire()
			h := open(t, w)
			settle(h)
			pending := h.waits("alice")
			elapse(time.Second)
			w.away(errBroken)
			elapse(3 * time.Second)
			_, err := h.RevokeAll(t.Context(), "alice", core.ReasonPasswordChanged)
			expectQueued(t, err)
			h.expectStepUp(pending, right, core.ErrStoreUnavailable)
			h.trail.take()
			w.away(nil)
			if first == "the order" {
				elapse(3 * time.Second)
			}
			_, err = h.stepUp(pending, right)
			if !errors.Is(err, core.ErrStepUpInvalid) && !errors.Is(err, core.ErrStoreUnavailable) {
				t.Errorf("%s: %v, want it refused", first, err)
			}
			elapse(5 * time.Second)
			h.expectStepUp(pending, right, core.ErrStepUpInvalid)
			h.expectCount("alice", 0)
		})
	}
}

// While users are served from memory no second factor is looked at, and nobody is told
// to bring one: what waits would be known to this process alone.
func TestStepUpWhileServedFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFragile().wire()
		h := open(t, w, memoryServed)
		settle(h)
		known := h.signIn("alice")
		pending := h.waits("alice")
		elapse(time.Second)
		w.away(errBroken)
		elapse(5 * time.Second)
		h.expectMode(core.ModeMemory)
		h.trail.take()
		called := &factor{}
		h.expectStepUp(pending, called.verify, core.ErrStoreUnavailable)
		h.refresh(known) // alice is served from memory
		h.expectStepUp(pending, called.verify, core.ErrStoreUnavailable)
		if called.calls.Load() != 0 {
			t.Error("the factor was looked at")
		}
		h.trail.take()
		for _, user := range []string{"alice", "carol"} {
			_, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user, StepUp: true}, Client: dev})
			if !errors.Is(err, core.ErrStoreUnavailable) {
				t.Errorf("%s signs in: %v, want ErrStoreUnavailable", user, err)
			}
		}
		h.trail.expect(t, "nobody waits")
		w.away(nil)
		elapse(5 * time.Second)
		h.expectMode(core.ModeNormal)
		h.expectVerify(h.expectStepUp(pending, right, nil), nil)
		h.expectCount("alice", 2)
	})
}

// P28: a source of ids that fails costs an attempt at most.
func TestStepUpFailingRandom(t *testing.T) {
	for nth := 1; ; nth++ {
		random := &dice{}
		synctest.Test(t, func(t *testing.T) {
			store := newTap()
			h := open(t, store, func(c *core.Config) { c.Random = random })
			settle(h)
			pending := h.waits("alice")
			h.trail.take()
			random.reads, random.nth = 0, nth
			_, err := h.stepUp(pending, right)
			if random.reads < nth {
				if err != nil {
					t.Error(err)
				}
				return
			}
			random.nth = 0
			if !errors.Is(err, core.ErrInternal) {
				t.Errorf("read %d: %v", nth, err)
			}
			h.trail.expect(t, "nothing is done")
			want := store.ledger(t, "alice")
			if len(want.Sessions) != 0 || len(want.Pending) != 1 {
				t.Errorf("read %d: ledger %s", nth, cmp.Diff(core.Ledger{}, want))
			}
			h.expectStepUp(pending, right, nil)
		})
		if random.reads < nth {
			if nth < 3 {
				t.Errorf("it drew %d ids", nth-1)
			}
			break
		}
	}
}

// P37: it is confirmed in vain, and the store does not take that it waits no longer: the
// record says what was answered.
func TestStepUpNotConfirmedNorDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store)
		settle(h)
		if _, err := h.RevokeAll(t.Context(), "alice", core.ReasonPasswordChanged); err != nil {
			t.Fatal(err)
		}
		h.trail.take()
		pair, err := h.SignIn(t.Context(), core.SignInRequest{
			Identity: core.Identity{UserID: "alice", StepUp: true}, Client: dev, CheckedAt: time.Now(),
			Confirm: func(context.Context) error {
				store.set(func(string, func() error) error { return errBroken })
				return core.ErrInvalidCredentials
			},
		})
		store.set(nil)
		if !errors.Is(err, core.ErrStoreUnavailable) || errors.Is(err, core.ErrStepUpRequired) || !pair.Session.ID.IsZero() {
			t.Errorf("%+v, %v, want ErrStoreUnavailable", pair, err)
		}
		for _, e := range h.trail.events {
			if e.Name == core.EventSignInRefused && e.Cause != core.ErrStoreUnavailable.Code {
				t.Errorf("the record says %s", e.Cause)
			}
		}
	})
}
