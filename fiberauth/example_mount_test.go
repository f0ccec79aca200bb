package fiberauth_test

import (
	"context"
	"log"
	"os"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// A whole program.
func Example_mount() {
	auth, err := core.New(core.Config{
		Store:        memstore.New(),
		Keys:         []core.Key{{Secret: []byte(os.Getenv("SECRET_KEY"))}}, // at least 32 random bytes
		Authenticate: authenticate,
		Prefix:       "/api/v1/auth",
	})
	if err != nil {
		log.Fatal(err)
	}

	app := fiber.New()
	app.Use(recover.New()) // of Fiber's middleware; without it a panic ends the process
	fiberauth.Mount(app, "/api/v1/auth", auth.Routes())
	app.Get("/hello", fiberauth.Require(auth), func(c *fiber.Ctx) error {
		return c.SendString("hello " + fiberauth.Principal(c).UserID)
	})
	log.Fatal(app.Listen("127.0.0.1:8080"))
}

// authenticate says who signs in. Yours looks the user up and compares the
// password with a hash.
func authenticate(_ context.Context, c core.Credentials) (core.Identity, error) {
	if c.Username != "alice" || c.Password != "correct-horse" {
		return core.Identity{}, core.ErrInvalidCredentials
	}
	return core.Identity{UserID: "alice"}, nil
}
