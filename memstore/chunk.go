package memstore

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// entry is one revocation in 64 bytes. Its times are Unix milliseconds.
type entry struct {
	pos       uint64
	session   core.ID
	minSerial uint64
	whose     string // the user's id, NUL, the jti
	from      int64
	until     int64
}

func newEntry(r *core.Revocation, pos uint64) entry {
	return entry{
		pos:       pos,
		session:   r.Session,
		minSerial: r.MinSerial,
		whose:     r.UserID + "\x00" + r.JTI, // in memory of its own
		from:      r.From.UnixMilli(),
		until:     ceilMilli(r.Until),
	}
}

func (e *entry) revocation() core.Revocation {
	user, jti, _ := strings.Cut(e.whose, "\x00") // no user's id has one
	return core.Revocation{
		UserID:    user,
		Session:   e.session,
		MinSerial: e.minSerial,
		JTI:       jti,
		From:      time.UnixMilli(e.from).UTC(), // the zero time comes back as such
		Until:     time.UnixMilli(e.until).UTC(),
	}
}

func ceilMilli(t time.Time) int64 {
	return t.Add(time.Millisecond - 1).UnixMilli()
}

const (
	chunkSize = 512 // 32 KiB
	sweepStep = 64  // entries that are dropped before others are let in
)

// chunk is a stretch of the feed, of 1 to chunkSize entries. The feed is
// divided so that finding what is over need not look at every entry.
type chunk struct {
	// entries may be read without the lock up to the length that was seen with
	// it: they are appended to or replaced, never changed in place.
	entries  []entry
	earliest int64 // lowest until
}

func newChunk() *chunk { return &chunk{earliest: math.MaxInt64} }

func (ch *chunk) add(e entry) {
	ch.entries = append(ch.entries, e)
	ch.earliest = min(ch.earliest, e.until)
}

// without returns the chunk without at most limit entries that are over, how
// many those were, and the position of the last of them.
func (ch *chunk) without(bound int64, limit int) (left *chunk, removed int, last uint64) {
	rest := ch.entries
	for len(rest) > 0 && removed < limit && rest[0].until < bound {
		rest, removed, last = rest[1:], removed+1, rest[0].pos
	}
	left = newChunk()
	left.entries = rest // mostly that is all, and nothing is copied
	copied := false
	for i := range rest {
		e := &rest[i]
		switch over := e.until < bound && removed < limit; {
		case over && !copied:
			left.entries = append(make([]entry, 0, len(rest)), rest[:i]...)
			copied = true
			fallthrough
		case over:
			removed, last = removed+1, e.pos
		case copied:
			left.entries = append(left.entries, *e)
			fallthrough
		default:
			left.earliest = min(left.earliest, e.until)
		}
	}
	return left, removed, last
}

// sweep drops at most limit entries that are over before a time, in steps, and
// returns how many.
func (f *feed) sweep(before time.Time, limit int) int {
	removed := 0
	for removed < limit {
		step := min(sweepStep, limit-removed)
		f.mu.Lock()
		n := f.drop(before, step)
		f.mu.Unlock()
		removed += n
		if n < step {
			break
		}
	}
	return removed
}

// drop removes at most limit entries that are over before a time, the oldest
// first, and returns how many. It needs the lock.
func (f *feed) drop(before time.Time, limit int) int {
	bound := ceilMilli(before)
	removed := 0
	for i := 0; i < len(f.chunks) && removed < limit; {
		ch := f.chunks[i]
		if ch.earliest >= bound {
			i++
			continue
		}
		left, n, last := ch.without(bound, limit-removed)
		removed += n
		f.dropped = max(f.dropped, last)
		f.chunks[i] = left
		if len(left.entries) == 0 {
			f.chunks = slices.Delete(f.chunks, i, i+1)
			continue
		}
		f.join(i)
		if f.join(i - 1) {
			i--
		}
	}
	f.count -= removed
	return removed
}

// join makes one chunk of chunk i and the next, if both are small, and reports
// whether it did: what stays long must not keep a chunk each alive.
func (f *feed) join(i int) bool {
	if i < 0 || i+1 >= len(f.chunks) {
		return false
	}
	a, b := f.chunks[i], f.chunks[i+1]
	if len(a.entries)+len(b.entries) > chunkSize/2 {
		return false
	}
	f.chunks[i] = &chunk{
		entries:  slices.Concat(a.entries, b.entries),
		earliest: min(a.earliest, b.earliest),
	}
	f.chunks = slices.Delete(f.chunks, i+1, i+2)
	return true
}
