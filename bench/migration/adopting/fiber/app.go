// Package fiber is the app on Fiber.
package fiber

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"github.com/sallyport-go/sallyport/bench/migration/adopting"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
)

type server struct {
	adopting.App
	auth *core.Auth
}

// Before is the app as it is.
func Before(app adopting.App) *fiber.App {
	s := &server{App: app}
	f := fiber.New(fiber.Config{DisableStartupMessage: true})
	f.Post("/login", s.login)
	f.Get("/orders", s.signedIn, orders)
	return f
}

func (s *server) login(c *fiber.Ctx) error {
	user, err := s.Check(c.FormValue("name"), c.FormValue("password"))
	if err != nil {
		return c.Status(fiber.StatusUnauthorized).SendString("no")
	}
	token, err := s.Issue(user)
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"token": token})
}

func (s *server) signedIn(c *fiber.Ctx) error {
	user, err := s.Read(strings.TrimPrefix(c.Get(fiber.HeaderAuthorization), "Bearer "))
	if err != nil {
		return c.Status(fiber.StatusUnauthorized).SendString("no")
	}
	c.Locals("user", user.Name)
	return c.Next()
}

func orders(c *fiber.Ctx) error {
	user, _ := c.Locals("user").(string)
	return c.SendString("orders of " + user)
}

// Guarded is step 1.
func Guarded(app adopting.App, auth *core.Auth) *fiber.App {
	s := &server{app, auth}
	f := fiber.New(fiber.Config{DisableStartupMessage: true})
	f.Post("/login", s.login)
	f.Get("/orders", fiberauth.Require(auth), known, orders)
	return f
}

// known puts the user where your handlers look.
func known(c *fiber.Ctx) error {
	c.Locals("user", fiberauth.Principal(c).UserID)
	return c.Next()
}

// Refreshed is step 2.
func Refreshed(app adopting.App, auth *core.Auth) *fiber.App {
	s := &server{app, auth}
	f := fiber.New(fiber.Config{DisableStartupMessage: true})
	f.Post("/login", fiberauth.Watch(auth), s.login)
	fiberauth.Mount(f, "/auth", auth.Routes())
	f.Get("/orders", fiberauth.Require(auth), known, orders)
	return f
}

// Adopted is step 3.
func Adopted(app adopting.App, auth *core.Auth) *fiber.App {
	s := &server{app, auth}
	f := fiber.New(fiber.Config{DisableStartupMessage: true})
	f.Post("/login", s.signIn)
	fiberauth.Mount(f, "/auth", auth.Routes())
	f.Get("/orders", fiberauth.Require(auth), known, orders)
	return f
}

// signIn takes the place of login.
func (s *server) signIn(c *fiber.Ctx) error {
	name, password := utils.CopyString(c.FormValue("name")), utils.CopyString(c.FormValue("password"))
	delivery, began := utils.CopyString(c.FormValue("delivery")), time.Now()
	user, err := s.Check(name, password)
	if err != nil {
		return fiberauth.Write(c, s.auth.Problem(err))
	}
	pair, err := fiberauth.SignIn(c, s.auth, core.SignInForm{
		Identity:  core.Identity{UserID: user.Name, Roles: []string{user.Role}},
		Delivery:  delivery, // "body" from a client without cookies
		CheckedAt: began,
		Confirm: func(context.Context) error {
			_, err := s.Check(name, password)
			return err
		},
	})
	if err != nil {
		return fiberauth.Write(c, s.auth.Problem(err))
	}
	answer := fiber.Map{"token": pair.AccessToken}
	if delivery == "body" {
		answer["refresh_token"] = pair.RefreshToken
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(answer)
}
