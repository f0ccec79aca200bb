package core_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// P27: a sign-in that is under way while the user's sessions are revoked as a
// whole begins nothing on credentials that are no good any more.
func TestSignInOvertaken(t *testing.T) {
	type revoke func(h *house, keep core.ID) (int, error)
	all := func(h *house, _ core.ID) (int, error) {
		return h.RevokeAll(h.t.Context(), "alice", core.ReasonUserInactive)
	}
	others := func(h *house, keep core.ID) (int, error) {
		return h.RevokeOthers(h.t.Context(), "alice", keep, core.ReasonPasswordChanged)
	}
	for _, c := range []struct {
		name    string
		revoke  revoke
		live    bool          // something is live when it happens
		after   time.Duration // between the check of the credentials and the sign-in
		refusal error         // of the second check
		none    bool          // there is no second check
		want    error
		asked   int
	}{
		{name: "all, and the user is disabled", revoke: all, live: true, refusal: core.ErrUserInactive, want: core.ErrUserInactive, asked: 1},
		{name: "all of none", revoke: all, refusal: core.ErrInvalidCredentials, want: core.ErrInvalidCredentials, asked: 1},
		{name: "others, and the password changed", revoke: others, live: true, refusal: core.ErrInvalidCredentials, want: core.ErrInvalidCredentials, asked: 1},
		{name: "others, but the credentials are still good", revoke: others, live: true, asked: 1},
		{name: "the second check fails", revoke: all, live: true, refusal: errBroken, want: core.ErrInternal, asked: 1},
		{name: "there is no second check", revoke: all, live: true, none: true, want: core.ErrInvalidCredentials},
		{name: "nothing was revoked", revoke: func(*house, core.ID) (int, error) { return 0, nil }, live: true},
		{name: "nothing was revoked, but it took long", revoke: func(*house, core.ID) (int, error) { return 0, nil }, live: true, after: 10 * time.Minute, asked: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, newTap())
				settle(h)
				var keep core.ID
				if c.live {
					keep = h.signIn("alice").Session.ID
				}
				elapse(time.Minute)
				r := core.SignInRequest{Identity: core.Identity{UserID: "alice"}, CheckedAt: time.Now()}
				asked := 0
				if !c.none {
					r.Confirm = func(context.Context) error { asked++; return c.refusal }
				}
				elapse(50*time.Millisecond + c.after)
				if _, err := c.revoke(h, keep); err != nil {
					t.Fatal(err)
				}
				before, err := h.Count(t.Context(), "alice")
				if err != nil {
					t.Fatal(err)
				}
				p, err := h.SignIn(t.Context(), r)
				if !errors.Is(err, c.want) || asked != c.asked {
					t.Fatalf("%v, asked %d times; want %v, %d", err, asked, c.want, c.asked)
				}
				if c.want != nil {
					if p.AccessToken != "" || p.RefreshToken != "" {
						t.Error("refused, but with tokens")
					}
					h.expectCount("alice", before)
					return
				}
				h.expectVerify(p, nil)
				h.expectCount("alice", before+1)
			})
		})
	}
}

// P25: whoever signs in again at once, after all was revoked, is asked once more
// at most, and gets in.
func TestSignInRightAfterRevokeAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap())
		settle(h)
		if _, err := h.RevokeAll(t.Context(), "alice", core.ReasonPasswordChanged); err != nil {
			t.Fatal(err)
		}
		p, err := h.SignIn(t.Context(), core.SignInRequest{
			Identity:  core.Identity{UserID: "alice"},
			CheckedAt: time.Now(),
			Confirm:   func(context.Context) error { return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		h.expectVerify(p, nil)
	})
}

// A token that was taken away moves nobody, though its session is live.
func TestSignOutAllWithWhatWasTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap(), func(c *core.Config) { c.RetireAccess = core.AtOnce })
		settle(h)
		first := h.signIn("alice")
		h.signIn("alice")
		var pairs []core.Pair
		for p := first; len(pairs) < 3; {
			pairs = append(pairs, p)
			elapse(time.Minute)
			p = h.refresh(p)
		}
		elapse(time.Minute)
		last := h.refresh(pairs[2])
		if n, err := h.RevokeToken(t.Context(), last.AccessToken); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		for name, token := range map[string]string{
			"an access token that was revoked": last.AccessToken,
			"one that a refresh retired":       pairs[0].AccessToken,
			"a refresh token spent long ago":   pairs[0].RefreshToken,
		} {
			if n, err := h.SignOutAll(t.Context(), token); n != 0 || !errors.Is(err, core.ErrTokenRevoked) {
				t.Errorf("%s: %d, %v", name, n, err)
			}
		}
		if n, err := h.SignOutAll(t.Context(), last.RefreshToken); n != 2 || err != nil {
			t.Errorf("the refresh token that is good: %d, %v", n, err)
		}
	})
}

// A refresh token that lives hardly longer than the grace period is renewed all
// the same.
func TestShortRefreshTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap(), func(c *core.Config) { c.RefreshTTL, c.IdleTimeout, c.Grace = time.Minute, time.Minute, 2*time.Minute })
		settle(h)
		p := h.signIn("alice")
		for range 30 {
			elapse(10 * time.Second)
			p = h.refresh(p)
		}
	})
}

func TestClaimsOfNobody(t *testing.T) {
	if c, err := core.ClaimsOf[tenantClaims](nil); err != nil || c.Tenant != "" {
		t.Errorf("%v, %v", c, err)
	}
}
