package fiberauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// What a guard demands beside a good token.
func ExampleRequire() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	app := fiber.New()
	ok := func(c *fiber.Ctx) error { return c.SendString("ok") }
	app.Get("/orders", fiberauth.Require(auth, core.Scope("orders:read")), ok)
	app.Get("/invoices", fiberauth.Require(auth, core.Scope("invoices:read")), ok)
	app.Get("/email", fiberauth.Require(auth, core.Fresh(10*time.Minute)), ok) // signed in so lately
	admin := app.Group("/admin", fiberauth.Require(auth, core.Role("admin")))  // and all below
	admin.Get("/users", ok)

	pair, err := auth.SignIn(context.Background(), core.SignInRequest{
		Identity: core.Identity{UserID: "alice", Scopes: []string{"orders:read"}},
	})
	if err != nil {
		log.Panic(err)
	}
	for _, path := range []string{"/orders", "/invoices", "/email", "/admin/users"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+pair.AccessToken)
		a, err := app.Test(r)
		if err != nil {
			log.Panic(err)
		}
		fmt.Println(path, a.StatusCode, a.Header["Www-Authenticate"])
	}

	// Output:
	// /orders 200 []
	// /invoices 403 [Bearer error="insufficient_scope", scope="invoices:read"]
	// /email 200 []
	// /admin/users 403 []
}
