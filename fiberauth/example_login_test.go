package fiberauth_test

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// The routes of the library, in a group of the app's.
func ExampleMount() {
	auth, err := core.New(core.Config{
		Store:        memstore.New(),
		Keys:         []core.Key{{Secret: exampleSecret}},
		Authenticate: authenticate,
		Prefix:       "/api/v1/auth",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	app := fiber.New()
	fiberauth.Mount(app.Group("/api/v1"), "/auth", auth.Routes())

	for _, password := range []string{"wrong", "correct-horse"} {
		r := httptest.NewRequest("POST", "/api/v1/auth/login", strings.NewReader(`{"username":"alice","password":"`+password+`"}`))
		r.Header.Set("Content-Type", "application/json")
		a, err := app.Test(r)
		if err != nil {
			log.Panic(err)
		}
		fmt.Println(a.StatusCode)
		for _, cookie := range a.Cookies() {
			fmt.Println("  sets", cookie.Name)
		}
		if a.StatusCode != 200 {
			body, _ := io.ReadAll(a.Body)
			fmt.Printf("  %s", body)
		}
	}

	// Output:
	// 401
	//   {"type":"about:blank","title":"Unauthorized","status":401,"code":"INVALID_CREDENTIALS","detail":"the username or the password is wrong"}
	// 200
	//   sets __Secure-refresh_token
	//   sets __Secure-device
}
