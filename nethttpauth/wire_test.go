package nethttpauth_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// The tests of the routes say what clients may rely on, as bytes. They go
// through net/http without sockets, in fake time that begins on 1 January 2000.

const (
	prefix      = "/api/v1/auth"
	adminPrefix = "/api/v1/admin"
	begins      = "2000-01-01T00:00:00Z"
)

var testKey = []byte(rand.Text() + rand.Text())

// site is an app with the routes. Its users are alice, bob and root, who is an
// admin. They have the password "pw" and can be made inactive.
type site struct {
	t        *testing.T
	auth     *core.Auth
	store    *failing
	mux      *http.ServeMux
	users    map[string]core.Identity // by name
	inactive map[string]bool
	broken   error   // what the app's functions fail with
	failures []error // that were audited
}

// failing is a store that can be down.
type failing struct {
	*memstore.Store
	down atomic.Bool // also read in the background
}

func (s *failing) Load(ctx context.Context, user string) (core.Ledger, error) {
	if s.down.Load() {
		return core.Ledger{}, errDown
	}
	return s.Store.Load(ctx, user)
}

func (s *failing) Commit(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
	if s.down.Load() {
		return core.Ledger{}, errDown
	}
	return s.Store.Commit(ctx, user, c)
}

func (s *failing) LoadMany(ctx context.Context, users []string) (map[string]core.Ledger, error) {
	if s.down.Load() {
		return nil, errDown
	}
	return s.Store.LoadMany(ctx, users)
}

// onSite runs a test on a site in a bubble of fake time. Cookies are not Secure
// unless change says so.
func onSite(t *testing.T, change func(*core.Config), test func(t *testing.T, s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, store: &failing{Store: memstore.New()}, mux: http.NewServeMux(), inactive: make(map[string]bool)}
		s.users = map[string]core.Identity{"alice": {UserID: "alice"}, "bob": {UserID: "bob"}, "root": {UserID: "root", Roles: []string{"admin"}}}
		c := core.Config{
			Store:  s.store,
			Keys:   []core.Key{{Secret: testKey}},
			Prefix: prefix,
			Cookie: core.Cookie{Insecure: true},
			Limits: core.Limits{Off: true},
			Audit: func(_ context.Context, e core.Event) {
				if e.Name == core.EventFailed {
					s.failures = append(s.failures, e.Err)
				}
			},
			Authenticate: func(_ context.Context, c core.Credentials) (core.Identity, error) {
				user, known := s.users[c.Username]
				switch {
				case s.broken != nil:
					return core.Identity{}, s.broken
				case !known || c.Password != "pw":
					return core.Identity{}, core.ErrInvalidCredentials
				case s.inactive[c.Username]:
					return core.Identity{}, fmt.Errorf("the app: %w", core.ErrUserInactive)
				}
				return user, nil
			},
			Active: func(_ context.Context, user string) (bool, error) { return !s.inactive[user], s.broken },
		}
		if change != nil {
			change(&c)
		}
		var err error
		if s.auth, err = core.New(c); err != nil {
			t.Fatal(err)
		}
		defer s.auth.Close()
		nethttpauth.Mount(s.mux, prefix, s.auth.Routes())
		nethttpauth.Mount(s.mux, adminPrefix, s.auth.AdminRoutes(core.Role("admin")))
		nethttpauth.Mount(s.mux, "/", s.auth.KeyRoutes())
		synctest.Wait() // the feed has been read
		test(t, s)
	})
}

// pass lets time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// part is something that a request carries.
type part func(*http.Request)

func bearer(token string) part {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func cookie(name, value string) part {
	return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: name, Value: value}) }
}

func header(name, value string) part {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// refreshCookie is the cookie of a site whose cookies are not Secure.
func refreshCookie(token string) part { return cookie("refresh_token", token) }

// refreshBody is a body with a refresh token.
func refreshBody(token string) string { return `{"refresh_token":"` + token + `"}` }

// answer is what came back.
type answer struct {
	t      *testing.T
	asked  string
	status int
	header http.Header
	body   string
}

// do sends a request to a route of the auth group.
func (s *site) do(method, route, body string, parts ...part) answer {
	s.t.Helper()
	return s.ask(method, prefix+route, body, parts...)
}

// admin sends a request to a route of the admin group.
func (s *site) admin(method, route, body string, parts ...part) answer {
	s.t.Helper()
	return s.ask(method, adminPrefix+route, body, parts...)
}

// ask sends a request. A body is sent as JSON.
func (s *site) ask(method, path, body string, parts ...part) answer {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, p := range parts {
		p(r)
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	return answer{s.t, method + " " + strings.TrimPrefix(path, prefix) + " " + body, w.Code, w.Result().Header, w.Body.String()}
}

func (s *site) post(route, body string, parts ...part) answer {
	s.t.Helper()
	return s.do("POST", route, body, parts...)
}

// of names the case that an answer belongs to.
func (a answer) of(name string) answer {
	a.asked += " (" + name + ")"
	return a
}

// ok checks that the answer is a 200 that no cache keeps, and returns it.
func (a answer) ok() answer {
	a.t.Helper()
	if a.status != http.StatusOK {
		a.t.Fatalf("%s: got %d %s, want 200", a.asked, a.status, a.body)
	}
	a.is("Content-Type", "application/json")
	a.is("Cache-Control", "no-store")
	return a
}

// refused checks that the answer is a refusal, byte for byte but for its
// detail. No refusal touches a cookie.
func (a answer) refused(status int, code string) answer {
	a.t.Helper()
	var p struct{ Detail string }
	_ = json.Unmarshal([]byte(a.body), &p)
	want := fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d,"code":%q,"detail":%q}`+"\n", http.StatusText(status), status, code, p.Detail)
	if a.status != status || a.body != want || p.Detail == "" {
		a.t.Fatalf("%s: got %d %s, want %d %s", a.asked, a.status, a.body, status, want)
	}
	a.is("Content-Type", "application/problem+json")
	a.is("Cache-Control", "no-store")
	a.cookies()
	if got := a.header.Get("Retry-After"); (got != "") != (status == 503 || status == 429) {
		a.t.Errorf("%s: Retry-After is %q", a.asked, got)
	}
	return a
}

// is checks a header. Want "": there is none.
func (a answer) is(name, want string) {
	a.t.Helper()
	if got := strings.Join(a.header.Values(name), "|"); got != want {
		a.t.Errorf("%s: %s is %q, want %q", a.asked, name, got, want)
	}
}

// cookies checks all cookies that are set, in their order.
func (a answer) cookies(want ...string) {
	a.t.Helper()
	got := a.header.Values("Set-Cookie")
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		a.t.Errorf("%s: cookies set:\n%s\nwant:\n%s", a.asked, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// equal checks the body, byte for byte.
func (a answer) equal(want string) {
	a.t.Helper()
	if a.body != want+"\n" {
		a.t.Errorf("%s: got\n%swant\n%s", a.asked, a.body, want)
	}
}

// cookie returns the value of a cookie that is set, or "".
func (a answer) cookie(name string) string {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// pair reads what the tests need of a Pair.
func (a answer) pair() (p pair) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.ok().body), &p); err != nil {
		a.t.Fatal(err)
	}
	p.Cookie, p.DeviceCookie = a.cookie("refresh_token"), a.cookie("device")
	return p
}

type pair struct {
	AccessToken      string `json:"access_token"`
	RefreshToken     string `json:"refresh_token"`
	ExpiresIn        int    `json:"expires_in"`
	RefreshExpiresIn int    `json:"refresh_expires_in"`
	Session          struct {
		ID     string
		Device struct {
			ID         string
			Name       string
			Type       string
			ClientType string `json:"client_type"`
			Browser    string
			OS         string
		}
		Risk       json.RawMessage
		IP         string
		CreatedAt  time.Time `json:"created_at"`
		LastSeenAt time.Time `json:"last_seen_at"`
		ExpiresAt  time.Time `json:"expires_at"`
	}

	Cookie, DeviceCookie string // that were set
}

// signIn signs a user in and returns the pair, with the cookies.
func (s *site) signIn(user string, parts ...part) pair {
	s.t.Helper()
	return s.post("/login", `{"username":"`+user+`","password":"pw"}`, parts...).pair()
}

// native signs a user in as a client without cookies.
func (s *site) native(user string) pair {
	s.t.Helper()
	return s.post("/login", `{"username":"`+user+`","password":"pw","delivery":"body"}`).pair()
}

// alive checks whether a session is, by its access token and the list.
func (s *site) alive(what string, p pair, want bool) {
	s.t.Helper()
	got := s.do("GET", "/sessions", "", bearer(p.AccessToken))
	if want {
		got.ok()
	} else if got.status != http.StatusUnauthorized {
		s.t.Errorf("%s: the session is alive: %d %s", what, got.status, got.body)
	}
}

// use uses access tokens once, so that later requests with them note nothing new.
func (s *site) use(pairs ...pair) {
	s.t.Helper()
	for _, p := range pairs {
		s.alive("used", p, true)
	}
}

// ledgers returns what the store has of all users, when the background is done.
func (s *site) ledgers() map[string]core.Ledger {
	s.t.Helper()
	synctest.Wait()
	all := make(map[string]core.Ledger)
	for _, user := range s.users {
		l, err := s.store.Store.Load(s.t.Context(), user.UserID)
		if err != nil {
			s.t.Fatal(err)
		}
		all[user.UserID] = l
	}
	return all
}

// unchanged checks that the store has what it had.
func (s *site) unchanged(what string, before map[string]core.Ledger) {
	s.t.Helper()
	after := s.ledgers()
	if reflect.DeepEqual(before, after) {
		return // most are, and it is much faster
	}
	if diff := cmp.Diff(before, after); diff != "" {
		s.t.Errorf("%s changed the store:\n%s", what, diff)
	}
}

// same checks that two answers are the same bytes.
func (a answer) same(b answer) {
	a.t.Helper()
	if a.status != b.status || a.body != b.body || !maps.EqualFunc(a.header, b.header, slices.Equal) {
		a.t.Errorf("%s: got %d %v %s%s: got %d %v %s", a.asked, a.status, a.header, a.body, b.asked, b.status, b.header, b.body)
	}
}

// session is a Session as it stands in an answer, unless it was used since.
func (p pair) session(current bool) string {
	return fmt.Sprintf(`{"id":%q,"current":%v,"device":{"id":%q,"name":%q,"type":%q,"client_type":%q,"browser":%q,"os":%q},`+
		`"ip":%q,"location":null,"created_at":%q,"last_seen_at":%q,"expires_at":%q,"risk":%s}`,
		p.Session.ID, current, p.Session.Device.ID, p.Session.Device.Name, p.Session.Device.Type, p.Session.Device.ClientType,
		p.Session.Device.Browser, p.Session.Device.OS, p.Session.IP,
		p.Session.CreatedAt.Format(time.RFC3339Nano), p.Session.LastSeenAt.Format(time.RFC3339Nano), p.Session.ExpiresAt.Format(time.RFC3339Nano),
		p.Session.Risk)
}

var errDown = errors.New("connection refused")
