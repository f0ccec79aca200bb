package core

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// breaker is the store, as long as it answers. After calls of tripAfter users have failed
// in a row it is open: calls fail at once, so that a store that hangs costs a request
// nothing. The reader of the feed is let through, and closes it again when the store
// answers.
//
// It is not a general one, since those let some requests through, which wait: here one
// goroutine asks all the time anyway.
type breaker struct {
	store    Store
	observer Observer // nil: nobody
	now      func() time.Time
	open     atomic.Bool
	retired  atomic.Bool // it never opens again
	// tripped is called when it opens, or is to and is open already, with the last failure.
	tripped func(error)

	failed atomic.Int32 // how many users calls have failed of, since one has not
	mu     sync.Mutex
	users  []string // which
}

// tripAfter is of how many users calls fail before no more are made: one may have a
// ledger that can't be read.
const tripAfter = 3

var errTripped = errors.New("sallyport: the store did not answer the last calls; it is tried again in the background")

// ran notes how a call about a user went; "": about several.
func (b *breaker) ran(userID string, err error) {
	if err == nil || errors.Is(err, ErrConflict) || errors.Is(err, ErrNotDurable) {
		if b.failed.Load() != 0 {
			b.failed.Store(0)
		}
		return
	}
	if b.counted(userID) >= tripAfter {
		b.trip(err)
	}
}

// counted counts a user of whom a call has failed, and returns how many there are.
func (b *breaker) counted(userID string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.users = b.users[:b.failed.Load()]
	if len(b.users) < tripAfter && !slices.Contains(b.users, userID) {
		b.users = append(b.users, strings.Clone(userID))
	}
	b.failed.Store(int32(len(b.users)))
	return len(b.users)
}

func (b *breaker) trip(err error) {
	if !b.retired.Load() {
		b.open.Store(true)
		b.tripped(err)
	}
}

// retire lets all calls through from now on: nobody is left to close it.
func (b *breaker) retire() {
	b.retired.Store(true)
	b.close()
}

// close lets calls through again.
func (b *breaker) close() {
	b.failed.Store(0)
	b.open.Store(false)
}

func (b *breaker) Load(ctx context.Context, userID string) (Ledger, error) {
	if b.open.Load() {
		return Ledger{}, errTripped
	}
	began := b.begins()
	l, err := b.store.Load(ctx, userID)
	b.observe(ctx, "load", began, err)
	b.ran(userID, err)
	return l, err
}

// LoadMany is Load for several users, in as few round trips as the store can.
func (b *breaker) LoadMany(ctx context.Context, userIDs []string) (map[string]Ledger, error) {
	if b.open.Load() {
		return nil, errTripped
	}
	if many, ok := b.store.(ManyLoader); ok {
		began := b.begins()
		ledgers, err := many.LoadMany(ctx, userIDs)
		b.observe(ctx, "load_many", began, err)
		b.ran("", err)
		return ledgers, err
	}
	ledgers := make(map[string]Ledger, len(userIDs))
	for _, id := range userIDs {
		l, err := b.Load(ctx, id)
		if err != nil {
			return nil, err
		}
		ledgers[id] = l
	}
	return ledgers, nil
}

func (b *breaker) Commit(ctx context.Context, userID string, c Change) (Ledger, error) {
	if b.open.Load() {
		return Ledger{}, errTripped
	}
	began := b.begins()
	l, err := b.store.Commit(ctx, userID, c)
	b.observe(ctx, "commit", began, err)
	b.ran(userID, err)
	return l, err
}

// Tail is let through in any case. That it fails alone opens nothing: see answers.
func (b *breaker) Tail(ctx context.Context, after Cursor, wait time.Duration) (Batch, error) {
	began := b.begins()
	batch, err := b.store.Tail(ctx, after, wait)
	b.observe(ctx, "tail", began, err)
	return batch, err
}

// probeUser is whose ledger is loaded to see whether the store answers: nobody's.
const probeUser = "sallyport-probe"

// answers asks for something else after a call has failed: a feed or a ledger that can't
// be read is no reason to refuse what the store can do.
func (b *breaker) answers(ctx context.Context) bool {
	began := b.begins()
	_, err := b.store.Load(ctx, probeUser)
	b.observe(ctx, "load", began, err)
	if err != nil {
		return false
	}
	b.close()
	return true
}
