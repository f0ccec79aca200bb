package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// A session and the device that it made known take at most 640 bytes of a server's memory,
// and a revocation at most 160.
//
// The workload: 5,000 users who sign in through an Auth, each on one device that the
// server has named, with the scopes, names and User-Agent that are usual, and refresh
// once. What is counted is all that the server then uses more: keys, expiries and the
// known device too, but no connections. A revocation is that of such a session.
func TestBytes(t *testing.T) {
	server := redistest.Start(t)
	secret := []byte(newID().String() + newID().String())
	// during opens an Auth with connections of its own for as long as do runs.
	var auth *core.Auth
	during := func(do func()) {
		t.Helper()
		connections := server.Client(t)
		defer connections.Close()
		var err error
		auth, err = core.New(core.Config{
			Store: openAt(t, connections, redisstore.Options{}),
			Keys:  []core.Key{{Secret: secret}},
			Audit: func(context.Context, core.Event) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		for auth.Health().FeedAge < 0 { // what is revoked before the feed was read is told twice
			runtime.Gosched()
		}
		do()
	}
	const users = 5000
	pairs := make([]core.Pair, users)
	signIn := func(i int) (err error) {
		pairs[i], err = auth.SignIn(t.Context(), core.SignInRequest{
			Identity: core.Identity{UserID: fmt.Sprintf("user-%06d", i), Scopes: []string{"orders:read", "orders:write"}, Roles: []string{"customer"}, AMR: []string{"pwd"}},
			Client: core.Client{
				Signed: true, DeviceName: "Anna's laptop", ClientType: "web", IP: "203.0.113.77",
				UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
			},
		})
		return err
	}
	refresh := func(i int) (err error) {
		pairs[i], err = auth.Refresh(t.Context(), core.RefreshRequest{Token: pairs[i].RefreshToken, Client: core.Client{IP: "203.0.113.77"}})
		return err
	}
	revoke := func(i int) error {
		return auth.Revoke(t.Context(), pairs[i].UserID, pairs[i].Session.ID, core.ReasonSignedOut)
	}
	all := func(do func(int) error) {
		t.Helper()
		const atOnce = 8
		errs := make([]error, atOnce)
		var work sync.WaitGroup
		for n := range errs {
			work.Go(func() {
				for i := n; i < users && errs[n] == nil; i += atOnce {
					errs[n] = do(i)
				}
			})
		}
		work.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	during(func() { // the server has the script, and the feed has begun
		if err := errors.Join(signIn(0), refresh(0)); err != nil {
			t.Fatal(err)
		}
	})
	before := used(t, server)
	during(func() {
		all(signIn)
		all(refresh)
	})
	session := (used(t, server) - before) / users
	during(func() { all(revoke) })
	revocation := feedBytes(t, server.Client(t)) / users
	t.Logf("%.0f bytes a session, %.0f a revocation", session, revocation)
	if session > 640 || revocation > 160 {
		t.Errorf("got %.0f bytes a session and %.0f a revocation, want at most 640 and 160", session, revocation)
	}
}

// used returns how many bytes a server uses once nobody else has a connection, and its
// tables have grown to what they hold: while one grows there are two of it.
func used(t *testing.T, server *redistest.Server) float64 {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: server.Addr, PoolSize: 1})
	defer client.Close()
	for alone := false; !alone; {
		list, err := client.ClientList(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		alone = strings.Count(list, "\n") == 1
	}
	key, err := client.RandomKey(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		lookups := client.Pipeline()
		for range 2000 { // each moves one slot of each table that grows
			lookups.Exists(t.Context(), key)
		}
		if _, err := lookups.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	info, err := client.InfoMap(t.Context(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	var all, connections float64
	if _, err := fmt.Sscan(info["Memory"]["used_memory"]+" "+info["Memory"]["mem_clients_normal"], &all, &connections); err != nil {
		t.Fatal(err)
	}
	return all - connections
}

// feedBytes returns how many bytes the feeds take.
func feedBytes(t *testing.T, client *redis.Client) float64 {
	t.Helper()
	total := 0.0
	keys := client.Scan(t.Context(), 0, "sp:*:feed", 1000).Iterator()
	for keys.Next(t.Context()) {
		n, err := client.MemoryUsage(t.Context(), keys.Val(), 0).Result()
		if err != nil {
			t.Fatal(keys.Val(), err)
		}
		total += float64(n)
	}
	if err := keys.Err(); err != nil || total == 0 {
		t.Fatal("no feed", err)
	}
	return total
}
