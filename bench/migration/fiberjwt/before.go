// Package fiberjwt is an app that leaves Fiber's contrib/jwt: as it was, and as it
// is then.
package fiberjwt

import (
	"time"

	jwtware "github.com/gofiber/contrib/jwt"
	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/bench/migration/internal/shop"
)

// Before is the app with contrib/jwt, which verifies. That it issues tokens, and
// how they are refreshed, is the app's own.
func Before(key []byte, users *shop.Users, now func() time.Time) *fiber.App {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	old := old{key, users, now}
	app.Post("/login", old.login)
	app.Post("/token", old.token)
	app.Post("/logout", func(c *fiber.Ctx) error { return c.SendStatus(fiber.StatusNoContent) }) // the client forgets its tokens
	app.Use(jwtware.New(jwtware.Config{
		SigningKey: jwtware.SigningKey{JWTAlg: jwtware.HS256, Key: key},
		Filter:     func(c *fiber.Ctx) bool { return c.Path() == "/health" },
		ErrorHandler: func(c *fiber.Ctx, err error) error {
			return c.Status(fiber.StatusUnauthorized).JSON(fiber.Map{"error": "unauthorized"})
		},
		SuccessHandler: func(c *fiber.Ctx) error {
			c.Set("X-User", nameOf(c))
			return c.Next()
		},
	}))
	app.Get("/health", func(c *fiber.Ctx) error { return c.SendString("ok") })
	app.Get("/orders", orders)
	app.Get("/report", func(c *fiber.Ctx) error {
		if admin, _ := c.Locals("user").(*jwt.Token).Claims.(jwt.MapClaims)["admin"].(bool); !admin {
			return c.Status(fiber.StatusForbidden).JSON(fiber.Map{"error": "forbidden"})
		}
		return report(c)
	})
	return app
}

type old struct {
	key   []byte
	users *shop.Users
	now   func() time.Time
}

func (old old) login(c *fiber.Ctx) error {
	var form struct {
		Name     string `json:"name"`
		Password string `json:"password"`
	}
	if c.BodyParser(&form) != nil {
		return c.SendStatus(fiber.StatusBadRequest)
	}
	user, ok := old.users.Check(form.Name, form.Password)
	if !ok {
		return c.Status(fiber.StatusUnauthorized).JSON(fiber.Map{"error": "wrong name or password"})
	}
	return old.issue(c, user)
}

func (old old) token(c *fiber.Ctx) error {
	user, ok := ofRefreshToken(c, old.key, old.users)
	if !ok {
		return c.Status(fiber.StatusUnauthorized).JSON(fiber.Map{"error": "invalid refresh token"})
	}
	return old.issue(c, user)
}

func (old old) issue(c *fiber.Ctx, user shop.User) error {
	now := old.now()
	access, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"name": user.Name, "admin": user.Role == "admin", "exp": now.Add(15 * time.Minute).Unix(),
	}).SignedString(old.key)
	if err != nil {
		return err
	}
	refresh, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"name": user.Name, "use": "refresh", "iat": now.Unix(), "exp": now.Add(7 * 24 * time.Hour).Unix(),
	}).SignedString(old.key)
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"token": access, "refresh_token": refresh})
}

func ofRefreshToken(c *fiber.Ctx, key []byte, users *shop.Users) (shop.User, bool) {
	var form struct {
		RefreshToken string `json:"refresh_token"`
	}
	claims := jwt.MapClaims{}
	if c.BodyParser(&form) != nil {
		return shop.User{}, false
	}
	_, err := jwt.ParseWithClaims(form.RefreshToken, claims, func(*jwt.Token) (any, error) { return key, nil }, jwt.WithValidMethods([]string{"HS256"}))
	name, _ := claims["name"].(string)
	return users.ByName(name), err == nil && claims["use"] == "refresh"
}

func nameOf(c *fiber.Ctx) string {
	name, _ := c.Locals("user").(*jwt.Token).Claims.(jwt.MapClaims)["name"].(string)
	return name
}

func orders(c *fiber.Ctx) error { return c.JSON(fiber.Map{"orders_of": nameOf(c)}) }

func report(c *fiber.Ctx) error { return c.SendString("all is well") }
