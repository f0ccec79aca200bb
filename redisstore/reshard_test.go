package redisstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/storetest"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// slots are those of so many buckets.
func slots(t testing.TB, c *redistest.Cluster, buckets int) []int {
	t.Helper()
	var all []int
	for i := range buckets {
		all = append(all, c.Slot(t, fmt.Sprintf("{%02d}", i)))
	}
	return all
}

// While slots move from one master to another and back, nothing is lost. A reader may
// be told so all the same: sent on to where a feed is, it finds nothing there if the
// feed has gone back meanwhile and is on its way again.
func TestReshard(t *testing.T) {
	long(t)
	t.Parallel()
	c := redistest.StartCluster(t, 3)
	change{name: "slots are moved", keeps: true, tells: true, happens: func(t testing.TB, flows func()) {
		stop := c.Reshard(t, slots(t, c, buckets)...)
		flows()
		moves, keys := stop()
		t.Logf("%d moves of %d keys", moves, keys)
		if keys == 0 {
			t.Error("no key was moved")
		}
	}}.underway(t, func(t testing.TB) redis.UniversalClient { return c.Client(t) })
}

// The same, and between any two commits the scripts may be gone from all servers.
func TestProofReshard(t *testing.T) {
	long(t)
	var c *redistest.Cluster
	prove(t, 3, func() {
		if c == nil {
			c = redistest.StartCluster(t, 3)
		}
		client := c.Client(t)
		var nodes []*redis.Client
		for _, n := range c.Nodes {
			nodes = append(nodes, n.Client(t))
		}
		client.AddHook(before(func(cmd redis.Cmder) {
			if cmd.Name() == "evalsha" {
				for _, n := range nodes {
					n.ScriptFlush(context.Background())
				}
			}
		}))
		stop := c.Reshard(t, slots(t, c, buckets)...)
		storetest.Run(t, func(t testing.TB) core.Store {
			return openAt(t, client, redisstore.Options{Prefix: "test-" + rand.Text()})
		})
		moves, keys := stop()
		t.Logf("%d moves of %d keys", moves, keys)
	})
}
