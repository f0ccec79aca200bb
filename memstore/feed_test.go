package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

func TestCursorsOfOthersAreUnknown(t *testing.T) {
	s, other := memstore.New(), memstore.New()
	for _, store := range []*memstore.Store{s, other} {
		commit(t, store, "a", change(90, revocation(30), revocation(30)))
	}
	own := tail(t, s, "").Next
	if b := tail(t, s, own); b.Reset || len(b.Events) != 0 || b.Next != own {
		t.Errorf("own cursor: got %+v, want nothing new", b)
	}
	for _, cursor := range []core.Cursor{
		tail(t, other, "").Next,
		tail(t, memstore.New(), "").Next,
		own[:len(own)-1] + "3", // after the newest
		own[:len(own)-1] + "02",
		own[:len(own)-1] + "+2",
		own[:len(own)-1] + "-1",
		own[:len(own)-1],
		own + "99999999999999999999",
		own + " ",
		"2",
	} {
		b := tail(t, s, cursor)
		if !b.Reset || len(b.Events) != 2 || b.Next != own {
			t.Errorf("cursor %q: got %+v, want Reset and all", cursor, b)
		}
	}
}

func TestCursorOfWhatWasDroppedIsUnknown(t *testing.T) {
	s := memstore.New()
	cursors := []core.Cursor{tail(t, s, "").Next}
	for _, until := range []int{30, 10, 30, 10, 30} {
		commit(t, s, newID().String(), change(90, revocation(until)))
		cursors = append(cursors, tail(t, s, "").Next)
	}
	if _, err := s.Sweep(t.Context(), at(20), 100); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		events int
		reset  bool
	}{{3, true}, {3, true}, {3, true}, {3, true}, {1, false}, {0, false}} {
		b := tail(t, s, cursors[i])
		if len(b.Events) != want.events || b.Reset != want.reset || b.Next != cursors[5] {
			t.Errorf("after %d revocations: got %d, Reset %t, want %+v", i, len(b.Events), b.Reset, want)
		}
	}
	if b := tail(t, s, ""); b.Reset || len(b.Events) != 3 {
		t.Errorf("zero cursor: got %d, Reset %t, want 3 without Reset", len(b.Events), b.Reset)
	}
}

// In a bubble, time passes only when every goroutine waits, and a goroutine
// that is left behind fails the test.

func TestTailWakesAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		next := tail(t, s, "").Next // the feed has not begun
		const readers = 20
		got := make(chan core.Batch, readers)
		for range readers {
			go func() {
				b, err := s.Tail(t.Context(), next, time.Hour)
				if err != nil {
					t.Errorf("Tail: got error %v, want none", err)
				}
				got <- b
			}()
		}
		begin := time.Now()
		synctest.Wait()
		commit(t, s, "a", change(90)) // begins the epoch, but wakes nobody
		synctest.Wait()
		if n := len(got); n != 0 {
			t.Fatalf("got %d readers woken by no revocation, want none", n)
		}
		c := change(90, revocation(30), revocation(40))
		commit(t, s, "b", c)
		for range readers {
			if b := <-got; fmt.Sprint(b.Events) != fmt.Sprint(c.Publish) || b.Reset {
				t.Errorf("got %v, Reset %t, want %v", b.Events, b.Reset, c.Publish)
			}
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("got woken after %v, want at once", waited)
		}
	})
}

func TestTailWaitsAsLongAsItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		commit(t, s, "a", change(90, revocation(30)))
		next := tail(t, s, "").Next

		begin := time.Now()
		b, err := s.Tail(t.Context(), next, 500*time.Millisecond)
		if err != nil || len(b.Events) != 0 || b.Reset || b.Next != next || b.Epoch.ID.IsZero() {
			t.Errorf("got %+v, error %v, want an empty batch", b, err)
		}
		if waited := time.Since(begin); waited != 500*time.Millisecond {
			t.Errorf("got a wait of %v, want 500ms", waited)
		}

		for _, after := range []core.Cursor{"", "unknown"} { // these never wait
			begin = time.Now()
			if b, err = s.Tail(t.Context(), after, time.Hour); err != nil || len(b.Events) != 1 {
				t.Errorf("after %q: got %+v, error %v, want one revocation", after, b, err)
			}
			if waited := time.Since(begin); waited != 0 {
				t.Errorf("after %q: got a wait of %v, want none", after, waited)
			}
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		if _, err = s.Tail(ctx, next, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v, want that of the context", err)
		}
		if waited := time.Since(begin); waited != time.Second {
			t.Errorf("got a wait of %v, want 1s", waited)
		}
	})
}

func TestTailBesideCommitsAndSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		next := tail(t, s, "").Next
		const commits, writers = 300, 4
		ctx, cancel := context.WithCancel(t.Context())
		counts := make(chan int, 3)
		for range cap(counts) {
			go func() {
				seen := map[core.ID]bool{}
				for after := next; ; {
					b, err := s.Tail(ctx, after, time.Hour)
					if err != nil {
						break
					}
					for _, r := range b.Events {
						if r.Until.After(at(20)) { // the others may be gone before they are read
							if seen[r.Session] && !b.Reset {
								t.Errorf("got a revocation twice")
							}
							seen[r.Session] = true
						}
					}
					after = b.Next
				}
				counts <- len(seen)
			}()
		}
		done := make(chan bool)
		for w := range writers {
			go func() {
				for i := range commits {
					commit(t, s, fmt.Sprint(w, "-", i), change(90, revocation(10), revocation(30)))
					if i%7 == 0 {
						if _, err := s.Sweep(t.Context(), at(20), 1000); err != nil {
							t.Error(err)
						}
					}
				}
				done <- true
			}()
		}
		for range writers {
			<-done
		}
		synctest.Wait() // everybody has read to the end
		cancel()
		for range cap(counts) {
			if got := <-counts; got != commits*writers {
				t.Errorf("got %d revocations, want %d", got, commits*writers)
			}
		}
	})
}
