package sqlstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// app is an Auth and what it has audited.
type app struct {
	*core.Auth
	mu      sync.Mutex
	audited map[core.EventName]int
}

func start(t testing.TB, keys []core.Key, store core.Store) *app {
	t.Helper()
	p := &app{audited: make(map[core.EventName]int)}
	var err error
	p.Auth, err = core.New(core.Config{
		Store: store, Keys: keys,
		Grace:        5 * time.Minute, // whatever else this machine does
		StoreTimeout: time.Minute,
		MaxStaleness: time.Minute,
		Audit: func(_ context.Context, e core.Event) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.audited[e.Name]++
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func (p *app) signIn(t testing.TB, user string) core.Pair {
	t.Helper()
	pair, err := p.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}})
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// openFew returns a store on a pool of no more connections than a server has to spare.
func openFew(t testing.TB, d sqltest.Database) core.Store {
	t.Helper()
	db := d.Open(t)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	s, err := sqlstore.New(db, dialects[d.Engine], sqlstore.Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newKeys() []core.Key { return []core.Key{{Secret: []byte(rand.Text() + rand.Text())}} }

// P10: of one refresh token that 64 present at once, to two processes on one database,
// each gets the same successor, and none an error.
func TestOneSuccessor(t *testing.T) { oneSuccessor(t, 2) }

func TestProofOneSuccessor(t *testing.T) {
	if !proof() {
		t.Skip("SALLYPORT_PROOF is not set")
	}
	oneSuccessor(t, 200)
}

func oneSuccessor(t *testing.T, rounds int) {
	onEach(t, func(t *testing.T, engine string) {
		d := migrated(t, sqltest.New(t, engine))
		keys := newKeys()
		processes := [2]*app{}
		for i := range processes {
			processes[i] = start(t, keys, openFew(t, d))
		}
		for round := range rounds {
			pair := processes[0].signIn(t, fmt.Sprint("user", round))
			for _, again := range []bool{false, true} { // the successor moves no further for a while
				var (
					answers     [64]core.Pair
					ready, done sync.WaitGroup
					start       = make(chan struct{})
				)
				for i := range answers {
					ready.Add(1)
					done.Go(func() {
						ready.Done()
						<-start
						var err error
						if answers[i], err = processes[i%2].Refresh(t.Context(), core.RefreshRequest{Token: pair.RefreshToken}); err != nil {
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
			sessions, err := processes[1].Sessions(t.Context(), pair.UserID)
			if err != nil || len(sessions) != 1 || sessions[0].Gen != pair.Session.Gen {
				t.Fatalf("round %d: %+v, %v", round, sessions, err)
			}
		}
		got := make(map[core.EventName]int)
		for _, p := range processes {
			p.Close() // nothing is audited any more
			for name, n := range p.audited {
				got[name] += n
			}
		}
		for _, name := range []core.EventName{core.EventReused, core.EventSessionEnded, core.EventRefreshRefused, core.EventRecovered} {
			if got[name] > 0 {
				t.Errorf("got %d of %s", got[name], name)
			}
		}
		if got[core.EventRefreshed] != rounds {
			t.Errorf("got %d rotations in %d rounds", got[core.EventRefreshed], rounds)
		}
		t.Logf("%d rounds of 64: %d rotations, %d replays", rounds, got[core.EventRefreshed], got[core.EventReplayed])
	})
}
