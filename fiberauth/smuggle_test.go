package fiberauth_test

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
)

// chunked is a body in one chunk, or as many as it takes.
func chunked(method, target, body string, lines ...string) string {
	head := wire(method, target, "", append(lines, "Transfer-Encoding: chunked")...)
	var b strings.Builder
	for len(body) > 0 {
		n := min(len(body), 5000)
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return head + b.String() + "0\r\n\r\n"
}

// What is in the body of a request that is answered here is never taken for a
// request, however much of it was read: the next on the connection gets its own
// answer, or finds the connection closed.
func TestBodyIsNoRequest(t *testing.T) {
	for setting, config := range map[string]fiber.Config{
		"defaults":          {BodyLimit: 200 << 10},
		"StreamRequestBody": {StreamRequestBody: true, BodyLimit: 200 << 10},
	} {
		var smuggled atomic.Int64
		s := newSite(t, config, func(s *site) {
			s.app.All("/smuggled", func(*fiber.Ctx) error { smuggled.Add(1); return nil })
			s.app.Get("/who", fiberauth.Optional(s.auth), places)
			s.app.All("/required", fiberauth.Require(s.auth), places)
			s.app.Post("/watched", fiberauth.Watch(s.auth), places)
			s.app.Post("/mine", func(c *fiber.Ctx) error {
				_, err := fiberauth.SignIn(c, s.auth, core.SignInForm{})
				return fiberauth.Write(c, s.auth.Problem(err))
			})
		})
		alice := bearer(s.signIn("alice").AccessToken)
		const cross, expect = "Sec-Fetch-Site: cross-site", "Expect: 100-continue"
		// What is left unread begins at a power of two, or one byte after it.
		const request = "GET /smuggled HTTP/1.1\r\nHost: app.example\r\nX: 64 bytes......\r\n\r\n"
		for _, body := range []string{
			request, strings.Repeat(request, 100), strings.Repeat(request, 2000), strings.Repeat(request, 6000),
			" " + strings.Repeat(request, 1100), " " + strings.Repeat(request, 2000),
		} {
			for what, raws := range map[string][]string{
				"a guard's refusal":        {wire("POST", "/required", body), chunked("POST", "/required", body), wire("GET", "/required", body), chunked("DELETE", "/required", body)},
				"a login that is no JSON":  {wire("POST", "/auth/login", body), chunked("POST", "/auth/login", body)},
				"a login that is bad JSON": {wire("POST", "/auth/login", body, isJSON), chunked("POST", "/auth/login", body, isJSON)},
				"another site":             {wire("POST", "/auth/login", body, cross), chunked("POST", "/auth/login", body, cross)},
				"a route that reads none":  {wire("GET", "/auth/sessions", body, alice), chunked("GET", "/auth/sessions", body, alice), wire("HEAD", "/auth/sessions", body, alice)},
				"a watch's refusal":        {wire("POST", "/watched", body, cross), chunked("POST", "/watched", body, cross)},
				"a sign-in that fails":     {wire("POST", "/mine", body), chunked("POST", "/mine", body)},
				"waiting":                  {wire("POST", "/auth/login", body, expect), chunked("POST", "/auth/login", body, expect), wire("POST", "/required", body, expect)},
				"both lengths":             {chunked("POST", "/required", body, "Content-Length: 4"), chunked("POST", "/auth/login", body, "Content-Length: 0")},
				"a form of many parts":     {wire("POST", "/auth/login", body, "Content-Type: multipart/form-data; boundary=x")},
			} {
				for _, raw := range raws {
					c := s.dial()
					go func() { _, _ = io.WriteString(c, raw+wire("GET", "/who", "", alice, "Connection: close")) }() // may be refused midway
					got := c.rest()
					if n := smuggled.Swap(0); n > 0 {
						t.Errorf("%s, %s, %d bytes, %.30q: %d requests in the body were served", setting, what, len(body), raw, n)
					}
					if strings.Contains(got, "alice ") != strings.HasSuffix(got, "alice alice alice alice <nil>") || strings.Count(got, "alice ") > 4 {
						t.Errorf("%s, %s, %d bytes: got %.200q", setting, what, len(body), got)
					}
				}
			}
		}
	}
}

// Without StreamRequestBody nothing of a body is left, so the connection stays.
func TestConnectionStays(t *testing.T) {
	s := newSite(t, fiber.Config{}, func(s *site) { s.app.Post("/required", fiberauth.Require(s.auth), places) })
	c := s.dial()
	for range 3 {
		for _, raw := range []string{wire("POST", "/required", "{}"), wire("POST", "/auth/login", "{}", isJSON), wire("POST", "/auth/logout", "")} {
			if a := c.ask(raw); a.last || a.status < 400 {
				t.Errorf("%.30q: got %v, want a refusal on a connection that stays", raw, a)
			}
		}
	}
	// And with it a request that has no body does not end one.
	s = newSite(t, fiber.Config{StreamRequestBody: true}, nil)
	c = s.dial()
	for range 3 {
		if a := c.ask(wire("GET", "/auth/sessions", "")); a.last || a.status != 401 {
			t.Errorf("got %v, want 401 on a connection that stays", a)
		}
	}
	if a := c.ask(wire("POST", "/auth/logout", "{}", isJSON)); !a.last || a.status != 401 {
		t.Errorf("with a body: got %v, want the last answer of the connection", a)
	}
}

// Odd requests get an answer or none, and none of them somebody else's session.
func TestOddRequests(t *testing.T) {
	s := newSite(t, fiber.Config{}, func(s *site) { s.app.Get("/who", fiberauth.Require(s.auth), places) })
	token := s.signIn("alice").AccessToken
	head, tail := token[:20], token[20:]
	get := "GET /who HTTP/1.1\r\nHost: app.example\r\n"
	for _, tt := range []struct {
		rule string
		raw  string
		want int // 0: the connection is closed without an answer of the app's
	}{
		{"lines that end with a line feed alone", "GET /who HTTP/1.1\nHost: app.example\nAuthorization: Bearer " + token + "\n\n", 200},
		{"a token on a line that goes on", get + "Authorization: Bearer\r\n " + token + "\r\n\r\n", 200},
		{"a token in two pieces", get + "Authorization: Bearer " + head + "\r\n " + tail + "\r\n\r\n", 401},
		{"a token in two pieces, by a tab", get + "Authorization: Bearer " + head + "\t" + tail + "\r\n\r\n", 401},
		{"a NUL before it", get + "Authorization: Bearer \x00" + token + "\r\n\r\n", 401},
		{"a NUL after it", get + "Authorization: Bearer " + token + "\x00\r\n\r\n", 401},
		{"a carriage return after it", get + "Authorization: Bearer " + token + "\r\r\n\r\n", 401},
		{"a space before the colon", get + "Authorization : Bearer " + token + "\r\n\r\n", 400},
		{"the header twice", get + "Authorization: Bearer " + token + "\r\nAuthorization: Bearer " + token + "\r\n\r\n", 401},
		{"two tokens in one", get + "Authorization: Bearer " + token + ", Bearer " + token + "\r\n\r\n", 401},
		{"white space around it", get + "Authorization: \t Bearer   " + token + " \t \r\n\r\n", 200},
		{"another case of the scheme", get + "aUTHORIZATION: bEARER " + token + "\r\n\r\n", 200},
		{"another scheme", get + "Authorization: Basic " + token + "\r\n\r\n", 401},
		{"in the query", "GET /who?access_token=" + token + " HTTP/1.1\r\nHost: app.example\r\n\r\n", 401},
		{"in the trailer", get + "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n0\r\nAuthorization: Bearer " + token + "\r\n\r\n", 400},
		{"in a trailer that was not announced", get + "Transfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: Bearer " + token + "\r\n\r\n", 400},
		{"HTTP/1.0", "GET /who HTTP/1.0\r\nAuthorization: Bearer " + token + "\r\n\r\n", 200},
		{"an absolute target", "GET http://app.example/who HTTP/1.1\r\nHost: app.example\r\nAuthorization: Bearer " + token + "\r\n\r\n", 200},
		{"more headers than there is room for", get + strings.Repeat("X-Many: 1\r\n", 5000) + "\r\n", 431},
		{"many headers", get + strings.Repeat("X: 1\r\n", 400) + "Authorization: Bearer " + token + "\r\n\r\n", 200},
		{"a method of nobody's", "WHO /who HTTP/1.1\r\nHost: app.example\r\nAuthorization: Bearer " + token + "\r\n\r\n", 400},
	} {
		c := s.dial()
		go func() { _, _ = io.WriteString(c, tt.raw) }() // may be refused midway
		a, err := c.next("GET")
		if err != nil || a.status != tt.want || (a.status == 200) != strings.HasPrefix(a.body, "alice ") {
			t.Errorf("%s: got %v, error %v, want %d", tt.rule, a, err, tt.want)
		}
		c.Close()
	}
}

// Which site a request is from is told by the Host that was sent, not by one that
// a proxy or a client speaks of.
func TestCrossSite(t *testing.T) {
	for setting, config := range map[string]fiber.Config{
		"defaults": {}, "a proxy of Fiber's": {EnableTrustedProxyCheck: true, TrustedProxies: []string{"127.0.0.1"}}, "headers as they are": {DisableHeaderNormalizing: true},
	} {
		s := newSite(t, config, nil)
		for _, tt := range []struct {
			lines []string
			want  int
		}{
			{[]string{"Origin: https://app.example"}, 401},
			{[]string{"Origin: https://evil.example"}, 403},
			{[]string{"Origin: https://evil.example", "X-Forwarded-Host: evil.example"}, 403},
			{[]string{"Origin: https://app.example", "Origin: https://evil.example"}, 403},
			{[]string{"Origin: null"}, 403},
			{[]string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"}, 403},
			{[]string{"Sec-Fetch-Site: same-origin"}, 401},
			{[]string{"X-HTTP-Method-Override: GET", "Sec-Fetch-Site: cross-site"}, 403},
		} {
			if a := s.ask(wire("POST", "/auth/refresh", "", tt.lines...)); a.status != tt.want {
				t.Errorf("%s: %v: got %v, want %d", setting, tt.lines, a, tt.want)
			}
		}
	}
}
