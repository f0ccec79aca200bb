package nethttpauth_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// A user with a second factor signs in twice over: the login route answers 401 with
// what waits, and a route of the app's takes the code.
func ExampleStepUp() {
	auth, err := core.New(core.Config{
		Store:  memstore.New(),
		Keys:   []core.Key{{Secret: []byte(rand.Text() + rand.Text())}}, // yours is in the environment
		Prefix: "/auth",
		Authenticate: func(_ context.Context, c core.Credentials) (core.Identity, error) {
			if c.Username != "alice" || c.Password != "correct-horse" {
				return core.Identity{}, core.ErrInvalidCredentials
			}
			return core.Identity{UserID: "alice", AMR: []string{"pwd"}, StepUp: true}, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	mux := http.NewServeMux()
	nethttpauth.Mount(mux, "/auth", auth.Routes())
	mux.HandleFunc("POST /auth/code", func(w http.ResponseWriter, r *http.Request) { // where the cookies travel
		pair, err := nethttpauth.StepUp(w, r, auth, core.StepUpForm{
			Pending: r.PostFormValue("pending"),
			Verify: func(context.Context, string) ([]string, error) {
				if r.PostFormValue("code") != "123456" { // yours asks a TOTP library, and takes a code once
					return nil, core.ErrInvalidCredentials
				}
				return []string{"otp"}, nil
			},
		})
		if err != nil {
			nethttpauth.Write(w, auth.Problem(err))
			return
		}
		nethttpauth.Write(w, pair.Response())
	})

	server := httptest.NewTLSServer(mux)
	defer server.Close()
	browser := server.Client()
	browser.Jar, _ = cookiejar.New(nil)
	read := func(answer *http.Response, err error) (body struct{ Code, Pending string }) {
		if err != nil {
			log.Panic(err)
		}
		defer answer.Body.Close()
		_ = json.NewDecoder(answer.Body).Decode(&body)
		fmt.Println(answer.StatusCode, body.Code)
		return body
	}
	waits := read(browser.Post(server.URL+"/auth/login", "application/json", strings.NewReader(`{"username":"alice","password":"correct-horse"}`)))
	for _, code := range []string{"654321", "123456"} {
		read(browser.PostForm(server.URL+"/auth/code", url.Values{"pending": {waits.Pending}, "code": {code}}))
	}

	// Output:
	// 401 STEP_UP_REQUIRED
	// 401 INVALID_CREDENTIALS
	// 200
}
