package ginauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// The admin group, for whom its rules let in: without a rule that says who, it is
// for nobody. With UseRawPath a user id may have a slash in it.
func ExampleMount_admin() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	r := gin.New()
	r.UseRawPath = true
	ginauth.Mount(r.Group("/api/v1"), "/admin", auth.AdminRoutes(core.Role("admin")))

	signIn := func(id core.Identity) string {
		pair, err := auth.SignIn(context.Background(), core.SignInRequest{Identity: id})
		if err != nil {
			log.Panic(err)
		}
		return pair.AccessToken
	}
	alice := signIn(core.Identity{UserID: "sales/alice"})
	root := signIn(core.Identity{UserID: "root", Roles: []string{"admin"}})
	ask := func(token, method, path, body string) {
		req, w := httptest.NewRequest(method, "/api/v1/admin"+path, strings.NewReader(body)), httptest.NewRecorder()
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+token)
		r.ServeHTTP(w, req)
		fmt.Print(w.Code, " ", w.Body)
	}
	ask(alice, "GET", "/users/sales%2Falice/token-count", "")
	ask(root, "GET", "/users/sales%2Falice/token-count", "")
	ask(root, "POST", "/users/sales%2Falice/logout", "")
	ask(root, "POST", "/tokens/lookup", `{"token":"`+alice+`"}`)

	// Output:
	// 403 {"type":"about:blank","title":"Forbidden","status":403,"code":"FORBIDDEN","detail":"not allowed"}
	// 200 {"user_id":"sales/alice","token_count":1}
	// 200 {"message":"user signed out everywhere","revoked":1}
	// 404 {"type":"about:blank","title":"Not Found","status":404,"code":"TOKEN_NOT_FOUND","detail":"no such token"}
}
