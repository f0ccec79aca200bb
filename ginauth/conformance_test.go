package ginauth_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/adaptertest"
	"github.com/sallyport-go/sallyport/ginauth"
)

// settings are those of an engine that say which path Gin looks for routes in,
// and two that have to do with what an adapter takes from a request.
type settings struct{ raw, escaped, unescape, extra, fallback, forwarded bool }

func (s settings) set(e *gin.Engine) {
	e.UseRawPath, e.UseEscapedPath, e.UnescapePathValues = s.raw, s.escaped, s.unescape
	e.RemoveExtraSlash, e.ContextWithFallback, e.ForwardedByClientIP = s.extra, s.fallback, s.forwarded
}

// asSent reports whether Gin looks for routes in the path as it was sent, and so
// finds one where a parameter has a slash in it.
func (s settings) asSent() bool { return s.raw || s.escaped }

// allSettings are the 16 ways of the path, with the other two as it comes: those
// have nothing to do with the path.
func allSettings() []settings {
	var all []settings
	for i := range 16 {
		all = append(all, settings{i&1 > 0, i&2 > 0, i&4 > 0, i&8 > 0, i%3 == 0, i%5 < 3})
	}
	return all
}

func TestConformance(t *testing.T) {
	for _, s := range allSettings() {
		if s.asSent() {
			t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
				adaptertest.Run(t, adaptertest.Adapter{Serve: serveApp(s.set)})
			})
		}
	}
}

// Looking in the decoded path, Gin finds no route where a parameter has a slash in
// it, and one where a slash of the route was sent as %2F. With RemoveExtraSlash it
// takes "." and ".." for steps as well. That is all: whatever the route gets is
// decoded once.
func TestConformanceOfDecodedPaths(t *testing.T) {
	for _, s := range allSettings() {
		if s.asSent() {
			continue
		}
		want := map[string][]string{
			"params/decoded-once": {
				"/kit/users/%2Fa%2F%2Fb%2F/tokens", "/kit/users/..%2F..%2Fadmin/tokens", "/kit/users/..%2f/tokens", "/kit/users/a%2Fb%2520c/tokens",
				"/kit/users/a%2Fb+c/tokens", "/kit/users/a%2Fb/tokens", "/kit/users/a%2fb/tokens",
			},
			"params/by-name": {"/kit/pairs/a%2Fb/of/c%2520d/end"},
			"mount/prefix":   {"/api/v1/admin/users/a%2Fb/tokens", "/api/v1/auth/users/a%2Fb/tokens"},
			"mount/own-path": {"/kit/users/a%2Ftokens", "/kit/users/a%2Ftokens/tokens"},
		}
		if s.extra {
			want["params/decoded-once"] = append(want["params/decoded-once"], "/kit/users/%2E/tokens", "/kit/users/%2e%2e/tokens")
		}
		got := make(map[string][]string)
		err := adaptertest.Check(adaptertest.Adapter{Serve: serveApp(s.set)})
		for _, err := range joined(err) {
			var f *adaptertest.Failure
			if !errors.As(err, &f) {
				t.Fatal(err)
			}
			for _, seen := range f.Seen {
				path, outcome, _ := strings.Cut(strings.TrimPrefix(seen, "GET "), ": ")
				got[f.Case] = append(got[f.Case], path)
				if path != "/kit/users/a%2Ftokens" && !strings.Contains(outcome, "got 404") {
					t.Errorf("%+v: %s: got %s, want no route", s, f.Case, seen)
				}
			}
		}
		for _, paths := range []map[string][]string{got, want} {
			for _, p := range paths {
				slices.Sort(p)
			}
		}
		if !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%+v: the cases that fail: got %v, want %v", s, got, want)
		}
	}
}

// joined returns the errors that were joined to one.
func joined(err error) []error {
	if err, ok := err.(interface{ Unwrap() []error }); ok {
		return err.Unwrap()
	}
	return nil
}

// serveApp puts apps on Gin.
func serveApp(set func(*gin.Engine)) func(adaptertest.App) (string, func(), error) {
	return func(app adaptertest.App) (string, func(), error) {
		engine := gin.New()
		set(engine)
		engine.Use(func(c *gin.Context) {
			for name, values := range app.Header {
				c.Writer.Header()[name] = slices.Clone(values)
			}
			if app.Context != nil {
				c.Request = c.Request.WithContext(app.Context(c.Request.Context()))
			}
		})
		for _, g := range app.Groups {
			ginauth.Mount(engine, g.Prefix, g.Routes)
		}
		for _, g := range app.Guarded {
			var chain []gin.HandlerFunc
			switch {
			case g.Optional:
				chain = append(chain, ginauth.Optional(g.Auth, g.Rules...))
			case g.Auth != nil:
				chain = append(chain, ginauth.Require(g.Auth, g.Rules...))
			}
			engine.Handle(g.Method, g.Path, append(chain, func(c *gin.Context) {
				ginauth.Write(c, g.Handle(c.Request.Context(), ginauth.Principal(c)))
			})...)
		}
		for _, s := range app.SignIns {
			engine.Handle(s.Method, s.Path, func(c *gin.Context) {
				ginauth.Write(c, s.Answer(ginauth.SignIn(c, s.Auth, s.Form)))
			})
		}
		for _, s := range app.StepUps {
			engine.Handle(s.Method, s.Path, func(c *gin.Context) {
				ginauth.Write(c, s.Answer(ginauth.StepUp(c, s.Auth, s.Form())))
			})
		}
		for _, w := range app.Watched {
			engine.Handle(w.Method, w.Path, ginauth.Watch(w.Auth), func(c *gin.Context) {
				body, err := io.ReadAll(c.Request.Body)
				if err != nil {
					c.AbortWithStatus(http.StatusBadRequest)
					return
				}
				writeOwn(c, w.Handle(c.Request.Context(), body))
			})
		}
		return serve(engine)
	}
}

func serve(handler http.Handler) (string, func(), error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener)
	}()
	return "http://" + listener.Addr().String(), func() { server.Close(); <-done }, nil
}

// writeOwn writes an answer as an app does that has no adapter.
func writeOwn(c *gin.Context, out core.Response) {
	for name, values := range out.Header {
		for _, v := range values {
			c.Writer.Header().Add(name, v)
		}
	}
	c.Status(out.Status)
	for piece := range slices.Chunk(out.Body, 1000) {
		c.Writer.Write(piece)
	}
}

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	goleak.VerifyTestMain(m)
}
