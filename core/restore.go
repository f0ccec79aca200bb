package core

import (
	"context"
	"time"
)

// restoration is what this process has to tell a store that has come back, before it
// trusts its feed again.
type restoration struct {
	// behind says that the store may lack revocations that it has acknowledged: it is in
	// another epoch, or its feed ends before what was read of it.
	behind bool
	// fresh says that it is another epoch, whose feed vouches for nothing of before: what
	// is gone from a ledger needs no revocation then.
	fresh   bool
	present map[told]uint32 // what the store has: below which serial it revokes
	// Positions in the sets of the feed up to which it was told; delayed: of those later
	// on as well.
	sessions, tokens int
	delayed          bool
}

// told is what a revocation is about.
type told struct {
	key     [16]byte // as in the feed
	delayed bool
}

// about returns what a revocation is about, and below which serial it revokes.
func about(e *Revocation) (told, uint32) {
	if e.JTI != "" {
		return told{jtiKey(e.JTI), false}, allSerials
	}
	return told{e.Session, !e.From.IsZero()}, packedSerial(e.MinSerial)
}

// regressed notes that a batch shows a store that may lack something. One that was fresh,
// and has not been told all, still is.
func (r *restoration) regressed(b *Batch, fresh bool) {
	*r = restoration{behind: true, fresh: fresh || r.fresh, present: make(map[told]uint32, len(b.Events))}
	r.read(b.Events)
}

// read notes what the store has.
func (r *restoration) read(events []Revocation) {
	if !r.behind {
		return
	}
	for i := range events {
		what, below := about(&events[i])
		r.present[what] = max(r.present[what], below)
	}
}

// restore tells a store that is back what it lacks: first what was ordered meanwhile,
// then what was done apart, then what it may have lost. It reports whether that is all; it
// may take several goes, between which the feed is read.
func (a *Auth) restore(ctx context.Context, r *restoration) (whole bool, err error) {
	if err := a.fulfil(ctx); err != nil {
		return false, err
	}
	if err := a.rejoin(ctx, r.behind && r.fresh); err != nil {
		return false, err
	}
	for until := a.now().Add(a.config.MaxStaleness); r.behind; {
		if !a.now().Before(until) {
			return false, nil
		}
		lacking := a.feed.lacking(r, reassertChunk)
		if len(lacking) == 0 {
			*r = restoration{}
			break
		}
		if err := a.reassert(ctx, lacking, r.fresh); err != nil {
			r.sessions, r.tokens, r.delayed = 0, 0, false // from the start
			return false, err
		}
	}
	return true, nil
}

// reassertChunk is how many revocations are looked at in one go.
const reassertChunk = 200

// lacking returns some revocations that are held here and that the store was not seen
// to have; none: that was all.
func (f *feed) lacking(r *restoration, most int) map[string][]Revocation {
	f.mu.RLock()
	defer f.mu.RUnlock()
	found, n := make(map[string][]Revocation), 0
	note := func(e Revocation, user []byte) {
		if what, below := about(&e); len(user) > 0 && r.present[what] < below {
			e.UserID = string(user)
			found[e.UserID] = append(found[e.UserID], e)
			n++
		}
	}
	for n < most && r.sessions < len(f.sessions.records) {
		p, current, next := f.sessions.scan(r.sessions)
		if r.sessions = next; current && !(p.below == buried && f.joins) {
			note(Revocation{Session: p.key, MinSerial: serialBelow(p.below), Until: p.until.time()}, p.user)
		}
	}
	for n < most && r.tokens < len(f.tokens.records) {
		p, current, next := f.tokens.scan(r.tokens)
		if r.tokens = next; current {
			var session ID
			copy(session[:], p.more)
			note(Revocation{Session: session, JTI: jtiName(p.key), Until: p.until.time()}, p.user)
		}
	}
	if n == 0 && !r.delayed {
		for id, d := range f.delayed { // few, and all at once
			note(Revocation{Session: id, MinSerial: serialBelow(d.below), From: d.from, Until: d.until.time()}, []byte(d.userID))
		}
		r.delayed = true
	}
	return found
}

func serialBelow(below uint32) uint64 {
	if below >= buried {
		return AllSerials
	}
	return uint64(below)
}

func (m minute) time() time.Time { return time.Unix(60*int64(m), 0).UTC() }

// reassert has users' revocations stand in the store. What a broken ledger does not take
// waits with what was ordered.
func (a *Auth) reassert(ctx context.Context, lacking map[string][]Revocation, fresh bool) error {
	users := make([]string, 0, len(lacking))
	for user := range lacking {
		users = append(users, user)
	}
	call, cancel := a.detached(ctx)
	defer cancel()
	ledgers, unread := a.store.LoadMany(call, users)
	if unread != nil && !a.reaches(ctx, unread) {
		return ErrStoreUnavailable.because(unread)
	}
	for user, known := range lacking {
		if unread == nil {
			l := ledgers[user]
			if _, change := reassert(l, known, fresh, a.dated(&l)); change == nil {
				continue
			}
		}
		write := func(ctx context.Context, _ func(*Session) bool) error { return a.revive(ctx, user, known, fresh) }
		err := write(context.WithValue(ctx, toStore{}, true), nil)
		if err == nil {
			continue
		}
		if !a.reaches(ctx, err) {
			return err
		}
		what, _ := about(&known[0]) // a name of its own; no token has that of a session
		if _, room := a.feed.order(&order{userID: user, jti: what.key, why: ReasonRevived, write: write}, a.config.MaxQueued); !room {
			return err
		}
	}
	return nil
}

// revive has a user's revocations stand in the store.
func (a *Auth) revive(ctx context.Context, user string, known []Revocation, fresh bool) error {
	ended, err := transact(ctx, a, user, func(l Ledger, now time.Time) ([]Session, *Change) {
		return reassert(l, known, fresh, now)
	})
	committed := err
	if _, err = kept(err); err != nil {
		return err
	}
	a.auditEnded(ctx, user, endings(ended, ReasonRevived), committed)
	return nil
}
