package memstore

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/sallyport-go/sallyport/core"
)

func TestEntryIs64Bytes(t *testing.T) {
	if got := unsafe.Sizeof(entry{}); got != 64 {
		t.Errorf("got %d bytes, want 64", got)
	}
}

func TestEntryNeverEndsEarly(t *testing.T) {
	until := time.Date(2026, 1, 2, 3, 4, 5, 6_000_001, time.UTC)
	e := newEntry(&core.Revocation{Until: until}, 1)
	if got, want := e.revocation().Until, time.Date(2026, 1, 2, 3, 4, 5, 7e6, time.UTC); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := e.revocation().From; !got.IsZero() {
		t.Errorf("got %v, want the zero time", got)
	}
}

// TestFeedAgainstAList does to a feed and to a plain list the same at random.
func TestFeedAgainstAList(t *testing.T) {
	type item struct {
		pos   uint64
		until int64
	}
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var f feed
		f.init(4000)
		var list []item
		var last, dropped uint64
		now := start
		drop := func(limit int) int { // the oldest that are over
			n := 0
			list = slices.DeleteFunc(list, func(i item) bool {
				gone := n < limit && i.until < now.UnixMilli()
				if gone {
					n++
					dropped = max(dropped, i.pos)
				}
				return gone
			})
			return n
		}

		for range 300 {
			now = now.Add(time.Duration(rnd.IntN(4)) * time.Millisecond)
			switch rnd.IntN(4) {
			case 0, 1, 2:
				c := core.Change{ID: core.ID{1}, At: now}
				for range rnd.IntN(150) {
					life := time.Duration(rnd.IntN(300)) * time.Millisecond
					if rnd.IntN(40) == 0 {
						life = time.Hour // in everybody's way
					}
					c.Publish = append(c.Publish, core.Revocation{Until: now.Add(life)})
				}
				if over := len(list) + len(c.Publish) - f.max; over > 0 {
					refused := drop(max(over, sweepStep)) < over
					if err := f.append(&c); (err != nil) != refused {
						t.Fatalf("seed %d: got error %v with %d kept, want refused %t", seed, err, len(list), refused)
					}
					if refused {
						break
					}
				} else if err := f.append(&c); err != nil {
					t.Fatalf("seed %d: got error %v with %d kept", seed, err, len(list))
				}
				for _, r := range c.Publish {
					last++
					list = append(list, item{last, r.Until.UnixMilli()})
				}
			case 3:
				limit := rnd.IntN(2000)
				want := drop(limit)
				if got := f.sweep(now, limit); got != want {
					t.Fatalf("seed %d: got %d swept, want %d", seed, got, want)
				}
			}

			var got []item
			for i, ch := range f.chunks {
				earliest := ch.entries[0].until
				for _, e := range ch.entries {
					got = append(got, item{e.pos, e.until})
					earliest = min(earliest, e.until)
				}
				if len(ch.entries) > chunkSize || ch.earliest != earliest {
					t.Fatalf("seed %d: chunk %d: got %d entries, the earliest %d, want %d", seed, i, len(ch.entries), ch.earliest, earliest)
				}
			}
			if !slices.Equal(got, list) || f.count != len(list) || f.last != last || f.dropped != dropped {
				t.Fatalf("seed %d: got %d of %d, last %d, dropped %d, want %d, %d, %d",
					seed, len(got), f.count, f.last, f.dropped, len(list), last, dropped)
			}
			if most := 4*len(list)/chunkSize + 2; len(f.chunks) > most {
				t.Fatalf("seed %d: got %d chunks for %d entries, want at most %d", seed, len(f.chunks), len(list), most)
			}

			pos := uint64(rnd.IntN(int(last) + 2))
			b, err := f.tail(t.Context(), f.cursor(pos), 0)
			if err != nil {
				t.Fatal(err)
			}
			known := pos >= dropped && pos <= last
			want := list
			if known {
				want = slices.DeleteFunc(slices.Clone(list), func(i item) bool { return i.pos <= pos })
			}
			if b.Reset == known || len(b.Events) != len(want) || b.Next != f.cursor(last) {
				t.Fatalf("seed %d: after %d of %d: got %d, Reset %t, want %d, %t", seed, pos, last, len(b.Events), b.Reset, len(want), !known)
			}
			for i := range want {
				if got := b.Events[i].Until.UnixMilli(); got != want[i].until {
					t.Fatalf("seed %d: event %d: got until %d, want %d", seed, i, got, want[i].until)
				}
			}
		}
	}
}

// fill appends n revocations, of which every nth ends late.
func fill(t *testing.T, f *feed, n, nth int, until func(i int) time.Time, late time.Time) {
	t.Helper()
	c := core.Change{ID: core.ID{1}, Publish: make([]core.Revocation, n)}
	for i := range c.Publish {
		c.Publish[i].Until = until(i)
		if i%nth == 0 {
			c.Publish[i].Until = late
		}
	}
	if err := f.append(&c); err != nil {
		t.Fatal(err)
	}
}

func TestChunksThatAreLeftSmallAreJoined(t *testing.T) {
	const chunks = 64
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, until := range map[string]func(chunk int) time.Time{
		"all at once":       func(int) time.Time { return start },
		"the first first":   func(chunk int) time.Time { return start.Add(time.Duration(chunk) * time.Second) },
		"the last first":    func(chunk int) time.Time { return start.Add(time.Duration(chunks-chunk) * time.Second) },
		"every other first": func(chunk int) time.Time { return start.Add(time.Duration(chunk%2) * time.Minute) },
	} {
		var f feed
		f.init(chunks * chunkSize)
		fill(t, &f, chunks*chunkSize, chunkSize/4, func(i int) time.Time { return until(i / chunkSize) }, start.Add(time.Hour))
		for i := range 2 * chunks {
			f.sweep(start.Add(time.Duration(i)*time.Second+1), chunks*chunkSize)
		}
		if f.count != 4*chunks || len(f.chunks) > 2 {
			t.Errorf("%s: got %d entries in %d chunks, want %d in at most 2", name, f.count, len(f.chunks), 4*chunks)
		}
	}
}

func TestWhatIsReadIsNotTouchedByASweep(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var f feed
	f.init(3 * chunkSize)
	fill(t, &f, 2*chunkSize, 3, func(int) time.Time { return start }, start.Add(time.Hour))
	lists := f.after(1) // as a reader has them, without the lock
	f.sweep(start.Add(time.Second), chunkSize)
	fill(t, &f, chunkSize, 2, func(int) time.Time { return start }, start.Add(time.Hour))
	pos := uint64(1)
	for _, l := range lists {
		for _, e := range l {
			if pos++; e.pos != pos {
				t.Fatalf("got position %d, want %d", e.pos, pos)
			}
		}
	}
	if pos != 2*chunkSize {
		t.Errorf("got %d positions, want %d", pos, 2*chunkSize)
	}
}
