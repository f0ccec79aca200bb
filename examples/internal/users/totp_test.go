package users_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/users"
)

const period = 30 * time.Second

// codeAt is what a user's generator shows.
func codeAt(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// enrolled returns users of whom alice has a second factor, which was confirmed a
// while ago, and its secret.
func enrolled(t *testing.T) (*users.Users, string) {
	t.Helper()
	u, err := users.New()
	if err != nil {
		t.Fatal(err)
	}
	secret, _, err := u.EnrollTOTP("alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := u.ConfirmTOTP("alice", codeAt(t, secret, time.Now())); err != nil {
		t.Fatal(err)
	}
	<-time.After(10 * period)
	return u, secret
}

func TestEnrollTOTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, err := users.New()
		if err != nil {
			t.Fatal(err)
		}
		asks := func(want bool) {
			t.Helper()
			id, err := u.Authenticate(t.Context(), core.Credentials{Username: "alice", Password: "correct-horse"})
			if err != nil || id.StepUp != want {
				t.Errorf("a second factor is asked for: got %v, %v, want %v", id.StepUp, err, want)
			}
		}
		confirm := func(code string, want error) {
			t.Helper()
			if err := u.ConfirmTOTP("alice", code); !errors.Is(err, want) {
				t.Errorf("confirming: got %v, want %v", err, want)
			}
		}
		confirm("000000", users.ErrTOTPNotEnrolled)
		first, _, err := u.EnrollTOTP("alice")
		if err != nil {
			t.Fatal(err)
		}
		secret, link, err := u.EnrollTOTP("alice") // in the place of the first
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := url.Parse(link)
		if err != nil || parsed.Scheme != "otpauth" || parsed.Host != "totp" || parsed.Path != "/sallyport:alice" || parsed.Query().Get("secret") != secret || first == secret {
			t.Errorf("got %q and %q, %v, want a URL with a secret of its own", link, first, err)
		}
		asks(false)
		confirm(codeAt(t, first, time.Now()), users.ErrWrongCode)
		confirm("", users.ErrWrongCode)
		asks(false)
		code := codeAt(t, secret, time.Now())
		if _, err := u.SecondFactor(code)(t.Context(), "alice"); !errors.Is(err, core.ErrInvalidCredentials) {
			t.Errorf("before it is confirmed: got %v", err)
		}
		confirm(code, nil)
		asks(true)
		confirm(code, users.ErrTOTPEnrolled)
		if _, _, err := u.EnrollTOTP("alice"); !errors.Is(err, users.ErrTOTPEnrolled) {
			t.Errorf("a second one: got %v, want %v", err, users.ErrTOTPEnrolled)
		}
		if _, err := u.SecondFactor(code)(t.Context(), "alice"); !errors.Is(err, core.ErrInvalidCredentials) {
			t.Errorf("the code that confirmed it: got %v", err)
		}
		if _, _, err := u.EnrollTOTP("nobody"); !errors.Is(err, users.ErrNotFound) {
			t.Errorf("nobody: got %v, want %v", err, users.ErrNotFound)
		}
	})
}

// A code is good for the time step that it is of and the one on either side, for one
// user, once (RFC 6238 section 5.2).
func TestSecondFactor(t *testing.T) {
	for _, tt := range []struct {
		rule string
		at   time.Duration // of the code, from now
		good bool
	}{
		{"now", 0, true},
		{"a clock that is slow", -period, true},
		{"a clock that is fast", period, true},
		{"too old", -2 * period, false},
		{"too new", 2 * period, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			u, secret := enrolled(t)
			verify := u.SecondFactor(codeAt(t, secret, time.Now().Add(tt.at)))
			if _, err := verify(t.Context(), "bob"); !errors.Is(err, core.ErrInvalidCredentials) {
				t.Errorf("%s, for another user: got %v", tt.rule, err)
			}
			amr, err := verify(t.Context(), "alice")
			if good := err == nil && slices.Equal(amr, []string{"pwd", "otp"}); good != tt.good || !tt.good && !errors.Is(err, core.ErrInvalidCredentials) {
				t.Errorf("%s: got %v, %v, want good: %v", tt.rule, amr, err, tt.good)
			}
			if _, err := verify(t.Context(), "alice"); !errors.Is(err, core.ErrInvalidCredentials) {
				t.Errorf("%s, again: got %v", tt.rule, err)
			}
			<-time.After(3 * period)
			if _, err := u.SecondFactor(codeAt(t, secret, time.Now()))(t.Context(), "alice"); err != nil {
				t.Errorf("%s, and a later one: got %v", tt.rule, err)
			}
		})
	}
}

// The code of a step that is before the last good one is not good any more, though it
// was never used.
func TestSecondFactorOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, secret := enrolled(t)
		now := time.Now()
		if _, err := u.SecondFactor(codeAt(t, secret, now))(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		if _, err := u.SecondFactor(codeAt(t, secret, now.Add(-period)))(t.Context(), "alice"); !errors.Is(err, core.ErrInvalidCredentials) {
			t.Errorf("got %v, want %v", err, core.ErrInvalidCredentials)
		}
	})
}

// Of many who present a code at once, one passes.
func TestSecondFactorAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, secret := enrolled(t)
		verify := u.SecondFactor(codeAt(t, secret, time.Now()))
		var passed atomic.Int64
		var all sync.WaitGroup
		begin := make(chan struct{})
		for range 64 {
			all.Go(func() {
				<-begin
				if _, err := verify(context.Background(), "alice"); err == nil {
					passed.Add(1)
				}
			})
		}
		close(begin)
		all.Wait()
		if got := passed.Load(); got != 1 {
			t.Errorf("%d passed, want 1", got)
		}
	})
}
