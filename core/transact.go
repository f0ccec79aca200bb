package core

import (
	"context"
	"errors"
	"slices"
	"time"
)

// ledgerTime returns a time as ledgers hold it.
func ledgerTime(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// dated returns the time of a decision on l: never before the last one, so that
// a clock that lags takes nothing back.
func (a *Auth) dated(l *Ledger) time.Time {
	now := ledgerTime(a.now())
	if ahead := l.At.Sub(now); ahead > time.Duration(a.skew.Load()) {
		a.skew.Store(int64(ahead)) // of two that race, either will do
	}
	return latest(now, l.At)
}

// detached returns a context for store calls that does not end when the
// client's connection does: a commit under way is not to be torn from its reply.
func (a *Auth) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	more, _ := ctx.Value(longer{}).(time.Duration)
	return context.WithTimeout(context.WithoutCancel(ctx), a.config.StoreTimeout+more)
}

// load returns a user's ledger and the time at which to look at it.
func (a *Auth) load(ctx context.Context, userID string) (Ledger, time.Time, error) {
	if err := checkUserID(userID); err != nil {
		return Ledger{}, time.Time{}, ErrBadRequest.because(err)
	}
	ctx, cancel := a.detached(ctx)
	defer cancel()
	l, err := a.store.Load(ctx, userID)
	if err != nil {
		return Ledger{}, time.Time{}, ErrStoreUnavailable.because(err)
	}
	return l, a.dated(&l), nil
}

// transact decides on a user's ledger and commits the decision: load, decide,
// commit, and again on what stands if the ledger has moved on meanwhile. A ledger
// that this process saw lately needs no load, but only what commits is decided on it.
// Conflicts need no limit, since each means that somebody else got on; the
// store's deadline ends them.
//
// A commit whose reply was lost is looked at a second time. If the ledger shows
// that it took place the first outcome stands, even if others were committed
// since. Otherwise the decision is made again.
//
// With ErrNotDurable the outcome stands as well. While users are served from memory
// it is decided and kept there, see apartUsers.
func transact[O any](ctx context.Context, a *Auth, userID string, decide func(Ledger, time.Time) (O, *Change)) (O, error) {
	var none O
	if err := checkUserID(userID); err != nil {
		return none, ErrBadRequest.because(err)
	}
	ctx, cancel := a.detached(ctx)
	defer cancel()
	inMemory := ctx.Value(toStore{}) == nil
	if u := a.apart.of(userID); u != nil && inMemory {
		if out, err, done := transactApart(ctx, a, u, decide); done {
			return out, err
		}
	}
	ledger, recent := a.recent.get(userID)
	var err error
	if !recent {
		ledger, err = a.store.Load(ctx, userID)
	}
	if err == nil && recent && a.store.open.Load() {
		err = errTripped
	}
	for tries := 0; errors.Is(err, errTripped) && inMemory && tries < 2; tries++ { // the first may just have ended
		if u := a.apart.begin(a, userID); u != nil {
			if out, err, done := transactApart(ctx, a, u, decide); done {
				return out, err
			}
		}
	}
	if err != nil {
		return none, ErrStoreUnavailable.because(err)
	}
	var (
		lost        *Change // may have been committed, now or later
		lostOn      Ledger  // what it was decided on
		lostOutcome O
	)
	for {
		if lost != nil && lost.took(&ledger, &lostOn) {
			if ledger.Version == lost.ID {
				// The store finds that it has it, and may say how well.
				_, err = a.commit(ctx, userID, lost)
			}
			a.feed.enforce(lost.Publish, a.now())
			if err != nil && !errors.Is(err, ErrConflict) {
				return lostOutcome, ErrStoreUnavailable.because(errors.Join(ErrNotDurable, err))
			}
			return lostOutcome, nil
		}
		outcome, change := decide(ledger, a.dated(&ledger))
		if change == nil {
			if !recent {
				return outcome, nil
			}
			recent = false
			if ledger, err = a.store.Load(ctx, userID); err != nil {
				return none, ErrStoreUnavailable.because(err)
			}
			continue
		}
		for i := range change.Publish {
			change.Publish[i].UserID = userID
		}
		if change.ID, err = newID(a.config.Random); err != nil {
			return none, ErrInternal.because(err)
		}
		stands, err := a.commit(ctx, userID, change)
		recent = false
		switch {
		case err == nil, errors.Is(err, ErrNotDurable):
			a.feed.enforce(change.Publish, a.now())
			a.recent.put(userID, change.Apply(ledger))
			if err != nil {
				err = ErrStoreUnavailable.because(err)
			}
			return outcome, err
		case errors.Is(err, ErrConflict):
			ledger = stands
			continue
		}
		a.recent.drop(userID)
		if ctx.Err() != nil || lost != nil {
			return none, ErrStoreUnavailable.because(err)
		}
		lost, lostOn, lostOutcome = change, ledger, outcome
		if ledger, err = a.store.Load(ctx, userID); err != nil {
			return none, ErrStoreUnavailable.because(err)
		}
	}
}

// commit commits a change, and notes what the feed has to bring back.
func (a *Auth) commit(ctx context.Context, userID string, c *Change) (Ledger, error) {
	if len(c.Publish) > 0 {
		a.sent.send(c.Publish, a.now())
	}
	stands, err := a.store.Commit(ctx, userID, *c)
	if len(c.Publish) > 0 {
		a.sent.done(c.Publish, err == nil || errors.Is(err, ErrNotDurable), a.feed.moments.Add(1))
	}
	return stands, err
}

// took reports whether a ledger shows that c, which was decided on another, was
// committed: it is what c made of it, or others were committed since and all that c
// wanted is so. What only ends sessions leaves nothing of its own behind. It may have
// been decided on less than there was, and ended less than was asked for: then there is
// a session that it did not know, from before it.
func (c *Change) took(l, on *Ledger) bool {
	switch {
	case c.Forget:
		return l.Version.IsZero() && !c.If.IsZero() // else nothing tells
	case l.Version == c.ID:
		return true
	case l.Version == c.If, len(c.Put)+len(c.End)+len(c.Foreign) == 0 && c.RevokedAt.IsZero(), l.RevokedAt.Before(c.RevokedAt):
		return false
	}
	for _, r := range c.Foreign {
		if !l.revokedForeign(r.JTI) {
			return false
		}
	}
	for i := range l.Sessions {
		s := &l.Sessions[i]
		seen := slices.ContainsFunc(on.Sessions, func(o Session) bool { return o.ID == s.ID })
		if len(c.Put) == 0 && !seen && !s.CreatedAt.After(c.At) {
			return false
		}
	}
	at := func(id ID) int { return slices.IndexFunc(l.Sessions, func(s Session) bool { return s.ID == id }) }
	for _, e := range c.End {
		if at(e.ID) >= 0 {
			return false
		}
	}
	for i := range c.Put {
		if j := at(c.Put[i].ID); j < 0 || !c.Put[i].lastsIn(&l.Sessions[j]) {
			return false
		}
	}
	return true
}

// lastsIn reports whether a session still says what s does: since then it may
// have been used, and single tokens of it revoked.
func (s *Session) lastsIn(stands *Session) bool {
	for _, r := range s.Revoked {
		if !slices.Contains(stands.Revoked, r) {
			return false
		}
	}
	return s.Gen == stands.Gen && s.Serial == stands.Serial && s.MinSerial == stands.MinSerial &&
		s.Access.JTI == stands.Access.JTI && s.MovedAt.Equal(stands.MovedAt) &&
		(s.SeenAt.IsZero() || s.SeenAt.Equal(stands.SeenAt)) && !stands.LastSeenAt.Before(s.LastSeenAt)
}
