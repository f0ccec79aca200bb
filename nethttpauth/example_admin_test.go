package nethttpauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// The admin group is for whom its rules let in. Without a rule that says who, it
// is for nobody.
func Example_admin() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	mux := http.NewServeMux()
	nethttpauth.Mount(mux, "/api/v1/admin", auth.AdminRoutes(core.Role("admin")))

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
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	ask("", "GET", "/users/alice/token-count", "")
	ask(alice, "GET", "/users/alice/token-count", "")
	ask(root, "GET", "/users/alice/token-count", "")
	ask(root, "POST", "/users/alice/trim", `{"keep":5}`)
	ask(root, "POST", "/users/alice/logout", "")
	ask(root, "POST", "/tokens/lookup", `{"token":"`+alice+`"}`)

	// Output:
	// 401 {"type":"about:blank","title":"Unauthorized","status":401,"code":"TOKEN_MISSING","detail":"an access token is required"}
	// 403 {"type":"about:blank","title":"Forbidden","status":403,"code":"FORBIDDEN","detail":"not allowed"}
	// 200 {"user_id":"alice","token_count":1}
	// 200 {"message":"older sessions revoked","revoked":0}
	// 200 {"message":"user signed out everywhere","revoked":1}
	// 404 {"type":"about:blank","title":"Not Found","status":404,"code":"TOKEN_NOT_FOUND","detail":"no such token"}
}
