package fiberjwt

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/bench/migration/internal/shop"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
)

// Config is the library's.
func Config(store core.Store, secret, key []byte, users *shop.Users) core.Config {
	return core.Config{
		Store:     store,
		Keys:      []core.Key{{Secret: secret}}, // a new one
		Foreign:   core.Foreign{Keys: []core.Key{{Secret: key}}, Identity: fromOld},
		Active:    func(_ context.Context, userID string) (bool, error) { return users.Active(userID), nil },
		AccessTTL: 15 * time.Minute,
		Problem:   problem,
	}
}

// fromOld says who it is: what handlers read from c.Locals("user"). The refresh
// tokens, which the same key signed, are no access tokens.
func fromOld(payload []byte) (core.Identity, error) {
	c, err := core.DecodeClaims[struct {
		Name  string `json:"name"`
		Admin bool   `json:"admin"`
		Use   string `json:"use"`
	}](payload)
	id := core.Identity{UserID: c.Name}
	if c.Admin {
		id.Roles = []string{"admin"}
	}
	if err == nil && c.Use != "" {
		err = errors.New("no access token")
	}
	return id, err
}

// problem is what ErrorHandler wrote.
func problem(e core.Error) (contentType string, body []byte) {
	body, _ = json.Marshal(fiber.Map{"error": strings.ToLower(e.Code)})
	return fiber.MIMEApplicationJSON, body
}

// After is the app with the library.
func After(auth *core.Auth, key []byte, users *shop.Users) *fiber.App {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Post("/login", login(auth, users))
	app.Post("/token", oldRefreshToken(auth, key, users)) // and what is none goes on to
	fiberauth.Mount(app, "/", routes(auth))
	app.Get("/health", func(c *fiber.Ctx) error { return c.SendString("ok") }) // what Filter let through
	app.Use(fiberauth.Require(auth), known)
	app.Get("/orders", orders)
	app.Get("/report", fiberauth.Require(auth, core.Role("admin")), report)
	return app
}

// login checks the password as before, and answers as before.
func login(auth *core.Auth, users *shop.Users) fiber.Handler {
	return func(c *fiber.Ctx) error {
		var form struct {
			Name     string `json:"name"`
			Password string `json:"password"`
			Device   string `json:"device"` // new: what the list of sessions calls it
		}
		if c.BodyParser(&form) != nil {
			return c.SendStatus(fiber.StatusBadRequest)
		}
		began := time.Now()
		check := func(context.Context) error {
			if _, ok := users.Check(form.Name, form.Password); !ok {
				return core.ErrInvalidCredentials
			}
			return nil
		}
		if err := check(c.UserContext()); err != nil {
			return fiberauth.Write(c, auth.Problem(err))
		}
		return begin(c, auth, core.SignInForm{
			Identity:   identity(users.ByName(form.Name)),
			DeviceName: form.Device,
			CheckedAt:  began,
			Confirm:    check,
		})
	}
}

func identity(user shop.User) core.Identity {
	return core.Identity{UserID: user.Name, Roles: []string{user.Role}}
}

// begin answers with the tokens of a new session, in the members that there were.
func begin(c *fiber.Ctx, auth *core.Auth, form core.SignInForm) error {
	form.Delivery = "body" // the client keeps its refresh token itself
	pair, err := fiberauth.SignIn(c, auth, form)
	if err != nil {
		return fiberauth.Write(c, auth.Problem(err))
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(fiber.Map{"token": pair.AccessToken, "refresh_token": pair.RefreshToken})
}

// oldRefreshToken begins a session for a refresh token from before. When the last
// of them has expired it goes.
func oldRefreshToken(auth *core.Auth, key []byte, users *shop.Users) fiber.Handler {
	return func(c *fiber.Ctx) error {
		began := time.Now()
		user, ok := ofRefreshToken(c, key, users)
		if !ok {
			return c.Next()
		}
		active := func(context.Context) error {
			if !users.Active(user.Name) {
				return core.ErrUserInactive
			}
			return nil
		}
		if err := active(c.UserContext()); err != nil {
			return fiberauth.Write(c, auth.Problem(err))
		}
		id := identity(user)
		id.AuthTime = time.Unix(1, 0) // it does not say when the password was typed: not for core.Fresh
		return begin(c, auth, core.SignInForm{Identity: id, CheckedAt: began, Confirm: active})
	}
}

// routes are those of the library, with refresh where clients look for it.
func routes(auth *core.Auth) []core.Route {
	out := auth.Routes()
	for i, r := range out {
		if r.Path == "/refresh" {
			out[i] = core.Route{Method: r.Method, Path: "/token", Serve: asBefore(r)}
		}
	}
	return out
}

// asBefore answers a refresh in the members that there were.
func asBefore(route core.Route) func(core.Request) core.Response {
	return func(r core.Request) core.Response {
		out := route.Serve(r)
		var pair struct {
			AccessToken  string `json:"access_token"`
			RefreshToken string `json:"refresh_token"`
		}
		if out.Status == fiber.StatusOK && json.Unmarshal(out.Body, &pair) == nil {
			out.Body, _ = json.Marshal(fiber.Map{"token": pair.AccessToken, "refresh_token": pair.RefreshToken})
		}
		return out
	}
}

// known puts who it is where handlers look that stay, and does what
// SuccessHandler did.
func known(c *fiber.Ctx) error {
	c.Locals("user", &jwt.Token{Valid: true, Claims: jwt.MapClaims{"name": fiberauth.Principal(c).UserID}})
	c.Set("X-User", nameOf(c))
	return c.Next()
}
