package core

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A sign of life whose write failed is noted again, even if it failed before
// note had returned.
func TestForgottenWhileItIsNoted(t *testing.T) {
	const crowd = 16
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2 * crowd))
	var wrong, all int
	var mu sync.Mutex
	var racers sync.WaitGroup
	at := time.Now()
	for range crowd {
		racers.Go(func() {
			u := newUses(time.Minute)
			failed := make(chan struct{})
			go func() {
				for n := range u.queue {
					n.of.forget() // the write failed
					failed <- struct{}{}
				}
			}()
			defer close(u.queue)
			lost, n := 0, 20000
			for range n {
				g := new(usage)
				s := use{serial: 1, at: at}
				u.note(g, "alice", s)
				<-failed
				if g.says(s.serial, s.gen, s.at, u.touch) {
					lost++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			wrong, all = wrong+lost, all+n
		})
	}
	racers.Wait()
	if wrong > 0 {
		t.Errorf("%d of %d signs of life whose write failed count as noted", wrong, all)
	}
}

// A look does not wait until all of a long stretch of the feed is taken in,
// and what was known before has no token looked up.
func TestMuchIsTakenIn(t *testing.T) {
	const n = 300_000
	now := time.Now()
	f := newFeed(2*n, time.Minute)
	events := make([]Revocation, n)
	for i := range events {
		events[i] = Revocation{MinSerial: AllSerials, Until: now.Add(time.Hour)}
		binary.LittleEndian.PutUint64(events[i].Session[:], rand.Uint64())
	}
	taken := func() (sum uint64) {
		for i := range f.taken {
			sum += f.taken[i].Load()
		}
		return sum
	}
	var racer sync.WaitGroup
	var done atomic.Bool
	racer.Go(func() {
		f.enforce(events, now)
		done.Store(true)
	})
	for taken() == 0 && !done.Load() {
		runtime.Gosched()
	}
	f.look(&known{principal: &Principal{UserID: "alice"}, session: ID{1}}, now)
	if taken() == n {
		t.Error("a look had to wait until all was taken in")
	}
	racer.Wait()
	f.enforce(events, now)
	if got := taken(); got != n {
		t.Errorf("%d revocations counted, want %d: the same again is no news", got, n)
	}
}
