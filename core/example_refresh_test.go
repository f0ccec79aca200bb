package core_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// Two tabs refresh with the same token: both get the same successor, and nobody
// is signed out.
func ExampleAuth_Refresh() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	ctx := context.Background()
	pair, err := auth.SignIn(ctx, core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		log.Panic(err)
	}

	one, err := auth.Refresh(ctx, core.RefreshRequest{Token: pair.RefreshToken})
	if err != nil {
		log.Panic(err)
	}
	other, err := auth.Refresh(ctx, core.RefreshRequest{Token: pair.RefreshToken})
	if err != nil {
		log.Panic(err)
	}
	fmt.Println("a new refresh token:", one.RefreshToken != pair.RefreshToken)
	fmt.Println("the same one for both:", one.RefreshToken == other.RefreshToken)

	// Output:
	// a new refresh token: true
	// the same one for both: true
}
