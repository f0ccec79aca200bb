package apptest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/sallyport-go/sallyport/examples/internal/mailtest"
)

const (
	firefox = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	safari  = "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	here    = "X-Forwarded-For: 192.0.2.10"
	there   = "X-Forwarded-For: 198.51.100.20"
)

// behindProxy has a server believe this machine when it says who the client is.
var behindProxy = map[string]string{"TRUSTED_PROXIES": "127.0.0.0/8"}

// judged are the sessions of a user, newest first: the device's name, the address, the
// score and its reasons.
func (b *browser) judged() string {
	b.t.Helper()
	text, err := json.Marshal(b.get("/api/v1/auth/sessions"))
	var list struct {
		Sessions []struct {
			Device struct{ Name string }
			IP     string
			Risk   struct {
				Score   int
				Level   string
				Reasons []struct {
					Code   string
					Points int
					Detail string
				}
			}
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	var out strings.Builder
	for _, s := range list.Sessions {
		codes, sum := []string{}, 0
		for _, r := range s.Risk.Reasons {
			codes, sum = append(codes, r.Code), sum+r.Points
			if r.Detail == "" {
				b.t.Errorf("%s has no sentence", r.Code)
			}
		}
		if sum != s.Risk.Score {
			b.t.Errorf("the points are %d together, the score %d", sum, s.Risk.Score)
		}
		line, _ := json.Marshal([]any{s.Device.Name, s.IP, s.Risk.Score, s.Risk.Level, strings.Join(codes, ",")})
		out.Write(append(line, '\n'))
	}
	return out.String()
}

// unusual signs alice in as usual, and then in three ways that are not. It returns what
// her sessions say of them.
func unusual(t *testing.T, s *server) string {
	home, away := s.browser(t), s.browser(t)
	home.signIn("alice", firefox, here)
	s.browser(t).signIn("alice", firefox, here) // another jar: a device that is new
	away.signIn("alice", safari, there)
	home.signIn("alice", safari, here) // in the place of the first
	return home.judged()
}

const unusualSessions = `["Safari on iPhone","192.0.2.10",25,"low","browser_changed,os_changed"]
["Safari on iPhone","198.51.100.20",35,"medium","new_device,new_network"]
["Firefox on Linux","192.0.2.10",25,"low","new_device"]
`

// A sign-in that is unlike the others says so in the list of sessions.
func risk(t *testing.T, run Server) {
	if got := unusual(t, start(t, run, behindProxy)); got != unusualSessions {
		t.Errorf("got\n%swant\n%s", got, unusualSessions)
	}
}

// And in the log, where what a client says of itself does not stand.
func riskLogged(t *testing.T, _ Server) {
	s, wrote := spawn(t, command(t, nil, "TRUSTED_PROXIES=127.0.0.0/8"))
	unusual(t, s)
	root := s.browser(t)
	root.signIn("root")
	root.post("/api/v1/admin/users/alice/active", `{"active":false}`)
	root.want(401, "INVALID_CREDENTIALS", "POST", loginPath, `{"username":"root","password":"wrong"}`)
	root.http.CloseIdleConnections()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	log := strings.TrimPrefix(wrote.String(), s.welcome)
	for _, want := range []string{
		" risk=35 reasons=new_device,new_network\n",
		" risk=25 reasons=browser_changed,os_changed\n",
		"INFO notice of=signed_in user=alice ip=198.51.100.20 session=",
		" reason=user_inactive by=root\n",
		"INFO sign_in_refused ip=127.0.0.1 cause=INVALID_CREDENTIALS\n",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in the log: %s", want, log)
		}
	}
	for _, secret := range []string{"Mozilla", "Safari", "Firefox", "iPhone"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log shows %q: %s", secret, log)
		}
	}
}

// With a mail server the user is told.
func mailed(t *testing.T, run Server) {
	mail := mailtest.Start(t)
	s := start(t, run, map[string]string{"TRUSTED_PROXIES": "127.0.0.0/8", "SMTP_URL": "smtp://" + mail.Addr, "MAIL_FROM": "auth@example.com"})
	s.browser(t).signIn("alice", firefox, here)
	away := s.browser(t)
	body, err := json.Marshal(map[string]string{"username": "alice", "password": passwords["alice"], "device_name": "=?utf-8?q?x?= <https://evil.example> \u202e"})
	if err != nil {
		t.Fatal(err)
	}
	away.post(loginPath, string(body), safari, there)
	got := mail.Next(t)
	if got.To[0] != "TO:<alice@example.com>" || !strings.HasPrefix(got.From, "FROM:<auth@example.com>") {
		t.Errorf("from %s to %s", got.From, got.To)
	}
	for _, want := range []string{"Subject: New sign-in to your account\n", "198.51.100.20\n", "35 of 100\n", "utf-8 q x https evil example\n"} {
		if !strings.Contains(got.Data, want) {
			t.Errorf("no %q in:\n%s", want, got.Data)
		}
	}
	if mail.Waiting() > 0 {
		t.Errorf("and %d mails more", mail.Waiting())
	}
}

// Sign-ins are limited, and so are right ones: else passwords could be tried.
func limited(t *testing.T, run Server) {
	for _, tt := range []struct {
		limit  string
		passes int // sign-ins of one account
	}{{"3", 3}, {"", 10}} {
		s := start(t, run, map[string]string{"LOGIN_LIMIT": tt.limit})
		for range tt.passes - 1 {
			s.browser(t).want(401, "INVALID_CREDENTIALS", "POST", loginPath, `{"username":"alice","password":"wrong"}`)
		}
		s.browser(t).signIn("alice")
		s.browser(t).limited("alice")
		s.browser(t).signIn("bob")
	}
	s := start(t, run, map[string]string{"LOGIN_LIMIT": "off"})
	for range 25 {
		s.browser(t).signIn("alice")
	}
}

// limited has the browser refused, with the right password.
func (b *browser) limited(user string) {
	b.t.Helper()
	res := b.send("POST", loginPath, `{"username":"`+user+`","password":"`+passwords[user]+`"}`)
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || len(res.Cookies()) > 0 || !strings.Contains(string(body), "TOO_MANY_REQUESTS") {
		b.t.Errorf("got %d %v %s, want 429 and when to try again", res.StatusCode, res.Header, body)
	}
}

// Servers on one Redis count together, and each on its own while it is away.
func limitedOnRedis(t *testing.T, run Server) {
	m := miniredis.RunT(t)
	run = with(run, redisAt(m))
	env := map[string]string{"LOGIN_LIMIT": "2", "SECRET_KEY": passwords["alice"] + url.QueryEscape(t.Name()) + m.Addr() + t.TempDir()}
	one, other := start(t, run, env), start(t, run, env)
	one.browser(t).signIn("alice")
	other.browser(t).signIn("alice")
	one.browser(t).limited("alice")
	other.browser(t).limited("alice")
	other.browser(t).signIn("bob")
}
