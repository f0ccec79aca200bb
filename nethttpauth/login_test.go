package nethttpauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

func TestLoginBrowser(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		a := s.post("/login", `{"username":"alice","password":"pw"}`)
		p := a.pair()
		if p.Session.CreatedAt.Format(time.RFC3339) != begins || p.Session.IP != "192.0.2.1" || p.Session.Device.ClientType != "web" {
			t.Errorf("got session %+v", p.Session)
		}
		if p.Session.ExpiresAt.Sub(p.Session.CreatedAt) != 7*24*time.Hour {
			t.Errorf("the session is over at %v", p.Session.ExpiresAt)
		}
		a.equal(fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":3600,"refresh_expires_in":604800,"session":%s}`, p.AccessToken, p.session(true)))
		a.cookies(
			"refresh_token="+p.Cookie+"; Path=/api/v1/auth; Max-Age=604800; HttpOnly; SameSite=Lax",
			"device="+p.DeviceCookie+"; Path=/api/v1/auth; Max-Age=34560000; HttpOnly; SameSite=Lax",
		)
	})
}

func TestLoginNative(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		a := s.post("/login", `{"username":"alice","password":"pw","delivery":"body","device_id":"phone 1","device_name":"Alice's phone","client_type":"ios"}`)
		p := a.pair()
		if p.Session.Device.ID != "phone 1" || p.Session.Device.Name != "Alice's phone" || p.Session.Device.ClientType != "ios" {
			t.Errorf("got device %+v", p.Session.Device)
		}
		a.equal(fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":3600,"refresh_token":%q,"refresh_expires_in":604800,"session":%s}`,
			p.AccessToken, p.RefreshToken, p.session(true)))
		a.cookies()
		s.post("/login", `{"username":"alice","password":"pw","delivery":"cookie"}`).pair()
	})
}

func TestLoginNativeDropsCookie(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		before := s.signIn("alice")
		a := s.post("/login", `{"username":"alice","password":"pw","delivery":"body"}`, refreshCookie(before.Cookie), cookie("device", before.DeviceCookie))
		a.cookies("refresh_token=; Path=/api/v1/auth; Max-Age=0; HttpOnly; SameSite=Lax")
		if a.pair().RefreshToken == "" {
			t.Error("no refresh token in the body")
		}
		s.alive("of the cookie that came along", before, false)
	})
}

func TestCookieAttributes(t *testing.T) {
	for _, tt := range []struct {
		name       string
		change     func(*core.Config)
		refresh    string // name
		device     string
		attributes string
	}{
		{
			"secure by default", func(c *core.Config) { c.Cookie = core.Cookie{} },
			"__Secure-refresh_token", "__Secure-device", "; HttpOnly; Secure; SameSite=Lax",
		},
		{
			"insecure", func(c *core.Config) { c.Cookie = core.Cookie{Insecure: true} },
			"refresh_token", "device", "; HttpOnly; SameSite=Lax",
		},
		{
			"named", func(c *core.Config) { c.Cookie = core.Cookie{Name: "r", SameSite: http.SameSiteStrictMode} },
			"r", "__Secure-device", "; HttpOnly; Secure; SameSite=Strict",
		},
		{
			"none", func(c *core.Config) { c.Cookie = core.Cookie{SameSite: http.SameSiteNoneMode} },
			"__Secure-refresh_token", "__Secure-device", "; HttpOnly; Secure; SameSite=None",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onSite(t, tt.change, func(t *testing.T, s *site) {
				a := s.post("/login", `{"username":"alice","password":"pw"}`).ok()
				token, device := a.cookie(tt.refresh), a.cookie(tt.device)
				a.cookies(
					tt.refresh+"="+token+"; Path=/api/v1/auth; Max-Age=604800"+tt.attributes,
					tt.device+"="+device+"; Path=/api/v1/auth; Max-Age=34560000"+tt.attributes,
				)
				a = s.post("/refresh", "", cookie(tt.refresh, token), cookie(tt.device, device)).ok()
				a.cookies(tt.refresh + "=" + a.cookie(tt.refresh) + "; Path=/api/v1/auth; Max-Age=604800" + tt.attributes)
				s.post("/logout", "", cookie(tt.refresh, token)).ok().
					cookies(tt.refresh + "=; Path=/api/v1/auth; Max-Age=0" + tt.attributes)
			})
		})
	}
	onSite(t, func(c *core.Config) { c.Cookie = core.Cookie{Domain: "example.com", Path: "/api"} }, func(t *testing.T, s *site) {
		a := s.post("/login", `{"username":"alice","password":"pw"}`).ok()
		token := a.cookie("__Secure-refresh_token")
		if want := "__Secure-refresh_token=" + token + "; Path=/api; Domain=example.com; Max-Age=604800; HttpOnly; Secure; SameSite=Lax"; a.header.Values("Set-Cookie")[0] != want {
			t.Errorf("got %s, want %s", a.header.Values("Set-Cookie")[0], want)
		}
		s.post("/logout", "", cookie("__Secure-refresh_token", token)).ok().
			cookies("__Secure-refresh_token=; Path=/api; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax")
	})
}

func TestLoginRefused(t *testing.T) {
	long := strings.Repeat("x", 129)
	onSite(t, nil, func(t *testing.T, s *site) {
		before := s.signIn("bob")
		for _, tt := range []struct {
			status int
			code   string
			body   string
		}{
			{401, "INVALID_CREDENTIALS", `{"username":"alice","password":"wrong"}`},
			{401, "INVALID_CREDENTIALS", `{"username":"nobody","password":"pw"}`},
			{400, "BAD_REQUEST", ``},
			{400, "BAD_REQUEST", `{}`},
			{400, "BAD_REQUEST", `{"username":"alice"}`},
			{400, "BAD_REQUEST", `{"username":"alice","password":""}`},
			{400, "BAD_REQUEST", `{"password":"pw"}`},
			{400, "BAD_REQUEST", `{"Username":"alice","Password":"pw"}`},
			{400, "BAD_REQUEST", `{"username":["alice"],"password":"pw"}`},
			{400, "BAD_REQUEST", `{"username":"alice","password":"pw","delivery":"header"}`},
			{400, "BAD_REQUEST", `{"username":"alice","password":"pw","client_type":"iOS"}`},
			{400, "BAD_REQUEST", `{"username":"alice","password":"pw","client_type":"a b"}`},
			{400, "BAD_REQUEST", `{"username":"alice","password":"wrong","client_type":"a b"}`}, // it tells nothing of the password
			{400, "BAD_REQUEST", `{"username":"alice","password":"pw","client_type":"` + long[:33] + `"}`},
			{400, "BAD_REQUEST", `{"username":"alice","password":"pw","device_id":"` + long + `"}`},
			{400, "BAD_REQUEST", `{"username":"alice","password":"pw","device_id":"a\nb"}`},
			{400, "BAD_REQUEST", `{"username":"alice","password":"pw","device_name":"` + long + `"}`},
		} {
			s.post("/login", tt.body, refreshCookie(before.Cookie)).refused(tt.status, tt.code).is("WWW-Authenticate", "")
		}
		s.alive("a refused sign-in ended the session that it presented", before, true)

		s.inactive["alice"] = true
		s.post("/login", `{"username":"alice","password":"pw"}`).refused(401, "USER_INACTIVE")
		s.post("/login", `{"username":"alice","password":"wrong"}`).refused(401, "INVALID_CREDENTIALS")

		s.broken = errors.New("the password database is gone")
		a := s.post("/login", `{"username":"alice","password":"pw"}`).refused(500, "INTERNAL")
		if strings.Contains(a.body, "database") {
			t.Errorf("the cause was sent: %s", a.body)
		}
		if len(s.failures) != 1 || !errors.Is(s.failures[0], s.broken) {
			t.Errorf("the cause was audited as %v, want %v once", s.failures, s.broken)
		}
		s.broken = core.ErrSessionNotFound // a failure never looks like a refusal
		s.post("/login", `{"username":"alice","password":"pw"}`).refused(500, "INTERNAL")
	})
}

func TestLoginTooManySessions(t *testing.T) {
	onSite(t, func(c *core.Config) { c.MaxSessions, c.SessionLimitPolicy = 2, core.RefuseNew }, func(t *testing.T, s *site) {
		first := s.signIn("alice")
		s.signIn("alice")
		s.post("/login", `{"username":"alice","password":"pw"}`).refused(403, "TOO_MANY_SESSIONS")
		s.signIn("bob")
		again := s.signIn("alice", refreshCookie(first.Cookie)) // the same browser: in place of the first
		s.alive("replaced", first, false)
		s.alive("in its place", again, true)
	})
}

// Without Authenticate there is no login route: the app has one.
func TestNoLoginRoute(t *testing.T) {
	onSite(t, func(c *core.Config) { c.Authenticate = nil }, func(t *testing.T, s *site) {
		if a := s.post("/login", `{"username":"alice","password":"pw"}`); a.status != http.StatusNotFound {
			t.Errorf("got %d %s, want 404", a.status, a.body)
		}
	})
}

// A sign-in makes a new session, whatever it presents, and ends the session
// that the browser's refresh cookie names.
func TestLoginFixation(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		for _, tt := range []struct {
			name      string
			presented string // whose session
			present   func(p pair) []part
			body      func(p pair) string // more members
			ends      bool
		}{
			{"own refresh cookie", "alice", func(p pair) []part { return []part{refreshCookie(p.Cookie)} }, nil, true},
			{"another user's refresh cookie", "bob", func(p pair) []part { return []part{refreshCookie(p.Cookie)} }, nil, true},
			{"the cookie twice", "alice", func(p pair) []part { return []part{refreshCookie(p.Cookie), refreshCookie(p.Cookie)} }, nil, true},
			{"beside a forged cookie", "bob", func(p pair) []part { return []part{refreshCookie("sprt_x"), refreshCookie(p.Cookie)} }, nil, true},
			{"delivery body", "bob", func(p pair) []part { return []part{refreshCookie(p.Cookie)} }, func(pair) string { return `,"delivery":"body"` }, true},
			{"damaged cookie", "alice", func(p pair) []part { return []part{refreshCookie(p.Cookie[:len(p.Cookie)-1])} }, nil, false},
			{"a cookie of another name", "alice", func(p pair) []part {
				return []part{cookie("refresh_token2", p.Cookie), cookie("Refresh_token", p.Cookie)}
			}, nil, false},
			{"access token", "alice", func(p pair) []part { return []part{bearer(p.AccessToken)} }, nil, false},
			{"access token as refresh cookie", "alice", func(p pair) []part { return []part{refreshCookie(p.AccessToken)} }, nil, false},
			{"session id in the body", "alice", nil, func(p pair) string { return `,"session_id":"` + p.Session.ID + `","id":"` + p.Session.ID + `"` }, false},
			{"refresh token in the body", "alice", nil, func(p pair) string { return `,"refresh_token":"` + p.Cookie + `"` }, false},
			{"device cookie", "alice", func(p pair) []part { return []part{cookie("device", p.DeviceCookie)} }, nil, false},
		} {
			before := s.signIn(tt.presented)
			var parts []part
			if tt.present != nil {
				parts = tt.present(before)
			}
			more := ""
			if tt.body != nil {
				more = tt.body(before)
			}
			after := s.post("/login", `{"username":"alice","password":"pw"`+more+`}`, parts...).pair()
			if after.Session.ID == before.Session.ID {
				t.Errorf("%s: the session that was presented goes on", tt.name)
			}
			s.alive(tt.name+": before", before, !tt.ends)
			s.alive(tt.name+": after", after, true)
			s.post("/logout", `{"all":true}`, bearer(after.AccessToken)).ok()
			s.post("/logout", "", bearer(before.AccessToken)).ok()
		}

		// An ended session stays ended, and its cookie is as good as none.
		ended := s.signIn("alice")
		s.post("/logout", "", bearer(ended.AccessToken)).ok()
		after := s.signIn("alice", refreshCookie(ended.Cookie))
		s.alive("ended before", ended, false)
		s.alive("after", after, true)
	})
}

func TestLoginDevice(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		named := s.signIn("alice")
		const said = `{"username":"alice","password":"pw","device_id":"said"}`
		for _, tt := range []struct {
			name  string
			body  string
			parts []part
			want  string // "": a new one
		}{
			{"the device cookie", `{"username":"alice","password":"pw"}`, []part{cookie("device", named.DeviceCookie)}, named.Session.Device.ID},
			{"the device cookie before the client's word", said, []part{cookie("device", named.DeviceCookie)}, named.Session.Device.ID},
			{"the device cookie of another user's sign-in", `{"username":"bob","password":"pw"}`, []part{cookie("device", named.DeviceCookie)}, named.Session.Device.ID},
			{"the client's word", said, nil, "said"},
			{"the client's word beside a forged cookie", said, []part{cookie("device", "spdt_x")}, "said"},
			{"the client's word beside a refresh token as device", said, []part{cookie("device", named.Cookie)}, "said"},
			{"the client's word is another device", `{"username":"alice","password":"pw","device_id":"` + named.Session.Device.ID + `"}`, nil, named.Session.Device.ID},
			{"nothing", `{"username":"alice","password":"pw"}`, nil, ""},
			{"a forged cookie", `{"username":"alice","password":"pw"}`, []part{cookie("device", named.DeviceCookie+"x")}, ""},
		} {
			a := s.post("/login", tt.body, tt.parts...)
			p := a.pair()
			switch {
			case tt.want == "" && (p.Session.Device.ID == named.Session.Device.ID || p.Session.Device.ID == ""):
				t.Errorf("%s: got device %q, want a new one", tt.name, p.Session.Device.ID)
			case tt.want != "" && p.Session.Device.ID != tt.want:
				t.Errorf("%s: got device %q, want %q", tt.name, p.Session.Device.ID, tt.want)
			}
			// What a client says stays a client's word, even if the server once
			// said it, and even when it comes back in the cookie.
			signed := !strings.HasPrefix(tt.name, "the client's word")
			again := s.signIn("alice", cookie("device", p.DeviceCookie))
			for _, q := range []pair{p, again} {
				_, session, err := s.auth.Find(t.Context(), q.AccessToken)
				if err != nil || session.Device.ID != p.Session.Device.ID || session.Device.Signed != signed {
					t.Errorf("%s: got %+v, %v, want the same device, signed %v", tt.name, session.Device, err, signed)
				}
			}
			s.post("/logout", "", bearer(again.AccessToken)).ok()
			s.post("/logout", "", bearer(p.AccessToken)).ok()
		}
	})
}

func TestClientAddress(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		for peer, want := range map[string]string{
			"198.51.100.7:1":          "198.51.100.7",
			"[2001:db8::1]:1":         "2001:db8::1",
			"[::ffff:198.51.100.7]:1": "198.51.100.7",
			"[fe80::1%eth0]:1":        "fe80::1",
			"@":                       "",
			"":                        "",
		} {
			p := s.signIn("alice", func(r *http.Request) { r.RemoteAddr = peer }, header("X-Forwarded-For", "203.0.113.9"), header("Forwarded", "for=203.0.113.9"))
			if p.Session.IP != want {
				t.Errorf("peer %q: got address %q, want %q", peer, p.Session.IP, want)
			}
		}
	})
}

// While the password is being checked it changes, and the user's sessions are
// revoked: the sign-in is decided again.
func TestLoginOvertaken(t *testing.T) {
	for _, good := range []bool{false, true} {
		var (
			auth  *core.Auth
			asked int
		)
		onSite(t, func(c *core.Config) {
			check := c.Authenticate
			c.Authenticate = func(ctx context.Context, given core.Credentials) (core.Identity, error) {
				id, err := check(ctx, given)
				if asked++; asked == 1 {
					<-time.After(50 * time.Millisecond)
					if _, err := auth.RevokeAll(ctx, "alice", core.ReasonPasswordChanged); err != nil {
						t.Error(err)
					}
				} else if !good {
					return core.Identity{}, core.ErrInvalidCredentials
				}
				return id, err
			}
		}, func(t *testing.T, s *site) {
			auth = s.auth
			a := s.post("/login", `{"username":"alice","password":"pw"}`)
			if good {
				s.alive("confirmed", a.pair(), true)
			} else {
				a.refused(401, "INVALID_CREDENTIALS")
			}
			want := map[bool]int{true: 1}[good]
			if n, err := auth.Count(t.Context(), "alice"); n != want || err != nil || asked != 2 {
				t.Errorf("good %v: %d sessions, %v, asked %d times", good, n, err, asked)
			}
		})
	}
}
