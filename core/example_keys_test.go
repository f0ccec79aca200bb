package core_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// A new key is known to everybody before it signs, and tokens of the old one are
// good until it is removed. Nobody is signed out by it.
func Example_keys() {
	_, first, _ := ed25519.GenerateKey(nil)
	_, second, _ := ed25519.GenerateKey(nil)
	oldKey := core.Key{ID: "2026-01", Signer: first}
	announced := core.Key{ID: "2026-07", Signer: second, SignFrom: time.Now().Add(time.Hour)}
	begun := core.Key{ID: "2026-07", Signer: second, SignFrom: time.Now().Add(-time.Hour)}

	store, ctx := memstore.New(), context.Background()
	var oldToken string
	for _, step := range []struct {
		name string
		keys []core.Key
	}{
		{"one key", []core.Key{oldKey}},
		{"the next is announced", []core.Key{oldKey, announced}},
		{"an hour later", []core.Key{oldKey, begun}},
		{"the old one is removed", []core.Key{begun}},
	} {
		auth, err := core.New(core.Config{Store: store, Keys: step.keys, Secrets: []core.Secret{{Value: exampleSecret}}})
		if err != nil {
			log.Fatal(err)
		}
		pair, err := auth.SignIn(ctx, core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
		if err != nil {
			log.Fatal(err)
		}
		if oldToken == "" {
			oldToken = pair.AccessToken
		}
		_, err = auth.Verify(ctx, oldToken)
		fmt.Printf("%s: signs with %s; the first token is good: %v\n", step.name, keyOf(pair.AccessToken), err == nil)
		auth.Close()
	}

	// Output:
	// one key: signs with 2026-01; the first token is good: true
	// the next is announced: signs with 2026-01; the first token is good: true
	// an hour later: signs with 2026-07; the first token is good: true
	// the old one is removed: signs with 2026-07; the first token is good: false
}

// keyOf returns the id of the key that signed a token.
func keyOf(token string) string {
	encoded, _, _ := strings.Cut(token, ".")
	header, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		log.Fatal(err)
	}
	var h struct{ Kid string }
	if err := json.Unmarshal(header, &h); err != nil {
		log.Fatal(err)
	}
	return h.Kid
}
