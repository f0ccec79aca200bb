package fiberauth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// A user with a second factor signs in twice over: the app's login answers 401 with
// what waits, and another route takes the code.
func ExampleStepUp() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	var pending string // a page keeps it, with the form for the code
	app := fiber.New()
	app.Post("/login", func(c *fiber.Ctx) error { // yours checks the password
		_, err := fiberauth.SignIn(c, auth, core.SignInForm{Identity: core.Identity{UserID: "alice", StepUp: true}})
		if e := new(core.Error); errors.As(err, &e) {
			pending = e.Pending
		}
		return fiberauth.Write(c, auth.Problem(err))
	})
	app.Post("/code/:code", func(c *fiber.Ctx) error {
		pair, err := fiberauth.StepUp(c, auth, core.StepUpForm{
			Pending: pending,
			Verify: func(context.Context, string) ([]string, error) {
				if c.Params("code") != "123456" { // yours asks a TOTP library, and takes a code once
					return nil, core.ErrInvalidCredentials
				}
				return []string{"otp"}, nil
			},
		})
		if err != nil {
			return fiberauth.Write(c, auth.Problem(err))
		}
		return fiberauth.Write(c, pair.Response())
	})

	login, err := app.Test(httptest.NewRequest("POST", "/login", nil))
	if err != nil {
		log.Panic(err)
	}
	fmt.Println("login:", login.StatusCode)
	for _, code := range []string{"654321", "123456"} {
		r := httptest.NewRequest("POST", "/code/"+code, nil)
		for _, cookie := range login.Cookies() { // of the device
			r.AddCookie(cookie)
		}
		a, err := app.Test(r)
		if err != nil {
			log.Panic(err)
		}
		fmt.Println("code:", a.StatusCode)
	}

	// Output:
	// login: 401
	// code: 401
	// code: 200
}
