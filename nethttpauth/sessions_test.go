package nethttpauth_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

func TestSessions(t *testing.T) {
	onSite(t, shortLives, func(t *testing.T, s *site) {
		oldest := s.signIn("alice")
		s.signIn("bob")
		pass(time.Second)
		middle := s.native("alice")
		pass(time.Second)
		newest := s.signIn("alice", header("User-Agent", "curl/8"))

		a := s.do("GET", "/sessions", "", bearer(middle.AccessToken)).ok()
		a.equal(fmt.Sprintf(`{"sessions":[%s,%s,%s],"count":3}`, newest.session(false), middle.session(true), oldest.session(false)))
		a.cookies()

		pass(10 * time.Minute) // all are over by now
		again := s.signIn("alice")
		s.do("GET", "/sessions", "", bearer(again.AccessToken)).ok().
			equal(fmt.Sprintf(`{"sessions":[%s],"count":1}`, again.session(true)))
	})
}

func TestRevokeSession(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		here, there, bobs := s.signIn("alice"), s.signIn("alice"), s.signIn("bob")
		revoke := func(id string) answer {
			return s.post("/sessions/revoke", `{"session_id":"`+id+`"}`, bearer(here.AccessToken), refreshCookie(here.Cookie))
		}

		// Another user's session is answered as one that never was, byte for byte.
		unknown := revoke(strings.Repeat("a", 26)).refused(404, "SESSION_NOT_FOUND")
		for name, id := range map[string]string{"another user's": bobs.Session.ID, "malformed": "x", "in capitals": strings.ToUpper(there.Session.ID)} {
			if got := revoke(id).refused(404, "SESSION_NOT_FOUND"); got.body != unknown.body || fmt.Sprint(got.header) != fmt.Sprint(unknown.header) {
				t.Errorf("%s: got %v %s, want %v %s", name, got.header, got.body, unknown.header, unknown.body)
			}
		}
		s.alive("another user's", bobs, true)
		revoke("").refused(400, "BAD_REQUEST")
		s.post("/sessions/revoke", "", bearer(here.AccessToken)).refused(400, "BAD_REQUEST")

		a := revoke(there.Session.ID).ok()
		a.equal(`{"message":"session revoked","revoked":1}`)
		a.cookies()
		s.alive("the other", there, false)
		s.alive("this one", here, true)
		revoke(there.Session.ID).refused(404, "SESSION_NOT_FOUND") // it has ended

		revoke(here.Session.ID).signedOut("session revoked", 1)
		s.alive("this one", here, false)
		s.alive("another user's", bobs, true)
	})
}

func TestRevokeOthers(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		here, there, native, bobs := s.signIn("alice"), s.signIn("alice"), s.native("alice"), s.signIn("bob")
		for _, want := range []int{2, 0} {
			a := s.post("/sessions/revoke-all", "", bearer(here.AccessToken), refreshCookie(here.Cookie)).ok()
			a.equal(fmt.Sprintf(`{"message":"other sessions revoked","revoked":%d}`, want))
			a.cookies()
		}
		s.alive("this one", here, true)
		s.alive("another", there, false)
		s.alive("another", native, false)
		s.alive("another user's", bobs, true)
		s.post("/refresh", "", refreshCookie(there.Cookie)).refused(401, "SESSION_ENDED")
		s.post("/refresh", "", refreshCookie(here.Cookie)).ok()
	})
}

// guardedRoutes need an access token.
var guardedRoutes = []struct{ method, route, body string }{
	{"GET", "/sessions", ""},
	{"POST", "/logout-all", ""},
	{"POST", "/sessions/revoke", `{"session_id":"aaaaaaaaaaaaaaaaaaaaaaaaaa"}`},
	{"POST", "/sessions/revoke-all", ""},
}

func TestGuard(t *testing.T) {
	later, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: testKey}}, Audit: func(context.Context, core.Event) {}}) // by a clock that is years ahead
	if err != nil {
		t.Fatal(err)
	}
	defer later.Close()
	future, err := later.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		t.Fatal(err)
	}

	onSite(t, shortLives, func(t *testing.T, s *site) {
		expired := s.signIn("alice")
		pass(time.Minute)
		revoked := s.signIn("alice")
		s.post("/logout", "", bearer(revoked.AccessToken)).ok()
		good := s.signIn("alice")
		damaged := good.AccessToken[:len(good.AccessToken)-5] + "AAAAA"

		const invalid = `Bearer error="invalid_token"`
		for _, tt := range []struct {
			name      string
			part      part
			code      string
			challenge string
		}{
			{"none", func(r *http.Request) {}, "TOKEN_MISSING", "Bearer"},
			{"in the URL", func(r *http.Request) { r.URL.RawQuery = "access_token=" + good.AccessToken }, "TOKEN_MISSING", "Bearer"},
			{"in a cookie", cookie("access_token", good.AccessToken), "TOKEN_MISSING", "Bearer"},
			{"a refresh cookie alone", refreshCookie(good.Cookie), "TOKEN_MISSING", "Bearer"},
			{"another scheme", header("Authorization", "Basic "+good.AccessToken), "TOKEN_MISSING", "Bearer"},
			{"the scheme alone", header("Authorization", "Bearer "), "TOKEN_MISSING", "Bearer"},
			{"nonsense", bearer("nonsense"), "TOKEN_INVALID", invalid},
			{"damaged", bearer(damaged), "TOKEN_INVALID", invalid},
			{"a refresh token", bearer(good.Cookie), "TOKEN_INVALID", invalid},
			{"two", func(r *http.Request) {
				r.Header["Authorization"] = []string{"Bearer " + good.AccessToken, "Bearer " + good.AccessToken}
			}, "TOKEN_INVALID", invalid},
			{"from the future", bearer(future.AccessToken), "TOKEN_INVALID", invalid},
			{"expired", bearer(expired.AccessToken), "TOKEN_EXPIRED", invalid},
			{"revoked", bearer(revoked.AccessToken), "TOKEN_REVOKED", invalid},
		} {
			for _, r := range guardedRoutes {
				s.do(r.method, r.route, r.body, tt.part).of(tt.name).refused(401, tt.code).is("WWW-Authenticate", tt.challenge)
			}
		}
		s.do("GET", "/sessions", "", header("Authorization", "bearer "+good.AccessToken)).ok() // RFC 9110 section 11.1
		s.alive("good", good, true)
	})
}

// A store that does not answer is 503 on every route, and no cookie is touched.
func TestStoreDown(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		p := s.signIn("alice")
		s.store.down.Store(true)
		s.post("/login", `{"username":"alice","password":"pw"}`, refreshCookie(p.Cookie)).refused(503, "STORE_UNAVAILABLE").is("Retry-After", "1")
		for _, r := range guardedRoutes {
			s.do(r.method, r.route, r.body, bearer(p.AccessToken), refreshCookie(p.Cookie)).refused(503, "STORE_UNAVAILABLE").is("Retry-After", "1")
		}
		s.store.down.Store(false)
		s.alive("afterwards", p, true)
	})
}
