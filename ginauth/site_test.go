package ginauth_test

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

var testKey = []byte(rand.Text() + rand.Text())

// site is an app on Gin. It is served from the first request on.
type site struct {
	*gin.Engine
	t      *testing.T
	auth   *core.Auth
	server *httptest.Server
	after  func() // a request, if not nil
}

// newSite returns an app without routes. change may be nil.
func newSite(t *testing.T, change func(*core.Config)) *site {
	t.Helper()
	return &site{Engine: gin.New(), t: t, auth: newAuth(t, change)}
}

func newAuth(t testing.TB, change func(*core.Config)) *core.Auth {
	t.Helper()
	config := core.Config{
		Limits:       core.Limits{Off: true},
		Store:        memstore.New(),
		Keys:         []core.Key{{Secret: testKey}},
		Authenticate: authenticate,
		Prefix:       "/auth",
		Cookie:       core.Cookie{Insecure: true},
		MaxSessions:  256,
		Audit:        func(context.Context, core.Event) {},
	}
	if change != nil {
		change(&config)
	}
	auth, err := core.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return auth
}

// signIn returns the tokens of a user, of a session of its own.
func (s *site) signIn(user string, roles ...string) core.Pair {
	s.t.Helper()
	pair, err := s.auth.SignIn(s.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user, Roles: roles}})
	if err != nil {
		s.t.Fatal(err)
	}
	return pair
}

// bearer returns the line of a header that carries a new token of a user.
func (s *site) bearer(user string, roles ...string) string {
	s.t.Helper()
	return "Authorization: Bearer " + s.signIn(user, roles...).AccessToken
}

// answer is what came back, and of what.
type answer struct {
	status int
	header http.Header
	body   string
}

// code is the code of a refusal.
func (a answer) code() string {
	_, rest, _ := strings.Cut(a.body, `"code":"`)
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

// cookie is the value of a cookie that is set, or "".
func (a answer) cookie(name string) string {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// serve serves the app until the test is over.
func (s *site) serve() *httptest.Server {
	if s.server == nil {
		s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s.after != nil {
				defer s.after()
			}
			s.ServeHTTP(w, r)
		}))
		s.server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		s.t.Cleanup(s.server.Close)
	}
	return s.server
}

// send sends a request with lines of a header.
func (s *site) send(method, path, body string, lines ...string) *http.Response {
	s.t.Helper()
	server := s.serve()
	r, err := http.NewRequestWithContext(s.t.Context(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		r.Header.Add(name, value)
	}
	out, err := server.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// ask sends a request and returns its answer.
func (s *site) ask(method, path, body string, lines ...string) answer {
	s.t.Helper()
	out := s.send(method, path, body, lines...)
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{out.StatusCode, out.Header, string(b)}
}
