package nethttpauth_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// adminRoutes is the admin group, each route with a body that it takes.
var adminRoutes = []struct{ method, route, body string }{
	{"GET", "/users/bob/tokens", ""},
	{"GET", "/users/bob/token-count", ""},
	{"POST", "/users/bob/logout", ""},
	{"POST", "/users/bob/trim", `{"keep":1}`},
	{"POST", "/tokens/revoke", `{"user_id":"bob","session_id":"aaaaaaaaaaaaaaaaaaaaaaaaaa"}`},
	{"POST", "/tokens/lookup", `{"token":"x"}`},
	{"POST", "/online", `{"user_ids":["bob"]}`},
}

// The list is whole: the group has no other route.
func TestAdminRoutes(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		routes := s.auth.AdminRoutes(core.Role("admin"))
		if len(routes) != len(adminRoutes) {
			t.Fatalf("the group has %d routes, want %d", len(routes), len(adminRoutes))
		}
		for i, r := range routes {
			got := r.Method + " " + strings.ReplaceAll(r.Path, "{user}", "bob")
			if want := adminRoutes[i].method + " " + adminRoutes[i].route; got != want {
				t.Errorf("got route %s, want %s", got, want)
			}
		}
	})
}

// Whoever is refused is refused before the request is looked at.
func TestAdminGuard(t *testing.T) {
	onSite(t, shortLives, func(t *testing.T, s *site) {
		s.users["carol"] = core.Identity{UserID: "carol", Roles: []string{"Admin", "administrator", "admin "}, Scopes: []string{"admin"}}
		expired := s.signIn("root")
		pass(time.Minute)
		ended := s.signIn("root")
		s.post("/logout", "", bearer(ended.AccessToken)).ok()
		alice, carol, bob, root := s.signIn("alice"), s.signIn("carol"), s.signIn("bob"), s.signIn("root")
		s.use(alice, carol, bob, root)
		before := s.ledgers()
		const invalid = `Bearer error="invalid_token"`
		for _, r := range adminRoutes {
			for _, tt := range []struct {
				name      string
				part      part
				status    int
				code      string
				challenge string
			}{
				{"nobody", header("X-None", ""), 401, "TOKEN_MISSING", "Bearer"},
				{"an admin's refresh cookie", refreshCookie(root.Cookie), 401, "TOKEN_MISSING", "Bearer"},
				{"an admin's refresh token", bearer(root.Cookie), 401, "TOKEN_INVALID", invalid},
				{"nonsense", bearer("x"), 401, "TOKEN_INVALID", invalid},
				{"an admin's expired token", bearer(expired.AccessToken), 401, "TOKEN_EXPIRED", invalid},
				{"an admin's ended session", bearer(ended.AccessToken), 401, "TOKEN_REVOKED", invalid},
				{"a user", bearer(alice.AccessToken), 403, "FORBIDDEN", ""},
				{"the user concerned", bearer(bob.AccessToken), 403, "FORBIDDEN", ""},
				{"roles and scopes that look alike", bearer(carol.AccessToken), 403, "FORBIDDEN", ""},
			} {
				for _, body := range []string{r.body, "{", strings.Repeat(" ", 70_000)} {
					if r.method == "POST" {
						s.admin(r.method, r.route, body, tt.part).of(tt.name).refused(tt.status, tt.code).is("WWW-Authenticate", tt.challenge)
					}
				}
				unknown := strings.ReplaceAll(r.route, "bob", "nobody")
				s.admin(r.method, r.route, r.body, tt.part).of(tt.name).refused(tt.status, tt.code).is("WWW-Authenticate", tt.challenge)
				s.admin(r.method, unknown, r.body, tt.part).of(tt.name).refused(tt.status, tt.code)
			}
		}
		s.unchanged("a refused request", before)
	})
}

// Unless a rule says who may come in, nobody does.
func TestAdminRules(t *testing.T) {
	allow := func(ok bool, err error) core.Rule {
		return core.Allow(func(context.Context, *core.Principal) (bool, error) { return ok, err })
	}
	const stale = `Bearer error="insufficient_user_authentication", max_age="60"`
	for _, tt := range []struct {
		name      string
		rules     []core.Rule
		status    int // a minute and a second after the sign-in; 0: let in
		code      string
		challenge string
	}{
		{"none", nil, 403, "FORBIDDEN", ""},
		{"strict", []core.Rule{core.Strict()}, 403, "FORBIDDEN", ""},
		{"fresh", []core.Rule{core.Fresh(time.Hour)}, 403, "FORBIDDEN", ""},
		{"strict and fresh", []core.Rule{core.Strict(), core.Fresh(time.Hour)}, 403, "FORBIDDEN", ""},
		{"the zero rule", []core.Rule{{}}, 403, "FORBIDDEN", ""},
		{"a role, and the zero rule", []core.Rule{core.Role("admin"), {}}, 403, "FORBIDDEN", ""},
		{"no role", []core.Rule{core.Role()}, 403, "FORBIDDEN", ""},
		{"another role", []core.Rule{core.Role("owner")}, 403, "FORBIDDEN", ""},
		{"a role, and what the app refuses", []core.Rule{core.Role("admin"), allow(false, nil)}, 403, "FORBIDDEN", ""},
		{"what the app refuses, and a role", []core.Rule{allow(false, nil), core.Role("admin")}, 403, "FORBIDDEN", ""},
		{"a scope that is missing", []core.Rule{core.Scope("users", "more")}, 403, "FORBIDDEN", `Bearer error="insufficient_scope", scope="users more"`},
		{"a role, stale", []core.Rule{core.Role("admin"), core.Fresh(time.Minute)}, 401, "FRESH_SIGN_IN_REQUIRED", stale},
		{"the app fails", []core.Rule{allow(true, errors.New("the directory is gone"))}, 500, "INTERNAL", ""},
		{"the app fails with a refusal", []core.Rule{allow(false, core.ErrForbidden)}, 500, "INTERNAL", ""},

		{"a role", []core.Rule{core.Role("admin")}, 0, "", ""},
		{"one of two roles", []core.Rule{core.Role("owner", "admin")}, 0, "", ""},
		{"a scope", []core.Rule{core.Scope("users")}, 0, "", ""},
		{"what the app allows", []core.Rule{allow(true, nil)}, 0, "", ""},
		{"a role, strictly and fresh", []core.Rule{core.Strict(), core.Role("admin"), core.Fresh(2 * time.Minute)}, 0, "", ""},
	} {
		onSite(t, nil, func(t *testing.T, s *site) {
			s.users["root"] = core.Identity{UserID: "root", Roles: []string{"admin"}, Scopes: []string{"users"}}
			root := s.signIn("root")
			pass(time.Minute + time.Second)
			root = s.post("/refresh", "", refreshCookie(root.Cookie)).pair() // it proves nothing anew
			s.use(root, s.signIn("bob"))
			nethttpauth.Mount(s.mux, "/own", s.auth.AdminRoutes(tt.rules...))
			before := s.ledgers()
			for _, r := range adminRoutes {
				s.ask(r.method, "/own"+r.route, r.body).of(tt.name).refused(401, "TOKEN_MISSING").is("WWW-Authenticate", "Bearer")
				a := s.ask(r.method, "/own"+r.route, r.body, bearer(root.AccessToken)).of(tt.name)
				if tt.status == 0 {
					if a.status != 200 && a.status != 404 {
						t.Errorf("%s: got %d %s", a.asked, a.status, a.body)
					}
					continue
				}
				if a.refused(tt.status, tt.code).is("WWW-Authenticate", tt.challenge); strings.Contains(a.body, "directory") {
					t.Errorf("%s: the cause was sent: %s", a.asked, a.body)
				}
			}
			if tt.status != 0 {
				s.unchanged(tt.name+": a refused request", before)
			}
		})
	}
}

// jti returns an access token's own id.
func jti(t *testing.T, token string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	var claims struct{ JTI string }
	if err == nil {
		err = json.Unmarshal(raw, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims.JTI
}

func TestAdminUserTokens(t *testing.T) {
	onSite(t, shortLives, func(t *testing.T, s *site) {
		root, alices := s.signIn("root"), s.signIn("alice")
		over := s.signIn("bob")
		s.post("/logout", "", bearer(over.AccessToken)).ok()
		browser := s.signIn("bob")
		pass(1500 * time.Millisecond)
		phone := s.post("/login", `{"username":"bob","password":"pw","delivery":"body","device_id":"phone 1","device_name":"Bob's \"phone\"","client_type":"ios"}`).pair()
		pass(58 * time.Second)
		again := s.post("/refresh", "", refreshCookie(browser.Cookie)).pair()
		root = s.post("/refresh", "", refreshCookie(root.Cookie)).pair()
		pass(1500 * time.Millisecond) // the phone's token has expired a moment ago

		entry := func(p pair, access, issued, expires string, expired bool, seen string) string {
			hash := sha256.Sum256([]byte(jti(t, access)))
			return fmt.Sprintf(`{"session_id":%q,"access_token_hash":"%x","client_type":%q,"device_id":%q,"device_name":%q,"issued_at":%q,"expires_at":%q,"is_expired":%v,"last_seen_at":%q}`,
				p.Session.ID, hash[:8], p.Session.Device.ClientType, p.Session.Device.ID, p.Session.Device.Name, issued, expires, expired, seen)
		}
		a := s.admin("GET", "/users/bob/tokens", "", bearer(root.AccessToken), refreshCookie(root.Cookie)).ok()
		a.equal(`{"user_id":"bob","count":2,"tokens":[` +
			entry(phone, phone.AccessToken, "2000-01-01T00:00:01Z", "2000-01-01T00:01:01Z", true, "2000-01-01T00:00:01.5Z") + "," +
			entry(browser, again.AccessToken, "2000-01-01T00:00:59Z", "2000-01-01T00:01:59Z", false, "2000-01-01T00:00:59.5Z") + `]}`)
		a.cookies()
		if strings.Contains(a.body, alices.Session.ID) {
			t.Errorf("another user's session: %s", a.body)
		}
		s.admin("GET", "/users/bob/token-count", "", bearer(root.AccessToken)).ok().equal(`{"user_id":"bob","token_count":2}`)
	})
}

// A user of whom nothing is known, and one of whom everything is over, are
// nobody special.
func TestAdminNobody(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		root, bob := s.signIn("root"), s.signIn("bob")
		s.post("/logout", "", bearer(bob.AccessToken)).ok()
		for _, user := range []string{"nobody", "bob"} {
			for _, tt := range []struct{ method, route, body, want string }{
				{"GET", "/tokens", "", `{"user_id":"` + user + `","count":0,"tokens":[]}`},
				{"GET", "/token-count", "", `{"user_id":"` + user + `","token_count":0}`},
				{"POST", "/trim", `{"keep":1}`, `{"message":"older sessions revoked","revoked":0}`},
				{"POST", "/logout", "", `{"message":"user signed out everywhere","revoked":0}`},
			} {
				a := s.admin(tt.method, "/users/"+user+tt.route, tt.body, bearer(root.AccessToken)).ok()
				a.equal(tt.want)
				a.cookies()
			}
		}
		s.alive("signed in after it was signed out while nothing was live", s.signIn("bob"), true)
	})
}

func TestAdminLogout(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		root, alice, browser, native := s.signIn("root"), s.signIn("alice"), s.signIn("bob"), s.native("bob")
		for _, want := range []int{2, 0} {
			a := s.admin("POST", "/users/bob/logout", "", bearer(root.AccessToken), refreshCookie(root.Cookie)).ok()
			a.equal(fmt.Sprintf(`{"message":"user signed out everywhere","revoked":%d}`, want))
			a.cookies()
		}
		s.do("GET", "/sessions", "", bearer(browser.AccessToken)).refused(401, "TOKEN_REVOKED")
		s.do("GET", "/sessions", "", bearer(native.AccessToken)).refused(401, "TOKEN_REVOKED")
		s.post("/refresh", "", refreshCookie(browser.Cookie)).refused(401, "SESSION_ENDED")
		s.post("/refresh", refreshBody(native.RefreshToken)).refused(401, "SESSION_ENDED")
		s.alive("signed in again in the same second", s.signIn("bob"), true)
		s.alive("another user's", alice, true)
		s.alive("the admin's", root, true)

		s.admin("POST", "/users/root/logout", `{}`, bearer(root.AccessToken)).ok().equal(`{"message":"user signed out everywhere","revoked":1}`)
		s.admin("POST", "/users/bob/logout", "", bearer(root.AccessToken)).refused(401, "TOKEN_REVOKED")
	})
}

func TestAdminTrim(t *testing.T) {
	onSite(t, func(c *core.Config) { c.MaxSessions = 256 }, func(t *testing.T, s *site) {
		root, alice := s.signIn("root"), s.signIn("alice")
		var p []pair // oldest first
		for range 6 {
			p = append(p, s.signIn("bob"))
			pass(time.Second)
		}
		p[0] = s.post("/refresh", "", refreshCookie(p[0].Cookie)).pair() // used last, and still the oldest

		s.use(root)
		before := s.ledgers()
		for _, body := range []string{
			``, `{}`, `{"Keep":1}`, `{"keep":0}`, `{"keep":-1}`, `{"keep":257}`, `{"keep":1000000000000000000000}`,
			`{"keep":"1"}`, `{"keep":1.5}`, `{"keep":null}`, `{"keep":true}`, `{"keep":[1]}`, `{"keep":{}}`, `{"keep":1,"keep":1}`,
		} {
			s.admin("POST", "/users/bob/trim", body, bearer(root.AccessToken)).refused(400, "BAD_REQUEST")
		}
		s.unchanged("a refused trim", before)

		for _, tt := range []struct{ keep, revoked, oldest int }{{256, 0, 0}, {7, 0, 0}, {6, 0, 0}, {4, 2, 2}, {1, 3, 5}, {1, 0, 5}} {
			a := s.admin("POST", "/users/bob/trim", fmt.Sprintf(`{"keep":%d}`, tt.keep), bearer(root.AccessToken)).ok()
			a.equal(fmt.Sprintf(`{"message":"older sessions revoked","revoked":%d}`, tt.revoked))
			a.cookies()
			for i := range p {
				s.alive(fmt.Sprintf("keep %d: session %d", tt.keep, i), p[i], i >= tt.oldest)
			}
		}
		s.post("/refresh", "", refreshCookie(p[0].Cookie)).refused(401, "SESSION_ENDED")
		s.post("/refresh", "", refreshCookie(p[5].Cookie)).ok()
		s.alive("another user's", alice, true)
	})
}

// {user} is percent-decoded once, and is compared as bytes.
func TestAdminUserInPath(t *testing.T) {
	runes := strings.Repeat("\U0001F6AA", 63)
	users := []string{
		"a/b", "a%2Fb", "a%252Fb", "%", "%25", "%2525", "..", ".", "../../bob", "a b", "a+b", "a?b=c", "a#b", "a&b", "a;b", "a\\b", "<b>", `"`,
		"*", "{x}", "{user}", ":user", "a:b", "BOB", "bob ", "b\u00f6b", "bo\u0308b", "\u202e", "\ufffd", runes + "abc", strings.Repeat("x", 255),
	}
	onSite(t, nil, func(t *testing.T, s *site) {
		root := s.signIn("root")
		sessions := map[string]pair{}
		for i, user := range users {
			name := fmt.Sprint("user ", i)
			s.users[name] = core.Identity{UserID: user}
			sessions[user] = s.signIn(name)
		}
		every := func(user string) string { // byte encoded
			var b strings.Builder
			for i := range len(user) {
				fmt.Fprintf(&b, "%%%02x", user[i])
			}
			return b.String()
		}
		for _, user := range users {
			quoted := text(t, user)
			for _, path := range []string{url.PathEscape(user), every(user)} {
				if path == "." || path == ".." {
					continue // net/http redirects
				}
				s.admin("GET", "/users/"+path+"/token-count", "", bearer(root.AccessToken)).ok().equal(`{"user_id":` + quoted + `,"token_count":1}`)
				got := s.admin("GET", "/users/"+path+"/tokens", "", bearer(root.AccessToken)).ok().body
				if want := `{"user_id":` + quoted + `,"count":1,"tokens":[{"session_id":"` + sessions[user].Session.ID + `"`; !strings.HasPrefix(got, want) {
					t.Errorf("GET %s: got %s, want %s", path, got, want)
				}
				s.admin("POST", "/users/"+path+"/trim", `{"keep":1}`, bearer(root.AccessToken)).ok().equal(`{"message":"older sessions revoked","revoked":0}`)
			}
		}
		for i, user := range users { // exactly this user's end
			s.admin("POST", "/users/"+every(user)+"/logout", "", bearer(root.AccessToken)).ok().equal(`{"message":"user signed out everywhere","revoked":1}`)
			for j, other := range users {
				s.alive(fmt.Sprintf("after %q: %q", user, other), sessions[other], j > i)
			}
		}

		for _, r := range adminRoutes[:4] {
			for _, path := range []string{
				strings.Repeat("x", 256), strings.Repeat("%C3%A9", 128), // 256 bytes
				"%00", "bob%00", "%0A", "bob%0D%0A", "%1F", "%7F", "%C2%80", "%C2%9F", // control characters
				"%FF", "%C3", "%ED%A0%80", "%C0%AF", // not UTF-8
			} {
				s.admin(r.method, strings.Replace(r.route, "bob", path, 1), r.body, bearer(root.AccessToken)).refused(400, "BAD_REQUEST")
			}
		}
	})
}

// text is a string as it stands in an answer.
func text(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
