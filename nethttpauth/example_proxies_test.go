package nethttpauth_test

import (
	"fmt"
	"log"
	"net/http/httptest"
	"net/netip"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// The client's address behind a proxy. What a client writes into the header
// itself stands to the left of what the proxy adds, and is not believed.
func Example_proxies() {
	for _, trusted := range [][]netip.Prefix{nil, {netip.MustParsePrefix("10.0.0.0/8")}} {
		auth, err := core.New(core.Config{
			Store:          memstore.New(),
			Keys:           []core.Key{{Secret: exampleSecret}},
			TrustedProxies: trusted,
		})
		if err != nil {
			log.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/login", nil)
		r.RemoteAddr = "10.0.0.2:51234" // the proxy
		r.Header.Set("X-Forwarded-For", "1.1.1.1, 203.0.113.9")
		pair, err := nethttpauth.SignIn(httptest.NewRecorder(), r, auth, core.SignInForm{Identity: core.Identity{UserID: "alice"}})
		if err != nil {
			log.Panic(err)
		}
		fmt.Println(trusted, pair.Session.IP)
		auth.Close()
	}

	// Output:
	// [] 10.0.0.2
	// [10.0.0.0/8] 203.0.113.9
}
