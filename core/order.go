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
	spared  []ID // begun here since, whatever the clocks say
	why     Reason
	// write does it again, to what stands then: to those sessions that are meant.
	write func(ctx context.Context, meant func(*Session) bool) error
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

// order takes an order in. It reports false if there is no room; nothing is enforced then.
func (f *feed) order(o *order, most int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, old := range f.orders[o.userID] {
		if old.same(o) {
			old.at, old.spared, old.write = o.at, nil, o.write
			return true
		}
	}
	if f.ordered >= most {
		return false
	}
	f.ordered++
	f.orders[o.userID] = append(f.orders[o.userID], o)
	for i := range f.taken { // whatever passed before is looked at again
		f.taken[i].Add(1)
	}
	return true
}

// waiting returns the orders that wait to be written.
func (f *feed) waiting() []*order {
	f.mu.RLock()
	defer f.mu.RUnlock()
	all := make([]*order, 0, f.ordered)
	for _, of := range f.orders {
		all = append(all, of...)
	}
	return all
}

// queued returns how many orders wait.
func (f *feed) queued() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.ordered
}

// fulfilled drops an order that was written as it was at a time: one that was given
// again since has to be written again.
func (f *feed) fulfilled(o *order, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !o.at.Equal(at) {
		return
	}
	f.ordered--
	f.orders[o.userID] = slices.DeleteFunc(f.orders[o.userID], func(p *order) bool { return p == o })
	if len(f.orders[o.userID]) == 0 {
		delete(f.orders, o.userID)
	}
}

// spare excepts a session that was begun here from what was ordered before.
func (f *feed) spare(userID string, session ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.orders[userID] {
		o.spared = append(o.spared, session)
	}
}

// ended reports whether it is known here that a session has ended, whatever a ledger
// says of it: the store may have lost the end, or not have taken it yet.
func (f *feed) ended(userID string, s *Session) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if c, ok := f.sessions.get(s.ID); ok && c.below == allSerials {
		return true
	}
	return slices.ContainsFunc(f.orders[userID], func(o *order) bool { return o.ends(s.ID, s.CreatedAt) })
}

// orElse returns how a revocation went, which may have failed: if the store did not
// take it, it is enforced here from now on and written later. Nobody knows how many
// sessions that are then, unless it names one.
func (a *Auth) orElse(ctx context.Context, n int, err error, o order) (int, error) {
	if !errors.Is(err, ErrStoreUnavailable) || errors.Is(err, ErrNotDurable) && !errors.Is(err, errApart) {
		return n, err
	}
	if !a.feed.order(&o, a.config.MaxQueued) {
		return 0, err
	}
	a.audit(ctx, EventRevocationQueued, Event{UserID: o.userID, Session: o.session, Reason: o.why})
	if !o.all {
		n = 1
	}
	return n, ErrStoreUnavailable.saying("revoked here; it is not stored yet").because(errors.Join(ErrNotDurable, err))
}

// toStore is the key of contexts in which nothing is decided in memory.
type toStore struct{}

// fulfil writes what was ordered, until the store fails.
func (a *Auth) fulfil(ctx context.Context) error {
	ctx = context.WithValue(ctx, toStore{}, true)
	for _, o := range a.feed.waiting() {
		at, meant := a.feed.meaning(o)
		err := o.write(ctx, meant)
		switch {
		case err == nil, errors.Is(err, ErrNotDurable):
		case errors.Is(err, ErrSessionNotFound), errors.Is(err, ErrTokenNotFound), errors.Is(err, ErrTokenRevoked):
			// There is nothing left to revoke.
		case errors.Is(err, errForeignFull):
			a.audit(ctx, EventFailed, Event{UserID: o.userID, Err: err})
		default:
			return err
		}
		a.feed.fulfilled(o, at)
	}
	return nil
}

// meaning returns when an order was given, and which sessions it means.
func (f *feed) meaning(o *order) (at time.Time, meant func(*Session) bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return o.at, func(s *Session) bool {
		f.mu.RLock()
		defer f.mu.RUnlock()
		return o.ends(s.ID, s.CreatedAt)
	}
}
