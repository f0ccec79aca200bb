package core_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
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

func newBench(b *testing.B, changes ...func(*core.Config)) *bench {
	h := &bench{b: b, clock: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	c := core.Config{
		Store:      memstore.New(),
		Keys:       []core.Key{{Secret: testSecret("bench")}},
		RefreshTTL: 10 * 365 * 24 * time.Hour,
		SessionTTL: 10 * 365 * 24 * time.Hour,
		Audit:      func(context.Context, core.Event) {},
	}
	for _, change := range changes {
		change(&c)
	}
	auth, err := core.NewStill(c, func() time.Time { return h.clock })
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
	for _, bench := range []struct {
		name    string
		vouched bool
		cache   int
	}{{"known", true, 0}, {"feed vouches", true, -1}, {"store asked", false, -1}} {
		b.Run(bench.name, func(b *testing.B) {
			h := newBench(b, func(c *core.Config) { c.TokenCacheBytes = bench.cache })
			var pair core.Pair
			for range 5 {
				pair = h.signIn("alice")
			}
			if bench.vouched {
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

// BenchmarkGuardCheck decides about requests, in random order if there are several
// tokens, with a million revocations of others known.
func BenchmarkGuardCheck(b *testing.B) {
	for _, bench := range []struct {
		name    string
		tokens  int
		revoked int
		rules   []core.Rule
		doubt   bool // another user is in doubt, so that every token is looked up
		spoil   func(string) string
	}{
		{name: "known", tokens: 1},
		{name: "known, scope and freshness", tokens: 1, rules: []core.Rule{core.Scope("orders:read"), core.Fresh(time.Hour)}},
		{name: "10,000 known", tokens: 10_000},
		{name: "10,000 known, 1,000,000 revoked", tokens: 10_000, revoked: 1_000_000},
		{name: "known, looked up", tokens: 1, doubt: true},
		{name: "known, looked up, 1,000,000 revoked", tokens: 1, revoked: 1_000_000, doubt: true},
		{name: "strict", tokens: 1, rules: []core.Rule{core.Strict()}},
		{name: "forged", tokens: 1, spoil: func(t string) string { return t[:len(t)-4] + "AAAA" }},
		{name: "none", tokens: 1, spoil: func(string) string { return "" }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			h := newBench(b, func(c *core.Config) { c.MaxRevocations = 2_000_000 })
			requests := make([]core.Request, bench.tokens)
			for _, i := range rand.Perm(bench.tokens) {
				token := h.signIn(fmt.Sprint("user-", i)).AccessToken
				if bench.spoil != nil {
					token = bench.spoil(token)
				}
				header := "Bearer " + token
				requests[i] = benchRequest{&header}
			}
			events := make([]core.Revocation, bench.revoked)
			for i := range events {
				events[i] = core.Revocation{MinSerial: core.AllSerials, Until: h.clock.Add(time.Hour)}
				binary.LittleEndian.PutUint64(events[i].Session[:], rand.Uint64())
			}
			h.TakeIn(events)
			h.ReadFeed(context.Background())
			guard := h.Guard(bench.rules...)
			if bench.doubt {
				if _, err := h.RevokeAll(context.Background(), "another", core.ReasonRevoked); err != nil {
					b.Fatal(err)
				}
			}
			for _, r := range requests {
				if d := guard.Check(r); (d.Refusal == nil) != (bench.spoil == nil) {
					b.Fatal(d)
				}
				h.DropUses() // nobody writes them
			}
			runtime.GC()
			i := 0
			for b.Loop() {
				guard.Check(requests[i])
				if i++; i == len(requests) {
					i = 0
				}
			}
		})
	}
}

// benchRequest is a request with an Authorization header.
type benchRequest struct{ authorization *string }

func (benchRequest) Context() context.Context { return context.Background() }
func (benchRequest) Method() string           { return "GET" }
func (benchRequest) Host() string             { return "example.com" }
func (r benchRequest) Header(name string) string {
	if name == "Authorization" {
		return *r.authorization
	}
	return ""
}
func (benchRequest) Cookies(string) []string    { return nil }
func (benchRequest) Param(string) string        { return "" }
func (benchRequest) Peer() netip.Addr           { return netip.Addr{} }
func (benchRequest) Body(int64) ([]byte, error) { return nil, nil }

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
