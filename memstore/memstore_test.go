package memstore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/storetest"
	"github.com/sallyport-go/sallyport/memstore"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(testing.TB) core.Store { return memstore.New() })
}

// epoch is when these tests begin; at(n) is n seconds later.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)

func at(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }

var lastID atomic.Uint64

func newID() core.ID {
	var id core.ID
	binary.BigEndian.PutUint64(id[8:], lastID.Add(1))
	return id
}

// change is one for an unknown user, of time at(0), to be kept until at(until).
func change(until int, publish ...core.Revocation) core.Change {
	return core.Change{
		ID: newID(), At: at(0), KeepUntil: at(until), Publish: publish,
		Put: []core.Session{{ID: newID(), ExpiresAt: at(until)}},
	}
}

func revocation(until int) core.Revocation {
	return core.Revocation{Session: newID(), MinSerial: core.AllSerials, Until: at(until)}
}

func commit(t *testing.T, s *memstore.Store, user string, c core.Change) {
	t.Helper()
	if _, err := s.Commit(t.Context(), user, c); err != nil {
		t.Fatalf("Commit(%s): got error %v, want none", user, err)
	}
}

// full commits a change that finds no room, and nothing of which may stay.
func full(t *testing.T, s *memstore.Store, user string, c core.Change) {
	t.Helper()
	before, events := load(t, s, user), tail(t, s, "").Events
	if _, err := s.Commit(t.Context(), user, c); !errors.Is(err, memstore.ErrFull) {
		t.Fatalf("Commit(%s): got error %v, want ErrFull", user, err)
	}
	if got := load(t, s, user).Version; got != before.Version {
		t.Errorf("after ErrFull: got version %v, want %v", got, before.Version)
	}
	if got := tail(t, s, "").Events; len(got) > len(events) {
		t.Errorf("after ErrFull: got %d revocations, want at most %d", len(got), len(events))
	}
}

func load(t *testing.T, s *memstore.Store, user string) core.Ledger {
	t.Helper()
	l, err := s.Load(t.Context(), user)
	if err != nil {
		t.Fatalf("Load(%s): got error %v, want none", user, err)
	}
	return l
}

func tail(t *testing.T, s *memstore.Store, after core.Cursor) core.Batch {
	t.Helper()
	b, err := s.Tail(t.Context(), after, 0)
	if err != nil {
		t.Fatalf("Tail: got error %v, want none", err)
	}
	return b
}

func TestUsersAreBounded(t *testing.T) {
	s := memstore.NewWith(memstore.Options{MaxUsers: 3})
	first := change(10)
	commit(t, s, "a", first)
	commit(t, s, "b", change(20))
	commit(t, s, "c", change(30))
	full(t, s, "d", change(30, revocation(30)))

	// Who is known goes on.
	next := change(10)
	next.If = first.ID
	commit(t, s, "a", next)

	// At the very time until which a ledger is kept it is not over.
	late := change(40)
	late.At = at(10)
	full(t, s, "d", late)
	late.At = at(11)
	commit(t, s, "d", late)
	if got := load(t, s, "a"); !got.Version.IsZero() {
		t.Errorf("got version %v of a user who made way, want none", got.Version)
	}
	for _, user := range []string{"b", "c", "d"} {
		if load(t, s, user).Version.IsZero() {
			t.Errorf("got no ledger of %s, who is not over", user)
		}
	}
	full(t, s, "a", change(40))

	// Who is forgotten makes way, and forgetting needs no room.
	commit(t, s, "nobody", core.Change{ID: newID(), At: at(11), Forget: true})
	commit(t, s, "d", core.Change{ID: newID(), If: late.ID, At: at(11), Forget: true})
	commit(t, s, "a", change(40))
	full(t, s, "d", change(40))
}

func TestUserOfExpiredSessionsKeepsItsPlace(t *testing.T) {
	s := memstore.NewWith(memstore.Options{MaxUsers: 1})
	c := change(30)
	c.Put[0].ExpiresAt = at(1)
	commit(t, s, "a", c)
	late := change(30)
	late.At = at(20)
	full(t, s, "b", late)
}

func TestUsersAreBoundedAtOnce(t *testing.T) {
	const limit, goroutines = 50, 8
	s := memstore.NewWith(memstore.Options{MaxUsers: limit})
	var stored atomic.Int64
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range limit {
				_, err := s.Commit(context.Background(), fmt.Sprint(g, "-", i), change(30))
				switch {
				case err == nil:
					stored.Add(1)
				case !errors.Is(err, memstore.ErrFull):
					t.Errorf("got error %v, want none or ErrFull", err)
				}
			}
		})
	}
	wg.Wait()
	if got := stored.Load(); got != limit {
		t.Errorf("got %d users, want %d", got, limit)
	}

	// All of them are over later, and all make way, whoever comes first.
	stored.Store(0)
	for g := range goroutines {
		wg.Go(func() {
			for i := range limit {
				c := change(90)
				c.At = at(31)
				if _, err := s.Commit(context.Background(), fmt.Sprint("later-", g, "-", i), c); err == nil {
					stored.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got := stored.Load(); got != limit {
		t.Errorf("got %d users later, want %d", got, limit)
	}
}

func TestRevocationsAreBounded(t *testing.T) {
	s := memstore.NewWith(memstore.Options{MaxRevocations: 4})
	first := change(90, revocation(10), revocation(30), revocation(20))
	commit(t, s, "a", first)
	full(t, s, "b", change(90, revocation(30), revocation(30))) // one of them had room
	full(t, s, "b", change(90, revocation(1), revocation(1), revocation(1), revocation(1), revocation(1)))
	last := revocation(40)
	commit(t, s, "b", change(90, last))
	full(t, s, "c", change(90, revocation(30)))
	commit(t, s, "c", change(90)) // which publishes nothing

	// What is over makes way, wherever it is, and not before.
	second := change(90, revocation(50))
	second.If, second.At = first.ID, at(10)
	full(t, s, "a", second)
	second.At = at(11)
	commit(t, s, "a", second)
	want := []core.Revocation{first.Publish[1], first.Publish[2], last, second.Publish[0]}
	if got := tail(t, s, "").Events; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}

	third := change(90, revocation(60), revocation(60))
	third.If, third.At = second.ID, at(21) // one is over, two are needed
	full(t, s, "a", third)
	third.At = at(31)
	commit(t, s, "a", third)
	want = []core.Revocation{last, second.Publish[0], third.Publish[0], third.Publish[1]}
	if got := tail(t, s, "").Events; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRefusedChangeLeavesRoom(t *testing.T) {
	s := memstore.NewWith(memstore.Options{MaxUsers: 1, MaxRevocations: 1})
	full(t, s, "a", change(90, revocation(30), revocation(30)))
	if got := tail(t, s, "").Epoch; !got.ID.IsZero() {
		t.Errorf("got epoch %v begun by a refused change, want none", got.ID)
	}
	c := change(90, revocation(30))
	commit(t, s, "a", c)
	if got := tail(t, s, "").Epoch; got.ID != c.ID || !got.Began.Equal(c.At) {
		t.Errorf("got epoch %v, want that of the first change", got)
	}
}

func TestSweepTakesStepsOverAllShards(t *testing.T) {
	const users, limit = 1000, 33
	s := memstore.NewWith(memstore.Options{MaxUsers: users})
	for i := range users {
		until := 10 + i%2*10 // every other one is over sooner
		commit(t, s, fmt.Sprint(i), change(until, revocation(until)))
	}
	sweep := func(before time.Time) (total int) {
		for {
			n, err := s.Sweep(t.Context(), before, limit)
			if err != nil {
				t.Fatal(err)
			}
			if n > limit {
				t.Fatalf("got %d removed, want at most %d", n, limit)
			}
			if total += n; n < limit {
				return total
			}
		}
	}
	if got := sweep(at(15)); got != users { // half of the ledgers and of the revocations
		t.Errorf("got %d removed, want %d", got, users)
	}
	for i := range users {
		if got, want := load(t, s, fmt.Sprint(i)).Version.IsZero(), i%2 == 0; got != want {
			t.Errorf("user %d: got gone %t, want %t", i, got, want)
		}
	}
	if got := len(tail(t, s, "").Events); got != users/2 {
		t.Errorf("got %d revocations, want %d", got, users/2)
	}
	for i := range users / 2 { // there is room again
		commit(t, s, fmt.Sprint("new-", i), change(90))
	}
	full(t, s, "one more", change(90))
	if got := sweep(at(25)); got != users {
		t.Errorf("got %d removed later, want %d", got, users)
	}
	if got := sweep(at(25)); got != 0 {
		t.Errorf("got %d removed once more, want none", got)
	}
}
