package redistest

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Prompt are settings of a master whose replicas are in step at once.
var Prompt = []string{"--repl-diskless-sync-delay", "0"}

// StartReplica starts a server that is a replica of another one, and waits until it is
// in step with it.
func StartReplica(t testing.TB, of *Server) *Server {
	t.Helper()
	host, port, _ := net.SplitHostPort(of.Addr)
	s := Start(t, "--replicaof", host, port)
	s.inStep(t)
	return s
}

// AddReplica adds a server to a cluster, as a replica of one of its masters, and waits
// until it is in step with it.
func (c *Cluster) AddReplica(t testing.TB, of *Server) *Server {
	t.Helper()
	master := of.Client(t)
	id, err := master.ClusterMyID(context.Background()).Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := master.ConfigSet(context.Background(), "repl-diskless-sync-delay", "0").Err(); err != nil {
		t.Fatal(err)
	}
	s := Start(t, clusterSettings...)
	client := s.Client(t)
	host, port, _ := net.SplitHostPort(of.Addr)
	if err := client.ClusterMeet(context.Background(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, func(ctx context.Context) error { return client.ClusterReplicate(ctx, id).Err() })
	s.inStep(t)
	for _, node := range c.Nodes { // or a client may be told of a cluster without it
		client := node.Client(t)
		Eventually(t, func(ctx context.Context) error { return says(client.ClusterNodes(ctx), " slave "+id) })
	}
	return s
}

// inStep waits until a replica has what its master has.
func (s *Server) inStep(t testing.TB) {
	t.Helper()
	client := s.Client(t)
	Eventually(t, func(ctx context.Context) error {
		return says(client.Info(ctx, "replication"), "master_link_status:up")
	})
}

// says returns an error if a reply does not contain a text.
func says(reply *redis.StringCmd, text string) error {
	if reply.Err() != nil || strings.Contains(reply.Val(), text) {
		return reply.Err()
	}
	return errors.New("no " + text + " in " + reply.Val())
}

// Eventually asks until there is no error, and fails the test if that takes too long.
func Eventually(t testing.TB, ask func(context.Context) error) {
	t.Helper()
	if err := eventually(t, ask); err != nil {
		t.Fatal(err)
	}
}
