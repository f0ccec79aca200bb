package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// startRedis starts a Redis server that writes nothing to disk and returns a client
// of it. Both end with the test. Without redis-server the test is skipped, and fails
// in CI.
func startRedis(tb testing.TB) *redis.Client {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatal(err)
		}
		tb.Skip(err)
	}
	for range 5 { // another program may take the port first
		l := listener(tb)
		addr := l.Addr().(*net.TCPAddr)
		l.Close()
		server := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(addr.Port),
			"--dir", tb.TempDir(), "--save", "", "--appendonly", "no", "--loglevel", "warning")
		if err := server.Start(); err != nil {
			tb.Fatal(err)
		}
		client := redis.NewClient(&redis.Options{Addr: addr.String()})
		end := func() {
			client.Close()
			server.Process.Kill()
			server.Wait()
		}
		if pinged(client) {
			tb.Cleanup(end)
			return client
		}
		end()
	}
	tb.Fatal("redis-server does not start")
	return nil
}

func pinged(client *redis.Client) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for client.Ping(ctx).Err() != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// served returns for how long a server's processors have worked.
func served(tb testing.TB, client *redis.Client) time.Duration {
	info, err := client.InfoMap(tb.Context(), "cpu").Result()
	if err != nil {
		tb.Fatal(err)
	}
	var user, sys float64
	if _, err := fmt.Sscan(info["CPU"]["used_cpu_user"]+" "+info["CPU"]["used_cpu_sys"], &user, &sys); err != nil {
		tb.Fatal(err)
	}
	return time.Duration((user + sys) * float64(time.Second))
}
