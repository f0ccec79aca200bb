package core_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
)

// dev is the device of the sign-ins that wait here: the server has named it.
var dev = core.Client{DeviceID: "dev", Signed: true, ClientType: "web", IP: "192.0.2.7"}

// unlimited lets a test try as often as it likes.
func unlimited(c *core.Config) { c.Limits.Off = true }

// waits begins a sign-in that waits for a second factor.
func (h *house) waits(user string, change ...func(*core.SignInRequest)) string {
	h.t.Helper()
	r := core.SignInRequest{Identity: core.Identity{UserID: user, StepUp: true, AMR: []string{"pwd"}}, Client: dev, CheckedAt: time.Now()}
	for _, c := range change {
		c(&r)
	}
	pair, err := h.SignIn(h.t.Context(), r)
	var e *core.Error
	if !errors.As(err, &e) || !errors.Is(err, core.ErrStepUpRequired) || e.Pending == "" || e.ExpiresIn != 5*time.Minute {
		h.t.Fatalf("sign-in: %+v, want ErrStepUpRequired for 5m", err)
	}
	if pair.AccessToken+pair.RefreshToken != "" || !pair.Session.ID.IsZero() {
		h.t.Errorf("a sign-in that waits answers with %+v", pair)
	}
	return e.Pending
}

// factor is a second factor that is looked at.
type factor struct {
	err   error
	calls atomic.Int64
}

func (f *factor) verify(context.Context, string) ([]string, error) {
	f.calls.Add(1)
	return []string{"otp"}, f.err
}

func right(context.Context, string) ([]string, error) { return []string{"otp"}, nil }

func wrong(context.Context, string) ([]string, error) { return nil, core.ErrInvalidCredentials }

func (h *house) stepUp(pending string, verify func(context.Context, string) ([]string, error), change ...func(*core.StepUpRequest)) (core.Pair, error) {
	r := core.StepUpRequest{Pending: pending, Client: dev, Verify: verify}
	for _, c := range change {
		c(&r)
	}
	return h.StepUp(h.t.Context(), r)
}

func (h *house) expectStepUp(pending string, verify func(context.Context, string) ([]string, error), want error, change ...func(*core.StepUpRequest)) core.Pair {
	h.t.Helper()
	pair, err := h.stepUp(pending, verify, change...)
	if !errors.Is(err, want) || (want == nil) != (err == nil) {
		h.t.Errorf("step-up: %v, want %v", err, want)
	}
	if err != nil && !cmp.Equal(pair, core.Pair{}, cmp.AllowUnexported(core.Pair{})) {
		h.t.Errorf("step-up: refused with %+v", pair)
	}
	return pair
}

// D8, P6: until the second factor came nothing opens anything, and what names the
// sign-in is good for nothing else.
func TestNothingBeforeTheSecondFactor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		store := newTap()
		h := open(t, store, unlimited)
		settle(h)
		pending := h.waits("alice")
		h.trail.expect(t, "it waits", "step_up_required")
		before := store.ledger(t, "alice")
		if len(before.Sessions)+len(before.Devices)+len(before.SignIns) > 0 || len(before.Pending) != 1 {
			t.Fatalf("ledger %+v", before)
		}

		h.expectRefresh(core.Pair{RefreshToken: pending}, core.ErrRefreshTokenInvalid)
		h.expectRefresh(core.Pair{RefreshToken: "sprt_" + pending[5:]}, core.ErrRefreshTokenInvalid)
		h.expectVerify(core.Pair{AccessToken: pending}, core.ErrTokenInvalid)
		for _, g := range []*core.Guard{h.Guard(), h.OptionalGuard(), h.Guard(core.Strict())} {
			expectDecision(t, "guard", g.Check(bearing(pending)), "", core.ErrTokenInvalid, `Bearer error="invalid_token"`)
		}
		if _, err := h.SignOut(ctx, pending); !errors.Is(err, core.ErrTokenInvalid) {
			t.Errorf("sign-out: %v", err)
		}
		if _, err := h.SignOutAll(ctx, pending); !errors.Is(err, core.ErrTokenInvalid) {
			t.Errorf("sign-out everywhere: %v", err)
		}
		if _, err := h.RevokeToken(ctx, pending); !errors.Is(err, core.ErrTokenNotFound) {
			t.Errorf("revoke: %v", err)
		}
		if _, _, err := h.Find(ctx, pending); !errors.Is(err, core.ErrTokenNotFound) {
			t.Errorf("lookup: %v", err)
		}
		if err := h.Revoke(ctx, "alice", before.Pending[0].Session.ID, core.ReasonRevoked); !errors.Is(err, core.ErrSessionNotFound) {
			t.Errorf("revoke what waits as a session: %v", err)
		}
		h.expectCount("alice", 0)
		if s, err := h.Sessions(ctx, "alice"); len(s) != 0 || err != nil {
			t.Errorf("sessions %v, %v", s, err)
		}
		if online, err := h.Online(ctx, "alice"); len(online) != 0 || err != nil {
			t.Errorf("online %v, %v", online, err)
		}
		if diff := cmp.Diff(before, store.ledger(t, "alice")); diff != "" {
			t.Errorf("the ledger changed:\n%s", diff)
		}
		h.trail.take()

		p := h.signIn("alice")
		h.trail.take()
		for _, token := range []string{"", "x", p.RefreshToken, p.AccessToken, "sppt_" + p.RefreshToken[5:], "sppt_", pending[:len(pending)-1], pending + "A"} {
			called := &factor{}
			h.expectStepUp(token, called.verify, core.ErrStepUpInvalid)
			h.trail.expect(t, token, "step_up_refused")
			if called.calls.Load() != 0 {
				t.Errorf("%s: the factor was looked at", token)
			}
		}
		h.expectVerify(h.expectStepUp(pending, right, nil), nil)
		h.trail.expect(t, "completed", "signed_in")
	})
}

// What begins is what waited; when and how it was completed is in its tokens, and it
// never has the id of what waited.
func TestWhatBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		risk := 50
		h := open(t, store, func(c *core.Config) {
			c.Risk = core.RiskPolicy{StepUp: 40, Deny: 90}
			c.Scorer = scorer(func() (core.Risk, error) {
				return core.Risk{Score: risk, Reasons: []core.RiskReason{{Code: "scored", Points: risk, Detail: "by the test"}}}, nil
			})
		})
		pending := h.waits("alice", func(r *core.SignInRequest) {
			r.Identity.StepUp = false // the score asks for it
			r.Identity.AuthTime = time.Now().Add(-time.Hour)
			r.Identity.Scopes, r.Identity.AMR = []string{"a"}, []string{"pwd", "hwk"}
			r.Identity.Claims = tenantClaims{Tenant: "acme"}
		})
		waited := store.ledger(t, "alice").Pending[0].Session
		elapse(90 * time.Second)
		risk = 95 // it is not judged again
		pair := h.expectStepUp(pending, func(_ context.Context, user string) ([]string, error) {
			if user != "alice" {
				t.Errorf("asked about %q", user)
			}
			return []string{"otp", "pwd", "mfa"}, nil
		}, nil, func(r *core.StepUpRequest) { r.Client.IP, r.Client.UserAgent = "198.51.100.1", "other" })
		s := pair.Session
		if s.ID == waited.ID || s.ID.IsZero() {
			t.Errorf("the session is %v, and what waited was %v", s.ID, waited.ID)
		}
		if s.Risk.Score != 50 || len(s.Risk.Reasons) != 1 || s.IP != "192.0.2.7" || s.Device != waited.Device {
			t.Errorf("got %+v, want what waited", s)
		}
		p, err := h.Verify(t.Context(), pair.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		if now := time.Now().Truncate(time.Second); !p.AuthTime.Equal(now) || !s.AuthTime.Truncate(time.Second).Equal(now) {
			t.Errorf("auth_time %v, want %v", p.AuthTime, now)
		}
		if !slices.Equal(p.AMR, []string{"pwd", "hwk", "otp", "mfa"}) || !slices.Equal(p.Scopes, []string{"a"}) {
			t.Errorf("principal %+v", p)
		}
		if c, err := core.ClaimsOf[tenantClaims](p); err != nil || c.Tenant != "acme" {
			t.Errorf("claims %+v, %v", c, err)
		}
		if l := store.ledger(t, "alice"); len(l.Pending) != 0 || len(l.Sessions) != 1 || len(l.Devices) != 1 || len(l.SignIns) != 1 {
			t.Errorf("ledger %+v", l)
		}
	})
}

type scorer func() (core.Risk, error)

func (s scorer) Score(context.Context, core.Evidence) (core.Risk, error) { return s() }

// Of many at once with the right factor one begins a session; of many with a wrong one
// no more than five are looked at, each after it was counted.
func TestStepUpRaces(t *testing.T) {
	const many = 64
	for name, err := range map[string]error{"right": nil, "wrong": core.ErrInvalidCredentials} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newTap()
				houses := []*house{open(t, store, unlimited), open(t, store, unlimited)}
				settle(houses[0])
				pending := houses[0].waits("alice")
				houses[0].trail.take()
				var (
					calls, begun, refused atomic.Int64
					all                   sync.WaitGroup
				)
				verify := func(context.Context, string) ([]string, error) {
					n := calls.Add(1)
					if counted := store.ledger(t, "alice").Pending; len(counted) == 1 && int64(counted[0].Attempts) < min(n, 5) {
						t.Errorf("%d attempts are counted, and %d are looked at", counted[0].Attempts, n)
					}
					<-time.After(time.Second) // all are under way
					return []string{"otp"}, err
				}
				var pair core.Pair
				for i := range many {
					all.Go(func() {
						switch p, err := houses[i%2].stepUp(pending, verify); {
						case err == nil:
							begun.Add(1)
							pair = p
						case errors.Is(err, core.ErrStepUpInvalid):
							refused.Add(1)
						default:
							t.Error(err)
						}
					})
				}
				all.Wait()
				want := int64(0)
				if err == nil {
					want = 1
				}
				if calls.Load() != 5 || begun.Load() != want || refused.Load() != many-want {
					t.Errorf("%d looked at, %d begun, %d refused", calls.Load(), begun.Load(), refused.Load())
				}
				houses[0].expectCount("alice", int(want))
				if want == 1 {
					houses[1].expectVerify(pair, nil)
				}
				audited := append(houses[0].trail.take(), houses[1].trail.take()...)
				if n := len(slices.DeleteFunc(audited, func(s string) bool { return s != "step_up_refused" })); n != int(many-want) {
					t.Errorf("%d refusals are audited, want %d", n, many-want)
				}
				houses[0].expectStepUp(pending, right, core.ErrStepUpInvalid)
			})
		})
	}
}

// One after the other: four wrong ones leave one more, five none. A failure counts as
// well, and says nothing of the factor.
func TestStepUpAttempts(t *testing.T) {
	panics := func(context.Context, string) ([]string, error) { panic(errBroken) }
	fails := func(context.Context, string) ([]string, error) { return nil, errBroken }
	odd := func(context.Context, string) ([]string, error) { return []string{"otp\n"}, nil }
	gone := func(context.Context, string) ([]string, error) { return nil, core.ErrUserInactive }
	for _, c := range []struct {
		name   string
		before func(context.Context, string) ([]string, error)
		want   error
		audits []string
	}{
		{"wrong", wrong, core.ErrStepUpInvalid, []string{"step_up_refused"}},
		{"wrong, wrapped", func(context.Context, string) ([]string, error) {
			return nil, errors.Join(errBroken, core.ErrInvalidCredentials)
		}, core.ErrStepUpInvalid, []string{"step_up_refused"}},
		{"failing", fails, core.ErrInternal, nil},
		{"panicking", panics, core.ErrInternal, nil},
		{"none", nil, core.ErrInternal, nil},
		{"proved in an impossible way", odd, core.ErrInternal, nil},
		{"another refusal", gone, core.ErrInternal, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newTap()
				h := open(t, store, unlimited)
				for tries, want := range map[int]error{4: nil, 5: core.ErrStepUpInvalid} {
					pending := h.waits("alice")
					for range tries {
						h.trail.take()
						h.expectStepUp(pending, c.before, c.want)
						h.trail.expect(t, c.name, c.audits...)
					}
					if p := store.ledger(t, "alice").Pending; p[len(p)-1].Attempts != tries {
						t.Errorf("%d attempts are counted, want %d", p[len(p)-1].Attempts, tries)
					}
					h.expectStepUp(pending, right, want)
				}
			})
		})
	}
}

// It waits for five minutes, and four wait at once.
func TestStepUpExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap(), unlimited)
		first, second := h.waits("alice"), h.waits("alice")
		elapse(5*time.Minute - time.Millisecond)
		h.expectStepUp(first, right, nil)
		elapse(time.Millisecond)
		h.expectStepUp(second, right, core.ErrStepUpInvalid)

		var pending []string
		for range 6 {
			pending = append(pending, h.waits("bob"))
			elapse(time.Second)
		}
		for i, p := range pending {
			want := error(nil)
			if i < 2 {
				want = core.ErrStepUpInvalid
			}
			h.expectStepUp(p, right, want)
		}
	})
}

// While it waits, and while the factor is looked at, it may come to nothing.
func TestStepUpOvertaken(t *testing.T) {
	for _, c := range []struct {
		name   string
		do     func(h *house, active *bool) error
		want   error
		audits []string
	}{
		{"revoke all", func(h *house, _ *bool) error {
			_, err := h.RevokeAll(h.t.Context(), "alice", core.ReasonRevokedByAdmin)
			return err
		}, core.ErrStepUpInvalid, []string{"step_up_refused"}},
		{"new password", func(h *house, _ *bool) error {
			_, err := h.RevokeOthers(h.t.Context(), "alice", core.ID{}, core.ReasonPasswordChanged)
			return err
		}, core.ErrStepUpInvalid, []string{"step_up_refused"}},
		{"forgotten", func(h *house, _ *bool) error { return h.Forget(h.t.Context(), "alice") }, core.ErrStepUpInvalid, []string{"step_up_refused", "user_forgotten"}},
		{"disabled", func(_ *house, active *bool) error { *active = false; return nil }, core.ErrUserInactive, []string{"sign_in_refused"}},
	} {
		for _, during := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				active := true
				store := newTap()
				h := open(t, store, func(c *core.Config) {
					c.Active = func(context.Context, string) (bool, error) { return active, nil }
				})
				there := open(t, store)
				settle(h)
				pending := h.waits("alice")
				elapse(time.Second)
				h.trail.take()
				act := func() {
					who := there
					if c.name == "forgotten" {
						who = h
					}
					if err := c.do(who, &active); err != nil {
						t.Error(err)
					}
				}
				if !during {
					act()
				}
				h.expectStepUp(pending, func(context.Context, string) ([]string, error) {
					if during {
						act()
					}
					return []string{"otp"}, nil
				}, c.want)
				h.trail.expect(t, c.name, c.audits...)
				h.expectCount("alice", 0)
			})
		}
	}
}

// The user's sessions were revoked just before: who signs in since then is let in.
func TestStepUpSoonAfterRevokeAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap())
		settle(h)
		if _, err := h.RevokeAll(t.Context(), "alice", core.ReasonPasswordChanged); err != nil {
			t.Fatal(err)
		}
		asked := 0
		pending := h.waits("alice", func(r *core.SignInRequest) {
			r.Confirm = func(context.Context) error { asked++; return nil }
		})
		elapse(time.Second)
		h.expectVerify(h.expectStepUp(pending, right, nil), nil)
		if asked != 1 {
			t.Errorf("asked %d times whether the password is still good, want once", asked)
		}

		// Without the app's word it does not go on, nor begin to wait.
		for name, c := range map[string]struct {
			confirm func(context.Context) error
			want    error
		}{
			"nobody to ask": {nil, core.ErrInvalidCredentials},
			"no":            {func(context.Context) error { return core.ErrInvalidCredentials }, core.ErrInvalidCredentials},
			"disabled":      {func(context.Context) error { return core.ErrUserInactive }, core.ErrUserInactive},
			"failing":       {func(context.Context) error { return errBroken }, core.ErrInternal},
		} {
			h.trail.take()
			_, err := h.SignIn(t.Context(), core.SignInRequest{
				Identity: core.Identity{UserID: "alice", StepUp: true}, CheckedAt: time.Now(), Confirm: c.confirm,
			})
			if !errors.Is(err, c.want) || errors.Is(err, core.ErrStepUpRequired) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			h.trail.expect(t, name, "sign_in_refused")
			if l := h.ledgerOf("alice"); len(l.Pending) != 0 {
				t.Errorf("%s: %+v wait", name, l.Pending)
			}
		}
	})
}

// ledgerOf is a user's ledger in the store of a house whose store is a tap.
func (h *house) ledgerOf(user string) core.Ledger {
	return core.Settled(h.Auth).Store.(*tap).ledger(h.t, user)
}

// The browser's old session ends when the new one begins, and not before.
func TestStepUpReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap())
		settle(h)
		old, bobs := h.signIn("alice"), h.signIn("bob")
		presented := func(r *core.StepUpRequest) { r.Replaces = []string{old.RefreshToken, bobs.RefreshToken, "x"} }
		pending := h.waits("alice")
		h.trail.take()
		h.expectStepUp(pending, wrong, core.ErrStepUpInvalid, presented)
		h.expectVerify(old, nil)
		h.expectVerify(bobs, nil)
		h.trail.take()
		h.expectVerify(h.expectStepUp(pending, right, nil, presented), nil)
		h.expectVerify(old, core.ErrTokenRevoked)
		h.expectVerify(bobs, core.ErrTokenRevoked)
		h.trail.expect(t, "replaced", "session_ended: replaced", "session_ended: replaced", "signed_in")
		h.expectCount("alice", 1)
	})
}

// The cap on sessions is kept when it completes.
func TestStepUpCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		evicts := open(t, store, func(c *core.Config) { c.MaxSessions = 2 })
		refuses := open(t, store, func(c *core.Config) { c.MaxSessions, c.SessionLimitPolicy = 2, core.RefuseNew })
		settle(evicts)
		pending := evicts.waits("alice")
		again := evicts.waits("alice")
		first := evicts.signIn("alice")
		elapse(time.Second)
		evicts.signIn("alice")
		evicts.trail.take()
		refuses.expectStepUp(pending, right, core.ErrTooManySessions)
		refuses.trail.expect(t, "refused", "sign_in_refused")
		evicts.expectStepUp(pending, right, nil) // it waited on
		evicts.trail.expect(t, "evicts", "session_ended: evicted", "signed_in")
		evicts.expectVerify(first, core.ErrTokenRevoked)
		evicts.expectCount("alice", 2)
		evicts.expectStepUp(again, right, nil)
		evicts.expectCount("alice", 2)
	})
}

// Factors are counted per user, however many sign-ins wait.
func TestStepUpLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap(), func(c *core.Config) { c.Limits.StepUp = 3 })
		settle(h)
		pending := []string{h.waits("alice"), h.waits("alice"), h.waits("alice"), h.waits("alice")}
		called := &factor{err: core.ErrInvalidCredentials}
		for _, p := range pending[:3] {
			h.expectStepUp(p, called.verify, core.ErrStepUpInvalid)
		}
		h.trail.take()
		_, err := h.stepUp(pending[3], called.verify)
		var e *core.Error
		if !errors.Is(err, core.ErrTooManyRequests) || !errors.As(err, &e) || e.RetryAfter < time.Second || e.RetryAfter > 20*time.Second {
			t.Errorf("%v, want ErrTooManyRequests for a while", err)
		}
		h.trail.expect(t, "limited", "limited")
		if called.calls.Load() != 3 {
			t.Errorf("%d were looked at, want 3", called.calls.Load())
		}
		h.expectStepUp(h.waits("bob"), right, nil)
		elapse(20 * time.Second)
		h.expectStepUp(pending[3], right, nil)
	})
}
