package nethttpauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// A handler that knows only itself whether somebody has to be signed in asks the
// guard by hand.
func ExampleRequest() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	mux, guard := http.NewServeMux(), auth.Guard()
	mux.HandleFunc("GET /reports/{name}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("name") == "public" {
			fmt.Fprint(w, "for everybody")
			return
		}
		d := guard.Check(nethttpauth.Request(r))
		if d.Refusal != nil {
			nethttpauth.Write(w, *d.Refusal)
			return
		}
		fmt.Fprint(w, "for "+d.Principal.UserID)
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
		mux.ServeHTTP(w, req)
		fmt.Println(w.Code, w.Body)
	}

	// Output:
	// 200 for everybody
	// 200 for alice
	// 401 {"type":"about:blank","title":"Unauthorized","status":401,"code":"TOKEN_MISSING","detail":"an access token is required"}
}
