//go:build !race

package fiberauth_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/adaptertest"
	"github.com/sallyport-go/sallyport/fiberauth"
)

// Each copy that the adapter makes is taken out, alone, and the soak of
// TestProofIdentity finds it in a moment: unless core keeps nothing of it, which
// is said here, and seen too. The copies are made all the same: that what a
// Request returns stays is the rule of adaptertest's request/strings-stay.
//
// What is not copied is written over while others read it: under the race
// detector that is all there would be to see.
func TestIdentityWithoutACopy(t *testing.T) {
	for _, tt := range []struct {
		name    string
		without borrowed
		caught  []string // rules that it breaks; others may follow
		safe    string   // why it breaks none
	}{
		{
			name: "none taken out",
			safe: "it is the adapter",
		},
		{
			name:    "header",
			without: borrowed{header: true},
			caught:  []string{"identity/events"}, // the User-Agent; in a session core has a copy of its own
		},
		{
			name:    "param",
			without: borrowed{param: true},
			safe:    "core copies the id of a user whose sessions it ends, as apps hand in theirs",
		},
		{
			name:    "method",
			without: borrowed{method: true},
			safe:    "it is compared, to tell a request that changes state",
		},
		{
			name:    "host",
			without: borrowed{host: true},
			safe:    "it is compared, with the Origin",
		},
		{
			name:    "cookies",
			without: borrowed{cookies: true},
			safe:    "tokens are decoded, which copies what is in them; the text of an access token is cloned where it is kept",
		},
		{
			name:    "body",
			without: borrowed{body: true},
			safe:    "it is decoded, and the strings of JSON are made anew",
		},
		{
			name:    "all of them",
			without: borrowed{true, true, true, true, true, true},
			caught:  []string{"identity/events"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := adaptertest.CheckIdentity(adaptertest.Adapter{Serve: tt.without.serve}, 1000, 1)
			if tt.safe != "" {
				if err != nil {
					t.Errorf("got %v, want nothing mixed up: %s", err, tt.safe)
				}
				return
			}
			for _, rule := range tt.caught {
				if err == nil || !strings.Contains(err.Error(), rule+": broke the rule") {
					t.Errorf("got %v, want %s among it", err, rule)
				}
			}
		})
	}
}

// borrowed says which values of a request are Fiber's own memory.
type borrowed struct{ method, host, header, cookies, param, body bool }

// serve puts an app on Fiber, all of it by Mount, whose requests it replaces.
func (b borrowed) serve(app adaptertest.App) (string, func(), error) {
	f := fiber.New(fiber.Config{DisableStartupMessage: true})
	f.Use(func(c *fiber.Ctx) error {
		c.SetUserContext(context.WithValue(c.UserContext(), ctxKey{}, c))
		return c.Next()
	})
	mount := func(prefix, method, path string, serve func(core.Request) core.Response) {
		fiberauth.Mount(f, prefix, []core.Route{{Method: method, Path: path, Serve: func(r core.Request) core.Response {
			return serve(borrowing{r, b})
		}}})
	}
	for _, g := range app.Groups {
		for _, route := range g.Routes {
			mount(g.Prefix, route.Method, route.Path, route.Serve)
		}
	}
	for _, g := range app.Guarded {
		guard := g.Auth.Guard(g.Rules...)
		if g.Optional {
			guard = g.Auth.OptionalGuard(g.Rules...)
		}
		mount("", g.Method, g.Path, func(r core.Request) core.Response {
			d := guard.Check(r)
			if d.Refusal != nil {
				return *d.Refusal
			}
			return g.Handle(core.WithPrincipal(context.Background(), d.Principal), d.Principal)
		})
	}
	for _, s := range app.SignIns {
		mount("", s.Method, s.Path, func(r core.Request) core.Response {
			pair, cookies, err := s.Auth.SignInFrom(r, s.Form)
			out := s.Answer(pair, err)
			out.Header = withCookies(out.Header, cookies)
			return out
		})
	}
	for _, w := range app.Watched {
		mount("", w.Method, w.Path, func(r core.Request) core.Response {
			watch, refusal := w.Auth.WatchLogin(r)
			if refusal != nil {
				return *refusal
			}
			body := bytes.Clone(fiberOf(r).Body())
			out, _ := watch.Answer(w.Handle(context.Background(), body))
			return out
		})
	}
	return serve(f)
}

func withCookies(h, cookies http.Header) http.Header {
	h = h.Clone()
	h["Set-Cookie"] = cookies["Set-Cookie"]
	return h
}

// borrowing is the adapter's request but for what is borrowed.
type borrowing struct {
	core.Request
	borrowed
}

type ctxKey struct{}

func fiberOf(r core.Request) *fiber.Ctx { return r.Context().Value(ctxKey{}).(*fiber.Ctx) }

func (q borrowing) Method() string {
	if q.method {
		return fiberOf(q.Request).Method()
	}
	return q.Request.Method()
}

func (q borrowing) Host() string {
	if q.host {
		return utils.UnsafeString(fiberOf(q.Request).Request().Header.Host())
	}
	return q.Request.Host()
}

func (q borrowing) BorrowHeader(name string) string {
	return q.Request.(core.HeaderBorrower).BorrowHeader(name)
}

func (q borrowing) Header(name string) string {
	if q.header {
		return q.BorrowHeader(name)
	}
	return q.Request.Header(name)
}

func (q borrowing) Cookies(name string) []string {
	if !q.cookies {
		return q.Request.Cookies(name)
	}
	var values []string
	for _, line := range fiberOf(q.Request).Request().Header.PeekAll(fiber.HeaderCookie) {
		for part := range strings.SplitSeq(utils.UnsafeString(line), ";") {
			if n, value, ok := strings.Cut(strings.Trim(part, " \t"), "="); ok && n == name {
				values = append(values, value)
			}
		}
	}
	return values
}

func (q borrowing) Param(name string) string {
	if q.param {
		c := fiberOf(q.Request)
		return core.PathParam(c.Route().Path, c.Path(), name)
	}
	return q.Request.Param(name)
}

func (q borrowing) Body(limit int64) ([]byte, error) {
	if q.body {
		return fiberOf(q.Request).Request().Body(), nil
	}
	return q.Request.Body(limit)
}
