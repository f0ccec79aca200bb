package core

import (
	"context"
	"errors"
	"time"
)

// ledgerTime returns a time as ledgers hold it.
func ledgerTime(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// dated returns the time of a decision on l: never before the last one, so that
// a clock that lags takes nothing back.
func (a *Auth) dated(l *Ledger) time.Time { return latest(ledgerTime(a.now()), l.At) }

// detached returns a context for store calls that does not end when the
// client's connection does: a commit under way is not to be torn from its reply.
func (a *Auth) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), a.StoreTimeout)
}

// load returns a user's ledger and the time at which to look at it.
func (a *Auth) load(ctx context.Context, userID string) (Ledger, time.Time, error) {
	if err := checkUserID(userID); err != nil {
		return Ledger{}, time.Time{}, ErrBadRequest.because(err)
	}
	ctx, cancel := a.detached(ctx)
	defer cancel()
	l, err := a.Store.Load(ctx, userID)
	if err != nil {
		return Ledger{}, time.Time{}, ErrStoreUnavailable.because(err)
	}
	return l, a.dated(&l), nil
}

// transact decides on a user's ledger and commits the decision: load, decide,
// commit, and again on what stands if the ledger has moved on meanwhile.
// Conflicts need no limit, since each means that somebody else got on; the
// store's deadline ends them.
//
// A commit whose reply was lost is looked at a second time. If it took place
// the first outcome stands. If not, or if something was committed over it, the
// decision is made again: decide has to recognise what it did before.
func transact[O any](ctx context.Context, a *Auth, userID string, decide func(Ledger, time.Time) (O, *Change)) (O, error) {
	var none O
	if err := checkUserID(userID); err != nil {
		return none, ErrBadRequest.because(err)
	}
	ctx, cancel := a.detached(ctx)
	defer cancel()
	ledger, err := a.Store.Load(ctx, userID)
	if err != nil {
		return none, ErrStoreUnavailable.because(err)
	}
	lost := false
	for {
		outcome, change := decide(ledger, a.dated(&ledger))
		if change == nil {
			return outcome, nil
		}
		if change.ID, err = newID(a.Random); err != nil {
			return none, ErrInternal.because(err)
		}
		stands, err := a.Store.Commit(ctx, userID, *change)
		switch {
		case err == nil:
			a.feed.enforce(change.Publish)
			return outcome, nil
		case ctx.Err() != nil, lost && !errors.Is(err, ErrConflict):
			return none, ErrStoreUnavailable.because(err)
		case errors.Is(err, ErrConflict):
			ledger = stands
		default:
			lost = true
			if ledger, err = a.Store.Load(ctx, userID); err != nil {
				return none, ErrStoreUnavailable.because(err)
			}
			if ledger.Version == change.ID {
				a.feed.enforce(change.Publish)
				return outcome, nil
			}
		}
	}
}
