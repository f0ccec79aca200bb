package core_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

func pass(d time.Duration) { <-time.After(d) }

// taken takes one and says whether it was let through.
func taken(t testing.TB, l core.Limiter, key string, r core.Rate) bool {
	t.Helper()
	a, err := l.Take(t.Context(), key, r, 1)
	if err != nil {
		t.Fatal(err)
	}
	return a.OK
}

// Of 50 at once at 5 a minute exactly 5 are let through.
func TestLimiterRace(t *testing.T) {
	l := core.NewLimiter()
	for round := range 20 {
		var passed atomic.Int64
		var all sync.WaitGroup
		begin := make(chan struct{})
		for range 50 {
			all.Go(func() {
				<-begin
				if taken(t, l, fmt.Sprint("round-", round), core.Rate{Count: 5, Per: time.Minute}) {
					passed.Add(1)
				}
			})
		}
		close(begin)
		all.Wait()
		if n := passed.Load(); n != 5 {
			t.Errorf("round %d: got %d let through, want 5", round, n)
		}
	}
}

// The library's GCRA is that of the books: a bucket that fills by one each Per/Count.
func TestLimiterModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := core.NewLimiter()
		random := rand.New(rand.NewPCG(1, 2))
		for key := range 100 {
			r := core.Rate{Count: 1 + random.IntN(9)}
			each := time.Duration(1+random.IntN(1000)) * time.Millisecond
			r.Per = time.Duration(r.Count) * each
			empty := time.Duration(0) // how much of Per is used up
			for range 200 {
				n := random.IntN(r.Count + 2)
				cost := time.Duration(n) * each
				want := core.Allowance{OK: empty+max(cost, each) <= r.Per}
				switch {
				case !want.OK && n <= r.Count:
					want.RetryAfter = empty + max(cost, each) - r.Per
				case want.OK:
					empty += cost
				}
				want.Left = int((r.Per - empty) / each)
				got, err := l.Take(t.Context(), fmt.Sprint("key-", key), r, n)
				if err != nil || got != want {
					t.Fatalf("Take of %d at %d in %v: got %+v and error %v, want %+v", n, r.Count, r.Per, got, err, want)
				}
				wait := time.Duration(random.Int64N(int64(each)))
				pass(wait)
				empty = max(0, empty-wait)
			}
		}
	})
}

// A flood of other keys, however they are used, lets no key take more than its rate, and
// when it is over nothing of it is left.
func TestLimiterFlood(t *testing.T) {
	r := core.Rate{Count: 5, Per: time.Minute}
	for _, tt := range []struct {
		name  string
		each  int // takes of each key of the flood
		first bool
		flood core.Rate
	}{
		{"by keys that are used once", 1, true, r},
		{"by keys that are used up", 5, true, r},
		{"by keys of a longer rate", 1, true, core.Rate{Count: 5, Per: time.Hour}},
		{"before the key comes", 5, false, r},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const most = 64
				l := core.NewLimiterOf(most)
				others := 0
				flood := func() {
					for range 10 * most {
						others++
						for range tt.each {
							taken(t, l, fmt.Sprint("other-", others), tt.flood)
						}
					}
					if n := core.LimiterLen(l); n > most {
						t.Fatalf("got %d keys kept, want at most %d", n, most)
					}
				}
				if !tt.first {
					flood()
				}
				passed := 0
				for range 10 {
					a, err := l.Take(t.Context(), "account", r, 1)
					if err != nil {
						t.Fatal(err)
					}
					if a.OK {
						passed++
					} else if a.RetryAfter > r.Per/time.Duration(r.Count) {
						t.Errorf("got %v to wait, want at most Per/Count", a.RetryAfter)
					}
					flood()
				}
				if passed > r.Count || tt.first && passed == 0 {
					t.Errorf("got %d let through among the flood, want 1 to %d", passed, r.Count)
				}
				pass(2 * tt.flood.Per)
				passed = 0
				for i := range 50 {
					if taken(t, l, "account", r) {
						passed++
					}
					if !taken(t, l, fmt.Sprint("new-", i%10), r) && i < 10 {
						t.Errorf("after the flood: a new key was refused")
					}
				}
				if passed != r.Count {
					t.Errorf("after the flood: got %d let through, want %d", passed, r.Count)
				}
			})
		})
	}
}

// While there are too many keys, those that are kept go on as if there weren't, and
// newcomers count as one that was used little.
func TestLimiterKeepsTheFullest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := core.NewLimiterOf(1) // one a shard
		r := core.Rate{Count: 5, Per: time.Minute}
		for range 4 {
			taken(t, l, "account", r)
		}
		for i := range 300 {
			taken(t, l, fmt.Sprint("other-", i), core.Rate{Count: 100, Per: time.Minute})
		}
		if a, err := l.Take(t.Context(), "account", r, 0); err != nil || a.Left != 1 {
			t.Errorf("got %+v and error %v, want 1 left", a, err)
		}
		for i := range 100 {
			if a, err := l.Take(t.Context(), fmt.Sprint("new-", i), r, 0); err != nil || a.Left < 2 {
				t.Errorf("a new key: got %+v and error %v, want 2 left or more", a, err)
			}
		}
	})
}

// Keys go by themselves as others come, all of them.
func TestLimiterForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := core.NewLimiter()
		r := core.Rate{Count: 5, Per: time.Minute}
		const keys = 20_000
		for i := range keys {
			taken(t, l, fmt.Sprint("key-", i), r)
		}
		if n := core.LimiterLen(l); n != keys {
			t.Errorf("got %d keys kept, want %d", n, keys)
		}
		pass(r.Per)
		for i := range keys {
			if _, err := l.Take(t.Context(), fmt.Sprint("look-", i), r, 0); err != nil {
				t.Fatal(err)
			}
		}
		if n, room := core.LimiterLen(l), core.LimiterRoom(l); n != 0 || room > keys/10 {
			t.Errorf("after as many calls: got %d keys kept and room for %d, want none, and hardly any", n, room)
		}
	})
}

// Nothing is allocated for a key that is known, at any rate that is in use.
func TestLimiterAllocations(t *testing.T) {
	l := core.NewLimiter()
	rates := []core.Rate{{Count: 1 << 20, Per: time.Hour}, {Count: 5, Per: time.Hour}, {Count: 10, Per: time.Minute}}
	for i, r := range rates {
		for _, n := range []int{1, 0, 6} {
			got := testing.AllocsPerRun(1000, func() {
				if _, err := l.Take(context.Background(), "key", r, n); err != nil {
					t.Fatal(err)
				}
			})
			if got != 0 {
				t.Errorf("rate %d, Take of %d: got %v allocations, want none", i, n, got)
			}
		}
	}
}

// As many rates as anybody likes are no leak, and change no count.
func TestLimiterManyRates(t *testing.T) {
	l := core.NewLimiter()
	five := core.Rate{Count: 5, Per: time.Hour}
	for range 5 {
		taken(t, l, "key", five)
	}
	for i := range 1000 {
		taken(t, l, "key", core.Rate{Count: 5, Per: time.Hour + time.Duration(i)*time.Second})
	}
	if taken(t, l, "key", five) {
		t.Error("got a sixth let through")
	}
	if n := core.LimiterRates(l); n > 16 {
		t.Errorf("got %d rates kept by a shard, want at most 16", n)
	}
}

func BenchmarkLimiter(b *testing.B) {
	r := core.Rate{Count: 1 << 30, Per: 366 * 24 * time.Hour}
	keys := make([]string, 50_000)
	for i := range keys {
		keys[i] = fmt.Sprint("key-", i)
	}
	for _, tt := range []struct {
		name string
		keys int
	}{{"1 key", 1}, {"50000 keys", len(keys)}} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			l := core.NewLimiter()
			for i := 0; b.Loop(); i++ {
				if _, err := l.Take(b.Context(), keys[i%tt.keys], r, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(tt.name+", many callers", func(b *testing.B) {
			b.ReportAllocs()
			l := core.NewLimiter()
			var callers atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for i := int(callers.Add(1)) * 7919; pb.Next(); i++ {
					if _, err := l.Take(b.Context(), keys[i%tt.keys], r, 1); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	b.Run("new keys, full", func(b *testing.B) {
		b.ReportAllocs()
		l := core.NewLimiter()
		for i := 0; b.Loop(); i++ {
			if _, err := l.Take(b.Context(), fmt.Sprint("key-", i), r, 1<<20); err != nil {
				b.Fatal(err)
			}
		}
	})
}
