package alike

import (
	"bufio"
	"context"
	"crypto/rand"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// names are the servers that are compared, by their folders. The first says what
// the others have to answer.
var names = []string{"nethttp", "gin", "fiber"}

// build builds the servers and returns where they are.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "./"+name)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return dir
}

// server is one of the example servers as a process of its own.
type server struct {
	name  string
	addr  string
	log   *os.File // what it writes to stderr
	read  int64    // of that
	links map[string]*link
	known *book
	stop  func()
}

// start starts the servers with the same settings, each on a free port. They end
// with ctx, and at the latest with the test.
func start(ctx context.Context, t *testing.T, dir string, p *profile, secret string) ([]*server, error) {
	var all []*server
	for _, name := range names {
		s, err := startOne(ctx, t, filepath.Join(dir, name), p, secret)
		if err != nil {
			for _, s := range all {
				s.stop()
			}
			return nil, err
		}
		s.name = name
		all = append(all, s)
	}
	return all, nil
}

func startOne(ctx context.Context, t *testing.T, path string, p *profile, secret string) (*server, error) {
	log, err := os.CreateTemp(filepath.Dir(path), "log")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, path) // killed, by its id, when ctx is done
	cmd.Env = append(os.Environ(), "ADDR=127.0.0.1:0", "LOGIN_LIMIT=off", "REDIS_URL=", "SECRET_KEY="+secret)
	cmd.Env = append(cmd.Env, p.env...)
	cmd.Stderr = log // a file: what was written before an answer is there when the answer is
	out, err := cmd.StdoutPipe()
	if err == nil {
		endWithParent(cmd)
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		log.Close()
		return nil, err
	}
	s := &server{log: log, links: make(map[string]*link), known: newBook([]byte(secret))}
	s.stop = sync.OnceFunc(func() {
		for _, l := range s.links {
			l.close()
		}
		cancel()
		_ = cmd.Wait() // it was killed
		log.Close()
		os.Remove(log.Name())
	})
	t.Cleanup(s.stop)
	text := ""
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		text += lines.Text() + "\n"
		if strings.Contains(lines.Text(), "refused from now on") { // the last line of the welcome
			break
		}
	}
	go io.Copy(io.Discard, out)
	_, rest, _ := strings.Cut(text, "sallyport on http://")
	if s.addr, _, _ = strings.Cut(rest, ","); s.addr == "" {
		s.stop()
		return nil, &startError{path, text}
	}
	return s, s.settle(ctx)
}

type startError struct{ path, text string }

func (e *startError) Error() string { return e.path + " does not say where it listens: " + e.text }

// settle waits until the server has read its feed of revocations: before, it says
// that it is degraded.
func (s *server) settle(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		a, err := s.send(&request{method: "GET", target: "/healthz", version: "HTTP/1.1", headers: []string{"Host: " + host}})
		if err != nil {
			return err
		}
		if strings.Contains(a.body, `"status":"ok"`) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// records returns what the server has written to its log since the last call, but for
// notices: they are sent beside the requests, and so when they like.
func (s *server) records() ([]string, error) {
	info, err := s.log.Stat()
	if err != nil {
		return nil, err
	}
	text := make([]byte, info.Size()-s.read)
	if _, err := s.log.ReadAt(text, s.read); err != nil && err != io.EOF {
		return nil, err
	}
	s.read = info.Size()
	var lines []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, " INFO notice ") {
			continue
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines, nil
}

func newSecret() string { return rand.Text() + rand.Text() }
