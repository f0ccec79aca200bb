package core

import (
	"context"
	"time"
)

const purgeInterval = time.Minute

// follower is how far the feed was read, and what the store has yet to be told.
type follower struct {
	cursor  Cursor
	epoch   ID // of the last batch; zero: there was none
	restore restoration
	pending bool // the store has not been told all
	gap     bool // something may have been missed since the feed was trusted
	whole   bool // it was read from its start since, and all had room
}

// follow reads the store's feed until ctx is done.
func (a *Auth) follow(ctx context.Context) {
	var f follower
	last := a.now()
	purged := last
	for ctx.Err() == nil {
		a.readFeed(ctx, &f, a.config.MaxStaleness/4)
		now := a.now()
		switch {
		case jumped(last, now):
			a.feed.lapse() // what was taken in and what was purged went by a wrong clock
			f.cursor, purged = "", now
		case now.Sub(purged) >= purgeInterval && !f.restore.behind:
			a.feed.purge(now)
			purged = now
			if a.feed.overflowed() {
				f.cursor = "" // there may be room now: read it whole
			}
		}
		last = now
	}
}

// readFeed reads the feed once, for as long as rest if there is nothing, and tells the
// store what it lacks. After a failure the next read begins where this one did, a moment
// later. Only when the store has been told everything is the feed trusted.
func (a *Auth) readFeed(ctx context.Context, f *follower, rest time.Duration) {
	wait := rest
	if f.pending {
		wait = 0
	}
	call, cancel := context.WithTimeout(ctx, wait+a.config.StoreTimeout)
	defer cancel()
	began, moment := a.now(), a.feed.moments.Add(1)
	batch, err := a.store.Tail(call, f.cursor, wait)
	if err != nil {
		a.missed(ctx, err)
	} else {
		anew := f.cursor == "" && a.feed.holds() // what is held may be missing in it
		room := a.feed.enforce(batch.Events, began)
		f.whole = room && (f.whole || f.cursor == "" || batch.Reset)
		f.gap = f.gap || batch.Reset
		another := !f.epoch.IsZero() && f.epoch != batch.Epoch.ID
		a.sent.came(batch.Events)
		lost := false
		if batch.Reset || another || anew {
			f.restore.regressed(&batch, another)
			a.sent.forget()
		} else {
			f.restore.read(batch.Events)
			lost = a.sent.lost(moment)
		}
		f.epoch = batch.Epoch.ID
		f.pending = !a.back(ctx, &f.restore) || lost
		if lost { // read it whole, to see what else is
			batch.Next = ""
		}
		if !f.pending {
			a.feed.renew(began, moment, batch.Epoch, f.whole, f.gap)
			f.whole, f.gap = false, false
			a.turn(ModeNormal, nil)
		}
	}
	// A store that does not wait where it should must not keep us spinning.
	if idle := err != nil || f.pending || f.cursor != "" && (len(batch.Events) == 0 || batch.Reset); idle {
		if left := rest - a.now().Sub(began); left > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(left):
			}
		}
	}
	if err == nil {
		f.cursor = batch.Next
	}
}

// missed is called when the feed could not be read. A store that answers all the same is
// told what was ordered, and is not away; what was done apart waits for the feed, which
// tells whether the store has lost something.
func (a *Auth) missed(ctx context.Context, err error) {
	if ctx.Err() != nil || !a.reaches(ctx, err) {
		return
	}
	if a.fulfil(ctx) == nil && a.apart.count.Load() == 0 {
		a.turn(ModeNormal, nil)
	}
}

// back is called when the feed was read: the store answers. It reports whether it has
// been told all that it lacks.
func (a *Auth) back(ctx context.Context, r *restoration) bool {
	a.store.close()
	whole, err := a.restore(ctx, r)
	return err == nil && whole
}
