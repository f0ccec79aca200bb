package nethttpauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// The public keys for services that verify access tokens on their own. A key that
// is to sign later is among them; an HMAC key never is.
func Example_jwks() {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	auth, err := core.New(core.Config{
		Store: memstore.New(),
		Keys: []core.Key{
			{ID: "hmac", Secret: exampleSecret},
			{ID: "2026-07", Signer: signer, SignFrom: time.Now().Add(time.Hour)},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	mux := http.NewServeMux()
	nethttpauth.Mount(mux, "/", auth.KeyRoutes())

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
	var set struct {
		Keys []struct{ Kid, Kty, Alg, Use string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil {
		log.Panic(err)
	}
	fmt.Println(w.Code, w.Header().Get("Cache-Control"))
	fmt.Printf("%+v\n", set.Keys)

	// Output:
	// 200 public, max-age=300
	// [{Kid:2026-07 Kty:EC Alg:ES256 Use:sig}]
}
