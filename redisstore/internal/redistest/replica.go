package redistest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Replication are settings of servers whose replicas are in step quickly.
var Replication = []string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}

// StartReplica starts a server that is a replica of another one, and waits until it is
// in step with it.
func StartReplica(t testing.TB, of *Server) *Server {
	t.Helper()
	s := Start(t, Replication...)
	s.follow(t, of)
	Eventually(t, func(ctx context.Context) error { // the master hears of it a moment later
		info, err := of.replication(ctx)
		if err == nil && !strings.Contains(info["slave0"]+info["slave1"], "port="+s.port()+",state=online") {
			err = fmt.Errorf("%s does not count %s yet: %v", of.Addr, s.Addr, info)
		}
		return err
	})
	return s
}

// follow makes s a replica of a master and waits until it has all that the master
// has.
func (s *Server) follow(t testing.TB, master *Server) {
	t.Helper()
	s.Do(t, "REPLICAOF", "127.0.0.1", master.port())
	s.catchUp(t, master)
}

// catchUp waits until a replica has what its master has now.
func (s *Server) catchUp(t testing.TB, master *Server) {
	t.Helper()
	want := -1
	Eventually(t, func(ctx context.Context) error {
		ours, err := s.replication(ctx)
		if err != nil {
			return err
		}
		if ours["master_link_status"] != "up" || ours["master_port"] != master.port() {
			return fmt.Errorf("%s does not follow %s: %v", s.Addr, master.Addr, ours)
		}
		if want < 0 { // from here on it grows with the master's
			theirs, err := master.replication(ctx)
			if err != nil {
				return err
			}
			if want, err = strconv.Atoi(theirs["master_repl_offset"]); err != nil {
				return err
			}
		}
		if has, err := strconv.Atoi(ours["slave_repl_offset"]); err != nil || has < want {
			return fmt.Errorf("%s has %s of %d bytes of %s", s.Addr, ours["slave_repl_offset"], want, master.Addr)
		}
		return nil
	})
}

// replication returns what a server says of its replication.
func (s *Server) replication(ctx context.Context) (map[string]string, error) {
	text, err := s.do(ctx, "INFO", "replication").Text()
	if err != nil {
		return nil, err
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info, nil
}

// cutLink cuts replication between a master and its replica. The replica has what
// was written when cutLink was called, and gets nothing of what is written after it
// has returned. Both go on otherwise, and the replica keeps asking in vain.
func (s *Server) cutLink(t testing.TB, replica *Server) {
	t.Helper()
	replica.catchUp(t, s)
	s.Do(t, "ACL", "SETUSER", "default", "-psync", "-sync")
	s.Do(t, "CLIENT", "KILL", "TYPE", "replica")
	Eventually(t, func(ctx context.Context) error { // it has taken in what was under way
		info, err := replica.replication(ctx)
		if err == nil && info["master_link_status"] != "down" {
			err = fmt.Errorf("%s still follows %s", replica.Addr, s.Addr)
		}
		return err
	})
}

// healLink undoes cutLink.
func (s *Server) healLink(t testing.TB) {
	t.Helper()
	s.Do(t, "ACL", "SETUSER", "default", "+psync", "+sync")
}
