package redisstore_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// P10: of one refresh token that 64 present at once, to two processes on one Redis, each
// gets the same successor.
func TestProofOneSuccessor(t *testing.T) {
	server := redistest.Start(t)
	keys := newKeys()
	var sites [2]*site
	for i := range sites {
		store := openAt(t, newClient(t, server.Addr), redisstore.Options{Timeout: 30 * time.Second})
		sites[i] = openSite(t, keys, store, func(c *core.Config) { c.StoreTimeout = time.Minute })
		defer sites[i].Close()
	}
	rounds := 3
	if proof() {
		rounds = 200
	}
	for round := range rounds {
		pair := sites[0].signIn(fmt.Sprint("user", round))
		for _, again := range []bool{false, true} { // the successor moves no further for a while
			var (
				answers [64]core.Pair
				ready   sync.WaitGroup
				done    sync.WaitGroup
				start   = make(chan struct{})
			)
			for i := range answers {
				ready.Add(1)
				done.Go(func() {
					ready.Done()
					<-start
					var err error
					if answers[i], err = sites[i%2].Refresh(t.Context(), core.RefreshRequest{Token: pair.RefreshToken}); err != nil {
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
			ready.Wait()
			close(start)
			done.Wait()
			if t.Failed() {
				return
			}
			gen := pair.Session.Gen + 1
			if again {
				gen = pair.Session.Gen
			}
			for _, a := range answers {
				if a.RefreshToken != answers[0].RefreshToken || a.Session.Gen != gen || a.Same != again {
					t.Fatalf("round %d: generations %d and %d of %d", round, answers[0].Session.Gen, a.Session.Gen, pair.Session.Gen)
				}
			}
			pair = answers[0]
		}
		if sessions, err := sites[1].Sessions(t.Context(), pair.UserID); err != nil || len(sessions) != 1 || sessions[0].Gen != pair.Session.Gen {
			t.Fatalf("round %d: %+v, %v", round, sessions, err)
		}
	}
	rotated, replayed := 0, 0
	for _, s := range sites {
		rotated += s.audited(core.EventRefreshed)
		replayed += s.audited(core.EventReplayed)
		if n := s.audited(core.EventReused, core.EventSessionEnded, core.EventRefreshRefused, core.EventRecovered); n > 0 {
			t.Errorf("%d refreshes were taken for something else", n)
		}
	}
	if rotated != rounds {
		t.Errorf("%d rotations in %d rounds", rotated, rounds)
	}
	t.Logf("%d rounds of 64: %d rotations, %d replays", rounds, rotated, replayed)
}
