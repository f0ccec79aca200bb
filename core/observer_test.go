package core_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// ear is an Observer that keeps what it is told, a line each.
type ear struct {
	mu                                 sync.Mutex
	guarded, answered, audited, stored []string
}

func (e *ear) keep(lines *[]string, told ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	*lines = append(*lines, strings.TrimSpace(fmt.Sprintln(told...)))
}

func (e *ear) Guarded(outcome string, cached bool) { e.keep(&e.guarded, outcome, cached) }
func (e *ear) Answered(route, outcome string, took time.Duration) {
	e.keep(&e.answered, route, outcome, took)
}
func (e *ear) Audited(name core.EventName, cause string) { e.keep(&e.audited, name, cause) }
func (e *ear) Stored(call, outcome string, took time.Duration) {
	e.keep(&e.stored, call, outcome, took)
}

// take returns what was kept of one kind since the last call.
func (e *ear) take(lines *[]string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := *lines
	*lines = nil
	return out
}

func (e *ear) expect(t *testing.T, what string, lines *[]string, want ...string) {
	t.Helper()
	if got := e.take(lines); !slices.Equal(got, want) {
		t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

// errand is a request of a client, or of another site's page.
type errand struct {
	token, refresh, body, user string
	kind                       string // "": JSON
	elsewhere, long            bool
}

func (errand) Context() context.Context { return context.Background() }
func (errand) Method() string           { return http.MethodPost }
func (errand) Host() string             { return "app.example" }
func (e errand) Header(name string) string {
	switch {
	case name == "Authorization" && e.token != "":
		return "Bearer " + e.token
	case name == "Content-Type":
		return cmp.Or(e.kind, "application/json")
	case name == "Sec-Fetch-Site" && e.elsewhere:
		return "cross-site"
	}
	return ""
}

func (e errand) Cookies(string) []string {
	if e.refresh == "" {
		return nil
	}
	return []string{e.refresh}
}
func (e errand) Param(string) string { return e.user }
func (errand) Peer() netip.Addr      { return netip.Addr{} }
func (e errand) Body(int64) ([]byte, error) {
	if e.long {
		return nil, core.ErrBodyTooLarge
	}
	return []byte(e.body), nil
}

// observed is an Auth at rest whose store takes 3 ms for each call, and everybody's
// password is "right".
func observed(t *testing.T, now *time.Time) (*house, *ear, *tap) {
	store, told := newTap(), &ear{}
	h := still(t, store, func() time.Time { return *now }, func(c *core.Config) {
		c.Observer = told
		c.MaxSessions = 2
		c.SessionLimitPolicy = core.RefuseNew
		c.Authenticate = func(_ context.Context, who core.Credentials) (core.Identity, error) {
			switch who.Password {
			case "right":
				return core.Identity{UserID: who.Username, Roles: []string{who.Username}}, nil
			case "inactive":
				return core.Identity{}, core.ErrUserInactive
			case "broken":
				return core.Identity{}, errBroken
			}
			return core.Identity{}, core.ErrInvalidCredentials
		}
	})
	h.signIn("the first of all")
	*now = now.Add(2 * time.Minute)
	h.ReadFeed(t.Context())
	store.set(func(_ string, do func() error) error {
		*now = now.Add(3 * time.Millisecond)
		return do()
	})
	h.trail.take()
	*told = ear{}
	return h, told, store
}

func allRoutes(h *house) map[string]core.Route {
	routes := make(map[string]core.Route)
	for _, r := range slices.Concat(h.Routes(), h.AdminRoutes(core.Role("admin")), h.KeyRoutes()) {
		routes[r.Path] = r
	}
	return routes
}

// Each route tells of its answer once, whatever it is asked: as "ok", or as the code
// that the answer has.
func TestEachRouteIsObserved(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	h, told, _ := observed(t, &now)
	routes := allRoutes(h)
	if len(routes) < 15 {
		t.Fatalf("%d routes", len(routes))
	}
	admin := h.signInAs([]string{}, []string{"admin"})
	for path, r := range routes {
		for _, request := range []errand{{}, {elsewhere: true}, {token: "x"}, {token: admin.AccessToken, user: "bob"}} {
			told.take(&told.answered)
			out := r.Serve(request)
			var body struct{ Code string }
			if err := json.Unmarshal(out.Body, &body); err != nil {
				t.Fatal(err)
			}
			got := told.take(&told.answered)
			if want := path + " " + cmp.Or(body.Code, "ok") + " "; len(got) != 1 || !strings.HasPrefix(got[0], want) {
				t.Errorf("%s %+v: told %q, want one %q", path, request, got, want)
			}
		}
	}
}

// What a route answers and how long it took, and whom its guard let in.
func TestAnswersAreObserved(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	h, told, store := observed(t, &now)
	routes := allRoutes(h)
	alice, bob := h.signIn("alice"), h.signIn("bob")
	admin, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "root", Roles: []string{"admin"}}})
	if err != nil {
		t.Fatal(err)
	}
	spent := h.signIn("carol")
	next := h.refresh(spent)
	now = now.Add(time.Minute)
	h.refresh(next)
	now = now.Add(time.Minute)
	login := func(user, password string) string {
		return fmt.Sprintf(`{"username":%q,"password":%q}`, user, password)
	}
	for i, c := range []struct {
		path   string
		asks   errand
		broken bool // the store fails
		want   string
		guard  string // "": it has none, or was not asked
	}{
		{path: "/login", asks: errand{body: login("dan", "right")}, want: "ok 6ms"},
		{path: "/login", asks: errand{body: login("dan", "wrong")}, want: "INVALID_CREDENTIALS 0s"},
		{path: "/login", asks: errand{body: login("dan", "inactive")}, want: "USER_INACTIVE 0s"},
		{path: "/login", asks: errand{body: login("dan", "broken")}, want: "INTERNAL 0s"},
		{path: "/login", asks: errand{body: `{}`}, want: "BAD_REQUEST 0s"},
		{path: "/login", asks: errand{body: `{}`, kind: "text/plain"}, want: "NOT_JSON 0s"},
		{path: "/login", asks: errand{long: true}, want: "BODY_TOO_LARGE 0s"},
		{path: "/login", asks: errand{body: login("dan", "right"), elsewhere: true}, want: "CROSS_SITE 0s"},
		{path: "/login", asks: errand{body: login("erin", "right")}, broken: true, want: "STORE_UNAVAILABLE"},
		{path: "/refresh", asks: errand{refresh: bob.RefreshToken}, want: "ok"},
		{path: "/refresh", asks: errand{}, want: "REFRESH_TOKEN_MISSING 0s"},
		{path: "/refresh", asks: errand{refresh: "x"}, want: "REFRESH_TOKEN_INVALID 0s"},
		{path: "/refresh", asks: errand{refresh: spent.RefreshToken}, want: "REFRESH_TOKEN_REUSED"},
		{path: "/refresh", asks: errand{refresh: next.RefreshToken}, want: "SESSION_ENDED"},
		{path: "/sessions", asks: errand{token: alice.AccessToken}, want: "ok", guard: "ok false"},
		{path: "/sessions", asks: errand{token: alice.AccessToken}, want: "ok", guard: "ok true"},
		{path: "/sessions", asks: errand{}, want: "TOKEN_MISSING", guard: "TOKEN_MISSING false"},
		{path: "/sessions", asks: errand{token: alice.RefreshToken}, want: "TOKEN_INVALID", guard: "TOKEN_INVALID false"},
		{path: "/sessions", asks: errand{token: alice.AccessToken}, broken: true, want: "STORE_UNAVAILABLE", guard: "ok true"},
		{path: "/sessions/revoke", asks: errand{token: alice.AccessToken, body: `{"session_id":"x"}`}, want: "SESSION_NOT_FOUND", guard: "ok true"},
		{path: "/sessions/revoke-all", asks: errand{token: alice.AccessToken, elsewhere: true}, want: "CROSS_SITE 0s"},
		{path: "/sessions/revoke-all", asks: errand{token: alice.AccessToken}, want: "ok", guard: "ok true"},
		{path: "/users/{user}/token-count", asks: errand{token: alice.AccessToken, user: "bob"}, want: "FORBIDDEN", guard: "FORBIDDEN true"},
		{path: "/users/{user}/token-count", asks: errand{token: admin.AccessToken, user: "bob"}, want: "ok", guard: "ok false"},
		{path: "/users/{user}/tokens", asks: errand{token: admin.AccessToken, user: "bob"}, want: "ok", guard: "ok true"},
		{path: "/users/{user}/trim", asks: errand{token: admin.AccessToken, user: "bob", body: `{"keep":1}`}, want: "ok", guard: "ok true"},
		{path: "/users/{user}/logout", asks: errand{token: admin.AccessToken, user: "bob"}, want: "ok", guard: "ok true"},
		{path: "/tokens/lookup", asks: errand{token: admin.AccessToken, body: `{"token":"x"}`}, want: "TOKEN_NOT_FOUND", guard: "ok true"},
		{path: "/tokens/revoke", asks: errand{token: admin.AccessToken, body: `{}`}, want: "BAD_REQUEST", guard: "ok true"},
		{path: "/online", asks: errand{token: admin.AccessToken, body: `{"user_ids":["bob"]}`}, want: "ok", guard: "ok true"},
		{path: "/logout", asks: errand{refresh: alice.RefreshToken}, want: "ok"},
		{path: "/logout-all", asks: errand{token: admin.AccessToken}, want: "ok", guard: "ok true"},
		{path: "/logout-all", asks: errand{token: admin.AccessToken}, want: "TOKEN_REVOKED", guard: "TOKEN_REVOKED true"},
		{path: "/.well-known/jwks.json", want: "ok 0s"},
	} {
		what := fmt.Sprintf("%d: %s", i, c.path)
		*told = ear{}
		h.trail.take()
		store.set(func(_ string, do func() error) error {
			now = now.Add(3 * time.Millisecond)
			if c.broken {
				return errBroken
			}
			return do()
		})
		routes[c.path].Serve(c.asks)
		if got := told.take(&told.answered); len(got) != 1 || !strings.HasPrefix(got[0]+" ", c.path+" "+c.want+" ") {
			t.Errorf("%s: told %q, want one %q", what, got, c.path+" "+c.want)
		}
		var guard []string
		if c.guard != "" {
			guard = []string{c.guard}
		}
		told.expect(t, what, &told.guarded, guard...)
		expectAudited(t, what, h, told)
	}
}

// expectAudited checks that each audited event was told of, and no other.
func expectAudited(t *testing.T, what string, h *house, told *ear) {
	t.Helper()
	var want []string
	for _, e := range h.trail.events {
		want = append(want, strings.TrimSpace(string(e.Name)+" "+cmp.Or(string(e.Reason), e.Cause)))
	}
	told.expect(t, what, &told.audited, want...)
}

// Each decision of a guard is told once: what it was, and whether the token was known.
func TestGuardsAreObserved(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	h, told, store := observed(t, &now)
	gone, alice := h.signIn("gone"), h.signIn("alice")
	if err := h.Revoke(t.Context(), "gone", gone.Session.ID, core.ReasonRevoked); err != nil {
		t.Fatal(err)
	}
	fails := core.Allow(func(context.Context, *core.Principal) (bool, error) { return true, errBroken })
	for _, c := range []struct {
		rule   string
		guard  *core.Guard
		asks   errand
		later  time.Duration
		broken bool
		want   string
	}{
		{rule: "first sight of a token", guard: h.Guard(), asks: errand{token: alice.AccessToken}, want: "ok false"},
		{rule: "a known token", guard: h.Guard(), asks: errand{token: alice.AccessToken}, want: "ok true"},
		{rule: "an optional guard lets it in", guard: h.OptionalGuard(), asks: errand{token: alice.AccessToken}, want: "ok true"},
		{rule: "and nobody", guard: h.OptionalGuard(), want: "anonymous false"},
		{rule: "and no bad token", guard: h.OptionalGuard(), asks: errand{token: "x"}, want: "TOKEN_INVALID false"},
		{rule: "no token", guard: h.Guard(), want: "TOKEN_MISSING false"},
		{rule: "one that was revoked", guard: h.Guard(), asks: errand{token: gone.AccessToken}, want: "TOKEN_REVOKED false"},
		{rule: "a scope that it lacks", guard: h.Guard(core.Scope("a")), asks: errand{token: alice.AccessToken}, want: "FORBIDDEN true"},
		{rule: "a rule that fails", guard: h.Guard(fails), asks: errand{token: alice.AccessToken}, want: "INTERNAL true"},
		{rule: "another site", guard: h.Guard(core.SameSite()), asks: errand{token: alice.AccessToken, elsewhere: true}, want: "CROSS_SITE false"},
		{rule: "a store that fails", guard: h.Guard(core.Strict()), asks: errand{token: alice.AccessToken}, broken: true, want: "STORE_UNAVAILABLE true"},
		{rule: "too long ago", guard: h.Guard(core.Fresh(time.Second)), asks: errand{token: alice.AccessToken}, later: 2 * time.Second, want: "FRESH_SIGN_IN_REQUIRED true"},
		{rule: "an expired token", guard: h.Guard(), asks: errand{token: alice.AccessToken}, later: time.Hour, want: "TOKEN_EXPIRED false"},
	} {
		*told = ear{}
		h.trail.take()
		now = now.Add(c.later)
		store.set(func(_ string, do func() error) error {
			if c.broken {
				return errBroken
			}
			return do()
		})
		c.guard.Check(c.asks)
		told.expect(t, c.rule, &told.guarded, c.want)
		expectAudited(t, c.rule, h, told)
	}
}

// The cause of an event is why the session ended, or else what was refused.
func TestCausesAreObserved(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	h, told, _ := observed(t, &now)
	h.Record(t.Context(), core.EventLimited, core.Event{UserID: "alice", Cause: "login"})
	h.Record(t.Context(), core.EventSessionEnded, core.Event{Reason: core.ReasonReuse, Cause: "both"})
	h.Record(t.Context(), core.EventSignedIn, core.Event{UserID: "alice"})
	told.expect(t, "events", &told.audited, "limited login", "session_ended reuse", "signed_in")
}

// sweeping is a tap on Sweep as well, and tells Load and LoadMany apart.
type sweeping struct{ *tap }

func (s sweeping) Sweep(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = s.run("sweep", func() error { n, err = s.Store.Sweep(ctx, before, limit); return err })
	return n, err
}

func (s sweeping) LoadMany(ctx context.Context, users []string) (l map[string]core.Ledger, err error) {
	err = s.run("load_many", func() error { l, err = s.Store.LoadMany(ctx, users); return err })
	return l, err
}

// Each call that reaches the store is told of, and no other: how it went, and how long
// it took.
func TestStoreCallsAreObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, store, told := t.Context(), sweeping{newTap()}, &ear{}
		var mu sync.Mutex
		calls := map[string]int{}
		fails := map[string]error{} // what a call fails with next
		store.set(func(call string, do func() error) error {
			mu.Lock()
			err := fails[call]
			if err != nil && err != errBroken {
				delete(fails, call)
			}
			mu.Unlock()
			defer func() { // as it is told of: when it has ended
				mu.Lock()
				defer mu.Unlock()
				calls[call]++
			}()
			if call != "tail" {
				<-time.After(7 * time.Millisecond)
			}
			if err == core.ErrNotDurable {
				return cmp.Or(do(), err)
			}
			if err != nil {
				return err
			}
			return do()
		})
		set := func(call string, err error) {
			mu.Lock()
			defer mu.Unlock()
			fails[call] = err
		}
		h := open(t, store, func(c *core.Config) { c.Observer = told; c.LedgerCacheBytes = -1 })
		h.lossy = true
		synctest.Wait()
		tails := 0
		steps := func() []string { // without the tails, which come by themselves
			return slices.DeleteFunc(told.take(&told.stored), func(line string) bool {
				if strings.HasPrefix(line, "tail ok ") {
					tails++
				}
				return strings.HasPrefix(line, "tail ")
			})
		}
		steps()
		expect := func(what string, want ...string) {
			t.Helper()
			if got := steps(); !slices.Equal(got, want) {
				t.Errorf("%s: told %q, want %q", what, got, want)
			}
		}
		h.signIn("alice")
		expect("a sign-in", "load ok 7ms", "commit ok 7ms")
		if _, err := h.Online(ctx, "alice", "bob"); err != nil {
			t.Fatal(err)
		}
		expect("many", "load_many ok 7ms")
		set("commit", core.ErrConflict)
		h.signIn("alice")
		if got := steps(); len(got) < 3 || got[1] != "commit conflict 7ms" || got[len(got)-1] != "commit ok 7ms" {
			t.Errorf("a conflict: told %q", got)
		}
		set("commit", core.ErrNotDurable)
		h.SignIn(ctx, core.SignInRequest{Identity: core.Identity{UserID: "bob"}})
		expect("not durable", "load ok 7ms", "commit not_durable 7ms")
		elapse(61 * time.Second)
		if got := steps(); !slices.Contains(got, "sweep ok 7ms") {
			t.Errorf("a minute: told %q", got)
		}
		if tails < 100 {
			t.Errorf("%d tails in a minute", tails)
		}

		for _, call := range []string{"load", "tail", "commit", "load_many"} {
			set(call, errBroken)
		}
		for _, user := range []string{"a", "b", "c"} {
			if _, err := h.Sessions(ctx, user); err == nil {
				t.Error("a broken store answers")
			}
		}
		if got := steps(); !slices.Contains(got, "load failed 7ms") {
			t.Errorf("a broken store: told %q", got)
		}
		for range 100 {
			h.Sessions(ctx, "a")
		}
		expect("while the breaker is open")
		synctest.Wait()
		mu.Lock()
		clear(calls)
		mu.Unlock()
		told.take(&told.stored)
		elapse(30 * time.Second)
		mu.Lock()
		n := calls["tail"] + calls["load"] + calls["commit"] + calls["sweep"]
		clear(fails)
		mu.Unlock()
		if got := told.take(&told.stored); len(got) != n || n < 30 {
			t.Errorf("told of %d calls, the store saw %d", len(got), n)
		}
		elapse(time.Minute)
		told.take(&told.stored)
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		for _, line := range told.take(&told.stored) {
			if strings.Contains(line, "failed") {
				t.Errorf("told %q, which Close has cut short", line)
			}
		}
	})
}

// count is an Observer that counts.
type count struct {
	core.NoObserver
	known, others atomic.Int64
}

func (c *count) Guarded(outcome string, cached bool) {
	if outcome == "ok" && cached {
		c.known.Add(1)
		return
	}
	c.others.Add(1)
}

// A known token costs no allocation when somebody is told.
func TestGuardAllocationsObserved(t *testing.T) {
	now, told := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), &count{}
	h := still(t, newTap(), func() time.Time { return now }, func(c *core.Config) { c.Observer = told })
	h.signIn("the first of all")
	now = now.Add(2 * time.Minute)
	p := h.signInAs([]string{"a"}, []string{"b"})
	h.ReadFeed(t.Context())
	guard, request := h.Guard(core.Scope("a"), core.Role("b"), core.Fresh(time.Hour)), bearing(p.AccessToken)
	guard.Check(request)
	h.FlushUses(t.Context())
	before := told.known.Load()
	if n := testing.AllocsPerRun(1000, func() { guard.Check(request) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
	if n, others := told.known.Load()-before, told.others.Load(); n < 1000 || others != 1 {
		t.Errorf("told of %d known tokens and %d others, want 1001 and 1", n, others)
	}
}
