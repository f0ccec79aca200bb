package fiberauth_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// A handler that knows only itself whether somebody has to be signed in asks the
// guard by hand.
func ExampleRequest() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	app, guard := fiber.New(), auth.Guard()
	app.Get("/reports/:name", func(c *fiber.Ctx) error {
		if c.Params("name") == "public" {
			return c.SendString("for everybody")
		}
		d := guard.Check(fiberauth.Request(c))
		if d.Refusal != nil {
			return fiberauth.Write(c, *d.Refusal)
		}
		return c.SendString("for " + d.Principal.UserID)
	})

	pair, err := auth.SignIn(context.Background(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		log.Panic(err)
	}
	for _, tt := range []struct{ path, header string }{
		{"/reports/public", ""},
		{"/reports/sales", "Bearer " + pair.AccessToken},
		{"/reports/sales", ""},
	} {
		r := httptest.NewRequest("GET", tt.path, nil)
		r.Header.Set("Authorization", tt.header)
		a, err := app.Test(r)
		if err != nil {
			log.Panic(err)
		}
		body, _ := io.ReadAll(a.Body)
		fmt.Println(a.StatusCode, string(body))
	}

	// Output:
	// 200 for everybody
	// 200 for alice
	// 401 {"type":"about:blank","title":"Unauthorized","status":401,"code":"TOKEN_MISSING","detail":"an access token is required"}
}
