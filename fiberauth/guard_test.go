package fiberauth_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
)

type visitKey struct{}

// places says whom a request speaks for, by every way to ask.
func places(c *fiber.Ctx) error {
	local, _ := c.Locals(core.PrincipalKey{}).(*core.Principal)
	name := func(p *core.Principal) string {
		if p == nil {
			return "nobody"
		}
		return p.UserID
	}
	return c.SendString(fmt.Sprint(name(fiberauth.Principal(c)), " ", name(core.FromContext(c.UserContext())), " ",
		name(core.FromContext(c.Context())), " ", name(local), " ", c.UserContext().Value(visitKey{})))
}

// The principal is in every place where Fiber's users look, with what the app's
// middleware put into the context, and in none at the next request of the
// connection, for which Fiber takes the same memory.
func TestPrincipalPlaces(t *testing.T) {
	for _, config := range []fiber.Config{{}, {Immutable: true}, {StreamRequestBody: true}} {
		s := newSite(t, config, func(s *site) {
			s.app.Use("/with", func(c *fiber.Ctx) error {
				c.SetUserContext(context.WithValue(c.UserContext(), visitKey{}, 7))
				return c.Next()
			})
			for _, under := range []string{"", "/with"} {
				s.app.Get(under+"/required", fiberauth.Require(s.auth), places)
				s.app.Get(under+"/optional", fiberauth.Optional(s.auth), places)
				s.app.Get(under+"/open", places)
			}
		})
		alice, bob := bearer(s.signIn("alice").AccessToken), bearer(s.signIn("bob").AccessToken)
		c := s.dial()
		for i, ask := range []struct{ path, token, want string }{
			{"/required", alice, "alice alice alice alice"},
			{"/open", alice, "nobody nobody nobody nobody"},
			{"/optional", "X-No: token", "nobody nobody nobody nobody"},
			{"/required", bob, "bob bob bob bob"},
			{"/optional", alice, "alice alice alice alice"},
			{"/open", "X-No: token", "nobody nobody nobody nobody"},
		} {
			for under, visit := range map[string]string{"": "<nil>", "/with": "7"} {
				if got := c.ask(wire("GET", under+ask.path, "", ask.token)).body; got != ask.want+" "+visit {
					t.Errorf("request %d, %s%s: got %s, want %s %s", i+1, under, ask.path, got, ask.want, visit)
				}
			}
		}
	}
}

// Nothing after a guard that refuses runs: no handler of the route, and no other
// route that the path would lead to.
func TestRefusalEndsTheRequest(t *testing.T) {
	var mu sync.Mutex
	var ran []string
	run := func(name string) fiber.Handler {
		return func(c *fiber.Ctx) error {
			mu.Lock()
			defer mu.Unlock()
			ran = append(ran, name)
			return c.Next()
		}
	}
	s := newSite(t, fiber.Config{}, func(s *site) {
		s.app.Use(run("before"))
		s.app.Post("/route", fiberauth.Require(s.auth, core.Role("admin")), run("handler"), run("last"))
		s.app.Use("/group", fiberauth.Require(s.auth, core.Role("admin")))
		s.app.Group("/group").Post("/route", run("in the group"))
		s.app.Post("/optional", fiberauth.Optional(s.auth, core.Role("admin")), run("optional"))
		s.app.Post("/watched", fiberauth.Watch(s.auth), run("watched"))
		s.app.Use(run("another"))
	})
	alice := bearer(s.signIn("alice").AccessToken)
	for _, tt := range []struct {
		path, line string
		status     int
	}{
		{"/route", "X-No: token", 401},
		{"/route", bearer("nonsense"), 401},
		{"/route", alice, 403},
		{"/group/route", "X-No: token", 401},
		{"/group/route", alice, 403},
		{"/group/nowhere", alice, 403},
		{"/optional", bearer("nonsense"), 401},
		{"/optional", alice, 403},
		{"/watched", "Sec-Fetch-Site: cross-site", 403},
	} {
		a := s.ask(wire("POST", tt.path, "{}", tt.line))
		mu.Lock()
		if got := fmt.Sprint(ran); a.status != tt.status || got != "[before]" {
			t.Errorf("%s with %.30s: got %d and ran %s, want %d and [before]", tt.path, tt.line, a.status, got, tt.status)
		}
		ran = nil
		mu.Unlock()
	}
}

// What a handler behind a guard returns is the app's to answer.
func TestErrorsPassGuards(t *testing.T) {
	s := newSite(t, fiber.Config{ErrorHandler: func(c *fiber.Ctx, err error) error {
		return c.Status(418).SendString("the app says " + err.Error())
	}}, func(s *site) {
		fail := func(*fiber.Ctx) error { return errors.New("no") }
		s.app.Get("/required", fiberauth.Require(s.auth), fail)
		s.app.Get("/optional", fiberauth.Optional(s.auth), fail)
	})
	alice := bearer(s.signIn("alice").AccessToken)
	for _, path := range []string{"/required", "/optional"} {
		if a := s.ask(wire("GET", path, "", alice)); a.status != 418 || a.body != "the app says no" {
			t.Errorf("%s: got %v, want the app's error", path, a)
		}
	}
	if a := s.ask(wire("GET", "/required", "")); a.status != 401 || a.code() != "TOKEN_MISSING" {
		t.Errorf("a refusal: got %v, want 401, not the app's error", a)
	}
}

// The app's handler behind a guard gets the body, plain, form or streamed.
func TestBodyBehindGuard(t *testing.T) {
	for _, config := range []fiber.Config{{}, {Immutable: true}, {StreamRequestBody: true}} {
		s := newSite(t, config, func(s *site) {
			s.app.Post("/body", fiberauth.Require(s.auth), func(c *fiber.Ctx) error { return c.Send(c.Body()) })
			s.app.Post("/form", fiberauth.Optional(s.auth), func(c *fiber.Ctx) error { return c.SendString(c.FormValue("a")) })
			s.app.Post("/watched", fiberauth.Watch(s.auth), func(c *fiber.Ctx) error { return c.SendString(c.FormValue("a")) })
		})
		alice := bearer(s.signIn("alice").AccessToken)
		const form = "Content-Type: application/x-www-form-urlencoded"
		for path, want := range map[string]string{"/body": "a=b+c&d=e", "/form": "b c", "/watched": "b c"} {
			if got := s.ask(wire("POST", path, "a=b+c&d=e", alice, form)).body; got != want {
				t.Errorf("%s: got %q, want %q", path, got, want)
			}
		}
	}
}

// Many connections at once, each request with a user of its own: nobody is taken
// for another.
func TestNoMixUp(t *testing.T) {
	s := newSite(t, fiber.Config{}, func(s *site) {
		s.app.Get("/required", fiberauth.Require(s.auth, core.Role("clerk")), places)
	})
	const users, rounds = 16, 200
	tokens := make([]string, users)
	for i := range tokens {
		tokens[i] = bearer(s.signIn(fmt.Sprintf("user-%02d", i), "clerk").AccessToken)
	}
	var wg sync.WaitGroup
	for i := range users {
		c := s.dial()
		wg.Go(func() {
			for n := range rounds {
				u := (i + n*7) % users
				raw := wire("GET", "/required", "", tokens[u])
				if _, err := c.Write([]byte(raw)); err != nil {
					t.Error(err)
					return
				}
				a, err := c.next("GET")
				want := fmt.Sprintf("user-%02[1]d user-%02[1]d user-%02[1]d user-%02[1]d <nil>", u)
				if err != nil || a.body != want {
					t.Errorf("got %v, error %v, want %s", a, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}
