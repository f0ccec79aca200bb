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

// A page for everybody that greets whoever is signed in. A bad token is refused,
// so that a client learns that it has to refresh.
func ExampleOptional() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	page := nethttpauth.Optional(auth)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := nethttpauth.Principal(r); p != nil {
			fmt.Fprint(w, "hello ", p.UserID)
			return
		}
		fmt.Fprint(w, "hello stranger")
	}))
	pair, err := auth.SignIn(context.Background(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		log.Panic(err)
	}
	for _, header := range []string{"", "Bearer " + pair.AccessToken, "Bearer x"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}

	// Output:
	// 200 hello stranger
	// 200 hello alice
	// 401 {"type":"about:blank","title":"Unauthorized","status":401,"code":"TOKEN_INVALID","detail":"the access token is not valid"}
}
