package sealed_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"strings"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/sealed"
	"github.com/sallyport-go/sallyport/memstore"
)

// exampleSecret is 32 random bytes; an app has its own from where it keeps secrets.
func exampleSecret() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}

// A store that keeps personal data sealed, and an audit sink that does, too.
func Example_store() {
	sealer, err := sealed.New(
		sealed.Key{ID: "2026-01", Secret: exampleSecret()}, // seals
		sealed.Key{ID: "2025-01", Secret: exampleSecret()}, // opens what is from before
	)
	if err != nil {
		log.Fatal(err)
	}
	database := memstore.New()
	var kept core.Event
	auth, err := core.New(core.Config{
		Store: sealer.Store(database),
		Keys:  []core.Key{{Secret: exampleSecret()}},
		Audit: func(_ context.Context, e core.Event) { kept = sealer.Event(e) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	ctx := context.Background()

	_, err = auth.SignIn(ctx, core.SignInRequest{
		Identity: core.Identity{UserID: "alice"},
		Client:   core.Client{IP: "192.0.2.7", DeviceName: "Alice's phone"},
	})
	if err != nil {
		log.Panic(err)
	}
	sessions, err := auth.Sessions(ctx, "alice")
	fmt.Println("the app:", sessions[0].IP, sessions[0].Device.Name, err)

	row, err := database.Load(ctx, "alice")
	beginning, _, _ := strings.Cut(row.Sessions[0].IP, ":2026-01:")
	fmt.Printf("the database: %q, then the key and %d bytes %v\n", beginning, len(row.Sessions[0].IP), err)

	// What support reads in the audit log.
	ip, err := sealer.Open(kept.UserID, sealed.IP, kept.IP)
	fmt.Println("support:", kept.Name, "from", ip, err)
	_, err = sealer.Open("mallory", sealed.IP, kept.IP)
	fmt.Println(err)

	// Output:
	// the app: 192.0.2.7 Alice's phone <nil>
	// the database: "sealed\t1", then the key and 67 bytes <nil>
	// support: signed_in from 192.0.2.7 <nil>
	// sealed: a value does not open: ip, key "2026-01": it was changed, or is of another user, field or secret
}
