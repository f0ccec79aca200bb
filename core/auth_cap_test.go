package core_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// P23: never more than N live sessions, however many sign in at once in two
// processes.
func TestProofCapUnderStorm(t *testing.T) {
	const most, crowd = 3, 64
	store := memstore.New()
	for _, limit := range []core.SessionLimitPolicy{core.EvictOldest, core.EvictIdle, core.RefuseNew} {
		config := func(c *core.Config) { c.MaxSessions, c.SessionLimitPolicy = most, limit }
		houses := [2]*house{open(t, store, config), open(t, store, config)}
		for round := range proofOr(1000, 12) {
			user := fmt.Sprintf("storm-%d-%d", limit, round)
			var (
				racers sync.WaitGroup
				mu     sync.Mutex
				in     []core.Pair
				start  = make(chan struct{})
			)
			for i := range crowd {
				h := houses[i%2]
				racers.Go(func() {
					<-start
					pair, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}})
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						in = append(in, pair)
					} else if limit != core.RefuseNew {
						t.Errorf("sign-in: %v", err)
					}
					if n, err := h.Count(t.Context(), user); n > most || err != nil {
						t.Errorf("%d sessions (%v), at most %d", n, err, most)
					}
				})
			}
			close(start)
			racers.Wait()
			houses[0].expectCount(user, most)
			passed := 0
			for _, p := range in { // by the store: the other process may lag behind a moment
				if _, _, err := houses[1].Find(t.Context(), p.AccessToken); err == nil {
					passed++
				}
			}
			if passed != most || limit == core.RefuseNew && len(in) != most {
				t.Errorf("%d of %d who got in are in, want %d", passed, len(in), most)
			}
		}
	}
}
