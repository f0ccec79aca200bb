package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// kit is what one run of a case works with. Its methods are safe to call
// concurrently.
type kit struct {
	ctx   context.Context
	store core.Store
	now   time.Time // UTC, to the second, so that only some cases depend on more

	mu      sync.Mutex
	seen    []string
	skipped string
	ticks   int64
	made    map[string]int // the revocations of this case, numbered from 1
	users   map[int]string // whose they are, of those that were committed
}

func newKit(ctx context.Context, store core.Store) *kit {
	now := time.Now().UTC().Truncate(time.Second)
	return &kit{ctx: ctx, store: store, now: now, made: map[string]int{}, users: map[int]string{}}
}

// stop ends a case, or a goroutine of one, from within.
type stop struct{}

// guarded runs f and returns when it is done or stopped.
func (k *kit) guarded(f func()) {
	defer func() {
		if r := recover(); r != nil && r != (stop{}) {
			panic(r)
		}
	}()
	f()
}

func (k *kit) errorf(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.seen) < 12 {
		k.seen = append(k.seen, fmt.Sprintf(format, args...))
	}
}

// fatalf ends the goroutine that calls it.
func (k *kit) fatalf(format string, args ...any) {
	k.errorf(format, args...)
	panic(stop{})
}

// skip ends a case that has nothing to check.
func (k *kit) skip(why string) {
	k.skipped = why
	panic(stop{})
}

// stopIfBroken ends the case if anything was seen.
func (k *kit) stopIfBroken() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.seen) > 0 {
		panic(stop{})
	}
}

// parallel runs all functions at once and waits for them.
func (k *kit) parallel(fs ...func()) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for _, f := range fs {
		wg.Go(func() {
			<-begin
			k.guarded(f)
		})
	}
	close(begin)
	wg.Wait()
}

func times(n int, f func()) []func() { return slices.Repeat([]func(){f}, n) }

func newID() core.ID {
	var id core.ID
	rand.Read(id[:]) // never fails
	return id
}

// user returns an id that nobody had before.
func (k *kit) user() string { return "user-" + newID().String() }

// tick returns a time later than the last one, and not in the past.
func (k *kit) tick() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ticks++
	return k.now.Add(time.Duration(k.ticks) * time.Second)
}

// in is a time so many hours from now: far enough from any server's clock.
func (k *kit) in(hours int) time.Time { return k.now.Add(time.Duration(hours) * time.Hour) }

func (k *kit) session() core.Session {
	return core.Session{
		ID: newID(), CreatedAt: k.now, LastSeenAt: k.now,
		ExpiresAt: k.in(24), RefreshExpiresAt: k.in(24), AbsoluteExpiresAt: k.in(24),
		Gen: 1, Serial: 1, Device: core.Device{ID: newID().String()},
	}
}

// revocation returns one that nobody made before.
func (k *kit) revocation() core.Revocation {
	return k.mine(core.Revocation{Session: newID(), MinSerial: core.AllSerials, Until: k.in(24)})
}

// mine makes r one of the revocations that the case looks at.
func (k *kit) mine(r core.Revocation) core.Revocation {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.made[r.Session.String()+r.JTI] = len(k.made) + 1
	return r
}

// number returns which revocation of this case r is; 0: none of them.
func (k *kit) number(r core.Revocation) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.made[r.Session.String()+r.JTI]
}

// change returns one that adds a session to the ledger of a version.
func (k *kit) change(version core.ID, publish ...core.Revocation) core.Change {
	return core.Change{
		ID: newID(), If: version, At: k.tick(), KeepUntil: k.in(48),
		Put: []core.Session{k.session()}, Publish: publish,
	}
}

func (k *kit) load(user string) core.Ledger {
	l, err := k.store.Load(k.ctx, user)
	if err != nil {
		k.fatalf("Load(%s): got error %v, want none", short(user), err)
	}
	return l
}

// commit commits a change that has to succeed.
func (k *kit) commit(user string, c core.Change) {
	k.publishes(user, c)
	if _, err := k.store.Commit(k.ctx, user, c); err != nil {
		k.fatalf("Commit(%s): got error %v, want none", short(user), err)
	}
}

// publishes says whose the revocations of a change are.
func (k *kit) publishes(user string, c core.Change) {
	for _, r := range c.Publish {
		n := k.number(r)
		k.mu.Lock()
		k.users[n] = user
		k.mu.Unlock()
	}
}

// byUser puts revocations of one user beside each other, in the order that they have.
func (k *kit) byUser(events []core.Revocation) []core.Revocation {
	first := map[string]int{} // of each user, the lowest number
	user := func(r core.Revocation) string {
		n := k.number(r)
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.users[n]
	}
	for _, r := range events {
		if n, u := k.number(r), user(r); first[u] == 0 || n < first[u] {
			first[u] = n
		}
	}
	sorted := slices.Clone(events)
	slices.SortStableFunc(sorted, func(a, b core.Revocation) int { return first[user(a)] - first[user(b)] })
	return sorted
}

// conflict commits a change that has to be refused with what stands.
func (k *kit) conflict(user string, c core.Change, stands core.Ledger) {
	got, err := k.store.Commit(k.ctx, user, c)
	if k.isConflict(err) {
		k.same("the ledger that Commit returned with ErrConflict", got, stands)
	}
}

func (k *kit) isConflict(err error) bool {
	is := errors.Is(err, core.ErrConflict)
	if !is {
		k.errorf("Commit: got error %v, want ErrConflict", err)
	}
	return is
}

// stands says what the ledger of a user is to be.
func (k *kit) stands(user string, want core.Ledger) {
	k.same("the ledger of "+short(user), k.load(user), want)
}

// same compares two ledgers, whose lists of structs have no order.
func (k *kit) same(what string, got, want core.Ledger) {
	d := differences(sorted(got), sorted(want))
	for i := range min(len(d), 3) {
		k.errorf("%s: %s", what, d[i])
	}
	if more := len(d) - 3; more > 0 {
		k.errorf("%s: and %d more", what, more)
	}
}

func (k *kit) tail(after core.Cursor, wait time.Duration) core.Batch {
	b, err := k.store.Tail(k.ctx, after, wait)
	if err != nil {
		k.fatalf("Tail: got error %v, want none", err)
	}
	return b
}

// end is where the feed ends now.
func (k *kit) end() core.Cursor { return k.tail("", 0).Next }

// ours are the revocations of this case.
func (k *kit) ours(events []core.Revocation) []core.Revocation {
	return slices.DeleteFunc(slices.Clone(events), func(r core.Revocation) bool { return k.number(r) == 0 })
}

// published says which revocations of this case are to follow a cursor, those of
// one user in this order, each once. It returns where the feed ends then.
func (k *kit) published(after core.Cursor, want ...core.Revocation) core.Cursor {
	b := k.tail(after, 0)
	if b.Reset && after != "" {
		k.errorf("Tail after the Next of an earlier Tail: got Reset, want the rest of the feed")
	}
	k.sameEvents("the feed", b.Events, want)
	return b.Next
}

func (k *kit) sameEvents(what string, events, all []core.Revocation) {
	got, want := k.byUser(k.ours(events)), k.byUser(all)
	g, w := k.numbers(got), k.numbers(want)
	if !slices.Equal(g, w) {
		at := 0
		for at < min(len(g), len(w)) && g[at] == w[at] {
			at++
		}
		k.errorf("%s: got %d revocations, want %d; from place %d on got %s, want %s",
			what, len(g), len(w), at, clip(fmt.Sprint(g[at:])), clip(fmt.Sprint(w[at:])))
		return
	}
	for _, d := range differences(got, want) {
		k.errorf("%s: %s", what, d)
	}
}

func (k *kit) numbers(events []core.Revocation) []int {
	list := make([]int, len(events))
	for i, r := range events {
		list[i] = k.number(r)
	}
	return list
}

// revocations returns several, numbered in their order.
func (k *kit) revocations(n int) []core.Revocation {
	list := make([]core.Revocation, n)
	for i := range list {
		list[i] = k.revocation()
	}
	return list
}

// distinct returns how many different values a list has.
func distinct[T comparable](list []T) int {
	set := map[T]struct{}{}
	for _, v := range list {
		set[v] = struct{}{}
	}
	return len(set)
}
