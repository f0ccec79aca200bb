// Package nethttpauth puts a [core.Auth] into an app on net/http. It holds no
// rule: it translates.
package nethttpauth

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/sallyport-go/sallyport/core"
)

// Mount registers a group of routes under a prefix such as "/api/v1/auth".
func Mount(mux *http.ServeMux, prefix string, routes []core.Route) {
	for _, route := range routes {
		mux.HandleFunc(route.Method+" "+strings.TrimSuffix(prefix, "/")+route.Path, func(w http.ResponseWriter, r *http.Request) {
			Write(w, route.Serve(Request(r)))
		})
	}
}

// Require lets requests through that carry a good access token and keep the
// rules. The handler finds whom it speaks for with [Principal].
func Require(auth *core.Auth, rules ...core.Rule) func(http.Handler) http.Handler {
	return guard(auth.Guard(rules...))
}

// Optional is Require, but lets requests without a token through as nobody.
func Optional(auth *core.Auth, rules ...core.Rule) func(http.Handler) http.Handler {
	return guard(auth.OptionalGuard(rules...))
}

func guard(g *core.Guard) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d := g.Check(Request(r))
			switch {
			case d.Refusal != nil:
				Write(w, *d.Refusal)
			case d.Principal != Principal(r): // nobody, perhaps, behind another guard
				next.ServeHTTP(w, r.WithContext(core.WithPrincipal(r.Context(), d.Principal)))
			default:
				next.ServeHTTP(w, r)
			}
		})
	}
}

// Principal returns whom a request speaks for, or nil if no guard let it in.
func Principal(r *http.Request) *core.Principal { return core.FromContext(r.Context()) }

// SignIn begins a session for whoever sent a request, once the app's own login
// handler has checked the user. It adds the cookies to the answer, which is the
// app's to write: [core.Pair.Response] is that of the library's own login route.
// [core.Auth.Problem] answers an error: after ErrStepUpRequired the cookie of the device
// was added, which the second factor has to come from, after any other nothing.
func SignIn(w http.ResponseWriter, r *http.Request, auth *core.Auth, form core.SignInForm) (core.Pair, error) {
	pair, cookies, err := auth.SignInFrom(Request(r), form)
	for _, c := range cookies["Set-Cookie"] {
		w.Header().Add("Set-Cookie", c)
	}
	return pair, err
}

// StepUp completes a sign-in that waits for a second factor, as [SignIn] begins one. After
// an error nothing was added.
func StepUp(w http.ResponseWriter, r *http.Request, auth *core.Auth, form core.StepUpForm) (core.Pair, error) {
	pair, cookies, err := auth.StepUpFrom(Request(r), form)
	for _, c := range cookies["Set-Cookie"] {
		w.Header().Add("Set-Cookie", c)
	}
	return pair, err
}

// Write writes an answer.
func Write(w http.ResponseWriter, out core.Response) {
	for name, values := range out.Header {
		if name == "Set-Cookie" { // beside the app's own
			values = append(w.Header()[name], values...)
		}
		w.Header()[name] = values
	}
	w.WriteHeader(out.Status)
	_, _ = w.Write(out.Body) // the client has gone: nobody is left to tell
}

// Request returns a request as core sees it, for what is asked of an Auth by
// hand, and for frameworks that stand on net/http.
func Request(r *http.Request) core.Request { return request{r} }

type request struct{ r *http.Request }

func (q request) Context() context.Context { return q.r.Context() }
func (q request) Method() string           { return q.r.Method }
func (q request) Host() string             { return q.r.Host }
func (q request) Param(name string) string { return q.r.PathValue(name) }

func (q request) Header(name string) string { return strings.Join(q.r.Header.Values(name), ", ") }

func (q request) Cookies(name string) []string {
	var values []string
	for _, c := range q.r.CookiesNamed(name) {
		if c.Quoted {
			c.Value = `"` + c.Value + `"`
		}
		values = append(values, c.Value)
	}
	return values
}

func (q request) Peer() netip.Addr {
	host, _, err := net.SplitHostPort(q.r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(host)
	return addr
}

func (q request) Body(limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, q.r.Body, limit))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, core.ErrBodyTooLarge
	}
	return body, err
}
