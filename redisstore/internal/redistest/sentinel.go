package redistest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Sentinel is a master and its replica, watched by three Sentinels.
type Sentinel struct {
	servers [2]*Server
	watch   [3]*Server
}

// watched is the name that Sentinels know the master by.
const watched = "sallyport"

// StartSentinel starts one, with settings of the servers. A master is taken for dead
// after half a second.
func StartSentinel(t testing.TB, settings ...string) *Sentinel {
	t.Helper()
	s := &Sentinel{}
	for i := range s.servers {
		s.servers[i] = Start(t, append(settings, Replication...)...)
	}
	s.servers[1].follow(t, s.servers[0])
	for i := range s.watch {
		s.watch[i] = launch(t, func(port, dir string) []string {
			file := filepath.Join(dir, "sentinel.conf")
			if err := os.WriteFile(file, []byte(strings.Join([]string{
				"bind 127.0.0.1",
				"port " + port,
				"dir " + dir,
				"loglevel warning",
				"sentinel monitor " + watched + " 127.0.0.1 " + s.servers[0].port() + " 2",
				"sentinel down-after-milliseconds " + watched + " 500",
				"sentinel failover-timeout " + watched + " 2000", // a second failover has to wait for twice as long
			}, "\n")), 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{file, "--sentinel"}
		})
		// They look at each other and at the servers more often than every few
		// seconds, where the version has it: the test waits for them.
		s.watch[i].do(t.Context(), "SENTINEL", "DEBUG", "info-period", 200, "publish-period", 200, "ask-period", 200, "tilt-period", 1000)
	}
	for _, w := range s.watch {
		Eventually(t, func(ctx context.Context) error {
			state, err := w.do(ctx, "SENTINEL", "MASTER", watched).StringSlice()
			if err != nil {
				return err
			}
			for i := 0; i+1 < len(state); i += 2 {
				if state[i] == "num-slaves" && state[i+1] != "1" || state[i] == "num-other-sentinels" && state[i+1] != "2" {
					return fmt.Errorf("%s says %v", w.Addr, state)
				}
			}
			return nil
		})
	}
	return s
}

// Client returns a client of whoever the Sentinels say is master, which is closed
// with the test.
func (s *Sentinel) Client(t testing.TB) *redis.Client {
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: watched, SentinelAddrs: []string{s.watch[0].Addr, s.watch[1].Addr, s.watch[2].Addr},
	})
	t.Cleanup(func() { client.Close() })
	return client
}

// Master returns who is master, and its replica, as soon as all Sentinels agree and
// the master does.
func (s *Sentinel) Master(t testing.TB) (master, replica *Server) {
	t.Helper()
	Eventually(t, func(ctx context.Context) (err error) {
		master, replica, err = s.master(ctx)
		return err
	})
	return master, replica
}

func (s *Sentinel) master(ctx context.Context) (master, replica *Server, err error) {
	for _, w := range s.watch {
		addr, err := w.do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", watched).StringSlice()
		if err != nil || len(addr) != 2 {
			return nil, nil, fmt.Errorf("%s says %v, %w", w.Addr, addr, err)
		}
		named := s.servers[0]
		if named.port() != addr[1] {
			named, replica = s.servers[1], s.servers[0]
		} else {
			replica = s.servers[1]
		}
		if master != nil && master != named {
			return nil, nil, errors.New("the Sentinels do not agree")
		}
		master = named
	}
	info, err := master.replication(ctx)
	if err == nil && info["role"] != "master" {
		err = fmt.Errorf("%s is %s", master.Addr, info["role"])
	}
	return master, replica, err
}

// CutLink cuts replication. The replica has what was written before, and gets
// nothing of what is written after CutLink has returned.
func (s *Sentinel) CutLink(t testing.TB) {
	t.Helper()
	master, replica := s.Master(t)
	master.cutLink(t, replica)
}

// Failover has the Sentinels make the replica master, and the master its replica,
// as an operator would (SENTINEL FAILOVER). Until the old master is told, both take
// writes: some of what is acknowledged is lost.
func (s *Sentinel) Failover(t testing.TB) {
	t.Helper()
	old, next := s.Master(t)
	Eventually(t, func(ctx context.Context) error {
		addr, err := s.watch[0].do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", watched).StringSlice()
		if err == nil && addr[1] == old.port() { // one may be under way, or was given up
			err = cmp.Or(s.watch[0].do(ctx, "SENTINEL", "FAILOVER", watched).Err(), errors.New("it was asked for"))
		}
		return err
	})
	s.promoted(t, next)
	old.catchUp(t, next)
}

// KillMaster kills the master, and the Sentinels make the replica master.
func (s *Sentinel) KillMaster(t testing.TB) {
	t.Helper()
	old, next := s.Master(t)
	old.Kill()
	s.promoted(t, next)
}

// FreezeMaster has the master hang, and the Sentinels make the replica master.
func (s *Sentinel) FreezeMaster(t testing.TB) {
	t.Helper()
	old, next := s.Master(t)
	old.Freeze(t)
	s.promoted(t, next)
}

// Rejoin brings back the server that was killed or frozen, if it was, as the replica
// of the other, and waits until it has all that the other has.
func (s *Sentinel) Rejoin(t testing.TB) {
	t.Helper()
	master, replica := s.Master(t)
	replica.comeBack(t)
	replica.follow(t, master)
}

// promoted waits until a server is master for all Sentinels.
func (s *Sentinel) promoted(t testing.TB, next *Server) {
	t.Helper()
	next.healLink(t) // which was cut, perhaps, when it was master before
	Eventually(t, func(ctx context.Context) error {
		master, _, err := s.master(ctx)
		if err == nil && master != next {
			err = fmt.Errorf("%s is still master", master.Addr)
		}
		return err
	})
}
