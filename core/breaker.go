package core

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// breaker is the store, as long as it answers. After tripAfter failures in a row it
// is open: calls fail at once, so that a store that hangs costs a request nothing. The
// reader of the feed is let through, and closes it again when the store answers.
//
// It is not a general one, since those let some requests through, which wait: here one
// goroutine asks all the time anyway.
type breaker struct {
	store  Store
	failed atomic.Int32 // calls in a row
	open   atomic.Bool
	// tripped is called when it opens, once each time, with the last failure.
	tripped func(error)
}

// tripAfter is how many calls fail before no more are made: one may be bad luck.
const tripAfter = 3

var errTripped = errors.New("sallyport: the store did not answer the last calls; it is tried again in the background")

// ran notes how a call went.
func (b *breaker) ran(err error) {
	if err == nil || errors.Is(err, ErrConflict) || errors.Is(err, ErrNotDurable) {
		b.failed.Store(0)
		return
	}
	if b.failed.Add(1) >= tripAfter {
		b.trip(err)
	}
}

func (b *breaker) trip(err error) {
	if b.open.CompareAndSwap(false, true) {
		b.tripped(err)
	}
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
	l, err := b.store.Load(ctx, userID)
	b.ran(err)
	return l, err
}

// LoadMany is Load for several users, in as few round trips as the store can.
func (b *breaker) LoadMany(ctx context.Context, userIDs []string) (map[string]Ledger, error) {
	if b.open.Load() {
		return nil, errTripped
	}
	if many, ok := b.store.(ManyLoader); ok {
		ledgers, err := many.LoadMany(ctx, userIDs)
		b.ran(err)
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
	l, err := b.store.Commit(ctx, userID, c)
	b.ran(err)
	return l, err
}

// Tail is let through in any case. That it fails alone opens nothing: see answers.
func (b *breaker) Tail(ctx context.Context, after Cursor, wait time.Duration) (Batch, error) {
	return b.store.Tail(ctx, after, wait)
}

// probeUser is whose ledger is loaded to see whether the store answers: nobody's.
const probeUser = "sallyport-probe"

// answers is called after a Tail that failed, and asks for something else: a feed that
// can't be read is no reason to refuse what the store can do.
func (b *breaker) answers(ctx context.Context, cause error) bool {
	if _, err := b.store.Load(ctx, probeUser); err != nil {
		b.trip(cause)
		return false
	}
	b.close()
	return true
}
