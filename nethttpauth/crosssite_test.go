package nethttpauth_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// Every POST is refused when the browser says that it comes from elsewhere, by
// the verdict of net/http on an equal request, and then nothing has happened (P34).

// elsewhere are what browsers say, and what nobody should.
var elsewhere = struct{ hosts, sites, origins []string }{
	hosts: []string{"example.com", "EXAMPLE.com:8080", ""},
	sites: []string{"", "same-origin", "none", "same-site", "cross-site", "Same-Origin", "same-origin ", "same-origin, cross-site", "x"},
	origins: []string{
		"", "http://{host}", "https://{host}", "https://{host}/", "https://{host}:1", "HTTPS://{host}", "https://user@{host}", "null", "{host}", "https://", "file://", "x", "%",
		"https://example.com", "https://example.com:8080", "https://www.example.com", "https://evil.example", "https://{host}@evil.example", "https://evil.example/{host}",
		"https://app.example.net", "https://APP.example.net", "http://app.example.net", "https://app.example.net:443", "https://app.example.net:8443", "https://app.example.net.evil.example",
	},
}

// everywhere calls a function with each of them, and with a part of a request
// that says so.
func everywhere(do func(said string, from part)) {
	for _, host := range elsewhere.hosts {
		for _, site := range elsewhere.sites {
			for _, origin := range elsewhere.origins {
				origin = strings.ReplaceAll(origin, "{host}", host)
				do(fmt.Sprintf("host %q, site %q, origin %q", host, site, origin), func(r *http.Request) {
					r.Host = host
					if site != "" {
						r.Header.Set("Sec-Fetch-Site", site)
					}
					if origin != "" {
						r.Header.Set("Origin", origin)
					}
				})
			}
		}
	}
}

// crossSites are every POST there is. Each does something if it is let through.
func crossSites(root, bob pair) []struct{ path, body string } {
	return []struct{ path, body string }{
		{prefix + "/login", `{"username":"root","password":"pw"}`},
		{prefix + "/refresh", ``},
		{prefix + "/logout", ``},
		{prefix + "/logout-all", ``},
		{prefix + "/sessions/revoke", `{"session_id":"` + root.Session.ID + `"}`},
		{prefix + "/sessions/revoke-all", ``},
		{adminPrefix + "/users/bob/logout", ``},
		{adminPrefix + "/users/bob/trim", `{"keep":1}`},
		{adminPrefix + "/tokens/revoke", tokenBody(bob.Cookie)},
		{adminPrefix + "/tokens/lookup", tokenBody(bob.Cookie)},
		{adminPrefix + "/online", `{"user_ids":["bob"]}`},
		{"/app/login", ``},
		{"/app/watched", ``},
	}
}

func TestCrossSiteMatrix(t *testing.T) {
	for _, trusted := range [][]string{nil, {"https://app.example.net"}} {
		oracle := http.NewCrossOriginProtection()
		for _, origin := range trusted {
			if err := oracle.AddTrustedOrigin(origin); err != nil {
				t.Fatal(err)
			}
		}
		onSite(t, func(c *core.Config) { c.TrustedOrigins = trusted }, func(t *testing.T, s *site) {
			openDoors(s)
			s.mux.Handle("GET /app/me", nethttpauth.Require(s.auth)(http.HandlerFunc(who)))
			routes := 0
			for _, r := range append(s.auth.Routes(), s.auth.AdminRoutes()...) {
				if r.Method == http.MethodPost {
					routes++
				}
			}
			if n := len(crossSites(pair{}, pair{})) - 2; n != routes {
				t.Fatalf("%d routes of the groups are here, want %d", n, routes)
			}

			root, bob := s.signIn("root"), s.signIn("bob")
			s.use(root, bob)
			before := s.ledgers()
			passed, refused := 0, 0
			everywhere(func(said string, from part) {
				for i := range crossSites(root, bob) {
					to := crossSites(root, bob)[i]
					var verdict error
					equal := func(r *http.Request) { verdict = oracle.Check(r) }
					a := s.ask("POST", to.path, to.body, bearer(root.AccessToken), refreshCookie(root.Cookie), from, equal).of(said)
					if verdict != nil {
						refused++
						a.refused(403, "CROSS_SITE").is("WWW-Authenticate", "")
						continue
					}
					passed++
					a.ok()
					for user, p := range map[string]*pair{"root": &root, "bob": &bob} {
						if _, err := s.auth.Verify(t.Context(), p.AccessToken); err != nil {
							*p = s.signIn(user)
						}
					}
					before = nil
				}
				if before != nil {
					s.unchanged(said, before)
					return
				}
				s.use(root, bob)
				before = s.ledgers()
			})
			if passed == 0 || refused == 0 {
				t.Errorf("%d passed, %d were refused", passed, refused)
			}

			// What changes nothing is for whoever has a token, and another site
			// can't read the answer.
			everywhere(func(said string, from part) {
				for _, path := range []string{prefix + "/sessions", adminPrefix + "/users/bob/tokens", adminPrefix + "/users/bob/token-count", keysPath, "/app/me"} {
					if a := s.ask("GET", path, "", bearer(root.AccessToken), from).of(said); a.status != 200 {
						t.Errorf("%s: got %d %s", a.asked, a.status, a.body)
					}
				}
			})
			s.unchanged("reading", before)
		})
	}
}

// Of a header that comes twice no line is passed over.
func TestCrossSiteTwice(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		root, bob := s.signIn("root"), s.signIn("bob")
		s.use(root, bob)
		before := s.ledgers()
		for _, lines := range []http.Header{
			{"Sec-Fetch-Site": {"same-origin", "cross-site"}},
			{"Sec-Fetch-Site": {"cross-site", "same-origin"}},
			{"Sec-Fetch-Site": {"none", "same-site"}},
			{"Sec-Fetch-Site": {"", "cross-site"}},
			{"Origin": {"http://example.com", "https://evil.example"}},
			{"Origin": {"https://evil.example", "http://example.com"}},
			{"Origin": {"", "https://evil.example"}},
		} {
			for _, to := range crossSites(root, bob)[:11] {
				s.ask("POST", to.path, to.body, bearer(root.AccessToken), refreshCookie(root.Cookie), func(r *http.Request) {
					for name, values := range lines {
						r.Header[name] = values
					}
				}).of(fmt.Sprint(lines)).refused(403, "CROSS_SITE")
			}
		}
		s.unchanged("a header that comes twice", before)
	})
}

// An access token in a cookie travels without being asked, so a guard of the
// app's own routes looks where the request comes from; one in the header does
// not.
func TestCrossSiteAccessCookie(t *testing.T) {
	onSite(t, func(c *core.Config) { c.AccessCookie = "access" }, func(t *testing.T, s *site) {
		ran := 0
		app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { ran++ })
		s.mux.Handle("/app/required", nethttpauth.Require(s.auth)(app))
		s.mux.Handle("/app/optional", nethttpauth.Optional(s.auth)(app))
		p := s.signIn("alice")
		oracle := http.NewCrossOriginProtection()
		everywhere(func(said string, from part) {
			for _, path := range []string{"/app/required", "/app/optional"} {
				for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"} {
					var verdict error
					equal := func(r *http.Request) { verdict = oracle.Check(r) }
					before := ran
					a := s.ask(method, path, "", cookie("access", p.AccessToken), from, equal).of(said)
					if verdict != nil {
						a.refused(403, "CROSS_SITE").is("WWW-Authenticate", "")
					}
					if (verdict == nil) != (ran == before+1) {
						t.Errorf("%s: the handler ran %d times, the verdict is %v", a.asked, ran-before, verdict)
					}
					before = ran
					s.ask(method, path, "", bearer(p.AccessToken), cookie("access", p.AccessToken), from)
					if ran != before+1 {
						t.Errorf("%s: refused with a token in the header", a.asked)
					}
				}
			}
		})
	})
}
