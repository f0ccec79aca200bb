package fiberauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// An app keeps its login route: its handler checks the user, and SignIn begins
// the session.
func ExampleSignIn() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	check := func(name, password string) error { // the app's own: yours compares with a hash
		if name != "alice" || password != "correct-horse" {
			return core.ErrInvalidCredentials
		}
		return nil
	}
	app := fiber.New()
	app.Post("/login", func(c *fiber.Ctx) error {
		began := time.Now()
		name, password := c.FormValue("name"), c.FormValue("password")
		if err := check(name, password); err != nil {
			return fiberauth.Write(c, auth.Problem(err))
		}
		pair, err := fiberauth.SignIn(c, auth, core.SignInForm{
			Identity:  core.Identity{UserID: name},
			CheckedAt: began, // if the password changes meanwhile it is checked again
			Confirm:   func(context.Context) error { return check(name, password) },
		})
		if err != nil {
			return fiberauth.Write(c, auth.Problem(err))
		}
		c.Set("Cache-Control", "no-store") // there is a token in it
		return c.JSON(fiber.Map{"greeting": "hello " + name, "token": pair.AccessToken})
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
