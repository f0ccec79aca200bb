package core

import (
	"slices"
	"time"
)

const (
	pendingLasts    = 5 * time.Minute // a sign-in waits for its second factor
	pendingCeiling  = 4               // sign-ins of a user that wait at once
	pendingAttempts = 5               // second factors that are looked at for one of them
)

// wait keeps a sign-in back until its second factor arrives: nothing begins.
func (p *policy) wait(l Ledger, r signInRequest, now time.Time) *Change {
	s := r.session
	s.CreatedAt = now
	if !r.checked.IsZero() {
		s.CreatedAt = earliest(r.checked, now) // what was revoked since then reaches it
	}
	waiting := slices.DeleteFunc(slices.Clone(l.Pending), func(o Pending) bool { return !now.Before(o.ExpiresAt) })
	slices.SortFunc(waiting, func(a, b Pending) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
	waiting = waiting[max(0, len(waiting)+1-pendingCeiling):]
	c := Change{Pending: append(waiting, Pending{Session: s, ExpiresAt: now.Add(pendingLasts)})}
	return c.seal(&l, now)
}

// pendingOf returns where a sign-in waits in a ledger; -1: it does not.
func (l *Ledger) pendingOf(id ID, now time.Time) int {
	return slices.IndexFunc(l.Pending, func(p Pending) bool { return p.Session.ID == id && now.Before(p.ExpiresAt) })
}

type attemptOutcome struct {
	spent   bool // nothing waits, or it was tried as often as allowed
	device  bool // it waits for another device
	session Session
}

// attempt counts a second factor that is about to be looked at. device is what the
// client presents. A device that the server has named has to prove that it is this one;
// of one that has its own word for itself, no word will do.
func attempt(l Ledger, id ID, device Device, now time.Time) (attemptOutcome, *Change) {
	i := l.pendingOf(id, now)
	if i < 0 || l.Pending[i].Attempts >= pendingAttempts {
		return attemptOutcome{spent: true}, nil
	}
	waits := l.Pending[i].Session
	same := device.ID == waits.Device.ID && (device.Signed || !waits.Device.Signed)
	if !same && (device.ID != "" || waits.Device.Signed) {
		return attemptOutcome{device: true, session: waits}, nil
	}
	pending := slices.Clone(l.Pending)
	pending[i].Attempts++
	c := Change{Pending: pending}
	return attemptOutcome{session: waits}, c.seal(&l, now)
}

// fulfil takes the sign-in that r completes out of those that wait: its session is
// what begins. It reports false if none waits.
func (c *Change) fulfil(l *Ledger, r *signInRequest, now time.Time) bool {
	i := l.pendingOf(r.fulfils, now)
	if i < 0 {
		return false
	}
	s := l.Pending[i].Session.Clone()
	for _, how := range r.session.AMR {
		if !slices.Contains(s.AMR, how) {
			s.AMR = append(s.AMR, how)
		}
	}
	s.ID, s.AuthTime = r.session.ID, now
	r.session = s
	c.Pending = slices.Delete(slices.Clone(l.Pending), i, i+1)
	return true
}

// dropPending has a sign-in wait no longer.
func dropPending(l Ledger, id ID, now time.Time) *Change {
	i := l.pendingOf(id, now)
	if i < 0 {
		return nil
	}
	c := Change{Pending: slices.Delete(slices.Clone(l.Pending), i, i+1)}
	return c.seal(&l, now)
}
