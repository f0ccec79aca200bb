package fiberauth_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/encryptcookie"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
)

// Every cookie is a line of its own, beside the app's own, by whatever call of
// Fiber's it was set, before and after.
func TestSetCookieLines(t *testing.T) {
	own := func(c *fiber.Ctx, n int) {
		c.Cookie(&fiber.Cookie{Name: fmt.Sprint("own", n), Value: "a,b"})
		c.Response().Header.Add("Set-Cookie", fmt.Sprintf("added%d=1; Path=/x", n))
		c.Response().Header.Add("Set-Cookie", fmt.Sprintf("added%d=2; Path=/y", n))
	}
	s := newSite(t, fiber.Config{}, func(s *site) {
		s.app.Use(func(c *fiber.Ctx) error {
			own(c, 1)
			err := c.Next()
			own(c, 2)
			return err
		})
		s.app.Post("/mine", func(c *fiber.Ctx) error {
			pair, err := fiberauth.SignIn(c, s.auth, core.SignInForm{Identity: core.Identity{UserID: "alice"}})
			if err != nil {
				return err
			}
			return c.JSON(fiber.Map{"token": pair.AccessToken})
		})
		s.app.Post("/watched", fiberauth.Watch(s.auth), func(c *fiber.Ctx) error {
			return c.JSON(fiber.Map{"access_token": s.signIn("alice").AccessToken})
		})
	})
	for _, raw := range []string{
		wire("POST", "/auth/login", `{"username":"alice","password":"correct-horse"}`, isJSON),
		wire("POST", "/mine", ""),
		wire("POST", "/watched", ""),
	} {
		a := s.ask(raw)
		var names []string
		for _, line := range a.header.Values("Set-Cookie") {
			name, value, _ := strings.Cut(line, "=")
			names = append(names, name)
			if strings.HasPrefix(name, "own") && !strings.HasPrefix(value, "a,b;") {
				t.Errorf("got %q, want the app's cookie as it was", line)
			}
		}
		want := []string{"own1", "added1", "added1", "__Secure-refresh_token", "__Secure-device", "own2", "added2", "added2"}
		if a.status != 200 || !slices.Equal(names, want) {
			t.Errorf("%.20q: got %d with cookies %v, want %v", raw, a.status, names, want)
		}
	}
}

// Fiber's own encryptcookie works on the library's cookies, too.
func TestEncryptedCookies(t *testing.T) {
	s := newSite(t, fiber.Config{}, func(s *site) {
		s.app.Use(encryptcookie.New(encryptcookie.Config{Key: encryptcookie.GenerateKey()}))
	})
	a := s.ask(wire("POST", "/auth/login", `{"username":"alice","password":"correct-horse"}`, isJSON))
	var jar []string
	for _, line := range a.header.Values("Set-Cookie") {
		cookie, _, _ := strings.Cut(line, ";")
		if jar = append(jar, cookie); strings.Contains(cookie, "=sp") {
			t.Errorf("got %s, want it encrypted", cookie)
		}
	}
	if a := s.ask(wire("POST", "/auth/refresh", "", "Cookie: "+strings.Join(jar, "; "))); a.status != 200 {
		t.Errorf("refresh: got %v, want 200", a)
	}
}

// Write takes the place of what is there already, however it came there.
func TestWriteOver(t *testing.T) {
	for name, there := range map[string]func(c *fiber.Ctx) error{
		"nothing": func(*fiber.Ctx) error { return nil },
		"text":    func(c *fiber.Ctx) error { return c.SendString("the app's, and longer than what comes") },
		"JSON":    func(c *fiber.Ctx) error { return c.Status(201).JSON(fiber.Map{"a": 1}) },
		"a raw body": func(c *fiber.Ctx) error {
			c.Response().SetBodyRaw([]byte("the app's"))
			return nil
		},
		"a stream": func(c *fiber.Ctx) error { return c.SendStream(strings.NewReader("the app's")) },
		"a length": func(c *fiber.Ctx) error { return c.SendStream(strings.NewReader("the app's"), 9) },
	} {
		app := fiber.New()
		out := core.Response{Status: 418, Header: map[string][]string{"Content-Type": {"application/json"}, "Set-Cookie": {"a=1", "b=2"}}, Body: []byte("{}\n")}
		app.Get("/", func(c *fiber.Ctx) error {
			c.Set("X-App", "stays")
			if err := there(c); err != nil {
				return err
			}
			return fiberauth.Write(c, out)
		})
		a, err := app.Test(httptest.NewRequest("GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(a.Body)
		if err != nil || a.StatusCode != 418 || string(body) != "{}\n" || a.Header.Get("X-App") != "stays" ||
			!slices.Equal(a.Header["Content-Type"], []string{"application/json"}) || !slices.Equal(a.Header["Set-Cookie"], out.Header["Set-Cookie"]) {
			t.Errorf("over %s: got %d %v %q, error %v", name, a.StatusCode, a.Header, body, err)
		}
		if len(out.Body) != 3 || len(out.Header) != 2 {
			t.Errorf("over %s: Write changed the answer", name)
		}
	}
}

// One answer may be written to many requests at once: later ones, in the same
// memory, don't show in it.
func TestWriteKeepsTheAnswer(t *testing.T) {
	shared := core.Response{Status: 200, Body: []byte("shared")}
	s := newSite(t, fiber.Config{}, func(s *site) {
		s.app.Get("/shared", func(c *fiber.Ctx) error {
			err := fiberauth.Write(c, shared)
			c.Response().AppendBodyString(" and more")
			return err
		})
	})
	c := s.dial()
	for range 5 {
		if a := c.ask(wire("GET", "/shared", "")); a.body != "shared and more" {
			t.Errorf("got %q", a.body)
		}
	}
	if string(shared.Body) != "shared" {
		t.Errorf("the answer is now %q", shared.Body)
	}
}

// HEAD is GET without the body; other methods are Fiber's to refuse.
func TestMethods(t *testing.T) {
	s := newSite(t, fiber.Config{}, nil)
	c, alice := s.dial(), bearer(s.signIn("alice").AccessToken)
	get := c.ask(wire("GET", "/auth/sessions", "", alice))
	head := c.ask(wire("HEAD", "/auth/sessions", "", alice))
	if get.status != 200 || head.status != 200 || head.body != "" || head.header.Get("Content-Length") != get.header.Get("Content-Length") ||
		head.header.Get("Cache-Control") != "no-store" {
		t.Errorf("HEAD: got %v, want %v without its body", head, get)
	}
	if a := c.ask(wire("HEAD", "/auth/sessions", "")); a.status != 401 || a.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("HEAD without a token: got %v, want 401", a)
	}
	for _, method := range []string{"OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "GET"} {
		if a := c.ask(wire(method, "/auth/logout-all", "", alice)); a.status != 405 {
			t.Errorf("%s: got %v, want 405", method, a)
		}
	}
	if n := len(s.sessions("alice")); n != 1 {
		t.Errorf("got %d sessions, want 1", n)
	}
}

// Requests that come at once, over one connection, get their own answers in order.
func TestPipelining(t *testing.T) {
	s := newSite(t, fiber.Config{}, func(s *site) { s.app.Get("/who", fiberauth.Optional(s.auth), places) })
	c := s.dial()
	var all, want []string
	for i := range 10 {
		user := fmt.Sprint("user", i)
		all = append(all, wire("GET", "/who", "", bearer(s.signIn(user).AccessToken)), wire("GET", "/who", ""), wire("GET", "/who", "", bearer("x")),
			wire("POST", "/auth/login", "GET /who HTTP/1.1\r\n\r\n"))
		want = append(want, strings.Repeat(user+" ", 4)+"<nil>", "nobody nobody nobody nobody <nil>", "TOKEN_INVALID", "NOT_JSON")
	}
	c.send(strings.Join(all, ""))
	for i, w := range want {
		a, err := c.next("GET")
		if got := a.code(); err != nil || a.body != w && got != w {
			t.Errorf("answer %d: got %v, error %v, want %s", i, a, err, w)
		}
	}
}

// ReduceMemoryUsage of fasthttp v1.51 loses answers to requests that come at
// once, without anything of ours: what the kit meets in [TestConformanceBut].
func TestReduceMemoryUsageIsFasthttps(t *testing.T) {
	app := fiber.New(fiber.Config{ReduceMemoryUsage: true, DisableStartupMessage: true})
	app.Get("/:n", func(c *fiber.Ctx) error { return c.SendString(c.Params("n")) })
	url, end, err := serve(app)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	c := dial(t, strings.TrimPrefix(url, "http://"))
	c.send(wire("GET", "/1", "") + wire("GET", "/2", ""))
	if a, err := c.next("GET"); err != nil || a.body != "2" {
		t.Errorf("got %v, error %v: if that is the first answer, the kit's cases pass by now", a, err)
	}
}

// A body that is sent compressed is what it is: no JSON.
func TestCompressedBodies(t *testing.T) {
	s := newSite(t, fiber.Config{}, nil)
	for _, encoding := range []string{"gzip", "deflate", "br"} {
		zipped := zip(t, `{"username":"alice","password":"correct-horse"}`)
		if a := s.ask(wire("POST", "/auth/login", zipped, isJSON, "Content-Encoding: "+encoding)); a.status != 400 || a.code() != "BAD_REQUEST" {
			t.Errorf("%s: got %v, want 400", encoding, a)
		}
	}
	if a := s.ask(wire("POST", "/auth/login", `{"username":"alice","password":"correct-horse"}`, isJSON, "Content-Encoding: gzip")); a.status != 200 {
		t.Errorf("said to be compressed: got %v, want 200", a)
	}
}
