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

// Whom a request speaks for, where there is a *fiber.Ctx and where there is only
// a context.
func ExamplePrincipal() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	orders := func(ctx context.Context) string { return "orders of " + core.FromContext(ctx).UserID }
	app := fiber.New()
	app.Use(fiberauth.Require(auth))
	app.Get("/me", func(c *fiber.Ctx) error { return c.SendString(fiberauth.Principal(c).UserID) })
	app.Get("/orders", func(c *fiber.Ctx) error { return c.SendString(orders(c.UserContext())) })
	app.Get("/claims", func(c *fiber.Ctx) error {
		claims, err := core.ClaimsOf[struct{ Team string }](fiberauth.Principal(c))
		if err != nil {
			return err
		}
		return c.SendString(claims.Team)
	})

	pair, err := auth.SignIn(context.Background(), core.SignInRequest{
		Identity: core.Identity{UserID: "alice", Claims: map[string]string{"Team": "blue"}},
	})
	if err != nil {
		log.Panic(err)
	}
	for _, path := range []string{"/me", "/orders", "/claims"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+pair.AccessToken)
		a, err := app.Test(r)
		if err != nil {
			log.Panic(err)
		}
		body, _ := io.ReadAll(a.Body)
		fmt.Println(string(body))
	}

	// Output:
	// alice
	// orders of alice
	// blue
}
