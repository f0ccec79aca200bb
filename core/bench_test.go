package core_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// bench is an Auth on a memory store whose clock the benchmark sets.
type bench struct {
	*core.Auth
	b     *testing.B
	clock time.Time
}

func newBench(b *testing.B) *bench {
	h := &bench{b: b, clock: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	auth, err := core.NewStill(core.Config{
		Store:      memstore.New(),
		Keys:       []core.Key{{Secret: testSecret("bench")}},
		RefreshTTL: 10 * 365 * 24 * time.Hour,
		SessionTTL: 10 * 365 * 24 * time.Hour,
		Audit:      func(context.Context, core.Event) {},
	}, func() time.Time { return h.clock })
	if err != nil {
		b.Fatal(err)
	}
	h.Auth = auth
	h.signIn("the first of all")
	h.clock = h.clock.Add(2 * time.Minute)
	b.ReportAllocs()
	return h
}

func (h *bench) signIn(user string) core.Pair {
	pair, err := h.SignIn(context.Background(), core.SignInRequest{
		Identity: core.Identity{UserID: user, Scopes: []string{"orders:read", "orders:write"}, Claims: tenantClaims{"acme", []uint64{1, 2}}},
		Client:   core.Client{DeviceID: "d1", DeviceName: "laptop", IP: "192.0.2.1", UserAgent: "Mozilla/5.0"},
	})
	if err != nil {
		h.b.Fatal(err)
	}
	return pair
}

// BenchmarkAuthSignIn has 1,000 users sign in again and again, each with the five
// sessions that are allowed: one is evicted every time.
func BenchmarkAuthSignIn(b *testing.B) {
	h := newBench(b)
	users := make([]string, 1000)
	for i := range users {
		users[i] = fmt.Sprint("user-", i)
		for range 5 {
			h.signIn(users[i])
		}
	}
	for i := 0; b.Loop(); i++ {
		h.clock = h.clock.Add(time.Second)
		h.signIn(users[i%len(users)])
	}
}

// BenchmarkAuthRefresh rotates every time.
func BenchmarkAuthRefresh(b *testing.B) {
	h := newBench(b)
	pair := h.signIn("alice")
	for b.Loop() {
		h.clock = h.clock.Add(11 * time.Second)
		next, err := h.Refresh(context.Background(), core.RefreshRequest{Token: pair.RefreshToken})
		if err != nil || next.Same {
			b.Fatal(next, err)
		}
		pair = next
	}
}

// BenchmarkAuthVerify verifies one token of five sessions' over and over.
func BenchmarkAuthVerify(b *testing.B) {
	for _, vouched := range []bool{true, false} {
		name := map[bool]string{true: "feed vouches", false: "store asked"}[vouched]
		b.Run(name, func(b *testing.B) {
			h := newBench(b)
			var pair core.Pair
			for range 5 {
				pair = h.signIn("alice")
			}
			if vouched {
				h.ReadFeed(context.Background())
			}
			for b.Loop() {
				if _, err := h.Verify(context.Background(), pair.AccessToken); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAuthSessions lists five sessions.
func BenchmarkAuthSessions(b *testing.B) {
	h := newBench(b)
	for range 5 {
		h.signIn("alice")
	}
	for b.Loop() {
		if s, err := h.Sessions(context.Background(), "alice"); err != nil || len(s) != 5 {
			b.Fatal(s, err)
		}
	}
}
