package nethttpauth_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// A sign-in makes a new session, whatever is presented, and ends the live
// session that the browser presents (P26): by every door there is.

// doors are the ways to sign alice in.
var doors = []struct {
	name string
	body string
	path string
}{
	{"login", `{"username":"alice","password":"pw"}`, prefix + "/login"},
	{"login, delivery body", `{"username":"alice","password":"pw","delivery":"body"}`, prefix + "/login"},
	{"the app's login", ``, "/app/login"},
	{"the app's login, delivery body", ``, "/app/login-body"},
	{"the app's login, watched", ``, "/app/watched"},
}

// openDoors adds those of the app's own.
func openDoors(s *site) {
	own := func(delivery string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			p, err := nethttpauth.SignIn(w, r, s.auth, core.SignInForm{Identity: core.Identity{UserID: "alice"}, Delivery: delivery})
			if err != nil {
				nethttpauth.Write(w, s.auth.Problem(err))
				return
			}
			nethttpauth.Write(w, p.Response())
		}
	}
	s.mux.Handle("POST /app/login", own(""))
	s.mux.Handle("POST /app/login-body", own("body"))
	s.mux.Handle("POST /app/watched", nethttpauth.Watch(s.auth)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := s.auth.SignIn(r.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
		if err != nil {
			nethttpauth.Write(w, s.auth.Problem(err))
			return
		}
		nethttpauth.Write(w, p.Response())
	})))
}

// presented is what a browser sends along, and what comes of it.
type presented struct {
	parts  []part
	ends   []pair
	spares []pair
	ids    []string // of sessions, that must not come again
	cookie bool     // there is a refresh cookie, good or not
}

func TestFixation(t *testing.T) {
	cookies := func(values ...string) []part {
		var parts []part
		for _, v := range values {
			parts = append(parts, refreshCookie(v))
		}
		return parts
	}
	for _, tt := range []struct {
		name    string
		present func(s *site) presented
	}{
		{"nothing", func(s *site) presented { return presented{} }},
		{"an own live session", func(s *site) presented {
			p, other := s.signIn("alice"), s.signIn("alice")
			return presented{cookies(p.Cookie), []pair{p}, []pair{other}, nil, true}
		}},
		{"an own native one", func(s *site) presented {
			p := s.native("alice")
			return presented{cookies(p.RefreshToken), []pair{p}, nil, nil, true}
		}},
		{"another user's live session", func(s *site) presented {
			p, other := s.signIn("bob"), s.signIn("bob")
			return presented{cookies(p.Cookie), []pair{p}, []pair{other}, nil, true}
		}},
		{"a live session by a spent token", func(s *site) presented {
			p := s.signIn("alice")
			next := s.post("/refresh", "", refreshCookie(p.Cookie)).pair()
			return presented{cookies(p.Cookie), []pair{p, next}, nil, nil, true}
		}},
		{"the same twice", func(s *site) presented {
			p := s.signIn("alice")
			return presented{cookies(p.Cookie, p.Cookie), []pair{p}, nil, nil, true}
		}},
		{"two own", func(s *site) presented {
			p, q := s.signIn("alice"), s.signIn("alice")
			return presented{cookies(p.Cookie, q.Cookie), []pair{p, q}, nil, nil, true}
		}},
		{"own and another user's", func(s *site) presented {
			p, q := s.signIn("alice"), s.signIn("bob")
			return presented{cookies(p.Cookie, q.Cookie), []pair{p, q}, nil, nil, true}
		}},
		{"eight of them", func(s *site) presented {
			var all presented
			for i := range 8 {
				p := s.signIn([]string{"alice", "bob"}[i%2])
				all.parts, all.ends, all.cookie = append(all.parts, refreshCookie(p.Cookie)), append(all.ends, p), true
			}
			return all
		}},
		{"live beside nonsense", func(s *site) presented {
			p := s.signIn("bob")
			return presented{cookies("x", p.Cookie, "sprt_y"), []pair{p}, nil, nil, true}
		}},
		{"signed out", func(s *site) presented {
			p, other := s.signIn("alice"), s.signIn("alice")
			s.post("/logout", "", bearer(p.AccessToken)).ok()
			return presented{cookies(p.Cookie), []pair{p}, []pair{other}, nil, true}
		}},
		{"run out", func(s *site) presented {
			p := s.signIn("alice")
			pass(11 * time.Minute)
			return presented{cookies(p.Cookie), []pair{p}, nil, nil, true}
		}},
		{"ended by reuse", func(s *site) presented {
			p := s.signIn("alice")
			next := s.post("/refresh", "", refreshCookie(p.Cookie)).pair()
			s.use(next)
			pass(30 * time.Second)
			s.post("/refresh", "", refreshCookie(p.Cookie)).refused(401, "REFRESH_TOKEN_REUSED")
			return presented{cookies(next.Cookie), []pair{p, next}, nil, nil, true}
		}},
		{"nonsense", func(s *site) presented { return presented{cookies("x"), nil, nil, nil, true} }},
		{"damaged", func(s *site) presented {
			p := s.signIn("alice")
			return presented{cookies(p.Cookie[:len(p.Cookie)-5] + "AAAAA"), nil, []pair{p}, nil, true}
		}},
		{"in quotes", func(s *site) presented {
			p := s.signIn("alice")
			return presented{[]part{header("Cookie", `refresh_token="`+p.Cookie+`"`)}, nil, []pair{p}, nil, true}
		}},
		{"made with another key", func(s *site) presented {
			p := foreignPair(s, []byte(rand.Text()+rand.Text()))
			return presented{cookies(p.RefreshToken), nil, nil, []string{p.Session.ID.String()}, true}
		}},
		{"authentic, of no session here", func(s *site) presented {
			p := foreignPair(s, testKey)
			return presented{cookies(p.RefreshToken), nil, nil, []string{p.Session.ID.String()}, true}
		}},
		{"an access token as cookie", func(s *site) presented {
			p := s.signIn("alice")
			return presented{cookies(p.AccessToken), nil, []pair{p}, nil, true}
		}},
		{"a device token as cookie", func(s *site) presented {
			p := s.signIn("alice")
			return presented{cookies(p.DeviceCookie), nil, []pair{p}, nil, true}
		}},
		{"a session id as cookie", func(s *site) presented {
			p := s.signIn("alice")
			return presented{cookies(p.Session.ID), nil, []pair{p}, nil, true}
		}},
		{"a session id that never was", func(s *site) presented {
			id := strings.Repeat("abcdefgh", 4)[:25] + "a"
			return presented{append(cookies(id), query("session_id="+id)), nil, nil, []string{id}, true}
		}},
		{"tokens that are no cookie", func(s *site) presented {
			p := s.signIn("alice")
			return presented{[]part{bearer(p.AccessToken), cookie("device", p.DeviceCookie), cookie("__Secure-refresh_token", p.Cookie), query("refresh_token=" + p.Cookie)}, nil, []pair{p}, nil, false}
		}},
	} {
		for _, door := range doors {
			t.Run(tt.name+", "+door.name, func(t *testing.T) {
				onSite(t, func(c *core.Config) { shortLives(c); c.MaxSessions = 256 }, func(t *testing.T, s *site) {
					openDoors(s)
					p := tt.present(s)
					old := map[string]bool{}
					for _, before := range append(p.ends, p.spares...) {
						old[before.Session.ID], old[before.Cookie], old[before.RefreshToken] = true, true, true
					}
					for _, id := range p.ids {
						old[id] = true
					}
					delete(old, "")
					for _, l := range s.ledgers() {
						for _, session := range l.Sessions {
							old[session.ID.String()] = true
						}
					}
					a := s.ask("POST", door.path, door.body, p.parts...)
					var after pair
					if err := json.Unmarshal([]byte(a.ok().body), &after); err != nil {
						t.Fatal(err)
					}
					after.Cookie = a.cookie("refresh_token")
					if old[after.Session.ID] || old[after.Cookie] || old[after.RefreshToken] {
						t.Errorf("what was there before goes on: %+v", after)
					}
					s.alive("after", after, true)
					if got := s.post("/refresh", refreshBody(after.Cookie+after.RefreshToken)).pair().Session.ID; got != after.Session.ID {
						t.Errorf("the new refresh token is of session %s, want %s", got, after.Session.ID)
					}
					for _, before := range p.ends {
						s.alive("presented", before, false)
						if a := s.post("/refresh", refreshBody(before.Cookie+before.RefreshToken)); a.status != 401 {
							t.Errorf("presented: it can be refreshed: %d %s", a.status, a.body)
						}
					}
					for _, before := range p.spares {
						s.alive("not presented", before, true)
					}
					if strings.HasSuffix(door.name, "body") { // else the browser would present it again
						want := []string{}
						if p.cookie {
							want = []string{dropped}
						}
						a.cookies(want...)
					} else if after.Cookie == "" {
						t.Error("no refresh cookie is set")
					}
				})
			})
		}
	}
}

// query adds to the URL.
func query(q string) part { return func(r *http.Request) { r.URL.RawQuery = q } }

// foreignPair is a sign-in of alice on another site.
func foreignPair(s *site, key []byte) core.Pair {
	s.t.Helper()
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: key}}, Audit: func(context.Context, core.Event) {}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer auth.Close()
	p, err := auth.SignIn(s.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// A login that answers with a token of a session from before it, as if somebody
// had planted it, gets no refresh cookie for it.
func TestFixationWatched(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		planted := s.signIn("bob")
		s.mux.Handle("POST /app/planted", nethttpauth.Watch(s.auth)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"access_token":%q}`, planted.AccessToken)
		})))
		for _, wait := range []time.Duration{500 * time.Millisecond, time.Minute} { // "iat" is in whole seconds
			pass(wait)
			s.failures = nil
			a := s.ask("POST", "/app/planted", "")
			a.cookies()
			if a.status != 200 || a.body != fmt.Sprintf(`{"access_token":%q}`, planted.AccessToken) || len(s.failures) != 1 {
				t.Errorf("after %v: got %d %s, audited %v, want what the app answered, and why", wait, a.status, a.body, s.failures)
			}
		}
		s.alive("bob's", planted, true)
	})
}

// A sign-in that is refused ends nothing of its own user's.
func TestFixationRefused(t *testing.T) {
	onSite(t, func(c *core.Config) { c.MaxSessions, c.SessionLimitPolicy = 2, core.RefuseNew }, func(t *testing.T, s *site) {
		openDoors(s)
		p, q, bobs := s.signIn("alice"), s.signIn("alice"), s.signIn("bob")
		s.use(p, q, bobs)
		before := s.ledgers()
		s.post("/login", `{"username":"alice","password":"x"}`, refreshCookie(p.Cookie)).refused(401, "INVALID_CREDENTIALS")
		s.post("/login", `{"username":"alice","password":"pw","client_type":"!"}`, refreshCookie(p.Cookie)).refused(400, "BAD_REQUEST")
		s.inactive["alice"] = true
		s.post("/login", `{"username":"alice","password":"pw"}`, refreshCookie(p.Cookie)).refused(401, "USER_INACTIVE")
		clear(s.inactive)
		for _, door := range doors {
			if !strings.HasSuffix(door.name, "watched") {
				s.ask("POST", door.path, door.body, refreshCookie("x")).of(door.name).refused(403, "TOO_MANY_SESSIONS")
			}
			s.ask("POST", door.path, door.body, refreshCookie(bobs.Cookie), header("Sec-Fetch-Site", "cross-site")).of(door.name).refused(403, "CROSS_SITE")
		}
		s.unchanged("a refused sign-in", before)
	})
}
