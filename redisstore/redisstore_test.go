package redisstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/storetest"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// open returns a store whose keys nobody else has, and which are gone with the test.
func open(t testing.TB, client redis.UniversalClient) core.Store {
	t.Helper()
	prefix := "test-" + rand.Text()
	t.Cleanup(func() { redistest.Remove(t, client, prefix) })
	return openAt(t, client, redisstore.Options{Prefix: prefix})
}

// openAt returns a store with options. A machine that is busy breaks no rule: unless
// they say otherwise, a call may take long.
func openAt(t testing.TB, client redis.UniversalClient, o redisstore.Options) *redisstore.Store {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
		if o.ReplicaTimeout == 0 {
			o.ReplicaTimeout = 500 * time.Millisecond
		}
	}
	s, err := redisstore.New(client, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mini(t testing.TB) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { client.Close() })
	return client
}

func TestMiniredis(t *testing.T) {
	storetest.Run(t, func(t testing.TB) core.Store { return open(t, mini(t)) })
}

func TestRedis(t *testing.T) {
	client := redistest.Local(t)
	storetest.Run(t, func(t testing.TB) core.Store { return open(t, client) })
}

// One server that may only be polled, as a client of another kind would have it.
func TestPolled(t *testing.T) {
	client := struct{ redis.UniversalClient }{redistest.Local(t)}
	storetest.Run(t, func(t testing.TB) core.Store { return open(t, client) })
}

func TestCluster(t *testing.T) {
	client := redistest.StartCluster(t, 3, 1).Client(t)
	storetest.Run(t, func(t testing.TB) core.Store { return open(t, client) })
}

func TestSentinel(t *testing.T) {
	client := redistest.StartSentinel(t).Client(t)
	storetest.Run(t, func(t testing.TB) core.Store { return open(t, client) })
}

// Between any two calls the scripts may be gone from the server.
func TestScriptFlush(t *testing.T) {
	client := redistest.Start(t).Client(t)
	client.AddHook(before(func(cmd redis.Cmder) {
		if cmd.Name() == "evalsha" {
			other := redis.NewClient(client.Options())
			defer other.Close()
			other.ScriptFlush(context.Background())
		}
	}))
	storetest.Run(t, func(t testing.TB) core.Store { return open(t, client) })
}

func TestNewRefuses(t *testing.T) {
	client := mini(t)
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": client.Options().Addr}})
	defer ring.Close()
	for _, tt := range []struct {
		client  redis.UniversalClient
		options redisstore.Options
	}{
		{nil, redisstore.Options{}},
		{ring, redisstore.Options{}},
		{client, redisstore.Options{Prefix: "a{b}"}},
		{client, redisstore.Options{Prefix: "a b"}},
		{client, redisstore.Options{Prefix: "a\n"}},
		{client, redisstore.Options{Buckets: -1}},
		{client, redisstore.Options{Buckets: 257}},
		{client, redisstore.Options{Timeout: time.Microsecond}},
		{client, redisstore.Options{PollInterval: -time.Second}},
	} {
		if _, err := redisstore.New(tt.client, tt.options); err == nil {
			t.Errorf("New(%v, %+v): got no error", tt.client, tt.options)
		}
	}
}

// A database is of one number of buckets.
func TestBuckets(t *testing.T) {
	client := mini(t)
	of := func(n int) *redisstore.Store { return openAt(t, client, redisstore.Options{Buckets: n}) }
	for range 2 {
		if _, err := of(4).Load(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
	}
	other := of(5)
	_, loads := other.Load(t.Context(), "alice")
	_, commits := other.Commit(t.Context(), "alice", core.Change{ID: newID(), At: time.Now()})
	_, tails := other.Tail(t.Context(), "", 0)
	_, many := other.LoadMany(t.Context(), []string{"alice"})
	for call, err := range map[string]error{"Load": loads, "Commit": commits, "Tail": tails, "LoadMany": many} {
		if !errors.Is(err, redisstore.ErrBuckets) {
			t.Errorf("%s: got error %v, want ErrBuckets", call, err)
		}
	}
}

// A server that takes what it is sent and says nothing holds nobody up, whatever
// the client's own settings.
func TestSilence(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
		}
	})
	defer open.Wait()
	defer silent.Close()
	client := redis.NewClient(&redis.Options{Addr: silent.Addr().String(), ReadTimeout: time.Hour, MaxRetries: 10})
	defer client.Close()
	s := openAt(t, client, redisstore.Options{Timeout: 50 * time.Millisecond})
	for call, do := range map[string]func(context.Context) error{
		"Load": func(ctx context.Context) error { _, err := s.Load(ctx, "alice"); return err },
		"Commit": func(ctx context.Context) error {
			_, err := s.Commit(ctx, "alice", core.Change{ID: newID()})
			return err
		},
		"Tail": func(ctx context.Context) error { _, err := s.Tail(ctx, "", 0); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := do(ctx); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			t.Errorf("%s: got error %v, and from its context %v, want its own deadline", call, err, ctx.Err())
		}
		cancel()
	}
}

func newID() (id core.ID) {
	rand.Read(id[:])
	return id
}
