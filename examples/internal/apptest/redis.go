package apptest

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// redisAt has a server keep sessions in a Redis.
func redisAt(m *miniredis.Miniredis) map[string]string {
	return map[string]string{"REDIS_URL": "redis://" + m.Addr() + "/7"}
}

// A server starts while Redis is away, and serves once it is there. What it says
// does not show the password.
func redisLate(t *testing.T, _ Server) {
	m := miniredis.RunT(t)
	password := rand.Text()
	m.RequireUserAuth("app", password)
	door := newDoor(t, m.Addr())
	s, wrote := spawn(t, command(t, nil, "REDIS_URL=redis://app:"+password+"@"+door.addr+"/7"))
	alice := s.browser(t)
	alice.equal("health", alice.get("/healthz"), `{"feed_age_ms":-1,"status":"degraded","store":"redis"}`)
	res := alice.send("POST", "/api/v1/auth/login", `{"username":"alice","password":"correct-horse"}`)
	res.Body.Close()
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || len(res.Cookies()) > 0 {
		t.Errorf("signing in without Redis: got %d, %v", res.StatusCode, res.Header)
	}

	door.open.Store(true)
	eventually(t, func() bool { return alice.get("/healthz")["status"] == "ok" })
	alice.signIn("alice")
	alice.get(mePath)
	alice.http.CloseIdleConnections()
	if err := s.stop(); err != nil {
		t.Errorf("the process ended with: %v", err)
	}
	if strings.Contains(wrote.String(), password) {
		t.Errorf("the log shows the password: %s", wrote)
	}
}

// checkOnRedis has the check look at Redis. That nothing answers takes it a while
// to be sure of, so this is not asked here.
func checkOnRedis(t *testing.T, run Server) {
	m := miniredis.RunT(t)
	out, _ := call(t, with(run, redisAt(m)), []string{"-check"}, nil)
	if out == "" || strings.Contains(out, "feed: ") || strings.Contains(out, "reading the feed") {
		t.Errorf("got %q", out)
	}
	if !m.DB(7).Exists("sp:buckets") {
		t.Error("it did not look")
	}
}

// eventually waits until something holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatal("it does not come to hold")
		case <-tick.C:
		}
	}
}

// door is an address that leads to a server while it is open.
type door struct {
	addr string
	open atomic.Bool
}

func newDoor(t *testing.T, to string) *door {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	d := &door{addr: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go d.pass(conn, to)
		}
	}()
	return d
}

// pass passes on what both sides say, until one of them has gone.
func (d *door) pass(conn net.Conn, to string) {
	defer conn.Close()
	if !d.open.Load() {
		return
	}
	inside, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer inside.Close()
	go func() {
		io.Copy(inside, conn)
		inside.Close()
	}()
	io.Copy(conn, inside)
}
