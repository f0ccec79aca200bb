package core_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// A token that comes over a queue or a socket is checked as a guard would.
func ExampleAuth_Verify() {
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

	who := func(token string) {
		p, err := auth.Verify(ctx, token)
		switch {
		case errors.Is(err, core.ErrStoreUnavailable):
			fmt.Println("nothing was refused: try again")
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println("it speaks for", p.UserID)
		}
	}
	who(pair.AccessToken)
	who(pair.RefreshToken) // no kind of token passes for another
	if _, err := auth.SignOut(ctx, pair.RefreshToken); err != nil {
		log.Panic(err)
	}
	who(pair.AccessToken)

	// Output:
	// it speaks for alice
	// sallyport: the access token is not valid: not three parts of base64url
	// sallyport: the access token was revoked
}
