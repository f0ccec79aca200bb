package adaptertest_test

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/adaptertest"
	"github.com/sallyport-go/sallyport/core/storetest"
)

// A soak finds nothing wrong with an adapter that keeps the rules, sends as many
// requests as it is asked for, and leaves no route out.
func TestIdentity(t *testing.T) {
	users := regexp.MustCompile(`^(/in|/admin/users)/[^/]+`)
	var mu sync.Mutex
	asked := map[string]int{}
	adaptertest.RunIdentity(t, bend(func(b *bent) {
		b.around = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked[r.Method+" "+users.ReplaceAllString(r.URL.Path, "$1/*")]++
				mu.Unlock()
				next.ServeHTTP(w, r)
			})
		}
	}), 4000)

	total := 0
	for _, n := range asked {
		total += n
	}
	if total < 4000 {
		t.Errorf("got %d requests, want 4000 and a few", total)
	}
	for _, want := range []string{
		"POST /auth/login", "POST /auth/refresh", "POST /auth/logout", "POST /auth/logout-all",
		"GET /auth/sessions", "POST /auth/sessions/revoke", "POST /auth/sessions/revoke-all",
		"GET /admin/users/*/tokens", "GET /admin/users/*/token-count", "POST /admin/users/*/logout",
		"POST /admin/users/*/trim", "POST /admin/tokens/revoke", "POST /admin/tokens/lookup", "POST /admin/online",
		"GET /me", "POST /me", "GET /hello", "POST /in/*", "POST /old",
	} {
		if asked[want] < 3 {
			t.Errorf("%s: got %d requests, want several: %v", want, asked[want], asked)
		}
	}
}

var mixingAdapters = []broken{
	{
		name: "the principal is the connection's",
		how: func(b *bent) {
			b.principal = func(r *http.Request) *core.Principal {
				c := connOf(r)
				if c.principal == nil {
					c.principal = core.FromContext(r.Context())
				}
				return c.principal
			}
		},
		caught: []string{"identity/principals"},
	},
	{
		name: "the principal of the connection is whoever was let in last",
		how: func(b *bent) {
			b.principal = func(r *http.Request) *core.Principal {
				c := connOf(r)
				if p := core.FromContext(r.Context()); p != nil {
					c.principal = p
				}
				return c.principal
			}
		},
		caught: []string{"identity/principals"},
	},
	{
		name: "the token is looked at once a connection",
		how: func(b *bent) {
			right := b.header
			b.header = func(r *http.Request, name string) string {
				c := connOf(r)
				if name == "Authorization" && c.first == "" {
					c.first = right(r, name)
				}
				if name == "Authorization" {
					return c.first
				}
				return right(r, name)
			}
		},
		caught: []string{"identity/answers", "identity/principals"},
	},
	{
		name: "the client is looked at once a connection",
		how: func(b *bent) {
			right := b.header
			b.header = func(r *http.Request, name string) string {
				c := connOf(r)
				if name == "User-Agent" && c.first == "" {
					c.first = right(r, name)
				}
				if name == "User-Agent" {
					return c.first
				}
				return right(r, name)
			}
		},
		caught: []string{"identity/sessions", "identity/events"},
	},
	{
		name: "a context that is used again",
		how: func(b *bent) {
			b.guard = func(g adaptertest.Guarded, next http.Handler) http.Handler {
				guard := guardOf(g)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					d := guard.Check(request{b, r})
					if d.Refusal != nil {
						b.write(w, r, *d.Refusal)
						return
					}
					again := &connOf(r).again
					again.Store(d.Principal)
					next.ServeHTTP(w, r.WithContext(reusedContext{r.Context(), again}))
				})
			}
		},
		caught: []string{"identity/kept"},
	},
	{
		name: "the cookies of the sign-in before",
		how: func(b *bent) {
			var before atomic.Pointer[http.Header]
			b.signIn = func(w http.ResponseWriter, r *http.Request, auth *core.Auth, form core.SignInForm) (core.Pair, error) {
				pair, cookies, err := auth.SignInFrom(request{b, r}, form)
				set := cookies
				if old := before.Swap(&cookies); old != nil {
					set = *old
				}
				for _, c := range set["Set-Cookie"] {
					w.Header().Add("Set-Cookie", c)
				}
				return pair, err
			}
		},
		caught: []string{"identity/cookies"},
	},
	{
		name: "the answer of the request before",
		how: func(b *bent) {
			var before atomic.Pointer[core.Response]
			b.write = func(w http.ResponseWriter, r *http.Request, out core.Response) {
				own := out
				if r.URL.Path == "/auth/sessions" && out.Status == 200 {
					if old := before.Swap(&own); old != nil {
						out = *old
					}
				}
				writeOut(w, out)
			}
		},
		caught: []string{"identity/answers"},
	},
}

// reusedContext speaks for whoever was let in last over its connection.
type reusedContext struct {
	context.Context
	again *atomic.Pointer[core.Principal]
}

func (c reusedContext) Value(key any) any {
	if key == (core.PrincipalKey{}) {
		return c.again.Load()
	}
	return c.Context.Value(key)
}

// An adapter that mixes users up is caught, and for what it does.
func TestMixUpsAreCaught(t *testing.T) {
	caught := map[string]bool{}
	for _, a := range mixingAdapters {
		for _, rule := range a.caught {
			caught[rule] = true
		}
		t.Run(a.name, func(t *testing.T) { catch(t, a) })
	}
	for _, rule := range adaptertest.IdentityRules() {
		if !caught[rule] {
			t.Errorf("no broken adapter is caught by %s", rule)
		}
	}
}

// catch says that a soak catches an adapter by the rules that it breaks; others
// may be broken by what follows.
func catch(t *testing.T, a broken) {
	err := adaptertest.CheckIdentity(bend(a.how), 800, 1)
	if err == nil {
		t.Fatalf("got no failure, want %q", a.caught)
	}
	failed := failures(t, err)
	for _, rule := range a.caught {
		if !slices.Contains(failed, rule) {
			t.Errorf("%s did not fail:\n%v", rule, err)
		}
	}
	if unknown := slices.DeleteFunc(failed, func(name string) bool {
		return slices.Contains(adaptertest.IdentityRules(), name)
	}); len(unknown) > 0 {
		t.Errorf("got failures %q, which are no rules", unknown)
	}
}

// The store of a soak is one that keeps the rules of stores.
func TestBook(t *testing.T) {
	storetest.Run(t, func(testing.TB) core.Store { return adaptertest.NewBook() })
}
