package nethttpauth_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

var foreignSecret = []byte(rand.Text() + rand.Text())

// acceptForeign has a site accept the tokens that foreignToken makes.
func acceptForeign(c *core.Config) { c.Foreign.Keys = []core.Key{{Secret: foreignSecret}} }

// foreignToken makes a token of another issuer, good for an hour from now, with
// other claims; nil takes one away.
func foreignToken(t *testing.T, user string, more jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": user, "jti": rand.Text(), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	for name, v := range more {
		if claims[name] = v; v == nil {
			delete(claims, name)
		}
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(foreignSecret)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// watched gives a site a login route POST /theirs: a handler that knows nothing
// of the library, watched, behind a middleware that sets headers.
func watched(s *site, login http.HandlerFunc) {
	s.mux.HandleFunc("POST "+prefix+"/theirs", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Outer", "stays")
		w.Header().Add("Set-Cookie", "outer=1")
		nethttpauth.Watch(s.auth)(login).ServeHTTP(w, r)
	})
}

// loginAnswer is how their handler answers with a token.
func loginAnswer(w http.ResponseWriter, token string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=60")
	w.Header().Set("X-Theirs", "1")
	w.Header().Add("Set-Cookie", "theirs=1")
	w.Header().Add("Set-Cookie", "theirs2=2; Path=/")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"user": {"name":"Zoë"}, "access_token": %q}`, token)
}

// issuedOwn signs a user in, as an app's own code does, and returns the token.
func (s *site) issuedOwn(user string) string {
	s.t.Helper()
	p, err := s.auth.SignIn(s.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}})
	if err != nil {
		s.t.Error(err)
	}
	return p.AccessToken
}

// kinds are the tokens that a watched login may answer with.
var kinds = []struct {
	name  string
	token func(s *site, user string) string
}{
	{"own", (*site).issuedOwn},
	{"foreign", func(s *site, user string) string { return foreignToken(s.t, user, nil) }},
}

// H4: a watched login answers as it did, with our cookies beside its own, and
// the first refresh brings a pair of ours.
func TestWatch(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			onSite(t, acceptForeign, func(t *testing.T, s *site) {
				var token string
				watched(s, func(w http.ResponseWriter, _ *http.Request) {
					token = kind.token(s, "alice")
					loginAnswer(w, token)
				})
				a := s.post("/theirs", `{"name":"alice"}`)
				refresh, device := a.cookie("refresh_token"), a.cookie("device")
				if want := fmt.Sprintf(`{"user": {"name":"Zoë"}, "access_token": %q}`, token); a.status != http.StatusCreated || a.body != want {
					t.Errorf("got %d %s, want 201 %s", a.status, a.body, want)
				}
				a.cookies(
					"outer=1", "theirs=1", "theirs2=2; Path=/",
					"refresh_token="+refresh+"; Path=/api/v1/auth; Max-Age=604800; HttpOnly; SameSite=Lax",
					"device="+device+"; Path=/api/v1/auth; Max-Age=34560000; HttpOnly; SameSite=Lax",
				)
				a.is("Content-Type", "application/json; charset=utf-8")
				a.is("Cache-Control", "no-store")
				a.is("X-Theirs", "1")
				a.is("X-Outer", "stays")
				who, err := s.auth.Verify(t.Context(), token)
				if err != nil {
					t.Fatal(err)
				}

				first := s.post("/refresh", "", refreshCookie(refresh), cookie("device", device)).pair()
				if kind.name == "own" && first.Session.ID != who.SessionID.String() {
					t.Errorf("session %s, want that of the token: %s", first.Session.ID, who.SessionID)
				}
				second := s.post("/refresh", "", refreshCookie(first.Cookie)).pair()
				s.alive("by a token of ours", second, true)
				got, err := s.auth.Verify(t.Context(), second.AccessToken)
				if err != nil || got.UserID != "alice" || got.SessionID.IsZero() {
					t.Errorf("got %+v, %v", got, err)
				}
				if n, err := s.auth.Count(t.Context(), "alice"); n != 1 || err != nil {
					t.Errorf("%d sessions (%v), want 1", n, err)
				}
				if len(s.failures) > 0 {
					t.Errorf("failures: %v", s.failures)
				}
			})
		})
	}
}

// What a foreign token says of its user goes on into the session.
func TestWatchForeignIdentity(t *testing.T) {
	onSite(t, acceptForeign, func(t *testing.T, s *site) {
		watched(s, func(w http.ResponseWriter, _ *http.Request) {
			loginAnswer(w, foreignToken(t, "alice", jwt.MapClaims{"scope": "a:b c", "roles": []string{"clerk"}, "amr": []string{"pwd"}}))
		})
		a := s.post("/theirs", "", header("User-Agent", "UA"))
		p := s.post("/refresh", "", refreshCookie(a.cookie("refresh_token"))).pair()
		who, err := s.auth.Verify(t.Context(), p.AccessToken)
		if err != nil || !slices.Equal(who.Scopes, []string{"a:b", "c"}) || !slices.Equal(who.Roles, []string{"clerk"}) || !slices.Equal(who.AMR, []string{"pwd"}) {
			t.Errorf("got %+v, %v", who, err)
		}
		sessions, err := s.auth.Sessions(t.Context(), "alice")
		if err != nil || len(sessions) != 1 || sessions[0].UserAgent != "UA" || sessions[0].IP != "192.0.2.1" || !sessions[0].Device.Signed {
			t.Errorf("got %+v, %v", sessions, err)
		}
		a = s.post("/theirs", "", cookie("device", a.cookie("device")))
		if again := s.post("/refresh", "", refreshCookie(a.cookie("refresh_token"))).pair(); again.Session.Device.ID != p.Session.Device.ID {
			t.Errorf("the device was not known: %+v after %+v", again.Session.Device, p.Session.Device)
		}
	})
}

func TestWatchTokenMember(t *testing.T) {
	onSite(t, func(c *core.Config) { acceptForeign(c); c.TokenMember = "jwt" }, func(t *testing.T, s *site) {
		member := "jwt"
		watched(s, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{%q:%q}`, member, foreignToken(t, "alice", nil))
		})
		if a := s.post("/theirs", ""); a.cookie("refresh_token") == "" {
			t.Errorf("got %v %s", a.header, a.body)
		}
		member = "access_token"
		s.post("/theirs", "").cookies("outer=1")
	})
}

// A token that is no good, or from before the login, becomes no cookie; it is
// audited, and the answer stays as it is.
func TestWatchBadToken(t *testing.T) {
	for _, tt := range []struct {
		name  string
		token func(s *site) string
		want  error
	}{
		{"no token", func(*site) string { return "opaque" }, core.ErrTokenInvalid},
		{"a refresh token", func(s *site) string { return s.native("bob").RefreshToken }, core.ErrTokenInvalid},
		{"damaged", func(s *site) string { return foreignToken(s.t, "alice", nil) + "A" }, core.ErrTokenInvalid},
		{"of ours, damaged", func(s *site) string { return s.native("bob").AccessToken + "A" }, core.ErrTokenInvalid},
		{"of nobody", func(s *site) string { return foreignToken(s.t, "", nil) }, core.ErrTokenInvalid},
		{"expired", func(s *site) string { return foreignToken(s.t, "alice", jwt.MapClaims{"exp": time.Now().Unix()}) }, core.ErrTokenExpired},
		{"not yet good", func(s *site) string { return foreignToken(s.t, "alice", jwt.MapClaims{"nbf": time.Now().Unix() + 1}) }, core.ErrTokenInvalid},
		{"foreign, from before the login", func(s *site) string {
			return foreignToken(s.t, "alice", jwt.MapClaims{"iat": time.Now().Unix() - 1})
		}, core.ErrTokenInvalid},
		{"of ours, from before the login", func(s *site) string {
			old := s.issuedOwn("bob")
			pass(time.Second)
			return old
		}, core.ErrTokenInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onSite(t, acceptForeign, func(t *testing.T, s *site) {
				pass(time.Hour)
				token := tt.token(s) // before the login begins
				watched(s, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Cache-Control", "max-age=60")
					w.Header().Add("Set-Cookie", "theirs=1")
					fmt.Fprintf(w, `{"access_token":%q}`, token)
				})
				before, err := s.auth.Count(t.Context(), "bob")
				if err != nil {
					t.Fatal(err)
				}
				unchanged(s, tt.name, s.post("/theirs", ""), 200, `{"access_token":"`+token+`"}`)
				if len(s.failures) != 1 || !errors.Is(s.failures[0], tt.want) || strings.Contains(s.failures[0].Error(), token) {
					t.Errorf("audited %v, want %v once, without the token", s.failures, tt.want)
				}
				if n, err := s.auth.Count(t.Context(), "bob"); n != before || err != nil {
					t.Errorf("%d sessions of bob (%v), want %d", n, err, before)
				}
			})
		})
	}
}

// A token of a session that was there before the login gets no cookie, however
// new the token is.
func TestWatchOlderSession(t *testing.T) {
	for _, age := range []time.Duration{0, time.Millisecond, 5 * time.Second, time.Hour} {
		for _, refreshed := range []bool{false, true} {
			onSite(t, func(c *core.Config) { c.Leeway = 10 * time.Second }, func(t *testing.T, s *site) {
				pass(time.Second / 2)
				p := s.native("alice")
				pass(age + time.Millisecond)
				watched(s, func(w http.ResponseWriter, _ *http.Request) {
					if refreshed {
						p = s.post("/refresh", refreshBody(p.RefreshToken)).pair()
					}
					loginAnswer(w, p.AccessToken)
				})
				if a := s.post("/theirs", ""); a.cookie("refresh_token") != "" || a.cookie("device") != "" {
					t.Errorf("%v old, refreshed %v: got %d %v", age, refreshed, a.status, a.header)
				}
				s.alive("the older session", p, true)
			})
		}
	}
}

// A session that ended before the answer, or whose store is gone, is a refusal
// in place of their answer. Nothing of it is theirs; what stood before is.
func TestWatchRefused(t *testing.T) {
	down := func(s *site, _ string) error { s.store.down.Store(true); return nil }
	all := func(s *site, _ string) error {
		_, err := s.auth.RevokeAll(s.t.Context(), "alice", core.ReasonPasswordChanged)
		return err
	}
	forget := func(s *site, _ string) error { return s.auth.Forget(s.t.Context(), "alice") }
	single := func(s *site, token string) error { _, err := s.auth.RevokeToken(s.t.Context(), token); return err }
	own, foreign := kinds[0], kinds[1]
	for _, tt := range []struct {
		name   string
		token  func(s *site, user string) string
		during func(s *site, token string) error // after the token was issued
		status int
		code   string
		live   int // sessions in the end
	}{
		{"own, the store is down", own.token, down, 503, "STORE_UNAVAILABLE", 1}, // that began before
		{"foreign, the store is down", foreign.token, down, 503, "STORE_UNAVAILABLE", 0},
		{"own, all sessions end", own.token, all, 401, "SESSION_ENDED", 0},
		{"foreign, all sessions end", foreign.token, all, 401, "INVALID_CREDENTIALS", 0},
		{"own, the user is forgotten", own.token, forget, 401, "SESSION_ENDED", 0},
		{"own, the token is revoked", own.token, single, 401, "SESSION_ENDED", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onSite(t, acceptForeign, func(t *testing.T, s *site) {
				before := s.signIn("bob")
				watched(s, func(w http.ResponseWriter, _ *http.Request) {
					token := tt.token(s, "alice")
					if err := tt.during(s, token); err != nil {
						t.Error(err)
					}
					loginAnswer(w, token)
				})
				a := s.post("/theirs", "", refreshCookie(before.Cookie))
				a.cookies("outer=1")
				a.header.Del("Set-Cookie")
				a.refused(tt.status, tt.code).is("X-Outer", "stays")
				a.is("X-Theirs", "")
				if s.store.down.Swap(false) && (len(s.failures) != 1 || !errors.Is(s.failures[0], errDown)) {
					t.Errorf("audited %v", s.failures)
				}
				if n, err := s.auth.Count(t.Context(), "alice"); err != nil || n != tt.live {
					t.Errorf("%d sessions (%v), want %d", n, err, tt.live)
				}
			})
		})
	}
}

// P34: what another site's page sends does not reach their login.
func TestWatchCrossSite(t *testing.T) {
	onSite(t, func(c *core.Config) {
		acceptForeign(c)
		c.TrustedOrigins = []string{"https://shop.example"}
	}, func(t *testing.T, s *site) {
		ran := 0
		watched(s, func(w http.ResponseWriter, _ *http.Request) {
			ran++
			loginAnswer(w, foreignToken(t, "alice", nil))
		})
		for _, tt := range []struct {
			name  string
			parts []part
			ok    bool
		}{
			{"no browser", nil, true},
			{"this site's page", []part{header("Sec-Fetch-Site", "same-origin")}, true},
			{"the address bar", []part{header("Sec-Fetch-Site", "none")}, true},
			{"a trusted origin", []part{header("Sec-Fetch-Site", "cross-site"), header("Origin", "https://shop.example")}, true},
			{"another site", []part{header("Sec-Fetch-Site", "cross-site")}, false},
			{"a sister site", []part{header("Sec-Fetch-Site", "same-site")}, false},
			{"another origin", []part{header("Origin", "https://evil.example")}, false},
			{"no origin", []part{header("Origin", "null")}, false},
		} {
			ran = 0
			a := s.post("/theirs", "", tt.parts...).of(tt.name)
			if tt.ok {
				if ran != 1 || a.status != 201 || a.cookie("refresh_token") == "" {
					t.Errorf("%s: ran %d times, got %d %v", tt.name, ran, a.status, a.header)
				}
				continue
			}
			a.cookies("outer=1")
			a.header.Del("Set-Cookie")
			a.refused(403, "CROSS_SITE").is("X-Outer", "stays")
			if ran != 0 {
				t.Errorf("%s: their login ran", tt.name)
			}
		}
	})
}

// P26: the session that the browser had ends, whoever's it was, and no other.
func TestWatchSameBrowser(t *testing.T) {
	for _, kind := range kinds {
		onSite(t, acceptForeign, func(t *testing.T, s *site) {
			watched(s, func(w http.ResponseWriter, _ *http.Request) { loginAnswer(w, kind.token(s, "alice")) })
			for _, user := range []string{"alice", "bob"} {
				here, elsewhere := s.signIn(user), s.signIn(user)
				pass(time.Minute)
				a := s.post("/theirs", "", refreshCookie(here.Cookie), refreshCookie("sprt_forged"))
				s.alive(kind.name+": "+user+"'s in this browser", here, false)
				s.alive(kind.name+": "+user+"'s elsewhere", elsewhere, true)
				again := s.post("/refresh", "", refreshCookie(a.cookie("refresh_token"))).pair()
				s.alive(kind.name+": the new one", again, true)
			}
		})
	}
}

// P23: a user who has as many sessions as allowed.
func TestWatchAtTheCap(t *testing.T) {
	for _, policy := range []core.SessionLimitPolicy{core.EvictOldest, core.RefuseNew} {
		onSite(t, func(c *core.Config) {
			acceptForeign(c)
			c.MaxSessions, c.SessionLimitPolicy = 2, policy
		}, func(t *testing.T, s *site) {
			watched(s, func(w http.ResponseWriter, _ *http.Request) { loginAnswer(w, foreignToken(t, "alice", nil)) })
			first := s.signIn("alice")
			pass(time.Second)
			second := s.signIn("alice")
			pass(time.Second)
			a := s.post("/theirs", "")
			if policy == core.RefuseNew {
				a.cookies("outer=1")
				a.header.Del("Set-Cookie")
				a.refused(403, "TOO_MANY_SESSIONS")
				a = s.post("/theirs", "", refreshCookie(first.Cookie)) // the same browser: in place of the first
			}
			p := s.post("/refresh", "", refreshCookie(a.cookie("refresh_token"))).pair()
			s.alive("the oldest", first, false)
			s.alive("the other", second, true)
			s.alive("the new one", p, true)
			if n, err := s.auth.Count(t.Context(), "alice"); n != 2 || err != nil {
				t.Errorf("%d sessions (%v), want 2", n, err)
			}
		})
	}
}

// A7, in the order in which an app moves over: guards accept its tokens, then a
// watched login brings refresh, then sessions are managed.
func TestWatchStepByStep(t *testing.T) {
	onSite(t, acceptForeign, func(t *testing.T, s *site) {
		var token string
		watched(s, func(w http.ResponseWriter, _ *http.Request) {
			token = foreignToken(t, "alice", nil)
			loginAnswer(w, token)
		})
		a := s.post("/theirs", "")
		list := s.do("GET", "/sessions", "", bearer(token)).ok() // by their token
		var sessions struct {
			Sessions []struct{ Current bool }
			Count    int
		}
		if err := json.Unmarshal([]byte(list.body), &sessions); err != nil || sessions.Count != 1 || sessions.Sessions[0].Current {
			t.Errorf("got %s, %v", list.body, err)
		}
		p := s.post("/refresh", "", refreshCookie(a.cookie("refresh_token"))).pair()
		// Signing out with both ends both.
		out := s.post("/logout", "", bearer(token), refreshCookie(p.Cookie)).ok()
		out.equal(`{"message":"signed out","revoked":2}`)
		out.cookies("refresh_token=; Path=/api/v1/auth; Max-Age=0; HttpOnly; SameSite=Lax")
		s.alive("their token", pair{AccessToken: token}, false)
		s.alive("ours", p, false)
		s.do("GET", "/sessions", "", bearer(token)).refused(401, "TOKEN_REVOKED")
		s.post("/logout", "", bearer(token)).ok().equal(`{"message":"signed out","revoked":0}`)

		a = s.post("/theirs", "")
		p = s.post("/refresh", "", refreshCookie(a.cookie("refresh_token"))).pair()
		s.post("/logout-all", "", bearer(token)).ok()
		s.alive("their token", pair{AccessToken: token}, false)
		s.alive("ours", p, false)
	})
}
