package core_test

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// Random histories of two processes on one store, whose feeds run and whose
// stores are slow, fail, lose replies and report gaps: when a call has returned
// that ends a token, nobody is let in with it any more, at once in that process
// and after MaxStaleness in the other; and nobody else is refused.

// weather is a store as one process sees it.
type weather struct {
	core.Store
	mu   sync.Mutex
	rnd  *mathrand.Rand
	calm atomic.Bool
}

func (s *weather) dice(n int) int {
	if s.calm.Load() {
		return n - 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rnd.IntN(n)
}

// delay is mostly short, and now and then longer than MaxStaleness.
func (s *weather) delay() {
	most := 20 * time.Millisecond
	if s.dice(8) == 0 {
		most = 1500 * time.Millisecond
	}
	if d := time.Duration(s.dice(int(most))); !s.calm.Load() {
		<-time.After(d)
	}
}

func (s *weather) Load(ctx context.Context, user string) (core.Ledger, error) {
	s.delay()
	if s.dice(30) == 0 {
		return core.Ledger{}, errBroken
	}
	l, err := s.Store.Load(ctx, user)
	s.delay()
	return l, err
}

func (s *weather) Commit(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
	s.delay()
	if s.dice(30) == 0 {
		return core.Ledger{}, errBroken
	}
	l, err := s.Store.Commit(ctx, user, c)
	s.delay()
	if s.dice(30) == 0 {
		return core.Ledger{}, errBroken
	}
	return l, err
}

func (s *weather) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	s.delay()
	if s.dice(4) == 0 {
		return core.Batch{}, errBroken
	}
	gap := after != "" && s.dice(8) == 0
	if gap {
		after = ""
	}
	b, err := s.Store.Tail(ctx, after, wait)
	b.Reset = b.Reset || gap
	s.delay()
	return b, err
}

// issue is an access token of a history.
type issue struct {
	core.Pair
	dead []death // guarded by record.mu
}

// death says from when a token is no good: in the process in which a call ended
// it, for requests that come after that call; elsewhere from a time.
type death struct {
	process   int
	after     uint64 // by record.order
	from      time.Time
	elsewhere time.Time
}

// record is a history.
type record struct {
	t         *testing.T
	staleness time.Duration
	auths     [2]*house
	order     atomic.Uint64

	mu        sync.Mutex
	tokens    []*issue
	bystander []*issue // nothing ever ends them
	after     int      // requests that came after a death in that process
	apart     int      // in the other, in time to be let in
	late      int      // in the other, later than that
}

type callKey struct{}

// call makes a call in a process and returns what it audited.
func (r *record) call(process int, do func(ctx context.Context, a *core.Auth)) []core.Event {
	var mu sync.Mutex
	var events []core.Event
	ctx := context.WithValue(r.t.Context(), callKey{}, func(e core.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	})
	do(ctx, r.auths[process].Auth)
	mu.Lock()
	defer mu.Unlock()
	return events
}

func auditCall(ctx context.Context, e core.Event) {
	if add, ok := ctx.Value(callKey{}).(func(core.Event)); ok {
		add(e)
	}
}

// ends notes that a call has returned that ended some of the tokens.
func (r *record) ends(process int, from time.Time, which func(*issue) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	d := death{process, r.order.Add(1), from, now.Add(r.staleness)}
	if from.After(d.elsewhere) {
		d.elsewhere = from
	}
	for _, k := range r.tokens {
		if which(k) {
			k.dead = append(k.dead, d)
		}
	}
}

func (r *record) keep(p core.Pair) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens = append(r.tokens, &issue{Pair: p})
}

func (r *record) pick(rnd *mathrand.Rand) *issue {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tokens[rnd.IntN(len(r.tokens))]
}

// verify presents a token and checks the answer by what had returned before.
func (r *record) verify(process int, k *issue, good bool) {
	r.mu.Lock()
	came, at := r.order.Add(1), time.Now()
	dead := k.dead
	r.mu.Unlock()
	was := r.auths[process].Health()
	_, err := r.auths[process].Verify(r.t.Context(), k.AccessToken)
	is := r.auths[process].Health()
	// Once the weather is so bad that the store counts as away, tokens pass by what is
	// known here alone.
	away := was.Mode != core.ModeNormal || is.Mode != core.ModeNormal || was.Outages != is.Outages
	if err != nil && !errors.Is(err, core.ErrTokenRevoked) && !errors.Is(err, core.ErrStoreUnavailable) || good && errors.Is(err, core.ErrTokenRevoked) {
		r.t.Errorf("process %d: %s, %v", process, k.UserID, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range dead {
		here := d.process == process && d.after < came && !at.Before(d.from)
		late := at.After(d.elsewhere) && !away
		switch {
		case err == nil && (here || late):
			r.t.Errorf("process %d let %s in at %v: ended in process %d, from %v, elsewhere from %v",
				process, k.UserID, at.Format(".000000000"), d.process, d.from.Format("05.000000000"), d.elsewhere.Format("05.000000000"))
		case here:
			r.after++
		case late:
			r.late++
		default:
			r.apart++
		}
	}
}

// deed makes a call that ends tokens.
func (r *record) deed(process int, rnd *mathrand.Rand) {
	k := r.pick(rnd)
	r.mu.Lock()
	known := map[core.ID]bool{} // sessions of the user that had begun before the call
	for _, o := range r.tokens {
		if o.UserID == k.UserID {
			known[o.Session.ID] = true
		}
	}
	r.mu.Unlock()
	session := func(o *issue) bool { return o.Session.ID == k.Session.ID }
	token := func(o *issue) bool { return o == k }
	everything := func(o *issue) bool { return known[o.Session.ID] }
	others := func(o *issue) bool { return known[o.Session.ID] && o.Session.ID != k.Session.ID }
	var ended func(*issue) bool
	var more []core.Pair
	retired := func(p core.Pair) { // whatever older tokens the session had
		r.ends(process, time.Time{}, func(o *issue) bool { return session(o) && o.Session.Serial < p.Session.MinSerial })
		if from := p.Session.RetireAt; !from.IsZero() {
			r.ends(process, from, func(o *issue) bool { return session(o) && o.Session.Serial < p.Session.Serial })
		}
	}
	events := r.call(process, func(ctx context.Context, a *core.Auth) {
		switch rnd.IntN(14) {
		case 0:
			if err := a.Revoke(ctx, k.UserID, k.Session.ID, core.ReasonRevoked); err == nil || errors.Is(err, core.ErrSessionNotFound) {
				ended = session
			}
		case 1:
			if _, err := a.RevokeOthers(ctx, k.UserID, k.Session.ID, core.ReasonRevoked); err == nil {
				ended = others
			}
		case 2:
			if _, err := a.RevokeAll(ctx, k.UserID, core.ReasonRevoked); err == nil {
				ended = everything
			}
		case 3:
			if err := a.Forget(ctx, k.UserID); err == nil {
				ended = everything
			}
		case 4:
			if _, err := a.Trim(ctx, k.UserID, 0); err == nil {
				ended = everything
			}
		case 5:
			switch _, err := a.RevokeToken(ctx, k.AccessToken); {
			case err == nil:
				ended = token
			case errors.Is(err, core.ErrTokenNotFound):
				ended = session
			}
		case 6:
			if _, err := a.RevokeToken(ctx, k.RefreshToken); err == nil || errors.Is(err, core.ErrTokenNotFound) {
				ended = session
			}
		case 7:
			if _, err := a.SignOut(ctx, k.RefreshToken); err == nil {
				ended = session
			}
		case 8:
			if _, err := a.SignOutAll(ctx, k.AccessToken); err == nil {
				ended = everything
			}
		case 9, 10:
			if p, err := a.SignIn(ctx, core.SignInRequest{Identity: core.Identity{UserID: k.UserID}}); err == nil {
				more = append(more, p)
			}
		default:
			if p, err := a.Refresh(ctx, core.RefreshRequest{Token: k.RefreshToken}); err == nil {
				more = append(more, p)
			}
		}
	})
	if ended != nil {
		r.ends(process, time.Time{}, ended)
	}
	for _, e := range events { // evicted, or a spent token came back
		switch e.Name {
		case core.EventSessionEnded:
			r.ends(process, time.Time{}, func(o *issue) bool { return o.Session.ID == e.Session })
		case core.EventRefreshed:
			for _, p := range more {
				retired(p)
			}
		}
	}
	for _, p := range more {
		r.keep(p)
	}
}

// P17: what has ended is let in no more, here at once, elsewhere within
// MaxStaleness; and what has not is not refused.
func TestProofRevokedStaysOut(t *testing.T) {
	var after, apart, late int
	rounds := proofOr(3000, 60)
	for n := range rounds {
		synctest.Test(t, func(t *testing.T) {
			store := memstore.New()
			rnd := mathrand.New(mathrand.NewPCG(uint64(n), 3))
			r := &record{t: t, staleness: time.Second}
			var stores [2]*weather
			for i := range stores {
				stores[i] = &weather{Store: store, rnd: mathrand.New(mathrand.NewPCG(uint64(n), uint64(10+i)))}
				stores[i].calm.Store(true)
				r.auths[i] = open(t, stores[i], func(c *core.Config) {
					c.MaxStaleness, c.StoreTimeout, c.Audit = r.staleness, 10*time.Second, auditCall
					c.RetireAccess = []time.Duration{0, core.AtOnce, 700 * time.Millisecond}[n%3]
					c.MaxRevocations = []int{0, 2}[n/3%2]
					c.TokenCacheBytes = []int{0, -1}[n/6%2]
					c.Grace, c.MaxSessions = core.NoGrace, 3
				})
			}
			settled := n/12%2 == 0 // else no feed vouches for anything that was not loaded
			if settled {
				settle(r.auths[0])
			}
			for user := range 3 {
				for range 2 {
					p := r.auths[0].signIn(fmt.Sprint("user-", user))
					r.keep(p)
				}
			}
			r.bystander = []*issue{{Pair: r.auths[0].signIn("bystander")}, {Pair: r.auths[1].signIn("bystander")}}
			elapse(time.Second)
			for i := range stores {
				stores[i].calm.Store(false)
			}
			var racers sync.WaitGroup
			for g := range 4 {
				seed := rnd.Uint64()
				racers.Go(func() {
					rnd := mathrand.New(mathrand.NewPCG(seed, 1))
					for range 6 {
						<-time.After(time.Duration(rnd.IntN(int(time.Second))))
						r.deed(g%2, rnd)
					}
				})
			}
			for g := range 8 {
				seed := rnd.Uint64()
				racers.Go(func() {
					rnd := mathrand.New(mathrand.NewPCG(seed, 2))
					for i := range 60 {
						if rnd.IntN(3) > 0 {
							<-time.After(time.Duration(rnd.IntN(int(200 * time.Millisecond))))
						}
						if i%10 == 0 {
							r.verify(g%2, r.bystander[rnd.IntN(2)], true)
							continue
						}
						r.verify(g%2, r.pick(rnd), false)
					}
				})
			}
			racers.Wait()
			for i := range stores {
				stores[i].calm.Store(true)
			}
			elapse(5 * time.Second)
			for _, k := range r.tokens {
				for process := range r.auths {
					r.verify(process, k, false)
				}
			}
			for _, k := range r.bystander {
				for _, h := range r.auths {
					h.expectVerify(k.Pair, nil)
				}
			}
			after, apart, late = after+r.after, apart+r.apart, late+r.late
		})
		if t.Failed() {
			t.Fatalf("history %d", n)
		}
	}
	t.Logf("%d histories; requests with what had ended: %d in the process that ended it, %d in the other after MaxStaleness, %d before", rounds, after, late, apart)
	if after == 0 || apart == 0 || late == 0 {
		t.Error("the histories show nothing")
	}
}
