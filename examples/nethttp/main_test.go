package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"testing"
)

// server is the example, running in this process.
type server struct {
	url     string
	welcome string
	stop    func() error // as SIGTERM would
}

// start runs the example on a free port.
func start(t *testing.T, env map[string]string) *server {
	t.Helper()
	settings := map[string]string{"ADDR": "127.0.0.1:0"}
	for name, value := range env {
		settings[name] = value
	}
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, func(name string) string { return settings[name] }, w)
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
	for lines := bufio.NewScanner(r); lines.Scan(); {
		s.welcome += lines.Text() + "\n"
		if strings.Contains(lines.Text(), "/logout") { // the last line
			go io.Copy(io.Discard, r)
			break
		}
	}
	_, rest, _ := strings.Cut(s.welcome, "sallyport on ")
	s.url, _, _ = strings.Cut(rest, ",")
	if s.url == "" {
		t.Fatalf("the server does not say where it listens: %q", s.welcome)
	}
	return s
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

// do sends a request and returns the status and the JSON object that came back.
// Headers are "Name: value".
func (b *browser) do(method, path, body string, headers ...string) (int, map[string]any) {
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
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		b.t.Fatalf("%s %s: %d and no JSON: %v", method, path, res.StatusCode, err)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		b.t.Errorf("%s %s: Cache-Control is %q", method, path, got)
	}
	kind := "application/json"
	if res.StatusCode >= 400 {
		kind = "application/problem+json"
	}
	if got := res.Header.Get("Content-Type"); got != kind {
		b.t.Errorf("%s %s: Content-Type is %q, want %q", method, path, got, kind)
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

// signIn signs in and keeps the access token.
func (b *browser) signIn(user, password string) {
	b.t.Helper()
	out := b.want(200, "", "POST", "/api/v1/auth/login", `{"username":"`+user+`","password":"`+password+`"}`)
	b.token = out["access_token"].(string)
}

func (b *browser) equal(what string, got map[string]any, want string) {
	b.t.Helper()
	if text, _ := json.Marshal(got); string(text) != want { // members sorted
		b.t.Errorf("%s: got %s, want %s", what, text, want)
	}
}

func TestServer(t *testing.T) {
	s := start(t, nil)

	t.Run("a session", func(t *testing.T) {
		alice := s.browser(t)
		alice.want(401, "TOKEN_MISSING", "GET", "/api/v1/me", "")
		alice.signIn("alice", "correct-horse")
		first := alice.want(200, "", "GET", "/api/v1/me", "")
		alice.equal("me", first, `{"client_type":"web","scopes":[],"session_id":"`+first["session_id"].(string)+`","user_id":"alice"}`)

		alice.token = ""
		alice.token = alice.want(200, "", "POST", "/api/v1/auth/refresh", "")["access_token"].(string)
		again := alice.want(200, "", "GET", "/api/v1/me", "")
		if again["session_id"] != first["session_id"] {
			t.Errorf("a refresh moved to another session: %v, %v", first, again)
		}
		if list := alice.want(200, "", "GET", "/api/v1/auth/sessions", ""); list["count"] != 1.0 {
			t.Errorf("sessions: got %v, want one", list)
		}
		alice.equal("logout", alice.want(200, "", "POST", "/api/v1/auth/logout", ""), `{"message":"signed out","revoked":1}`)
		alice.want(401, "TOKEN_REVOKED", "GET", "/api/v1/me", "")
		alice.token = ""
		alice.want(401, "REFRESH_TOKEN_MISSING", "POST", "/api/v1/auth/refresh", "")
	})

	t.Run("a password change ends the other sessions", func(t *testing.T) {
		here, there := s.browser(t), s.browser(t)
		here.want(401, "TOKEN_MISSING", "POST", "/api/v1/password", `{"old":"battery-staple","new":"n"}`)
		here.signIn("bob", "battery-staple")
		there.signIn("bob", "battery-staple")
		here.want(401, "INVALID_CREDENTIALS", "POST", "/api/v1/password", `{"old":"wrong","new":"paper-clip"}`)
		here.want(400, "BAD_REQUEST", "POST", "/api/v1/password", `{"old":"battery-staple"}`)
		there.want(200, "", "GET", "/api/v1/me", "") // what is refused ends nothing
		here.equal("password", here.want(200, "", "POST", "/api/v1/password", `{"old":"battery-staple","new":"paper-clip"}`),
			`{"message":"password changed","revoked":1}`)
		here.want(200, "", "GET", "/api/v1/me", "")
		there.want(401, "TOKEN_REVOKED", "GET", "/api/v1/me", "")
		there.want(401, "SESSION_ENDED", "POST", "/api/v1/auth/refresh", "")
		there.want(401, "INVALID_CREDENTIALS", "POST", "/api/v1/auth/login", `{"username":"bob","password":"battery-staple"}`)
		there.signIn("bob", "paper-clip")
	})

	t.Run("disabling a user ends all sessions", func(t *testing.T) {
		const route = "/api/v1/admin/users/alice/active"
		phone, laptop, root := s.browser(t), s.browser(t), s.browser(t)
		phone.want(401, "TOKEN_MISSING", "POST", route, `{"active":false}`)
		phone.signIn("alice", "correct-horse")
		laptop.signIn("alice", "correct-horse")
		phone.want(403, "FORBIDDEN", "POST", route, `{"active":false}`)
		phone.want(403, "FORBIDDEN", "POST", "/api/v1/admin/users/nobody/active", `{"active":false}`)

		root.signIn("root", "tr0ub4dor-and-3")
		root.want(404, "USER_NOT_FOUND", "POST", "/api/v1/admin/users/nobody/active", `{"active":false}`)
		root.want(404, "USER_NOT_FOUND", "POST", "/api/v1/admin/users/%2561lice/active", `{"active":false}`) // decoded once
		root.want(400, "BAD_REQUEST", "POST", route, `{}`)
		root.equal("disable", root.want(200, "", "POST", route, `{"active":false}`), `{"active":false,"revoked":2,"user_id":"alice"}`)
		for _, b := range []*browser{phone, laptop} {
			b.want(401, "TOKEN_REVOKED", "GET", "/api/v1/me", "")
			b.want(401, "SESSION_ENDED", "POST", "/api/v1/auth/refresh", "")
		}
		phone.want(401, "USER_INACTIVE", "POST", "/api/v1/auth/login", `{"username":"alice","password":"correct-horse"}`)
		phone.want(401, "INVALID_CREDENTIALS", "POST", "/api/v1/auth/login", `{"username":"alice","password":"wrong"}`)
		root.equal("disable again", root.want(200, "", "POST", route, `{"active":false}`), `{"active":false,"revoked":0,"user_id":"alice"}`)

		root.equal("enable", root.want(200, "", "POST", "/api/v1/admin/users/%61lice/active", `{"active":true}`), `{"active":true,"revoked":0,"user_id":"alice"}`)
		phone.signIn("alice", "correct-horse")
		root.want(200, "", "GET", "/api/v1/me", "")
	})

	t.Run("the app's own routes read bodies as the others do", func(t *testing.T) {
		root := s.browser(t)
		root.signIn("root", "tr0ub4dor-and-3")
		for _, tt := range []struct {
			status int
			code   string
			body   string
			header string
		}{
			{400, "BAD_REQUEST", `{"active":`, ""},
			{400, "BAD_REQUEST", `{"active":true,"active":false}`, ""},
			{400, "BAD_REQUEST", `{"active":true} {}`, ""},
			{400, "BAD_REQUEST", `{"active":"no"}`, ""},
			{400, "BAD_REQUEST", `[]`, ""},
			{400, "BAD_REQUEST", ``, ""},
			{413, "BODY_TOO_LARGE", `{"active":false,"x":"` + strings.Repeat("x", 64<<10) + `"}`, ""},
			{415, "NOT_JSON", `{"active":false}`, "Content-Type: text/plain"},
		} {
			var headers []string
			if tt.header != "" {
				headers = []string{tt.header}
			}
			root.want(tt.status, tt.code, "POST", "/api/v1/admin/users/bob/active", tt.body, headers...)
		}
		root.want(200, "", "POST", "/api/v1/admin/users/bob/active", `{"active":true,"why":"unknown members are passed over"}`)
	})

	t.Run("health", func(t *testing.T) {
		out := s.browser(t).want(200, "", "GET", "/healthz", "")
		age, ok := out["feed_age_ms"].(float64)
		delete(out, "feed_age_ms")
		if !ok || age < 0 {
			t.Errorf("feed_age_ms is %v", age)
		}
		s.browser(t).equal("health", out, `{"status":"ok","store":"memory"}`)
	})
}

func TestCrossSite(t *testing.T) {
	s := start(t, map[string]string{"TRUSTED_ORIGINS": "https://app.example.com"})
	b := s.browser(t)
	b.signIn("root", "tr0ub4dor-and-3")
	for _, route := range []string{"/api/v1/password", "/api/v1/admin/users/bob/active", "/api/v1/auth/logout-all"} {
		for _, from := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example", "Origin: null"} {
			b.want(403, "CROSS_SITE", "POST", route, `{}`, from)
		}
	}
	for _, from := range []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none", "Origin: " + s.url, "Origin: https://app.example.com"} {
		b.want(200, "", "POST", "/api/v1/admin/users/bob/active", `{"active":true}`, from)
	}
	b.want(200, "", "GET", "/api/v1/me", "", "Sec-Fetch-Site: cross-site") // changes nothing
}

// What is under way when the server is told to stop is answered.
func TestDrain(t *testing.T) {
	s := start(t, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const body = `{"username":"alice","password":"correct-horse"}`
	// The server says that it goes on with "100 Continue" when it reads the body.
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
		t.Errorf("the server ended with: %v", err)
	}
}

func TestRefusesToStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, value := range map[string]string{
		"REDIS_URL":                 "redis://127.0.0.1:6379", // found when the environment is read
		"REFRESH_TOKEN_COOKIE_NAME": "__Host-refresh",         // found by core.New
		"ADDR":                      taken.Addr().String(),    // found when listening
	} {
		env := map[string]string{"ADDR": "127.0.0.1:0", name: value}
		err := run(t.Context(), func(name string) string { return env[name] }, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), name+": ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s=%s: got %v, want one line that begins with the name", name, value, err)
		}
	}
}

// The log shows no query, no header, no token and no password.
func TestLog(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	standard := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(locked{&log, &mu}, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(standard) })

	s := start(t, nil)
	b := s.browser(t)
	b.signIn("alice", "correct-horse")
	secrets := []string{"correct-horse", b.token, "canary-query", "canary-agent", "canary-header", "canary-password", "canary-device"}
	b.do("POST", "/api/v1/auth/login?q=canary-query", `{"username":"alice","password":"canary-password","device_id":"canary-device"}`, "User-Agent: canary-agent", "X-Anything: canary-header")
	b.do("GET", "/api/v1/me?access_token=canary-query", "", "User-Agent: canary-agent", "Cookie: refresh_token=canary-header")
	b.do("POST", "/api/v1/auth/refresh?q=canary-query", "", "User-Agent: canary-agent")
	b.do("POST", "/api/v1/auth/logout?q=canary-query", "", "User-Agent: canary-agent")
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(log.String(), "signed_in") {
		t.Errorf("no record of the sign-in in the log: %s", &log)
	}
	for _, secret := range secrets {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log shows %q: %s", secret, &log)
		}
	}
}

type locked struct {
	w  io.Writer
	mu *sync.Mutex
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
