package fiberauth_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
	"github.com/sallyport-go/sallyport/memstore"
)

var testKey = []byte(rand.Text() + rand.Text())

// site is an app that is served, with the library's routes below /auth.
type site struct {
	testing.TB
	auth *core.Auth
	app  *fiber.App
	addr string

	mu     sync.Mutex
	events []core.Event
}

// newAuth returns an Auth that lets everybody in.
func newAuth(t testing.TB, change func(*core.Config)) *core.Auth {
	t.Helper()
	c := core.Config{
		Limits: core.Limits{Off: true},
		Store:  memstore.New(),
		Keys:   []core.Key{{Secret: testKey}},
		Authenticate: func(_ context.Context, c core.Credentials) (core.Identity, error) {
			return core.Identity{UserID: c.Username}, nil
		},
		Audit: func(context.Context, core.Event) {},
	}
	if change != nil {
		change(&c)
	}
	auth, err := core.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return auth
}

// newSite serves an app until the test is over. before says what of the app's own
// stands before the library's routes, and may be nil.
func newSite(t testing.TB, config fiber.Config, before func(s *site)) *site {
	t.Helper()
	s := &site{TB: t}
	s.auth = newAuth(t, func(c *core.Config) {
		c.Audit = func(_ context.Context, e core.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, e)
		}
	})
	config.DisableStartupMessage = true
	s.app = fiber.New(config)
	if before != nil {
		before(s)
	}
	fiberauth.Mount(s.app, "/auth", s.auth.Routes())
	fiberauth.Mount(s.app, "/admin", s.auth.AdminRoutes(core.Role("admin")))
	url, end, err := serve(s.app)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	s.addr = strings.TrimPrefix(url, "http://")
	return s
}

// signIn returns a new session of a user's.
func (s *site) signIn(user string, roles ...string) core.Pair {
	s.Helper()
	pair, err := s.auth.SignIn(s.Context(), core.SignInRequest{Identity: core.Identity{UserID: user, Roles: roles}})
	if err != nil {
		s.Fatal(err)
	}
	return pair
}

func bearer(token string) string { return "Authorization: Bearer " + token }

// sessions returns the live sessions of a user.
func (s *site) sessions(user string) []core.Session {
	s.Helper()
	sessions, err := s.auth.Sessions(s.Context(), user)
	if err != nil {
		s.Fatal(err)
	}
	return sessions
}

// wire is a request as it is sent; with a body it says how long that is.
func wire(method, target, body string, lines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: app.example\r\n", method, target)
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + body
}

const isJSON = "Content-Type: application/json"

// conn is a connection to a site.
type conn struct {
	net.Conn
	t  testing.TB
	in *bufio.Reader
}

func (s *site) dial() *conn { s.Helper(); return dial(s, s.addr) }

func dial(t testing.TB, addr string) *conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err == nil {
		err = c.SetDeadline(time.Now().Add(time.Minute)) // nothing waits unless it is broken
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &conn{c, t, bufio.NewReader(c)}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	last   bool // the server closes the connection after it
}

func (a answer) code() string {
	var p struct{ Code string }
	_ = json.Unmarshal([]byte(a.body), &p) // "" if it is no problem
	return p.Code
}

func (a answer) String() string { return fmt.Sprint(a.status, " ", a.header, " ", a.body) }

func (c *conn) send(raw string) {
	c.t.Helper()
	if _, err := io.WriteString(c, raw); err != nil {
		c.t.Fatalf("sending %.40q: %v", raw, err)
	}
}

// next reads the next answer to a request of a method.
func (c *conn) next(method string) (answer, error) {
	r, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return answer{r.StatusCode, r.Header, string(body), r.Close}, err
}

// ask sends a request and returns its answer.
func (c *conn) ask(raw string) answer {
	c.t.Helper()
	c.send(raw)
	method, _, _ := strings.Cut(raw, " ")
	a, err := c.next(method)
	if err != nil {
		c.t.Fatalf("%.60q: no answer: %v", raw, err)
	}
	return a
}

// ask sends a request over a connection of its own.
func (s *site) ask(raw string) answer { s.Helper(); return s.dial().ask(raw) }

// rest reads what comes until the server closes the connection.
func (c *conn) rest() string {
	b, _ := io.ReadAll(c.in) // a reset is as good an end
	return string(b)
}

// seen serves one route that shows its request, POST and GET below /seen, and
// returns how to send one.
func seen(t testing.TB, config fiber.Config, before fiber.Handler) func(raw string, look func(core.Request)) answer {
	t.Helper()
	var mu sync.Mutex
	var show func(core.Request)
	route := func(r core.Request) core.Response {
		mu.Lock()
		defer mu.Unlock()
		show(r)
		return core.Response{Status: http.StatusNoContent}
	}
	var routes []core.Route
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, path := range []string{"/it", "/users/{user}/logout", "/users/{user}"} {
			routes = append(routes, core.Route{Method: method, Path: path, Serve: route})
		}
	}
	config.DisableStartupMessage = true
	app := fiber.New(config)
	if before != nil {
		app.Use(before)
	}
	fiberauth.Mount(app, "/seen", routes)
	url, end, err := serve(app)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return func(raw string, look func(core.Request)) answer {
		t.Helper()
		mu.Lock()
		show = look
		mu.Unlock()
		return dial(t, strings.TrimPrefix(url, "http://")).ask(raw)
	}
}
