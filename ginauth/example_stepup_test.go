package ginauth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
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
	r := gin.New()
	r.POST("/login", func(c *gin.Context) { // yours checks the password
		_, err := ginauth.SignIn(c, auth, core.SignInForm{Identity: core.Identity{UserID: "alice", StepUp: true}})
		if e := new(core.Error); errors.As(err, &e) {
			pending = e.Pending
		}
		ginauth.Write(c, auth.Problem(err))
	})
	r.POST("/code/:code", func(c *gin.Context) {
		pair, err := ginauth.StepUp(c, auth, core.StepUpForm{
			Pending: pending,
			Verify: func(context.Context, string) ([]string, error) {
				if c.Param("code") != "123456" { // yours asks a TOTP library, and takes a code once
					return nil, core.ErrInvalidCredentials
				}
				return []string{"otp"}, nil
			},
		})
		if err != nil {
			ginauth.Write(c, auth.Problem(err))
			return
		}
		ginauth.Write(c, pair.Response())
	})

	login := httptest.NewRecorder()
	r.ServeHTTP(login, httptest.NewRequest("POST", "/login", nil))
	fmt.Println("login:", login.Code)
	for _, code := range []string{"654321", "123456"} {
		w, q := httptest.NewRecorder(), httptest.NewRequest("POST", "/code/"+code, nil)
		for _, cookie := range login.Result().Cookies() { // of the device
			q.AddCookie(cookie)
		}
		r.ServeHTTP(w, q)
		fmt.Println("code:", w.Code)
	}

	// Output:
	// login: 401
	// code: 401
	// code: 200
}
