package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// split is two processes on one Redis, each with its own connection to it, which is
// cut or frozen now and then.
type split struct {
	t       *testing.T
	rand    *rand.Rand
	proxies [2]*redistest.Proxy
	sites   [2]*site
	guests  []*owner
	counts  *splitCounts
}

type splitCounts struct{ cycles, served, refused, revoked atomic.Int64 }

// owner is a user with one session, as the user's client knows it.
type owner struct {
	user  string
	pair  core.Pair
	spent []string
	// knows are the processes that know that the session was revoked.
	knows [2]bool
}

func (o *owner) dead() bool { return o.knows[0] || o.knows[1] }

// P21, D1-D8: partitions of two processes on Redis. While apart nobody is let in whom that
// process knows to be out, and nobody is refused but with 503; afterwards what was revoked
// opens nothing anywhere, all others go on, and no spent token opens anything.
func TestProofPartitionsOfRedis(t *testing.T) {
	long(t)
	pairs, cycles := 2, 2
	if proof() {
		pairs, cycles = 8, 50
	}
	for _, memory := range []bool{false, true} {
		t.Run(fmt.Sprint("from memory ", memory), func(t *testing.T) {
			server := redistest.Start(t)
			var counts splitCounts
			t.Run("pairs", func(t *testing.T) {
				for n := range pairs {
					t.Run(fmt.Sprint(n), func(t *testing.T) {
						t.Parallel()
						p := &split{t: t, rand: rand.New(rand.NewPCG(uint64(n), 11)), counts: &counts}
						p.open(server, memory)
						for range cycles {
							p.cycle()
						}
					})
				}
			})
			t.Logf("%d partitions: %d calls served, %d answered 503, %d sessions revoked, 0 revived",
				counts.cycles.Load(), counts.served.Load(), counts.refused.Load(), counts.revoked.Load())
		})
	}
}

const splitGrace = 50 * time.Millisecond

func (p *split) open(server *redistest.Server, memory bool) {
	keys, prefix := newKeys(), newID().String()
	for i := range p.sites {
		p.proxies[i] = redistest.StartProxy(p.t, server.Addr)
		store := openAt(p.t, newClient(p.t, p.proxies[i].Addr()), redisstore.Options{Prefix: prefix, Timeout: 200 * time.Millisecond})
		p.sites[i] = openSite(p.t, keys, store, func(c *core.Config) {
			c.StoreTimeout, c.MaxStaleness, c.Grace = 400*time.Millisecond, 200*time.Millisecond, splitGrace
			c.ServeFromMemory = memory
		})
		p.t.Cleanup(func() { p.sites[i].Close() })
		p.sites[i].becomes(core.ModeNormal)
	}
}

func (p *split) cycle() {
	p.counts.cycles.Add(1)
	for i := range 4 {
		o := &owner{user: fmt.Sprint("user", p.rand.Uint64())}
		o.pair, _ = answeredBy(p.t, func() (core.Pair, error) {
			return p.sites[i%2].SignIn(p.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: o.user}})
		})
		p.guests = append(p.guests, o)
	}
	away := p.rand.IntN(3) // one of them, or both
	for i, proxy := range p.proxies {
		if i != away && away != 2 {
			continue
		}
		if p.rand.IntN(2) == 0 {
			proxy.Cut()
		} else {
			proxy.Freeze()
		}
	}
	noticed := p.rand.IntN(2) == 0
	for i := range p.sites {
		if noticed && (i == away || away == 2) {
			redistest.Eventually(p.t, func(context.Context) error {
				if p.sites[i].Health().Mode == core.ModeNormal {
					return errors.New("not noticed yet")
				}
				return nil
			})
		}
	}
	for range 16 {
		p.act(p.rand.IntN(2))
	}
	for _, i := range p.rand.Perm(2) {
		p.proxies[i].Heal()
	}
	for _, s := range p.sites {
		// A client that could not connect repeats that for up to a second.
		redistest.Eventually(p.t, func(ctx context.Context) error {
			_, err := s.Sessions(ctx, "nobody")
			return err
		})
		s.becomes(core.ModeNormal)
	}
	p.check()
	p.guests = nil
}

func (p *split) act(at int) {
	s, o := p.sites[at], p.guests[p.rand.IntN(len(p.guests))]
	var err error
	what := []string{"verify", "refresh", "refresh", "revoke"}[p.rand.IntN(4)]
	switch what {
	case "verify":
		_, err = s.Verify(p.t.Context(), o.pair.AccessToken)
	case "refresh":
		var next core.Pair
		if next, err = s.Refresh(p.t.Context(), core.RefreshRequest{Token: o.pair.RefreshToken}); err == nil {
			if next.RefreshToken != o.pair.RefreshToken {
				o.spent = append(o.spent, o.pair.RefreshToken)
			}
			o.pair = next
		}
	case "revoke":
		err = s.Revoke(p.t.Context(), o.user, o.pair.Session.ID, core.ReasonRevoked)
		if err == nil || errors.Is(err, core.ErrNotDurable) {
			p.counts.revoked.Add(1)
			o.knows[at] = true
			return
		}
	}
	switch {
	case err == nil && o.knows[at]:
		p.t.Errorf("%s at %d, of a session that this process knows to have ended", what, at)
	case err == nil:
		p.counts.served.Add(1)
	case errors.Is(err, core.ErrStoreUnavailable):
		p.counts.refused.Add(1)
	case !o.dead():
		p.t.Errorf("%s at %d of a good session: %v", what, at, err)
	}
}

// answeredBy asks until the store has answered: it has little time, and on a machine that
// is busy not always enough.
func answeredBy[T any](t *testing.T, ask func() (T, error)) (answer T, err error) {
	t.Helper()
	redistest.Eventually(t, func(context.Context) error {
		if answer, err = ask(); errors.Is(err, core.ErrStoreUnavailable) {
			return err
		}
		return nil
	})
	return answer, err
}

func (p *split) check() {
	try := func(at int, token string) (core.Pair, error) {
		return answeredBy(p.t, func() (core.Pair, error) {
			return p.sites[at].Refresh(p.t.Context(), core.RefreshRequest{Token: token})
		})
	}
	graceOver := func() {
		over := time.Now().Add(2 * splitGrace)
		redistest.Eventually(p.t, func(context.Context) error {
			if time.Now().Before(over) {
				return errors.New("not yet")
			}
			return nil
		})
	}
	graceOver()
	for _, o := range p.guests {
		if o.dead() {
			for at, s := range p.sites {
				if _, err := answeredBy(p.t, func() (*core.Principal, error) { return s.Verify(p.t.Context(), o.pair.AccessToken) }); !errors.Is(err, core.ErrTokenRevoked) {
					p.t.Errorf("verify at %d of a session that was revoked: %v", at, err)
				}
				if _, err := try(at, o.pair.RefreshToken); !errors.Is(err, core.ErrSessionEnded) {
					p.t.Errorf("refresh at %d of a session that was revoked: %v", at, err)
				}
			}
			continue
		}
		at := p.rand.IntN(2)
		next, err := try(at, o.pair.RefreshToken)
		if err != nil {
			p.t.Errorf("a session that nobody ended: %v", err)
			continue
		}
		if _, err := answeredBy(p.t, func() (*core.Principal, error) { return p.sites[1-at].Verify(p.t.Context(), next.AccessToken) }); err != nil {
			p.t.Errorf("its token at the other process: %v", err)
		}
		o.pair = next
	}
	graceOver()
	for _, o := range p.guests {
		if o.dead() || len(o.spent) == 0 {
			continue
		}
		at := p.rand.IntN(2)
		if _, err := try(1-at, o.pair.RefreshToken); err != nil {
			p.t.Errorf("its successor at the other process: %v", err)
		}
		if _, err := try(at, o.spent[p.rand.IntN(len(o.spent))]); !errors.Is(err, core.ErrRefreshTokenReused) {
			p.t.Errorf("a spent token: %v", err)
		}
	}
}
