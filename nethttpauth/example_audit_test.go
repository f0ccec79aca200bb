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

// Refused sign-ins by address, as an alarm may want them. What was typed as a
// name is in no event: it may be a password.
func Example_audit() {
	refused := make(map[string]int) // a server needs a lock: events come from many goroutines
	auth, err := core.New(core.Config{
		Store:        memstore.New(),
		Keys:         []core.Key{{Secret: exampleSecret}},
		Authenticate: authenticate,
		Audit: func(_ context.Context, e core.Event) {
			if e.Name == core.EventSignInRefused {
				refused[e.IP]++
				fmt.Printf("%s user=%q ip=%s\n", e.Name, e.UserID, e.IP)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	mux := http.NewServeMux()
	nethttpauth.Mount(mux, "/auth", auth.Routes())
	for _, password := range []string{"1234", "correct-horse", "password"} {
		r := httptest.NewRequest("POST", "/auth/login", strings.NewReader(`{"username":"alice","password":"`+password+`"}`))
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = "203.0.113.9:51234"
		mux.ServeHTTP(httptest.NewRecorder(), r)
	}
	fmt.Println(refused)

	// Output:
	// sign_in_refused user="" ip=203.0.113.9
	// sign_in_refused user="" ip=203.0.113.9
	// map[203.0.113.9:2]
}
