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

// A page for everybody that greets whoever is signed in. A bad token is refused,
// so that a client learns that it has to refresh.
func ExampleOptional() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	app := fiber.New()
	app.Get("/", fiberauth.Optional(auth), func(c *fiber.Ctx) error {
		if p := fiberauth.Principal(c); p != nil {
			return c.SendString("hello " + p.UserID)
		}
		return c.SendString("hello stranger")
	})

	pair, err := auth.SignIn(context.Background(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		log.Panic(err)
	}
	for _, header := range []string{"", "Bearer " + pair.AccessToken, "Bearer x"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		a, err := app.Test(r)
		if err != nil {
			log.Panic(err)
		}
		body, _ := io.ReadAll(a.Body)
		fmt.Println(a.StatusCode, string(body))
	}

	// Output:
	// 200 hello stranger
	// 200 hello alice
	// 401 {"type":"about:blank","title":"Unauthorized","status":401,"code":"TOKEN_INVALID","detail":"the access token is not valid"}
}
