package apptest

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	mePath       = "/api/v1/me"
	passwordPath = "/api/v1/password"
	keysPath     = "/.well-known/jwks.json"
)

func session(t *testing.T, run Server) {
	alice := start(t, run, nil).browser(t)
	alice.want(401, "TOKEN_MISSING", "GET", mePath, "")
	id := alice.signIn("alice")
	alice.equal("me", alice.get(mePath), `{"client_type":"web","scopes":[],"session_id":"`+id+`","user_id":"alice"}`)

	alice.token = ""
	alice.token = alice.post("/api/v1/auth/refresh", "")["access_token"].(string)
	if again := alice.get(mePath); again["session_id"] != id {
		t.Errorf("a refresh moved to another session: %v, before %s", again, id)
	}
	if list := alice.get("/api/v1/auth/sessions"); list["count"] != 1.0 {
		t.Errorf("sessions: got %v, want one", list)
	}
	alice.equal("logout", alice.post("/api/v1/auth/logout", ""), `{"message":"signed out","revoked":1}`)
	alice.want(401, "TOKEN_REVOKED", "GET", mePath, "")
	alice.token = ""
	alice.want(401, "REFRESH_TOKEN_MISSING", "POST", "/api/v1/auth/refresh", "")
}

// A new password ends the other sessions.
func password(t *testing.T, run Server) {
	s := start(t, run, nil)
	here, there := s.browser(t), s.browser(t)
	here.want(401, "TOKEN_MISSING", "POST", passwordPath, `{"old":"battery-staple","new":"n"}`)
	here.signIn("bob")
	there.signIn("bob")
	here.want(401, "INVALID_CREDENTIALS", "POST", passwordPath, `{"old":"wrong","new":"paper-clip"}`)
	here.want(400, "BAD_REQUEST", "POST", passwordPath, `{"old":"battery-staple"}`)
	there.get(mePath) // what is refused ends nothing
	here.equal("password", here.post(passwordPath, `{"old":"battery-staple","new":"paper-clip"}`), `{"message":"password changed","revoked":1}`)
	here.get(mePath)
	there.want(401, "TOKEN_REVOKED", "GET", mePath, "")
	there.want(401, "SESSION_ENDED", "POST", "/api/v1/auth/refresh", "")
	there.want(401, "INVALID_CREDENTIALS", "POST", "/api/v1/auth/login", `{"username":"bob","password":"battery-staple"}`)
	there.post("/api/v1/auth/login", `{"username":"bob","password":"paper-clip"}`)
}

// A user who is disabled is out everywhere, until somebody says otherwise.
func disabling(t *testing.T, run Server) {
	const route = "/api/v1/admin/users/alice/active"
	s := start(t, run, nil)
	phone, laptop, root := s.browser(t), s.browser(t), s.browser(t)
	phone.want(401, "TOKEN_MISSING", "POST", route, `{"active":false}`)
	phone.signIn("alice")
	laptop.signIn("alice")
	phone.want(403, "FORBIDDEN", "POST", route, `{"active":false}`)
	phone.want(403, "FORBIDDEN", "POST", "/api/v1/admin/users/nobody/active", `{"active":false}`)

	root.signIn("root")
	root.want(404, "USER_NOT_FOUND", "POST", "/api/v1/admin/users/nobody/active", `{"active":false}`)
	root.want(404, "USER_NOT_FOUND", "POST", "/api/v1/admin/users/%2561lice/active", `{"active":false}`) // decoded once
	root.want(400, "BAD_REQUEST", "POST", route, `{}`)
	root.equal("disable", root.post(route, `{"active":false}`), `{"active":false,"revoked":2,"user_id":"alice"}`)
	for _, b := range []*browser{phone, laptop} {
		b.want(401, "TOKEN_REVOKED", "GET", mePath, "")
		b.want(401, "SESSION_ENDED", "POST", "/api/v1/auth/refresh", "")
	}
	phone.want(401, "USER_INACTIVE", "POST", "/api/v1/auth/login", `{"username":"alice","password":"correct-horse"}`)
	phone.want(401, "INVALID_CREDENTIALS", "POST", "/api/v1/auth/login", `{"username":"alice","password":"wrong"}`)
	root.equal("disable again", root.post(route, `{"active":false}`), `{"active":false,"revoked":0,"user_id":"alice"}`)

	root.equal("enable", root.post("/api/v1/admin/users/%61lice/active", `{"active":true}`), `{"active":true,"revoked":0,"user_id":"alice"}`)
	phone.signIn("alice")
	root.get(mePath)
}

func gzipped(text string) string {
	var out strings.Builder
	w := gzip.NewWriter(&out)
	io.WriteString(w, text)
	w.Close()
	return out.String()
}

// The app's own routes read bodies as those of the library do.
func bodies(t *testing.T, run Server) {
	root := start(t, run, nil).browser(t)
	root.signIn("root")
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
		{400, "BAD_REQUEST", `{"active":null}`, ""},
		{400, "BAD_REQUEST", `null`, ""},
		{400, "BAD_REQUEST", `[]`, ""},
		{400, "BAD_REQUEST", ``, ""},
		{413, "BODY_TOO_LARGE", `{"active":false,"x":"` + strings.Repeat("x", 64<<10) + `"}`, ""},
		{415, "NOT_JSON", `{"active":false}`, "Content-Type: text/plain"},
		{400, "BAD_REQUEST", gzipped(`{"active":false}`), "Content-Encoding: gzip"},
	} {
		var headers []string
		if tt.header != "" {
			headers = []string{tt.header}
		}
		root.want(tt.status, tt.code, "POST", "/api/v1/admin/users/bob/active", tt.body, headers...)
	}
	root.post("/api/v1/admin/users/bob/active", `{"active":true,"why":"unknown members are passed over"}`)
	root.post("/api/v1/admin/users/bob/active", `{"active":true}`, "Content-Type: application/json; charset=utf-8")
}

// A user's name in a path may have anything in it, and is decoded once.
func names(t *testing.T, run Server) {
	root := start(t, run, nil).browser(t)
	root.signIn("root")
	for _, tt := range []struct{ path, name string }{
		{"%61lice", "alice"},
		{"%2561lice", "%61lice"},
		{"a%2Fb", "a/b"},
		{"a+b", "a+b"},
		{"a+b%2Fc", "a+b/c"},
		{"a%20b%2Bc", "a b+c"},
		{"%C3%A9", "é"},
	} {
		path := "/api/v1/admin/users/" + tt.path
		if got := root.get(path + "/token-count")["user_id"]; got != tt.name {
			t.Errorf("%s: got %v, want %s", path, got, tt.name)
		}
		if tt.name == "alice" {
			root.post(path+"/active", `{"active":true}`)
		} else {
			root.want(404, "USER_NOT_FOUND", "POST", path+"/active", `{"active":true}`)
		}
	}
}

// What is kept of a request outlives it: the next one of the connection may get
// the same memory.
func memory(t *testing.T, run Server) {
	s := start(t, run, nil)
	root, bob := s.browser(t), s.browser(t)
	root.signIn("root")
	for range 3 {
		bob.signIn("bob")
		root.post("/api/v1/admin/users/bob/active", `{"active":false}`)
		for _, name := range []string{"eve", "a%2Fb", strings.Repeat("x", 200)} {
			root.get("/api/v1/admin/users/" + name + "/token-count")
		}
		bob.want(401, "TOKEN_REVOKED", "GET", mePath, "")
		root.equal("enable", root.post("/api/v1/admin/users/bob/active", `{"active":true}`), `{"active":true,"revoked":0,"user_id":"bob"}`)
		root.get("/api/v1/admin/users/eve/token-count")
	}
}

// HEAD is answered as GET is, without the body.
func head(t *testing.T, run Server) {
	b := start(t, run, nil).browser(t)
	for _, signedIn := range []bool{false, true} {
		if signedIn {
			b.signIn("alice")
		}
		for _, path := range []string{mePath, "/healthz", "/api/v1/auth/sessions", keysPath} {
			get, got := b.send("GET", path, ""), b.send("HEAD", path, "")
			body, err := io.ReadAll(got.Body)
			if got.StatusCode != get.StatusCode || len(body) > 0 || err != nil {
				t.Errorf("HEAD %s: got %d %q, %v, want %d", path, got.StatusCode, body, err, get.StatusCode)
			}
			for _, name := range []string{"Content-Type", "Cache-Control", "WWW-Authenticate"} {
				if got, want := got.Header.Get(name), get.Header.Get(name); got != want {
					t.Errorf("HEAD %s: %s is %q, want %q", path, name, got, want)
				}
			}
		}
	}
}

// Cookies and tokens of other apps on the host may take some room.
func longHeaders(t *testing.T, run Server) {
	s := start(t, run, nil)
	b := s.browser(t)
	b.signIn("alice")
	b.want(200, "", "GET", mePath, "", "X-Long: "+strings.Repeat("x", 32<<10))
	r, err := http.NewRequest("GET", s.url+mePath, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Long", strings.Repeat("x", 80<<10))
	res, err := b.http.Do(r)
	if err != nil {
		return // the connection ended before the answer was read
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("too long: got %d, want %d", res.StatusCode, http.StatusRequestHeaderFieldsTooLarge)
	}
}

func health(t *testing.T, run Server) {
	b := start(t, run, nil).browser(t)
	out := b.get("/healthz")
	for deadline := time.Now().Add(time.Minute); out["feed_age_ms"] == -1.0 && time.Now().Before(deadline); {
		out = b.get("/healthz") // the feed is read for the first time
	}
	age, ok := out["feed_age_ms"].(float64)
	delete(out, "feed_age_ms")
	if !ok || age < 0 {
		t.Errorf("feed_age_ms is %v", age)
	}
	b.equal("health", out, `{"status":"ok","store":"memory"}`)
}

// An HMAC key is in no answer.
func publicKeys(t *testing.T, run Server) {
	b := start(t, run, nil).browser(t)
	b.equal("public keys", b.get(keysPath), `{"keys":[]}`)
}

// A page elsewhere changes nothing, but for one at an origin that is trusted.
func otherSites(t *testing.T, run Server) {
	s := start(t, run, map[string]string{"TRUSTED_ORIGINS": "https://app.example.com"})
	root := s.browser(t)
	root.signIn("root")
	for _, r := range adminRoutes {
		if r.method == "POST" {
			root.notFrom(elsewhere, r.path, r.body)
		}
	}
	for _, path := range []string{passwordPath, enrollPath, confirmPath, "/api/v1/auth/login", "/api/v1/auth/logout-all"} {
		root.notFrom(elsewhere, path, `{}`)
	}
	nobody := s.browser(t) // where it comes from is looked at before who it is from
	nobody.notFrom(elsewhere, passwordPath, `{}`)
	nobody.notFrom(elsewhere, stepUpPath, stepUpBody("x", "y"))
	nobody.notFrom(elsewhere, "/api/v1/admin/users/bob/active", `{"active":false}`)
	for _, from := range []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none", "Origin: " + s.url, "Origin: https://app.example.com"} {
		root.post("/api/v1/admin/users/bob/active", `{"active":true}`, from)
		root.post("/api/v1/admin/users/bob/logout", ``, from)
	}
	root.want(200, "", "GET", mePath, "", "Sec-Fetch-Site: cross-site") // changes nothing
}

var elsewhere = []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example", "Origin: null"}

func (b *browser) notFrom(sites []string, path, body string) {
	b.t.Helper()
	for _, from := range sites {
		b.want(403, "CROSS_SITE", "POST", path, body, from)
	}
}
