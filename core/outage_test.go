package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// fragile is a store that several processes share. It can be away for each of them, and
// lose what it has acknowledged.
type fragile struct {
	mu      sync.Mutex
	store   *memstore.Store
	commits []committed
	unseen  bool // that it fell back shows in no cursor that is not behind its end
}

type committed struct {
	user   string
	change core.Change
}

func newFragile() *fragile { return &fragile{store: memstore.New()} }

// fallBack has the store lose its last commits, as a failover does to a replica that
// was behind; all: it is emptied, and begins another epoch.
func (f *fragile) fallBack(lose int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.store = memstore.New()
	f.commits = f.commits[:max(0, len(f.commits)-lose)]
	for _, c := range f.commits {
		if _, err := f.store.Commit(context.Background(), c.user, c.change); err != nil {
			panic(err)
		}
	}
}

func (f *fragile) now() *memstore.Store {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.store
}

// link is a process's connection to a store.
type link struct {
	*fragile
	mu   sync.Mutex
	cut  error // what every call fails with
	deaf bool  // the feed alone can't be read
	// reply is called once, when the next commit has taken place: its reply is lost.
	reply func()
}

// loseReply has the next commit's reply lost, after something else happened.
func (l *link) loseReply(first func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reply = first
}

func (f *fragile) link() *link { return &link{fragile: f} }

func (l *link) away(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = err
}

func (l *link) down() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

func (l *link) Load(ctx context.Context, user string) (core.Ledger, error) {
	if err := l.down(); err != nil {
		return core.Ledger{}, err
	}
	return l.now().Load(ctx, user)
}

func (l *link) Commit(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
	if err := l.down(); err != nil {
		return core.Ledger{}, err
	}
	l.fragile.mu.Lock() // the commits in their order
	stands, err := l.store.Commit(ctx, user, c)
	if err == nil {
		l.commits = append(l.commits, committed{user, c})
	}
	l.fragile.mu.Unlock()
	l.mu.Lock()
	reply := l.reply
	l.reply = nil
	l.mu.Unlock()
	if reply != nil && err == nil {
		reply()
		return core.Ledger{}, errBroken
	}
	return stands, err
}

func (l *link) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	if err := l.down(); err != nil {
		return core.Batch{}, err
	}
	l.mu.Lock()
	deaf := l.deaf
	l.mu.Unlock()
	if deaf {
		return core.Batch{}, errBroken
	}
	store := l.now()
	if l.unseen {
		var err error
		if after, err = translated(store, after); err != nil {
			return core.Batch{}, err
		}
	}
	b, err := store.Tail(ctx, after, wait)
	if down := l.down(); down != nil {
		return core.Batch{}, down
	}
	return b, err
}

// translated returns a cursor of an earlier life of a store as one of this, unless it is
// behind its end. Only a test may know that a memstore's is a name and a position.
func translated(store *memstore.Store, after core.Cursor) (core.Cursor, error) {
	_, at, ok := strings.Cut(string(after), ".")
	if !ok {
		return after, nil
	}
	all, err := store.Tail(context.Background(), "", 0)
	if err != nil {
		return "", err
	}
	name, end, _ := strings.Cut(string(all.Next), ".")
	was, _ := strconv.ParseUint(at, 10, 64)
	if last, _ := strconv.ParseUint(end, 10, 64); was > last {
		return after, nil
	}
	return core.Cursor(name + "." + at), nil
}

func memoryServed(c *core.Config) { c.ServeFromMemory = true }

func (h *house) expectMode(want core.Mode) {
	h.t.Helper()
	if got := h.Health().Mode; got != want {
		h.t.Errorf("mode %s, want %s", got, want)
	}
}

// D3, D4: without the store access tokens go on for MaxDegraded, by what is known
// here, and then nobody comes in; refreshes, sign-ins and strict guards answer 503 at
// once. When the store is back all is as before.
func TestOutageRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := newFragile().link()
		var modes []string
		h := open(t, link, func(c *core.Config) {
			c.MaxDegraded = 10 * time.Minute
			c.OnMode = func(m core.ModeChange) { modes = append(modes, fmt.Sprint(m.From, " ", m.To, " ", m.Err != nil)) }
		})
		settle(h)
		p, dead := h.signIn("alice"), h.signIn("alice")
		bob := h.signIn("bob")
		if err := h.Revoke(t.Context(), "alice", dead.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		elapse(time.Second)
		h.trail.take()
		link.away(errBroken)
		for range 30 { // the lease lapses, and long after
			elapse(10 * time.Second)
			h.expectVerify(p, nil)
			h.expectVerify(bob, nil)
			h.expectVerify(dead, core.ErrTokenRevoked)
		}
		h.expectMode(core.ModeDegraded)
		if _, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "carol"}}); !errors.Is(err, core.ErrStoreUnavailable) {
			t.Errorf("sign-in: %v", err)
		}
		h.expectRefresh(p, core.ErrStoreUnavailable)
		expectDecision(t, "strict", h.Guard(core.Strict()).Check(bearing(p.AccessToken)), "", core.ErrStoreUnavailable, "")
		if hh := h.Health(); !hh.Degraded || hh.Outages != 1 || hh.FeedAge < 5*time.Minute || time.Since(hh.Since) > 5*time.Minute+time.Second {
			t.Errorf("health %+v", hh)
		}
		elapse(5 * time.Minute)
		h.expectMode(core.ModeClosed)
		h.expectVerify(p, core.ErrStoreUnavailable)
		h.expectVerify(dead, core.ErrTokenRevoked)
		link.away(nil)
		elapse(time.Second)
		h.expectMode(core.ModeNormal)
		h.expectVerify(p, nil)
		h.expectVerify(h.expectRefresh(p, nil), nil)
		if want := []string{"normal degraded true", "degraded closed true", "closed normal false"}; !slices.Equal(modes, want) {
			t.Errorf("modes %q, want %q", modes, want)
		}
		if n := countOf(h.trail.take(), "mode_changed"); n != 3 {
			t.Errorf("%d changes of mode were audited", n)
		}
	})
}

func countOf(list []string, word string) (n int) {
	for _, w := range list {
		if w == word {
			n++
		}
	}
	return n
}

// A process that starts while the store is away knows nothing: it lets nobody in, and
// serves when the store comes.
func TestOutageAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		before := open(t, store.link())
		settle(before)
		p := before.signIn("alice")
		away := store.link()
		away.away(errBroken)
		h := open(t, away)
		elapse(time.Second)
		h.expectMode(core.ModeDegraded)
		h.expectVerify(p, core.ErrStoreUnavailable)
		h.expectRefresh(p, core.ErrStoreUnavailable)
		away.away(nil)
		elapse(time.Second)
		h.expectMode(core.ModeNormal)
		h.expectVerify(p, nil)
		h.expectRefresh(p, nil)
	})
}

// A store that hangs costs a request nothing once that was noticed (D8), and its
// return is noticed as soon.
func TestOutageThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &hanging{tap: newTap()}
		h := open(t, store, func(c *core.Config) { c.StoreTimeout = 700 * time.Millisecond })
		settle(h)
		p := h.signIn("alice")
		elapse(time.Second)
		store.hangs.Store(true)
		store.set(func(call string, do func() error) error {
			if store.hangs.Load() {
				<-time.After(700 * time.Millisecond)
				return context.DeadlineExceeded
			}
			return do()
		})
		elapse(5 * time.Second)
		begin := time.Now()
		for range 10 {
			h.expectVerify(p, nil)
			h.expectRefresh(p, core.ErrStoreUnavailable)
			if err := h.Revoke(t.Context(), "bob", core.ID{9}, core.ReasonRevoked); !errors.Is(err, core.ErrNotDurable) {
				t.Error(err)
			}
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("30 calls waited for %v", took)
		}
		store.hangs.Store(false)
		store.set(nil)
		elapse(2 * time.Second)
		h.expectMode(core.ModeNormal)
		h.expectRefresh(p, nil)
	})
}

// A feed that can't be read is no outage: the store is asked.
func TestFeedAloneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store)
		settle(h)
		p := h.signIn("alice")
		elapse(time.Second)
		store.set(func(call string, do func() error) error {
			if call == "tail" {
				return errBroken
			}
			return do()
		})
		elapse(time.Minute)
		h.expectMode(core.ModeNormal)
		h.expectVerify(h.refresh(p), nil)
		if !h.Health().Degraded {
			t.Error("nothing to see")
		}
		store.set(nil)
		elapse(time.Second)
	})
}

// D1, P18: a store that has lost revocations which it acknowledged is told them again
// by a process that knows. Until then that process enforces them, for guards and
// refreshes; then everybody does.
func TestStoreFallsBack(t *testing.T) {
	for _, lose := range []int{1, 2, 3, 4, 100} { // 100: it is empty
		t.Run(fmt.Sprint("lost ", lose), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newFragile()
				here := store.link()
				h := open(t, here)
				settle(h)
				kept := h.signIn("bob")
				p, q, one := h.signIn("alice"), h.signIn("alice"), h.signIn("carol")
				elapse(2 * time.Minute)
				if _, err := h.RevokeToken(t.Context(), one.AccessToken); err != nil {
					t.Fatal(err)
				}
				for _, s := range []core.Pair{p, q} {
					if err := h.Revoke(t.Context(), "alice", s.Session.ID, core.ReasonRevoked); err != nil {
						t.Fatal(err)
					}
				}
				last := h.signIn("dave")
				elapse(time.Second)
				store.fallBack(lose)
				revived := func(who *house) {
					t.Helper()
					for _, s := range []core.Pair{p, q} {
						who.expectVerify(s, core.ErrTokenRevoked)
						who.expectRefresh(s, core.ErrSessionEnded)
					}
					who.expectVerify(one, core.ErrTokenRevoked)
				}
				revived(h) // at once
				elapse(2 * time.Second)
				other := open(t, store.link()) // knows nothing
				elapse(time.Second)
				revived(other)
				revived(h)
				if lose < 100 {
					h.expectVerify(kept, nil)
					h.expectVerify(h.expectRefresh(kept, nil), nil)
					if lose == 1 {
						h.expectRefresh(last, core.ErrSessionEnded) // it never was, for the store
					}
				} else {
					h.expectRefresh(kept, core.ErrSessionEnded) // data loss ends in refusal
				}
				if hh := h.Health(); hh.Degraded {
					t.Errorf("health %+v", hh)
				}
			})
		})
	}
}

// D6: what has no room is refused and not enforced, and nothing is dropped.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := newFragile().link()
		h := open(t, link, func(c *core.Config) { c.MaxQueued = 2 })
		settle(h)
		var pairs []core.Pair
		for range 3 {
			pairs = append(pairs, h.signIn("alice"))
		}
		elapse(time.Second)
		link.away(errBroken)
		elapse(3 * time.Second)
		for i, p := range pairs {
			for range 2 { // the same again takes no room
				err := h.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked)
				if !errors.Is(err, core.ErrStoreUnavailable) || errors.Is(err, core.ErrNotDurable) != (i < 2) {
					t.Errorf("revocation %d: %v", i, err)
				}
			}
		}
		h.expectVerify(pairs[0], core.ErrTokenRevoked)
		h.expectVerify(pairs[1], core.ErrTokenRevoked)
		h.expectVerify(pairs[2], nil)
		if n := h.Health().Queued; n != 2 {
			t.Errorf("%d wait", n)
		}
		link.away(nil)
		elapse(time.Second)
		h.expectCount("alice", 1)
	})
}

// D2: without a ledger "all sessions" are those that began before, whoever has begun
// them since then; the one that stays stays.
func TestRevokeAllWithoutAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		link := store.link()
		h, there := open(t, link), open(t, store.link())
		settle(h)
		settle(there)
		before, keep := h.signIn("alice"), h.signIn("alice")
		unknown := there.signIn("alice")
		elapse(time.Minute)
		link.away(errBroken)
		elapse(5 * time.Second)
		if _, err := h.RevokeOthers(t.Context(), "alice", keep.Session.ID, core.ReasonPasswordChanged); !errors.Is(err, core.ErrNotDurable) {
			t.Fatal(err)
		}
		elapse(20 * time.Second)
		after := there.signIn("alice")
		rotated := there.expectRefresh(unknown, nil) // elsewhere nobody knows yet
		check := func(who *house) {
			t.Helper()
			who.expectVerify(before, core.ErrTokenRevoked)
			who.expectVerify(unknown, core.ErrTokenRevoked)
			who.expectVerify(rotated, core.ErrTokenRevoked)
			who.expectVerify(keep, nil)
			who.expectVerify(after, nil)
		}
		check(h)
		link.away(nil)
		elapse(3 * time.Second)
		check(h)
		check(there)
		h.expectCount("alice", 2)
	})
}

// D1: a revocation is lost before the feed has brought it even to the process that made
// it, so that no reader misses anything: it is told again all the same.
func TestStoreLosesWhatNobodyRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		store.unseen = true
		link := store.link()
		h := open(t, link)
		settle(h)
		p, kept := h.signIn("alice"), h.signIn("alice")
		elapse(2 * time.Minute)
		link.mu.Lock()
		link.deaf = true
		link.mu.Unlock()
		elapse(time.Second)
		if err := h.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		store.fallBack(1)
		link.mu.Lock()
		link.deaf = false
		link.mu.Unlock()
		elapse(3 * time.Second)
		other := open(t, store.link())
		elapse(time.Second)
		for _, who := range []*house{other, h} {
			who.expectRefresh(p, core.ErrSessionEnded)
			who.expectVerify(p, core.ErrTokenRevoked)
			who.expectVerify(kept, nil)
		}
		if hh := h.Health(); hh.Degraded {
			t.Errorf("health %+v", hh)
		}
	})
}
