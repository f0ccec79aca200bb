package ginauth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
)

// tokenAtWork returns an Auth whose feed vouches for tokens, and one of them.
func tokenAtWork(t testing.TB) (*core.Auth, string) {
	t.Helper()
	auth := newAuth(t, nil)
	pair, err := auth.SignIn(t.Context(), core.SignInRequest{
		Identity: core.Identity{UserID: "alice", Scopes: []string{"orders:read", "orders:write"}, Roles: []string{"clerk"}},
		Client:   core.Client{DeviceID: "d1", DeviceName: "laptop", IP: "192.0.2.1", UserAgent: "Mozilla/5.0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	// The feed begins with the first revocation; what is shown good after that
	// is vouched for.
	for _, user := range []string{"nobody", "first"} {
		other, err := auth.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}})
		if err == nil {
			err = auth.Revoke(t.Context(), user, other.Session.ID, core.ReasonRevoked)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return auth, pair.AccessToken
}

// nowhere is a [http.ResponseWriter] that keeps nothing.
type nowhere struct {
	header http.Header
	status int
}

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (w *nowhere) WriteHeader(status int)      { w.status = status }

// inContext hands a principal on in the request's context and does nothing else:
// what any guard costs at least.
func inContext(c *gin.Context) {
	c.Request = c.Request.WithContext(core.WithPrincipal(c.Request.Context(), nobody))
}

var (
	nobody           = new(core.Principal)
	jsonType, orders = []string{"application/json"}, []byte(`{"orders":[]}`)
)

// ordersBehind is a small handler behind others: a header and a body of JSON.
func ordersBehind(guard ...gin.HandlerFunc) *gin.Engine {
	engine := gin.New()
	engine.GET("/orders", append(guard, func(c *gin.Context) {
		c.Writer.Header()["Content-Type"] = jsonType
		c.Status(http.StatusOK)
		_, _ = c.Writer.Write(orders)
	})...)
	return engine
}

func requestWith(token string) *http.Request {
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("User-Agent", "Mozilla/5.0")
	return r
}

// The guard adds two allocations at most to a request with a token that was seen
// before: the request's copy and its context.
func TestAllocations(t *testing.T) {
	auth, token := tokenAtWork(t)
	allocations := func(guard ...gin.HandlerFunc) float64 {
		engine, r, w := ordersBehind(guard...), requestWith(token), &nowhere{header: make(http.Header)}
		engine.ServeHTTP(w, r) // from now on the token is known
		n := testing.AllocsPerRun(1000, func() { engine.ServeHTTP(w, r) })
		if w.status != http.StatusOK {
			t.Errorf("got %d, want 200", w.status)
		}
		return n
	}
	plain := allocations()
	for name, guard := range map[string]gin.HandlerFunc{
		"Require":                     ginauth.Require(auth),
		"Require with scope and role": ginauth.Require(auth, core.Scope("orders:read"), core.Role("clerk")),
		"Optional":                    ginauth.Optional(auth, core.Scope("orders:read"), core.Role("clerk")),
	} {
		if n := allocations(guard); n > plain+2 {
			t.Errorf("%s: got %v allocations, %v without the guard, want at most 2 more", name, n, plain)
		}
	}
}

// BenchmarkRequest is one request through an engine: without auth, and behind a
// guard with a token that was seen before.
func BenchmarkRequest(b *testing.B) {
	auth, token := tokenAtWork(b)
	for _, bench := range []struct {
		name   string
		guard  []gin.HandlerFunc
		token  string
		status int
	}{
		{"no auth", nil, token, 200},
		{"a context value and no auth", []gin.HandlerFunc{inContext}, token, 200},
		{"known token", []gin.HandlerFunc{ginauth.Require(auth)}, token, 200},
		{"known token, scope and role", []gin.HandlerFunc{ginauth.Require(auth, core.Scope("orders:read"), core.Role("clerk"))}, token, 200},
		{"no token", []gin.HandlerFunc{ginauth.Require(auth)}, "", 401},
	} {
		b.Run(bench.name, func(b *testing.B) {
			engine, r, w := ordersBehind(bench.guard...), requestWith(bench.token), &nowhere{header: make(http.Header)}
			engine.ServeHTTP(w, r)
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				engine.ServeHTTP(w, r)
				if w.status != bench.status {
					b.Fatal(w.status)
				}
			}
		})
	}
}
