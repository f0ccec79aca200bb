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

// ordersOf is far from any handler. It is given a context, as a query would be.
func ordersOf(ctx context.Context) string { return "orders of " + core.FromContext(ctx).UserID }

// Whom a request speaks for: in a handler, in what it calls with the request's
// context, and in a copy of Gin's for what goes on after the answer.
func ExamplePrincipal() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	r := gin.New()
	mailed := make(chan string)
	r.GET("/orders", ginauth.Require(auth), func(c *gin.Context) {
		p := ginauth.Principal(c)
		fmt.Println(p.UserID, p.Roles, p.ClientType, !p.SessionID.IsZero())
		later := c.Copy()
		go func() { mailed <- "mail for " + ginauth.Principal(later).UserID }()
		c.String(http.StatusOK, ordersOf(c.Request.Context()))
	})

	pair, err := auth.SignIn(context.Background(), core.SignInRequest{
		Identity: core.Identity{UserID: "alice", Roles: []string{"clerk"}},
	})
	if err != nil {
		log.Panic(err)
	}
	req, w := httptest.NewRequest("GET", "/orders", nil), httptest.NewRecorder()
	req.Header.Set("Authorization", "Bearer "+pair.AccessToken)
	r.ServeHTTP(w, req)
	fmt.Println(w.Body)
	fmt.Println(<-mailed)

	// Output:
	// alice [clerk] web true
	// orders of alice
	// mail for alice
}
