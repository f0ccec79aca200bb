package nethttpauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// A new password or a disabled user ends sessions through one call of the app's,
// and every refresh asks whether the user is active (P27).

// ended gathers how sessions ended, as it is audited: "user reason".
func ended(c *core.Config, into *[]string) {
	audit := c.Audit
	c.Audit = func(ctx context.Context, e core.Event) {
		if e.Name == core.EventSessionEnded {
			*into = append(*into, e.UserID+" "+string(e.Reason))
		}
		audit(ctx, e)
	}
}

func TestPasswordChange(t *testing.T) {
	var ends []string
	onSite(t, func(c *core.Config) { ended(c, &ends) }, func(t *testing.T, s *site) {
		s.mux.Handle("POST /app/password", nethttpauth.Require(s.auth)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p := nethttpauth.Principal(r)
			n, err := s.auth.RevokeOthers(r.Context(), p.UserID, p.SessionID, core.ReasonPasswordChanged)
			if err != nil {
				nethttpauth.Write(w, s.auth.Problem(err))
				return
			}
			fmt.Fprint(w, n)
		})))
		here, there, native, bob := s.signIn("alice"), s.signIn("alice"), s.native("alice"), s.signIn("bob")
		s.use(here, there, native, bob)
		before := s.ledgers()["bob"]

		if a := s.ask("POST", "/app/password", "", bearer(here.AccessToken)); a.status != 200 || a.body != "2" {
			t.Fatalf("got %d %s, want 2 sessions revoked", a.status, a.body)
		}
		for _, p := range []pair{there, native} {
			s.do("GET", "/sessions", "", bearer(p.AccessToken)).refused(401, "TOKEN_REVOKED")
			s.post("/refresh", refreshBody(p.Cookie+p.RefreshToken)).refused(401, "SESSION_ENDED")
			s.post("/logout", `{"all":true}`, bearer(p.AccessToken)).refused(401, "TOKEN_REVOKED")
		}
		s.alive("where it was changed", here, true)
		s.post("/refresh", "", refreshCookie(here.Cookie)).ok()
		s.alive("signed in with the new one", s.signIn("alice"), true)
		if diff := cmp.Diff(before, s.ledgers()["bob"]); diff != "" {
			t.Errorf("another user's ledger changed:\n%s", diff)
		}
		if want := []string{"alice password_changed", "alice password_changed"}; !slices.Equal(ends, want) {
			t.Errorf("audited %q, want %q", ends, want)
		}
	})
}

func TestDisable(t *testing.T) {
	var ends []string
	onSite(t, func(c *core.Config) { ended(c, &ends) }, func(t *testing.T, s *site) {
		here, native, bob := s.signIn("alice"), s.native("alice"), s.signIn("bob")
		s.inactive["alice"] = true
		if n, err := s.auth.RevokeAll(t.Context(), "alice", core.ReasonUserInactive); n != 2 || err != nil {
			t.Fatalf("got %d sessions, %v, want 2", n, err)
		}
		for _, p := range []pair{here, native} {
			s.do("GET", "/sessions", "", bearer(p.AccessToken)).refused(401, "TOKEN_REVOKED")
			s.post("/refresh", refreshBody(p.Cookie+p.RefreshToken)).refused(401, "SESSION_ENDED")
		}
		s.post("/login", `{"username":"alice","password":"pw"}`).refused(401, "USER_INACTIVE")
		s.post("/login", `{"username":"alice","password":"x"}`).refused(401, "INVALID_CREDENTIALS")
		s.alive("another user's", bob, true)
		s.post("/refresh", "", refreshCookie(bob.Cookie)).ok()

		delete(s.inactive, "alice") // in the same second
		s.alive("enabled again", s.signIn("alice"), true)
		s.post("/refresh", "", refreshCookie(here.Cookie)).refused(401, "SESSION_ENDED")
		if want := []string{"alice user_inactive", "alice user_inactive"}; !slices.Equal(ends, want) {
			t.Errorf("audited %q, want %q", ends, want)
		}
	})
}

func TestActiveIsAsked(t *testing.T) {
	var asked []string
	onSite(t, func(c *core.Config) {
		active := c.Active
		c.Active = func(ctx context.Context, user string) (bool, error) {
			asked = append(asked, user)
			return active(ctx, user)
		}
	}, func(t *testing.T, s *site) {
		expect := func(what string, want ...string) {
			t.Helper()
			if !slices.Equal(asked, want) {
				t.Errorf("%s: asked about %q, want %q", what, asked, want)
			}
			asked = nil
		}
		alice, bob := s.signIn("alice"), s.native("bob")
		s.use(alice, bob)
		s.post("/logout", "", bearer(s.signIn("alice").AccessToken)).ok()
		expect("without a refresh")

		first := alice.Cookie
		alice = s.post("/refresh", "", refreshCookie(alice.Cookie)).pair()
		expect("a refresh", "alice")
		s.post("/refresh", "", refreshCookie(alice.Cookie)).ok()
		expect("one that answers the same token", "alice")
		s.post("/refresh", "", refreshCookie(first)).ok()
		expect("one that is replayed", "alice")
		s.post("/refresh", refreshBody(bob.RefreshToken)).ok()
		expect("in the body", "bob")

		s.post("/refresh", "").refused(401, "REFRESH_TOKEN_MISSING")
		s.post("/refresh", "", refreshCookie("x")).refused(401, "REFRESH_TOKEN_INVALID")
		s.post("/refresh", "", refreshCookie(alice.Cookie[:len(alice.Cookie)-5]+"AAAAA")).refused(401, "REFRESH_TOKEN_INVALID")
		s.post("/refresh", "", refreshCookie(alice.AccessToken)).refused(401, "REFRESH_TOKEN_INVALID")
		expect("what is not authentic")
	})
}

// Each session of an inactive user ends at its own refresh, and by whatever
// token of it comes.
func TestInactiveEndsSession(t *testing.T) {
	for name, token := range map[string]func(first, last string) string{
		"newest": func(_, last string) string { return last },
		"older":  func(first, _ string) string { return first },
	} {
		onSite(t, nil, func(t *testing.T, s *site) {
			first, other := s.signIn("alice"), s.signIn("alice")
			last := s.post("/refresh", "", refreshCookie(first.Cookie)).pair()
			s.inactive["alice"] = true
			s.post("/refresh", "", refreshCookie(token(first.Cookie, last.Cookie))).of(name).refused(401, "USER_INACTIVE")
			s.alive("that was refreshed", last, false)
			s.alive("that was not", other, true)
			delete(s.inactive, "alice")
			s.post("/refresh", "", refreshCookie(last.Cookie)).of(name).refused(401, "SESSION_ENDED")
			s.post("/refresh", "", refreshCookie(other.Cookie)).of(name).ok()
		})
	}
}

// An Active that fails has no opinion: 500, whatever else it answers, and
// nothing ends or moves.
func TestActiveFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		active bool
		err    error
	}{
		{"beside false", false, errors.New("the directory is gone")},
		{"beside true", true, errors.New("the directory is gone")},
		{"with a refusal", false, core.ErrUserInactive},
		{"with a deadline", false, context.DeadlineExceeded},
	} {
		fails := false
		onSite(t, func(c *core.Config) {
			c.Active = func(context.Context, string) (bool, error) {
				if fails {
					return tt.active, tt.err
				}
				return true, nil
			}
		}, func(t *testing.T, s *site) {
			browser, native := s.signIn("alice"), s.native("alice")
			s.use(browser, native)
			before := s.ledgers()
			fails = true
			for _, p := range []pair{browser, native} {
				a := s.post("/refresh", refreshBody(p.Cookie+p.RefreshToken)).of(tt.name).refused(500, "INTERNAL")
				if strings.Contains(a.body, "directory") || strings.Contains(a.body, "deadline") {
					t.Errorf("%s: the cause was sent: %s", tt.name, a.body)
				}
			}
			s.unchanged(tt.name, before)
			if len(s.failures) != 2 || !errors.Is(s.failures[0], tt.err) {
				t.Errorf("%s: audited %v, want %v twice", tt.name, s.failures, tt.err)
			}
			fails = false
			s.alive("afterwards", browser, true)
			s.post("/refresh", "", refreshCookie(browser.Cookie)).ok()
			pass(time.Minute)
			s.post("/refresh", refreshBody(native.RefreshToken)).ok()
		})
	}
}
