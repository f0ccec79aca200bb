package core_test

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// ward is a session of the tests below, and which processes were told that it has ended.
type ward struct {
	user    string
	begun   int // at this process
	mu      sync.Mutex
	pairs   []core.Pair // the newest last
	ended   [2]atomic.Bool
	anybody atomic.Bool // one of them was told
}

func (w *ward) newest() core.Pair {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pairs[len(w.pairs)-1]
}

// asylum is two processes on one store that comes and goes.
type asylum struct {
	t      *testing.T
	auths  [2]*core.Auth
	mu     sync.Mutex
	wards  map[string][]*ward // by user
	memory bool               // one or both serve from memory
	passes atomic.Int64
	leaks  atomic.Int64
}

func (a *asylum) of(user string) []*ward {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*ward(nil), a.wards[user]...)
}

func (a *asylum) admit(user string, process int, p core.Pair) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wards[user] = append(a.wards[user], &ward{user: user, begun: process, pairs: []core.Pair{p}})
	if n := len(a.wards[user]); n > 40 {
		a.wards[user] = a.wards[user][n-40:]
	}
}

// queued reports whether a revocation is enforced here and waits. Those that are stored
// are told by their audit records, session by session.
func queued(err error) bool { return errors.Is(err, core.ErrNotDurable) }

func end(process int, wards ...*ward) {
	for _, w := range wards {
		w.ended[process].Store(true)
		w.anybody.Store(true)
	}
}

// hear marks what a process says to have ended.
func (a *asylum) hear(process int, e core.Event) {
	if e.Name != core.EventSessionEnded {
		return
	}
	for _, w := range a.of(e.UserID) {
		if w.newest().Session.ID == e.Session {
			end(process, w)
		}
	}
}

// do makes one call at random, and checks that nobody comes in who must not.
func (a *asylum) do(rnd *mathrand.Rand, user string) {
	ctx, process := context.Background(), rnd.IntN(2)
	auth, wards := a.auths[process], a.of(user)
	if len(wards) == 0 || rnd.IntN(12) == 0 {
		if p, err := auth.SignIn(ctx, core.SignInRequest{Identity: core.Identity{UserID: user}}); err == nil {
			a.admit(user, process, p)
		}
		return
	}
	w := wards[rnd.IntN(len(wards))]
	all := func(but *ward) (those []*ward) {
		for _, o := range wards {
			// What another process has in memory is known there alone, until it is joined.
			if o != but && (!a.memory || o.begun == process) {
				those = append(those, o)
			}
		}
		return those
	}
	p := w.newest()
	ended := w.ended[process].Load()
	passed := func(what string) {
		a.passes.Add(1)
		if ended {
			a.leaks.Add(1)
			a.t.Errorf("process %d: %s of session %v passes after it was told that it has ended", process, what, p.Session.ID)
		}
	}
	switch n := rnd.IntN(100); {
	case n < 55:
		if _, err := auth.Verify(ctx, p.AccessToken); err == nil {
			passed("an access token")
		}
	case n < 60:
		if _, err := auth.VerifyAlone(ctx, p.AccessToken); err == nil {
			passed("an access token, looked at strictly,")
		}
	case n < 80:
		next, err := auth.Refresh(ctx, core.RefreshRequest{Token: p.RefreshToken})
		if err == nil {
			passed("a refresh token")
			w.mu.Lock()
			w.pairs = append(w.pairs[max(0, len(w.pairs)-1):], next)
			w.mu.Unlock()
		}
	case n < 86:
		if err := auth.Revoke(ctx, user, p.Session.ID, core.ReasonRevoked); queued(err) {
			end(process, w)
		}
	case n < 90:
		if _, err := auth.SignOut(ctx, p.RefreshToken); queued(err) {
			end(process, w)
		}
	case n < 94:
		if _, err := auth.RevokeAll(ctx, user, core.ReasonRevoked); queued(err) {
			end(process, all(nil)...)
		}
	case n < 97:
		if _, err := auth.SignOutAll(ctx, p.AccessToken); queued(err) {
			end(process, w)
		}
	default:
		if _, err := auth.RevokeOthers(ctx, user, p.Session.ID, core.ReasonRevoked); queued(err) {
			end(process, all(w)...)
		}
	}
}

// trouble is what happens to the calls of one process.
type trouble int32

const (
	noTrouble trouble = iota
	allFail
	commitsFail
	loadsFail
	tailsFail
	repliesLost
	allHang
	troubles
)

func (w *wire) trouble(kind *atomic.Int32) {
	lost := errors.New("the reply is lost")
	w.set(func(call, _ string, do func() error) error {
		switch k := trouble(kind.Load()); {
		case k == allFail, k == commitsFail && call == "commit", k == loadsFail && call == "load", k == tailsFail && call == "tail":
			return errBroken
		case k == repliesLost && call != "tail":
			if err := do(); err != nil {
				return err
			}
			return lost
		case k == allHang:
			<-time.After(20 * time.Millisecond)
			return context.DeadlineExceeded
		}
		return do()
	})
}

// D1, D2, P17: whatever the store does, away, falling back, emptied, losing replies: once
// a process was told that a session has ended, by a call that is stored or not, nobody
// comes in with it there any more, and, when the store is back, anywhere.
func TestProofNobodyComesBack(t *testing.T) {
	rounds, long := 3, 300*time.Millisecond
	if os.Getenv("SALLYPORT_PROOF") != "" {
		rounds, long = 40, 3*time.Second
	}
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) { nobodyComesBack(t, uint64(round), long) })
	}
}

func nobodyComesBack(t *testing.T, seed uint64, long time.Duration) {
	a := &asylum{t: t, wards: make(map[string][]*ward), memory: seed%2 == 1}
	store := newFragile()
	// The feed has begun long ago, and vouches.
	ago := time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond)
	if _, err := store.link().Commit(t.Context(), "the first of all", core.Change{ID: core.ID{1}, At: ago, KeepUntil: ago.Add(24 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	var kinds [2]atomic.Int32
	for i := range a.auths {
		w := store.wire()
		w.trouble(&kinds[i])
		auth, err := core.New(core.Config{
			Store: w, Keys: []core.Key{{Secret: testSecret("key")}}, Audit: func(_ context.Context, e core.Event) { a.hear(i, e) },
			MaxStaleness: 100 * time.Millisecond, StoreTimeout: 20 * time.Millisecond,
			MaxSessions: 16, ServeFromMemory: a.memory && (i == 0 || seed%4 == 1),
			Active: func(context.Context, string) (bool, error) { return true, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := auth.Close(); err != nil {
				t.Error(err)
			}
		}()
		a.auths[i] = auth
	}
	var (
		racers sync.WaitGroup
		over   = make(chan struct{})
		users  = []string{"alice", "bob", "carol", "dave"}
	)
	for g := range 8 {
		racers.Go(func() {
			rnd := mathrand.New(mathrand.NewPCG(seed, uint64(g)))
			for {
				select {
				case <-over:
					return
				default:
					a.do(rnd, users[rnd.IntN(len(users))])
				}
			}
		})
	}
	rnd := mathrand.New(mathrand.NewPCG(seed, 100))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(long); time.Now().Before(end); <-tick.C {
		switch n := rnd.IntN(20); {
		case n < 5:
			kinds[rnd.IntN(2)].Store(rnd.Int32N(int32(troubles)))
		case n < 9:
			kinds[rnd.IntN(2)].Store(int32(noTrouble))
		case n < 11:
			store.fallBack(1 + rnd.IntN(10))
		case n == 11 && rnd.IntN(20) == 0:
			store.fallBack(1 << 30)
		}
	}
	close(over)
	racers.Wait()
	for i := range kinds {
		kinds[i].Store(int32(noTrouble))
	}
	for i, auth := range a.auths {
		until(t, fmt.Sprintf("process %d is back", i), func() bool {
			h := auth.Health()
			return h.Mode == core.ModeNormal && h.Queued == 0 && h.Apart == 0 && h.FeedAge >= 0 && h.FeedAge < 100*time.Millisecond
		})
	}
	until(t, "everybody knows", func() bool {
		leaks := 0
		for _, user := range users {
			for _, w := range a.of(user) {
				if !w.anybody.Load() {
					continue
				}
				for _, auth := range a.auths {
					if _, err := auth.Verify(t.Context(), w.newest().AccessToken); err == nil {
						leaks++
					}
				}
			}
		}
		return leaks == 0
	})
	for _, user := range users {
		for _, w := range a.of(user) {
			for i, auth := range a.auths {
				if _, err := auth.Refresh(t.Context(), core.RefreshRequest{Token: w.newest().RefreshToken}); err == nil && w.anybody.Load() {
					t.Errorf("process %d: session %v goes on after all", i, w.newest().Session.ID)
				}
			}
		}
		// The store has little time, and on a machine that is busy not always enough.
		served := func(what string, ask func() error) {
			t.Helper()
			var err error
			until(t, what, func() bool { err = ask(); return !errors.Is(err, core.ErrStoreUnavailable) })
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		var p core.Pair
		served("a new session", func() (err error) {
			p, err = a.auths[0].SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}})
			return err
		})
		for i, auth := range a.auths {
			served(fmt.Sprintf("its access token at process %d", i), func() error {
				_, err := auth.Verify(t.Context(), p.AccessToken)
				return err
			})
			served(fmt.Sprintf("its refresh token at process %d", i), func() error {
				_, err := auth.Refresh(t.Context(), core.RefreshRequest{Token: p.RefreshToken})
				return err
			})
		}
	}
	if a.passes.Load() == 0 {
		t.Error("nobody has ever come in")
	}
	t.Logf("%d passed, %d of them should not have", a.passes.Load(), a.leaks.Load())
}

// until waits for something to become so.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !is(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
