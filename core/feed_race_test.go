package core

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// P17: a user is in doubt, the feed brings the news, and the doubt is over.
// Whoever came after the doubt was raised sees one or the other, wherever it was
// held up.
func TestProofDoubtsEndWithTheNews(t *testing.T) {
	const readers, passesEach = 24, 1000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(readers)) // more than there are cores: most are held up anywhere
	now := time.Now()
	f := newFeed(1_000_000, time.Hour)
	epoch := Epoch{ID: ID{1}, Began: now.Add(-time.Hour)}
	f.renew(now, f.moments.Add(1), epoch, true, false)

	type round struct {
		known   *known
		doubted atomic.Bool
		over    atomic.Bool
		wrong   atomic.Bool
		looked  atomic.Int64 // since the doubt
	}
	rounds := 20
	if os.Getenv("SALLYPORT_PROOF") != "" {
		rounds = 300
	}
	for n := range rounds {
		r := &round{known: &known{principal: &Principal{UserID: "alice"}, issuedAt: now, session: ID{byte(n), 1, byte(n >> 8)}}}
		if f.look(r.known, now) != feedVouched || !f.passes(r.known, now) {
			t.Fatal("a good token does not pass")
		}
		var racers sync.WaitGroup
		for range readers {
			racers.Go(func() {
				for !r.over.Load() {
					after := r.doubted.Load()
					for range passesEach {
						if f.passes(r.known, now) && after {
							r.wrong.Store(true)
						}
					}
					if after {
						r.looked.Add(1)
					}
				}
			})
		}
		f.doubt("alice")
		r.doubted.Store(true)
		for r.looked.Load() < 4*readers {
			runtime.Gosched()
		}
		moment := f.moments.Add(1)
		f.enforce([]Revocation{{Session: r.known.session, MinSerial: AllSerials, Until: now.Add(time.Hour)}}, now)
		f.renew(now, moment, epoch, false, false)
		most := r.looked.Load() + 2*readers
		for r.looked.Load() < most {
			runtime.Gosched()
		}
		r.over.Store(true)
		racers.Wait()
		if r.wrong.Load() {
			t.Fatalf("round %d: a revoked token passed", n)
		}
	}
}
