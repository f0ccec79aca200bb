package fiberjwt

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/bench/migration/internal/shop"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
)

// During is the app that accepts what the library issues, and goes on issuing
// tokens of its own.
func During(auth *core.Auth, key []byte, users *shop.Users) *fiber.App {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	old := old{key, users, time.Now}
	app.Post("/login", old.login)
	app.Post("/token", func(c *fiber.Ctx) error {
		if _, ok := ofRefreshToken(c, key, users); !ok {
			return c.Next() // to the library's route
		}
		return old.token(c)
	})
	fiberauth.Mount(app, "/", routes(auth))
	app.Get("/health", func(c *fiber.Ctx) error { return c.SendString("ok") })
	app.Use(fiberauth.Require(auth), known)
	app.Get("/orders", orders)
	app.Get("/report", fiberauth.Require(auth, core.Role("admin")), report)
	return app
}
