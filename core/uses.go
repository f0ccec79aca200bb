package core

import (
	"context"
	"sync"
	"time"
)

// uses gathers signs of life (see use) and has each written once, in the
// background. It is bounded: what has no room now is noted at a later request.
type uses struct {
	touch time.Duration
	queue chan userUse

	mu    sync.Mutex
	noted map[ID]noted
}

type userUse struct {
	userID string
	use
}

// noted is what of a session was queued or written.
type noted struct {
	serial  uint64
	gen     uint64
	touched time.Time
}

const (
	usesQueued  = 4096
	usesWriters = 4 // so that one user's that hangs does not hold up all others'
	usesNoted   = 100_000
)

func newUses(touch time.Duration) *uses {
	return &uses{touch: touch, queue: make(chan userUse, usesQueued), noted: make(map[ID]noted)}
}

// note queues a sign of life unless it says nothing new. It never waits.
func (u *uses) note(userID string, s use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	known, ok := u.noted[s.session]
	if ok && s.serial <= known.serial && s.gen <= known.gen && s.at.Sub(known.touched) < u.touch {
		return
	}
	select {
	case u.queue <- userUse{userID, s}:
	default:
		return
	}
	if len(u.noted) >= usesNoted {
		clear(u.noted) // costs a decision that changes nothing per session in use
	}
	known.serial, known.gen = max(known.serial, s.serial), max(known.gen, s.gen)
	known.touched = s.at
	u.noted[s.session] = known
}

// recorded notes when a session's activity was last recorded, in this process
// or another, so that the next is noted a touch interval after that.
func (u *uses) recorded(session ID, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if known, ok := u.noted[session]; ok {
		known.touched = at
		u.noted[session] = known
	}
}

// forget has the next sign of life of a session noted again.
func (u *uses) forget(session ID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.noted, session)
}

// noteUses writes signs of life until ctx is done, and then what is queued.
func (a *Auth) noteUses(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case u := <-a.uses.queue:
			_ = a.writeUse(context.WithoutCancel(ctx), u) // noted again at a later request
		case <-ctx.Done():
		}
	}
	a.flushUses(context.WithoutCancel(ctx))
}

// flushUses writes what is queued, for as long as one store call may take. It
// gives up when the store does not answer.
func (a *Auth) flushUses(ctx context.Context) {
	until := a.now().Add(a.StoreTimeout)
	for a.now().Before(until) {
		select {
		case u := <-a.uses.queue:
			if a.writeUse(ctx, u) != nil {
				return
			}
		default:
			return
		}
	}
}

func (a *Auth) writeUse(ctx context.Context, u userUse) error {
	at, err := transact(ctx, a, u.userID, func(l Ledger, now time.Time) (time.Time, *Change) {
		if change := a.policy.used(l, u.use, now); change != nil {
			return change.Put[0].LastSeenAt, change
		}
		if s := l.session(u.session, now); s != nil {
			return s.LastSeenAt, nil
		}
		return u.at, nil
	})
	if err != nil {
		a.uses.forget(u.session)
		return err
	}
	a.uses.recorded(u.session, at)
	return nil
}
