package core_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// One phone and one desktop a user: a second phone takes the place of the first,
// or is refused.
func Example_caps() {
	ctx := context.Background()
	for _, limit := range []core.SessionLimitPolicy{core.EvictOldest, core.RefuseNew} {
		auth, err := core.New(core.Config{
			Store:              memstore.New(),
			Keys:               []core.Key{{Secret: exampleSecret}},
			MaxPerClientType:   map[string]int{"phone": 1, "desktop": 1},
			SessionLimitPolicy: limit,
		})
		if err != nil {
			log.Fatal(err)
		}
		for _, client := range []core.Client{
			{DeviceName: "old phone", ClientType: "phone"},
			{DeviceName: "desktop", ClientType: "desktop"},
			{DeviceName: "new phone", ClientType: "phone"},
		} {
			_, err := auth.SignIn(ctx, core.SignInRequest{Identity: core.Identity{UserID: "alice"}, Client: client})
			if errors.Is(err, core.ErrTooManySessions) {
				fmt.Println("refused:", client.DeviceName)
			} else if err != nil {
				log.Panic(err)
			}
		}
		sessions, err := auth.Sessions(ctx, "alice")
		if err != nil {
			log.Panic(err)
		}
		for _, s := range sessions {
			if s.Device.ClientType == "phone" {
				fmt.Println("signed in:", s.Device.Name)
			}
		}
		auth.Close()
	}

	// Output:
	// signed in: new phone
	// refused: new phone
	// signed in: old phone
}
