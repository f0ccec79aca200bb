package fiberauth_test

import (
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/adaptertest"
	"github.com/sallyport-go/sallyport/fiberauth"
)

func TestConformance(t *testing.T) {
	for name, config := range map[string]fiber.Config{
		"defaults":             {},
		"Immutable":            {Immutable: true},
		"strict":               {StrictRouting: true, CaseSensitive: true},
		"a proxy of Fiber's":   {EnableTrustedProxyCheck: true, TrustedProxies: []string{"127.0.0.1"}, ProxyHeader: "X-Forwarded-For", EnableIPValidation: true},
		"headers as they are":  {DisableHeaderNormalizing: true},
		"bodies as they are":   {DisablePreParseMultipartForm: true},
		"no default headers":   {DisableDefaultContentType: true, DisableDefaultDate: true, ServerHeader: "kit"},
		"Immutable and strict": {Immutable: true, StrictRouting: true, CaseSensitive: true},
	} {
		t.Run(name, func(t *testing.T) { adaptertest.Run(t, adaptertest.Adapter{Serve: serveApp(config)}) })
	}
}

// What an app gives up by a setting of Fiber's: these cases fail, and no other.
func TestConformanceBut(t *testing.T) {
	// What Fiber and fasthttp do by themselves, and no adapter can undo.
	const (
		streamed    = "body/broken-off"     // fasthttp takes a chunked body that breaks off for one that has ended
		last        = "response/once"       // a request with a body that is not read is the last of its connection, see Write
		pipelined   = "response/once"       // fasthttp loses answers to requests that come at once, see TestReduceMemoryUsageIsFasthttps
		headAndGet  = "response/head"       // likewise
		slashes     = "params/decoded-once" // an encoded slash ends a parameter
		slashesToo  = "params/by-name"
		slashPrefix = "mount/prefix"
		slashPaths  = "mount/own-path"
	)
	for name, tt := range map[string]struct {
		config fiber.Config
		fails  []string
	}{
		"StreamRequestBody":            {fiber.Config{StreamRequestBody: true}, []string{streamed, last}},
		"StreamRequestBody, Immutable": {fiber.Config{StreamRequestBody: true, Immutable: true}, []string{streamed, last}},
		"UnescapePath":                 {fiber.Config{UnescapePath: true}, []string{slashes, slashesToo, slashPrefix, slashPaths}},
		"UnescapePath, Immutable":      {fiber.Config{UnescapePath: true, Immutable: true}, []string{slashes, slashesToo, slashPrefix, slashPaths}},
		// Without IdleTimeout the kit waits a minute for answers that are lost.
		"ReduceMemoryUsage": {fiber.Config{ReduceMemoryUsage: true, IdleTimeout: 3 * time.Second}, []string{pipelined, headAndGet}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := adaptertest.Check(adaptertest.Adapter{Serve: serveApp(tt.config)})
			failed := []string{}
			if all, ok := err.(interface{ Unwrap() []error }); ok {
				for _, e := range all.Unwrap() {
					var f *adaptertest.Failure
					if errors.As(e, &f) {
						failed = append(failed, f.Case)
					}
				}
			}
			slices.Sort(failed)
			slices.Sort(tt.fails)
			if !slices.Equal(failed, tt.fails) {
				t.Errorf("got failures %v, want %v:\n%v", failed, tt.fails, err)
			}
		})
	}
}

// serveApp puts apps on Fiber.
func serveApp(config fiber.Config) func(adaptertest.App) (string, func(), error) {
	config.DisableStartupMessage = true
	return func(app adaptertest.App) (string, func(), error) {
		f := fiber.New(config)
		f.Use(func(c *fiber.Ctx) error {
			for name, values := range app.Header {
				for _, v := range values {
					c.Response().Header.Add(name, v)
				}
			}
			if app.Context != nil {
				c.SetUserContext(app.Context(c.UserContext()))
			}
			return c.Next()
		})
		for _, g := range app.Groups {
			fiberauth.Mount(f, g.Prefix, g.Routes)
		}
		for _, g := range app.Guarded {
			var chain []fiber.Handler
			switch {
			case g.Optional:
				chain = append(chain, fiberauth.Optional(g.Auth, g.Rules...))
			case g.Auth != nil:
				chain = append(chain, fiberauth.Require(g.Auth, g.Rules...))
			}
			f.Add(g.Method, g.Path, append(chain, func(c *fiber.Ctx) error {
				return fiberauth.Write(c, g.Handle(c.UserContext(), fiberauth.Principal(c)))
			})...)
		}
		for _, s := range app.SignIns {
			f.Add(s.Method, s.Path, func(c *fiber.Ctx) error {
				return fiberauth.Write(c, s.Answer(fiberauth.SignIn(c, s.Auth, s.Form)))
			})
		}
		for _, s := range app.StepUps {
			f.Add(s.Method, s.Path, func(c *fiber.Ctx) error {
				return fiberauth.Write(c, s.Answer(fiberauth.StepUp(c, s.Auth, s.Form())))
			})
		}
		for _, w := range app.Watched {
			f.Add(w.Method, w.Path, fiberauth.Watch(w.Auth), func(c *fiber.Ctx) error {
				return writeOwn(c, w.Handle(c.UserContext(), slices.Clone(c.Body())))
			})
		}
		return serve(f)
	}
}

func serve(f *fiber.App) (string, func(), error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Listener(listener)
	}()
	return "http://" + listener.Addr().String(), func() { f.ShutdownWithTimeout(0); <-done }, nil
}

// writeOwn writes an answer as an app does that has no adapter.
func writeOwn(c *fiber.Ctx, out core.Response) error {
	for name, values := range out.Header {
		for _, v := range values {
			c.Response().Header.Add(name, v)
		}
	}
	c.Status(out.Status)
	for piece := range slices.Chunk(out.Body, 1000) {
		if _, err := c.Write(piece); err != nil {
			return err
		}
	}
	return nil
}
