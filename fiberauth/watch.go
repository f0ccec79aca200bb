package fiberauth

import (
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/sallyport-go/sallyport/core"
)

// Watch stands before an app's own login handler and adds the refresh cookie to
// its answer: see [core.LoginWatch]. An error that the handler returns is the
// app's to answer, and a body that is a stream or longer than
// [core.LoginAnswerMax] is not watched.
func Watch(auth *core.Auth) fiber.Handler {
	return func(c *fiber.Ctx) error {
		watch, refusal := auth.WatchLogin(Request(c))
		if refusal != nil {
			return Write(c, *refusal)
		}
		var before fasthttp.ResponseHeader
		c.Response().Header.CopyTo(&before)
		if err := c.Next(); err != nil || c.Response().IsBodyStream() {
			return err
		}
		// What is in the header already may stay there: only what comes is asked for.
		out, refused := watch.Answer(core.Response{Status: c.Response().StatusCode(), Body: c.Response().Body()})
		if refused {
			before.CopyTo(&c.Response().Header)
			return Write(c, out)
		}
		setHeader(c, out.Header)
		return nil
	}
}
