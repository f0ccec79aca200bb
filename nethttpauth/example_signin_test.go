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
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// shop is an app with a login of its own: a form, and an answer that its pages
// know.
type shop struct{ auth *core.Auth }

// login checks the user as it always did. One call then begins the session and
// sets the cookies; the answer stays the app's.
func (s *shop) login(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	name, password := r.PostFormValue("name"), r.PostFormValue("password")
	check := func(context.Context) error { return s.check(name, password) }
	if err := check(r.Context()); err != nil {
		nethttpauth.Write(w, s.auth.Problem(err))
		return
	}
	pair, err := nethttpauth.SignIn(w, r, s.auth, core.SignInForm{
		Identity:  core.Identity{UserID: name, Roles: []string{"customer"}},
		CheckedAt: began, // if the password changes meanwhile it is checked again
		Confirm:   check,
	})
	if err != nil {
		nethttpauth.Write(w, s.auth.Problem(err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store") // there is a token in it
	_ = json.NewEncoder(w).Encode(map[string]string{"greeting": "hello " + name, "token": pair.AccessToken})
}

// check is the app's own: yours compares with a hash.
func (s *shop) check(name, password string) error {
	if name != "alice" || password != "correct-horse" {
		return core.ErrInvalidCredentials
	}
	return nil
}

// An app keeps its login route: its handler checks the user, and
// [nethttpauth.SignIn] begins the session.
func Example_signIn() {
	auth, err := core.New(core.Config{
		Store:  memstore.New(),
		Keys:   []core.Key{{Secret: []byte(rand.Text() + rand.Text())}}, // yours is in the environment
		Prefix: "/auth",
		// no Authenticate: there is no login route beside the app's
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", (&shop{auth}).login)
	nethttpauth.Mount(mux, "/auth", auth.Routes())

	// A browser signs in, and later asks for another access token.
	server := httptest.NewTLSServer(mux)
	defer server.Close()
	browser := server.Client()
	browser.Jar, _ = cookiejar.New(nil)
	for _, password := range []string{"wrong", "correct-horse"} {
		answer, err := browser.PostForm(server.URL+"/login", url.Values{"name": {"alice"}, "password": {password}})
		if err != nil {
			log.Fatal(err)
		}
		var body struct{ Code, Greeting string }
		_ = json.NewDecoder(answer.Body).Decode(&body)
		answer.Body.Close()
		fmt.Println("login:", answer.StatusCode, body.Code+body.Greeting)
	}
	answer, err := browser.Post(server.URL+"/auth/refresh", "", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	fmt.Println("refresh:", answer.StatusCode)

	// Output:
	// login: 401 INVALID_CREDENTIALS
	// login: 200 hello alice
	// refresh: 200
}
