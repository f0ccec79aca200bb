package nethttpauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// What a guard demands beside a good token.
func ExampleRequire_rules() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	paid := func(_ context.Context, p *core.Principal) (bool, error) { return p.UserID == "alice", nil }
	mux := http.NewServeMux()
	for pattern, rules := range map[string][]core.Rule{
		"GET /orders":   {core.Scope("orders:read")},
		"GET /invoices": {core.Scope("invoices:read", "orders:read")}, // both
		"GET /desk":     {core.Role("clerk", "admin")},                // one of them
		"GET /admin":    {core.Role("admin")},
		"GET /reports":  {core.Allow(paid)},
		"GET /email":    {core.Fresh(10 * time.Minute)},             // signed in so lately
		"GET /payout":   {core.Scope("orders:read"), core.Strict()}, // the store is asked
	} {
		mux.Handle(pattern, nethttpauth.Require(auth, rules...)(ok))
	}

	pair, err := auth.SignIn(context.Background(), core.SignInRequest{
		Identity: core.Identity{UserID: "alice", Scopes: []string{"orders:read"}, Roles: []string{"clerk"}},
	})
	if err != nil {
		log.Panic(err)
	}
	for _, path := range []string{"/orders", "/invoices", "/desk", "/admin", "/reports", "/email", "/payout"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+pair.AccessToken)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(path, w.Code, w.Header().Values("WWW-Authenticate"))
	}

	// Output:
	// /orders 200 []
	// /invoices 403 [Bearer error="insufficient_scope", scope="invoices:read orders:read"]
	// /desk 200 []
	// /admin 403 []
	// /reports 200 []
	// /email 200 []
	// /payout 200 []
}
