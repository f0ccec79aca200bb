package core

import (
	"crypto/rand"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// heapInUse returns the bytes that are in use.
func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A revocation of a user with an id of 12 bytes takes 64 bytes at most, however many
// there are, and that of a single token 80: also right after the sets have grown.
func TestProofFeedMemory(t *testing.T) {
	most := map[string]float64{"sessions": 64, "tokens": 80}
	now := time.Now()
	for name, kind := range map[string]func(n int) Revocation{
		"sessions": func(int) Revocation {
			r := Revocation{UserID: "user-1234567", MinSerial: AllSerials}
			_, _ = rand.Read(r.Session[:])
			return r
		},
		"tokens": func(n int) Revocation { return Revocation{UserID: "user-1234567", JTI: strconv.Itoa(n)} },
	} {
		n := 125_000 // where a map has just grown, like 1,000,000
		if os.Getenv("SALLYPORT_PROOF") != "" {
			n = 1_000_000
		}
		before := heapInUse()
		f := newFeed(n, time.Minute)
		batch := make([]Revocation, 1000)
		for i := range n / len(batch) {
			for j := range batch {
				batch[j] = kind(i*len(batch) + j)
				batch[j].Until = now.Add(time.Hour)
			}
			f.enforce(batch, now)
		}
		if f.held() != n || f.overflowed() {
			t.Fatalf("%d held, want %d", f.held(), n)
		}
		each := float64(heapInUse()-before) / float64(n)
		t.Logf("%d %s: %.1f bytes each", n, name, each)
		if each > most[name] {
			t.Errorf("%d %s: %.1f bytes each, want at most %.0f", n, name, each, most[name])
		}
		f.purge(now.Add(2 * time.Hour))
		if f.held() != 0 {
			t.Errorf("%d %s left after all are over", f.held(), name)
		}
		runtime.KeepAlive(f)
	}
}
