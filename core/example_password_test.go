package core_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// Whoever had the old password is out; the session that changed it stays.
func ExampleAuth_RevokeOthers() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	ctx := context.Background()
	signIn := func() core.Pair {
		pair, err := auth.SignIn(ctx, core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
		if err != nil {
			log.Panic(err)
		}
		return pair
	}
	here, elsewhere := signIn(), signIn()

	// The app has stored the new password.
	n, err := auth.RevokeOthers(ctx, "alice", here.Session.ID, core.ReasonPasswordChanged)
	fmt.Println("revoked:", n, err)
	_, err = auth.Verify(ctx, here.AccessToken)
	fmt.Println("here:", err)
	_, err = auth.Verify(ctx, elsewhere.AccessToken)
	fmt.Println("elsewhere:", err)

	// Output:
	// revoked: 1 <nil>
	// here: <nil>
	// elsewhere: sallyport: the access token was revoked
}
