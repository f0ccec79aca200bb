package bench

import (
	"net"
	"testing"

	jwtware "github.com/gofiber/contrib/jwt"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
)

func onFiber(_ testing.TB, w *atWork) []contestant {
	p := new(core.Principal)
	return []contestant{
		unguarded("no auth", newFiberApp()),
		unguarded("a context value and no auth", newFiberApp(func(c *fiber.Ctx) error {
			c.SetUserContext(core.WithPrincipal(c.UserContext(), p))
			return c.Next()
		})),
		ours(w, "known token", newFiberApp(fiberauth.Require(w.Auth))),
		ours(w, "known token, scope and role", newFiberApp(fiberauth.Require(w.Auth, rules()...))),
		{
			name: "contrib-jwt",
			app:  newFiberApp(jwtware.New(jwtware.Config{SigningKey: jwtware.SigningKey{JWTAlg: "HS256", Key: w.key}})),
			// It calls a missing token malformed; an app may have it say 401.
			missing: 400, forged: 401, ended: 200,
		},
	}
}

type fiberApp struct{ *fiber.App }

func newFiberApp(guard ...fiber.Handler) app {
	f := fiber.New(fiber.Config{DisableStartupMessage: true})
	f.Get("/orders", append(guard, func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, "application/json")
		return c.Send(orders)
	})...)
	return fiberApp{f}
}

// inProcess uses one context over and over, as the server does with those of a
// connection. It has to write each token into it, if there are several.
func (a fiberApp) inProcess(headers []string) func(int) int {
	var request fasthttp.Request
	request.Header.SetMethod("GET")
	request.SetRequestURI("/orders")
	request.Header.SetHost("example.com")
	request.Header.SetUserAgent("Mozilla/5.0")
	if headers[0] != "" {
		request.Header.Set("Authorization", headers[0])
	}
	c := new(fasthttp.RequestCtx)
	c.Init(&request, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1234}, nil)
	serve := a.Handler()
	return func(i int) int {
		if len(headers) > 1 {
			c.Request.Header.Set("Authorization", headers[i])
		}
		serve(c)
		status := c.Response.StatusCode()
		c.Response.Reset()
		c.ResetUserValues()
		return status
	}
}

func (a fiberApp) listen(tb testing.TB) string {
	l := listener(tb)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Listener(l)
	}()
	tb.Cleanup(func() { a.ShutdownWithTimeout(0); <-done })
	return l.Addr().String()
}
