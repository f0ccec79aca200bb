package core_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// desk is an app over HTTP whose login may be tried too often. It takes names whatever
// their case and space; nobody is called ghost. root is an administrator.
type desk struct {
	*house
	mux   *http.ServeMux
	store *tap
	asked atomic.Int64 // calls of Authenticate
}

// passwordOf is the password of a user.
func passwordOf(user string) string {
	sum := sha256.Sum256([]byte("the password of " + user))
	return hex.EncodeToString(sum[:8])
}

func newDesk(t *testing.T, changes ...func(*core.Config)) *desk {
	t.Helper()
	d := &desk{mux: http.NewServeMux(), store: newTap()}
	d.house = open(t, d.store, append([]func(*core.Config){func(c *core.Config) {
		c.Prefix, c.Cookie.Insecure = "/auth", true
		c.Authenticate = func(_ context.Context, c core.Credentials) (core.Identity, error) {
			d.asked.Add(1)
			user := strings.ToLower(strings.TrimSpace(c.Username))
			if strings.HasPrefix(user, "ghost") || c.Password != passwordOf(user) {
				return core.Identity{}, core.ErrInvalidCredentials
			}
			id := core.Identity{UserID: user}
			if user == "root" {
				id.Roles = []string{"admin"}
			}
			return id, nil
		}
		c.Active = func(context.Context, string) (bool, error) { return true, nil }
	}}, changes...)...)
	nethttpauth.Mount(d.mux, "/auth", d.Routes())
	nethttpauth.Mount(d.mux, "/admin", d.AdminRoutes(core.Role("admin")))
	return d
}

// onDesk runs a test at a desk in a bubble of fake time.
func onDesk(t *testing.T, change func(*core.Config), test func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if change == nil {
			change = func(*core.Config) {}
		}
		d := newDesk(t, change)
		synctest.Wait() // the feed has been read
		test(t, d)
	})
}

// said is an answer.
type said struct {
	status int
	header http.Header
	body   string
	Code   string

	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"-"` // the cookie
	Device       string `json:"-"` // the cookie
	Session      struct {
		ID     string
		Device struct{ ID string }
		Risk   struct {
			Score   int
			Reasons []struct{ Code string }
		}
	}
}

// retryAfter is what the answer says of when to come back.
func (a said) retryAfter() time.Duration {
	n, _ := strconv.Atoi(a.header.Get("Retry-After"))
	return time.Duration(n) * time.Second
}

// browser is who asks: from an address, with a device cookie if it has one.
type browser struct{ from, device string }

func (d *desk) ask(b browser, path, body string, header ...string) said {
	d.t.Helper()
	return d.askIn(d.t.Context(), b, path, body, header...)
}

func (d *desk) askIn(ctx context.Context, b browser, path, body string, header ...string) said {
	d.t.Helper()
	r := httptest.NewRequestWithContext(ctx, "POST", path, strings.NewReader(body))
	r.RemoteAddr = b.from
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if b.device != "" {
		r.AddCookie(&http.Cookie{Name: "device", Value: b.device})
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	d.mux.ServeHTTP(w, r)
	a := said{status: w.Code, header: w.Result().Header, body: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		d.t.Fatalf("%s: %s: %v", path, w.Body, err)
	}
	for _, c := range w.Result().Cookies() {
		switch c.Name {
		case "refresh_token":
			a.RefreshToken = c.Value
		case "device":
			a.Device = c.Value
		}
	}
	return a
}

// login tries a password.
func (d *desk) login(b browser, user, password string, more ...string) said {
	d.t.Helper()
	return d.loginIn(d.t.Context(), b, user, password, more...)
}

func (d *desk) loginIn(ctx context.Context, b browser, user, password string, more ...string) said {
	d.t.Helper()
	body := map[string]string{"username": user, "password": password}
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i]] = more[i+1]
	}
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.askIn(ctx, b, "/auth/login", string(text))
}

// expect tries a password, and checks the answer and whether Authenticate was asked.
func (d *desk) expect(what string, b browser, user, password string, status int, more ...string) said {
	d.t.Helper()
	before := d.asked.Load()
	a := d.login(b, user, password, more...)
	asked, want := d.asked.Load() > before, status != http.StatusTooManyRequests
	if a.status != status || asked != want {
		d.t.Errorf("%s: got %d %s, Authenticate asked: %t; want %d, %t", what, a.status, a.Code, asked, status, want)
	}
	if status == http.StatusTooManyRequests && (a.Code != "TOO_MANY_REQUESTS" || a.retryAfter() < time.Second || a.header["Set-Cookie"] != nil) {
		d.t.Errorf("%s: got %v %s", what, a.header, a.body)
	}
	return a
}

// at is the browser at an address of its own.
func at(n int) browser {
	return browser{from: fmt.Sprintf("%d.%d.%d.%d:999", 10+n>>24, n>>16&255, n>>8&255, n&255)}
}

// spend has an account's count used up, from as many addresses.
func (d *desk) spend(user string, n int) {
	d.t.Helper()
	for i := range n {
		d.expect("spent", at(1_000_000+i), user, "wrong", http.StatusUnauthorized)
	}
	d.expect("spent up", at(1_000_000+n), user, "wrong", http.StatusTooManyRequests)
}

// of returns the events of a name since they were last taken.
func (r *trail) of(name core.EventName) []core.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []core.Event
	for _, e := range r.events {
		if e.Name == name {
			out = append(out, e)
		}
	}
	return out
}

func contains(err error, text string) bool {
	return err != nil && strings.Contains(err.Error(), text)
}
