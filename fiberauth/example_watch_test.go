package fiberauth_test

import (
	"crypto/rand"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// A login handler that makes its own JWTs stays as it is. Watch finds the token in
// its answer, begins a session for the user and adds the cookies.
func ExampleWatch() {
	secret := []byte(rand.Text() + rand.Text()) // the app's, with which it signs its tokens
	auth, err := core.New(core.Config{
		Store:       memstore.New(),
		Keys:        []core.Key{{Secret: exampleSecret}},
		Foreign:     core.Foreign{Keys: []core.Key{{Secret: secret}}},
		TokenMember: "jwt",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	app := fiber.New()
	app.Post("/login", fiberauth.Watch(auth), func(c *fiber.Ctx) error {
		if c.FormValue("name") != "alice" || c.FormValue("password") != "correct-horse" {
			return fiber.ErrUnauthorized
		}
		now := time.Now()
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"sub": "alice", "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
		}).SignedString(secret)
		if err != nil {
			return err
		}
		return c.JSON(fiber.Map{"jwt": token})
	})

	for _, password := range []string{"wrong", "correct-horse"} {
		r := httptest.NewRequest("POST", "/login", strings.NewReader("name=alice&password="+password))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		a, err := app.Test(r)
		if err != nil {
			log.Panic(err)
		}
		fmt.Println(a.StatusCode)
		for _, cookie := range a.Cookies() {
			fmt.Println("  sets", cookie.Name)
		}
	}

	// Output:
	// 401
	// 200
	//   sets __Secure-refresh_token
	//   sets __Secure-device
}
