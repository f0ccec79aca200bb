package ginauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// What a guard demands beside a good token. One stands before a group or before a
// route; of several, each is asked.
func ExampleRequire() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	r := gin.New()
	ok := func(c *gin.Context) { c.String(http.StatusOK, "ok") }
	paid := func(_ context.Context, p *core.Principal) (bool, error) { return p.UserID == "alice", nil }

	shop := r.Group("/", ginauth.Require(auth, core.Scope("orders:read")))
	shop.GET("/orders", ok)
	shop.GET("/invoices", ginauth.Require(auth, core.Scope("invoices:read")), ok) // both
	shop.GET("/payout", ginauth.Require(auth, core.Strict()), ok)                 // the store is asked
	r.GET("/desk", ginauth.Require(auth, core.Role("clerk", "admin")), ok)        // one of them
	r.GET("/admin", ginauth.Require(auth, core.Role("admin")), ok)
	r.GET("/reports", ginauth.Require(auth, core.Allow(paid)), ok)
	r.GET("/email", ginauth.Require(auth, core.Fresh(10*time.Minute)), ok) // signed in so lately

	pair, err := auth.SignIn(context.Background(), core.SignInRequest{
		Identity: core.Identity{UserID: "alice", Scopes: []string{"orders:read"}, Roles: []string{"clerk"}},
	})
	if err != nil {
		log.Panic(err)
	}
	for _, path := range []string{"/orders", "/invoices", "/payout", "/desk", "/admin", "/reports", "/email"} {
		req, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
		req.Header.Set("Authorization", "Bearer "+pair.AccessToken)
		r.ServeHTTP(w, req)
		fmt.Println(path, w.Code, w.Header().Values("WWW-Authenticate"))
	}

	// Output:
	// /orders 200 []
	// /invoices 403 [Bearer error="insufficient_scope", scope="invoices:read"]
	// /payout 200 []
	// /desk 200 []
	// /admin 403 []
	// /reports 200 []
	// /email 200 []
}
