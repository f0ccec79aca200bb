package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// tripCount is the key under which a context has the *atomic.Int64 that counts the
// round trips of what is done with it. What goes on in the background meanwhile has
// other contexts.
type tripCount struct{}

var countTrips = counting(func(ctx context.Context, cmd redis.Cmder) {
	if cmd.Name() == "hello" || cmd.Name() == "client" {
		return // a connection begins
	}
	if n, ok := ctx.Value(tripCount{}).(*atomic.Int64); ok {
		n.Add(1)
	}
})

// Round trips to Redis of what is asked of an Auth: by a process that has seen the
// user's ledger, and by one that has not. A Cluster is asked as often, but each master
// once where the question is about many users.
func TestRoundTrips(t *testing.T) {
	t.Run("one server", func(t *testing.T) {
		client := redistest.Start(t).Client(t)
		client.AddHook(countTrips)
		roundTrips(t, client, 1)
	})
	t.Run("Cluster", func(t *testing.T) {
		const masters = 3
		client := redistest.StartCluster(t, masters).Client(t)
		client.OnNewNode(func(node *redis.Client) { node.AddHook(countTrips) })
		roundTrips(t, client, masters)
	})
}

func roundTrips(t *testing.T, client redis.UniversalClient, masters int64) {
	s := openAt(t, client, redisstore.Options{})
	beginEarlier(t, s)
	keys := newKeys()
	home, elsewhere, third := openFresh(t, keys, s), openFresh(t, keys, s), openFresh(t, keys, s)
	root := begun(t, home, third, "root")
	crowd := make([]string, 1000)
	for i := range crowd {
		crowd[i] = fmt.Sprintf(`"crowd-%d"`, i)
	}

	// The words in capitals are the user's, see visitor.fill.
	const login, refresh = `{"username":"USER","password":"open"}`, `{"refresh_token":"REFRESH"}`
	type ask = func(context.Context, *site, *visitor) error
	send := func(method, path, body string, status int) ask {
		return func(ctx context.Context, at *site, v *visitor) error {
			who := v
			if strings.HasPrefix(path, "/admin") {
				who = root
			}
			got := at.request(method, v.fill(path), v.fill(body), bearer(who.pair.AccessToken), within(ctx))
			if got.status != status {
				return fmt.Errorf("got %d %s, want %d", got.status, got.body, status)
			}
			return nil
		}
	}
	get := func(path string) ask { return send("GET", path, "", http.StatusOK) }
	post := func(path, body string) ask { return send("POST", path, body, http.StatusOK) }
	refused := func(path, body string) ask { return send("POST", path, body, http.StatusUnauthorized) }
	for _, tt := range []struct {
		name           string
		known, unknown int64
		do             ask
		before         ask // at home, and not counted
	}{
		{name: "guarded request", known: 0, unknown: 0, do: get("/page")},
		{name: "strict request", known: 1, unknown: 1, do: get("/strict")},
		{name: "list of sessions", known: 1, unknown: 1, do: get("/auth/sessions")},

		{name: "sign-in", known: 1, unknown: 2, do: post("/auth/login", login)},
		{name: "sign-in beyond the cap", known: 1, unknown: 2, do: post("/auth/login", login), before: func(ctx context.Context, at *site, v *visitor) error {
			return errors.Join(post("/auth/login", login)(ctx, at, v), post("/auth/login", login)(ctx, at, v))
		}},
		{name: "first sign-in", known: 2, unknown: 2, do: post("/auth/login", `{"username":"new-USER","password":"open"}`)},

		{name: "refresh", known: 1, unknown: 2, do: post("/auth/refresh", refresh)},
		{name: "refresh, the ledger having moved on", known: 2, unknown: 2, do: post("/auth/refresh", refresh), before: func(ctx context.Context, _ *site, v *visitor) error {
			return post("/auth/login", login)(ctx, third, v)
		}},
		{name: "refresh with the predecessor", known: 1, unknown: 2, do: post("/auth/refresh", refresh), before: post("/auth/refresh", refresh)},
		{name: "refresh of another device", known: 1, unknown: 1, do: refused("/auth/refresh", `{"refresh_token":"REFRESH","device_id":"another"}`)},
		{name: "refresh of what has ended", known: 1, unknown: 1, do: refused("/auth/refresh", refresh), before: post("/auth/logout", "{}")},
		{name: "refresh with a forged token", known: 0, unknown: 0, do: refused("/auth/refresh", `{"refresh_token":"REFRESHx"}`)},

		{name: "sign-out", known: 1, unknown: 2, do: post("/auth/logout", "{}")},
		{name: "sign-out with both tokens", known: 1, unknown: 2, do: post("/auth/logout", refresh)},
		{name: "sign-out everywhere", known: 1, unknown: 2, do: post("/auth/logout-all", "{}")},
		{name: "revoke another session", known: 1, unknown: 2, do: post("/auth/sessions/revoke", `{"session_id":"OTHER"}`)},
		{name: "revoke all others", known: 1, unknown: 2, do: post("/auth/sessions/revoke-all", "{}")},

		{name: "admin: tokens", known: 1, unknown: 1, do: get("/admin/users/USER/tokens")},
		{name: "admin: how many", known: 1, unknown: 1, do: get("/admin/users/USER/token-count")},
		{name: "admin: look-up", known: 1, unknown: 1, do: post("/admin/tokens/lookup", `{"token":"REFRESH"}`)},
		{name: "admin: sign out", known: 1, unknown: 2, do: post("/admin/users/USER/logout", "{}")},
		{name: "admin: trim", known: 1, unknown: 2, do: post("/admin/users/USER/trim", `{"keep":1}`)},
		{name: "admin: revoke a session", known: 1, unknown: 2, do: post("/admin/tokens/revoke", `{"user_id":"USER","session_id":"OTHER"}`)},
		{name: "admin: revoke a refresh token", known: 1, unknown: 2, do: post("/admin/tokens/revoke", `{"token":"REFRESH"}`)},
		{name: "admin: revoke an access token", known: 1, unknown: 2, do: post("/admin/tokens/revoke", `{"token":"ACCESS"}`)},
		{name: "admin: who of 1,000 is online", known: masters, unknown: masters, do: post("/admin/online", `{"user_ids":[`+strings.Join(crowd, ",")+`]}`)},

		{name: "forget", known: 1, unknown: 2, do: func(ctx context.Context, at *site, v *visitor) error { return at.Forget(ctx, v.pair.UserID) }},
	} {
		for _, at := range []*site{home, elsewhere} {
			which, want := "known", tt.known
			if at == elsewhere {
				which, want = "unknown", tt.unknown
			}
			v := begun(t, home, third, fmt.Sprintf("%x-%s", tt.name, which))
			if tt.before != nil {
				if err := tt.before(t.Context(), home, v); err != nil {
					t.Fatalf("%s: before: %v", tt.name, err)
				}
			}
			n, err := trips(t, func(ctx context.Context) error { return tt.do(ctx, at, v) })
			if err != nil || n != want {
				t.Errorf("%s, its ledger %s: got %d round trips and error %v, want %d", tt.name, which, n, err, want)
			}
		}
	}

	var after core.Cursor
	for _, tt := range []struct {
		name string
		want int64
	}{
		{"the feed from its start", masters},
		{"the feed with nothing new", 2 * masters},
	} {
		n, err := trips(t, func(ctx context.Context) error {
			b, err := s.Tail(ctx, after, 0)
			after = b.Next
			return err
		})
		if err != nil || n != tt.want {
			t.Errorf("%s: got %d round trips and error %v, want %d", tt.name, n, err, tt.want)
		}
	}
}

// trips returns how many round trips something takes.
func trips(t *testing.T, do func(context.Context) error) (int64, error) {
	var n atomic.Int64
	err := do(context.WithValue(t.Context(), tripCount{}, &n))
	return n.Load(), err
}

// within has a request come with a context.
func within(ctx context.Context) func(*http.Request) {
	return func(r *http.Request) { *r = *r.WithContext(ctx) }
}

// beginEarlier has the feed begin a while ago, in every bucket: it vouches for whoever
// signs in from now on.
func beginEarlier(t *testing.T, s *redisstore.Store) {
	t.Helper()
	ago := time.Now().UTC().Truncate(time.Millisecond).Add(-10 * time.Minute)
	for i := range 200 {
		if _, err := s.Commit(t.Context(), fmt.Sprint("early-", i), core.Change{ID: newID(), At: ago, Forget: true}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := s.Tail(t.Context(), "", 0); err != nil || b.Epoch.Began.After(ago) {
		t.Fatalf("the feed began at %v, want %v (error %v)", b.Epoch.Began, ago, err)
	}
}

// openFresh starts a process and returns when it has read the feed, which then vouches
// however slow the machine is.
func openFresh(t *testing.T, keys []core.Key, s core.Store) *site {
	t.Helper()
	p := openSite(t, keys, s, func(c *core.Config) { c.MaxStaleness = time.Minute })
	t.Cleanup(func() { p.Close() })
	redistest.Eventually(t, func(context.Context) error {
		if p.Health().FeedAge < 0 {
			return errors.New("the feed was not read")
		}
		return nil
	})
	return p
}

// visitor is a user with several sessions.
type visitor struct{ pair, other core.Pair }

// begun has a user sign in at home, which then knows the ledger as it stands: the
// tokens were used at another process, and nothing is to be written of that any more.
func begun(t *testing.T, home, another *site, user string) *visitor {
	t.Helper()
	v := &visitor{home.signIn(user), home.signIn(user)}
	for _, pair := range []core.Pair{v.pair, v.other} {
		if _, err := another.Verify(t.Context(), pair.AccessToken); err != nil {
			t.Fatal(err)
		}
	}
	redistest.Eventually(t, func(ctx context.Context) error {
		sessions, err := another.Sessions(ctx, user)
		for _, s := range sessions {
			if s.SeenAt.IsZero() {
				err = errors.New("that a token was used is not written")
			}
		}
		return err
	})
	home.signIn(user)
	return v
}

// fill replaces words in capitals by what they are for the user.
func (v *visitor) fill(text string) string {
	return strings.NewReplacer(
		"USER", v.pair.UserID, "REFRESH", v.pair.RefreshToken, "ACCESS", v.pair.AccessToken, "OTHER", v.other.Session.ID.String(),
	).Replace(text)
}
