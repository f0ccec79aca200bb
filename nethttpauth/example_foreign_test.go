package nethttpauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// employee is what the other issuer's tokens say, beside what every JWT does.
type employee struct {
	Number int    `json:"emp"`
	Team   string `json:"team"`
	Use    string `json:"use"`
}

// identity says who an employee is to this app.
func identity(claims []byte) (core.Identity, error) {
	e, err := core.DecodeClaims[employee](claims)
	switch {
	case err != nil:
		return core.Identity{}, err
	case e.Number == 0 || e.Use != "access": // such as an id token, signed with the same key
		return core.Identity{}, errors.New("not an employee's access token")
	}
	return core.Identity{UserID: fmt.Sprint("emp-", e.Number), Roles: []string{e.Team}}, nil
}

// Guards accept the tokens of another issuer as well. Its tokens can be revoked,
// and its claims are there for the handler.
func Example_foreign() {
	issuerKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // the other issuer's
	if err != nil {
		log.Fatal(err)
	}
	auth, err := core.New(core.Config{
		Store: memstore.New(),
		Keys:  []core.Key{{Secret: []byte(rand.Text() + rand.Text())}}, // yours is in the environment
		Foreign: core.Foreign{
			Keys:     []core.Key{{ID: "2026-1", Public: issuerKey.Public()}},
			Issuer:   "https://id.example",
			Audience: "wiki",
			Identity: identity,
		},
		Prefix: "/auth",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	mux := http.NewServeMux()
	nethttpauth.Mount(mux, "/auth", auth.Routes())
	mux.Handle("GET /page", nethttpauth.Require(auth, core.Role("editors"))(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			p := nethttpauth.Principal(r)
			e, _ := core.ClaimsOf[employee](p)
			fmt.Fprintf(w, "a page for %s, number %d", p.UserID, e.Number)
		})))
	server := httptest.NewTLSServer(mux)
	defer server.Close()

	sign := func(use string) string {
		now := time.Now()
		token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
			"iss": "https://id.example", "aud": []string{"wiki", "mail"}, "jti": rand.Text(),
			"iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
			"emp": 17, "team": "editors", "use": use,
		})
		token.Header["kid"] = "2026-1"
		text, err := token.SignedString(issuerKey)
		if err != nil {
			log.Fatal(err)
		}
		return text
	}
	call := func(method, path, token string) {
		r, err := http.NewRequest(method, server.URL+path, nil)
		if err != nil {
			log.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := server.Client().Do(r)
		if err != nil {
			log.Fatal(err)
		}
		defer answer.Body.Close()
		fmt.Println(method, path, answer.StatusCode)
		if body, _ := io.ReadAll(answer.Body); path == "/page" && answer.StatusCode == http.StatusOK {
			fmt.Printf("  %s\n", body)
		}
	}
	token := sign("access")
	call("GET", "/page", token)
	call("GET", "/page", sign("id"))
	call("POST", "/auth/logout", token)
	call("GET", "/page", token)

	// Output:
	// GET /page 200
	//   a page for emp-17, number 17
	// GET /page 401
	// POST /auth/logout 200
	// GET /page 401
}
