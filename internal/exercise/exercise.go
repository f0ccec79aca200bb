// Package exercise takes an Auth through all that an Observer is told of, under names
// that can be looked for afterwards.
package exercise

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// Users is how many users Run has: each has some twenty secrets and names.
const Users = 60

// Canaries are texts that no metric may show.
type Canaries struct {
	mu   sync.Mutex
	seen map[string]bool
}

// new returns a text that nothing else has.
func (c *Canaries) new(what string) string { return c.keep(what + "-" + rand.Text()) }

func (c *Canaries) keep(text string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(text) < 7 {
		panic("exercise: " + text + " may be found by chance")
	}
	if c.seen == nil {
		c.seen = make(map[string]bool)
	}
	c.seen[text] = true
	return text
}

// In returns those that are found in a text, and how many were looked for.
func (c *Canaries) In(text []byte) (found []string, of int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for canary := range c.seen {
		if bytes.Contains(text, []byte(canary)) {
			found = append(found, canary)
		}
	}
	return found, len(c.seen)
}

// Run takes an Auth through sign-ins, refreshes, reuse, guards, admin calls and an
// outage, over HTTP. It runs in a bubble of testing/synctest. watch is called with the
// Auth before; at is called with the mode that the Auth is in, during the outage and
// after. The Auth is closed when the test ends.
func Run(t *testing.T, o core.Observer, watch func(*core.Auth) error, at func(core.Mode)) *Canaries {
	t.Helper()
	c, store := new(Canaries), &breakable{Store: memstore.New()}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	var passwords sync.Map
	auth, err := core.New(core.Config{
		Store:    store,
		Keys:     []core.Key{{Secret: secret}},
		Audit:    func(context.Context, core.Event) {},
		Observer: o,
		Authenticate: func(_ context.Context, who core.Credentials) (core.Identity, error) {
			switch p, _ := passwords.Load(who.Username); {
			case who.Password == "broken":
				return core.Identity{}, errors.New(c.new("failure"))
			case p == who.Password:
				return core.Identity{UserID: who.Username, Scopes: []string{c.new("scope")}, Claims: map[string]string{"tenant": c.new("tenant")}}, nil
			}
			return core.Identity{}, core.ErrInvalidCredentials
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := auth.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := watch(auth); err != nil {
		t.Fatal(err)
	}

	mux := http.NewServeMux()
	nethttpauth.Mount(mux, "/auth", auth.Routes())
	nethttpauth.Mount(mux, "/admin", auth.AdminRoutes(core.Role("admin")))
	nethttpauth.Mount(mux, "", auth.KeyRoutes())
	home := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/home", nethttpauth.Require(auth)(home))
	mux.Handle("/open", nethttpauth.Optional(auth)(home))
	mux.Handle("/scoped", nethttpauth.Require(auth, core.Scope("nobody-has"))(home))
	mux.Handle("/fresh", nethttpauth.Require(auth, core.Fresh(time.Second))(home))
	mux.Handle("/strict", nethttpauth.Require(auth, core.Strict())(home))

	for range Users {
		u := &user{t: t, c: c, mux: mux, name: c.new("user"), address: fmt.Sprintf("2001:db8:%x:%x::7", random(), random())}
		c.keep(u.address)
		passwords.Store(u.name, c.new("password"))
		u.life(auth, &passwords)
		<-time.After(2 * time.Minute) // limits forget
	}
	u := &user{t: t, c: c, mux: mux, name: c.new("user"), address: "192.0.2.77"}
	c.keep(u.address)
	passwords.Store(u.name, c.new("password"))
	u.outage(auth, store, &passwords, at)
	return c
}

func random() uint16 {
	var b [2]byte
	rand.Read(b[:])
	return uint16(b[0])<<8 | uint16(b[1]) | 0x1000
}

// user is one user with one browser.
type user struct {
	t             *testing.T
	c             *Canaries
	mux           http.Handler
	name, address string
	access        string
	refresh       *http.Cookie
	cookies       []*http.Cookie
}

// ask sends a request and returns the status.
func (u *user) ask(method, path, token string, form map[string]any) (int, map[string]any) {
	u.t.Helper()
	var body []byte
	if form != nil {
		var err error
		if body, err = json.Marshal(form); err != nil {
			u.t.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.RemoteAddr = "[" + u.address + "]:4711"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", u.c.new("agent"))
	r.Header.Set("X-Forwarded-For", u.c.new("forwarded"))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, c := range u.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	u.mux.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.Value == "" {
			continue
		}
		u.c.keep(c.Value)
		if c.Name == "__Secure-refresh_token" {
			u.refresh = c
		}
	}
	var out map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			u.t.Fatalf("%s: %s", path, w.Body)
		}
	}
	if token, ok := out["access_token"].(string); ok {
		u.access = u.c.keep(token)
		u.c.keep(out["session"].(map[string]any)["id"].(string))
	}
	return w.Code, out
}

func (u *user) want(status int, method, path, token string, form map[string]any) {
	u.t.Helper()
	if got, out := u.ask(method, path, token, form); got != status {
		u.t.Fatalf("%s %s: got %d %v, want %d", method, path, got, out, status)
	}
}

func (u *user) login(passwords *sync.Map) {
	u.t.Helper()
	password, _ := passwords.Load(u.name)
	u.want(200, "POST", "/auth/login", "", map[string]any{
		"username": u.name, "password": password, "device_name": u.c.new("device"),
	})
	u.cookies = []*http.Cookie{u.refresh}
}

// life is what happens to a user, an attacker and an administrator.
func (u *user) life(auth *core.Auth, passwords *sync.Map) {
	u.t.Helper()
	post := func(status int, path, token string, form map[string]any) {
		u.t.Helper()
		u.want(status, "POST", path, token, form)
	}
	post(401, "/auth/login", "", map[string]any{"username": u.name, "password": u.c.new("wrong")})
	post(500, "/auth/login", "", map[string]any{"username": u.name, "password": "broken"})
	post(400, "/auth/login", "", map[string]any{"username": ""})
	u.login(passwords)
	u.want(200, "GET", "/home", u.access, nil)
	u.want(200, "GET", "/home", u.access, nil)
	u.want(200, "GET", "/open", "", nil)
	u.want(401, "GET", "/home", "", nil)
	u.want(401, "GET", "/home", u.c.new("token"), nil)
	u.want(403, "GET", "/scoped", u.access, nil)
	u.want(200, "GET", "/strict", u.access, nil)
	u.want(200, "GET", "/auth/sessions", u.access, nil)
	u.want(200, "GET", "/.well-known/jwks.json", "", nil)

	first := u.refresh
	<-time.After(20 * time.Second)
	u.want(401, "GET", "/fresh", u.access, nil)
	post(200, "/auth/refresh", "", nil)
	post(200, "/auth/refresh", "", nil) // the reply was lost
	u.cookies = []*http.Cookie{u.refresh}
	post(200, "/auth/refresh", "", nil)
	u.cookies = []*http.Cookie{{Name: u.refresh.Name, Value: u.c.new("refresh")}}
	post(401, "/auth/refresh", "", nil)
	u.cookies = nil
	post(401, "/auth/refresh", "", nil)
	<-time.After(time.Minute)
	u.cookies = []*http.Cookie{first}
	post(401, "/auth/refresh", "", nil) // a thief's copy: the session ends
	u.want(401, "GET", "/home", u.access, nil)

	u.cookies = nil
	u.login(passwords)
	gone := u.access
	u.administrate(auth, post)
	u.want(401, "GET", "/home", gone, nil)

	u.login(passwords)
	post(200, "/auth/sessions/revoke-all", u.access, nil)
	post(404, "/auth/sessions/revoke", u.access, map[string]any{"session_id": u.c.new("session")})
	post(200, "/auth/logout-all", u.access, nil)
	u.login(passwords)
	post(200, "/auth/logout", "", nil)

	// What an app writes as a reason of its own is not known, and names somebody here.
	u.login(passwords)
	if _, err := auth.RevokeAll(u.t.Context(), u.name, core.Reason(u.c.new("because"))); err != nil {
		u.t.Fatal(err)
	}
}

// administrate does all that an administrator can.
func (u *user) administrate(auth *core.Auth, post func(int, string, string, map[string]any)) {
	u.t.Helper()
	pair, err := auth.SignIn(u.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: u.c.new("admin"), Roles: []string{"admin"}}})
	if err != nil {
		u.t.Fatal(err)
	}
	admin := u.c.keep(pair.AccessToken)
	u.c.keep(pair.RefreshToken)
	u.want(200, "GET", "/admin/users/"+u.name+"/tokens", admin, nil)
	u.want(200, "GET", "/admin/users/"+u.name+"/token-count", admin, nil)
	u.want(403, "GET", "/admin/users/"+u.name+"/tokens", u.access, nil)
	post(200, "/admin/online", admin, map[string]any{"user_ids": []string{u.name}})
	post(200, "/admin/tokens/lookup", admin, map[string]any{"token": u.access})
	post(404, "/admin/tokens/lookup", admin, map[string]any{"token": u.c.new("lookup")})
	post(200, "/admin/users/"+u.name+"/trim", admin, map[string]any{"keep": 1})
	post(200, "/admin/tokens/revoke", admin, map[string]any{"token": u.access})
	post(200, "/admin/users/"+u.name+"/logout", admin, nil)
}

// outage is what happens while the store is away, and after.
func (u *user) outage(auth *core.Auth, store *breakable, passwords *sync.Map, at func(core.Mode)) {
	u.t.Helper()
	u.login(passwords)
	u.want(200, "GET", "/home", u.access, nil)
	failure := errors.New(u.c.new("store"))
	store.failure.Store(&failure)
	for range tripped {
		u.want(503, "GET", "/strict", u.access, nil)
		u.want(503, "POST", "/auth/refresh", "", nil)
	}
	<-time.After(10 * time.Second)
	u.want(200, "GET", "/home", u.access, nil)
	u.want(503, "POST", "/auth/logout", u.access, nil) // enforced, and waits for the store
	u.want(401, "GET", "/home", u.access, nil)
	synctest.Wait()
	at(auth.Health().Mode)
	store.failure.Store(nil)
	<-time.After(time.Minute)
	synctest.Wait()
	at(auth.Health().Mode)
}

const tripped = 5 // calls that fail before no more are made, and some

// breakable is a store that fails while it is to.
type breakable struct {
	*memstore.Store
	failure atomic.Pointer[error]
}

func (s *breakable) fails() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *breakable) Load(ctx context.Context, userID string) (core.Ledger, error) {
	if err := s.fails(); err != nil {
		return core.Ledger{}, err
	}
	return s.Store.Load(ctx, userID)
}

func (s *breakable) Commit(ctx context.Context, userID string, c core.Change) (core.Ledger, error) {
	if err := s.fails(); err != nil {
		return core.Ledger{}, err
	}
	return s.Store.Commit(ctx, userID, c)
}

func (s *breakable) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	if err := s.fails(); err != nil {
		return core.Batch{}, err
	}
	return s.Store.Tail(ctx, after, wait)
}

func (s *breakable) LoadMany(ctx context.Context, userIDs []string) (map[string]core.Ledger, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	return s.Store.LoadMany(ctx, userIDs)
}
