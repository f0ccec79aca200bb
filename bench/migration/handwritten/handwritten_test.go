package handwritten

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/bench/migration/internal/client"
	"github.com/sallyport-go/sallyport/bench/migration/internal/shop"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// deployment is what both versions of the app share.
type deployment struct {
	t           *testing.T
	store       core.Store
	secret, key []byte
	users       shop.Users
	ahead       time.Duration // of the old app's clock
}

func deploy(t *testing.T) *deployment {
	return &deployment{t: t, store: memstore.New(), secret: secret(), key: secret()}
}

func secret() []byte { return []byte(rand.Text() + rand.Text()) }

func (d *deployment) before() client.Server {
	return client.Serve(d.t, Before(d.key, &d.users, func() time.Time { return time.Now().Add(d.ahead) }))
}

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

func (d *deployment) during() client.Server {
	return client.Serve(d.t, During(d.auth(nil), d.key, &d.users))
}

func (d *deployment) after(change func(*core.Config)) client.Server {
	return client.Serve(d.t, After(d.auth(change), d.key, &d.users))
}

var (
	alice = url.Values{"name": {"alice"}, "password": {"correct-horse"}}
	root  = url.Values{"name": {"root"}, "password": {"tr0ub4dor-and-3"}}
)

func signIn(c *client.Client, as url.Values) {
	c.Want(http.StatusNoContent, "POST", "/session/login", as)
}

func refresh(c *client.Client) { c.Want(http.StatusNoContent, "POST", "/session/refresh", nil) }

// The same requests, the same answers.
func TestSameClient(t *testing.T) {
	d := deploy(t)
	for name, server := range map[string]client.Server{"before": d.before(), "during": d.during(), "after": d.after(nil)} {
		t.Run(name, func(t *testing.T) {
			c := client.Browser(t, server)
			c.Member(c.Want(http.StatusUnauthorized, "GET", "/me", nil), "error")
			c.Member(c.Want(http.StatusUnauthorized, "POST", "/session/login", url.Values{"name": {"alice"}, "password": {"wrong-horse"}}), "error")
			c.Want(http.StatusUnauthorized, "POST", "/session/refresh", nil)
			c.Want(http.StatusCreated, "POST", "/cart", nil)
			signIn(c, alice)
			for range 3 {
				if a := c.Want(http.StatusOK, "GET", "/me", nil); a.Text != "alice" {
					t.Errorf("me: got %s", a.Text)
				}
				c.Want(http.StatusCreated, "POST", "/orders", nil)
				c.Want(http.StatusCreated, "POST", "/cart", nil)
				c.Member(c.Want(http.StatusForbidden, "GET", "/report", nil), "error")
				refresh(c)
			}
			c.Want(http.StatusNoContent, "POST", "/session/logout", nil)
			c.Want(http.StatusUnauthorized, "GET", "/me", nil)
			c.Want(http.StatusUnauthorized, "POST", "/session/refresh", nil)
			signIn(c, root)
			c.Want(http.StatusOK, "GET", "/report", nil)
		})
	}
}

// Tokens from before are good until they expire, and a refresh cookie from before
// becomes a session.
func TestOldTokens(t *testing.T) {
	d := deploy(t)
	before, after := d.before(), d.after(nil)
	c, admin, expired, gone := client.Browser(t, before), client.Browser(t, before), client.Browser(t, before), client.Browser(t, before)
	signIn(c, alice)
	signIn(admin, root)
	d.ahead = -16 * time.Minute
	signIn(expired, alice)
	d.ahead = -31 * 24 * time.Hour
	signIn(gone, alice)
	for _, server := range []client.Server{before, d.during(), after} {
		c.Move(server)
		c.Want(http.StatusOK, "GET", "/me", nil)
		c.Want(http.StatusForbidden, "GET", "/report", nil)
		admin.Move(server)
		admin.Want(http.StatusOK, "GET", "/report", nil)
		expired.Move(server)
		expired.Want(http.StatusUnauthorized, "GET", "/me", nil)
		gone.Move(server)
		gone.Want(http.StatusUnauthorized, "POST", "/session/refresh", nil)
	}
	for _, c := range []*client.Client{c, expired} {
		for range 2 {
			refresh(c)
			c.Want(http.StatusOK, "GET", "/me", nil)
		}
	}
	if a := c.Want(http.StatusOK, "GET", "/session/sessions", nil); a.Members["count"] != 2.0 {
		t.Errorf("sessions: got %s, want two", a.Text)
	}
}

// The order of the deploys: nobody is signed out, on the way there or back.
func TestDeploys(t *testing.T) {
	d := deploy(t)
	before, during, after := d.before(), d.during(), d.after(nil)
	c := client.Browser(t, before)
	signIn(c, alice)
	for _, server := range []client.Server{during, before, during, after, during, after, after} {
		c.Move(server)
		c.Want(http.StatusOK, "GET", "/me", nil)
		refresh(c)
		c.Want(http.StatusOK, "GET", "/me", nil)
	}
	if a := c.Want(http.StatusOK, "GET", "/session/sessions", nil); a.Members["count"] != 1.0 {
		t.Errorf("sessions: got %s, want one", a.Text)
	}
	c.Move(before)
	c.Want(http.StatusUnauthorized, "GET", "/me", nil) // not so far back
}

// When the password was typed goes into the session.
func TestOldRefreshTokenTellsWhen(t *testing.T) {
	d := deploy(t)
	c := client.Browser(t, d.before())
	d.ahead = -5 * time.Hour
	signIn(c, alice)
	auth := d.auth(nil)
	c.Move(client.Serve(t, After(auth, d.key, &d.users)))
	refresh(c)
	list, err := auth.Sessions(t.Context(), "alice")
	if err != nil || len(list) != 1 || time.Since(list[0].AuthTime) < 4*time.Hour {
		t.Errorf("got %v, %v, want a session with an auth_time five hours ago", list, err)
	}
}

func TestLogout(t *testing.T) {
	d := deploy(t)
	for _, v := range []struct {
		name          string
		server        client.Server
		open, refresh int
	}{{"before", d.before(), 200, 204}, {"after", d.after(nil), 401, 401}} {
		c := client.Browser(t, v.server)
		signIn(c, alice)
		thief := c.Copy()
		c.Want(http.StatusNoContent, "POST", "/session/logout", nil)
		if got := thief.Send("GET", "/me", nil); got.Status != v.open {
			t.Errorf("%s: a copy after the logout: got %d, want %d", v.name, got.Status, v.open)
		}
		if got := thief.Send("POST", "/session/refresh", nil); got.Status != v.refresh {
			t.Errorf("%s: its refresh: got %d, want %d", v.name, got.Status, v.refresh)
		}
	}
}

// A refresh cookie that was used, and is presented again.
func TestReuse(t *testing.T) {
	d := deploy(t)
	c := client.Browser(t, d.before())
	signIn(c, alice)
	thief := c.Copy()
	for range 3 {
		refresh(c)
		refresh(thief)
	}

	c = client.Browser(t, d.after(func(c *core.Config) { c.Grace = core.NoGrace }))
	signIn(c, alice)
	thief = c.Copy()
	refresh(c)
	thief.Want(http.StatusUnauthorized, "POST", "/session/refresh", nil)
	c.Want(http.StatusUnauthorized, "POST", "/session/refresh", nil) // the session ended, for both
	c.Want(http.StatusUnauthorized, "GET", "/me", nil)
}

// Two tabs refresh at once: one session, which goes on.
func TestTwoTabs(t *testing.T) {
	d := deploy(t)
	c := client.Browser(t, d.after(nil))
	signIn(c, alice)
	var wait sync.WaitGroup
	answers := make([]client.Answer, 2)
	for i := range answers {
		wait.Go(func() { answers[i] = c.Send("POST", "/session/refresh", nil) })
	}
	wait.Wait()
	for _, a := range answers {
		if a.Status != http.StatusNoContent {
			t.Errorf("refresh: got %d %s, want 204", a.Status, a.Text)
		}
	}
	refresh(c)
	if a := c.Want(http.StatusOK, "GET", "/session/sessions", nil); a.Members["count"] != 1.0 {
		t.Errorf("sessions: got %s, want one", a.Text)
	}
}

// Requests that another site has the browser send.
func TestCrossSite(t *testing.T) {
	d := deploy(t)
	for _, v := range []struct {
		name        string
		server      client.Server
		order, cart int
	}{{"before", d.before(), 201, 201}, {"after", d.after(nil), 403, 403}} {
		c := client.Browser(t, v.server)
		signIn(c, alice)
		c.Site = "cross-site"
		if got := c.Send("POST", "/orders", nil); got.Status != v.order {
			t.Errorf("%s: order: got %d, want %d", v.name, got.Status, v.order)
		}
		stranger := client.Browser(t, v.server)
		stranger.Site = "cross-site"
		if got := stranger.Send("POST", "/cart", nil); got.Status != v.cart {
			t.Errorf("%s: cart: got %d, want %d", v.name, got.Status, v.cart)
		}
	}
}

// The refresh token in the place of the access token.
func TestRefreshTokenAsAccessToken(t *testing.T) {
	d := deploy(t)
	before, after := d.before(), d.after(nil)
	c := client.Native(t, before)
	for _, cookie := range c.Want(http.StatusNoContent, "POST", "/session/login", alice).Cookies {
		if cookie.Name == "refresh" {
			c.Token = cookie.Value
		}
	}
	c.SetCookie("token", c.Token)
	c.Token = ""
	c.Want(http.StatusOK, "GET", "/me", nil)
	c.Move(after)
	c.Want(http.StatusUnauthorized, "GET", "/me", nil)
}

func TestDevices(t *testing.T) {
	d := deploy(t)
	after := d.after(nil)
	laptop, phone := client.Browser(t, after), client.Browser(t, after)
	for _, c := range []*client.Client{laptop, phone, phone} {
		signIn(c, alice)
	}
	if a := laptop.Want(http.StatusOK, "GET", "/session/sessions", nil); a.Members["count"] != 2.0 {
		t.Errorf("sessions: got %s, want two", a.Text)
	}
	laptop.Want(http.StatusOK, "POST", "/session/sessions/revoke-all", nil)
	phone.Want(http.StatusUnauthorized, "GET", "/me", nil)
	phone.Want(http.StatusUnauthorized, "POST", "/session/refresh", nil)
	laptop.Want(http.StatusOK, "GET", "/me", nil)

	laptop.Move(d.before())
	laptop.Want(http.StatusNotFound, "GET", "/session/sessions", nil) // nobody knew
}

func TestDisabled(t *testing.T) {
	d := deploy(t)
	before, after := client.Browser(t, d.before()), client.Browser(t, d.after(nil))
	signIn(before, alice)
	signIn(after, alice)
	d.users.Disable("alice")
	refresh(before)
	after.Want(http.StatusUnauthorized, "POST", "/session/refresh", nil)
	before.Move(d.after(nil))
	before.Want(http.StatusUnauthorized, "POST", "/session/refresh", nil)
}
