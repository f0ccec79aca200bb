package redisstore_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// proof reports whether tests are to run at full length.
func proof() bool { return os.Getenv("SALLYPORT_PROOF") != "" }

// long leaves a test out that takes long and shows nothing about data races, nor about
// the module on its own, where SALLYPORT_QUICK is set.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("SALLYPORT_QUICK") != "" {
		t.Skip("it takes long")
	}
}

func TestMain(m *testing.M) {
	logging.Disable() // clients complain of each server that a test takes away
	os.Exit(m.Run())
}

// site is one process of an app: an Auth, its routes, and what it has audited.
type site struct {
	*core.Auth
	t   testing.TB
	mux *http.ServeMux

	mu     sync.Mutex
	events []core.Event
}

// newKeys returns keys for sites that are one system.
func newKeys() []core.Key {
	secret := make([]byte, 32)
	rand.Read(secret)
	return []core.Key{{Secret: secret}}
}

// openSite starts a process. Whoever signs in is let in, and is an administrator if
// called root. The caller closes it.
func openSite(t testing.TB, keys []core.Key, store core.Store, changes ...func(*core.Config)) *site {
	t.Helper()
	s := &site{t: t, mux: http.NewServeMux()}
	c := core.Config{
		Limits: core.Limits{Off: true},
		Store:  store,
		Keys:   keys,
		Prefix: "/auth",
		Cookie: core.Cookie{Insecure: true},
		Grace:  5 * time.Minute, // whatever else this machine does
		Authenticate: func(_ context.Context, c core.Credentials) (core.Identity, error) {
			return core.Identity{UserID: c.Username}, nil
		},
		Audit: func(_ context.Context, e core.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, e)
		},
	}
	for _, change := range changes {
		change(&c)
	}
	var err error
	if s.Auth, err = core.New(c); err != nil {
		t.Fatal(err)
	}
	nethttpauth.Mount(s.mux, "/auth", s.Routes())
	nethttpauth.Mount(s.mux, "/admin", s.AdminRoutes(core.Allow(func(_ context.Context, p *core.Principal) (bool, error) {
		return strings.HasPrefix(p.UserID, "root"), nil
	})))
	page := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	s.mux.Handle("GET /page", nethttpauth.Require(s.Auth)(page))
	s.mux.Handle("GET /strict", nethttpauth.Require(s.Auth, core.Strict())(page))
	return s
}

// audited returns how many records of some names there are.
func (s *site) audited(names ...core.EventName) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, e := range s.events {
		for _, name := range names {
			if e.Name == name {
				n++
			}
		}
	}
	return n
}

// signIn begins a session, on a store that is well.
func (s *site) signIn(user string) core.Pair {
	s.t.Helper()
	pair, err := s.SignIn(s.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}})
	if err != nil {
		s.t.Fatal(err)
	}
	return pair
}

// answer is what a request or a call came to.
type answer struct {
	status  int
	code    string // of a refusal
	header  http.Header
	body    []byte
	cookies []*http.Cookie
}

// bearer has a request carry an access token.
func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// cookie has a request carry a cookie.
func cookie(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: name, Value: value}) }
}

// request has the routes serve one.
func (s *site) request(method, path, body string, with ...func(*http.Request)) answer {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for _, change := range with {
		change(r)
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	var problem struct {
		Code string `json:"code"`
	}
	if w.Code >= 400 {
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
			s.t.Errorf("%s %s: %v", method, path, err)
		}
	}
	return answer{w.Code, problem.Code, w.Header(), w.Body.Bytes(), w.Result().Cookies()}
}

// answered is what a call came to, as a route would put it.
func answered(err error) answer {
	var e *core.Error
	switch {
	case err == nil:
		return answer{status: http.StatusOK}
	case errors.As(err, &e):
		return answer{status: e.Status, code: e.Code}
	}
	return answer{status: http.StatusInternalServerError, code: err.Error()}
}

// newClient returns a client of a server at an address, closed with the test.
func newClient(t testing.TB, addr string, changes ...func(*redis.Options)) *redis.Client {
	o := &redis.Options{Addr: addr}
	for _, change := range changes {
		change(o)
	}
	client := redis.NewClient(o)
	t.Cleanup(func() { client.Close() })
	return client
}
