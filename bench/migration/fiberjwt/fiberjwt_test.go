package fiberjwt

import (
	"crypto/rand"
	"net/http"
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
	return client.ServeFiber(d.t, Before(d.key, &d.users, func() time.Time { return time.Now().Add(d.ahead) }))
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
	return client.ServeFiber(d.t, During(d.auth(nil), d.key, &d.users))
}

func (d *deployment) after(change func(*core.Config)) client.Server {
	return client.ServeFiber(d.t, After(d.auth(change), d.key, &d.users))
}

type form map[string]string

var (
	alice = form{"name": "alice", "password": "correct-horse"}
	root  = form{"name": "root", "password": "tr0ub4dor-and-3"}
)

// signIn returns the refresh token.
func signIn(c *client.Client, as form) string {
	a := c.Want(http.StatusOK, "POST", "/login", as)
	c.Token = c.Member(a, "token")
	return c.Member(a, "refresh_token")
}

func refresh(c *client.Client, token string) string {
	a := c.Want(http.StatusOK, "POST", "/token", form{"refresh_token": token})
	c.Token = c.Member(a, "token")
	return c.Member(a, "refresh_token")
}

// The same requests, the same members in the answers.
func TestSameClient(t *testing.T) {
	d := deploy(t)
	for name, server := range map[string]client.Server{"before": d.before(), "during": d.during(), "after": d.after(nil)} {
		t.Run(name, func(t *testing.T) {
			c := client.Native(t, server)
			c.Want(http.StatusOK, "GET", "/health", nil)
			c.Member(c.Want(http.StatusUnauthorized, "GET", "/orders", nil), "error")
			c.Member(c.Want(http.StatusUnauthorized, "POST", "/login", form{"name": "alice", "password": "wrong-horse"}), "error")
			c.Member(c.Want(http.StatusUnauthorized, "POST", "/token", form{"refresh_token": "wrong"}), "error")
			token := signIn(c, alice)
			for range 3 {
				if a := c.Want(http.StatusOK, "GET", "/orders", nil); a.Text != `{"orders_of":"alice"}` {
					t.Errorf("orders: got %s", a.Text)
				}
				c.Member(c.Want(http.StatusForbidden, "GET", "/report", nil), "error")
				token = refresh(c, token)
			}
			signIn(c, root)
			c.Want(http.StatusOK, "GET", "/report", nil)
			c.Token = "x" + c.Token
			c.Want(http.StatusUnauthorized, "GET", "/orders", nil)
		})
	}
}

// Tokens from before are good until they expire, and a refresh token from before
// becomes a session.
func TestOldTokens(t *testing.T) {
	d := deploy(t)
	before, after := d.before(), d.after(nil)
	c, admin, expired := client.Native(t, before), client.Native(t, before), client.Native(t, before)
	old := signIn(c, alice)
	signIn(admin, root)
	d.ahead = -16 * time.Minute
	stillGood := signIn(expired, alice)
	for _, server := range []client.Server{before, d.during(), after} {
		c.Move(server)
		c.Want(http.StatusOK, "GET", "/orders", nil)
		c.Want(http.StatusForbidden, "GET", "/report", nil)
		admin.Move(server)
		admin.Want(http.StatusOK, "GET", "/report", nil)
		expired.Move(server)
		expired.Want(http.StatusUnauthorized, "GET", "/orders", nil)
	}
	refresh(expired, stillGood)
	expired.Want(http.StatusOK, "GET", "/orders", nil)

	own := refresh(c, old)
	refresh(c, own)
	if a := c.Want(http.StatusOK, "GET", "/sessions", nil); a.Members["count"] != 2.0 {
		t.Errorf("sessions: got %s, want two", a.Text)
	}
	thief := client.Native(t, after)
	refresh(thief, old) // a copy begins a session as well, until the token expires:
	thief.Want(http.StatusOK, "GET", "/orders", nil)
	c.Want(http.StatusOK, "POST", "/sessions/revoke-all", nil) // which is seen, and ended
	thief.Want(http.StatusUnauthorized, "GET", "/orders", nil)

	d.ahead = -8 * 24 * time.Hour
	c.Move(before)
	gone := signIn(c, alice)
	c.Move(after)
	c.Want(http.StatusUnauthorized, "POST", "/token", form{"refresh_token": gone})
}

// The order of the deploys: nobody is signed out, on the way there or back.
func TestDeploys(t *testing.T) {
	d := deploy(t)
	before, during, after := d.before(), d.during(), d.after(nil)
	c := client.Native(t, before)
	token := signIn(c, alice)
	for _, server := range []client.Server{during, before, during, after, during, after, after} {
		c.Move(server)
		c.Want(http.StatusOK, "GET", "/orders", nil)
		token = refresh(c, token)
		c.Want(http.StatusOK, "GET", "/orders", nil)
	}
	if a := c.Want(http.StatusOK, "GET", "/sessions", nil); a.Members["count"] != 1.0 {
		t.Errorf("sessions: got %s, want one", a.Text)
	}
	c.Move(before)
	c.Want(http.StatusUnauthorized, "GET", "/orders", nil) // not so far back
}

// A refresh token from before is no proof of a password typed just now.
func TestOldRefreshTokenIsNotFresh(t *testing.T) {
	d := deploy(t)
	auth := d.auth(nil)
	c := client.Native(t, d.before())
	old := signIn(c, alice)
	c.Move(client.ServeFiber(t, After(auth, d.key, &d.users)))
	refresh(c, old)
	p, err := auth.Verify(t.Context(), c.Token)
	if err != nil || p.AuthTime.Unix() != 1 {
		t.Errorf("got %v, %v, want an auth_time of 1", p, err)
	}
}

// A refresh token in the place of the access token.
func TestRefreshTokenAsAccessToken(t *testing.T) {
	d := deploy(t)
	c := client.Native(t, d.before())
	c.Token = signIn(c, alice)
	c.Want(http.StatusOK, "GET", "/orders", nil)
	c.Move(d.after(nil))
	c.Want(http.StatusUnauthorized, "GET", "/orders", nil)
	c.Token = signIn(c, alice)
	c.Want(http.StatusUnauthorized, "GET", "/orders", nil)
}

func TestLogout(t *testing.T) {
	d := deploy(t)
	c := client.Native(t, d.before())
	token := signIn(c, alice)
	c.Want(http.StatusNoContent, "POST", "/logout", nil)
	c.Want(http.StatusOK, "GET", "/orders", nil)
	refresh(c, token)

	c.Move(d.after(nil))
	token = signIn(c, alice)
	c.Want(http.StatusOK, "POST", "/logout", nil)
	c.Want(http.StatusUnauthorized, "GET", "/orders", nil)
	c.Want(http.StatusUnauthorized, "POST", "/token", form{"refresh_token": token})
}

// A refresh token that was used, and is presented again.
func TestReuse(t *testing.T) {
	d := deploy(t)
	c := client.Native(t, d.before())
	token := signIn(c, alice)
	for range 3 {
		refresh(c, token)
		c.Want(http.StatusOK, "GET", "/orders", nil)
	}

	c.Move(d.after(func(c *core.Config) { c.Grace = core.NoGrace }))
	token = signIn(c, alice)
	next := refresh(c, token)
	c.Want(http.StatusUnauthorized, "POST", "/token", form{"refresh_token": token})
	c.Want(http.StatusUnauthorized, "POST", "/token", form{"refresh_token": next}) // the session ended
	c.Want(http.StatusUnauthorized, "GET", "/orders", nil)
}

// Two refreshes at once: nobody knows of the tokens that the old app made; the new
// one makes one successor.
func TestTwoAtOnce(t *testing.T) {
	twice := func(c *client.Client, token string) (answers [2]client.Answer) {
		var wait sync.WaitGroup
		for i := range answers {
			wait.Go(func() { answers[i] = c.Send("POST", "/token", form{"refresh_token": token}) })
		}
		wait.Wait()
		return answers
	}
	d := deploy(t)
	c := client.Native(t, d.before())
	for _, a := range twice(c, signIn(c, alice)) {
		refresh(c, c.Member(a, "refresh_token"))
	}
	c.Want(http.StatusNotFound, "GET", "/sessions", nil)

	c.Move(d.after(nil))
	both := twice(c, signIn(c, alice))
	first, second := c.Member(both[0], "refresh_token"), c.Member(both[1], "refresh_token")
	if first != second {
		t.Errorf("got two successors, want one")
	}
	refresh(c, first)
	if a := c.Want(http.StatusOK, "GET", "/sessions", nil); a.Members["count"] != 1.0 {
		t.Errorf("sessions: got %s, want one", a.Text)
	}
}

func TestDevices(t *testing.T) {
	d := deploy(t)
	after := d.after(nil)
	laptop, phone := client.Native(t, after), client.Native(t, after)
	signIn(laptop, form{"name": "alice", "password": "correct-horse", "device": "laptop"})
	token := signIn(phone, form{"name": "alice", "password": "correct-horse", "device": "phone"})
	list := laptop.Want(http.StatusOK, "GET", "/sessions", nil)
	ids := make(map[string]string)
	for _, session := range list.Members["sessions"].([]any) {
		s := session.(map[string]any)
		ids[s["device"].(map[string]any)["name"].(string)] = s["id"].(string)
	}
	if len(ids) != 2 || ids["phone"] == "" || ids["laptop"] == "" {
		t.Fatalf("sessions: got %s, want phone and laptop", list.Text)
	}
	laptop.Want(http.StatusOK, "POST", "/sessions/revoke", form{"session_id": ids["phone"]})
	phone.Want(http.StatusUnauthorized, "GET", "/orders", nil)
	phone.Want(http.StatusUnauthorized, "POST", "/token", form{"refresh_token": token})
	laptop.Want(http.StatusOK, "GET", "/orders", nil)
}

func TestDisabled(t *testing.T) {
	d := deploy(t)
	before, after := client.Native(t, d.before()), client.Native(t, d.after(nil))
	old, token := signIn(before, alice), signIn(after, alice)
	d.users.Disable("alice")
	refresh(before, old)
	after.Want(http.StatusUnauthorized, "POST", "/token", form{"refresh_token": token})
	after.Want(http.StatusUnauthorized, "POST", "/token", form{"refresh_token": old})
}
