package core

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Mode is how an Auth goes on while its store does not answer.
type Mode string

const (
	// ModeNormal: the store answers.
	ModeNormal Mode = "normal"
	// ModeDegraded: it does not. Guards go by signature, expiry and the revocations
	// that are known here; refreshes, sign-ins and strict guards answer 503.
	ModeDegraded Mode = "degraded"
	// ModeMemory is ModeDegraded with [Config.ServeFromMemory]: refreshes of sessions
	// that are known here, and sign-ins, go on in memory.
	ModeMemory Mode = "memory"
	// ModeClosed: it has not answered for longer than [Config.MaxDegraded]. All that
	// needs an answer of its is refused with 503.
	ModeClosed Mode = "closed"
)

// ModeChange is one change of mode, for [Config.OnMode].
type ModeChange struct {
	From, To Mode
	At       time.Time
	Err      error // what the store's last call failed with; nil for ModeNormal
}

// outage is what an Auth knows of its store's being away.
type outage struct {
	now  atomic.Pointer[standing]
	lost atomic.Int64 // how often

	turning sync.Mutex
	untold  []ModeChange
	telling bool // somebody tells them, one after the other
}

type standing struct {
	mode  Mode
	since time.Time
}

func (o *outage) mode() Mode { return o.now.Load().mode }

// turn changes the mode, tells so, and does nothing if it is the mode already. Whoever is
// told may cause the next change: that is told afterwards.
func (a *Auth) turn(to Mode, cause error) {
	o := &a.outage
	o.turning.Lock()
	defer o.turning.Unlock()
	from := o.mode()
	if from == to {
		return
	}
	c := ModeChange{From: from, To: to, At: a.now(), Err: cause}
	o.now.Store(&standing{to, c.At})
	if from == ModeNormal {
		o.lost.Add(1)
	}
	o.untold = append(o.untold, c)
	if o.telling {
		return
	}
	o.telling = true
	defer func() { o.telling = false }()
	for len(o.untold) > 0 {
		c, o.untold = o.untold[0], o.untold[1:]
		a.tell(c)
	}
}

// tell tells of a change of mode, without the lock that is held.
func (a *Auth) tell(c ModeChange) {
	a.outage.turning.Unlock()
	defer a.outage.turning.Lock()
	a.audit(context.Background(), EventModeChanged, Event{Mode: c.To, Err: c.Err})
	if a.config.OnMode != nil {
		a.config.OnMode(c)
	}
}

// lost is called whenever the store was found not to answer.
func (a *Auth) lost(cause error) {
	switch {
	case !a.lately(a.now()):
		a.turn(ModeClosed, cause)
	case a.config.ServeFromMemory:
		a.turn(ModeMemory, cause)
	default:
		a.turn(ModeDegraded, cause)
	}
}

// reaches is called after a call on the store has failed, and reports whether it answers
// all the same.
func (a *Auth) reaches(ctx context.Context, cause error) bool {
	call, cancel := context.WithTimeout(ctx, a.config.StoreTimeout)
	defer cancel()
	if a.store.answers(call) {
		return true
	}
	if ctx.Err() == nil { // else the Auth is closed
		a.store.trip(cause)
	}
	return false
}

// lately reports whether the feed was read less than MaxDegraded ago; before it was
// read, whether the Auth is younger than that.
func (a *Auth) lately(now time.Time) bool {
	last := a.feed.view.Load().readAt
	if last.IsZero() {
		last = a.began
	}
	return within(now, last.Add(a.config.MaxDegraded))
}

// tolerates reports whether a token passes of which the store can't be asked: for a
// time after it went away, if this process knew all revocations then.
func (a *Auth) tolerates(k *known, now time.Time, err error) bool {
	if m := a.outage.mode(); m != ModeDegraded && m != ModeMemory {
		return false
	}
	return errors.Is(err, ErrStoreUnavailable) && a.feed.remembers(k) && a.lately(now)
}
