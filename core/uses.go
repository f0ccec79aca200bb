package core

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// uses gathers signs of life (see use) and has each written once, in the
// background. It is bounded: what has no room now is noted at a later request.
type uses struct {
	touch time.Duration
	queue chan userUse

	mu       sync.Mutex
	sessions map[ID]*usage
}

type userUse struct {
	userID string
	use
	of *usage
}

// usage is what of a session was queued or written.
type usage struct {
	serial  atomic.Uint64
	gen     atomic.Uint64
	touched atomic.Int64 // Unix milliseconds
}

const (
	usesQueued  = 4096
	usesWriters = 4 // so that one user's that hangs does not hold up all others'
	usesNoted   = 100_000
)

func newUses(touch time.Duration) *uses {
	return &uses{touch: touch, queue: make(chan userUse, usesQueued), sessions: make(map[ID]*usage)}
}

// of returns what was noted of a session.
func (u *uses) of(session ID) *usage {
	u.mu.Lock()
	defer u.mu.Unlock()
	g := u.sessions[session]
	if g == nil {
		if len(u.sessions) >= usesNoted {
			clear(u.sessions) // costs a decision that changes nothing per session in use
		}
		g = new(usage)
		u.sessions[session] = g
	}
	return g
}

// note queues a sign of life unless it says nothing new. It never waits.
func (u *uses) note(g *usage, userID string, s use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if g.says(s.serial, s.gen, s.at, u.touch) {
		return
	}
	serial, gen, touched := g.serial.Load(), g.gen.Load(), g.touched.Load()
	g.serial.Store(max(serial, s.serial))
	g.gen.Store(max(gen, s.gen))
	g.recorded(s.at)
	select {
	case u.queue <- userUse{userID, s, g}: // from here on its writer may forget it
	default:
		g.serial.Store(serial)
		g.gen.Store(gen)
		g.touched.Store(touched)
	}
}

// says reports whether a sign of life adds nothing to what was noted.
func (g *usage) says(serial, gen uint64, at time.Time, touch time.Duration) bool {
	return serial <= g.serial.Load() && gen <= g.gen.Load() && at.UnixMilli()-g.touched.Load() < touch.Milliseconds()
}

// recorded notes when a session's activity was last recorded, in this process
// or another, so that the next is noted a touch interval after that.
func (g *usage) recorded(at time.Time) { g.touched.Store(at.UnixMilli()) }

// forget has the next sign of life noted again.
func (g *usage) forget() {
	g.serial.Store(0)
	g.gen.Store(0)
	g.touched.Store(0)
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
	until := a.now().Add(a.config.StoreTimeout)
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
	if a.apart.of(u.userID) == nil { // it is no reason to serve somebody from memory
		ctx = context.WithValue(ctx, toStore{}, true)
	}
	at, err := transact(ctx, a, u.userID, func(l Ledger, now time.Time) (recordedAt, *Change) {
		if change := a.policy.used(l, u.use, now); change != nil {
			return recordedAt(change.Put[0].LastSeenAt), change
		}
		if s := l.session(u.session, now); s != nil {
			return recordedAt(s.LastSeenAt), nil
		}
		return recordedAt(u.at), nil
	})
	if _, err = kept(err); err != nil {
		u.of.forget()
		return err
	}
	u.of.recorded(time.Time(at))
	return nil
}

// recordedAt is when activity was recorded.
type recordedAt time.Time

func (recordedAt) sure() bool { return true } // enough for what may be a touch interval off
