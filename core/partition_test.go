package core_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// partition is two processes on one store, each of which loses it now and then, and
// users who use, refresh and revoke sessions at either.
type partition struct {
	t       *testing.T
	rand    *rand.Rand
	store   *fragile
	links   [2]*link
	procs   [2]*house
	memory  bool
	lives   []*owned
	known   int // revocations that were acknowledged, or said not to be durable
	refused int // by a store that was away
	opened  int
}

// owned is a session as its user knows it.
type owned struct {
	user   string
	last   core.Pair // what the user was given last
	older  []string  // refresh tokens before the last two
	dead   bool      // it was revoked
	begun  bool      // while its process was apart
	at     int       // the process where it was
	unsure bool      // it was used at both processes while they were apart
}

// P21, P18: random partitions of two processes, with a store that loses data now and
// then, in both modes. While apart nothing is refused that need not be and nothing is let in that this
// process knows to have ended; afterwards D1-D8 hold for both, and no spent token opens
// anything.
func TestProofPartitions(t *testing.T) {
	cycles := 6
	if os.Getenv("SALLYPORT_PROOF") != "" {
		cycles = 600
	}
	for _, memory := range []bool{false, true} {
		t.Run(fmt.Sprint("from memory ", memory), func(t *testing.T) {
			total := partition{}
			for seed := range uint64(cycles) {
				synctest.Test(t, func(t *testing.T) {
					p := &partition{t: t, rand: rand.New(rand.NewPCG(seed, 7)), store: newFragile(), memory: memory}
					p.run()
					total.known += p.known
					total.refused += p.refused
					total.opened += p.opened
				})
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
			t.Logf("%d partitions: %d calls served, %d answered 503, %d revocations, 0 revived", 5*cycles, total.opened, total.refused, total.known)
		})
	}
}

func (p *partition) run() {
	for i := range p.procs {
		p.links[i] = p.store.link()
		p.procs[i] = open(p.t, p.links[i], func(c *core.Config) { c.ServeFromMemory, c.MaxSessions = p.memory, 50 })
		settle(p.procs[i])
	}
	for i := range 4 {
		p.lives = append(p.lives, p.begin(p.rand.IntN(2), fmt.Sprint("user", i%2)))
	}
	for range 5 {
		elapse(time.Minute)
		away := p.rand.IntN(3) // one of them, or both
		for i, l := range p.links {
			if i == away || away == 2 {
				l.away(errBroken)
			}
		}
		elapse(time.Duration(p.rand.IntN(6)) * time.Second) // noticed or not
		for range 12 {
			p.act()
			elapse(time.Duration(p.rand.IntN(8000)) * time.Millisecond)
		}
		lost := 0
		if p.rand.IntN(4) == 0 {
			lost = 1 + p.rand.IntN(3)
			p.store.fallBack(lost)
		}
		for _, i := range p.rand.Perm(2) {
			p.links[i].away(nil)
			elapse(time.Duration(p.rand.IntN(2000)) * time.Millisecond)
		}
		elapse(5 * time.Second)
		p.check(lost > 0)
	}
}

func (p *partition) begin(at int, user string) *owned {
	pair, err := p.procs[at].SignIn(p.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}})
	if err != nil {
		p.fails(at, "sign-in", err)
		return nil
	}
	p.opened++
	return &owned{user: user, last: pair, at: at, begun: p.links[at].down() != nil}
}

// fails checks that a call failed for the one good reason.
func (p *partition) fails(at int, what string, err error) {
	p.t.Helper()
	p.refused++
	if !errors.Is(err, core.ErrStoreUnavailable) || p.links[at].down() == nil && p.procs[at].Health().Mode == core.ModeNormal {
		p.t.Errorf("%s at %d: %v", what, at, err)
	}
}

func (p *partition) act() {
	at := p.rand.IntN(2)
	h := p.procs[at]
	l := p.lives[p.rand.IntN(len(p.lives))]
	switch p.rand.IntN(8) {
	case 0:
		if l := p.begin(at, l.user); l != nil {
			p.lives = append(p.lives, l)
		}
	case 1:
		if l.dead {
			return
		}
		err := h.Revoke(p.t.Context(), l.user, l.last.Session.ID, core.ReasonRevoked)
		switch {
		case err == nil, errors.Is(err, core.ErrNotDurable):
			p.known++
			l.dead, l.at = true, at
		case errors.Is(err, core.ErrSessionNotFound) && (l.begun || l.dead): // the store may have lost it, or not have it yet
		default:
			p.fails(at, "revoke", err)
		}
	case 2, 3:
		_, err := h.Verify(p.t.Context(), l.last.AccessToken)
		p.uses("verify", l, at, err)
	default:
		next, err := h.Refresh(p.t.Context(), core.RefreshRequest{Token: l.last.RefreshToken})
		p.uses("refresh", l, at, err)
		if err == nil {
			if l.at != at && p.links[at].down() != nil {
				l.unsure = true
			}
			if next.RefreshToken != l.last.RefreshToken {
				l.older = append(l.older, l.last.RefreshToken)
			}
			l.last = next
			if !l.dead {
				l.at = at
			}
		}
	}
}

// uses checks how a use of a session went while the store may be away.
func (p *partition) uses(what string, l *owned, at int, err error) {
	p.t.Helper()
	switch {
	case err == nil && l.dead && l.at == at:
		p.t.Errorf("%s at %d of a session that this process knows to have ended", what, at)
	case err == nil:
		p.opened++
	case errors.Is(err, core.ErrStoreUnavailable):
		p.fails(at, what, err)
	case !l.dead && !l.begun && !l.unsure:
		p.t.Errorf("%s at %d of a good session: %v", what, at, err)
	}
}

// check is what holds when both processes have had their store for a while.
func (p *partition) check(lostData bool) {
	p.t.Helper()
	for i, h := range p.procs {
		if hh := h.Health(); hh.Degraded || hh.Mode != core.ModeNormal || hh.Queued+hh.Apart > 0 {
			p.t.Errorf("process %d is not well: %+v", i, hh)
		}
	}
	left := p.lives[:0]
	for _, l := range p.lives {
		if l.dead {
			for _, h := range p.procs {
				h.expectVerify(l.last, core.ErrTokenRevoked)
				if _, err := h.Refresh(p.t.Context(), core.RefreshRequest{Token: l.last.RefreshToken}); err == nil {
					p.t.Error("a revoked session was refreshed")
				}
			}
			continue
		}
		at := p.rand.IntN(2)
		elapse(11 * time.Second) // every grace is over
		next, err := p.procs[at].Refresh(p.t.Context(), core.RefreshRequest{Token: l.last.RefreshToken})
		if err != nil {
			if !lostData && !l.unsure {
				p.t.Errorf("the session of %s, begun apart %v: %v", l.user, l.begun, err)
			}
			continue // what the store has lost is gone
		}
		p.procs[1-at].expectVerify(next, nil)
		elapse(11 * time.Second)
		if _, err := p.procs[1-at].Refresh(p.t.Context(), core.RefreshRequest{Token: next.RefreshToken}); err != nil {
			p.t.Errorf("the successor: %v", err)
		}
		elapse(11 * time.Second)
		spent := append(l.older, l.last.RefreshToken)
		if token := spent[p.rand.IntN(len(spent))]; token != "" {
			if _, err := p.procs[at].Refresh(p.t.Context(), core.RefreshRequest{Token: token}); !errors.Is(err, core.ErrRefreshTokenReused) {
				p.t.Errorf("a spent token: %v", err)
			}
		}
	}
	p.lives = left
	for i := range 4 {
		p.lives = append(p.lives, p.begin(p.rand.IntN(2), fmt.Sprint("user", i%2)))
	}
}
