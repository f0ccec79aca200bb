package core

import (
	"context"
	"errors"
	"slices"
	"time"
)

// order is a revocation that the store has not taken. It is enforced here, and written
// when the store answers again: see Auth.fulfil. It names no ledger, since none could be
// had.
type order struct {
	userID string
	// What it revokes: one token, one session, or with all every session but keep
	// that was begun before at.
	jti     [16]byte
	session ID
	all     bool
	keep    ID
	at      time.Time
	given   uint64 // the moment
	spared  []ID   // begun here since, whatever the clocks say
	why     Reason
	by      string // see Event.By
	// write does it again, to what stands then: to those sessions that are meant.
	write func(ctx context.Context, meant func(*Session) bool) error

	// apart says that it was decided in memory as well. If not, and its user is served
	// from memory, it is written once more when that is joined: see written.
	apart   bool
	written uint64    // as it was given at that moment
	after   time.Time // when it is tried again: its user's ledger is broken
	failed  bool      // which was audited
}

// same reports whether two orders revoke the same.
func (o *order) same(p *order) bool {
	return o.userID == p.userID && o.jti == p.jti && o.session == p.session && o.all == p.all && o.keep == p.keep && o.why == p.why
}

// revokes reports whether a token is not to be let in. A session is not older than the
// proof of its user's identity, which the token tells.
func (o *order) revokes(k *known) bool {
	switch {
	case o.jti != [16]byte{}:
		return k.jti == o.jti
	case k.foreign():
		return false
	}
	return o.ends(k.session, k.principal.AuthTime)
}

// ends reports whether a session that began at a time, or later, has to end. Clocks of
// other processes may be ahead: who signs in elsewhere meanwhile may have to do so again.
func (o *order) ends(session ID, began time.Time) bool {
	if o.jti != [16]byte{} {
		return false
	}
	if !o.all {
		return session == o.session
	}
	return session != o.keep && !slices.Contains(o.spared, session) && began.Before(o.at.Add(clockMargin))
}

// ordersOfUser is how many orders of one user may wait that name a session or a token, so
// that nobody can use up the room of the others.
const ordersOfUser = 64

// order takes an order in, and reports whether it is news. If there is no room nothing is
// enforced.
func (f *feed) order(o *order, most int) (news, room bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	of := f.orders[o.userID]
	if i := slices.IndexFunc(of, o.same); i >= 0 {
		old := of[i]
		old.spared, old.apart = nil, o.apart
		if !o.at.Before(old.at) { // else it comes late
			old.at, old.by, old.write = o.at, o.by, o.write
		}
		o = old
	} else {
		if f.ordered >= most || len(of) >= ordersOfUser && !o.all {
			return false, false
		}
		news = true
		f.ordered++
		f.orders[o.userID] = append(of, o)
	}
	o.given = f.moments.Add(1)
	for i := range f.taken { // whatever passed before is looked at again
		f.taken[i].Add(1)
	}
	return news, true
}

// waiting returns the orders that wait to be written, and are to be tried. apart reports
// whether a user is served from memory.
func (f *feed) waiting(now time.Time, apart func(string) bool) []*order {
	f.mu.RLock()
	defer f.mu.RUnlock()
	all := make([]*order, 0, f.ordered)
	for user, of := range f.orders {
		for _, o := range of {
			if !now.Before(o.after) && (o.written != o.given || !apart(user)) {
				all = append(all, o)
			}
		}
	}
	return all
}

// postpone has what waits for a user's ledger tried again later, and reports whether it
// was never before.
func (f *feed) postpone(o *order, until time.Time) (first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, other := range f.orders[o.userID] {
		other.after = until
	}
	first = !o.failed
	o.failed = true
	return first
}

// queued returns how many orders wait.
func (f *feed) queued() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.ordered
}

// fulfilled drops an order that was written as it was given at a moment: one that was
// given again since has to be written again. apart: its user is served from memory.
func (f *feed) fulfilled(o *order, given uint64, apart bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o.written = given; o.given != given || apart && !o.apart {
		return
	}
	f.ordered--
	f.orders[o.userID] = slices.DeleteFunc(f.orders[o.userID], func(p *order) bool { return p == o })
	if len(f.orders[o.userID]) == 0 {
		delete(f.orders, o.userID)
	}
}

// spare excepts a session that was begun here from what was ordered before a moment, and
// reports whether it has to be confirmed: all sessions were ordered to end after its
// credentials were checked.
func (f *feed) spare(userID string, s *Session, moment uint64, checked time.Time) (confirm bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.orders[userID] {
		if o.given > moment {
			continue
		}
		confirm = confirm || o.all && !checked.IsZero() && checked.Before(o.at.Add(clockMargin))
		if o.ends(s.ID, s.AuthTime) {
			o.spared = append(o.spared, s.ID)
		}
	}
	return confirm
}

// ended reports whether it is known here that a session has ended, and why, whatever a
// ledger says of it: the store may not have taken the end yet, or have lost it.
func (f *feed) ended(userID string, s *Session) (Reason, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, o := range f.orders[userID] {
		if o.ends(s.ID, s.CreatedAt) {
			return o.why, true
		}
	}
	c, ok := f.sessions.get(s.ID)
	return ReasonRevived, ok && c.below == allSerials
}

// orElse returns how a revocation went, which may have failed: if the store did not
// take it, it is enforced here from now on and written later. Nobody knows how many
// sessions that are then, unless it names one.
func (a *Auth) orElse(ctx context.Context, n int, err error, o order) (int, error) {
	if !errors.Is(err, ErrStoreUnavailable) || errors.Is(err, ErrNotDurable) && !errors.Is(err, errApart) {
		return n, err
	}
	o.apart, o.by = errors.Is(err, errApart), actor(ctx)
	news, room := a.feed.order(&o, a.config.MaxQueued)
	switch {
	case !room && o.all && o.apart: // only what is known in memory has ended
		return 0, ErrStoreUnavailable.because(errTripped)
	case !room:
		return 0, err
	}
	if news || o.all { // again: those as well who have begun since
		a.audit(ctx, EventRevocationQueued, Event{UserID: o.userID, Session: o.session, Reason: o.why})
	}
	if news && !o.all {
		n = 1
	}
	return n, ErrStoreUnavailable.saying("revoked here; it is not stored yet").because(errors.Join(ErrNotDurable, err))
}

// toStore is the key of contexts in which nothing is decided in memory.
type toStore struct{}

// fulfil writes what was ordered, until the store fails. What can't be written though the
// store answers, because one ledger is broken, goes on to be enforced here and is tried
// again later: it keeps nobody else waiting.
func (a *Auth) fulfil(ctx context.Context) error {
	toStore := context.WithValue(ctx, toStore{}, true)
	began := a.now()
	broken := make(map[string]bool)
	apart := func(user string) bool { return a.apart.of(user) != nil }
	for _, o := range a.feed.waiting(began, apart) {
		if broken[o.userID] {
			continue
		}
		start := a.now()
		if ctx.Err() != nil && start.Sub(began) > a.config.StoreTimeout {
			return ctx.Err() // the Auth is closed
		}
		given, write, meant := a.feed.meaning(o)
		joins := apart(o.userID) // later
		err := write(toStore, meant)
		switch {
		case err == nil, errors.Is(err, ErrNotDurable):
		case errors.Is(err, ErrSessionNotFound), errors.Is(err, ErrTokenNotFound), errors.Is(err, ErrTokenRevoked):
			// There is nothing left to revoke.
		case !errors.Is(err, errForeignFull) && !a.reaches(ctx, err):
			return err
		default:
			broken[o.userID] = true
			if a.feed.postpone(o, a.retryAt(start)) {
				a.audit(ctx, EventFailed, Event{UserID: o.userID, Err: err})
			}
			continue
		}
		a.feed.fulfilled(o, given, joins || apart(o.userID))
	}
	return nil
}

// retryAt returns when something is tried again that has failed since a time, so that a
// small part of all time goes into what fails.
func (a *Auth) retryAt(began time.Time) time.Time {
	now := a.now()
	return now.Add(10 * now.Sub(began))
}

// meaning returns when an order was given, how it is written, and which sessions it means.
func (f *feed) meaning(o *order) (given uint64, write func(context.Context, func(*Session) bool) error, meant func(*Session) bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	by, again := o.by, o.write
	write = func(ctx context.Context, meant func(*Session) bool) error { return again(WithActor(ctx, by), meant) }
	return o.given, write, func(s *Session) bool {
		f.mu.RLock()
		defer f.mu.RUnlock()
		return o.ends(s.ID, s.CreatedAt)
	}
}
