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

// A handler that knows only itself whether somebody has to be signed in asks the
// guard by hand.
func ExampleRequest() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	r, guard := gin.New(), auth.Guard()
	r.GET("/reports/:name", func(c *gin.Context) {
		if c.Param("name") == "public" {
			c.String(http.StatusOK, "for everybody")
			return
		}
		d := guard.Check(ginauth.Request(c))
		if d.Refusal != nil {
			ginauth.Write(c, *d.Refusal)
			return
		}
		c.String(http.StatusOK, "for %s", d.Principal.UserID)
	})

	pair, err := auth.SignIn(context.Background(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		log.Panic(err)
	}
	for _, tt := range []struct{ path, header string }{
		{"/reports/public", ""},
		{"/reports/sales", "Bearer " + pair.AccessToken},
		{"/reports/sales", ""},
	} {
		req, w := httptest.NewRequest("GET", tt.path, nil), httptest.NewRecorder()
		req.Header.Set("Authorization", tt.header)
		r.ServeHTTP(w, req)
		fmt.Println(w.Code, w.Body)
	}

	// Output:
	// 200 for everybody
	// 200 for alice
	// 401 {"type":"about:blank","title":"Unauthorized","status":401,"code":"TOKEN_MISSING","detail":"an access token is required"}
}
