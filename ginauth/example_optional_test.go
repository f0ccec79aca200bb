package ginauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// A page for everybody that greets whoever is signed in. A bad token is refused,
// so that a client learns that it has to refresh.
func ExampleOptional() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	r := gin.New()
	r.GET("/", ginauth.Optional(auth), func(c *gin.Context) {
		name := "stranger"
		if p := ginauth.Principal(c); p != nil {
			name = p.UserID
		}
		c.String(http.StatusOK, "hello %s", name)
	})

	pair, err := auth.SignIn(context.Background(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		log.Panic(err)
	}
	for _, header := range []string{"", "Bearer " + pair.AccessToken, "Bearer x"} {
		req, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		req.Header.Set("Authorization", header)
		r.ServeHTTP(w, req)
		fmt.Println(w.Code, w.Body)
	}

	// Output:
	// 200 hello stranger
	// 200 hello alice
	// 401 {"type":"about:blank","title":"Unauthorized","status":401,"code":"TOKEN_INVALID","detail":"the access token is not valid"}
}
