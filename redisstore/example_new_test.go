package redisstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
)

// Two processes with one Redis and the same keys are one system.
func ExampleNew() {
	server, err := miniredis.Run() // yours is a real one
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{server.Addr()}})
	defer client.Close()

	store, err := redisstore.New(client, redisstore.Options{})
	if err != nil {
		log.Panic(err)
	}
	secret := []byte(rand.Text() + rand.Text())
	process := func() *core.Auth {
		auth, err := core.New(core.Config{Store: store, Keys: []core.Key{{Secret: secret}}})
		if err != nil {
			log.Panic(err)
		}
		return auth
	}
	one, other := process(), process()
	defer one.Close()
	defer other.Close()

	ctx := context.Background()
	pair, err := one.SignIn(ctx, core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		log.Panic(err)
	}
	p, err := other.Verify(ctx, pair.AccessToken)
	if err != nil {
		log.Panic(err)
	}
	sessions, err := other.Sessions(ctx, p.UserID)
	fmt.Println(p.UserID, len(sessions), err)

	// Output: alice 1 <nil>
}
