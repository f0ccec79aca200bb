package adopting_test

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"testing"
	"time"

	ginframework "github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/bench/migration/adopting"
	"github.com/sallyport-go/sallyport/bench/migration/adopting/fiber"
	"github.com/sallyport-go/sallyport/bench/migration/adopting/gin"
	"github.com/sallyport-go/sallyport/bench/migration/adopting/nethttp"
	"github.com/sallyport-go/sallyport/bench/migration/internal/client"
	"github.com/sallyport-go/sallyport/bench/migration/internal/shop"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// steps are the versions of the app, on one framework: they share users, keys and
// store, as after deploys.
type steps struct {
	before, guarded, refreshed, adopted client.Server

	app  adopting.App
	auth *core.Auth // of the second
}

// onEach runs a test on each framework.
func onEach(t *testing.T, test func(t *testing.T, s *steps)) {
	for name, build := range map[string]func(*testing.T, *steps, func() *core.Auth){
		"net/http": func(t *testing.T, s *steps, auth func() *core.Auth) {
			s.auth = auth()
			s.before = client.Serve(t, nethttp.Before(s.app))
			s.guarded = client.Serve(t, nethttp.Guarded(s.app, s.auth))
			s.refreshed = client.Serve(t, nethttp.Refreshed(s.app, auth()))
			s.adopted = client.Serve(t, nethttp.Adopted(s.app, auth()))
		},
		"Gin": func(t *testing.T, s *steps, auth func() *core.Auth) {
			s.auth = auth()
			s.before = client.Serve(t, gin.Before(s.app))
			s.guarded = client.Serve(t, gin.Guarded(s.app, s.auth))
			s.refreshed = client.Serve(t, gin.Refreshed(s.app, auth()))
			s.adopted = client.Serve(t, gin.Adopted(s.app, auth()))
		},
		"Fiber": func(t *testing.T, s *steps, auth func() *core.Auth) {
			s.auth = auth()
			s.before = client.ServeFiber(t, fiber.Before(s.app))
			s.guarded = client.ServeFiber(t, fiber.Guarded(s.app, s.auth))
			s.refreshed = client.ServeFiber(t, fiber.Refreshed(s.app, auth()))
			s.adopted = client.ServeFiber(t, fiber.Adopted(s.app, auth()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &steps{app: adopting.App{Key: secret(), Users: new(shop.Users)}}
			store, own := memstore.New(), secret()
			build(t, s, func() *core.Auth {
				auth, err := core.New(s.app.Config(store, own))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { auth.Close() })
				return auth
			})
			test(t, s)
		})
	}
}

func secret() []byte { return []byte(rand.Text() + rand.Text()) }

var alice = url.Values{"name": {"alice"}, "password": {"correct-horse"}}

func signIn(c *client.Client, as url.Values) client.Answer {
	a := c.Want(http.StatusOK, "POST", "/login", as)
	c.Token = c.Member(a, "token")
	return a
}

func orders(t *testing.T, c *client.Client) {
	t.Helper()
	if a := c.Want(http.StatusOK, "GET", "/orders", nil); a.Text != "orders of alice" {
		t.Errorf("orders: got %s", a.Text)
	}
}

func refresh(c *client.Client) {
	c.Token = ""
	c.Token = c.Member(c.Want(http.StatusOK, "POST", "/auth/refresh", nil), "access_token")
}

func sessions(t *testing.T, c *client.Client, want float64) {
	t.Helper()
	if a := c.Want(http.StatusOK, "GET", "/auth/sessions", nil); a.Members["count"] != want {
		t.Errorf("sessions: got %s, want %v", a.Text, want)
	}
}

// The same client, in each step: it signs in, and gets what it asks for.
func TestSameClient(t *testing.T) {
	onEach(t, func(t *testing.T, s *steps) {
		for _, server := range []client.Server{s.before, s.guarded, s.refreshed, s.adopted} {
			c := client.Browser(t, server)
			c.Want(http.StatusUnauthorized, "GET", "/orders", nil)
			c.Want(http.StatusUnauthorized, "POST", "/login", url.Values{"name": {"alice"}, "password": {"wrong-horse"}})
			if a := signIn(c, alice); len(a.Members) != 1 {
				t.Errorf("login: got %s, want the token alone", a.Text)
			}
			orders(t, c)
			c.Token += "x"
			c.Want(http.StatusUnauthorized, "GET", "/orders", nil)
		}
	})
}

// Old tokens go on working in each step, until they expire.
func TestOldTokens(t *testing.T) {
	onEach(t, func(t *testing.T, s *steps) {
		c := client.Native(t, s.before)
		signIn(c, alice)
		expired, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"sub": "alice", "exp": time.Now().Add(-time.Minute).Unix(),
		}).SignedString(s.app.Key)
		if err != nil {
			t.Fatal(err)
		}
		for _, server := range []client.Server{s.before, s.guarded, s.refreshed, s.adopted} {
			c.Move(server)
			orders(t, c)
			old := client.Native(t, server)
			old.Token = expired
			old.Want(http.StatusUnauthorized, "GET", "/orders", nil)
		}
	})
}

// Step 1: a single token can be revoked.
func TestRevoked(t *testing.T) {
	onEach(t, func(t *testing.T, s *steps) {
		lost, kept := client.Native(t, s.guarded), client.Native(t, s.guarded)
		signIn(lost, alice)
		signIn(kept, alice)
		if n, err := s.auth.RevokeToken(t.Context(), lost.Token); n != 1 || err != nil {
			t.Fatalf("RevokeToken: got %d, %v, want 1", n, err)
		}
		lost.Want(http.StatusUnauthorized, "GET", "/orders", nil)
		orders(t, kept)
		lost.Move(s.before)
		orders(t, lost) // the app as it was knows nothing of it
	})
}

// Step 2: browsers refresh, and their sessions are listed. A sign-out ends the
// session and the token of the app's own.
func TestRefreshed(t *testing.T) {
	onEach(t, func(t *testing.T, s *steps) {
		c, other := client.Browser(t, s.refreshed), client.Browser(t, s.refreshed)
		signIn(other, alice)
		signIn(c, alice)
		signIn(c, alice) // takes the place of the one before
		old := c.Token
		sessions(t, c, 2)
		for range 2 {
			refresh(c)
			orders(t, c)
		}
		sessions(t, c, 2)
		own := c.Token
		c.Token = old
		c.Want(http.StatusOK, "POST", "/auth/logout", nil)
		for _, c.Token = range []string{old, own} {
			c.Want(http.StatusUnauthorized, "GET", "/orders", nil)
		}
		c.Token = ""
		c.Want(http.StatusUnauthorized, "POST", "/auth/refresh", nil)
		orders(t, other)
		sessions(t, other, 1)
	})
}

// Step 3: every sign-in is a session, without cookies as well, and a sign-out ends
// it.
func TestAdopted(t *testing.T) {
	onEach(t, func(t *testing.T, s *steps) {
		browser, native := client.Browser(t, s.refreshed), client.Native(t, s.adopted)
		signIn(browser, alice)
		browser.Move(s.adopted)
		refresh(browser)
		a := signIn(native, url.Values{"name": {"alice"}, "password": {"correct-horse"}, "delivery": {"body"}})
		sessions(t, native, 2)
		b := native.Want(http.StatusOK, "POST", "/auth/refresh", map[string]string{"refresh_token": native.Member(a, "refresh_token")})
		native.Token = native.Member(b, "access_token")
		orders(t, native)
		browser.Want(http.StatusOK, "POST", "/auth/sessions/revoke-all", nil)
		native.Want(http.StatusUnauthorized, "GET", "/orders", nil)
		orders(t, browser)
		browser.Want(http.StatusOK, "POST", "/auth/logout", nil)
		browser.Want(http.StatusUnauthorized, "GET", "/orders", nil)
	})
}

// Back: a step accepts what the one after it issued; the app as it was does not.
func TestBack(t *testing.T) {
	onEach(t, func(t *testing.T, s *steps) {
		c := client.Browser(t, s.adopted)
		signIn(c, alice)
		c.Move(s.refreshed)
		orders(t, c)
		refresh(c)
		c.Move(s.guarded)
		orders(t, c)
		c.Move(s.before)
		c.Want(http.StatusUnauthorized, "GET", "/orders", nil)
		c.Move(s.adopted)
		refresh(c)
		orders(t, c)

		c = client.Browser(t, s.refreshed) // from step 2, before the first refresh: all the way
		signIn(c, alice)
		c.Move(s.before)
		orders(t, c)
	})
}

func TestMain(m *testing.M) {
	ginframework.SetMode(ginframework.TestMode)
	m.Run()
}
