package core_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// What an app or its administrator can ask about users, and do.
func Example_manage() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	ctx := context.Background()
	signIn := func(user, device string) core.Pair {
		pair, err := auth.SignIn(ctx, core.SignInRequest{
			Identity: core.Identity{UserID: user},
			Client:   core.Client{DeviceName: device},
		})
		if err != nil {
			log.Panic(err)
		}
		return pair
	}
	token := signIn("alice", "phone").AccessToken
	signIn("bob", "laptop")
	signIn("bob", "tablet")

	user, session, err := auth.Find(ctx, token)
	fmt.Println("the token is", user+"'s, on the", session.Device.Name, err)

	n, err := auth.Count(ctx, "bob")
	fmt.Println("bob's sessions:", n, err)

	online, err := auth.Online(ctx, "alice", "bob", "carol")
	for _, o := range online {
		fmt.Println(o.UserID, "is online:", len(o.Sessions))
	}
	fmt.Println(err)

	n, err = auth.Trim(ctx, "bob", 1)
	fmt.Println("ended:", n, err)

	tokens, err := auth.Tokens(ctx, "alice")
	for _, t := range tokens {
		fmt.Println(t.DeviceName, t.ClientType, "expired:", t.Expired)
	}
	fmt.Println(err)

	n, err = auth.RevokeToken(ctx, token) // this one; its session goes on
	fmt.Println("revoked:", n, err)
	_, err = auth.Verify(ctx, token)
	fmt.Println("good:", !errors.Is(err, core.ErrTokenRevoked))

	// Output:
	// the token is alice's, on the phone <nil>
	// bob's sessions: 2 <nil>
	// alice is online: 1
	// bob is online: 2
	// <nil>
	// ended: 1 <nil>
	// phone web expired: false
	// <nil>
	// revoked: 1 <nil>
	// good: false
}
