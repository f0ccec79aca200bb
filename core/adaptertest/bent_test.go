package adaptertest_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/adaptertest"
)

// bent is an adapter for net/http that is right but for the functions that are
// replaced. What replaces one calls the right one if it needs it.
type bent struct {
	// The methods of its Request.
	context func(r *http.Request) context.Context
	method  func(r *http.Request) string
	host    func(r *http.Request) string
	header  func(r *http.Request, name string) string
	borrow  func(r *http.Request, name string) string
	cookies func(r *http.Request, name string) []string
	param   func(r *http.Request, name string) string
	peer    func(r *http.Request) netip.Addr
	body    func(r *http.Request, limit int64) ([]byte, error)

	// What an adapter exports; a guard is made by Require or Optional.
	mount     func(mux *http.ServeMux, prefix string, routes []core.Route)
	guard     func(g adaptertest.Guarded, next http.Handler) http.Handler
	principal func(r *http.Request) *core.Principal
	signIn    func(w http.ResponseWriter, r *http.Request, auth *core.Auth, form core.SignInForm) (core.Pair, error)
	stepUp    func(w http.ResponseWriter, r *http.Request, auth *core.Auth, form core.StepUpForm) (core.Pair, error)
	watch     func(auth *core.Auth, next http.Handler) http.Handler
	write     func(w http.ResponseWriter, r *http.Request, out core.Response)

	// around stands before everything but the app's own middleware.
	around func(next http.Handler) http.Handler
}

// bend returns an adapter that is broken in one way.
func bend(how func(b *bent)) adaptertest.Adapter {
	b := &bent{
		context: func(r *http.Request) context.Context { return r.Context() },
		method:  func(r *http.Request) string { return r.Method },
		host:    func(r *http.Request) string { return r.Host },
		header:  func(r *http.Request, name string) string { return strings.Join(r.Header.Values(name), ", ") },
		cookies: cookiesOf,
		param:   func(r *http.Request, name string) string { return r.PathValue(name) },
		peer:    func(r *http.Request) netip.Addr { return netip.MustParseAddrPort(r.RemoteAddr).Addr() },
		body:    bodyOf,

		principal: func(r *http.Request) *core.Principal { return core.FromContext(r.Context()) },
		write:     func(w http.ResponseWriter, _ *http.Request, out core.Response) { writeOut(w, out) },
		around:    func(next http.Handler) http.Handler { return next },
	}
	b.borrow = func(r *http.Request, name string) string { return b.header(r, name) }
	b.mount, b.guard, b.signIn, b.stepUp, b.watch = b.mountRoutes, b.check, b.signInFrom, b.stepUpFrom, b.watchLogin
	how(b)
	return adaptertest.Adapter{Serve: b.serve}
}

// cookiesOf takes what stands between semicolons as it is.
func cookiesOf(r *http.Request, name string) []string {
	var values []string
	for _, line := range r.Header.Values("Cookie") {
		for part := range strings.SplitSeq(line, ";") {
			if n, value, ok := strings.Cut(strings.Trim(part, " \t"), "="); ok && n == name {
				values = append(values, value)
			}
		}
	}
	return values
}

func bodyOf(r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, core.ErrBodyTooLarge
	}
	return body, nil
}

func writeOut(w http.ResponseWriter, out core.Response) {
	for name, values := range out.Header {
		if name != "Set-Cookie" {
			w.Header().Del(name)
		}
		for _, v := range values {
			w.Header().Add(name, v)
		}
	}
	w.WriteHeader(out.Status)
	w.Write(out.Body)
}

func (b *bent) mountRoutes(mux *http.ServeMux, prefix string, routes []core.Route) {
	for _, route := range routes {
		mux.Handle(route.Method+" "+strings.TrimSuffix(prefix, "/")+route.Path, b.handler(route))
	}
}

func (b *bent) handler(route core.Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.write(w, r, route.Serve(request{b, r}))
	})
}

func (b *bent) check(g adaptertest.Guarded, next http.Handler) http.Handler {
	guard := guardOf(g)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := guard.Check(request{b, r})
		if d.Refusal != nil {
			b.write(w, r, *d.Refusal)
			return
		}
		next.ServeHTTP(w, speakFor(r, d.Principal))
	})
}

func guardOf(g adaptertest.Guarded) *core.Guard {
	if g.Optional {
		return g.Auth.OptionalGuard(g.Rules...)
	}
	return g.Auth.Guard(g.Rules...)
}

// speakFor returns the request with a principal in its context.
func speakFor(r *http.Request, p *core.Principal) *http.Request {
	return r.WithContext(core.WithPrincipal(r.Context(), p))
}

func (b *bent) signInFrom(w http.ResponseWriter, r *http.Request, auth *core.Auth, form core.SignInForm) (core.Pair, error) {
	pair, cookies, err := auth.SignInFrom(request{b, r}, form)
	for _, c := range cookies["Set-Cookie"] {
		w.Header().Add("Set-Cookie", c)
	}
	return pair, err
}

func (b *bent) stepUpFrom(w http.ResponseWriter, r *http.Request, auth *core.Auth, form core.StepUpForm) (core.Pair, error) {
	pair, cookies, err := auth.StepUpFrom(request{b, r}, form)
	for _, c := range cookies["Set-Cookie"] {
		w.Header().Add("Set-Cookie", c)
	}
	return pair, err
}

func (b *bent) watchLogin(auth *core.Auth, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watch, refusal := auth.WatchLogin(request{b, r})
		if refusal != nil {
			b.write(w, r, *refusal)
			return
		}
		out, _ := watch.Answer(held(next, r))
		b.write(w, r, out)
	})
}

// held is what a handler answers.
func held(next http.Handler, r *http.Request) core.Response {
	rec := httptest.NewRecorder()
	next.ServeHTTP(rec, r)
	return core.Response{Status: rec.Code, Header: rec.Result().Header, Body: rec.Body.Bytes()}
}

// serve serves an app as adaptertest wants it.
func (b *bent) serve(app adaptertest.App) (string, func(), error) {
	mux := http.NewServeMux()
	for _, g := range app.Groups {
		b.mount(mux, g.Prefix, g.Routes)
	}
	for _, g := range app.Guarded {
		var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b.write(w, r, g.Handle(r.Context(), b.principal(r)))
		})
		if g.Auth != nil {
			h = b.guard(g, h)
		}
		mux.Handle(g.Method+" "+g.Path, h)
	}
	for _, s := range app.SignIns {
		mux.HandleFunc(s.Method+" "+s.Path, func(w http.ResponseWriter, r *http.Request) {
			b.write(w, r, s.Answer(b.signIn(w, r, s.Auth, s.Form)))
		})
	}
	for _, s := range app.StepUps {
		mux.HandleFunc(s.Method+" "+s.Path, func(w http.ResponseWriter, r *http.Request) {
			b.write(w, r, s.Answer(b.stepUp(w, r, s.Auth, s.Form())))
		})
	}
	for _, wd := range app.Watched {
		mux.Handle(wd.Method+" "+wd.Path, b.watch(wd.Auth, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			out := wd.Handle(r.Context(), body)
			for name, values := range out.Header {
				for _, v := range values {
					w.Header().Add(name, v)
				}
			}
			w.WriteHeader(out.Status)
			for piece := range slices.Chunk(out.Body, 1000) {
				w.Write(piece)
			}
		})))
	}
	inner := b.around(mux)
	return listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range app.Header {
			w.Header()[name] = slices.Clone(values)
		}
		if app.Context != nil {
			r = r.WithContext(app.Context(r.Context()))
		}
		inner.ServeHTTP(w, r)
	}))
}

type connKey struct{}

// listen serves a handler on a free port. Each connection has a perConn in its
// context, which is gone with it.
func listen(h http.Handler) (string, func(), error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: h, ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, &perConn{})
	}}
	done := make(chan error)
	go func() { done <- server.Serve(listener) }()
	return "http://" + listener.Addr().String(), func() { server.Close(); <-done }, nil
}

// perConn is what an adapter may wrongly remember of a connection.
type perConn struct {
	ctx       context.Context
	principal *core.Principal
	first     string // of a header
	again     atomic.Pointer[core.Principal]
}

func connOf(r *http.Request) *perConn { return r.Context().Value(connKey{}).(*perConn) }

// request is the [core.Request] of a bent adapter.
type request struct {
	b *bent
	r *http.Request
}

func (q request) Context() context.Context         { return q.b.context(q.r) }
func (q request) Method() string                   { return q.b.method(q.r) }
func (q request) Host() string                     { return q.b.host(q.r) }
func (q request) Header(name string) string        { return q.b.header(q.r, name) }
func (q request) Cookies(name string) []string     { return q.b.cookies(q.r, name) }
func (q request) Param(name string) string         { return q.b.param(q.r, name) }
func (q request) Peer() netip.Addr                 { return q.b.peer(q.r) }
func (q request) BorrowHeader(name string) string  { return q.b.borrow(q.r, name) }
func (q request) Body(limit int64) ([]byte, error) { return q.b.body(q.r, limit) }
