package core_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// With Sliding the refresh token stays, its life begins anew, and the access
// token is another. A copy of the refresh token is not found out.
func Example_sliding() {
	ctx := context.Background()
	for _, policy := range []core.RefreshPolicy{core.Rotate, core.Sliding} {
		auth, err := core.New(core.Config{
			Store:         memstore.New(),
			Keys:          []core.Key{{Secret: exampleSecret}},
			RefreshPolicy: policy,
		})
		if err != nil {
			log.Fatal(err)
		}
		first, err := auth.SignIn(ctx, core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
		if err != nil {
			log.Panic(err)
		}
		next, err := auth.Refresh(ctx, core.RefreshRequest{Token: first.RefreshToken})
		if err != nil {
			log.Panic(err)
		}
		fmt.Println("the same refresh token:", next.RefreshToken == first.RefreshToken)
		fmt.Println("the same access token:", next.AccessToken == first.AccessToken)
		auth.Close()
	}

	// Output:
	// the same refresh token: false
	// the same access token: false
	// the same refresh token: true
	// the same access token: false
}
