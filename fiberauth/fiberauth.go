// Package fiberauth puts a [core.Auth] into an app on Fiber. It holds no rule: it
// translates, from and to fasthttp as it is.
//
// Fiber reuses the memory of a request for the next one, whatever
// [fiber.Config.Immutable]; what outlives the handler here is copied. The
// principal is in c.UserContext, and in c.Locals and c.Context by
// [core.PrincipalKey]. The client's address is worked out by core
// ([core.Config.TrustedProxies]); Fiber's own proxy settings have no say.
//
// Fiber does not recover from panics, and one ends the process: its recover
// middleware belongs before everything else.
//
// Some settings of Fiber's have a say in what arrives here:
//
//   - [fiber.Config.ReadBufferSize] is how long a request's header may be, 4096
//     bytes unless set; a longer one is answered with 431. Access tokens with many
//     roles or claims need more, and so do foreign ones.
//   - With [fiber.Config.StreamRequestBody] a request with a body that is answered
//     here is the last of its connection, and a chunked body that breaks off looks
//     like one that has ended.
//   - Without [fiber.Config.DisablePreParseMultipartForm] Fiber itself answers 400 to
//     a multipart body that is malformed, and writes large ones to disk, before any
//     handler has seen the request.
//   - With [fiber.Config.UnescapePath] an encoded slash ends a parameter: a user
//     id with a slash has no admin routes.
//
// With [fiber.Config.Prefork] every process has memory of its own: without a store
// that they share, such as Redis, a session of one is unknown to the others.
// [core.Auth.Close] ends what runs in the background of each.
package fiberauth

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
)

// Mount registers a group of routes under a prefix such as "/api/v1/auth". A
// route for GET answers HEAD as well.
func Mount(router fiber.Router, prefix string, routes []core.Route) {
	params := strings.NewReplacer("{", ":", "}", "")
	for _, route := range routes {
		path := strings.TrimSuffix(prefix, "/") + params.Replace(route.Path)
		serve := func(c *fiber.Ctx) error { return Write(c, route.Serve(Request(c))) }
		if route.Method == http.MethodGet {
			router.Add(http.MethodHead, path, serve)
		}
		router.Add(route.Method, path, serve)
	}
}

// Require lets requests through that carry a good access token and keep the
// rules. The handlers after it find whom they speak for with [Principal].
func Require(auth *core.Auth, rules ...core.Rule) fiber.Handler {
	return guard(auth.Guard(rules...))
}

// Optional is Require, but lets requests without a token through as nobody.
func Optional(auth *core.Auth, rules ...core.Rule) fiber.Handler {
	return guard(auth.OptionalGuard(rules...))
}

func guard(g *core.Guard) fiber.Handler {
	return func(c *fiber.Ctx) error {
		switch d := g.Check(Request(c)); {
		case d.Refusal != nil:
			return Write(c, *d.Refusal)
		case d.Principal != Principal(c): // nobody, perhaps, behind another guard
			c.SetUserContext(core.WithPrincipal(c.UserContext(), d.Principal))
			c.Context().SetUserValue(core.PrincipalKey{}, d.Principal) // c.Locals
		}
		return c.Next()
	}
}

// Principal returns whom a request speaks for, or nil if no guard let it in. It
// outlives the handler.
func Principal(c *fiber.Ctx) *core.Principal { return core.FromContext(c.UserContext()) }

// SignIn begins a session for whoever sent a request, once the app's own login
// handler has checked the user. It adds the cookies to the answer, which is the
// app's to write: [core.Pair.Response] is that of the library's own login route.
// [core.Auth.Problem] answers an error: after ErrStepUpRequired the cookie of the device
// was added, which the second factor has to come from, after any other nothing.
// Text in the form may be Fiber's, such as that of c.FormValue: core copies it.
func SignIn(c *fiber.Ctx, auth *core.Auth, form core.SignInForm) (core.Pair, error) {
	pair, cookies, err := auth.SignInFrom(Request(c), form)
	setHeader(c, cookies)
	return pair, err
}

// StepUp completes a sign-in that waits for a second factor, as [SignIn] begins one. After
// an error nothing was added.
func StepUp(c *fiber.Ctx, auth *core.Auth, form core.StepUpForm) (core.Pair, error) {
	pair, cookies, err := auth.StepUpFrom(Request(c), form)
	setHeader(c, cookies)
	return pair, err
}

// Write writes an answer. The error is always nil, for a handler to return.
func Write(c *fiber.Ctx, out core.Response) error {
	if c.Context().RequestBodyStream() != nil {
		// Of a streamed body that nobody has read fasthttp takes the rest for
		// the next request.
		c.Context().SetConnectionClose()
	}
	setHeader(c, out.Header)
	c.Response().SetStatusCode(out.Status)
	c.Response().SetBody(out.Body)
	return nil
}

func setHeader(c *fiber.Ctx, h http.Header) {
	header := &c.Response().Header
	for name, values := range h {
		if name != "Set-Cookie" { // that is beside the app's own
			header.Del(name)
		}
		for _, v := range values {
			header.Add(name, v)
		}
	}
}
