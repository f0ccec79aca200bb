package sealed_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/sealed"
	"github.com/sallyport-go/sallyport/memstore"
)

// five is a change that leaves a user with five sessions, each on a device of its
// own, as browsers make them.
func five() core.Change {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	later := now.Add(1000 * time.Hour)
	c := core.Change{ID: core.ID{1}, At: now, KeepUntil: later}
	for i := range byte(5) {
		device := core.Device{ID: fmt.Sprint("device-", i), Name: "Firefox on Linux", Type: "desktop", ClientType: "web", Browser: "Firefox", OS: "Linux"}
		place := core.Location{Country: "DE", City: "Hamburg"}
		c.Put = append(c.Put, core.Session{
			ID: core.ID{i + 1}, CreatedAt: now, LastSeenAt: now, ExpiresAt: later, Gen: 1, Serial: 1,
			Device: device, IP: "192.0.2.1", Location: place,
			UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
			AMR:       []string{"pwd"}, Scopes: []string{"orders:read", "orders:write"},
		})
		c.Devices = append(c.Devices, core.KnownDevice{Device: device, FirstSeenAt: now, LastSeenAt: now, IP: "192.0.2.1", Location: place})
	}
	return c
}

// stores are one without the wrapper and one with it, with five sessions of alice.
func stores(b *testing.B, run func(b *testing.B, s core.Store)) {
	for _, kind := range []string{"plain", "sealed"} {
		b.Run(kind, func(b *testing.B) {
			var s core.Store = memstore.New()
			if kind == "sealed" {
				s = newSealer(b, newKey("2026-01")).Store(s)
			}
			if _, err := s.Commit(b.Context(), "alice", five()); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			run(b, s)
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	stores(b, func(b *testing.B, s core.Store) {
		for b.Loop() {
			if _, err := s.Load(b.Context(), "alice"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// One session is written, as a refresh does.
func BenchmarkCommit(b *testing.B) {
	stores(b, func(b *testing.B, s core.Store) {
		c := core.Change{ID: core.ID{1}, At: five().At, KeepUntil: five().KeepUntil, Put: five().Put[:1]}
		for b.Loop() {
			c.If = c.ID
			binary.BigEndian.PutUint64(c.ID[8:], binary.BigEndian.Uint64(c.ID[8:])+1)
			if _, err := s.Commit(b.Context(), "alice", c); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// All five sessions and devices are written.
func BenchmarkCommitAll(b *testing.B) {
	stores(b, func(b *testing.B, s core.Store) {
		c := five()
		for b.Loop() {
			c.If = c.ID
			binary.BigEndian.PutUint64(c.ID[8:], binary.BigEndian.Uint64(c.ID[8:])+1)
			if _, err := s.Commit(b.Context(), "alice", c); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// One value and its user's key, as support reads it.
func BenchmarkOpen(b *testing.B) {
	s := newSealer(b, newKey("2026-01"))
	for _, n := range []int{9, 70, 512} {
		b.Run(fmt.Sprint(n, "_bytes"), func(b *testing.B) {
			value := seal(s, "alice", sealed.UserAgent, strings.Repeat("x", n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Open("alice", sealed.UserAgent, value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
