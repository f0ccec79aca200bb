package memstore

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// feed is all revocations of all users in the order of their commits. Each has
// a position, from 1, without gaps; a cursor is the position of the last one
// that was read. What is dropped leaves a gap that is never filled.
type feed struct {
	name string // random, so that no other feed's cursor is taken for its own
	max  int

	epoch atomic.Pointer[core.Epoch] // set once, with mu held

	mu      sync.Mutex
	chunks  []*chunk
	count   int
	last    uint64        // position of the newest, dropped or not
	dropped uint64        // highest position that was dropped
	grown   chan struct{} // closed when something is appended; nil: nobody waits
}

func (f *feed) init(limit int) {
	f.name, f.max = rand.Text()+".", limit
}

// append adds what c publishes, all or nothing, and begins the epoch if c is
// the first change.
func (f *feed) append(c *core.Change) error {
	if len(c.Publish) == 0 && f.epoch.Load() != nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if over := f.count + len(c.Publish) - f.max; over > 0 && f.drop(c.At, max(over, sweepStep)) < over {
		return errManyRevocations
	}
	if f.epoch.Load() == nil {
		f.epoch.Store(&core.Epoch{ID: c.ID, Began: c.At})
	}
	if len(c.Publish) == 0 {
		return nil
	}
	for i := range c.Publish {
		f.last++
		f.count++
		f.tailChunk().add(newEntry(&c.Publish[i], f.last))
	}
	if f.grown != nil {
		close(f.grown)
		f.grown = nil
	}
	return nil
}

// tailChunk returns the chunk that takes the next entry.
func (f *feed) tailChunk() *chunk {
	n := len(f.chunks)
	if n > 0 && len(f.chunks[n-1].entries) < chunkSize {
		return f.chunks[n-1]
	}
	ch := newChunk()
	if n > 0 { // the first one grows as it is used
		ch.entries = make([]entry, 0, chunkSize)
	}
	f.chunks = append(f.chunks, ch)
	return ch
}

func (f *feed) tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	if err := ctx.Err(); err != nil {
		return core.Batch{}, err
	}
	batch, entries, grown := f.look(after, wait > 0)
	if grown != nil {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-grown:
		case <-timer.C:
		case <-ctx.Done():
			return core.Batch{}, ctx.Err()
		}
		batch, entries, _ = f.look(after, false)
	}
	// Copied without the lock: what is in a chunk never changes.
	batch.Events = revocations(entries)
	return batch, nil
}

// look returns what there is after a cursor, the entries beside the batch. If
// there is none and the caller would wait, it returns a channel that is closed
// when there is one.
func (f *feed) look(after core.Cursor, wait bool) (core.Batch, [][]entry, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pos, known := f.position(after)
	batch := core.Batch{Next: f.cursor(f.last), Reset: !known}
	if e := f.epoch.Load(); e != nil {
		batch.Epoch = *e
	}
	if wait && known && after != "" && pos == f.last {
		if f.grown == nil {
			f.grown = make(chan struct{})
		}
		return batch, nil, f.grown
	}
	return batch, f.after(pos), nil
}

func revocations(lists [][]entry) []core.Revocation {
	n := 0
	for _, l := range lists {
		n += len(l)
	}
	if n == 0 {
		return nil
	}
	all := make([]core.Revocation, 0, n)
	for _, l := range lists {
		for i := range l {
			all = append(all, l[i].revocation())
		}
	}
	return all
}

// after returns the entries after a position. It needs the lock.
func (f *feed) after(pos uint64) [][]entry {
	first, _ := slices.BinarySearchFunc(f.chunks, pos+1, func(ch *chunk, pos uint64) int {
		if ch.entries[len(ch.entries)-1].pos < pos {
			return -1
		}
		return 1
	})
	if first == len(f.chunks) {
		return nil
	}
	lists := make([][]entry, 0, len(f.chunks)-first)
	for _, ch := range f.chunks[first:] {
		lists = append(lists, ch.entries)
	}
	skip := 0
	for lists[0][skip].pos <= pos {
		skip++
	}
	lists[0] = lists[0][skip:]
	return lists
}

func (f *feed) cursor(pos uint64) core.Cursor {
	return core.Cursor(f.name + strconv.FormatUint(pos, 10))
}

// position reads a cursor. One of another feed, one that this feed never gave
// out, and one after which something was dropped are not known: reading begins
// anew. It needs the lock.
func (f *feed) position(c core.Cursor) (pos uint64, known bool) {
	if c == "" {
		return 0, true
	}
	digits, ours := strings.CutPrefix(string(c), f.name)
	if !ours {
		return 0, false
	}
	pos, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || (digits[0] == '0' && digits != "0") || pos > f.last || pos < f.dropped {
		return 0, false
	}
	return pos, true
}
