package bench

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

func onNetHTTP(_ testing.TB, w *atWork) []contestant {
	p := new(core.Principal)
	var revoked sync.Map
	return []contestant{
		unguarded("no auth", muxApp(func(next http.Handler) http.Handler { return next })),
		unguarded("a context value and no auth", muxApp(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(core.WithPrincipal(r.Context(), p)))
			})
		})),
		ours(w, "known token", muxApp(nethttpauth.Require(w.Auth))),
		ours(w, "known token, scope and role", muxApp(nethttpauth.Require(w.Auth, rules()...))),
		{
			name: "golang-jwt by hand", app: muxApp(byHand(w.key, nil)),
			missing: 401, forged: 401, ended: 200,
		},
		{
			name: "golang-jwt by hand, revocation in memory", app: muxApp(byHand(w.key, &revoked)),
			missing: 401, forged: 401, ended: 401,
			logout: func(tb testing.TB, p person) {
				var c claims
				if _, _, err := jwt.NewParser().ParseUnverified(p.token, &c); err != nil {
					tb.Fatal(err)
				}
				revoked.Store(c.ID, struct{}{})
			},
		},
	}
}

// claims are what the middleware by hand reads of a token.
type claims struct {
	jwt.RegisteredClaims
	Scope string   `json:"scope"`
	Roles []string `json:"roles"`
}

type claimsKey struct{}

// byHand is the middleware that apps write on golang-jwt, with a look-up among
// revoked tokens in memory or, with nil, without.
func byHand(key []byte, revoked *sync.Map) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok {
				http.Error(w, "unauthorized", http.StatusUnauthorized)
				return
			}
			c := new(claims)
			_, err := jwt.ParseWithClaims(text, c, func(*jwt.Token) (any, error) { return key, nil }, jwt.WithValidMethods([]string{"HS256"}))
			if err == nil && revoked != nil {
				if _, ended := revoked.Load(c.ID); ended {
					err = jwt.ErrTokenInvalidClaims
				}
			}
			if err != nil {
				http.Error(w, "unauthorized", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), claimsKey{}, c)))
		})
	}
}

// httpApp is an app on net/http, or on what stands on it.
type httpApp struct{ http.Handler }

func muxApp(guard func(http.Handler) http.Handler) app {
	mux := http.NewServeMux()
	mux.Handle("GET /orders", guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(orders)
	})))
	return httpApp{mux}
}

// nowhere is a [http.ResponseWriter] that keeps nothing.
type nowhere struct {
	header http.Header
	status int
}

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (w *nowhere) WriteHeader(status int)      { w.status = status }

// inProcess gives the request a context like the server's: one that can be
// cancelled and carries values. What a guard puts around it costs what it does there.
func (a httpApp) inProcess(headers []string) func(int) int {
	r := httptest.NewRequestWithContext(serverContext(), "GET", "/orders", nil)
	r.Header.Set("User-Agent", "Mozilla/5.0")
	line := make([]string, 1)
	if headers[0] != "" {
		r.Header["Authorization"] = line
	}
	w := &nowhere{header: make(http.Header)}
	return func(i int) int {
		line[0] = headers[i]
		clear(w.header)
		w.status = 0
		a.ServeHTTP(w, r)
		return w.status
	}
}

func serverContext() context.Context {
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), http.ServerContextKey, new(http.Server)))
	_ = cancel // it is never done
	return ctx
}

func (a httpApp) listen(tb testing.TB) string {
	l := listener(tb)
	server := &http.Server{Handler: a}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(l)
	}()
	tb.Cleanup(func() { server.Close(); <-done })
	return l.Addr().String()
}

func listener(tb testing.TB) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return l
}
