// Package redistest gives tests real Redis servers: the one of this machine, and
// servers, pairs of master and replica, Sentinels and clusters of their own, with
// what befalls them: failovers, replication that is cut, slots that move.
//
// What is started ends with its test. Methods that take a testing.TB fail the test
// where the servers do not do as they are told, and are called from its goroutine.
package redistest

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is how long a server may take to start or several to agree.
const patience = 30 * time.Second

// Local returns a client of the server that runs on this machine, on the usual
// port. Without one the test is skipped, and fails in CI.
func Local(t testing.TB) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"})
	t.Cleanup(func() { client.Close() })
	if err := client.Ping(context.Background()).Err(); err != nil {
		missing(t, err)
	}
	return client
}

// Remove removes the keys of a store.
func Remove(t testing.TB, client redis.UniversalClient, prefix string) {
	t.Helper()
	sweep := func(ctx context.Context, c redis.Cmdable) error {
		keys := c.Scan(ctx, 0, prefix+":*", 1000).Iterator()
		for keys.Next(ctx) {
			if err := c.Del(ctx, keys.Val()).Err(); err != nil {
				return err
			}
		}
		return keys.Err()
	}
	ctx := context.Background()
	var err error
	if cluster, ok := client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return sweep(ctx, c) })
	} else {
		err = sweep(ctx, client)
	}
	if err != nil {
		t.Errorf("removing what the test left: %v", err)
	}
}

// Need skips the test, and fails it in CI, if a program is not there.
func Need(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		missing(t, err)
	}
}

func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// Eventually asks until there is no error, and fails the test when patience, 30
// seconds, is over first.
func Eventually(t testing.TB, ask func(context.Context) error) {
	t.Helper()
	if err := eventually(ask); err != nil {
		t.Fatal(err)
	}
}

// eventually asks until there is no error, or patience is over.
func eventually(ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		var late net.Error // and who was asked last can't be blamed for that
		if last == nil || !errors.As(err, &late) || !late.Timeout() {
			last = err
		}
		select {
		case <-ctx.Done():
			return errors.Join(last, ctx.Err())
		case <-tick.C:
		}
	}
}
