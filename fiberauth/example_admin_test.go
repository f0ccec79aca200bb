package fiberauth_test

import (
	"context"
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

// The admin group is for whom its rules let in. Without a rule that says who, it
// is for nobody.
func Example_admin() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	app := fiber.New()
	fiberauth.Mount(app, "/api/v1/admin", auth.AdminRoutes(core.Role("admin")))

	signIn := func(id core.Identity) string {
		pair, err := auth.SignIn(context.Background(), core.SignInRequest{Identity: id})
		if err != nil {
			log.Panic(err)
		}
		return pair.AccessToken
	}
	alice := signIn(core.Identity{UserID: "alice"})
	root := signIn(core.Identity{UserID: "root", Roles: []string{"admin"}})
	ask := func(token, method, path, body string) {
		r := httptest.NewRequest(method, "/api/v1/admin"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		a, err := app.Test(r)
		if err != nil {
			log.Panic(err)
		}
		answer, _ := io.ReadAll(a.Body)
		fmt.Print(a.StatusCode, " ", string(answer))
	}
	ask(alice, "GET", "/users/alice/token-count", "")
	ask(root, "GET", "/users/alice/token-count", "")
	ask(root, "POST", "/users/alice/trim", `{"keep":5}`)
	ask(root, "POST", "/users/alice/logout", "")
	ask(root, "POST", "/tokens/lookup", `{"token":"`+alice+`"}`)

	// Output:
	// 403 {"type":"about:blank","title":"Forbidden","status":403,"code":"FORBIDDEN","detail":"not allowed"}
	// 200 {"user_id":"alice","token_count":1}
	// 200 {"message":"older sessions revoked","revoked":0}
	// 200 {"message":"user signed out everywhere","revoked":1}
	// 404 {"type":"about:blank","title":"Not Found","status":404,"code":"TOKEN_NOT_FOUND","detail":"no such token"}
}
