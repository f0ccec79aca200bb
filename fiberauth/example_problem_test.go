package fiberauth_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// The app's own errors in the shape of the library's, by Fiber's error handler.
func ExampleWrite() {
	auth, err := core.New(core.Config{
		Store: memstore.New(),
		Keys:  []core.Key{{Secret: exampleSecret}},
		Problem: func(e core.Error) (contentType string, body []byte) {
			return "application/json", fmt.Appendf(nil, `{"error":%q}`, e.Code)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	app := fiber.New(fiber.Config{ErrorHandler: func(c *fiber.Ctx, err error) error {
		if e, ok := errors.AsType[*fiber.Error](err); ok { // such as 404, of Fiber itself
			err = &core.Error{Code: e.Message, Status: e.Code}
		}
		return fiberauth.Write(c, auth.Problem(err))
	}})
	app.Get("/session", func(*fiber.Ctx) error { return core.ErrSessionNotFound })
	app.Get("/order", func(*fiber.Ctx) error {
		return &core.Error{Code: "ORDER_NOT_FOUND", Status: 404, Detail: "no such order"}
	})
	app.Get("/database", func(*fiber.Ctx) error { return errors.New("connection refused") })

	for _, path := range []string{"/session", "/order", "/database", "/nowhere"} {
		a, err := app.Test(httptest.NewRequest("GET", path, nil))
		if err != nil {
			log.Panic(err)
		}
		body, _ := io.ReadAll(a.Body)
		fmt.Println(a.StatusCode, string(body))
	}

	// Output:
	// 404 {"error":"SESSION_NOT_FOUND"}
	// 404 {"error":"ORDER_NOT_FOUND"}
	// 500 {"error":"INTERNAL"}
	// 404 {"error":"Cannot GET /nowhere"}
}
