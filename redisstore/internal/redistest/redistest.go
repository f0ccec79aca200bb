// Package redistest gives tests real Redis servers: the one of this machine, and
// servers and clusters of their own.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is how long a server may take to start or a cluster to agree.
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

// Server is a redis-server of a test's own.
type Server struct {
	Addr    string
	dir     string
	args    []string
	process *exec.Cmd
}

// Start starts a server on a free port, with settings such as "--appendonly",
// "yes". It ends with the test. Without redis-server the test is skipped, and fails
// in CI.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	Need(t, "redis-server")
	for range 5 { // another program may take the port first
		s := &Server{Addr: free(t), dir: t.TempDir()}
		_, port, _ := net.SplitHostPort(s.Addr)
		s.args = append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--save", "", "--loglevel", "warning"}, settings...)
		if s.Restart(t) == nil {
			t.Cleanup(s.Kill)
			return s
		}
		s.Kill()
	}
	t.Fatal("redis-server does not start")
	return nil
}

// Restart starts a server that was killed, with what it has on disk.
func (s *Server) Restart(t testing.TB) error {
	s.process = exec.Command("redis-server", s.args...)
	if err := s.process.Start(); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1})
	defer client.Close()
	return eventually(t, func(ctx context.Context) error { return client.Ping(ctx).Err() })
}

// Kill ends the server at once, as kill -9 does.
func (s *Server) Kill() {
	if s.process != nil {
		s.process.Process.Kill()
		s.process.Wait()
		s.process = nil
	}
}

// Client returns a client of the server, which is closed with the test.
func (s *Server) Client(t testing.TB) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	t.Cleanup(func() { client.Close() })
	return client
}

// Process is the server's, to be sent signals.
func (s *Server) Process() *os.Process { return s.process.Process }

// free returns an address that nobody listens on, on a port that a cluster's bus
// has room above.
func free(t testing.TB) string {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().(*net.TCPAddr)
		l.Close()
		bus, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", addr.Port-10000))
		if err != nil {
			continue
		}
		bus.Close()
		return fmt.Sprintf("127.0.0.1:%d", addr.Port-10000)
	}
	t.Fatal("no port is free")
	return ""
}

// eventually asks until there is no error, or patience is over.
func eventually(t testing.TB, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-tick.C:
		}
	}
}

// Cluster is a Redis Cluster of masters, each with its share of the slots.
type Cluster struct {
	Nodes []*Server
}

var clusterSettings = []string{"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000", "--appendonly", "no"}

// StartCluster starts one.
func StartCluster(t testing.TB, masters int) *Cluster {
	t.Helper()
	c := &Cluster{}
	var addrs []string
	for range masters {
		s := Start(t, clusterSettings...)
		c.Nodes, addrs = append(c.Nodes, s), append(addrs, s.Addr)
	}
	const slots = 16384
	for i, addr := range addrs {
		client := redis.NewClient(&redis.Options{Addr: addr})
		defer client.Close()
		first, last := i*slots/masters, (i+1)*slots/masters-1
		if err := client.ClusterAddSlotsRange(context.Background(), first, last).Err(); err != nil {
			t.Fatal(err)
		}
		host, port, _ := net.SplitHostPort(addrs[0])
		if err := client.ClusterMeet(context.Background(), host, port).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, addr := range addrs {
		client := redis.NewClient(&redis.Options{Addr: addr})
		defer client.Close()
		if err := eventually(t, func(ctx context.Context) error {
			info, err := client.ClusterInfo(ctx).Result()
			if err == nil && (!strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(masters))) {
				err = errors.New(info)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// Client returns a client of the cluster, which is closed with the test.
func (c *Cluster) Client(t testing.TB) *redis.ClusterClient {
	var addrs []string
	for _, n := range c.Nodes {
		addrs = append(addrs, n.Addr)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	t.Cleanup(func() { client.Close() })
	return client
}
