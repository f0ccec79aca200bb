package memstore_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// typical is a change that leaves a user with one session, as a browser makes
// it.
func typical() core.Change {
	device := core.Device{ID: newID().String(), Name: "Firefox on Linux", Type: "desktop", Browser: "Firefox", OS: "Linux"}
	return core.Change{
		ID: newID(), At: at(0), KeepUntil: at(1e6),
		Put: []core.Session{{
			ID: newID(), CreatedAt: at(0), LastSeenAt: at(0), ExpiresAt: at(1e6), Gen: 1, Serial: 1,
			Device: device, IP: "192.0.2.1",
			UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
			AMR:       []string{"pwd"}, Scopes: []string{"orders:read", "orders:write"},
		}},
		Devices: []core.KnownDevice{{Device: device, FirstSeenAt: at(0), LastSeenAt: at(0)}},
	}
}

func filled(b *testing.B, users int) (*memstore.Store, []string, []core.ID) {
	s := memstore.New()
	names, versions := make([]string, users), make([]core.ID, users)
	for i := range users {
		c := typical()
		names[i], versions[i] = fmt.Sprint("user-", i), c.ID
		if _, err := s.Commit(context.Background(), names[i], c); err != nil {
			b.Fatal(err)
		}
	}
	return s, names, versions
}

func BenchmarkLoad(b *testing.B) {
	s, names, _ := filled(b, 10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Load(context.Background(), names[i%len(names)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoadParallel(b *testing.B) {
	s, names, _ := filled(b, 10_000)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := s.Load(context.Background(), names[i%len(names)]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCommit replaces the one session that a user has.
func BenchmarkCommit(b *testing.B) {
	s, names, versions := filled(b, 10_000)
	c := typical()
	sessions := make([]core.ID, len(names))
	for i, name := range names {
		l, _ := s.Load(context.Background(), name)
		sessions[i] = l.Sessions[0].ID
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n := i % len(names)
		c.ID, c.If, c.Put[0].ID = newID(), versions[n], sessions[n]
		if _, err := s.Commit(context.Background(), names[n], c); err != nil {
			b.Fatal(err)
		}
		versions[n] = c.ID
	}
}

// BenchmarkCommitFull publishes into a feed that is always full, so that every
// commit has to make room first.
func BenchmarkCommitFull(b *testing.B) {
	s := memstore.NewWith(memstore.Options{MaxRevocations: 100_000})
	var version core.ID
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now := at(i)
		c := core.Change{
			ID: newID(), If: version, At: now, KeepUntil: now,
			Publish: []core.Revocation{{Session: newID(), MinSerial: 1, Until: now.Add(99_999 * time.Second)}},
		}
		if _, err := s.Commit(context.Background(), "user", c); err != nil {
			b.Fatal(err)
		}
		version = c.ID
	}
}

// BenchmarkTail reads one new revocation, of a feed with a million.
func BenchmarkTail(b *testing.B) {
	s := memstore.New()
	many := change(90)
	many.Publish = make([]core.Revocation, 999_999)
	for i := range many.Publish {
		many.Publish[i] = revocation(90)
	}
	s.Commit(context.Background(), "many", many)
	next, _ := s.Tail(context.Background(), "", 0)
	s.Commit(context.Background(), "one", change(90, revocation(90)))
	runtime.GC()
	b.ReportAllocs()
	for b.Loop() {
		batch, err := s.Tail(context.Background(), next.Next, time.Second)
		if err != nil || len(batch.Events) != 1 {
			b.Fatal(batch, err)
		}
	}
}

// BenchmarkMemory reports the bytes that a user with one session takes, and a
// revocation.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		const n = 50_000
		used := func(fill func()) float64 {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			fill()
			runtime.GC()
			runtime.ReadMemStats(&after)
			return float64(after.HeapAlloc-before.HeapAlloc) / n
		}
		s := memstore.New()
		b.ReportMetric(used(func() {
			for i := range n {
				s.Commit(context.Background(), fmt.Sprint("user-", i), typical())
			}
		}), "B/user")
		b.ReportMetric(used(func() {
			for range n {
				s.Commit(context.Background(), "user", core.Change{ID: newID(), Forget: true, Publish: []core.Revocation{revocation(90)}})
			}
		}), "B/revocation")
		runtime.KeepAlive(s)
	}
}
