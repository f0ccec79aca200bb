package apptest

import (
	"context"
	"errors"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// call runs a server that is not to serve, and stops one that does so anyway.
func call(t *testing.T, run Server, args []string, env map[string]string) (out string, err error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var text strings.Builder
	err = run(ctx, args, func(name string) string { return env[name] }, noWelcome{&text, stop})
	return text.String(), err
}

// noWelcome calls stop if a server welcomes anybody.
type noWelcome struct {
	text *strings.Builder
	stop func()
}

func (w noWelcome) Write(p []byte) (int, error) {
	w.text.Write(p)
	if strings.Contains(w.text.String(), "sallyport on") {
		w.stop()
	}
	return len(p), nil
}

// A mistake stops the start with one line that names the setting.
func wrongSettings(t *testing.T, run Server) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct{ name, value string }{
		{"REDIS_URL", "127.0.0.1:6379"},                 // found when the environment is read
		{"DATABASE_URL", "127.0.0.1:5432"},              // likewise
		{"TRUSTED_PROXIES", "10.0.0.0/8,proxy.local"},   // likewise
		{"FORWARDED_HEADER", "X-Real-IP"},               // likewise
		{"LOGIN_LIMIT", "0"},                            // likewise
		{"SMTP_URL", "127.0.0.1:25"},                    // likewise
		{"REFRESH_TOKEN_COOKIE_NAME", "__Host-refresh"}, // found by core.New
		{"TRUSTED_PROXIES", "0.0.0.0/0"},                // likewise
		{"ADDR", taken.Addr().String()},                 // found when listening
	} {
		out, err := call(t, run, nil, map[string]string{"ADDR": "127.0.0.1:0", tt.name: tt.value})
		if err == nil || !strings.HasPrefix(err.Error(), tt.name+": ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s=%s: got %v, want one line that begins with the name", tt.name, tt.value, err)
		}
		if out != "" {
			t.Errorf("%s=%s: it says %q", tt.name, tt.value, out)
		}
	}
}

// -check says what is unsound, listens nowhere and fails if there is anything.
func check(t *testing.T, run Server) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	const insecure, sound = "cookie: cookies travel without TLS; ", "nothing unsound was found"
	for _, tt := range []struct {
		rule  string
		env   map[string]string
		lines []string // each begins so
		fails bool
	}{
		{"as it is: the loopback default is a note", nil, []string{"note: " + insecure, sound}, false},
		{"it does not listen", map[string]string{"ADDR": taken.Addr().String()}, []string{"note: " + insecure, sound}, false},
		{"with secure cookies there is nothing to note", map[string]string{"REFRESH_TOKEN_COOKIE_SECURE": "true"}, []string{sound}, false},
		{"beyond loopback cookies are secure", map[string]string{"ADDR": ":8080"}, []string{sound}, false},
		{"unless told otherwise", map[string]string{"ADDR": ":8080", "REFRESH_TOKEN_COOKIE_SECURE": "false"}, []string{insecure}, true},
		{"behind a proxy clients are elsewhere", map[string]string{"TRUSTED_PROXIES": "127.0.0.1"}, []string{insecure}, true},
	} {
		out, err := call(t, run, []string{"-check"}, tt.env)
		if (err != nil) != tt.fails {
			t.Errorf("%s: got error %v, want one: %v", tt.rule, err, tt.fails)
		}
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		same := len(lines) == len(tt.lines)
		for i := 0; same && i < len(lines); i++ {
			same = strings.HasPrefix(lines[i], tt.lines[i])
		}
		if !same {
			t.Errorf("%s: got %q, want lines that begin with %q", tt.rule, lines, tt.lines)
		}
	}
	if _, err := call(t, run, []string{"-check"}, map[string]string{"MAX_SESSIONS": "0"}); err == nil || !strings.HasPrefix(err.Error(), "MAX_SESSIONS: ") {
		t.Errorf("a wrong setting: got %v", err)
	}
}

func commandLine(t *testing.T, run Server) {
	out, err := call(t, run, []string{"-h"}, nil)
	if !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: got %v, want %v", err, flag.ErrHelp)
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(dir)
	for _, want := range []string{"usage: " + name + " [", "-check", "TRUSTED_PROXIES", "FORWARDED_HEADER", "LOGIN_LIMIT", "GEOIP_FILE", "SMTP_URL", "MAIL_FROM", "ADDR is on loopback"} {
		if !strings.Contains(out, want) {
			t.Errorf("-h: no %s in:\n%s", want, out)
		}
	}
	for _, args := range [][]string{{"-x"}, {"--serve"}, {"check"}, {"-check", "now"}, {"-check=maybe"}} {
		out, err := call(t, run, args, nil)
		if err == nil || !strings.Contains(err.Error(), "usage: "+name+" [") || out != "" {
			t.Errorf("%q: got %q, %v, want no more than an error that shows the usage", args, out, err)
		}
	}
}

// A client's address is what trusted proxies say, and what nobody else does.
func forwarded(t *testing.T, run Server) {
	const said, rfc7239 = "X-Forwarded-For: 198.51.100.9, 203.0.113.7", `Forwarded: for=198.51.100.9, for="203.0.113.8:4711"`
	for _, tt := range []struct {
		rule    string
		env     map[string]string
		headers []string
		want    string
	}{
		{"nobody is trusted by default", nil, []string{said}, "127.0.0.1"},
		{"a proxy is believed, and whoever it does not know is not", map[string]string{"TRUSTED_PROXIES": "10.0.0.0/8, 127.0.0.1"}, []string{said}, "203.0.113.7"},
		{"the peer is no proxy", map[string]string{"TRUSTED_PROXIES": "10.0.0.0/8"}, []string{said}, "127.0.0.1"},
		{"the other header is not looked at", map[string]string{"TRUSTED_PROXIES": "127.0.0.1"}, []string{rfc7239}, "127.0.0.1"},
		{"one header or the other", map[string]string{"TRUSTED_PROXIES": "127.0.0.0/8", "FORWARDED_HEADER": "forwarded"}, []string{said, rfc7239}, "203.0.113.8"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			b := start(t, run, tt.env).browser(t)
			b.signIn("alice", tt.headers...)
			session := b.get("/api/v1/auth/sessions")["sessions"].([]any)[0].(map[string]any)
			if session["ip"] != tt.want {
				t.Errorf("got %v, want %s", session["ip"], tt.want)
			}
		})
	}
}

// The examples tell core the same, in the same lines: what they show differs only
// where a framework does.
func settled(t *testing.T, _ Server) {
	var told [2]string
	for i, file := range []string{"main.go", "../nethttp/main.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "\tconfig := set.Auth")
		told[i], _, _ = strings.Cut(rest, "\tdefer auth.Close()\n")
	}
	if told[0] != told[1] {
		t.Errorf("got %s\nwant, as in net/http's, %s", told[0], told[1])
	}
	// It has no other effect here: what is disabled is ended as well.
	if !strings.Contains(told[0], "config.Active = people.Active\n") {
		t.Errorf("nobody is asked whether a user is active: %s", told[0])
	}
}
