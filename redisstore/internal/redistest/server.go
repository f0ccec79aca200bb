package redistest

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

// Server is a redis-server of a test's own.
type Server struct {
	Addr    string
	dir     string
	args    []string
	process *exec.Cmd
	frozen  bool
	elected <-chan time.Time // of a Cluster's node: when it can be elected again, if it was
}

// Start starts a server on a free port, with settings such as "--appendonly",
// "yes". It ends with the test. Without redis-server the test is skipped, and fails
// in CI.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	return launch(t, func(port, dir string) []string {
		return append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "", "--loglevel", "warning"}, settings...)
	})
}

// launch starts a server with what its port and its folder make of the arguments.
func launch(t testing.TB, args func(port, dir string) []string) *Server {
	t.Helper()
	Need(t, "redis-server")
	var err error
	for range 5 { // another program may take the port first
		s := &Server{Addr: free(t), dir: t.TempDir()}
		s.args = args(s.port(), s.dir)
		if err = s.Restart(t); err == nil {
			t.Cleanup(s.Kill)
			return s
		}
		s.Kill()
	}
	t.Fatalf("redis-server does not start: %v", err)
	return nil
}

// Restart starts a server that was killed, with what it has on disk.
func (s *Server) Restart(testing.TB) error {
	if s.process != nil {
		return fmt.Errorf("%s was not killed", s.Addr)
	}
	s.process = exec.Command("redis-server", s.args...)
	if err := s.process.Start(); err != nil {
		return err
	}
	return eventually(func(ctx context.Context) error { return s.do(ctx, "PING").Err() })
}

// Kill ends the server at once, as kill -9 does.
func (s *Server) Kill() {
	if s.process != nil {
		s.process.Process.Kill()
		s.process.Wait()
		s.process, s.frozen = nil, false
	}
}

// Freeze has the server hang: its connections stay and nothing answers.
func (s *Server) Freeze(t testing.TB) {
	t.Helper()
	s.signal(t, "-STOP")
	s.frozen = true
}

// Thaw has a server that hangs go on where it was.
func (s *Server) Thaw(t testing.TB) {
	t.Helper()
	s.signal(t, "-CONT")
	s.frozen = false
}

// comeBack has a server answer again that was killed or frozen.
func (s *Server) comeBack(t testing.TB) {
	t.Helper()
	switch {
	case s.frozen:
		s.Thaw(t)
	case s.process == nil:
		if err := s.Restart(t); err != nil {
			t.Fatal(err)
		}
	}
}

// signal sends one that package os does not have everywhere.
func (s *Server) signal(t testing.TB, name string) {
	t.Helper()
	if out, err := exec.Command("kill", name, strconv.Itoa(s.process.Process.Pid)).CombinedOutput(); err != nil {
		t.Fatalf("kill %s: %v: %s", name, err, out)
	}
}

// answers reports whether it was started and neither killed nor frozen.
func (s *Server) answers() bool { return s.process != nil && !s.frozen }

// Client returns a client of the server, which is closed with the test.
func (s *Server) Client(t testing.TB) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	t.Cleanup(func() { client.Close() })
	return client
}

// Process is the server's, to be sent signals.
func (s *Server) Process() *os.Process { return s.process.Process }

// Do sends one command over a connection of its own.
func (s *Server) Do(t testing.TB, args ...any) *redis.Cmd {
	t.Helper()
	cmd := s.do(context.Background(), args...)
	if cmd.Err() != nil {
		t.Fatalf("%s: %v: %v", s.Addr, args, cmd.Err())
	}
	return cmd
}

func (s *Server) do(ctx context.Context, args ...any) *redis.Cmd {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr) // nobody there is no news: the client would log it
	if err != nil {
		cmd := redis.NewCmd(ctx, args...)
		cmd.SetErr(err)
		return cmd
	}
	client := redis.NewClient(&redis.Options{
		Protocol: 2, MaxRetries: -1, DialerRetries: 1,
		Dialer: func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	})
	defer client.Close()
	return client.Do(ctx, args...)
}

func (s *Server) port() string {
	_, port, _ := net.SplitHostPort(s.Addr)
	return port
}

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
