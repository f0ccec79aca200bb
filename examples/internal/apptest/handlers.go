package apptest

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/console"
	"github.com/sallyport-go/sallyport/examples/internal/settings"
	"github.com/sallyport-go/sallyport/examples/internal/users"
	"github.com/sallyport-go/sallyport/memstore"
)

// Handlers serves an example's routes and one more, GET /panic, whose handler
// calls boom, until ctx is done.
type Handlers func(ctx context.Context, l net.Listener, auth *core.Auth, people *users.Users, boom func()) error

// inPanic is set in a process that is to serve a handler that panics.
const inPanic = "SALLYPORT_EXAMPLE_PANIC"

// RunHandlers runs the cases that a whole server gives no occasion for, each as a
// subtest. It is all that its test does.
func RunHandlers(t *testing.T, handlers Handlers) {
	if os.Getenv(inPanic) != "" {
		servePanic(t, handlers)
		return
	}
	name := t.Name()
	t.Run("a user with an odd name", func(t *testing.T) { oddName(t, handlers) })
	t.Run("a sign-in that is not fresh", func(t *testing.T) { notFresh(t, handlers) })
	t.Run("a handler that panics", func(t *testing.T) { panicking(t, name) })
}

// open is what handlers need.
func open(t *testing.T) (net.Listener, *core.Auth, *users.Users) {
	t.Helper()
	people, err := users.New()
	if err != nil {
		t.Fatal(err)
	}
	auth, err := core.New(core.Config{
		Store:        memstore.New(),
		Keys:         []core.Key{{Secret: []byte(rand.Text() + rand.Text())}},
		Authenticate: people.Authenticate,
		Prefix:       "/api/v1/auth",
		Cookie:       core.Cookie{Insecure: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener, auth, people
}

// handled serves an example's routes until the test has ended.
func handled(t *testing.T, handlers Handlers, l net.Listener, auth *core.Auth, people *users.Users) *server {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- handlers(ctx, l, auth, people, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with: %v", err)
		}
	})
	return &server{url: "http://" + l.Addr().String()}
}

// A browser that somebody left open gives nobody a second factor.
func notFresh(t *testing.T, handlers Handlers) {
	listener, auth, people := open(t)
	b := handled(t, handlers, listener, auth, people).browser(t)
	for _, tt := range []struct {
		ago    time.Duration
		status int
	}{{users.EnrollWithin + time.Minute, 401}, {users.EnrollWithin - time.Minute, 200}} {
		pair, err := auth.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice", AuthTime: time.Now().Add(-tt.ago)}})
		if err != nil {
			t.Fatal(err)
		}
		res := b.send("POST", enrollPath, "", "Authorization: Bearer "+pair.AccessToken)
		body, _ := io.ReadAll(res.Body)
		if fresh := res.StatusCode == 200; res.StatusCode != tt.status || !fresh && !strings.Contains(string(body), "FRESH_SIGN_IN_REQUIRED") {
			t.Errorf("%v after signing in: got %d %s, want %d", tt.ago, res.StatusCode, body, tt.status)
		}
	}
}

// A name in a path is decoded as a path is, where a plus is a plus.
func oddName(t *testing.T, handlers Handlers) {
	const name = "a+b/c d%"
	listener, auth, people := open(t)
	if err := people.Add(name, rand.Text()); err != nil {
		t.Fatal(err)
	}
	root := handled(t, handlers, listener, auth, people).browser(t)
	root.signIn("root")
	route := "/api/v1/admin/users/" + url.PathEscape(name) + "/active"
	root.equal("disable", root.post(route, `{"active":false}`), `{"active":false,"revoked":0,"user_id":"`+name+`"}`)
}

const cause = "a bug of the app's"

// The server goes on when a handler panics. The client is not told why; the log
// is, without a word of the request.
func panicking(t *testing.T, test string) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+test+"$")
	cmd.Env = []string{inPanic + "=1"}
	s, wrote := spawn(t, cmd)
	b := s.browser(t)
	for i := range 2 { // the second panics as for a client that has gone
		r, err := http.NewRequest("GET", s.url+"/panic?q=canary-query", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Authorization", "Cookie", "User-Agent", "X-Anything"} {
			r.Header.Set(name, "canary-header")
		}
		res, err := b.http.Do(r)
		if err != nil {
			continue // net/http ends the connection instead
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if told := strings.Contains(string(body), cause); told || err != nil || i == 0 && res.StatusCode != http.StatusInternalServerError {
			t.Errorf("got %d %s, %v, want 500 and no cause", res.StatusCode, body, err)
		}
	}
	b.get("/healthz")
	b.http.CloseIdleConnections()
	if err := s.stop(); err != nil {
		t.Errorf("the process ended with: %v", err)
	}
	for _, want := range []string{cause, "goroutine", "main_test.go"} {
		if !strings.Contains(wrote.String(), want) {
			t.Errorf("no %q in the log: %s", want, wrote)
		}
	}
	if strings.Contains(wrote.String(), "canary") {
		t.Errorf("the log shows the request: %s", wrote)
	}
}

func servePanic(t *testing.T, handlers Handlers) {
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer stop()
	listener, auth, people := open(t)
	console.Welcome(os.Stdout, "http://"+listener.Addr().String(), settings.Settings{})
	var panics atomic.Int64
	err := handlers(ctx, listener, auth, people, func() {
		if panics.Add(1) == 1 {
			panic(cause)
		}
		panic(errors.Join(errors.New(cause), syscall.EPIPE))
	})
	if err != nil {
		t.Error(err)
	}
}
