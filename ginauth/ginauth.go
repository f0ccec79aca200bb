// Package ginauth puts a [core.Auth] into an app on Gin. It holds no rule: it
// translates.
//
// The principal is in the context of c.Request, whatever the engine's
// ContextWithFallback, and so in that of a c.Copy. The client's address is worked
// out by core ([core.Config.TrustedProxies]); the engine's own trusted proxies
// have no say. If user ids may have a slash in them, set the engine's UseRawPath,
// or Gin finds no route for /users/a%2Fb/tokens.
package ginauth

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// Mount registers a group of routes under a prefix such as "/api/v1/auth". A
// route for GET answers HEAD as well.
func Mount(router gin.IRouter, prefix string, routes []core.Route) {
	params := strings.NewReplacer("{", ":", "}", "")
	for _, route := range routes {
		methods := []string{route.Method}
		if route.Method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
		router.Match(methods, strings.TrimSuffix(prefix, "/")+params.Replace(route.Path), func(c *gin.Context) {
			Write(c, route.Serve(Request(c)))
		})
	}
}

// Require lets requests through that carry a good access token and keep the
// rules; others are answered, and the chain is aborted. The handlers after it
// find whom they speak for with [Principal].
func Require(auth *core.Auth, rules ...core.Rule) gin.HandlerFunc {
	return guard(auth.Guard(rules...))
}

// Optional is Require, but lets requests without a token through as nobody.
func Optional(auth *core.Auth, rules ...core.Rule) gin.HandlerFunc {
	return guard(auth.OptionalGuard(rules...))
}

func guard(g *core.Guard) gin.HandlerFunc {
	return func(c *gin.Context) {
		switch d := g.Check(nethttpauth.Request(c.Request)); {
		case d.Refusal != nil:
			Write(c, *d.Refusal)
			c.Abort()
		case d.Principal != Principal(c): // nobody, perhaps, behind another guard
			c.Request = c.Request.WithContext(core.WithPrincipal(c.Request.Context(), d.Principal))
		}
	}
}

// Principal returns whom a request speaks for, or nil if no guard let it in.
func Principal(c *gin.Context) *core.Principal { return nethttpauth.Principal(c.Request) }

// SignIn begins a session for whoever sent a request, once the app's own login
// handler has checked the user. It adds the cookies to the answer, which is the
// app's to write: [core.Pair.Response] is that of the library's own login route.
// [core.Auth.Problem] answers an error: after ErrStepUpRequired the cookie of the device
// was added, which the second factor has to come from, after any other nothing.
func SignIn(c *gin.Context, auth *core.Auth, form core.SignInForm) (core.Pair, error) {
	return nethttpauth.SignIn(c.Writer, c.Request, auth, form)
}

// StepUp completes a sign-in that waits for a second factor, as [SignIn] begins one. After
// an error nothing was added.
func StepUp(c *gin.Context, auth *core.Auth, form core.StepUpForm) (core.Pair, error) {
	return nethttpauth.StepUp(c.Writer, c.Request, auth, form)
}

// Write writes an answer. It does not abort the chain.
func Write(c *gin.Context, out core.Response) { nethttpauth.Write(c.Writer, out) }

// Request returns a request as core sees it, for what is asked of an Auth by
// hand, such as the Serve of a route.
func Request(c *gin.Context) core.Request { return request{nethttpauth.Request(c.Request), c} }

// request has the parameters of Gin's route.
type request struct {
	core.Request
	c *gin.Context
}

// Param returns what Gin found, decoded once. Gin decodes it never, once, or as a
// form's ("+" is a space), by the engine's settings, and so the value is read from
// the path as it was sent; unless Gin found another, in a path that it decoded or
// cleaned before: that is taken as it is, or the route would act on another user
// than c.Param says.
func (q request) Param(name string) string {
	var found string
	for _, p := range q.c.Params {
		if p.Key == name {
			found = p.Value // the last: the group may be below one of the name
		}
	}
	plain, err := url.PathUnescape(found)
	sent := q.c.Request.URL.EscapedPath()
	if u := q.c.Request.URL; u.RawPath != "" { // which EscapedPath passes over if it is not well encoded
		if decoded, err := url.PathUnescape(u.RawPath); err == nil && decoded == u.Path {
			sent = u.RawPath
		}
	}
	for _, sent := range []string{sent, path.Clean(sent)} { // Gin may have taken slashes out
		value := core.PathParam(q.c.FullPath(), sent, name)
		if alike(found, value) || err == nil && alike(plain, value) {
			return value
		}
	}
	return found
}

// alike reports whether two values are the same but for what a form makes of "+".
func alike(a, b string) bool {
	return strings.ReplaceAll(a, "+", " ") == strings.ReplaceAll(b, "+", " ")
}
