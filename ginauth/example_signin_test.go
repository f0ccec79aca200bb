package ginauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// check is the app's own: yours compares with a hash.
func check(name, password string) error {
	if name != "alice" || password != "correct-horse" {
		return core.ErrInvalidCredentials
	}
	return nil
}

// An app keeps its login route: its handler checks the user, SignIn begins the
// session and sets the cookies, and the answer stays the app's.
func ExampleSignIn() {
	auth, err := core.New(core.Config{
		Store:  memstore.New(),
		Keys:   []core.Key{{Secret: exampleSecret}},
		Prefix: "/auth",
		// no Authenticate: there is no login route beside the app's
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	r := gin.New()
	ginauth.Mount(r, "/auth", auth.Routes())
	r.POST("/login", func(c *gin.Context) {
		began := time.Now()
		name, password := c.PostForm("name"), c.PostForm("password")
		if err := check(name, password); err != nil {
			ginauth.Write(c, auth.Problem(err))
			return
		}
		pair, err := ginauth.SignIn(c, auth, core.SignInForm{
			Identity:  core.Identity{UserID: name, Roles: []string{"customer"}},
			CheckedAt: began, // if the password changes meanwhile it is checked again
			Confirm:   func(context.Context) error { return check(name, password) },
		})
		if err != nil {
			ginauth.Write(c, auth.Problem(err))
			return
		}
		c.Header("Cache-Control", "no-store") // there is a token in it
		c.JSON(http.StatusOK, gin.H{"greeting": "hello " + name, "token": pair.AccessToken})
	})

	// A browser signs in, and later asks for another access token.
	server := httptest.NewTLSServer(r)
	defer server.Close()
	browser := server.Client()
	browser.Jar, _ = cookiejar.New(nil)
	for _, password := range []string{"wrong", "correct-horse"} {
		answer, err := browser.PostForm(server.URL+"/login", url.Values{"name": {"alice"}, "password": {password}})
		if err != nil {
			log.Panic(err)
		}
		var body struct{ Code, Greeting string }
		_ = json.NewDecoder(answer.Body).Decode(&body)
		answer.Body.Close()
		fmt.Println("login:", answer.StatusCode, body.Code+body.Greeting)
	}
	answer, err := browser.Post(server.URL+"/auth/refresh", "", nil)
	if err != nil {
		log.Panic(err)
	}
	defer answer.Body.Close()
	fmt.Println("refresh:", answer.StatusCode)

	// Output:
	// login: 401 INVALID_CREDENTIALS
	// login: 200 hello alice
	// refresh: 200
}
