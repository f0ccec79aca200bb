package redisstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// P17: what one process has revoked another refuses within MaxStaleness. Printed is how
// long after Revoke has returned, by how the other reads the feed.
//
// The bound is ten times that, and no more is asserted: when the feed brings nothing
// the lease is over after MaxStaleness and the guard asks Redis, which takes as long as
// a busy machine lets it.
func TestProofRevocationDelay(t *testing.T) {
	long(t)
	const maxStaleness = 2 * time.Second // the default
	rounds, interval := 20, 10*time.Millisecond
	if proof() {
		rounds, interval = 2000, 100*time.Millisecond // the default
	}
	server := redistest.Start(t)
	for _, feed := range []struct {
		name string
		wrap func(*redis.Client) redis.UniversalClient
		// Most of the time of a poll is spent waiting: several rounds go on at once,
		// and none begins in step with the polls.
		atOnce int
		phase  time.Duration
	}{
		{"the feed waits", func(c *redis.Client) redis.UniversalClient { return c }, 1, 0},
		{fmt.Sprint("the feed polls every ", interval), func(c *redis.Client) redis.UniversalClient { return struct{ redis.UniversalClient }{c} }, 5, interval},
	} {
		t.Run(feed.name, func(t *testing.T) {
			keys, prefix := newKeys(), newID().String()
			open := func() *site {
				store := openAt(t, feed.wrap(newClient(t, server.Addr)), redisstore.Options{Prefix: prefix, PollInterval: interval})
				return openSite(t, keys, store, func(c *core.Config) { c.MaxStaleness = maxStaleness })
			}
			here, there := open(), open()
			defer here.Close()
			defer there.Close()
			delays := make([]time.Duration, rounds)
			var all sync.WaitGroup
			for lane := range feed.atOnce {
				all.Go(func() {
					for round := lane; round < rounds && !t.Failed(); round += feed.atOnce {
						if feed.phase > 0 {
							<-time.After(rand.N(feed.phase))
						}
						var err error
						if delays[round], err = revocationDelay(t, here, there, fmt.Sprint("user", round), 10*maxStaleness); err != nil {
							t.Errorf("round %d: %v", round, err)
						}
					}
				})
			}
			all.Wait()
			slices.Sort(delays)
			at := func(percent int) time.Duration {
				return delays[(len(delays)-1)*percent/100].Round(10 * time.Microsecond)
			}
			t.Logf("refused after p50 %v, p90 %v, p99 %v, max %v (%d rounds)", at(50), at(90), at(99), at(100), rounds)
		})
	}
}

// revocationDelay returns how long after Revoke has returned here an access token is
// refused there.
func revocationDelay(t *testing.T, here, there *site, user string, most time.Duration) (time.Duration, error) {
	pair, err := here.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}})
	if err != nil {
		return 0, err
	}
	if _, err := there.Verify(t.Context(), pair.AccessToken); err != nil {
		return 0, fmt.Errorf("before it is revoked: %w", err)
	}
	if err := here.Revoke(t.Context(), user, pair.Session.ID, core.ReasonRevoked); err != nil {
		return 0, err
	}
	revoked := time.Now()
	look := time.NewTicker(100 * time.Microsecond)
	defer look.Stop()
	for {
		_, err := there.Verify(t.Context(), pair.AccessToken)
		late := time.Since(revoked)
		switch {
		case errors.Is(err, core.ErrTokenRevoked):
			return late, nil
		case err != nil || late > most:
			return late, fmt.Errorf("%v after it was revoked: got error %v", late, err)
		}
		<-look.C
	}
}
