package nethttpauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/core"
)

func TestBodies(t *testing.T) {
	// filled returns an object of exactly so many bytes.
	filled := func(bytes int) string {
		return `{"filler":"` + strings.Repeat("x", bytes-len(`{"filler":""}`)) + `"}`
	}
	onSite(t, nil, func(t *testing.T, s *site) {
		for _, route := range postRoutes {
			for _, tt := range []struct {
				name   string
				body   string
				kind   string // Content-Type; "-": none
				status int    // 0: the body is not what is wrong
				code   string
			}{
				{"64 KiB", filled(64 << 10), "application/json", 0, ""},
				{"more than 64 KiB", filled(64<<10 + 1), "application/json", 413, "BODY_TOO_LARGE"},
				{"a megabyte", filled(1 << 20), "application/json", 413, "BODY_TOO_LARGE"},

				{"no type", `{}`, "-", 415, "NOT_JSON"},
				{"a form", `a=b`, "application/x-www-form-urlencoded", 415, "NOT_JSON"},
				{"JSON as text", `{}`, "text/plain", 415, "NOT_JSON"},
				{"another JSON type", `{}`, "application/problem+json", 415, "NOT_JSON"},
				{"a type that is none", `{}`, "application/json; =", 415, "NOT_JSON"},
				{"with a charset", `{}`, "application/json; charset=utf-8", 0, ""},
				{"in capitals", `{}`, "Application/JSON", 0, ""},

				{"empty", ``, "-", 0, ""},
				{"empty, declared as a form", ``, "application/x-www-form-urlencoded", 0, ""},
				{"empty object", `{}`, "application/json", 0, ""},
				{"white space around", " \r\n\t{} \n", "application/json", 0, ""},
				{"unknown members", `{"x":1,"y":{"z":[null]}}`, "application/json", 0, ""},

				{"duplicate member", `{"refresh_token":"a","refresh_token":"a"}`, "application/json", 400, "BAD_REQUEST"},
				{"duplicate by escape", `{"refresh_token":"a","refresh\u005ftoken":"a"}`, "application/json", 400, "BAD_REQUEST"},
				{"duplicate unknown member", `{"x":1,"x":1}`, "application/json", 400, "BAD_REQUEST"},
				{"duplicate further down", `{"x":{"y":1,"y":1}}`, "application/json", 400, "BAD_REQUEST"},
				{"trailing object", `{} {}`, "application/json", 400, "BAD_REQUEST"},
				{"trailing nonsense", `{}x`, "application/json", 400, "BAD_REQUEST"},
				{"cut off", `{"x":`, "application/json", 400, "BAD_REQUEST"},
				{"an array", `[]`, "application/json", 400, "BAD_REQUEST"},
				{"a string", `"{}"`, "application/json", 400, "BAD_REQUEST"},
				{"null", `null`, "application/json", 400, "BAD_REQUEST"},
				{"white space alone", `  `, "application/json", 400, "BAD_REQUEST"},
				{"a byte order mark", "\ufeff{}", "application/json", 400, "BAD_REQUEST"},
				{"not UTF-8", "{\"x\":\"\xff\"}", "application/json", 400, "BAD_REQUEST"},
			} {
				parts := []part{header("Content-Type", tt.kind)}
				if tt.kind == "-" {
					parts = []part{func(r *http.Request) { r.Header.Del("Content-Type") }}
				}
				p := s.signIn("alice")
				if route != "/logout" { // which would do something with it
					parts = append(parts, bearer(p.AccessToken))
				}
				a := s.post(route, tt.body, parts...)
				if a.asked = "POST " + route + " (" + tt.name + ")"; tt.status != 0 {
					a.refused(tt.status, tt.code)
					continue
				}
				switch route {
				case "/login", "/sessions/revoke":
					a.refused(400, "BAD_REQUEST")
					if strings.Contains(a.body, "the body") {
						t.Errorf("%s: got %s", a.asked, a.body)
					}
				case "/refresh":
					a.refused(401, "REFRESH_TOKEN_MISSING")
				case "/logout":
					a.refused(401, "TOKEN_MISSING")
				default:
					if a.status != 200 {
						t.Errorf("%s: got %d %s", a.asked, a.status, a.body)
					}
				}
			}
			for name, body := range map[string]string{
				"username":      `{"username":1,"password":"pw"}`,
				"refresh_token": `{"refresh_token":1}`,
				"all":           `{"all":"yes"}`,
				"session_id":    `{"session_id":{}}`,
			} {
				if takes := map[string]string{"username": "/login", "refresh_token": "/refresh", "all": "/logout", "session_id": "/sessions/revoke"}; takes[name] == route {
					s.post(route, body, bearer(s.signIn("alice").AccessToken)).refused(400, "BAD_REQUEST")
				}
			}
		}
	})
}

// postRoutes change state.
var postRoutes = []string{"/login", "/refresh", "/logout", "/logout-all", "/sessions/revoke", "/sessions/revoke-all"}

// Whatever carries the token of a request that changes state, it is refused
// when the browser says that it comes from elsewhere.
func TestCrossSite(t *testing.T) {
	onSite(t, func(c *core.Config) { c.TrustedOrigins = []string{"https://app.example.net"} }, func(t *testing.T, s *site) {
		for _, tt := range []struct {
			name   string
			site   string // Sec-Fetch-Site
			origin string
			passes bool
		}{
			{"no browser, or an old one", "", "", true},
			{"same origin", "same-origin", "", true},
			{"typed in", "none", "", true},
			{"another site", "cross-site", "", false},
			{"a sibling", "same-site", "", false},
			{"a word that is not known", "elsewhere", "", false},
			{"same origin, and another one", "same-origin, cross-site", "", false},

			{"this origin", "", "http://example.com", true},
			{"this host by TLS", "", "https://example.com", true}, // a proxy may end it
			{"another port", "", "http://example.com:8080", false},
			{"another origin", "", "https://evil.example", false},
			{"a sibling's origin", "", "https://www.example.com", false},
			{"one that ends alike", "", "https://notexample.com", false},
			{"opaque", "", "null", false},
			{"no origin at all", "", "nonsense", false},

			{"what the browser says goes before the origin", "same-origin", "https://evil.example", true},
			{"what the browser says goes before the origin", "cross-site", "http://example.com", false},

			{"trusted", "cross-site", "https://app.example.net", true},
			{"trusted, old browser", "", "https://app.example.net", true},
			{"trusted, without TLS", "cross-site", "http://app.example.net", false},
			{"trusted, another port", "cross-site", "https://app.example.net:8443", false},
		} {
			for _, route := range postRoutes {
				p := s.signIn("alice") // by cookie and by header
				parts := []part{refreshCookie(p.Cookie), bearer(p.AccessToken)}
				if tt.site != "" {
					parts = append(parts, header("Sec-Fetch-Site", tt.site))
				}
				if tt.origin != "" {
					parts = append(parts, header("Origin", tt.origin))
				}
				body := map[string]string{
					"/login":           `{"username":"alice","password":"pw"}`,
					"/sessions/revoke": `{"session_id":"` + p.Session.ID + `"}`,
				}[route]
				a := s.post(route, body, parts...).of(tt.name)
				if tt.passes {
					a.ok()
					continue
				}
				a.refused(403, "CROSS_SITE")
				s.alive(tt.name, p, true)
				s.post("/logout", "", bearer(p.AccessToken)).ok()
			}
			p := s.signIn("alice") // a list changes nothing, and another site can't read it
			s.do("GET", "/sessions", "", bearer(p.AccessToken), header("Sec-Fetch-Site", tt.site), header("Origin", tt.origin)).ok()
			s.post("/logout", `{"all":true}`, bearer(p.AccessToken)).ok()
		}
	})
}

// The list of the tests above is whole: the group has no other route.
func TestRoutes(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		var posts, others []string
		for _, r := range s.auth.Routes() {
			if r.Method == http.MethodPost {
				posts = append(posts, r.Path)
			} else {
				others = append(others, r.Method+" "+r.Path)
			}
		}
		if len(posts) != len(postRoutes) || strings.Join(others, " ") != "GET /sessions" {
			t.Errorf("got POST %q and %q", posts, others)
		}
		for _, route := range postRoutes {
			w := httptest.NewRecorder()
			s.mux.ServeHTTP(w, httptest.NewRequest("GET", prefix+route, nil))
			if w.Code != http.StatusMethodNotAllowed {
				t.Errorf("GET %s: got %d", route, w.Code)
			}
		}
	})
}
