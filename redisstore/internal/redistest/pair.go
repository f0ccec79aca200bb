package redistest

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Pair is a master and its replica, and clients that go to whoever is master: what
// a failover does, without anybody to arrange it, and so at once. One that loses
// what was acknowledged, and after which all is as before, with roles changed:
//
//	pair.CutLink(t)
//	... // what is lost
//	pair.Promote(t)
//	...
//	pair.Rejoin(t)
type Pair struct {
	master  atomic.Pointer[Server]
	replica *Server
}

// StartPair starts one. Settings are those of both servers.
func StartPair(t testing.TB, settings ...string) *Pair {
	t.Helper()
	settings = append(settings, Replication...)
	p := &Pair{replica: Start(t, settings...)}
	p.master.Store(Start(t, settings...))
	p.replica.follow(t, p.Master())
	return p
}

// Client returns a client of whoever is master, which is closed with the test.
func (p *Pair) Client(t testing.TB) *redis.Client {
	client := redis.NewClient(&redis.Options{
		Addr: "the master",
		Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, p.Master().Addr)
		},
	})
	t.Cleanup(func() { client.Close() })
	return client
}

// Master returns who is master now. It is safe to call concurrently.
func (p *Pair) Master() *Server { return p.master.Load() }

// Replica returns the other, which after Promote is not running.
func (p *Pair) Replica() *Server { return p.replica }

// CutLink cuts replication. The replica has what was written before, and gets
// nothing of what is written after CutLink has returned.
func (p *Pair) CutLink(t testing.TB) {
	t.Helper()
	p.Master().cutLink(t, p.replica)
}

// HealLink undoes CutLink and waits until the replica has what it missed.
func (p *Pair) HealLink(t testing.TB) {
	t.Helper()
	p.Master().healLink(t)
	p.replica.catchUp(t, p.Master())
}

// Promote kills the master and makes the replica master, with what it has.
func (p *Pair) Promote(t testing.TB) {
	t.Helper()
	dead := p.Master()
	dead.Kill()
	p.replica.Do(t, "REPLICAOF", "NO", "ONE")
	p.master.Store(p.replica)
	p.replica = dead
}

// Rejoin starts the server that Promote killed, as the replica of the other, and
// waits until it has all that the other has.
func (p *Pair) Rejoin(t testing.TB) {
	t.Helper()
	p.replica.comeBack(t)
	p.replica.follow(t, p.Master())
}
