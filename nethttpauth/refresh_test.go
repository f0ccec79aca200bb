package nethttpauth_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// shortLives are lifetimes that a test can wait for.
func shortLives(c *core.Config) {
	c.AccessTTL, c.RefreshTTL, c.SessionTTL = time.Minute, 10*time.Minute, 25*time.Minute
}

func TestRefreshCookie(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		first := s.signIn("alice")
		a := s.post("/refresh", "", refreshCookie(first.Cookie), cookie("device", first.DeviceCookie))
		second := a.pair()
		if second.AccessToken == first.AccessToken || second.Cookie == first.Cookie || second.Cookie == "" {
			t.Errorf("nothing new: %+v", second)
		}
		if second.Session.ID != first.Session.ID {
			t.Errorf("another session: %s, want %s", second.Session.ID, first.Session.ID)
		}
		a.equal(fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":3600,"refresh_expires_in":604800,"session":%s}`, second.AccessToken, second.session(true)))
		a.cookies("refresh_token=" + second.Cookie + "; Path=/api/v1/auth; Max-Age=604800; HttpOnly; SameSite=Lax")
		s.alive("by its new access token", second, true)
		s.alive("the older access token is left alone", first, true)
	})
}

func TestRefreshBody(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		first := s.native("alice")
		a := s.post("/refresh", `{"refresh_token":"`+first.RefreshToken+`","device_id":"`+first.Session.Device.ID+`"}`)
		second := a.pair()
		a.equal(fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":3600,"refresh_token":%q,"refresh_expires_in":604800,"session":%s}`,
			second.AccessToken, second.RefreshToken, second.session(true)))
		a.cookies()
		if second.RefreshToken == first.RefreshToken || second.Session.ID != first.Session.ID {
			t.Errorf("got %+v after %+v", second, first)
		}
	})
}

// The same token in cookie and body, or in two cookies, counts once, and the
// answer comes by cookie.
func TestRefreshSameTwice(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		p := s.signIn("alice")
		p = s.post("/refresh", refreshBody(p.Cookie), refreshCookie(p.Cookie)).pair()
		if p.Cookie == "" || p.RefreshToken != "" {
			t.Errorf("cookie and body: got cookie %q and body %q", p.Cookie, p.RefreshToken)
		}
		pass(time.Minute)
		p = s.post("/refresh", "", refreshCookie(p.Cookie), refreshCookie(p.Cookie)).pair()
		if p.Cookie == "" || p.RefreshToken != "" {
			t.Errorf("two cookies: got cookie %q and body %q", p.Cookie, p.RefreshToken)
		}
	})
}

// When a refresh answers with the very token that was presented, it sets no
// refresh cookie: the browser may hold a newer one when it arrives.
func TestRefreshSetsNoSameCookie(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		first := s.signIn("alice")
		second := s.post("/refresh", "", refreshCookie(first.Cookie)).pair()
		pass(3 * time.Second)
		a := s.post("/refresh", "", refreshCookie(second.Cookie))
		again := a.pair()
		a.cookies()
		if again.AccessToken == second.AccessToken || again.RefreshToken != "" {
			t.Errorf("within the grace period: got %+v", again)
		}
		late := s.post("/refresh", "", refreshCookie(first.Cookie)) // a tab that still had the predecessor
		late.pair()
		late.cookies("refresh_token=" + second.Cookie + "; Path=/api/v1/auth; Max-Age=604797; HttpOnly; SameSite=Lax")

		native := s.native("bob")
		native = s.post("/refresh", refreshBody(native.RefreshToken)).pair()
		same := s.post("/refresh", refreshBody(native.RefreshToken))
		if same.pair().RefreshToken != native.RefreshToken {
			t.Errorf("within the grace period, body: got %s", same.body)
		}
		same.cookies()
	})
	onSite(t, func(c *core.Config) { c.RefreshPolicy = core.Sliding }, func(t *testing.T, s *site) {
		first := s.signIn("alice")
		pass(time.Hour)
		a := s.post("/refresh", "", refreshCookie(first.Cookie))
		a.cookies()
		if p := a.pair(); !p.Session.ExpiresAt.Equal(first.Session.ExpiresAt.Add(time.Hour)) {
			t.Errorf("sliding: the session is over at %v, want an hour after %v", p.Session.ExpiresAt, first.Session.ExpiresAt)
		}
	})
}

// A refresh token's life begins anew, and never goes past the session's end.
func TestRefreshLives(t *testing.T) {
	onSite(t, shortLives, func(t *testing.T, s *site) {
		p := s.signIn("alice")
		for _, want := range []struct{ access, refresh int }{{60, 600}, {60, 600}, {60, 420}, {60, 180}} {
			if p.ExpiresIn != want.access || p.RefreshExpiresIn != want.refresh {
				t.Fatalf("got %d s and %d s, want %+v", p.ExpiresIn, p.RefreshExpiresIn, want)
			}
			switch p.RefreshExpiresIn {
			case 600:
				pass(9 * time.Minute)
			case 420:
				pass(4 * time.Minute)
			case 180:
				pass(150 * time.Second)
			}
			a := s.post("/refresh", "", refreshCookie(p.Cookie))
			p = a.pair()
			a.cookies(fmt.Sprintf("refresh_token=%s; Path=/api/v1/auth; Max-Age=%d; HttpOnly; SameSite=Lax", p.Cookie, p.RefreshExpiresIn))
		}
		if p.ExpiresIn != 30 || p.RefreshExpiresIn != 30 {
			t.Errorf("half a minute before the end: got %d s and %d s", p.ExpiresIn, p.RefreshExpiresIn)
		}
		pass(30 * time.Second)
		s.post("/refresh", "", refreshCookie(p.Cookie)).refused(401, "SESSION_ENDED")
	})
}

func TestRefreshRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*core.Config)
		do     func(s *site, p pair) answer
		code   string
		ends   bool // the session
	}{
		{"none", nil, func(s *site, _ pair) answer { return s.post("/refresh", "") }, "REFRESH_TOKEN_MISSING", false},
		{"empty", nil, func(s *site, _ pair) answer { return s.post("/refresh", refreshBody(""), refreshCookie("")) }, "REFRESH_TOKEN_MISSING", false},
		{"in the header", nil, func(s *site, p pair) answer { return s.post("/refresh", "", bearer(p.Cookie)) }, "REFRESH_TOKEN_MISSING", false},
		{"in the URL", nil, func(s *site, p pair) answer { return s.post("/refresh?refresh_token="+p.Cookie, "") }, "REFRESH_TOKEN_MISSING", false},
		{"nonsense", nil, func(s *site, _ pair) answer { return s.post("/refresh", refreshBody("nonsense")) }, "REFRESH_TOKEN_INVALID", false},
		{"damaged", nil, func(s *site, p pair) answer { return s.post("/refresh", "", refreshCookie(p.Cookie[1:])) }, "REFRESH_TOKEN_INVALID", false},
		{"in quotes", nil, func(s *site, p pair) answer {
			return s.post("/refresh", "", header("Cookie", `refresh_token="`+p.Cookie+`"`))
		}, "REFRESH_TOKEN_INVALID", false},
		{"an access token", nil, func(s *site, p pair) answer { return s.post("/refresh", "", refreshCookie(p.AccessToken)) }, "REFRESH_TOKEN_INVALID", false},
		{"a device token", nil, func(s *site, p pair) answer { return s.post("/refresh", "", refreshCookie(p.DeviceCookie)) }, "REFRESH_TOKEN_INVALID", false},
		{"expired", shortLives, func(s *site, p pair) answer {
			pass(10 * time.Minute)
			return s.post("/refresh", "", refreshCookie(p.Cookie))
		}, "REFRESH_TOKEN_EXPIRED", true},
		{"idle", func(c *core.Config) { shortLives(c); c.IdleTimeout = 5 * time.Minute }, func(s *site, p pair) answer {
			pass(5 * time.Minute)
			return s.post("/refresh", "", refreshCookie(p.Cookie))
		}, "SESSION_ENDED", true},
		{"signed out", nil, func(s *site, p pair) answer {
			s.post("/logout", "", bearer(p.AccessToken)).ok()
			return s.post("/refresh", "", refreshCookie(p.Cookie))
		}, "SESSION_ENDED", true},
		{"forgotten by the store", nil, func(s *site, p pair) answer {
			l, err := s.store.Load(s.t.Context(), "alice")
			if err == nil {
				_, err = s.store.Commit(s.t.Context(), "alice", core.Change{ID: core.ID{1}, If: l.Version, At: time.Now(), Forget: true})
			}
			if err != nil {
				s.t.Fatal(err)
			}
			return s.post("/refresh", "", refreshCookie(p.Cookie))
		}, "SESSION_ENDED", true},
		{"used before", nil, func(s *site, p pair) answer {
			next := s.post("/refresh", "", refreshCookie(p.Cookie)).pair()
			s.alive("the successor is seen", next, true)
			pass(time.Minute)
			return s.post("/refresh", "", refreshCookie(p.Cookie))
		}, "REFRESH_TOKEN_REUSED", true},
		{"used twice without grace", func(c *core.Config) { c.Grace = core.NoGrace }, func(s *site, p pair) answer {
			s.post("/refresh", "", refreshCookie(p.Cookie)).ok()
			return s.post("/refresh", "", refreshCookie(p.Cookie))
		}, "REFRESH_TOKEN_REUSED", true},
		{"another device cookie", nil, func(s *site, p pair) answer {
			other := s.signIn("bob")
			return s.post("/refresh", "", refreshCookie(p.Cookie), cookie("device", other.DeviceCookie))
		}, "DEVICE_MISMATCH", false},
		{"another device id", nil, func(s *site, p pair) answer {
			return s.post("/refresh", `{"refresh_token":"`+p.Cookie+`","device_id":"another"}`)
		}, "DEVICE_MISMATCH", false},
		{"not active", nil, func(s *site, p pair) answer {
			s.inactive["alice"] = true
			return s.post("/refresh", "", refreshCookie(p.Cookie))
		}, "USER_INACTIVE", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onSite(t, tt.change, func(t *testing.T, s *site) {
				p := s.signIn("alice")
				tt.do(s, p).refused(401, tt.code).is("WWW-Authenticate", "")
				clear(s.inactive)
				if !tt.ends {
					s.post("/refresh", "", refreshCookie(p.Cookie)).ok()
					return
				}
				want := "SESSION_ENDED"
				if tt.code == "REFRESH_TOKEN_EXPIRED" {
					want = tt.code
				}
				s.post("/refresh", "", refreshCookie(p.Cookie)).refused(401, want)
				s.do("GET", "/sessions", "", bearer(p.AccessToken)).refused(401, map[bool]string{true: "TOKEN_EXPIRED", false: "TOKEN_REVOKED"}[tt.change != nil && tt.code != "REFRESH_TOKEN_REUSED"])
			})
		})
	}
}

// What is ambiguous is refused, and moves nothing.
func TestRefreshAmbiguous(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		p, other := s.signIn("alice"), s.signIn("alice")
		for name, a := range map[string]answer{
			"cookie and body":         s.post("/refresh", refreshBody(other.Cookie), refreshCookie(p.Cookie)),
			"two cookies":             s.post("/refresh", "", refreshCookie(p.Cookie), refreshCookie(other.Cookie)),
			"one of two is no token":  s.post("/refresh", "", refreshCookie(p.Cookie), refreshCookie("x")),
			"two cookies in one line": s.post("/refresh", "", header("Cookie", "refresh_token="+p.Cookie+"; refresh_token="+other.Cookie)),
			"a long device id":        s.post("/refresh", `{"device_id":"`+strings.Repeat("x", 129)+`"}`, refreshCookie(p.Cookie)),
		} {
			a.of(name).refused(400, "BAD_REQUEST")
		}
		for _, q := range []pair{p, other} {
			if next := s.post("/refresh", "", refreshCookie(q.Cookie)).pair(); next.Cookie == "" {
				t.Error("the token had moved")
			}
		}
	})
}

// A failure is no refusal: the client keeps its token, and it is good.
func TestRefreshFailure(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		p := s.signIn("alice")
		s.store.down.Store(true)
		s.post("/refresh", "", refreshCookie(p.Cookie)).refused(503, "STORE_UNAVAILABLE").is("Retry-After", "1")
		s.post("/refresh", "", refreshCookie("forged")).refused(401, "REFRESH_TOKEN_INVALID") // the store is not asked
		s.store.down.Store(false)
		s.broken = errDown
		s.post("/refresh", "", refreshCookie(p.Cookie)).refused(500, "INTERNAL")
		s.broken = core.ErrUserInactive
		s.post("/refresh", "", refreshCookie(p.Cookie)).refused(500, "INTERNAL")
		s.broken = nil
		if next := s.post("/refresh", "", refreshCookie(p.Cookie)).pair(); next.Cookie == "" {
			t.Error("the token had moved")
		}
	})
}
