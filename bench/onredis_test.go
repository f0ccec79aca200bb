package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
	"github.com/sallyport-go/sallyport/redisstore"
)

// onRedis is an app whose sessions are in a Redis server of its own, with accounts
// on which people have signed in.
type onRedis struct {
	*core.Auth
	client   *redis.Client
	commits  *recorder
	browsers [atOnce]*browser // one for each of those at once
	accounts []*account
}

// account is what the browser that signed in last has of a user, and where the
// user's ledger is.
type account struct {
	user, access, refresh, device string
	key                           string
}

// newOnRedis returns one with so many accounts, of so many sessions each. known says
// whether the process keeps the ledgers that it has seen.
func newOnRedis(tb testing.TB, accounts, sessions int, known bool) *onRedis {
	tb.Helper()
	w := &onRedis{client: startRedis(tb), commits: new(recorder)}
	store, err := redisstore.New(w.client, redisstore.Options{Timeout: 10 * time.Second}) // the machine may stand still
	if err != nil {
		tb.Fatal(err)
	}
	// The feed can't vouch for what was issued before it began, give or take: all
	// of its buckets begin by commits of a while ago.
	began := time.Now().UTC().Truncate(time.Millisecond).Add(-10 * time.Minute)
	for i := range 500 {
		if _, err := store.Commit(tb.Context(), fmt.Sprint("early-", i), core.Change{ID: randomID(), At: began, Forget: true}); err != nil {
			tb.Fatal(err)
		}
	}
	w.client.AddHook(w.commits)
	config := core.Config{
		Limits:       core.Limits{Off: true},
		Store:        store,
		Keys:         []core.Key{{Secret: []byte(rand.Text() + rand.Text())}},
		Audit:        func(context.Context, core.Event) {},
		Authenticate: authenticate,
		Grace:        core.NoGrace, // else who refreshes again at once gets the same again
		Prefix:       "/auth",
		Cookie:       core.Cookie{Insecure: true},
		StoreTimeout: 10 * time.Second,
	}
	if !known {
		config.LedgerCacheBytes = -1
	}
	if w.Auth, err = core.New(config); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { w.Close() })
	mux := http.NewServeMux()
	nethttpauth.Mount(mux, "/auth", w.Routes())
	list := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(orders) })
	mux.Handle("GET /orders", nethttpauth.Require(w.Auth)(list))
	mux.Handle("GET /orders/strict", nethttpauth.Require(w.Auth, core.Strict())(list))
	for i := range w.browsers {
		w.browsers[i] = newBrowser(mux)
	}
	for i := range accounts {
		w.accounts = append(w.accounts, &account{user: fmt.Sprintf("user-%06d", i)})
	}
	for range sessions {
		if err := atOnceEach(accounts, func(n, i int) error { return w.browsers[n].login(w.accounts[i]) }); err != nil {
			tb.Fatal(err)
		}
	}
	w.findKeys(tb)
	return w
}

func authenticate(_ context.Context, c core.Credentials) (core.Identity, error) {
	return core.Identity{UserID: c.Username, Scopes: []string{"orders:read", "orders:write"}, Roles: []string{"clerk"}}, nil
}

// atOnceEach does something n times, by several at once who share it out.
func atOnceEach(n int, do func(who, i int) error) error {
	errs := make([]error, atOnce)
	var all sync.WaitGroup
	for who := range atOnce {
		all.Go(func() {
			for i := who; i < n && errs[who] == nil; i += atOnce {
				errs[who] = do(who, i)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// arrive has everybody use the token of the last sign-in, and returns when that is
// written: nothing is done in the background then.
func (w *onRedis) arrive(tb testing.TB) {
	tb.Helper()
	for some := range slices.Chunk(w.accounts, 1000) {
		if err := atOnceEach(len(some), func(n, i int) error { return w.browsers[n].get("GET /orders", some[i]) }); err != nil {
			tb.Fatal(err)
		}
		users := make([]string, len(some))
		for i, a := range some {
			users[i] = a.user
		}
		await(tb, "the use of tokens to be written", func() bool {
			online, err := w.Online(tb.Context(), users...)
			return err == nil && !slices.ContainsFunc(online, func(p core.Presence) bool {
				return !slices.ContainsFunc(p.Sessions, func(s core.Session) bool { return !s.SeenAt.IsZero() })
			})
		})
	}
}

func (w *onRedis) findKeys(tb testing.TB) {
	byUser := make(map[string]string)
	keys := w.client.Scan(tb.Context(), 0, "sp:*:u:*", 1000).Iterator()
	for keys.Next(tb.Context()) {
		key := keys.Val()
		byUser[key[strings.LastIndexByte(key, ':')+1:]] = key
	}
	for _, a := range w.accounts {
		if a.key = byUser[a.user]; a.key == "" {
			tb.Fatal(a.user, "has no ledger", keys.Err())
		}
	}
}

// browser sends requests in process, one after the other.
type browser struct {
	app      http.Handler
	requests map[string]*http.Request // by method and path
	answer   keeps
}

func newBrowser(app http.Handler) *browser {
	b := &browser{app: app, requests: make(map[string]*http.Request), answer: keeps{nowhere: nowhere{header: make(http.Header)}}}
	for _, route := range []string{"POST /auth/login", "POST /auth/refresh", "GET /auth/sessions", "GET /orders", "GET /orders/strict"} {
		method, path, _ := strings.Cut(route, " ")
		r := httptest.NewRequestWithContext(serverContext(), method, path, nil)
		r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		b.requests[route] = r
	}
	return b
}

// keeps is a [http.ResponseWriter] that keeps the body.
type keeps struct {
	nowhere
	body []byte
}

func (w *keeps) Write(b []byte) (int, error) {
	w.body = append(w.body, b...)
	return len(b), nil
}

// send returns an error unless the answer is 200.
func (b *browser) send(route string, prepare func(*http.Request)) error {
	r := b.requests[route]
	prepare(r)
	clear(b.answer.header)
	b.answer.body = b.answer.body[:0]
	b.app.ServeHTTP(&b.answer, r)
	if b.answer.status != http.StatusOK && b.answer.status != 0 {
		return fmt.Errorf("%s: got %d: %s", route, b.answer.status, b.answer.body)
	}
	return nil
}

// login signs in without the cookies of the session before, as another browser does.
func (b *browser) login(a *account) error {
	err := b.send("POST /auth/login", func(r *http.Request) {
		r.Header.Set("Content-Type", "application/json")
		r.Body = body(`{"username":"` + a.user + `","password":"open"}`)
	})
	a.device = b.cookie("device")
	return errors.Join(err, b.take(a))
}

func (b *browser) refresh(a *account) error {
	before := a.refresh
	err := b.send("POST /auth/refresh", func(r *http.Request) {
		r.Header.Set("Cookie", "refresh_token="+before+"; device="+a.device)
	})
	return errors.Join(err, b.take(a))
}

// get sends a request with the access token.
func (b *browser) get(route string, a *account) error {
	return b.send(route, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+a.access) })
}

// take takes the tokens of an answer.
func (b *browser) take(a *account) error {
	old := a.refresh
	a.refresh = b.cookie("refresh_token")
	_, rest, _ := bytes.Cut(b.answer.body, []byte(`"access_token":"`))
	access, _, _ := bytes.Cut(rest, []byte{'"'})
	a.access = string(access)
	if a.refresh == "" || a.refresh == old || a.access == "" {
		return fmt.Errorf("no new tokens: %v %s", b.answer.header, b.answer.body)
	}
	return nil
}

func (b *browser) cookie(name string) string {
	for _, line := range b.answer.header["Set-Cookie"] {
		if value, found := strings.CutPrefix(line, name+"="); found {
			value, _, _ = strings.Cut(value, ";")
			return value
		}
	}
	return ""
}

type reader struct{ *strings.Reader }

func (reader) Close() error { return nil }

func body(text string) reader { return reader{strings.NewReader(text)} }

// recorder keeps the last script that was run.
type recorder struct{ last atomic.Pointer[[]any] }

func (*recorder) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *recorder) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" {
			args := cmd.Args()
			s.last.Store(&args)
		}
		return next(ctx, cmd)
	}
}

func (*recorder) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
