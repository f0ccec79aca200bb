package nethttpauth_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// benchAuth is an Auth at work whose feed vouches for tokens, and tokens of n users.
func benchAuth(b testing.TB, n int, change func(*core.Config)) (*core.Auth, []string) {
	b.Helper()
	c := core.Config{
		Store: memstore.New(),
		Keys:  []core.Key{{Secret: testKey}},
		Audit: func(context.Context, core.Event) {},
	}
	if change != nil {
		change(&c)
	}
	auth, err := core.New(c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { auth.Close() })
	tokens := make([]string, n)
	for i := range tokens {
		pair, err := auth.SignIn(b.Context(), core.SignInRequest{
			Identity: core.Identity{UserID: fmt.Sprint("user-", i), Scopes: []string{"orders:read", "orders:write"}, Roles: []string{"clerk"}},
			Client:   core.Client{DeviceID: "d1", DeviceName: "laptop", IP: "192.0.2.1", UserAgent: "Mozilla/5.0"},
		})
		if err != nil {
			b.Fatal(err)
		}
		tokens[i] = pair.AccessToken
	}
	// The store's feed begins with the first revocation; what is shown good
	// after that is vouched for.
	if _, err := auth.RevokeAll(b.Context(), "nobody", core.ReasonRevoked); err != nil {
		b.Fatal(err)
	}
	first, err := auth.SignIn(b.Context(), core.SignInRequest{Identity: core.Identity{UserID: "first"}})
	if err == nil {
		err = auth.Revoke(b.Context(), "first", first.Session.ID, core.ReasonRevoked)
	}
	if err != nil {
		b.Fatal(err)
	}
	return auth, tokens
}

// nowhere is a [http.ResponseWriter] that keeps nothing.
type nowhere struct {
	header http.Header
	status int
}

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (w *nowhere) WriteHeader(status int)      { w.status = status }

func requestWith(token string) *http.Request {
	server := context.WithValue(context.Background(), http.ServerContextKey, "") // it is never Background
	r := httptest.NewRequest("GET", "/orders", nil).WithContext(server)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("User-Agent", "Mozilla/5.0")
	return r
}

// ok is a small handler: a header and a body of JSON.
var ok = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(orders)
})

// inContext hands a principal on in the request's context, and does nothing else:
// what any guard on net/http costs at least.
func inContext(next http.Handler) http.Handler {
	p := new(core.Principal)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(core.WithPrincipal(r.Context(), p)))
	})
}

var jsonType, orders = []string{"application/json"}, []byte(`{"orders":[]}`)

// BenchmarkRequest is one request through a mux: without auth, and behind a
// guard with a token that was seen before.
func BenchmarkRequest(b *testing.B) {
	auth, tokens := benchAuth(b, 1, nil)
	for _, bench := range []struct {
		name   string
		guard  func(http.Handler) http.Handler
		token  string
		status int
	}{
		{"no auth", func(h http.Handler) http.Handler { return h }, tokens[0], 200},
		{"a context value and no auth", inContext, tokens[0], 200},
		{"known token", nethttpauth.Require(auth), tokens[0], 200},
		{"known token, scope and role", nethttpauth.Require(auth, core.Scope("orders:read"), core.Role("clerk")), tokens[0], 200},
		{"strict", nethttpauth.Require(auth, core.Strict()), tokens[0], 200},
		{"no token", nethttpauth.Require(auth), "", 401},
		{"forged token", nethttpauth.Require(auth), tokens[0][:len(tokens[0])-4] + "AAAA", 401},
	} {
		b.Run(bench.name, func(b *testing.B) {
			mux := http.NewServeMux()
			mux.Handle("GET /orders", bench.guard(ok))
			r, w := requestWith(bench.token), &nowhere{header: make(http.Header)}
			mux.ServeHTTP(w, r)
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				mux.ServeHTTP(w, r)
				if w.status != bench.status {
					b.Fatal(w.status)
				}
			}
		})
	}
}

// The guard adds two allocations to a request with a token that was seen before:
// the request's copy and its context.
func TestAllocations(t *testing.T) {
	auth, tokens := benchAuth(t, 1, nil)
	r, w := requestWith(tokens[0]), &nowhere{header: make(http.Header)}
	plain := testing.AllocsPerRun(1000, func() { ok.ServeHTTP(w, r) })
	guarded := nethttpauth.Require(auth, core.Scope("orders:read"), core.Role("clerk"))(ok)
	guarded.ServeHTTP(w, r)
	if n := testing.AllocsPerRun(1000, func() { guarded.ServeHTTP(w, r) }); n > plain+2 || w.status != 200 {
		t.Errorf("%v allocations, %v without the guard; status %d", n, plain, w.status)
	}
}

// BenchmarkSocket is a request over a kept loopback connection, several at once:
// without auth, and behind a guard with a token that was seen before.
func BenchmarkSocket(b *testing.B) {
	auth, tokens := benchAuth(b, 1, nil)
	for _, bench := range []struct {
		name    string
		handler http.Handler
	}{
		{"no auth", ok},
		{"known token", nethttpauth.Require(auth)(ok)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			server := httptest.NewServer(bench.handler)
			defer server.Close()
			b.RunParallel(func(pb *testing.PB) {
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				for pb.Next() {
					r, err := http.NewRequest("GET", server.URL+"/orders", nil)
					if err != nil {
						b.Error(err)
						return
					}
					r.Header.Set("Authorization", "Bearer "+tokens[0])
					res, err := client.Do(r)
					if err != nil {
						b.Error(err)
						return
					}
					_, err = io.Copy(io.Discard, res.Body)
					if res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
						b.Error(res.Status, err)
						return
					}
				}
			})
		})
	}
}
