package adaptertest_test

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"sync"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/adaptertest"
)

// mu is for what broken adapters share though they must not: it is the mistake
// that is to be found, not the race.
var mu sync.Mutex

// guards replaces what a guard makes of its decision.
func guards(decided func(b *bent, g adaptertest.Guarded, d core.Decision, w http.ResponseWriter, r *http.Request, next http.Handler)) func(b *bent) {
	return func(b *bent) {
		b.guard = func(g adaptertest.Guarded, next http.Handler) http.Handler {
			guard := guardOf(g)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				decided(b, g, guard.Check(request{b, r}), w, r, next)
			})
		}
	}
}

var brokenGuards = []broken{
	{
		name: "a refusal, and on to the handler",
		how: guards(func(b *bent, _ adaptertest.Guarded, d core.Decision, w http.ResponseWriter, r *http.Request, next http.Handler) {
			if d.Refusal != nil {
				b.write(w, r, *d.Refusal) // and no return
				r = r.Clone(r.Context())
				next.ServeHTTP(discard{}, r)
				return
			}
			next.ServeHTTP(w, speakFor(r, d.Principal))
		}),
		caught: []string{"guard/no-token", "guard/bad-token", "guard/optional", "guard/rules", "guard/same-connection"},
	},
	{
		name: "without a token whom a guard before let in",
		how: guards(func(b *bent, _ adaptertest.Guarded, d core.Decision, w http.ResponseWriter, r *http.Request, next http.Handler) {
			switch {
			case d.Refusal != nil:
				b.write(w, r, *d.Refusal)
			case d.Principal != nil:
				next.ServeHTTP(w, speakFor(r, d.Principal))
			default:
				next.ServeHTTP(w, r)
			}
		}),
		caught: []string{"guard/inner"},
	},
	{
		name: "no token is nobody",
		how: guards(func(b *bent, _ adaptertest.Guarded, d core.Decision, w http.ResponseWriter, r *http.Request, next http.Handler) {
			if d.Refusal != nil && r.Header.Get("Authorization") != "" {
				b.write(w, r, *d.Refusal)
				return
			}
			next.ServeHTTP(w, speakFor(r, d.Principal))
		}),
		caught: []string{"guard/no-token"},
		also:   []string{"guard/rules", "guard/same-connection"},
	},
	{
		name: "a bad token is nobody",
		how: guards(func(b *bent, g adaptertest.Guarded, d core.Decision, w http.ResponseWriter, r *http.Request, next http.Handler) {
			if d.Refusal != nil && r.Header.Get("Authorization") == "" {
				b.write(w, r, *d.Refusal)
				return
			}
			next.ServeHTTP(w, speakFor(r, d.Principal))
		}),
		caught: []string{"guard/bad-token"},
		also:   []string{"guard/no-token", "guard/optional", "guard/rules", "guard/own-auth"},
	},
	{
		name: "refused without a challenge",
		how: guards(func(b *bent, _ adaptertest.Guarded, d core.Decision, w http.ResponseWriter, r *http.Request, next http.Handler) {
			if d.Refusal != nil {
				d.Refusal.Header.Del("Www-Authenticate")
				b.write(w, r, *d.Refusal)
				return
			}
			next.ServeHTTP(w, speakFor(r, d.Principal))
		}),
		caught: []string{"guard/no-token", "guard/bad-token", "guard/optional", "guard/rules", "guard/same-connection"},
	},
	{
		name: "refused in words of its own",
		how: guards(func(b *bent, _ adaptertest.Guarded, d core.Decision, w http.ResponseWriter, r *http.Request, next http.Handler) {
			if d.Refusal != nil {
				d.Refusal.Body = []byte("Unauthorized")
				b.write(w, r, *d.Refusal)
				return
			}
			next.ServeHTTP(w, speakFor(r, d.Principal))
		}),
		caught: []string{"guard/no-token", "guard/bad-token", "guard/optional", "guard/rules", "guard/same-connection"},
	},
	{
		name: "a refusal means nothing where a token is optional",
		how: guards(func(b *bent, g adaptertest.Guarded, d core.Decision, w http.ResponseWriter, r *http.Request, next http.Handler) {
			if d.Refusal != nil && !g.Optional {
				b.write(w, r, *d.Refusal)
				return
			}
			next.ServeHTTP(w, speakFor(r, d.Principal))
		}),
		caught: []string{"guard/optional", "guard/rules", "guard/own-auth"},
	},
	{
		name: "optional is required",
		how: func(b *bent) {
			right := b.guard
			b.guard = func(g adaptertest.Guarded, next http.Handler) http.Handler {
				g.Optional = false
				return right(g, next)
			}
		},
		caught: []string{"guard/optional", "guard/inner"},
		also:   []string{"guard/rules", "guard/same-connection", "guard/at-once"},
	},
	{
		name: "rules are left out",
		how: func(b *bent) {
			right := b.guard
			b.guard = func(g adaptertest.Guarded, next http.Handler) http.Handler {
				g.Rules = nil
				return right(g, next)
			}
		},
		caught: []string{"guard/rules"},
	},
	{
		name: "rules are left out where a token is optional",
		how: func(b *bent) {
			right := b.guard
			b.guard = func(g adaptertest.Guarded, next http.Handler) http.Handler {
				if g.Optional {
					g.Rules = nil
				}
				return right(g, next)
			}
		},
		caught: []string{"guard/rules"},
	},
	{
		name: "the first rule alone",
		how: func(b *bent) {
			right := b.guard
			b.guard = func(g adaptertest.Guarded, next http.Handler) http.Handler {
				g.Rules = g.Rules[:min(len(g.Rules), 1)]
				return right(g, next)
			}
		},
		caught: []string{"guard/rules"},
	},
	{
		name: "one Auth for all guards",
		how: func(b *bent) {
			right := b.guard
			var first *core.Auth
			b.guard = func(g adaptertest.Guarded, next http.Handler) http.Handler {
				if first == nil || !strings.HasPrefix(g.Path, "/required/") && !strings.HasPrefix(g.Path, "/optional/") {
					first = g.Auth // of an app with one, which is as it should be
				}
				g.Auth = first
				return right(g, next)
			}
		},
		caught: []string{"guard/own-auth"},
	},
	{
		name: "the handler runs twice",
		how: guards(func(b *bent, _ adaptertest.Guarded, d core.Decision, w http.ResponseWriter, r *http.Request, next http.Handler) {
			if d.Refusal != nil {
				b.write(w, r, *d.Refusal)
				return
			}
			r = speakFor(r, d.Principal)
			next.ServeHTTP(discard{}, r)
			next.ServeHTTP(w, r)
		}),
		caught: []string{"guard/good-token", "guard/optional", "guard/rules", "guard/same-connection"},
	},
	{
		name:   "Principal knows nobody",
		how:    func(b *bent) { b.principal = func(*http.Request) *core.Principal { return nil } },
		caught: []string{"guard/good-token", "guard/optional", "guard/rules", "guard/same-connection", "guard/at-once", "context/principal", "guard/inner"},
	},
	{
		name: "the principal is not in the context",
		how: func(b *bent) {
			type key struct{}
			b.principal = func(r *http.Request) *core.Principal {
				p, _ := r.Context().Value(key{}).(*core.Principal)
				return p
			}
			guards(func(b *bent, _ adaptertest.Guarded, d core.Decision, w http.ResponseWriter, r *http.Request, next http.Handler) {
				if d.Refusal != nil {
					b.write(w, r, *d.Refusal)
					return
				}
				next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, d.Principal)))
			})(b)
		},
		caught: []string{"guard/good-token", "guard/optional", "guard/rules", "guard/same-connection", "guard/at-once", "context/principal", "guard/inner"},
	},
	{
		name: "the context is lost in the guard",
		how: guards(func(b *bent, _ adaptertest.Guarded, d core.Decision, w http.ResponseWriter, r *http.Request, next http.Handler) {
			if d.Refusal != nil {
				b.write(w, r, *d.Refusal)
				return
			}
			next.ServeHTTP(w, r.WithContext(core.WithPrincipal(context.Background(), d.Principal)))
		}),
		caught: []string{"context/of-a-guarded-handler"},
	},
	{
		name: "the context is lost where there is nobody",
		how: guards(func(b *bent, _ adaptertest.Guarded, d core.Decision, w http.ResponseWriter, r *http.Request, next http.Handler) {
			switch {
			case d.Refusal != nil:
				b.write(w, r, *d.Refusal)
			case d.Principal == nil:
				next.ServeHTTP(w, r.WithContext(context.Background()))
			default:
				next.ServeHTTP(w, speakFor(r, d.Principal))
			}
		}),
		caught: []string{"context/of-a-guarded-handler"},
	},
	{
		name: "the principal stays with the connection",
		how: func(b *bent) {
			guards(func(b *bent, _ adaptertest.Guarded, d core.Decision, w http.ResponseWriter, r *http.Request, next http.Handler) {
				if d.Refusal != nil {
					b.write(w, r, *d.Refusal)
					return
				}
				if d.Principal != nil {
					connOf(r).principal = d.Principal
				}
				next.ServeHTTP(w, speakFor(r, connOf(r).principal))
			})(b)
			b.around = func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					next.ServeHTTP(w, speakFor(r, connOf(r).principal))
				})
			}
		},
		caught: []string{"guard/same-connection", "guard/at-once", "context/principal", "guard/inner"},
		also:   []string{"guard/optional", "guard/rules"},
	},
	{
		name: "one principal for all requests under way",
		how: func(b *bent) {
			var current *core.Principal
			guards(func(b *bent, _ adaptertest.Guarded, d core.Decision, w http.ResponseWriter, r *http.Request, next http.Handler) {
				if d.Refusal != nil {
					b.write(w, r, *d.Refusal)
					return
				}
				mu.Lock()
				current = d.Principal
				mu.Unlock()
				for range 200 { // others come in
					runtime.Gosched()
				}
				mu.Lock()
				p := current
				mu.Unlock()
				next.ServeHTTP(w, speakFor(r, p))
			})(b)
		},
		caught: []string{"guard/at-once"},
	},
}

// discard is an answer that nobody gets.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) WriteHeader(int)             {}
func (discard) Write(b []byte) (int, error) { return len(b), nil }

// routes replaces how one route is registered.
func routes(register func(b *bent, mux *http.ServeMux, prefix string, route core.Route)) func(b *bent) {
	return func(b *bent) {
		b.mount = func(mux *http.ServeMux, prefix string, routes []core.Route) {
			for _, route := range routes {
				register(b, mux, prefix, route)
			}
		}
	}
}

var brokenMounts = []broken{
	{
		name: "a prefix stays as it is",
		how: routes(func(b *bent, mux *http.ServeMux, prefix string, route core.Route) {
			mux.Handle(route.Method+" "+prefix+route.Path, b.handler(route))
		}),
		caught: []string{"mount/prefix"},
	},
	{
		name: "also without the prefix",
		how: func(b *bent) {
			right := b.mount
			b.mount = func(mux *http.ServeMux, prefix string, routes []core.Route) {
				right(mux, prefix, routes)
				if strings.HasPrefix(prefix, "/api/v1/auth") {
					right(mux, "", routes)
				}
			}
		},
		caught: []string{"mount/prefix"},
	},
	{
		name: "the first group for all",
		how: func(b *bent) {
			right := b.mount
			first := map[*http.ServeMux][]core.Route{}
			b.mount = func(mux *http.ServeMux, prefix string, routes []core.Route) {
				if first[mux] == nil || prefix == "" || prefix == "/" {
					first[mux] = routes
				}
				right(mux, prefix, first[mux])
			}
		},
		caught: []string{"mount/groups"},
		also:   []string{"mount/prefix"},
	},
	{
		name: "the last route for all",
		how: func(b *bent) {
			b.mount = func(mux *http.ServeMux, prefix string, routes []core.Route) {
				var route core.Route
				for _, route = range routes {
					mux.HandleFunc(route.Method+" "+strings.TrimSuffix(prefix, "/")+route.Path, func(w http.ResponseWriter, r *http.Request) {
						b.write(w, r, route.Serve(request{b, r}))
					})
				}
			}
		},
		caught: []string{"mount/prefix", "mount/groups", "mount/methods", "mount/own-path"},
	},
	{
		name: "any method",
		how: func(b *bent) {
			b.mount = func(mux *http.ServeMux, prefix string, routes []core.Route) {
				at := map[string]map[string]http.Handler{}
				for _, route := range routes {
					path := strings.TrimSuffix(prefix, "/") + route.Path
					if at[path] == nil {
						at[path] = map[string]http.Handler{}
						mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
							h := at[path][r.Method]
							if h == nil {
								h = b.handler(route)
							}
							h.ServeHTTP(w, r)
						})
					}
					at[path][route.Method] = b.handler(route)
				}
			}
		},
		caught: []string{"mount/methods"},
	},
	{
		name: "what is below belongs to it",
		how: routes(func(b *bent, mux *http.ServeMux, prefix string, route core.Route) {
			path := route.Method + " " + strings.TrimSuffix(prefix, "/") + route.Path
			mux.Handle(path, b.handler(route))
			if !strings.Contains(route.Path, "{") {
				mux.Handle(path+"/", b.handler(route))
			}
		}),
		caught: []string{"mount/own-path"},
	},
}
