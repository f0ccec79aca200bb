package nethttpauth_test

import (
	"fmt"
	"testing"
	"time"
)

const dropped = "refresh_token=; Path=/api/v1/auth; Max-Age=0; HttpOnly; SameSite=Lax"

// signedOut checks an answer that signs this browser out.
func (a answer) signedOut(message string, revoked int) {
	a.t.Helper()
	a.ok().equal(fmt.Sprintf(`{"message":%q,"revoked":%d}`, message, revoked))
	a.cookies(dropped)
}

func TestLogout(t *testing.T) {
	onSite(t, shortLives, func(t *testing.T, s *site) {
		// p and q are two sessions of alice, r one of bob.
		for _, tt := range []struct {
			name    string
			wait    time.Duration
			do      func(p, q, r pair) answer
			revoked int  // 0: the sessions were over
			q, r    bool // these end too
		}{
			{"access token", 0, func(p, _, _ pair) answer { return s.post("/logout", "", bearer(p.AccessToken)) }, 1, false, false},
			{"cookie", 0, func(p, _, _ pair) answer { return s.post("/logout", "", refreshCookie(p.Cookie)) }, 1, false, false},
			{"body", 0, func(p, _, _ pair) answer { return s.post("/logout", refreshBody(p.Cookie)) }, 1, false, false},
			{"all three", 0, func(p, _, _ pair) answer {
				return s.post("/logout", refreshBody(p.Cookie), bearer(p.AccessToken), refreshCookie(p.Cookie))
			}, 1, false, false},
			{"expired access token", 2 * time.Minute, func(p, _, _ pair) answer { return s.post("/logout", "", bearer(p.AccessToken)) }, 1, false, false},
			{"cookie whose life is over", 11 * time.Minute, func(p, _, _ pair) answer { return s.post("/logout", "", refreshCookie(p.Cookie)) }, 0, true, true},
			{"body whose life is over", 11 * time.Minute, func(p, _, _ pair) answer { return s.post("/logout", refreshBody(p.Cookie)) }, 0, true, true},

			{"access token and another session's cookie", 0, func(p, q, _ pair) answer {
				return s.post("/logout", "", bearer(p.AccessToken), refreshCookie(q.Cookie))
			}, 2, true, false},
			{"body and another session's cookie", 0, func(p, q, _ pair) answer {
				return s.post("/logout", refreshBody(p.Cookie), refreshCookie(q.Cookie))
			}, 2, true, false},
			{"two cookies", 0, func(p, q, _ pair) answer {
				return s.post("/logout", "", refreshCookie(p.Cookie), refreshCookie(q.Cookie))
			}, 2, true, false},
			{"access token and another user's cookie", 0, func(p, _, r pair) answer {
				return s.post("/logout", "", bearer(p.AccessToken), refreshCookie(r.Cookie))
			}, 2, false, true},

			{"a good cookie beside a bad access token", 0, func(p, _, _ pair) answer {
				return s.post("/logout", "", bearer("bad"), refreshCookie(p.Cookie))
			}, 1, false, false},
			{"a good access token beside a bad cookie", 0, func(p, _, _ pair) answer {
				return s.post("/logout", "", bearer(p.AccessToken), refreshCookie("bad"))
			}, 1, false, false},
			{"a good body beside a bad cookie", 0, func(p, _, _ pair) answer {
				return s.post("/logout", refreshBody(p.Cookie), refreshCookie("bad"))
			}, 1, false, false},
			{"a good cookie beside a bad body", 0, func(p, _, _ pair) answer {
				return s.post("/logout", refreshBody("bad"), refreshCookie(p.Cookie))
			}, 1, false, false},
		} {
			p, q, r := s.signIn("alice"), s.signIn("alice"), s.signIn("bob")
			pass(tt.wait)
			tt.do(p, q, r).of(tt.name).signedOut("signed out", tt.revoked)
			for _, session := range []struct {
				name string
				pair
				ended bool
			}{{"the session", p, true}, {"the other", q, tt.q}, {"the other user's", r, tt.r}} {
				a := s.post("/refresh", "", refreshCookie(session.Cookie))
				if ended := a.status != 200; ended != session.ended {
					t.Errorf("%s: %s: got %d %s", tt.name, session.name, a.status, a.body)
				}
			}
			tt.do(p, q, r).of(tt.name).signedOut("signed out", 0) // a second time
			s.post("/logout", `{"all":true}`, refreshCookie(q.Cookie))
			s.post("/logout", "", refreshCookie(r.Cookie))
		}
	})
}

func TestLogoutRefused(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		p := s.signIn("alice")
		foreign := "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"
		for _, tt := range []struct {
			code  string
			body  string
			parts []part
		}{
			{"TOKEN_MISSING", ``, nil},
			{"TOKEN_MISSING", `{}`, nil},
			{"TOKEN_MISSING", `{"all":true}`, nil},
			{"TOKEN_MISSING", ``, []part{header("Authorization", "Basic YWxpY2U6cHc=")}},
			{"TOKEN_INVALID", ``, []part{bearer(foreign)}},
			{"TOKEN_INVALID", `{"all":true}`, []part{bearer(foreign)}},
			{"REFRESH_TOKEN_INVALID", ``, []part{refreshCookie("sprt_forged")}},
			{"REFRESH_TOKEN_INVALID", refreshBody("sprt_forged"), nil},
			{"REFRESH_TOKEN_INVALID", ``, []part{refreshCookie("nonsense")}},
			{"REFRESH_TOKEN_INVALID", refreshBody("nonsense"), nil},
			{"REFRESH_TOKEN_INVALID", ``, []part{refreshCookie(p.AccessToken)}},
			{"TOKEN_INVALID", ``, []part{bearer(p.Cookie)}},
			{"TOKEN_INVALID", ``, []part{bearer(foreign), refreshCookie("nonsense")}},
		} {
			s.post("/logout", tt.body, tt.parts...).refused(401, tt.code)
		}
		s.alive("nothing was signed out", p, true)

		s.store.down.Store(true)
		s.post("/logout", "", bearer(p.AccessToken)).refused(503, "STORE_UNAVAILABLE").is("Retry-After", "1")
	})
}

func TestLogoutAllMember(t *testing.T) {
	onSite(t, shortLives, func(t *testing.T, s *site) {
		p, q, r := s.signIn("alice"), s.signIn("alice"), s.signIn("bob")
		s.post("/logout", `{"all":true}`, refreshCookie(p.Cookie)).signedOut("signed out", 2)
		s.alive("p", p, false)
		s.alive("q", q, false)
		s.alive("another user's", r, true)

		// A token that was taken away moves nobody.
		fresh := s.signIn("alice")
		for name, a := range map[string]answer{
			"cookie":       s.post("/logout", `{"all":true}`, refreshCookie(p.Cookie)),
			"access token": s.post("/logout", `{"all":true}`, bearer(p.AccessToken)),
		} {
			a.of(name).refused(401, "TOKEN_REVOKED")
		}
		s.alive("signed in since", fresh, true)

		pass(2 * time.Minute) // the access token has expired, the session is alive
		s.post("/logout", `{"all":true}`, bearer(fresh.AccessToken)).signedOut("signed out", 1)
		s.post("/logout", `{"all":false}`, bearer(fresh.AccessToken)).signedOut("signed out", 0)
	})
}

func TestLogoutAll(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		p, q, r := s.signIn("alice"), s.signIn("alice"), s.signIn("bob")
		s.post("/logout-all", "", refreshCookie(p.Cookie)).refused(401, "TOKEN_MISSING").is("WWW-Authenticate", "Bearer")
		s.post("/logout-all", "", bearer(p.AccessToken)).signedOut("signed out everywhere", 2)
		s.alive("p", p, false)
		s.alive("q", q, false)
		s.alive("another user's", r, true)
		s.post("/logout-all", "", bearer(q.AccessToken)).refused(401, "TOKEN_REVOKED")
		again := s.signIn("alice") // in the same second
		s.alive("signed in again", again, true)
	})
}
