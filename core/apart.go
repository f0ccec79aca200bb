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

// apartUsers are the users who are served from memory while the store is away: those
// for whom something was decided. They stay until what was decided is joined with what
// the store has, see Auth.rejoin. Each is as it was known here, or nothing is known.
type apartUsers struct {
	count atomic.Int64
	mu    sync.Mutex
	users map[string]*apartUser
}

type apartUser struct {
	userID string

	mu     sync.Mutex
	ledger Ledger
	from   ID    // its version in the store; zero: nothing was known
	done   apart // what was decided here
	any    bool  // whether there was something
	over   bool  // it is joined: the store is asked again

	by map[ID]string // who ended sessions of the store's, if that was not the user

	tried   bool // to write it, and nobody knows whether that took place
	triedOn ID   // the version on which that was

	// Of the reader of the feed.
	lostData bool      // see rejoin
	after    time.Time // when it is tried again: the ledger is broken
}

// of returns a user who is served from memory, or nil.
func (u *apartUsers) of(userID string) *apartUser {
	if u.count.Load() == 0 {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.users[userID]
}

func (u *apartUsers) all() []*apartUser {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := make([]*apartUser, 0, len(u.users))
	for _, user := range u.users {
		all = append(all, user)
	}
	return all
}

// begin has a user served from memory, if that is the mode and there is room; else it
// returns nil.
func (u *apartUsers) begin(a *Auth, userID string) *apartUser {
	if a.outage.mode() != ModeMemory || !a.lately(a.now()) {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if user := u.users[userID]; user != nil {
		return user
	}
	if len(u.users) >= a.config.MaxQueued {
		return nil
	}
	user := &apartUser{userID: strings.Clone(userID)}
	user.ledger, _ = a.recent.get(userID)
	user.from = user.ledger.Version
	u.users[user.userID] = user
	u.count.Add(1)
	return user
}

// end has the store asked again. The user's lock is held.
func (u *apartUsers) end(user *apartUser) {
	user.over = true
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.users, user.userID)
	u.count.Add(-1)
}

// sure is an outcome without a change that is so by the store's ledger as well,
// however old the one is that it was decided on.
type sure interface{ sure() bool }

// errApart is ErrNotDurable of what was decided in memory.
var errApart = errors.Join(ErrNotDurable, errors.New("sallyport: the store is away, and this was decided in memory"))

// kept returns what of an error remains if a decision is to stand that is not durable,
// and the mode in which it was made, unless it is ModeNormal.
func kept(err error) (Mode, error) {
	switch {
	case errors.Is(err, errApart):
		return ModeMemory, nil
	case errors.Is(err, ErrNotDurable):
		return "", nil
	}
	return "", err
}

// transactApart is transact in memory: what it decides stands, with errApart. It reports
// false if the store has to be asked. The end of a session that the store never had is
// audited here; that of another is when it is written.
func transactApart[O any](ctx context.Context, a *Auth, u *apartUser, decide func(Ledger, time.Time) (O, *Change)) (out O, err error, done bool) {
	var none O
	var gone []Ended
	defer func() { a.auditEnded(ctx, u.userID, gone, err) }() // without the lock
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.over {
		return none, nil, false
	}
	now := a.now()
	if a.outage.mode() != ModeMemory || !a.lately(now) {
		return none, ErrStoreUnavailable.because(errTripped), true
	}
	outcome, change := decide(u.ledger, a.dated(&u.ledger))
	if change == nil {
		if !u.any {
			a.apart.end(u)
		}
		if o, ok := any(outcome).(sure); !ok || !o.sure() {
			return none, ErrStoreUnavailable.because(errTripped), true
		}
		return outcome, nil, true
	}
	if change.ID, err = newID(a.config.Random); err != nil {
		return none, ErrInternal.because(err), true
	}
	for i := range change.Publish {
		change.Publish[i].UserID = u.userID
	}
	u.any = true
	gone = u.ends(change, actor(ctx))
	u.done.note(&u.ledger, change)
	u.ledger = change.Apply(u.ledger)
	a.feed.enforce(change.Publish, now)
	return outcome, ErrStoreUnavailable.because(errApart), true
}

// ends notes who ends sessions, and returns those that the store never had.
func (u *apartUser) ends(c *Change, by string) (gone []Ended) {
	ended := slices.Clone(c.End)
	for _, s := range u.ledger.Sessions {
		if c.Forget && s.live(c.At) {
			ended = append(ended, Ended{s.ID, ReasonForgotten})
		}
	}
	for _, e := range ended {
		switch {
		case e.Reason == ReasonExpired:
		case u.done.sessions[e.ID].begun:
			gone = append(gone, e)
		case by != "":
			if u.by == nil {
				u.by = make(map[ID]string)
			}
			u.by[e.ID] = by
		}
	}
	return gone
}

// judge decides about a token of a session that is known in memory and not joined yet:
// the store's ledger may not have it. It reports false of all others.
func (a *Auth) judge(k *known, now time.Time, strict bool) (apart bool, err error) {
	u := a.apart.of(k.userID())
	if u == nil || k.foreign() {
		return false, nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.over || u.ledger.session(k.session, now) == nil {
		return false, nil
	}
	if strict || a.outage.mode() != ModeMemory || !a.lately(now) {
		return true, ErrStoreUnavailable.because(errTripped)
	}
	if good, _ := k.goodIn(&u.ledger, now); !good {
		return true, ErrTokenRevoked
	}
	return true, nil
}

// rejoin writes what was done apart, user by user, until the store fails. lostData says
// that the store is in another epoch than when it went away: what only memory knows
// may have been revoked since, and ends. Those whose ledgers are broken go on to wait, and
// keep nobody else waiting.
func (a *Auth) rejoin(ctx context.Context, lostData bool) error {
	all := a.apart.all()
	for _, u := range all {
		u.lostData = u.lostData || lostData
	}
	for _, u := range all {
		start := a.now()
		if start.Before(u.after) {
			continue
		}
		ended, err := a.rejoinUser(ctx, u)
		if _, failed := kept(err); failed != nil {
			if !a.reaches(ctx, err) {
				return err
			}
			u.after = a.retryAt(start)
		}
		for _, e := range ended {
			a.auditEnded(WithActor(ctx, u.by[e.ID]), u.userID, []Ended{e}, err)
		}
	}
	return nil
}

// rejoinUser returns the sessions that end by it; with ErrNotDurable it is done.
func (a *Auth) rejoinUser(ctx context.Context, u *apartUser) ([]Ended, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.over {
		return nil, nil
	}
	ctx, cancel := a.detached(ctx)
	defer cancel()
	ledger, err := a.store.Load(ctx, u.userID)
	for err == nil {
		// An earlier try that has moved the ledger on is not made again: a session
		// that began by it may have ended since.
		spent := u.lostData || u.tried && u.triedOn != ledger.Version ||
			!u.from.IsZero() && ledger.Version.IsZero() // the user was forgotten
		outcome, change := a.policy.rejoin(ledger, &u.done, spent, a.dated(&ledger))
		if change == nil {
			a.apart.end(u)
			return outcome.ended, nil
		}
		if change.ID, err = newID(a.config.Random); err != nil {
			return nil, ErrInternal.because(err)
		}
		for i := range change.Publish {
			change.Publish[i].UserID = u.userID
		}
		var stands Ledger
		stands, err = a.commit(ctx, u.userID, change)
		switch {
		case err == nil, errors.Is(err, ErrNotDurable):
			a.feed.enforce(change.Publish, a.now())
			a.recent.put(u.userID, change.Apply(ledger))
			a.apart.end(u)
			return outcome.ended, err
		case errors.Is(err, ErrConflict):
			ledger, err = stands, nil
		case !u.tried: // the first is the one that may have taken place
			u.tried, u.triedOn = true, ledger.Version
		}
	}
	return nil, ErrStoreUnavailable.because(err)
}
