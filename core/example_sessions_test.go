package core_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// Where a user is signed in, and which of it is here.
func ExampleAuth_Sessions() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	ctx := context.Background()
	var here *core.Principal
	for _, client := range []core.Client{
		{DeviceName: "Alice's phone", ClientType: "phone", IP: "192.0.2.7"},
		{DeviceName: "work", IP: "198.51.100.4"},
	} {
		pair, err := auth.SignIn(ctx, core.SignInRequest{Identity: core.Identity{UserID: "alice"}, Client: client})
		if err != nil {
			log.Panic(err)
		}
		if here, err = auth.Verify(ctx, pair.AccessToken); err != nil {
			log.Panic(err)
		}
	}

	sessions, err := auth.Sessions(ctx, "alice") // newest first; these two began within a millisecond
	if err != nil {
		log.Panic(err)
	}
	for _, s := range sessions {
		fmt.Println(s.Device.Name, s.Device.ClientType, s.IP, s.ID == here.SessionID)
	}

	// Unordered output:
	// work web 198.51.100.4 true
	// Alice's phone phone 192.0.2.7 false
}
