package fiberauth_test

import (
	"context"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
)

// workingAuth is an Auth whose feed vouches for tokens, and the token of a user.
func workingAuth(t testing.TB) (*core.Auth, string) {
	t.Helper()
	auth := newAuth(t, nil)
	signIn := func(user string) core.Pair {
		pair, err := auth.SignIn(t.Context(), core.SignInRequest{
			Identity: core.Identity{UserID: user, Scopes: []string{"orders:read", "orders:write"}, Roles: []string{"clerk"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	token := signIn("alice").AccessToken
	// The store's feed begins with the first revocation; what is shown good
	// after that is vouched for.
	_, err := auth.RevokeAll(t.Context(), "nobody", core.ReasonRevoked)
	if err == nil {
		err = auth.Revoke(t.Context(), "first", signIn("first").Session.ID, core.ReasonRevoked)
	}
	if err != nil {
		t.Fatal(err)
	}
	return auth, token
}

// requests returns what sends one request through handlers, in the same memory
// each time, as a connection of fasthttp's does.
func requests(t testing.TB, token string, handlers ...fiber.Handler) func() {
	t.Helper()
	app := fiber.New()
	app.Get("/orders", append(handlers, func(c *fiber.Ctx) error {
		c.Response().SetBodyRaw(orders)
		return nil
	})...)
	handle := app.Handler()
	ctx := new(fasthttp.RequestCtx)
	return func() {
		ctx.Request.Header.SetMethod(fasthttp.MethodGet)
		ctx.Request.SetRequestURI("/orders")
		ctx.Request.Header.Set("Authorization", token)
		handle(ctx)
		if status := ctx.Response.StatusCode(); status != 200 {
			t.Fatalf("got %d %s", status, ctx.Response.Body())
		}
		ctx.Request.Reset()
		ctx.Response.Reset()
		ctx.ResetUserValues()
	}
}

var orders = []byte(`{"orders":[]}`)

// withValue is a middleware that gives each request a context of its own.
func withValue(c *fiber.Ctx) error {
	c.SetUserContext(context.WithValue(c.UserContext(), visitKey{}, "visit"))
	return c.Next()
}

// inContext hands a principal on by context.WithValue, and does nothing else.
func inContext(p *core.Principal) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.SetUserContext(context.WithValue(c.UserContext(), core.PrincipalKey{}, p))
		return c.Next()
	}
}

// A guard adds nothing to a request with a token that was seen before. Where the
// app's middleware has made a context of its own it adds what any value in it
// costs.
func TestAllocations(t *testing.T) {
	auth, token := workingAuth(t)
	line := "Bearer " + token
	measure := func(handlers ...fiber.Handler) float64 {
		request := requests(t, line, handlers...)
		for range 10 {
			request()
		}
		return testing.AllocsPerRun(1000, request)
	}
	plain := measure()
	own, value := measure(withValue), measure(withValue, inContext(new(core.Principal)))
	scope, role := core.Scope("orders:read"), core.Role("clerk")
	for name, tt := range map[string]struct {
		handlers []fiber.Handler
		want     float64
	}{
		"required":                  {[]fiber.Handler{fiberauth.Require(auth)}, plain},
		"scope and role":            {[]fiber.Handler{fiberauth.Require(auth, scope, role)}, plain},
		"optional":                  {[]fiber.Handler{fiberauth.Optional(auth)}, plain},
		"optional, with rules":      {[]fiber.Handler{fiberauth.Optional(auth, scope, role)}, plain},
		"a context of the app's":    {[]fiber.Handler{withValue, fiberauth.Require(auth)}, value},
		"a context, scope and role": {[]fiber.Handler{withValue, fiberauth.Require(auth, scope, role)}, value},
	} {
		if got := measure(tt.handlers...); got != tt.want {
			t.Errorf("%s: got %v allocations, want %v", name, got, tt.want)
		}
	}
	if value <= own {
		t.Errorf("a value in a context: got %v allocations, without %v: the measure is none", value, own)
	}
	t.Logf("without a guard %v, with a context %v, and a value in it %v", plain, own, value)
}

// BenchmarkRequest is one request through Fiber's router: without auth, and behind
// a guard with a token that was seen before.
func BenchmarkRequest(b *testing.B) {
	auth, token := workingAuth(b)
	for _, bench := range []struct {
		name     string
		handlers []fiber.Handler
	}{
		{"no auth", nil},
		{"known token", []fiber.Handler{fiberauth.Require(auth)}},
		{"known token, scope and role", []fiber.Handler{fiberauth.Require(auth, core.Scope("orders:read"), core.Role("clerk"))}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			request := requests(b, "Bearer "+token, bench.handlers...)
			request()
			b.ReportAllocs()
			for b.Loop() {
				request()
			}
		})
	}
}
