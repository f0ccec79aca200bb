package ginjwt

import (
	"crypto/rand"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/bench/migration/internal/client"
	"github.com/sallyport-go/sallyport/bench/migration/internal/shop"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// deployment is what all versions of the app share.
type deployment struct {
	t           *testing.T
	store       core.Store
	secret, key []byte
	users       shop.Users
	ahead       time.Duration // of gin-jwt's clock
}

func deploy(t *testing.T) *deployment {
	return &deployment{t: t, store: memstore.New(), secret: secret(), key: secret()}
}

func secret() []byte { return []byte(rand.Text() + rand.Text()) }

func (d *deployment) now() time.Time { return time.Now().Add(d.ahead) }

func (d *deployment) auth(change func(*core.Config)) *core.Auth {
	config := Config(d.store, d.secret, d.key, &d.users)
	if change != nil {
		change(&config)
	}
	auth, err := core.New(config)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { auth.Close() })
	return auth
}

func (d *deployment) before() client.Server {
	app, err := Before(d.key, &d.users, d.now)
	if err != nil {
		d.t.Fatal(err)
	}
	return client.Serve(d.t, app)
}

func (d *deployment) guarded() client.Server {
	mw, err := middleware(d.key, &d.users, d.now)
	if err != nil {
		d.t.Fatal(err)
	}
	return client.Serve(d.t, Guarded(d.auth(nil), mw))
}

func (d *deployment) during() client.Server {
	mw, err := middleware(d.key, &d.users, d.now)
	if err != nil {
		d.t.Fatal(err)
	}
	return client.Serve(d.t, During(d.auth(nil), mw))
}

func (d *deployment) after(change func(*core.Config)) client.Server {
	return client.Serve(d.t, After(d.auth(func(c *core.Config) {
		c.Authenticate = authenticate(&d.users)
		if change != nil {
			change(c)
		}
	})))
}

var (
	alice = map[string]string{"username": "alice", "password": "correct-horse"}
	root  = map[string]string{"username": "root", "password": "tr0ub4dor-and-3"}
)

func signIn(c *client.Client, as any) {
	c.Token = c.Member(c.Want(http.StatusOK, "POST", "/login", as), "token")
}

// What a client of gin-jwt does goes on: the same requests, the same members in
// the answers.
func TestSameClient(t *testing.T) {
	d := deploy(t)
	for name, server := range map[string]client.Server{
		"before": d.before(), "guarded": d.guarded(), "during": d.during(), "after": d.after(nil),
	} {
		t.Run(name, func(t *testing.T) {
			browser, native := client.Browser(t, server), client.Native(t, server)
			refused := browser.Want(http.StatusUnauthorized, "GET", "/hello", nil)
			if refused.Members["code"] != 401.0 || browser.Member(refused, "message") == "" {
				t.Errorf("refused: got %s, want code and message", refused.Text)
			}
			browser.Want(http.StatusUnauthorized, "POST", "/login", map[string]string{"username": "alice", "password": "wrong-horse"})
			for _, c := range []*client.Client{browser, native} {
				a := c.Want(http.StatusOK, "POST", "/login", alice)
				if _, err := time.Parse(time.RFC3339, c.Member(a, "expire")); err != nil || a.Members["code"] != 200.0 {
					t.Errorf("login: got %s, want code and expire (%v)", a.Text, err)
				}
				if !slices.ContainsFunc(a.Cookies, func(k *http.Cookie) bool { return k.Name == "jwt" && k.HttpOnly }) {
					t.Errorf("login: got cookies %v, want jwt", a.Cookies)
				}
				c.Token = c.Member(a, "token")
				if a := c.Want(http.StatusOK, "GET", "/hello", nil); a.Text != `{"plan":"free","user":"alice"}` {
					t.Errorf("hello: got %s", a.Text)
				}
				c.Want(http.StatusForbidden, "GET", "/admin/report", nil)
			}
			native.Token = ""
			native.Want(http.StatusOK, "GET", "/export?token="+browser.Token, nil)
			signIn(native, root)
			native.Want(http.StatusOK, "GET", "/admin/report", nil)

			browser.Token = "" // pages of the server: the cookie alone
			browser.Want(http.StatusOK, "GET", "/hello", nil)
			browser.Want(http.StatusCreated, "POST", "/orders", nil)
			browser.Token = browser.Member(browser.Want(http.StatusOK, "GET", "/auth/refresh_token", nil), "token")
			browser.Want(http.StatusOK, "GET", "/hello", nil)
			if a := browser.Want(http.StatusOK, "POST", "/logout", nil); a.Members["code"] != 200.0 {
				t.Errorf("logout: got %s, want code", a.Text)
			}
			browser.Token = ""
			browser.Want(http.StatusUnauthorized, "GET", "/hello", nil)
		})
	}
}

// A token in the URL opens what the app says, and nothing else.
func TestQuery(t *testing.T) {
	d := deploy(t)
	for _, v := range []struct {
		name   string
		server client.Server
		want   int
	}{{"before", d.before(), 200}, {"guarded", d.guarded(), 401}, {"during", d.during(), 401}, {"after", d.after(nil), 401}} {
		c := client.Native(t, v.server)
		a := c.Want(http.StatusOK, "POST", "/login", alice)
		if got := c.Send("GET", "/hello?token="+c.Member(a, "token"), nil); got.Status != v.want {
			t.Errorf("%s: got %d, want %d", v.name, got.Status, v.want)
		}
	}
}

// A request with the cookie that another site has the browser send.
func TestCrossSite(t *testing.T) {
	d := deploy(t)
	for _, v := range []struct {
		name   string
		server client.Server
		want   int
	}{{"before", d.before(), 201}, {"guarded", d.guarded(), 403}, {"during", d.during(), 403}, {"after", d.after(nil), 403}} {
		c := client.Browser(t, v.server)
		c.Want(http.StatusOK, "POST", "/login", alice)
		c.Site = "cross-site"
		if got := c.Send("POST", "/orders", nil); got.Status != v.want {
			t.Errorf("%s: got %d, want %d", v.name, got.Status, v.want)
		}
	}
}

// Tokens of gin-jwt are good until they expire, with the roles that they have.
func TestOldTokens(t *testing.T) {
	d := deploy(t)
	old := d.before()
	later := []client.Server{d.guarded(), d.during(), d.after(nil)}
	c, admin := client.Native(t, old), client.Native(t, old)
	signIn(c, alice)
	signIn(admin, root)
	for _, server := range append(later, old) {
		c.Move(server)
		if a := c.Want(http.StatusOK, "GET", "/hello", nil); a.Text != `{"plan":"free","user":"alice"}` {
			t.Errorf("hello: got %s", a.Text)
		}
		c.Want(http.StatusForbidden, "GET", "/admin/report", nil)
		admin.Move(server)
		admin.Want(http.StatusOK, "GET", "/admin/report", nil)
	}

	d.ahead = -16 * time.Minute // gin-jwt's Timeout is 15
	expired := client.Native(t, old)
	signIn(expired, alice)
	d.ahead = 0
	other := client.Native(t, deploy(t).before())
	signIn(other, alice)
	for _, server := range append(later, old) {
		expired.Move(server)
		expired.Want(http.StatusUnauthorized, "GET", "/hello", nil)
		other.Move(server)
		other.Want(http.StatusUnauthorized, "GET", "/hello", nil)
	}
}

// The order of the deploys: nobody is signed out, on the way there or back.
func TestDeploys(t *testing.T) {
	d := deploy(t)
	before, guarded, during, after := d.before(), d.guarded(), d.during(), d.after(nil)
	browser, native := client.Browser(t, before), client.Native(t, before)
	both := []*client.Client{browser, native}
	refresh := func(c *client.Client) {
		t.Helper()
		c.Token = c.Member(c.Want(http.StatusOK, "GET", "/auth/refresh_token", nil), "token")
	}
	for _, c := range both {
		signIn(c, alice)
	}
	sessions := func(want float64) {
		t.Helper()
		if a := browser.Want(http.StatusOK, "GET", "/auth/sessions", nil); a.Members["count"] != want {
			t.Errorf("sessions: got %s, want %v", a.Text, want)
		}
	}
	for _, server := range []client.Server{guarded, before, guarded, during, guarded, before, during} {
		for _, c := range both {
			c.Move(server)
			c.Want(http.StatusOK, "GET", "/hello", nil)
			refresh(c) // by gin-jwt, or at last with a cookie
			c.Want(http.StatusOK, "GET", "/hello", nil)
		}
	}
	sessions(1) // the browser's, from its first refresh; before that a deploy back to the start was possible

	for _, server := range []client.Server{after, during, after} {
		browser.Move(server)
		browser.Want(http.StatusOK, "GET", "/hello", nil)
		refresh(browser)
		browser.Want(http.StatusOK, "GET", "/hello", nil)
		sessions(1)
	}
	browser.Move(guarded)
	browser.Want(http.StatusOK, "GET", "/hello", nil)
	browser.Want(http.StatusUnauthorized, "GET", "/auth/refresh_token", nil) // not so far back
	browser.Move(before)
	browser.Want(http.StatusUnauthorized, "GET", "/hello", nil)

	native.Move(after)
	native.Want(http.StatusOK, "GET", "/hello", nil)                        // until the token expires,
	native.Want(http.StatusUnauthorized, "GET", "/auth/refresh_token", nil) // when it has to sign in again:
	a := native.Want(http.StatusOK, "POST", "/login", map[string]string{"username": "alice", "password": "correct-horse", "delivery": "body"})
	native.Token = ""
	native.Want(http.StatusOK, "POST", "/auth/refresh", map[string]string{"refresh_token": native.Member(a, "refresh_token")})
}

// A refresh that is watched is no proof of a password typed just now.
func TestRefreshIsNotFresh(t *testing.T) {
	d := deploy(t)
	c := client.Browser(t, d.guarded())
	d.ahead = -5 * time.Minute
	signIn(c, alice)
	d.ahead = 0
	c.Move(d.during())
	c.Want(http.StatusOK, "GET", "/auth/refresh_token", nil)
	list, err := d.auth(nil).Sessions(t.Context(), "alice")
	if err != nil || len(list) != 1 || time.Since(list[0].AuthTime) < 4*time.Minute {
		t.Errorf("got %v, %v, want a session with an auth_time five minutes ago", list, err)
	}
}

// What gin-jwt's logout leaves good, and what it can't take back.
func TestLogout(t *testing.T) {
	d := deploy(t)
	for _, v := range []struct {
		name   string
		server client.Server
		want   int
	}{{"before", d.before(), 200}, {"guarded", d.guarded(), 401}, {"during", d.during(), 401}, {"after", d.after(nil), 401}} {
		c := client.Browser(t, v.server)
		signIn(c, alice)
		thief := c.Copy()
		c.Want(http.StatusOK, "POST", "/logout", nil)
		for _, path := range []string{"/hello", "/auth/refresh_token"} {
			if got := thief.Send("GET", path, nil); got.Status != v.want {
				t.Errorf("%s: %s after the logout: got %d, want %d", v.name, path, got.Status, v.want)
			}
		}
	}

	// One that was made before PayloadFunc named it can't be revoked.
	c := client.Native(t, d.before())
	signIn(c, alice)
	c.Move(d.guarded())
	c.Want(http.StatusOK, "POST", "/logout", nil)
	c.Want(http.StatusOK, "GET", "/hello", nil)
}

// A token that was refreshed, and is presented again.
func TestReuse(t *testing.T) {
	d := deploy(t)
	c := client.Browser(t, d.before())
	signIn(c, alice)
	thief := c.Copy()
	d.ahead = time.Second // else the next token is the same text
	next := c.Member(c.Want(http.StatusOK, "GET", "/auth/refresh_token", nil), "token")
	if next == thief.Token {
		t.Fatal("gin-jwt's refresh: got the same token")
	}
	d.ahead = 2 * time.Second
	stolen := thief.Member(thief.Want(http.StatusOK, "GET", "/auth/refresh_token", nil), "token")
	if stolen == next || stolen == thief.Token {
		t.Fatal("gin-jwt's refresh: got the same token")
	}
	for _, token := range []string{thief.Token, next, stolen} { // all three are good
		c.Token = token
		c.Want(http.StatusOK, "GET", "/hello", nil)
	}

	c = client.Browser(t, d.after(func(c *core.Config) { c.Grace = core.NoGrace }))
	signIn(c, alice)
	thief = c.Copy()
	c.Token = c.Member(c.Want(http.StatusOK, "GET", "/auth/refresh_token", nil), "token")
	thief.Want(http.StatusUnauthorized, "GET", "/auth/refresh_token", nil)
	for _, token := range []string{thief.Token, c.Token} { // the session ended, for both
		c.Token = token
		c.Want(http.StatusUnauthorized, "GET", "/hello", nil)
	}
}

// Two tabs refresh at once.
func TestTwoTabs(t *testing.T) {
	refresh := func(t *testing.T, c *client.Client) (tokens []string) {
		var wait sync.WaitGroup
		answers := make([]client.Answer, 2)
		for i := range answers {
			wait.Go(func() { answers[i] = c.Send("GET", "/auth/refresh_token", nil) })
		}
		wait.Wait()
		for _, a := range answers {
			tokens = append(tokens, c.Member(a, "token"))
		}
		return tokens
	}
	d := deploy(t)
	c := client.Browser(t, d.before())
	signIn(c, alice)
	for _, token := range refresh(t, c) {
		c.Token = token
		c.Want(http.StatusOK, "GET", "/hello", nil)
	}
	c.Want(http.StatusNotFound, "GET", "/auth/sessions", nil) // which tokens there are nobody knows

	c = client.Browser(t, d.after(nil))
	signIn(c, alice)
	for _, token := range refresh(t, c) {
		c.Token = token
		c.Want(http.StatusOK, "GET", "/hello", nil)
	}
	if a := c.Want(http.StatusOK, "GET", "/auth/sessions", nil); a.Members["count"] != 1.0 {
		t.Errorf("sessions: got %s, want one", a.Text)
	}
	c.Want(http.StatusOK, "GET", "/auth/refresh_token", nil) // the one cookie goes on
}

// Devices are listed, and one ends the other. In a browser a sign-in takes the
// place of the one before.
func TestDevices(t *testing.T) {
	d := deploy(t)
	after := d.after(nil)
	laptop, phone := client.Browser(t, after), client.Browser(t, after)
	for _, c := range []*client.Client{laptop, phone, phone} {
		signIn(c, alice)
	}
	list := laptop.Want(http.StatusOK, "GET", "/auth/sessions", nil)
	if list.Members["count"] != 2.0 {
		t.Fatalf("sessions: got %s, want two", list.Text)
	}
	laptop.Want(http.StatusOK, "POST", "/auth/sessions/revoke-all", nil)
	phone.Want(http.StatusUnauthorized, "GET", "/hello", nil)
	phone.Want(http.StatusUnauthorized, "GET", "/auth/refresh_token", nil)
	laptop.Want(http.StatusOK, "GET", "/hello", nil)
}

// A user who was disabled: gin-jwt asks nobody at a refresh.
func TestDisabled(t *testing.T) {
	d := deploy(t)
	before, after := client.Browser(t, d.before()), client.Browser(t, d.after(nil))
	signIn(before, alice)
	signIn(after, alice)
	d.users.Disable("alice")
	before.Want(http.StatusOK, "GET", "/auth/refresh_token", nil)
	after.Want(http.StatusUnauthorized, "GET", "/auth/refresh_token", nil)
	after.Want(http.StatusUnauthorized, "GET", "/hello", nil)
}

// MaxRefresh ends nothing: each refresh begins it anew.
func TestMaxRefresh(t *testing.T) {
	d := deploy(t)
	mw, err := middleware(d.key, &d.users, d.now)
	if err != nil {
		t.Fatal(err)
	}
	app := gin.New()
	app.POST("/login", mw.LoginHandler)
	app.GET("/auth/refresh_token", mw.RefreshHandler)
	c := client.Native(t, client.Serve(t, app))
	d.ahead = -30 * 24 * time.Hour
	signIn(c, alice)
	for ; d.ahead <= 0; d.ahead += 20 * time.Hour {
		c.Token = c.Member(c.Want(http.StatusOK, "GET", "/auth/refresh_token", nil), "token")
	}
	d.ahead += 25 * time.Hour
	c.Want(http.StatusUnauthorized, "GET", "/auth/refresh_token", nil)
}

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}
