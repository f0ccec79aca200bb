package nethttpauth_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// tokenBody is a body with a token of either kind.
func tokenBody(token string) string { return `{"token":"` + token + `"}` }

// sessionBody names a session of a user.
func sessionBody(user, session string) string {
	return `{"user_id":"` + user + `","session_id":"` + session + `"}`
}

// unknownTokens are what is no token of a live session of the site. Its times
// are those of shortLives; some of it goes by.
func unknownTokens(s *site) map[string]string {
	s.t.Helper()
	mint := func(change func(*core.Config)) core.Pair {
		c := core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: testKey}}, Audit: func(context.Context, core.Event) {}}
		change(&c)
		auth, err := core.New(c)
		if err != nil {
			s.t.Fatal(err)
		}
		defer auth.Close()
		p, err := auth.SignIn(s.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "bob"}})
		if err != nil {
			s.t.Fatal(err)
		}
		return p
	}
	elsewhere := mint(func(c *core.Config) { c.Keys = []core.Key{{Secret: []byte(rand.Text() + rand.Text())}} })
	issuer := mint(func(c *core.Config) { c.Issuer = "another" })
	audience := mint(func(c *core.Config) { c.Audience = "another" })
	never := mint(func(*core.Config) {}) // authentic, of a session that this store never had
	over := s.signIn("bob")
	pass(12 * time.Minute)
	ended, live := s.signIn("bob"), s.signIn("bob")
	s.post("/logout", "", bearer(ended.AccessToken)).ok()
	return map[string]string{
		"nonsense":                                  "x",
		"a session id":                              live.Session.ID,
		"a device token":                            live.DeviceCookie,
		"an unsigned token":                         "eyJhbGciOiJub25lIn0.e30.",
		"a damaged access token":                    live.AccessToken[:len(live.AccessToken)-5] + "AAAAA",
		"an access token and a space":               live.AccessToken + " ",
		"a damaged refresh token":                   live.Cookie[:len(live.Cookie)-5] + "AAAAA",
		"a refresh token in capitals":               strings.ToUpper(live.Cookie),
		"a very long one":                           "sprt_" + strings.Repeat("A", 60_000),
		"an access token of another key":            elsewhere.AccessToken,
		"a refresh token of another key":            elsewhere.RefreshToken,
		"an access token of another issuer":         issuer.AccessToken,
		"an access token for another audience":      audience.AccessToken,
		"an access token of an unknown session":     never.AccessToken,
		"a refresh token of an unknown session":     never.RefreshToken,
		"an access token of an ended session":       ended.AccessToken,
		"a refresh token of an ended session":       ended.Cookie,
		"an access token of a session that ran out": over.AccessToken,
		"a refresh token of a session that ran out": over.Cookie,
	}
}

// Nobody learns from a refusal what was wrong with a token.
func TestAdminUnknownTokens(t *testing.T) {
	onSite(t, shortLives, func(t *testing.T, s *site) {
		tokens := unknownTokens(s)
		root := s.signIn("root")
		s.use(root)
		before := s.ledgers()
		for _, route := range []string{"/tokens/lookup", "/tokens/revoke"} {
			first := s.admin("POST", route, tokenBody("y"), bearer(root.AccessToken)).refused(404, "TOKEN_NOT_FOUND")
			for name, token := range tokens {
				a := s.admin("POST", route, tokenBody(token), bearer(root.AccessToken)).refused(404, "TOKEN_NOT_FOUND")
				a.asked = route + " with " + name
				a.same(first)
			}
		}
		s.unchanged("a token that is unknown", before)
	})
}

func TestAdminRevokeToken(t *testing.T) {
	revoked := func(a answer, message string, n int) {
		t.Helper()
		a.ok().equal(fmt.Sprintf(`{"message":%q,"revoked":%d}`, message, n))
		a.cookies()
	}
	refused := func(s *site, p pair) {
		t.Helper()
		s.do("GET", "/sessions", "", bearer(p.AccessToken)).refused(401, "TOKEN_REVOKED")
	}
	const message = "token revoked"
	for _, tt := range []struct {
		name string
		do   func(s *site, p, q pair, revoke func(string) answer)
	}{
		{"an access token: that one", func(s *site, p, q pair, revoke func(string) answer) {
			next := s.post("/refresh", "", refreshCookie(p.Cookie)).pair()
			revoked(revoke(tokenBody(p.AccessToken)), message, 1)
			refused(s, p)
			s.alive("by its other access token", next, true)
			revoked(revoke(tokenBody(p.AccessToken)), message, 0) // a second time
			revoked(revoke(tokenBody(next.AccessToken)), message, 1)
			refused(s, next)
			last := s.post("/refresh", "", refreshCookie(next.Cookie)).pair()
			s.alive("by its third access token", last, true)
			s.alive("the user's other session", q, true)
		}},
		{"an expired access token of a live session", func(s *site, p, q pair, revoke func(string) answer) {
			pass(time.Minute)
			before := s.ledgers()["bob"]
			revoked(revoke(tokenBody(p.AccessToken)), message, 0)
			if diff := cmp.Diff(before, s.ledgers()["bob"]); diff != "" {
				t.Errorf("a token that was no good already changed the store:\n%s", diff)
			}
			s.alive("afterwards", s.post("/refresh", "", refreshCookie(p.Cookie)).pair(), true)
		}},
		{"a refresh token: its session", func(s *site, p, q pair, revoke func(string) answer) {
			revoked(revoke(tokenBody(p.Cookie)), message, 1)
			refused(s, p)
			s.post("/refresh", "", refreshCookie(p.Cookie)).refused(401, "SESSION_ENDED")
			s.alive("the user's other session", q, true)
			revoke(tokenBody(p.Cookie)).refused(404, "TOKEN_NOT_FOUND")
			revoke(tokenBody(p.AccessToken)).refused(404, "TOKEN_NOT_FOUND")
		}},
		{"a refresh token that is spent: its session", func(s *site, p, q pair, revoke func(string) answer) {
			next := s.post("/refresh", "", refreshCookie(p.Cookie)).pair()
			revoked(revoke(tokenBody(p.Cookie)), message, 1)
			refused(s, next)
			s.post("/refresh", "", refreshCookie(next.Cookie)).refused(401, "SESSION_ENDED")
			s.alive("the user's other session", q, true)
		}},
		{"a session by its user and id", func(s *site, p, q pair, revoke func(string) answer) {
			revoked(revoke(sessionBody("bob", p.Session.ID)), "session revoked", 1)
			refused(s, p)
			s.post("/refresh", "", refreshCookie(p.Cookie)).refused(401, "SESSION_ENDED")
			s.alive("the user's other session", q, true)
			revoke(sessionBody("bob", p.Session.ID)).refused(404, "SESSION_NOT_FOUND")
		}},
	} {
		onSite(t, shortLives, func(t *testing.T, s *site) {
			s.signIn("alice")
			p, q := s.signIn("bob"), s.signIn("bob")
			before := s.ledgers()["alice"]
			tt.do(s, p, q, func(body string) answer {
				t.Helper()
				root := s.signIn("root") // anew, since time goes by
				return s.admin("POST", "/tokens/revoke", body, bearer(root.AccessToken), refreshCookie(root.Cookie)).of(tt.name)
			})
			if diff := cmp.Diff(before, s.ledgers()["alice"]); diff != "" {
				t.Errorf("%s: another user's ledger changed:\n%s", tt.name, diff)
			}
		})
	}
}

func TestAdminRevokeTokenRefused(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		root, alice, bob, ended := s.signIn("root"), s.signIn("alice"), s.signIn("bob"), s.signIn("bob")
		s.post("/logout", "", bearer(ended.AccessToken)).ok()
		s.use(root, alice, bob)
		before := s.ledgers()
		revoke := func(body string) answer {
			return s.admin("POST", "/tokens/revoke", body, bearer(root.AccessToken))
		}
		unknown := revoke(sessionBody("bob", strings.Repeat("a", 26))).refused(404, "SESSION_NOT_FOUND")
		for name, body := range map[string]string{
			"another user's session":        sessionBody("bob", alice.Session.ID),
			"a session that ended":          sessionBody("bob", ended.Session.ID),
			"of an unknown user":            sessionBody("nobody", bob.Session.ID),
			"of a user whose name is alike": sessionBody("Bob", bob.Session.ID),
			"no id":                         sessionBody("bob", "x"),
			"an id in capitals":             sessionBody("bob", strings.ToUpper(bob.Session.ID)),
			"an id of zeros":                sessionBody("bob", core.ID{}.String()),
			"a refresh token as id":         sessionBody("bob", bob.Cookie),
		} {
			a := revoke(body).of(name)
			a.refused(404, "SESSION_NOT_FOUND")
			a.same(unknown)
		}
		for _, body := range []string{
			``, `{}`, `{"token":""}`, `{"token":null}`, `{"token":1}`, `{"Token":"x"}`, `{"token":["x"]}`,
			`{"user_id":"bob"}`, `{"session_id":"` + bob.Session.ID + `"}`, sessionBody("", bob.Session.ID), sessionBody("bob", ""),
			`{"token":"` + bob.AccessToken + `","user_id":"bob","session_id":"` + bob.Session.ID + `"}`,
			`{"token":"` + bob.AccessToken + `","user_id":"bob"}`,
			`{"token":"` + bob.AccessToken + `","session_id":"` + bob.Session.ID + `"}`,
			`{"token":"` + bob.AccessToken + `","token":"` + bob.AccessToken + `"}`,
			sessionBody(`bob\u0000`, bob.Session.ID), sessionBody(strings.Repeat("x", 256), bob.Session.ID),
		} {
			revoke(body).refused(400, "BAD_REQUEST")
		}
		s.unchanged("a refused revocation", before)
	})
}

func TestAdminLookup(t *testing.T) {
	onSite(t, shortLives, func(t *testing.T, s *site) {
		root := s.signIn("root")
		browser, native, alice := s.signIn("bob"), s.native("bob"), s.signIn("alice")
		find := func(token string) answer {
			return s.admin("POST", "/tokens/lookup", tokenBody(token), bearer(root.AccessToken), refreshCookie(root.Cookie))
		}
		for _, tt := range []struct {
			name, token, user string
			session           pair
		}{
			{"an access token", browser.AccessToken, "bob", browser},
			{"a refresh token from a cookie", browser.Cookie, "bob", browser},
			{"an access token of a native client", native.AccessToken, "bob", native},
			{"a refresh token from a body", native.RefreshToken, "bob", native},
			{"another user's", alice.Cookie, "alice", alice},
			{"the admin's own", root.AccessToken, "root", root},
		} {
			a := find(tt.token).of(tt.name).ok()
			a.equal(`{"user_id":"` + tt.user + `","session":` + tt.session.session(tt.user == "root") + `}`)
			a.cookies()
		}

		before := s.ledgers()
		for _, body := range []string{``, `{}`, `{"token":""}`, `{"token":null}`, `{"token":1}`, `{"token":["` + browser.AccessToken + `"]}`, `{"Token":"x"}`} {
			s.admin("POST", "/tokens/lookup", body, bearer(root.AccessToken)).refused(400, "BAD_REQUEST")
		}
		s.unchanged("looking up", before)

		// Revoked, spent or expired: it is authentic, and its session lives.
		s.admin("POST", "/tokens/revoke", tokenBody(browser.AccessToken), bearer(root.AccessToken)).ok()
		find(browser.AccessToken).of("a revoked access token").ok().equal(`{"user_id":"bob","session":` + browser.session(false) + `}`)
		pass(2 * time.Minute)
		s.post("/refresh", refreshBody(native.RefreshToken)).ok()
		root = s.post("/refresh", "", refreshCookie(root.Cookie)).pair()
		find(browser.AccessToken).of("an expired access token").ok().equal(`{"user_id":"bob","session":` + browser.session(false) + `}`)
		for name, token := range map[string]string{"an expired access token": native.AccessToken, "a spent refresh token": native.RefreshToken} {
			if a := find(token).of(name).ok(); !strings.Contains(a.body, `"id":"`+native.Session.ID+`"`) {
				t.Errorf("%s: got %s", name, a.body)
			}
		}

		s.post("/logout", "", refreshCookie(browser.Cookie)).ok()
		find(browser.AccessToken).of("ended").refused(404, "TOKEN_NOT_FOUND")
		find(browser.Cookie).of("ended").refused(404, "TOKEN_NOT_FOUND")
		find(native.RefreshToken).of("the other session").ok()
	})
}

func TestAdminOnline(t *testing.T) {
	onSite(t, shortLives, func(t *testing.T, s *site) {
		for _, user := range []string{"over", "out"} {
			s.users[user] = core.Identity{UserID: user}
		}
		s.signIn("over") // its session runs out
		pass(10 * time.Minute)
		out := s.signIn("out")
		s.post("/logout", "", bearer(out.AccessToken)).ok()
		first := s.signIn("bob")
		pass(1500 * time.Millisecond)
		second := s.native("bob")
		pass(1500 * time.Millisecond)
		root := s.signIn("root")
		pass(time.Second)
		first = s.post("/refresh", "", refreshCookie(first.Cookie)).pair() // bob's last activity

		online := func(body string) answer {
			return s.admin("POST", "/online", body, bearer(root.AccessToken), refreshCookie(root.Cookie))
		}
		bob := `{"user_id":"bob","token_count":2,"last_active_at":"2000-01-01T00:10:04Z","sessions":[` + second.session(false) + `,` + first.session(false) + `]}`
		roots := `{"user_id":"root","token_count":1,"last_active_at":"2000-01-01T00:10:03Z","sessions":[` + root.session(true) + `]}`
		for _, tt := range []struct{ ids, want string }{
			{`[]`, ``},
			{`["nobody"]`, ``},
			{`["over","out","alice"]`, ``}, // none has a live session
			{`["bob"]`, bob},
			{`["bob","root"]`, bob + `,` + roots},
			{`["root","bob"]`, roots + `,` + bob},
			{`["nobody","root","over","root","bob","root","out","bob"]`, roots + `,` + bob},
			{`["Bob","bob ","ROOT"]`, ``},
		} {
			a := online(`{"user_ids":` + tt.ids + `}`).ok()
			a.equal(`{"users":[` + tt.want + `]}`)
			a.cookies()
		}

		many := func(n int) string { return `{"user_ids":["bob"` + strings.Repeat(`,"someone else"`, n-1) + `]}` }
		online(many(1000)).ok().equal(`{"users":[` + bob + `]}`)
		for _, body := range []string{
			many(1001), ``, `{}`, `{"user_ids":null}`, `{"User_ids":[]}`, `{"user_ids":"bob"}`, `{"user_ids":{}}`, `{"user_ids":[1]}`, `{"user_ids":[["bob"]]}`,
			`{"user_ids":[""]}`, `{"user_ids":["bob",""]}`, `{"user_ids":["bob\u0000"]}`, `{"user_ids":["` + strings.Repeat("x", 256) + `"]}`, `{"user_ids":["bob"],"user_ids":["bob"]}`,
		} {
			online(body).refused(400, "BAD_REQUEST")
		}
	})
}

// The admin group is as strict about bodies as the auth group.
func TestAdminBodies(t *testing.T) {
	filled := func(bytes int) string { return `{"filler":"` + strings.Repeat("x", bytes-len(`{"filler":""}`)) + `"}` }
	onSite(t, nil, func(t *testing.T, s *site) {
		root := s.signIn("root")
		for _, r := range adminRoutes[2:] {
			for _, tt := range []struct {
				name, body, kind string // Content-Type; "-": none
				status           int    // 0: the body is not what is wrong
				code             string
			}{
				{"64 KiB", filled(64 << 10), "application/json", 0, ""},
				{"more than 64 KiB", filled(64<<10 + 1), "application/json", 413, "BODY_TOO_LARGE"},
				{"more than 64 KiB of no type", filled(64<<10 + 1), "-", 413, "BODY_TOO_LARGE"},
				{"no type", `{}`, "-", 415, "NOT_JSON"},
				{"a form", `a=b`, "application/x-www-form-urlencoded", 415, "NOT_JSON"},
				{"JSON as text", `{}`, "text/plain", 415, "NOT_JSON"},
				{"with a charset", `{}`, "application/json; charset=utf-8", 0, ""},
				{"empty", ``, "-", 0, ""},
				{"unknown members", `{"x":{"y":[null]}}`, "application/json", 0, ""},
				{"duplicate member", `{"x":1,"x":1}`, "application/json", 400, "BAD_REQUEST"},
				{"trailing data", `{} {}`, "application/json", 400, "BAD_REQUEST"},
				{"an array", `[]`, "application/json", 400, "BAD_REQUEST"},
				{"null", `null`, "application/json", 400, "BAD_REQUEST"},
				{"not UTF-8", "{\"x\":\"\xff\"}", "application/json", 400, "BAD_REQUEST"},
			} {
				kind := func(r *http.Request) {
					if r.Header.Set("Content-Type", tt.kind); tt.kind == "-" {
						r.Header.Del("Content-Type")
					}
				}
				a := s.admin(r.method, r.route, tt.body, bearer(root.AccessToken), kind)
				switch a.asked = r.route + " (" + tt.name + ")"; {
				case tt.status != 0:
					a.refused(tt.status, tt.code)
				case r.route == "/users/bob/logout":
					a.ok()
				default: // a member is missing
					if a.refused(400, "BAD_REQUEST"); strings.Contains(a.body, "the body") {
						t.Errorf("%s: got %s", a.asked, a.body)
					}
				}
			}
		}
	})
}

// A store that does not answer is 503 on every route, never "not found". What was to be
// revoked is, here at once, and everywhere when the store is back.
func TestAdminStoreDown(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		root, bob := s.signIn("root"), s.signIn("bob")
		s.use(root, bob)
		s.store.down.Store(true)
		for _, tt := range []struct{ method, route, body string }{
			{"GET", "/users/bob/tokens", ""},
			{"GET", "/users/nobody/tokens", ""},
			{"GET", "/users/bob/token-count", ""},
			{"POST", "/users/bob/logout", ""},
			{"POST", "/users/bob/trim", `{"keep":1}`},
			{"POST", "/tokens/revoke", tokenBody(bob.AccessToken)},
			{"POST", "/tokens/revoke", tokenBody(bob.Cookie)},
			{"POST", "/tokens/revoke", sessionBody("bob", bob.Session.ID)},
			{"POST", "/tokens/lookup", tokenBody(bob.AccessToken)},
			{"POST", "/tokens/lookup", tokenBody(bob.Cookie)},
			{"POST", "/online", `{"user_ids":["bob"]}`},
		} {
			s.failures = nil
			s.admin(tt.method, tt.route, tt.body, bearer(root.AccessToken), refreshCookie(root.Cookie)).refused(503, "STORE_UNAVAILABLE").is("Retry-After", "1")
			if len(s.failures) != 1 {
				t.Errorf("%s: audited as %v, want one failure", tt.route, s.failures)
			}
		}
		s.admin("POST", "/tokens/lookup", tokenBody("x"), bearer(root.AccessToken)).refused(404, "TOKEN_NOT_FOUND") // the store is not asked
		s.alive("enforced", bob, false)
		s.store.down.Store(false)
		pass(5 * time.Second) // the store is found to be back
		if waits := s.auth.Health().Queued; waits != 0 {
			t.Errorf("%d revocations wait", waits)
		}
		s.alive("afterwards", bob, false)
		s.alive("afterwards", root, true)
	})
}
