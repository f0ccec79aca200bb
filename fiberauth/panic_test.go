package fiberauth_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// broken is a store that panics while it is told to.
type broken struct {
	core.Store
	is atomic.Bool
}

func (b *broken) Load(ctx context.Context, user string) (core.Ledger, error) {
	if b.is.Load() {
		panic("the store's bug")
	}
	return b.Store.Load(ctx, user)
}

// A panic below a route or a guard, in what the app has given core, is answered by
// Fiber's recover; whoever comes next finds no lock held, also of those who came
// at once.
func TestPanics(t *testing.T) {
	store := &broken{Store: memstore.New()}
	var audit, authenticate atomic.Bool
	auth := newAuth(t, func(c *core.Config) {
		c.Store = store
		c.Audit = func(context.Context, core.Event) {
			if audit.Load() {
				panic("the audit's bug")
			}
		}
		c.Authenticate = func(_ context.Context, c core.Credentials) (core.Identity, error) {
			if authenticate.Load() {
				panic("the app's bug")
			}
			return core.Identity{UserID: c.Username}, nil
		}
	})
	pair, err := auth.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		t.Fatal(err)
	}
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(recover.New())
	fiberauth.Mount(app, "/auth", auth.Routes())
	app.Get("/required", fiberauth.Require(auth), places)
	app.Get("/strict", fiberauth.Require(auth, core.Strict()), places)
	app.Get("/may", fiberauth.Require(auth, core.Allow(func(context.Context, *core.Principal) (bool, error) {
		if store.is.Load() {
			panic("the rule's bug")
		}
		return true, nil
	})), places)
	url, end, err := serve(app)
	if err != nil {
		t.Fatal(err)
	}
	defer end()

	addr := url[len("http://"):]
	for _, switches := range [][]*atomic.Bool{{&store.is}, {&audit}, {&authenticate}} {
		for _, now := range []bool{true, false} {
			for _, b := range switches {
				b.Store(now)
			}
			failed := 0
			for _, raw := range []string{
				wire("POST", "/auth/login", `{"username":"bob","password":"battery-staple"}`, isJSON),
				wire("GET", "/required", "", bearer(pair.AccessToken)),
				wire("GET", "/strict", "", bearer(pair.AccessToken)),
				wire("GET", "/may", "", bearer(pair.AccessToken)),
			} {
				var wg sync.WaitGroup
				var bad atomic.Int64
				for range 8 {
					c := dial(t, addr)
					wg.Go(func() {
						if _, err := c.Write([]byte(raw)); err != nil {
							t.Error(err)
						}
						a, err := c.next("GET")
						switch {
						case err != nil:
							t.Errorf("%.20q: %v", raw, err)
						case a.status == 500:
							bad.Add(1)
						case a.status != 200:
							t.Errorf("%.20q: got %v", raw, a)
						}
					})
				}
				wg.Wait()
				failed += int(bad.Load())
			}
			if (failed > 0) != now {
				t.Errorf("while something panics, %t: got %d answers of 500", now, failed)
			}
		}
	}
}
