package nethttpauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

func Example_mount() {
	auth, err := core.New(core.Config{
		Store:        memstore.New(),
		Keys:         []core.Key{{Secret: []byte(os.Getenv("SECRET_KEY"))}}, // at least 32 random bytes
		Authenticate: authenticate,
		Prefix:       "/api/v1/auth",
	})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	nethttpauth.Mount(mux, "/api/v1/auth", auth.Routes())
	mux.Handle("GET /hello", nethttpauth.Require(auth)(http.HandlerFunc(hello)))
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", mux))
}

// authenticate says who signs in. Yours looks the user up and compares the
// password with a hash.
func authenticate(_ context.Context, c core.Credentials) (core.Identity, error) {
	if c.Username != "alice" || c.Password != "correct-horse" {
		return core.Identity{}, core.ErrInvalidCredentials
	}
	return core.Identity{UserID: "alice"}, nil
}

func hello(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "hello %s\n", nethttpauth.Principal(r).UserID)
}
