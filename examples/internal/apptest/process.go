package apptest

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// command is a server as a process of its own.
func command(t *testing.T, args []string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append([]string{inChild + "=1", "ADDR=127.0.0.1:0"}, env...)
	return cmd
}

// spawn starts a server as a process. What it writes is there after stop, which
// sends SIGTERM and returns nil if the process then exits with 0.
func spawn(t *testing.T, cmd *exec.Cmd) (s *server, wrote *bytes.Buffer) {
	t.Helper()
	wrote, stderr := new(bytes.Buffer), new(bytes.Buffer)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdout := io.TeeReader(out, wrote)
	s = &server{stop: sync.OnceValue(func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		io.Copy(io.Discard, stdout)
		err := cmd.Wait()
		wrote.Write(stderr.Bytes())
		return err
	})}
	if s.welcome, s.url = readWelcome(stdout); s.url == "" {
		t.Fatalf("the process does not say where it listens: %q, %v, %s", s.welcome, s.stop(), wrote)
	}
	return s, wrote
}

// A command line, or a setting, that makes no sense ends the process with a
// status that a script can tell.
func process(t *testing.T, _ Server) {
	for _, tt := range []struct {
		rule   string
		args   []string
		env    string
		status int
		stdout string
		stderr string
	}{
		{"help is no error", []string{"-h"}, "", 0, "SECRET_KEY", ""},
		{"what is sound is no error", []string{"-check"}, "", 0, "nothing unsound", ""},
		{"what is unsound is", []string{"-check"}, "TRUSTED_PROXIES=127.0.0.1", 1, "cookie: ", "unsound: 1"},
		{"a wrong setting", nil, "MAX_SESSIONS=0", 1, "", "MAX_SESSIONS: "},
		{"an unknown flag", []string{"-chek"}, "", 2, "", "usage: "},
		{"an argument", []string{"check"}, "", 2, "", "usage: "},
	} {
		cmd := command(t, tt.args, tt.env)
		var stdout, stderr strings.Builder
		cmd.Stdout = noWelcome{&stdout, func() { _ = cmd.Process.Kill() }}
		cmd.Stderr = &stderr
		_ = cmd.Run() // its status is looked at
		if got := cmd.ProcessState.ExitCode(); got != tt.status {
			t.Errorf("%s: exit status %d, want %d: %s%s", tt.rule, got, tt.status, stdout.String(), stderr.String())
		}
		for _, w := range []struct{ name, got, want string }{{"stdout", stdout.String(), tt.stdout}, {"stderr", stderr.String(), tt.stderr}} {
			if (w.got == "") != (w.want == "") || !strings.Contains(w.got, w.want) {
				t.Errorf("%s: got on %s %q, want %q in it", tt.rule, w.name, w.got, w.want)
			}
		}
	}
}

// What is under way when the server is told to stop is answered.
func stopping(t *testing.T, run Server) {
	told, tell := context.WithCancel(t.Context())
	tell()
	if err := run(told, nil, func(name string) string { return map[string]string{"ADDR": "127.0.0.1:0"}[name] }, io.Discard); err != nil {
		t.Errorf("told before it listened: got %v", err)
	}

	s, _ := spawn(t, command(t, nil))
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const body = `{"username":"alice","password":"correct-horse"}`
	// The server says that it goes on with "100 Continue" when it reads the body:
	// net/http once the handler asks for it, Fiber before it calls the handler. Then
	// it has the request, and owes an answer.
	io.WriteString(conn, "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 47\r\n\r\n")
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("got %q, %v", line, err)
	}
	answers.ReadString('\n')
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	for { // until the server takes nobody in any more
		another, err := net.Dial("tcp", conn.RemoteAddr().String())
		if err != nil {
			break
		}
		another.Close()
	}
	io.WriteString(conn, body)
	res, err := http.ReadResponse(answers, nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("got %v, %v", res, err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("the process ended with: %v", err)
	}
}
