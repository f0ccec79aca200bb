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
	now     atomic.Pointer[standing]
	lost    atomic.Int64 // how often
	turning sync.Mutex   // changes are told one after the other
}

type standing struct {
	mode  Mode
	since time.Time
}

func (o *outage) mode() Mode { return o.now.Load().mode }

// turn changes the mode, tells so, and does nothing if it is the mode already.
func (a *Auth) turn(to Mode, cause error) {
	a.outage.turning.Lock()
	defer a.outage.turning.Unlock()
	from := a.outage.mode()
	if from == to {
		return
	}
	at := a.now()
	a.outage.now.Store(&standing{to, at})
	if from == ModeNormal {
		a.outage.lost.Add(1)
	}
	a.audit(context.Background(), EventModeChanged, Event{Mode: to, Err: cause})
	if a.config.OnMode != nil {
		a.config.OnMode(ModeChange{From: from, To: to, At: at, Err: cause})
	}
}

// lost is called when the store has stopped answering.
func (a *Auth) lost(cause error) {
	switch {
	case a.config.ServeFromMemory:
		a.turn(ModeMemory, cause)
	default:
		a.turn(ModeDegraded, cause)
	}
}

// overdue closes the doors when the store has been away for too long.
func (a *Auth) overdue(cause error) {
	if m := a.outage.mode(); m != ModeDegraded && m != ModeMemory {
		return
	}
	if !a.lately(a.now()) {
		a.turn(ModeClosed, cause)
	}
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
