package core_test

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// Long lives of one session, at random, over the real Auth: what the models in
// tabs_test.go and thief_test.go show of every state, seen through tokens.

// life is one session, its browser, and a clock.
type life struct {
	t      *testing.T
	w      *world
	rnd    *mathrand.Rand
	device string
	jar    string
	events []event // under way, by time
}

type event struct {
	at time.Time
	do func()
}

func newLife(t *testing.T, w *world, n int) *life {
	w.user = fmt.Sprintf("life-%d", n)
	l := &life{t: t, w: w, rnd: mathrand.New(mathrand.NewPCG(uint64(n), 7))}
	pair, err := w.auths[0].SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: w.user}})
	if err != nil {
		t.Fatal(err)
	}
	l.jar, l.device = pair.RefreshToken, pair.Session.Device.ID
	return l
}

// in has something happen after a time.
func (l *life) in(after time.Duration, do func()) {
	e := event{l.w.clock.Add(after), do}
	i, _ := slices.BinarySearchFunc(l.events, e, func(a, b event) int { return a.at.Compare(b.at) })
	l.events = slices.Insert(l.events, i, e)
}

// run lets everything happen that is under way.
func (l *life) run() {
	for len(l.events) > 0 {
		e := l.events[0]
		l.events = l.events[1:]
		if e.at.After(l.w.clock) {
			l.w.clock = e.at
		}
		e.do()
	}
}

func (l *life) auth() *core.Auth { return l.w.auths[l.rnd.IntN(2)] }

func (l *life) between(from, to time.Duration) time.Duration {
	return from + time.Duration(l.rnd.Int64N(int64(to-from)))
}

// proofOr returns how often a long proof goes round.
func proofOr(whole, sample int) int {
	if os.Getenv("SALLYPORT_PROOF") != "" {
		return whole
	}
	return sample
}

// P12: three tabs on one jar that refresh in bursts, with replies lost, pages
// closed, retries, sleep, and processes that forget what they saw. At most
// three replies are lost in a session, and nothing is under way for half a
// grace period.
func TestProofFlakyTabs(t *testing.T) {
	w := newWorld(t, 5, func(c *core.Config) { c.SessionTTL = 400 * 24 * time.Hour })
	w.gate.Store = memstore.New()
	for n := range proofOr(10_000, 150) {
		l := newLife(t, w, n)
		lost := 0
		refresh := func() {
			token, latency := l.jar, l.between(0, exploreGrace/2)
			arrives := l.between(0, latency+1)
			l.in(arrives, func() {
				pair, err := l.auth().Refresh(context.Background(), core.RefreshRequest{Token: token, DeviceID: l.device})
				if err != nil {
					t.Fatalf("life %d: an honest tab: %v", n, err)
				}
				if lost < 3 && l.rnd.IntN(12) == 0 {
					lost++
					return
				}
				l.in(latency-arrives, func() {
					if !pair.Same {
						l.jar = pair.RefreshToken
					}
					if l.rnd.IntN(4) == 0 {
						return // the page has gone, its cookie has not
					}
					if _, err := l.auth().Verify(context.Background(), pair.AccessToken); err != nil && !errors.Is(err, core.ErrTokenRevoked) {
						t.Fatalf("life %d: an honest token: %v", n, err)
					}
				})
			})
		}
		for range 30 {
			for range 1 + l.rnd.IntN(3) {
				l.in(l.between(0, exploreGrace*3/2), refresh)
			}
			l.run()
			for _, auth := range w.auths {
				if l.rnd.IntN(8) == 0 {
					auth.DropUses() // a process is gone
				} else {
					auth.FlushUses(context.Background())
				}
			}
			w.clock = w.clock.Add(l.between(0, 3*time.Hour))
		}
	}
}

// P13: a thief with a copy of the cookie, more than a grace period away from
// everything the victim does, one step behind or not, before or after, is found.
func TestProofSlowThief(t *testing.T) {
	w := newWorld(t, 5, func(c *core.Config) { c.SessionTTL = 400 * 24 * time.Hour })
	w.gate.Store = memstore.New()
	worst := 0
	for n := range proofOr(10_000, 300) {
		l := newLife(t, w, n)
		before := ""
		type holder struct {
			refresh, access string
			uses            int // of 4 tokens, how many are used
		}
		victim := holder{refresh: l.jar, uses: l.rnd.IntN(5)}
		thief := holder{uses: l.rnd.IntN(5)}
		served, found := 0, false
		turn := func(h *holder) bool {
			w.clock = w.clock.Add(exploreGrace + l.between(time.Millisecond, time.Hour))
			pair, err := l.auth().Refresh(context.Background(), core.RefreshRequest{Token: h.refresh})
			if errors.Is(err, core.ErrRefreshTokenReused) || errors.Is(err, core.ErrSessionEnded) {
				return false
			}
			if err != nil {
				t.Fatalf("crime %d: %v", n, err)
			}
			h.refresh, h.access = pair.RefreshToken, pair.AccessToken
			if l.rnd.IntN(4) < h.uses {
				w.clock = w.clock.Add(exploreGrace + time.Millisecond)
				_, _ = l.auth().Verify(context.Background(), h.access)
			}
			for _, auth := range w.auths {
				auth.FlushUses(context.Background())
			}
			return true
		}
		for range 1 + l.rnd.IntN(4) {
			before = victim.refresh
			if !turn(&victim) {
				t.Fatalf("crime %d: the victim alone was signed out", n)
			}
		}
		if thief.refresh = victim.refresh; l.rnd.IntN(2) == 0 {
			thief.refresh = before
		}
		for step := 0; step < 200 && !found; step++ {
			if l.rnd.IntN(2) == 0 {
				found = !turn(&victim)
			} else if found = !turn(&thief); !found {
				served++
			}
		}
		if !found {
			t.Fatalf("crime %d: the thief was served %d times and not found", n, served)
		}
		worst = max(worst, served)
	}
	t.Logf("served at most %d times before found", worst)
}
