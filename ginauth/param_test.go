package ginauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
)

// matched is the parameter at a place of the path in which Gin looks for routes,
// decoded once.
func (s settings) matched(u *url.URL, place int) string {
	p, sent := u.Path, false
	switch {
	case s.escaped:
		p, sent = u.EscapedPath(), true
	case s.raw && u.RawPath != "":
		p, sent = u.RawPath, true
	}
	if s.extra {
		p = path.Clean(p)
	}
	segment := strings.Split(p, "/")[place]
	if sent {
		segment, _ = url.PathUnescape(segment)
	}
	return segment
}

// A mounted route acts on the user that Gin has found in the path, which is the one
// that a middleware of the app's may have looked at. Slashes and steps of the path
// that are sent encoded, or doubled, change nothing about that.
func TestParamIsWhatGinFound(t *testing.T) {
	reached := make(map[string]bool)
	for _, mounted := range []struct {
		group, prefix string
		paths         []string
	}{
		{"/", "/admin", []string{
			"/admin/users/alice/tokens",
			"/admin/users/a%2Fb+c%2520/tokens",
			"/admin/users/caf%C3%A9+%2B/tokens",
			"/admin/users/café+%2F%40/tokens",
			"/admin//users/b+%2F%40/tokens",
			"/admin%2Fusers%2Falice%2Ftokens",
			"/admin/users%2Falice%2Ftokens",
			"/admin/users%2Falice/tokens",
			"/admin/users/alice%2Ftokens",
			"/admin/users/root/../alice/tokens",
			"/admin/users/alice/tokens/root/..",
			"/admin/users/alice/tokens/root/%2E%2E",
			"/admin/users/alice/root/../tokens",
			"/admin/users/alice/./tokens",
			"//admin//users//alice//tokens",
			"/admin/users/alice//tokens",
			"/admin/users/root%2F..%2F..%2Fusers%2Falice/tokens",
			"/admin/users/%2Falice/tokens",
			"/admin/users/a+b/..%2Fa%20b%2Ftokens",
		}},
		{"/:org", "/", []string{
			"/acme/users/alice/tokens",
			"/a%2Fb/users/c%2Fd/tokens",
			"/root/users%2Falice%2Ftokens",
			"/%61lice/users%2F%2561lice%2Ftokens",
			"/a+b/users%2Fa%20b%2Ftokens",
			"/acme/x/root/..%2F..%2Fusers%2Falice%2Ftokens",
			"/acme/users/root/..%2Falice%2Ftokens",
		}},
		{"/of/:user/", "admin/", []string{
			"/of/root/admin/users/alice/tokens",
			"/of/root/admin/users/a%2Fb%252F+c/tokens",
			"/of/root%2Fadmin%2Fusers%2Falice%2Ftokens",
			"/of/x/root/..%2F..%2Froot%2Fadmin%2Fusers%2Falice%2Ftokens",
		}},
		{"/v:version/of/:user", "/", []string{"/v1/of/root/users/alice/tokens"}},
		{"/é", "/", []string{"/%C3%A9/users/alice/tokens"}},
	} {
		for _, s := range allSettings() {
			engine := gin.New()
			s.set(engine)
			var got, pattern string
			route := core.Route{Method: "GET", Path: "/users/{user}/tokens", Serve: func(r core.Request) core.Response {
				got = r.Param("user")
				if none := r.Param("org") + r.Param("users") + r.Param(""); mounted.group == "/" && none != "" {
					t.Errorf("names that are not there: got %q", none)
				}
				return core.Response{Status: 200}
			}}
			engine.Use(func(c *gin.Context) { pattern = c.FullPath() })
			ginauth.Mount(engine.Group(mounted.group), mounted.prefix, []core.Route{route})
			for _, p := range mounted.paths {
				r, w := httptest.NewRequest("GET", p, nil), httptest.NewRecorder()
				got = "not reached"
				engine.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					continue
				}
				reached[p] = true
				segments := strings.Split(pattern, "/")
				slices.Reverse(segments)
				place := len(segments) - 1 - slices.Index(segments, ":user")
				if want := s.matched(r.URL, place); got != want {
					t.Errorf("%+v: %s by %s: got %q, want %q", s, p, pattern, got, want)
				}
			}
		}
		for _, p := range mounted.paths {
			if !reached[p] {
				t.Errorf("%s: no settings of Gin reach a route: the case checks nothing", p)
			}
		}
	}
}

// A rewritten request is served as what it was rewritten to.
func TestParamAfterRewriting(t *testing.T) {
	for _, s := range allSettings() {
		engine := gin.New()
		s.set(engine)
		route := core.Route{Method: "GET", Path: "/users/{user}/tokens", Serve: func(r core.Request) core.Response {
			return core.Response{Status: 200, Body: fmt.Appendf(nil, "%q", r.Param("user"))}
		}}
		ginauth.Mount(engine, "/admin", []core.Route{route})
		engine.GET("/tokens/:user/of/:none", func(c *gin.Context) {
			c.Request.URL.Path, c.Request.URL.RawPath = "/admin/users/"+c.Query("as")+"/tokens", ""
			engine.HandleContext(c)
			if want := "/admin/users/:user/tokens"; c.FullPath() != want {
				t.Errorf("%+v: got %s, want %s", s, c.FullPath(), want)
			}
		})
		for query, want := range map[string]string{"bob": `"bob"`, "b%20c": `"b c"`, "b%2Bc": `"b+c"`, "b%2525c": `"b%25c"`} {
			w := httptest.NewRecorder()
			engine.ServeHTTP(w, httptest.NewRequest("GET", "/tokens/a%20lice/of/x?as="+query, nil))
			if w.Body.String() != want {
				t.Errorf("%+v: %s: got %s, want %s", s, query, w.Body, want)
			}
		}
	}
}
