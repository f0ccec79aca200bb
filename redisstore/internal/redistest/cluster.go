package redistest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	slots       = 16384
	nodeTimeout = 2 * time.Second // after which a node is taken for dead
)

// Cluster is a Redis Cluster of masters, each with its share of the slots and
// perhaps with replicas.
type Cluster struct {
	Nodes []*Server // at first the masters, then their replicas in the same order
}

// StartCluster starts one; a master has no replicas unless told how many.
func StartCluster(t testing.TB, masters int, replicasEach ...int) *Cluster {
	t.Helper()
	nodes := masters
	for _, n := range replicasEach {
		nodes += n * masters
	}
	c := &Cluster{}
	for range nodes {
		c.Nodes = append(c.Nodes, startNode(t))
	}
	for i, s := range c.Nodes {
		s.Do(t, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
		if i < masters {
			s.Do(t, "CLUSTER", "ADDSLOTSRANGE", i*slots/masters, (i+1)*slots/masters-1)
		}
		for _, other := range c.Nodes[:i] {
			s.Do(t, "CLUSTER", "MEET", "127.0.0.1", other.port())
		}
	}
	c.agree(t, "nobody is missing", func(seats []seat) bool { return len(seats) == nodes })
	for i, s := range c.Nodes[masters:] {
		s.Do(t, "CLUSTER", "REPLICATE", c.Nodes[i%masters].Do(t, "CLUSTER", "MYID").Val())
	}
	c.agree(t, "replicas are known", func(seats []seat) bool {
		return !slices.ContainsFunc(seats, func(s seat) bool { return s.master == (len(s.slots) == 0) })
	})
	for i, s := range c.Nodes[masters:] {
		s.catchUp(t, c.Nodes[i%masters])
	}
	return c
}

func startNode(t testing.TB) *Server {
	t.Helper()
	settings := []string{"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", strconv.FormatInt(nodeTimeout.Milliseconds(), 10)}
	return Start(t, append(settings, Replication...)...)
}

// AddReplica adds a server to the cluster, as a replica of one of its masters, and waits
// until it is in step with it.
func (c *Cluster) AddReplica(t testing.TB, of *Server) *Server {
	t.Helper()
	s, id := startNode(t), of.Do(t, "CLUSTER", "MYID").Val()
	s.Do(t, "CLUSTER", "MEET", "127.0.0.1", of.port())
	Eventually(t, func(ctx context.Context) error { return s.do(ctx, "CLUSTER", "REPLICATE", id).Err() })
	s.catchUp(t, of)
	for _, node := range c.Nodes { // or a client may be told of a cluster without it
		Eventually(t, func(ctx context.Context) error {
			nodes, err := node.do(ctx, "CLUSTER", "NODES").Text()
			if err == nil && !strings.Contains(nodes, fmt.Sprint(" slave ", id)) {
				err = fmt.Errorf("%s knows no replica of %s", node.Addr, of.Addr)
			}
			return err
		})
	}
	return s
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

// Slot returns the slot of a key.
func (c *Cluster) Slot(t testing.TB, key string) int {
	t.Helper()
	for _, s := range c.Nodes {
		if s.answers() {
			n, err := s.Do(t, "CLUSTER", "KEYSLOT", key).Int()
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no node answers")
	return 0
}

// Master returns the master of a slot, as soon as all nodes agree on it.
func (c *Cluster) Master(t testing.TB, slot int) *Server {
	t.Helper()
	var addr string
	c.agree(t, "somebody has the slot", func(seats []seat) bool {
		i := slices.IndexFunc(seats, func(s seat) bool { return s.has(slot) })
		if i < 0 || addr != "" && addr != seats[i].addr {
			addr = "" // they differ: all are asked again
			return false
		}
		addr = seats[i].addr
		return true
	})
	return c.at(addr)
}

// Replica returns a replica of the master of a slot that answers.
func (c *Cluster) Replica(t testing.TB, slot int) *Server {
	t.Helper()
	master := c.Master(t, slot)
	var found *Server
	c.agree(t, "the master has a replica", func(seats []seat) bool {
		of := seats[slices.IndexFunc(seats, func(s seat) bool { return s.addr == master.Addr })].id
		for _, s := range seats {
			if server := c.at(s.addr); s.of == of && server != nil && server.answers() {
				found = server
			}
		}
		return found != nil
	})
	return found
}

func (c *Cluster) at(addr string) *Server {
	i := slices.IndexFunc(c.Nodes, func(s *Server) bool { return s.Addr == addr })
	if i < 0 {
		return nil
	}
	return c.Nodes[i]
}

// seat is what one node says of another, or of itself.
type seat struct {
	id, addr string
	master   bool
	of       string // id of its master, of a replica
	epoch    string
	slots    []string
}

func (s seat) has(slot int) bool {
	return slices.ContainsFunc(s.slots, func(span string) bool {
		from, to, several := strings.Cut(span, "-")
		if !several {
			to = from
		}
		first, err := strconv.Atoi(from) // not of a slot that is being moved
		last, _ := strconv.Atoi(to)
		return err == nil && first <= slot && slot <= last
	})
}

// seats returns what a node says of all that are not known to be dead.
func (s *Server) seats(ctx context.Context) ([]seat, error) {
	text, err := s.do(ctx, "CLUSTER", "NODES").Text()
	if err != nil {
		return nil, err
	}
	var all []seat
	for line := range strings.Lines(text) { // id addr@bus,host flags master ping pong epoch link slot...
		f := strings.Fields(line)
		if len(f) < 8 {
			return nil, fmt.Errorf("%s says %q", s.Addr, line)
		}
		flags := strings.Split(f[2], ",")
		if slices.Contains(flags, "handshake") || slices.Contains(flags, "noaddr") || slices.Contains(flags, "fail") {
			continue
		}
		addr, _, _ := strings.Cut(f[1], "@")
		all = append(all, seat{f[0], addr, slices.Contains(flags, "master"), f[3], f[6], f[8:]})
	}
	return all, nil
}

// agree waits until something is so in the eyes of every node that answers, one
// after another, and the cluster is sound.
func (c *Cluster) agree(t testing.TB, on string, is func([]seat) bool) {
	t.Helper()
	Eventually(t, func(ctx context.Context) error {
		for _, s := range c.Nodes {
			if !s.answers() {
				continue
			}
			info, err := s.do(ctx, "CLUSTER", "INFO").Text()
			if err == nil && !strings.Contains(info, "cluster_state:ok") {
				err = fmt.Errorf("%s says that the cluster is not sound: %s", s.Addr, info)
			}
			if err != nil {
				return err
			}
			seats, err := s.seats(ctx)
			if err == nil && !is(seats) {
				err = fmt.Errorf("%s does not agree that %s: %+v", s.Addr, on, seats)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
