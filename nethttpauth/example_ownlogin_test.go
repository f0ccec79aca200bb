package nethttpauth_test

import (
	"context"
	"crypto/rand"
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

// office is an app whose own login handler counts attempts as the login route does.
type office struct {
	auth     *core.Auth
	password string
}

func (o *office) login(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	name, password := r.PostFormValue("name"), r.PostFormValue("password")
	if err := o.auth.AllowSignIn(nethttpauth.Request(r), name); err != nil { // before the password is looked at
		nethttpauth.Write(w, o.auth.Problem(err))
		return
	}
	check := func(context.Context) error { return o.check(name, password) }
	if err := check(r.Context()); err != nil {
		o.auth.SignInFailed(nethttpauth.Request(r), name, err) // the next sign-in is more unusual for it
		nethttpauth.Write(w, o.auth.Problem(err))
		return
	}
	pair, err := nethttpauth.SignIn(w, r, o.auth, core.SignInForm{
		Identity:  core.Identity{UserID: name},
		Username:  name, // what was typed: this browser then has a count of its own
		CheckedAt: began,
		Confirm:   check,
	})
	if err != nil {
		nethttpauth.Write(w, o.auth.Problem(err))
		return
	}
	fmt.Fprint(w, "risk ", pair.Session.Risk.Score)
}

func (o *office) check(name, password string) error {
	if name != "alice" || password != o.password {
		return core.ErrInvalidCredentials
	}
	return nil
}

// An app's own login handler counts attempts by three things: AllowSignIn before it
// looks at the password, SignInFailed if that is wrong, and Username in the form.
func Example_ownLogin() {
	auth, err := core.New(core.Config{
		Store:  memstore.New(),
		Keys:   []core.Key{{Secret: []byte(rand.Text() + rand.Text())}}, // yours is in the environment
		Limits: core.Limits{Login: 3},
		Audit: func(_ context.Context, e core.Event) {
			if e.Name == core.EventLimited {
				fmt.Println("audited:", e.Cause)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	app := &office{auth, rand.Text()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auth/form", app.login)
	server := httptest.NewTLSServer(mux)
	defer server.Close()

	try := func(who string, client *http.Client, password string) {
		answer, err := client.PostForm(server.URL+"/auth/form", url.Values{"name": {"alice"}, "password": {password}})
		if err != nil {
			log.Panic(err)
		}
		answer.Body.Close()
		fmt.Println(who, answer.StatusCode)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		log.Panic(err)
	}
	home, stranger := *server.Client(), *server.Client()
	home.Jar = jar
	try("at home:", &home, app.password)
	for range 3 {
		try("a stranger:", &stranger, "guess")
	}
	try("a stranger:", &stranger, app.password)
	try("at home:", &home, app.password)

	// Output:
	// at home: 200
	// a stranger: 401
	// a stranger: 401
	// audited: login_account
	// a stranger: 429
	// audited: login_account
	// a stranger: 429
	// at home: 200
}
