package core_test

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// Histories of refresh, verify and revoke from several goroutines over two
// Auths on one store must be linearizable: explained by some order in which
// each call happens at one moment between its beginning and its end.

type call struct {
	do  string // refresh, verify, revoke
	gen uint64 // refresh: what was presented
}

type answer struct {
	err error
	gen uint64 // refresh: of the token in the answer
}

// register is one session, as a client sees it.
type register struct {
	ended bool
	gen   uint64
	moved bool // within the grace period: time stands still in these histories
}

// sessionModel is what calls do to a session, one after another.
func sessionModel(strict bool) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return register{gen: 1} },
		Step: func(state, input, output any) (bool, any) {
			s, in, out := state.(register), input.(call), output.(answer)
			is := func(want error) bool { return errors.Is(out.err, want) && (want != nil || out.err == nil) }
			switch {
			case in.do == "verify" && s.ended:
				return is(core.ErrTokenRevoked), s
			case in.do == "verify":
				return is(nil), s
			case in.do == "revoke" && s.ended:
				return is(core.ErrSessionNotFound), s
			case in.do == "revoke":
				s.ended = true
				return is(nil), s
			case s.ended:
				return is(core.ErrSessionEnded), s
			case in.gen == s.gen && s.moved && !strict:
				return is(nil) && out.gen == s.gen, s
			case in.gen == s.gen:
				s.gen, s.moved = s.gen+1, true
				return is(nil) && out.gen == s.gen, s
			case in.gen == s.gen-1 && !strict:
				return is(nil) && out.gen == s.gen, s
			default:
				s.ended = true
				return is(core.ErrRefreshTokenReused), s
			}
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprint(input, " ", output) },
	}
}

// shuffled is a store that lets others in at every turn.
type shuffled struct{ core.Store }

func (s shuffled) Load(ctx context.Context, user string) (core.Ledger, error) {
	runtime.Gosched()
	l, err := s.Store.Load(ctx, user)
	runtime.Gosched()
	return l, err
}

func (s shuffled) Commit(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
	runtime.Gosched()
	l, err := s.Store.Commit(ctx, user, c)
	runtime.Gosched()
	return l, err
}

// history has goroutines make calls on a new session and returns what came out.
// Between processes verify asks the store, since a feed brings news later.
func history(t *testing.T, auths [2]*core.Auth, user string, revokes bool, seed uint64) []porcupine.Operation {
	t.Helper()
	const goroutines, calls = 4, 4
	first, err := auths[0].SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}})
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu     sync.Mutex
		held   = []core.Pair{first}
		ops    []porcupine.Operation
		began  = time.Now()
		start  = make(chan struct{})
		racers sync.WaitGroup
	)
	for g := range goroutines {
		racers.Go(func() {
			rnd := mathrand.New(mathrand.NewPCG(seed, uint64(g)))
			auth := auths[g%2]
			<-start
			for range calls {
				mu.Lock()
				pair := held[rnd.IntN(len(held))]
				mu.Unlock()
				in := call{do: "refresh", gen: pair.Session.Gen}
				switch n := rnd.IntN(16); {
				case n < 3:
					in = call{do: "verify"}
				case n == 3 && revokes:
					in = call{do: "revoke"}
				}
				var out answer
				from := time.Since(began)
				switch in.do {
				case "refresh":
					var p core.Pair
					p, out.err = auth.Refresh(t.Context(), core.RefreshRequest{Token: pair.RefreshToken})
					if out.err == nil {
						out.gen = p.Session.Gen
						mu.Lock()
						held = append(held, p)
						mu.Unlock()
					}
				case "verify":
					verify := auth.Verify
					if auths[0] != auths[1] {
						verify = auth.VerifyAlone
					}
					_, out.err = verify(t.Context(), pair.AccessToken)
				case "revoke":
					out.err = auth.Revoke(t.Context(), user, first.Session.ID, core.ReasonRevoked)
				}
				to := time.Since(began)
				mu.Lock()
				ops = append(ops, porcupine.Operation{ClientId: g, Input: in, Call: int64(from), Output: out, Return: int64(to)})
				mu.Unlock()
			}
		})
	}
	close(start)
	racers.Wait()
	return ops
}

// linearAuths returns two Auths on one store, at a time that stands still.
func linearAuths(t *testing.T, store core.Store, strict bool) [2]*core.Auth {
	w := newWorld(t, 5, func(c *core.Config) {
		c.Random = nil
		if strict {
			c.Grace = core.NoGrace
		}
	})
	w.gate.Store = store
	return w.auths
}

// P10, P17: refresh, verify and revoke are atomic, with a grace period and
// without, in one process and over two.
func TestProofLinearizable(t *testing.T) {
	histories := 200
	if os.Getenv("SALLYPORT_PROOF") != "" {
		histories = 10_000
	}
	for n := range 4 {
		strict, alone := n%2 == 1, n/2 == 1
		model := sessionModel(strict)
		auths := linearAuths(t, shuffled{memstore.New()}, strict)
		if alone {
			auths[1] = auths[0]
		}
		for n := range histories {
			ops := history(t, auths, fmt.Sprintf("user-%d", n), n%2 == 0, uint64(n))
			if alone {
				// The promise begins when a revoke returns. A refresh may learn of
				// one from the store before that.
				ops = slices.DeleteFunc(ops, func(op porcupine.Operation) bool {
					return errors.Is(op.Output.(answer).err, core.ErrSessionEnded)
				})
			}
			if !porcupine.CheckOperations(model, ops) {
				for _, op := range ops {
					t.Log(op.ClientId, op.Call, op.Return, op.Input, op.Output)
				}
				t.Fatalf("strict %v, alone %v: history %d is not linearizable", strict, alone, n)
			}
		}
		t.Logf("strict %v, alone %v: %d histories", strict, alone, histories)
	}
}

// A store without compare-and-swap has to be caught.
func TestLinearizabilityFinds(t *testing.T) {
	model := sessionModel(true)
	blind := &gate{Store: memstore.New(), blind: true}
	auths := linearAuths(t, shuffled{blind}, true)
	for n := range 5000 {
		if !porcupine.CheckOperations(model, history(t, auths, fmt.Sprintf("user-%d", n), true, uint64(n))) {
			t.Logf("history %d is not linearizable", n)
			return
		}
	}
	t.Error("blind commits passed for linearizable")
}
