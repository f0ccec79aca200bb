package core_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// The life of a session that is stolen, as an audit sink of the app sees it.
func Example_audit() {
	auth, err := core.New(core.Config{
		Store: memstore.New(),
		Keys:  []core.Key{{Secret: exampleSecret}},
		Grace: core.NoGrace, // so that the theft is found at once
		Audit: func(_ context.Context, e core.Event) {
			fmt.Printf("%s user=%s ip=%s reason=%s\n", e.Name, e.UserID, e.IP, e.Reason)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	ctx := context.Background()

	pair, err := auth.SignIn(ctx, core.SignInRequest{
		Identity: core.Identity{UserID: "alice"},
		Client:   core.Client{IP: "192.0.2.7"},
	})
	if err != nil {
		log.Panic(err)
	}
	refresh := func(ip string) {
		_, err := auth.Refresh(ctx, core.RefreshRequest{Token: pair.RefreshToken, Client: core.Client{IP: ip}})
		if err != nil {
			fmt.Println(err)
		}
	}
	refresh("203.0.113.9") // the thief is first
	refresh("192.0.2.7")   // the user comes with a spent token

	// Output:
	// signed_in user=alice ip=192.0.2.7 reason=
	// refreshed user=alice ip=203.0.113.9 reason=
	// refresh_reused user=alice ip=192.0.2.7 reason=
	// session_ended user=alice ip= reason=reuse
	// sallyport: the refresh token was used before; its session has ended
}
