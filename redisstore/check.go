package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
)

// Check implements [core.Checker]. It looks at the client's settings and asks every
// server that is written to, the masters of a Cluster, what it says of itself, in one
// round trip. What a server doesn't know it is not blamed for. Check takes at most
// three times Options.Timeout, and writes only what a first call would.
func (s *Store) Check(ctx context.Context, now time.Time) []core.Finding {
	var slow atomic.Bool
	defer time.AfterFunc(prompt, func() { slow.Store(true) }).Stop()
	latest := func() time.Time {
		if slow.Load() {
			return now.Add(2 * s.options.Timeout) // to find the servers, and to ask one
		}
		return now.Add(prompt)
	}
	found := checkClient(s.client)
	servers, err := s.servers(ctx)
	if err != nil {
		found.silent(err)
		return found
	}
	of := make([]findings, len(servers))
	answered := make([]bool, len(servers))
	var asked sync.WaitGroup
	for i := range servers {
		asked.Go(func() { of[i], answered[i] = s.checkServer(ctx, servers[i].client, now, latest) })
	}
	asked.Wait()
	found = append(found, merged(servers, of)...)
	if slices.Contains(answered, false) {
		return found
	}
	s.known.Store(false) // it may have been emptied since, and begun by another
	if err := s.begin(ctx); errors.Is(err, ErrBuckets) {
		found.add("set Options.Buckets to what the key "+s.bucketsKey()+" says", "%s", plain(err))
	}
	return found
}

// prompt is an answer within that time. How long it took can't be told more exactly:
// a store reads no clock.
const prompt = maxSkew / 4

// findings are what is found.
type findings []core.Finding

func (f *findings) add(remedy, problem string, args ...any) {
	*f = append(*f, core.Finding{Subject: "store", Problem: fmt.Sprintf(problem, args...), Remedy: remedy})
}

// silent adds that there is no answer.
func (f *findings) silent(err error) {
	f.add("see that it runs, and that this process may connect to it", "it does not answer: %s", plain(err))
}

// plain is an error's text without this package's name.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "redisstore: ") }

// server is one that is written to.
type server struct {
	addr   string // "" if there is no other
	client redis.Cmdable
}

func (s *Store) servers(ctx context.Context) ([]server, error) {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return []server{{client: s.client}}, nil
	}
	return s.masters(ctx, cluster)
}

// masters returns the masters of a Cluster, by address. The client looks first where
// they are now.
func (s *Store) masters(ctx context.Context, cluster *redis.ClusterClient) ([]server, error) {
	return call(ctx, s, s.options.Timeout, func(ctx context.Context) ([]server, error) {
		var mu sync.Mutex
		var all []server
		err := cluster.ForEachMaster(ctx, func(_ context.Context, c *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, server{c.Options().Addr, c})
			return nil
		})
		slices.SortFunc(all, func(a, b server) int { return strings.Compare(a.addr, b.addr) })
		return all, err
	})
}

// merged are the findings on all servers, each with the addresses of those that it
// is on.
func merged(servers []server, of []findings) (all findings) {
	var on []string
	for i, server := range servers {
		for _, finding := range of[i] {
			if at := slices.Index(all, finding); at >= 0 {
				on[at] += ", " + server.addr
			} else {
				all, on = append(all, finding), append(on, server.addr)
			}
		}
	}
	for i := range all {
		if on[i] != "" {
			all[i].Problem = on[i] + ": " + all[i].Problem
		}
	}
	return all
}

// checkClient looks at settings that take effect without an error.
func checkClient(client redis.UniversalClient) (f findings) {
	pool, active := 0, 0
	switch c := client.(type) {
	case *redis.Client:
		o := c.Options()
		pool, active = o.PoolSize, o.MaxActiveConns
		if pool < 2 {
			f.add("set the client's PoolSize to 2 or more", "the client's PoolSize is %d, and reading the feed keeps a connection for up to %v: all other calls wait for it", pool, slice)
		}
		if o.ClientSideCacheConfig != nil || o.ClientSideCache != nil {
			f.add("give New a client without ClientSideCache", "the client answers from its ClientSideCache: a session that another process has ended looks alive until it is told")
		}
	case *redis.ClusterClient:
		o := c.Options()
		pool, active = o.PoolSize, o.MaxActiveConns
		setting := ""
		switch { // the later ones imply the first
		case o.RouteByLatency:
			setting = "RouteByLatency"
		case o.RouteRandomly:
			setting = "RouteRandomly"
		case o.ReadOnly:
			setting = "ReadOnly"
		}
		if setting != "" {
			f.add("leave the client's "+setting+" out", "the client's %s has replicas answer: a session that was ended looks alive until they know", setting)
		}
	}
	if active > 0 && active < pool {
		f.add("leave the client's MaxActiveConns out, or make it no less than PoolSize", "the client's MaxActiveConns is %d and its PoolSize %d: with %d calls under way the next one fails at once", active, pool, active)
	}
	return f
}
