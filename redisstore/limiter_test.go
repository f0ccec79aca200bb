package redisstore_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/limitertest"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// openLimiter returns a limiter whose keys nobody else has, and which are gone with the
// test.
func openLimiter(t testing.TB, client redis.UniversalClient) *redisstore.Limiter {
	t.Helper()
	prefix := "test-" + rand.Text()
	t.Cleanup(func() { redistest.Remove(t, client, "rate:"+prefix) })
	return openLimiterAt(t, client, prefix)
}

// openLimiterAt returns a limiter which a machine that is busy doesn't make late.
func openLimiterAt(t testing.TB, client redis.UniversalClient, prefix string) *redisstore.Limiter {
	t.Helper()
	l, err := redisstore.NewLimiter(client, redisstore.LimiterOptions{Prefix: prefix, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// advancing is a limiter on a miniredis, whose time stands still from the first Advance on.
type advancing struct {
	core.Limiter
	server *miniredis.Miniredis
	now    time.Time
}

func (l *advancing) Advance(d time.Duration) {
	if l.now.IsZero() {
		l.now = time.Now().Truncate(time.Second)
	}
	l.now = l.now.Add(d)
	l.server.SetTime(l.now)
	l.server.FastForward(d)
}

func TestLimiter(t *testing.T) {
	t.Run("miniredis", func(t *testing.T) {
		limitertest.Run(t, func(t testing.TB) core.Limiter {
			server := miniredis.RunT(t)
			client := redis.NewClient(&redis.Options{Addr: server.Addr()})
			t.Cleanup(func() { client.Close() })
			return &advancing{Limiter: openLimiter(t, client), server: server}
		})
	})
	t.Run("Redis", func(t *testing.T) {
		client := redistest.Local(t)
		limitertest.Run(t, func(t testing.TB) core.Limiter { return openLimiter(t, client) })
	})
	t.Run("Cluster", func(t *testing.T) {
		client := redistest.StartCluster(t, 3).Client(t)
		limitertest.Run(t, func(t testing.TB) core.Limiter { return openLimiter(t, client) })
	})
}

func TestNewLimiterRefuses(t *testing.T) {
	client := mini(t)
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": client.Options().Addr}})
	defer ring.Close()
	for _, tt := range []struct {
		client  redis.UniversalClient
		options redisstore.LimiterOptions
	}{
		{nil, redisstore.LimiterOptions{}},
		{ring, redisstore.LimiterOptions{}},
		{client, redisstore.LimiterOptions{Prefix: "a{b}"}},
		{client, redisstore.LimiterOptions{Prefix: "a b"}},
		{client, redisstore.LimiterOptions{Timeout: time.Microsecond}},
		{client, redisstore.LimiterOptions{Timeout: -time.Second}},
	} {
		if _, err := redisstore.NewLimiter(tt.client, tt.options); err == nil {
			t.Errorf("NewLimiter(%v, %+v): got no error", tt.client, tt.options)
		}
	}
}

// There is one key, where the package comment says, and it goes by itself.
func TestLimiterKeys(t *testing.T) {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	l, err := redisstore.NewLimiter(client, redisstore.LimiterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	minute := core.Rate{Count: 5, Per: time.Minute}
	if _, err := l.Take(t.Context(), "nobody", minute, 0); err != nil || len(server.Keys()) != 0 {
		t.Errorf("after a look: got keys %q and error %v, want none", server.Keys(), err)
	}
	for range 9 {
		if _, err := l.Take(t.Context(), "login:a", minute, 1); err != nil {
			t.Fatal(err)
		}
	}
	if keys := server.Keys(); len(keys) != 1 || keys[0] != "rate:sp:limit:login:a" {
		t.Errorf("got keys %q, want one", keys)
	}
	if ttl := server.TTL("rate:sp:limit:login:a"); ttl <= 0 || ttl > minute.Per {
		t.Errorf("the key expires in %v, want within a minute", ttl)
	}
}

// A Take is one round trip, also where the scripts are gone from the server for the
// next.
func TestLimiterRoundTrips(t *testing.T) {
	client := redistest.Start(t).Client(t)
	client.AddHook(countTrips)
	l := openLimiterAt(t, client, "sp")
	r := core.Rate{Count: 2, Per: time.Hour}
	for i, want := range []struct {
		trips int64
		ok    bool
	}{{2, true}, {1, true}, {1, false}, {2, false}} {
		if i == 3 {
			if err := client.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}
		var a core.Allowance
		n, err := trips(t, func(ctx context.Context) error {
			var err error
			a, err = l.Take(ctx, "a", r, 1)
			return err
		})
		if err != nil || n != want.trips || a.OK != want.ok {
			t.Errorf("Take %d: got %d round trips, OK %t and error %v, want %d and %t", i+1, n, a.OK, err, want.trips, want.ok)
		}
	}
}

func BenchmarkLimiter(b *testing.B) {
	client := redistest.Local(b)
	r := core.Rate{Count: 1 << 20, Per: time.Hour}
	take := func(b *testing.B, l core.Limiter, key string) {
		if _, err := l.Take(b.Context(), key, r, 1); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("one caller", func(b *testing.B) {
		b.ReportAllocs()
		for l := openLimiter(b, client); b.Loop(); {
			take(b, l, "one")
		}
	})
	b.Run("many callers", func(b *testing.B) {
		b.ReportAllocs()
		l := openLimiter(b, client)
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := l.Take(b.Context(), "one", r, 1); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
