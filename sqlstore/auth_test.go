package sqlstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// member is one process of an app, and what it has audited.
type member struct {
	*core.Auth
	t testing.TB

	mu     sync.Mutex
	events []core.EventName
}

// openMembers starts a process on each store, which are one system.
func openMembers(t testing.TB, stores ...core.Store) []*member {
	t.Helper()
	secret := make([]byte, 32)
	rand.Read(secret)
	var all []*member
	for _, store := range stores {
		s := &member{t: t}
		auth, err := core.New(core.Config{
			Limits: core.Limits{Off: true},
			Store:  store, Keys: []core.Key{{Secret: secret}}, Grace: 5 * time.Minute, // whatever else this machine does
			LedgerCacheBytes: -1, // each call asks the store
			Audit: func(_ context.Context, e core.Event) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.events = append(s.events, e.Name)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { auth.Close() })
		s.Auth = auth
		all = append(all, s)
	}
	return all
}

// audited returns how many records of some names there are.
func (s *member) audited(names ...core.EventName) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, e := range s.events {
		for _, name := range names {
			if e == name {
				n++
			}
		}
	}
	return n
}

func (s *member) signIn(user string) core.Pair {
	s.t.Helper()
	pair, err := s.SignIn(s.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}})
	if err != nil {
		s.t.Fatal(err)
	}
	return pair
}

// gets asks until the store is there.
func (s *member) gets(ask func() error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if !errors.Is(err, core.ErrStoreUnavailable) {
			return err
		}
		select {
		case <-tick.C:
		case <-s.t.Context().Done():
			return err
		}
	}
}

// P20: wherever the reply of a database is lost in a refresh, nobody is taken for a
// thief, no refresh token has two successors, and who tries again gets on.
func TestLostRepliesProof(t *testing.T) {
	long(t)
	for _, engine := range []string{"mariadb", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, engine)
			p, far := sqltest.StartProxy(t, d.Database)
			sites := openMembers(t, open(t, far, sqlstore.Options{Timeout: 300 * time.Millisecond}), d.Store)
			lossy, sound := sites[0], sites[1]
			trials, step := 0, 4
			if proof() {
				step = 1
			}
			for n := 0; n < 48; n += step {
				for trouble, make := range troubles {
					user := fmt.Sprint(trouble, n)
					first := sound.signIn(user)
					var sent atomic.Int32
					happened := make(p, func() bool { return int(sent.Add(1)) == n+1 })
					var answers []core.Pair
					ask := func(s *member, token string) func() error {
						return func() error {
							pair, err := s.Refresh(t.Context(), core.RefreshRequest{Token: token})
							if err == nil {
								answers = append(answers, pair)
							}
							return err
						}
					}
					err := ask(lossy, first.RefreshToken)()
					if happened() {
						trials++
					}
					p.Heal()
					if err != nil && !errors.Is(err, core.ErrStoreUnavailable) {
						t.Errorf("%s: %v", user, err)
					}
					for who, err := range map[string]error{
						"the client again": lossy.gets(ask(lossy, first.RefreshToken)),
						"another tab":      sound.gets(ask(sound, first.RefreshToken)),
						"the successor":    sound.gets(ask(sound, answers[0].RefreshToken)),
					} {
						if err != nil {
							t.Errorf("%s: %s: %v", user, who, err)
						}
					}
					for _, pair := range answers {
						if pair.RefreshToken != answers[0].RefreshToken || pair.Session.Gen != first.Session.Gen+1 {
							t.Errorf("%s: two successors, of generations %d and %d", user, answers[0].Session.Gen, pair.Session.Gen)
						}
					}
				}
			}
			for _, s := range sites {
				if n := s.audited(core.EventReused, core.EventDeviceMismatch, core.EventRecovered, core.EventSessionEnded); n > 0 {
					t.Errorf("%d refreshes were taken for something else", n)
				}
			}
			t.Logf("%d replies were lost", trials)
		})
	}
}

// P16: whatever call of a driver fails, and in whatever way, what needs the store is 503
// or right, and nobody is signed out by it.
func TestFaultsAre503Proof(t *testing.T) {
	long(t)
	engines := []string{"sqlite"}
	if proof() {
		engines = sqltest.Engines()
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			f := newFrail(t, engine)
			sites := openMembers(t, f.Store, f.sound)
			ill, sound := sites[0], sites[1]
			for name, how := range faults() {
				for n := range 12 {
					user := fmt.Sprint(name, n)
					pair := sound.signIn(user)
					for what, do := range map[string]func() error{
						"SignIn": func() error {
							_, err := ill.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "new" + user}})
							return err
						},
						"Refresh": func() error {
							_, err := ill.Refresh(t.Context(), core.RefreshRequest{Token: pair.RefreshToken})
							return err
						},
						"Sessions": func() error { _, err := ill.Sessions(t.Context(), user); return err },
					} {
						f.driver.fail(func(i int, _ string) *fault {
							if i < n {
								return nil
							}
							return how // from here on all
						})
						err := do()
						f.driver.fail(nil)
						var e *core.Error
						if err != nil && (!errors.As(err, &e) || e.Status != 503) {
							t.Errorf("%s: %s, from call %d on: got error %v, want 503", name, what, n, err)
						}
						if err := ill.gets(do); err != nil {
							t.Errorf("%s: %s: afterwards: %v", name, what, err)
						}
					}
				}
			}
			for _, s := range sites {
				if n := s.audited(core.EventReused, core.EventDeviceMismatch, core.EventRefreshRefused, core.EventSessionEnded); n > 0 {
					t.Errorf("%d calls were taken for something else", n)
				}
			}
		})
	}
}
