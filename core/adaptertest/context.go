package adaptertest

import (
	"context"
	"fmt"
	"sync"

	"github.com/sallyport-go/sallyport/core"
)

var contextCases = []testCase{
	{
		"context/of-the-request",
		"Context is the request's own, not done while the route serves: it carries what the app's middleware put there for this request, and is done when the middleware ends it.",
		requestContext,
	},
	{
		"context/of-a-guarded-handler",
		"A handler behind a guard, or behind none, finds in its context what the app's middleware put there, whether the guard added a principal or not.",
		guardedContext,
	},
	{
		"context/principal",
		"A mounted route's Context carries no principal, whoever was let in before on the same connection.",
		contextPrincipal,
	},
}

// visits counts requests as an app's middleware would: the number of each is in
// its context.
type visits struct {
	mu  sync.Mutex
	n   int
	end context.CancelFunc // of the last one's context
}

type visitKey struct{}

func (v *visits) context(ctx context.Context) context.Context {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.n++
	ctx, v.end = context.WithCancel(context.WithValue(ctx, visitKey{}, v.n))
	return ctx
}

func (v *visits) finish() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.end()
}

func visit(ctx context.Context) string { return fmt.Sprint(ctx.Value(visitKey{})) }

func requestContext(k *kit) {
	v := &visits{}
	p := k.probe(App{Context: v.context})
	for i := range 5 {
		p.show(wire("GET", probePath), func(r core.Request) {
			ctx := r.Context()
			if ctx == nil {
				k.fatalf("Context: got nil")
			}
			k.equal("what the middleware put there", visit(ctx), fmt.Sprint(i+1))
			if err := ctx.Err(); err != nil {
				k.errorf("while the route serves: Context().Err(): got %v", err)
			}
			v.finish()
			if ctx.Err() == nil {
				k.errorf("after the middleware ended the context: Context().Err(): got nil")
			}
		})
	}
}

func guardedContext(k *kit) {
	v, auth := &visits{}, k.auth()
	app := App{Context: v.context}
	for path, g := range map[string]Guarded{
		"/required": {Auth: auth.Auth},
		"/optional": {Auth: auth.Auth, Optional: true},
		"/open":     {},
	} {
		g.Method, g.Path = "GET", path
		g.Handle = func(ctx context.Context, _ *core.Principal) core.Response {
			before := ctx.Err()
			v.finish()
			return text(200, fmt.Sprintf("visit %s, %v, then %v", visit(ctx), before, ctx.Err()))
		}
		app.Guarded = append(app.Guarded, g)
	}
	s := k.serve(app)
	c, alice := s.dial(), auth.signIn("alice")
	for i, raw := range []string{
		wire("GET", "/required", alice), wire("GET", "/optional", alice), wire("GET", "/optional"),
		wire("GET", "/open"), wire("GET", "/open", alice),
	} {
		k.equal(fmt.Sprintf("request %d, %s: in the handler's context", i+1, line(raw)),
			c.ask(raw).body, fmt.Sprintf("visit %d, <nil>, then context canceled", i+1))
	}
}

func contextPrincipal(k *kit) {
	auth := k.auth()
	p := k.probe(App{Guarded: []Guarded{{Method: "GET", Path: "/guarded", Auth: auth.Auth, Handle: answerUser}}})
	p.conn = p.dial()
	alice := auth.signIn("alice")
	for range 20 {
		k.equal("behind the guard", p.conn.ask(wire("GET", "/guarded", alice)).body, "user alice")
		p.show(wire("GET", probePath, alice), func(r core.Request) {
			k.equal("in a mounted route: FromContext", name(core.FromContext(r.Context())), "nobody")
		})
	}
}
