package apptest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"testing"
)

// server is a server that runs in this process.
type server struct {
	url     string
	welcome string
	stop    func() error // as SIGTERM would
}

// start runs a server on a free port.
func start(t *testing.T, run Server, env map[string]string) *server {
	t.Helper()
	settings := map[string]string{"ADDR": "127.0.0.1:0"}
	maps.Copy(settings, env)
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, nil, func(name string) string { return settings[name] }, w)
		w.CloseWithError(errors.Join(err, io.EOF))
		ended <- err
	}()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("the server ended with: %v", err)
		}
	})
	s := &server{stop: stop}
	if s.welcome, s.url = readWelcome(r); s.url == "" {
		t.Fatalf("the server does not say where it listens: %q", s.welcome)
	}
	go io.Copy(io.Discard, r)
	return s
}

// readWelcome reads what a server says once it listens, and where that is.
func readWelcome(r io.Reader) (text, url string) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		text += lines.Text() + "\n"
		if strings.Contains(lines.Text(), "refused from now on") { // the last line
			break
		}
	}
	_, rest, _ := strings.Cut(text, "sallyport on ")
	url, _, _ = strings.Cut(rest, ",")
	return text, url
}

// browser is one client of a server, with a cookie jar and an access token.
type browser struct {
	t     *testing.T
	url   string
	http  *http.Client
	token string
}

func (s *server) browser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, url: s.url, http: &http.Client{Jar: jar, Transport: transport}}
}

// send sends a request. Headers are "Name: value".
func (b *browser) send(method, path, body string, headers ...string) *http.Response {
	b.t.Helper()
	r, err := http.NewRequest(method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	res, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { res.Body.Close() })
	return res
}

// do sends a request and returns the status and the JSON object that came back.
func (b *browser) do(method, path, body string, headers ...string) (int, map[string]any) {
	b.t.Helper()
	res := b.send(method, path, body, headers...)
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		b.t.Fatalf("%s %s: %d and no JSON: %v", method, path, res.StatusCode, err)
	}
	kind, kept, challenge := "application/json", "no-store", ""
	switch {
	case res.StatusCode >= 400:
		kind = "application/problem+json"
	case path == keysPath:
		kept = "public, max-age=300"
	}
	if out["code"] == "TOKEN_MISSING" {
		challenge = "Bearer"
	} else if code, _ := out["code"].(string); strings.HasPrefix(code, "TOKEN_") && res.StatusCode == 401 {
		challenge = `Bearer error="invalid_token"`
	}
	for name, want := range map[string]string{"Content-Type": kind, "Cache-Control": kept, "WWW-Authenticate": challenge} {
		if got := res.Header.Get(name); got != want {
			b.t.Errorf("%s %s: %d %v: %s is %q, want %q", method, path, res.StatusCode, out, name, got, want)
		}
	}
	return res.StatusCode, out
}

// want sends a request and checks the status, and the code of a refusal.
func (b *browser) want(status int, code, method, path, body string, headers ...string) map[string]any {
	b.t.Helper()
	got, out := b.do(method, path, body, headers...)
	if gotCode, _ := out["code"].(string); got != status || gotCode != code {
		b.t.Fatalf("%s %s %s: got %d %v, want %d %s", method, path, body, got, out, status, code)
	}
	return out
}

// get and post send a request that is to succeed.
func (b *browser) get(path string) map[string]any {
	b.t.Helper()
	return b.want(200, "", "GET", path, "")
}

func (b *browser) post(path, body string, headers ...string) map[string]any {
	b.t.Helper()
	return b.want(200, "", "POST", path, body, headers...)
}

// signIn signs in, keeps the access token and returns the id of the session.
func (b *browser) signIn(user string, headers ...string) string {
	b.t.Helper()
	out := b.post("/api/v1/auth/login", `{"username":"`+user+`","password":"`+passwords[user]+`"}`, headers...)
	b.token = out["access_token"].(string)
	return out["session"].(map[string]any)["id"].(string)
}

var passwords = map[string]string{"alice": "correct-horse", "bob": "battery-staple", "root": "tr0ub4dor-and-3"}

// equal compares an answer with JSON whose members are sorted.
func (b *browser) equal(what string, got map[string]any, want string) {
	b.t.Helper()
	if text, _ := json.Marshal(got); string(text) != want {
		b.t.Errorf("%s: got %s, want %s", what, text, want)
	}
}
