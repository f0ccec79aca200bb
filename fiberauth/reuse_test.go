package fiberauth_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
)

// client is what one sign-in says of itself. Each is as long as any other, so
// that memory which is reused shows another's, and no rubbish.
func client(i int) (user, agent, device, name, kind string) {
	return fmt.Sprintf("user-%04d", i), fmt.Sprintf("Agent/%04d", i), fmt.Sprintf("device-%04d", i), fmt.Sprintf("Laptop %04d", i), fmt.Sprintf("kind-%04d", i)
}

// What core keeps of a request is its own, whether the library's login route
// signed in or the app's with strings that are Fiber's: sessions, audit events
// and tokens stay what they were while the connection carries other requests.
func TestKeptTextStays(t *testing.T) {
	const n = 100
	logins := map[string]func(i int) string{
		"login": func(i int) string {
			user, agent, device, name, kind := client(i)
			body := fmt.Sprintf(`{"username":%q,"password":"correct-horse","device_id":%q,"device_name":%q,"client_type":%q}`, user, device, name, kind)
			return wire("POST", "/auth/login", body, isJSON, "User-Agent: "+agent)
		},
		"form": func(i int) string {
			user, agent, device, name, kind := client(i)
			form := url.Values{"user": {user}, "device": {device}, "name": {name}, "kind": {kind}, "scope": {fmt.Sprintf("s:%04d t:%04d", i, i)}}
			return wire("POST", "/form", form.Encode(), "Content-Type: application/x-www-form-urlencoded", "User-Agent: "+agent)
		},
		"query": func(i int) string {
			user, agent, device, name, kind := client(i)
			form := url.Values{"user": {user}, "device": {device}, "name": {name}, "kind": {kind}, "scope": {fmt.Sprintf("s:%04d t:%04d", i, i)}}
			return wire("POST", "/form?"+form.Encode(), "", "User-Agent: "+agent)
		},
	}
	for how, login := range logins {
		for _, config := range []fiber.Config{{}, {StreamRequestBody: true}} {
			s := newSite(t, config, func(s *site) {
				s.app.Post("/form", func(c *fiber.Ctx) error {
					pair, err := fiberauth.SignIn(c, s.auth, core.SignInForm{
						Identity:   core.Identity{UserID: c.FormValue("user"), Scopes: strings.Fields(c.FormValue("scope"))},
						DeviceID:   c.FormValue("device"),
						DeviceName: c.FormValue("name"),
						ClientType: c.FormValue("kind"),
						Delivery:   "body",
					})
					if err != nil {
						return fiberauth.Write(c, s.auth.Problem(err))
					}
					return fiberauth.Write(c, pair.Response())
				})
			})
			var c *conn
			for i := range n {
				if c == nil {
					c = s.dial()
				}
				if a := c.ask(login(i)); a.status != 200 {
					t.Fatalf("%s: got %v", how, a)
				} else if a.last {
					c = nil
				}
			}
			s.mu.Lock()
			events := slices.Clone(s.events)
			s.mu.Unlock()
			for i := range n {
				user, agent, device, name, kind := client(i)
				want := fmt.Sprint(user, " ", agent, " ", device, " ", name, " ", kind)
				sessions := s.sessions(user)
				if len(sessions) != 1 {
					t.Errorf("%s: %s has %d sessions, want 1", how, user, len(sessions))
					continue
				}
				x := sessions[0]
				if got := fmt.Sprint(user, " ", x.UserAgent, " ", x.Device.ID, " ", x.Device.Name, " ", x.Device.ClientType); got != want {
					t.Errorf("%s: the session of %s: got %s", how, want, got)
				}
				if scopes := fmt.Sprintf("[s:%04d t:%04d]", i, i); how != "login" && fmt.Sprint(x.Scopes) != scopes {
					t.Errorf("%s: %s has scopes %v, want %s", how, user, x.Scopes, scopes)
				}
				if e := events[i]; e.UserID != user || e.UserAgent != agent || e.DeviceID != device || e.IP != "127.0.0.1" {
					t.Errorf("%s: event of %s: got %+v", how, want, e)
				}
			}
		}
	}
}

// What a guard hands out outlives its request, in whatever memory the token came;
// a token that only looks like a known one in that memory is no token.
func TestPrincipalStays(t *testing.T) {
	var kept []*core.Principal
	s := newSite(t, fiber.Config{}, func(s *site) {
		s.app.Get("/keep", fiberauth.Require(s.auth), func(c *fiber.Ctx) error {
			kept = append(kept, fiberauth.Principal(c))
			return nil
		})
	})
	const n = 50
	tokens := make([]string, n)
	for i := range tokens {
		user, _, device, _, kind := client(i)
		pair, err := s.auth.SignIn(t.Context(), core.SignInRequest{
			Identity: core.Identity{UserID: user, Roles: []string{"role-" + user}},
			Client:   core.Client{DeviceID: device, ClientType: kind},
		})
		if err != nil {
			t.Fatal(err)
		}
		tokens[i] = pair.AccessToken
	}
	c := s.dial()
	for round := range 3 { // new, known, and known to be wrong
		for i, token := range tokens {
			want := 200
			if round == 2 {
				token, want = token[:len(token)-8]+"AAAAAAAA", 401
			}
			if a := c.ask(wire("GET", "/keep", "", bearer(token))); a.status != want {
				t.Fatalf("round %d: token %d: got %v, want %d", round, i, a, want)
			}
		}
	}
	if len(kept) != 2*n {
		t.Fatalf("got %d principals, want %d", len(kept), 2*n)
	}
	for i, p := range kept {
		user, _, device, _, kind := client(i % n)
		if p.UserID != user || p.DeviceID != device || p.ClientType != kind || p.Roles[0] != "role-"+user || p != kept[i%n] {
			t.Errorf("principal %d: got %+v, want that of %s", i, p, user)
		}
	}
}

// What a refusal is because of is kept by nobody but the app's audit: no text of
// it is of the request's memory.
func TestAuditedErrorsStay(t *testing.T) {
	s := newSite(t, fiber.Config{}, func(s *site) {
		s.app.Get("/fails", fiberauth.Require(s.auth, core.Allow(func(_ context.Context, p *core.Principal) (bool, error) {
			return false, fmt.Errorf("no opinion of %s", p.UserID)
		})))
	})
	c := s.dial()
	for i := range 20 {
		user, _, _, _, _ := client(i)
		if a := c.ask(wire("GET", "/fails", "", bearer(s.signIn(user).AccessToken))); a.status != 500 || strings.Contains(a.body, user) {
			t.Fatalf("got %v, want 500 without the cause", a)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := 0
	for _, e := range s.events {
		if e.Name == core.EventFailed {
			user, _, _, _, _ := client(i)
			if e.Err == nil || !strings.HasSuffix(e.Err.Error(), "no opinion of "+user) {
				t.Errorf("failure %d: got %v, want one about %s", i, e.Err, user)
			}
			i++
		}
	}
	if i != 20 {
		t.Errorf("got %d failures, want 20", i)
	}
}
