package fiberauth_test

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
)

// fasthttp keeps some headers apart from the others.
func TestHeadersGivenTwice(t *testing.T) {
	for setting, config := range map[string]fiber.Config{
		"normalized": {}, "as they are": {DisableHeaderNormalizing: true},
	} {
		ask := seen(t, config, nil)
		for _, tt := range []struct {
			rule  string
			lines []string
			name  string
			want  string
		}{
			{"the last User-Agent", []string{"User-Agent: one", "User-Agent: two"}, "User-Agent", "two"},
			{"every Content-Type", []string{"Content-Type: text/plain", isJSON}, "Content-Type", "text/plain, application/json"},
			{"every Origin", []string{"Origin: https://a.example", "origin: https://b.example"}, "Origin", "https://a.example, https://b.example"},
			{"every Authorization", []string{"Authorization: Bearer a", "AUTHORIZATION: Bearer b"}, "Authorization", "Bearer a, Bearer b"},
			{"every X-Forwarded-For, in its order", []string{"x-forwarded-for: 192.0.2.1", "X-Forwarded-For: 192.0.2.2", "x-forwarded-for: 192.0.2.3"}, "X-Forwarded-For", "192.0.2.1, 192.0.2.2, 192.0.2.3"},
			{"one that says nothing", []string{"X-Odd:"}, "X-Odd", ""},
			{"an odd name", []string{"!#$%&'*+.^_`|~1-x: a"}, "!#$%&'*+.^_`|~1-X", "a"},
			{"a name that has no place in a header", []string{"X-Odd: a"}, "X Odd\r\n", ""},
			{"no name", []string{"X-Odd: a"}, "", ""},
			{"a Connection that is closed", []string{"Connection: close"}, "Connection", "close"},
		} {
			ask(wire("POST", "/seen/it", "{}", tt.lines...), func(r core.Request) {
				if got := r.Header(tt.name); got != tt.want {
					t.Errorf("%s: %s: got %q, want %q", setting, tt.rule, got, tt.want)
				}
			})
		}
		ask("GET /seen/it HTTP/1.1\r\nHost: a.example\r\nHOST: b.example\r\n\r\n", func(r core.Request) {
			if got := r.Host(); got != "b.example" || r.Header("Host") != got {
				t.Errorf("%s: two Hosts: got %q and %q, want the last", setting, got, r.Header("Host"))
			}
		})
	}
}

// Proxies that speak HTTP/2 hand header names on in lower case: with
// DisableHeaderNormalizing no check may pass for want of a header.
func TestLowerCaseHeaders(t *testing.T) {
	for name, config := range map[string]fiber.Config{
		"normalized": {}, "as they are": {DisableHeaderNormalizing: true},
	} {
		s := newSite(t, config, nil)
		const login = `{"username":"alice","password":"correct-horse"}`
		for _, line := range []string{"sec-fetch-site: cross-site", "origin: https://evil.example", "SEC-FETCH-SITE: cross-site"} {
			if a := s.ask(wire("POST", "/auth/login", login, "content-type: application/json", line)); a.status != 403 || a.code() != "CROSS_SITE" {
				t.Errorf("%s: %s: got %v, want 403", name, line, a)
			}
		}
		pair := s.signIn("alice")
		if a := s.ask(wire("GET", "/auth/sessions", "", strings.ToLower("Authorization")+": Bearer "+pair.AccessToken)); a.status != 200 {
			t.Errorf("%s: a token: got %v, want 200", name, a)
		}
		if a := s.ask(wire("POST", "/auth/refresh", "", "cookie: __Secure-refresh_token="+pair.RefreshToken)); a.status != 200 {
			t.Errorf("%s: a cookie: got %v, want 200", name, a)
		}
	}
}

// An earlier middleware that asks for a cookie has fasthttp parse them all. Then
// quotes around a value are gone, which no token of ours has; nothing else may
// change.
func TestCookiesThatWereParsed(t *testing.T) {
	asked := func(c *fiber.Ctx) error { c.Cookies("other"); return c.Next() }
	for _, tt := range []struct {
		rule   string
		lines  []string
		want   []string
		parsed []string // nil: want
	}{
		{"every cookie of a name, in its order", []string{"Cookie: t=b; x=1; t=a; t=b"}, []string{"b", "a", "b"}, nil},
		{"of every line", []string{"Cookie: t=1", "X-Between: -", "cookie: t=2; t=3"}, []string{"1", "2", "3"}, nil},
		{"what is after the first equals sign", []string{"Cookie: t=a=b==; t=="}, []string{"a=b==", "="}, nil},
		{"an empty one", []string{"Cookie: t=; x"}, []string{""}, nil},
		{"not decoded", []string{"Cookie: t=a%20b+c%"}, []string{"a%20b+c%"}, nil},
		{"no other case", []string{"Cookie: T=1"}, nil, nil},
		{"no part of another", []string{`Cookie: xt=1; t2=2; "t=3; tt`}, nil, nil},
		{"none whose value has a byte that it can't have", []string{`Cookie: x="1; t=2"; t=3\4; t=ok`}, []string{"ok"}, nil},
		{"quotes", []string{`Cookie: t="a"; t="b; t=c"; t=d`}, []string{`"a"`, "d"}, []string{"a", "d"}},
		// A browser sends "=t=evil" for a cookie without a name, which any site of
		// the domain may set though the name is one that it may not.
		{"a cookie without a name is none of the name", []string{"Cookie: =t=evil; x=1; ==t=evil"}, nil, nil},
		{"alone and without a name", []string{"Cookie: =t=evil"}, nil, nil},
		{"without a name and quoted", []string{`Cookie: ="t=evil"; "t=evil"`}, nil, nil},
		{"none", nil, nil, nil},
	} {
		for _, config := range []fiber.Config{{}, {Immutable: true}, {DisableHeaderNormalizing: true}} {
			unparsed, parsed := tt.want, tt.want
			if tt.parsed != nil {
				parsed = tt.parsed
			}
			if config.DisableHeaderNormalizing && len(tt.lines) > 1 {
				continue // both spellings in one request are nobody's
			}
			for _, with := range []struct {
				before fiber.Handler
				want   []string
			}{{nil, unparsed}, {asked, parsed}} {
				seen(t, config, with.before)(wire("GET", "/seen/it", "", tt.lines...), func(r core.Request) {
					for range 2 { // to ask changes nothing
						if got := r.Cookies("t"); !slices.Equal(got, with.want) {
							t.Errorf("%s, parsed before: %t: got %q, want %q", tt.rule, with.before != nil, got, with.want)
						}
					}
				})
			}
		}
	}
}

// What an earlier middleware makes of the cookies counts, as Fiber's own
// encryptcookie relies on.
func TestCookiesThatWereChanged(t *testing.T) {
	for name, tt := range map[string]struct {
		before fiber.Handler
		want   []string
	}{
		"set":     {func(c *fiber.Ctx) error { c.Request().Header.SetCookie("t", "new"); return c.Next() }, []string{"new"}},
		"dropped": {func(c *fiber.Ctx) error { c.Request().Header.DelAllCookies(); return c.Next() }, nil},
	} {
		seen(t, fiber.Config{}, tt.before)(wire("GET", "/seen/it", "", "Cookie: t=old"), func(r core.Request) {
			if got := r.Cookies("t"); !slices.Equal(got, tt.want) {
				t.Errorf("%s: got %q, want %q", name, got, tt.want)
			}
		})
	}
}

// A parameter is the one that Fiber's router saw, whatever the setting.
func TestParam(t *testing.T) {
	loose, strict, unescape := fiber.Config{}, fiber.Config{StrictRouting: true, CaseSensitive: true}, fiber.Config{UnescapePath: true}
	both := fiber.Config{UnescapePath: true, Immutable: true, StrictRouting: true}
	for _, tt := range []struct {
		rule   string
		config fiber.Config
		target string
		want   string // "": no route
	}{
		{"a slash at the end", loose, "/seen/users/alice/logout/", "alice"},
		{"slashes at the end", loose, "/seen/users/alice/logout//", "alice"},
		{"many", loose, "/seen/users/alice/logout////", "alice"},
		{"at the end of a parameter", loose, "/seen/users/alice//", "alice"},
		{"slashes at the end, UnescapePath", unescape, "/seen/users/alice/logout/%2F", "alice"},
		{"strict routing has none", strict, "/seen/users/alice/logout/", ""},
		{"nobody's name is empty", loose, "/seen/users//logout", ""},
		{"nor is it anybody else's", loose, "/seen/users///logout", ""},
		{"letter case stays", loose, "/SEEN/Users/Alice/LOGOUT", "Alice"},
		{"a plus is a plus", loose, "/seen/users/a+b/logout", "a+b"},
		{"UnescapePath: a plus is a plus", unescape, "/seen/users/a+b/logout", "a+b"},
		{"UnescapePath: encoded too", both, "/seen/users/a%2Bb+c%20d/logout", "a+b+c d"},
		{"UnescapePath: decoded once", unescape, "/seen/users/a%2541/logout", "a%41"},
		{"UnescapePath: it ends at an encoded slash", unescape, "/seen/users/a%2Flogout", "a"},
		{"UnescapePath: what can't be decoded", unescape, "/seen/users/a%zz/logout", "a%zz"},
		{"not decoded, it can't be a name", loose, "/seen/users/a%zz/logout", "-"},
		{"the query has no say", loose, "/seen/users/alice/logout?user=bob//", "alice"},
		{"nor has a fragment", loose, "/seen/users/alice/logout#/x", "alice"},
	} {
		got := ""
		a := seen(t, tt.config, nil)(wire("POST", tt.target, "{}"), func(r core.Request) {
			if got = r.Param("user"); got == "" {
				got = "-"
			}
		})
		if got != tt.want {
			t.Errorf("%s: %s: got %q, want %q (%d)", tt.rule, tt.target, got, tt.want, a.status)
		}
	}
}

// A path that a middleware has rewritten is the one that counts.
func TestRewrittenPath(t *testing.T) {
	for _, config := range []fiber.Config{{}, {Immutable: true}, {UnescapePath: true}} {
		for from, want := range map[string]string{
			"/old/alice/logout":    "alice",
			"/old/a+b%20c/logout":  "a+b c",
			"/old/a%2541/logout//": "a%41",
		} {
			got := ""
			seen(t, config, func(c *fiber.Ctx) error {
				if rest, ok := strings.CutPrefix(string(c.Request().URI().PathOriginal()), "/old/"); ok {
					c.Path("/seen/users/" + rest)
					return c.RestartRouting()
				}
				return c.Next()
			})(wire("POST", from, ""), func(r core.Request) { got = r.Param("user") })
			if got != want {
				t.Errorf("%s: got %q, want %q", from, got, want)
			}
		}
	}
}

// The client's address is the peer's, whatever headers and Fiber's settings say.
func TestAddressIsThePeers(t *testing.T) {
	spoofs := []string{"X-Forwarded-For: 192.0.2.1", "X-Real-Ip: 192.0.2.2", "Forwarded: for=192.0.2.3", "X-Client: 192.0.2.4"}
	for name, config := range map[string]fiber.Config{
		"defaults":              {},
		"ProxyHeader":           {ProxyHeader: "X-Forwarded-For"},
		"ProxyHeader of a name": {ProxyHeader: "X-Client"},
		"trusted by Fiber":      {ProxyHeader: "X-Forwarded-For", EnableTrustedProxyCheck: true, TrustedProxies: []string{"127.0.0.1"}, EnableIPValidation: true},
	} {
		s := newSite(t, config, nil)
		login := wire("POST", "/auth/login", `{"username":"alice","password":"correct-horse"}`, append(spoofs, isJSON)...)
		if a := s.ask(login); a.status != 200 {
			t.Fatalf("%s: got %v", name, a)
		}
		if got := s.sessions("alice")[0].IP; got != "127.0.0.1" {
			t.Errorf("%s: the session's address: got %q, want 127.0.0.1", name, got)
		}
		s.mu.Lock()
		for _, e := range s.events {
			if e.IP != "127.0.0.1" {
				t.Errorf("%s: %s: got address %q, want 127.0.0.1", name, e.Name, e.IP)
			}
		}
		s.mu.Unlock()
	}
}

func TestPeer(t *testing.T) {
	app := fiber.New()
	var got netip.Addr
	fiberauth.Mount(app, "/", []core.Route{{Method: "GET", Path: "/it", Serve: func(r core.Request) core.Response {
		got = r.Peer()
		return core.Response{Status: 204}
	}}})
	handle := app.Handler()
	for _, tt := range []struct {
		addr net.Addr
		want string
	}{
		{&net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 80}, "192.0.2.1"},
		{&net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 80}, "2001:db8::1"},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 80, Zone: "eth0"}, "fe80::1%eth0"},
		{&net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1").To16(), Port: 80}, "192.0.2.1"},
		{&net.UnixAddr{Name: "@", Net: "unix"}, "invalid IP"},
		{&net.UnixAddr{Name: "/run/192.0.2.1:80", Net: "unix"}, "invalid IP"},
	} {
		var ctx fasthttp.RequestCtx
		ctx.Init(&fasthttp.Request{}, tt.addr, nil)
		ctx.Request.SetRequestURI("/it")
		if handle(&ctx); got.String() != tt.want || ctx.Response.StatusCode() != 204 {
			t.Errorf("%v: got %v, want %s (%d)", tt.addr, got, tt.want, ctx.Response.StatusCode())
		}
	}
}
