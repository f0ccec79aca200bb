package core_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// What waits no longer is tried in vain, and uses up nothing of its user's.
func TestStepUpDeadTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap())
		settle(h)
		dead := h.waits("alice")
		h.expectStepUp(dead, right, nil)
		elapse(time.Hour)
		for range 10 {
			if _, err := h.stepUp(dead, right); err == nil {
				t.Error("used twice")
			}
		}
		h.expectStepUp(h.waits("alice"), right, nil)
	})
}

// A browser that has two device cookies, as of an earlier path or from a subdomain,
// completes a sign-in all the same.
func TestStepUpTwoDeviceCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap())
		settle(h)
		signIn := func(cookies ...string) (pending, device string) {
			r := foreignRequest{cookies: map[string][]string{"__Secure-device": cookies}}
			_, set, err := h.SignInFrom(r, core.SignInForm{Identity: core.Identity{UserID: "alice", StepUp: true}, Username: "alice"})
			var e *core.Error
			if !errors.As(err, &e) || e.Pending == "" {
				t.Fatal(err)
			}
			c, err := http.ParseSetCookie(set.Get("Set-Cookie"))
			if err != nil {
				t.Fatal(err)
			}
			return e.Pending, c.Value
		}
		_, first := signIn()
		_, second := signIn()
		pending, third := signIn(first, second)
		stepUp := func(cookies ...string) error {
			r := foreignRequest{cookies: map[string][]string{"__Secure-device": cookies}}
			_, _, err := h.StepUpFrom(r, core.StepUpForm{Pending: pending, Verify: right})
			return err
		}
		if err := stepUp(first, second); !errors.Is(err, core.ErrStepUpInvalid) {
			t.Errorf("of other devices: %v", err)
		}
		if err := stepUp(first, third); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

// Whose past only the store knows gets in by no score while that is away.
func TestStepUpByRiskInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		link := store.link()
		there := open(t, store.link())
		s, _ := outside(t, link, memoryServed, func(c *core.Config) { c.Risk.StepUp, c.Scorer, c.Resolver = 25, nil, globe })
		settle(s.house)
		r := core.SignInRequest{Identity: core.Identity{UserID: "alice"}, Client: gadget{"laptop", firefoxOnMac}.at(atHome)}
		if _, err := there.SignIn(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		elapse(time.Minute)
		link.away(errBroken)
		elapse(5 * time.Second)
		s.expectMode(core.ModeMemory)
		if _, err := s.tries("alice", gadget{"other", chromeOnLinux}, farAway); !errors.Is(err, core.ErrStoreUnavailable) {
			t.Errorf("without a second factor: %v", err)
		}
		link.away(nil)
		elapse(5 * time.Second)
		s.expectCount("alice", 1)
	})
}
