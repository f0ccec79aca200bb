package core_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// The app's own claims are given at sign-in, and come back typed.
func Example_claims() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	ctx := context.Background()

	type plan struct {
		Tenant string `json:"tenant"`
		Seats  int    `json:"seats"`
	}
	pair, err := auth.SignIn(ctx, core.SignInRequest{
		Identity: core.Identity{UserID: "alice", Claims: plan{"acme", 12}},
	})
	if err != nil {
		log.Panic(err)
	}
	who, err := auth.Verify(ctx, pair.AccessToken)
	if err != nil {
		log.Panic(err)
	}
	claims, err := core.ClaimsOf[plan](who)
	fmt.Println(who.UserID, claims.Tenant, claims.Seats, err)

	// Names that say who somebody is, or when a token holds, are taken.
	_, err = auth.SignIn(ctx, core.SignInRequest{
		Identity: core.Identity{UserID: "alice", Claims: map[string]string{"sub": "root"}},
	})
	fmt.Println(errors.Is(err, core.ErrInternal), errors.Unwrap(err))

	// Output:
	// alice acme 12 <nil>
	// true sallyport: claims: a name that is taken: "sub"
}
