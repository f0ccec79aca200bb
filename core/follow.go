package core

import (
	"context"
	"time"
)

const purgeInterval = time.Minute

// follow reads the store's feed until ctx is done.
func (a *Auth) follow(ctx context.Context) {
	var cursor Cursor
	wait := a.config.MaxStaleness / 4
	purged := a.now()
	for ctx.Err() == nil {
		cursor = a.readFeed(ctx, cursor, wait)
		if now := a.now(); now.Sub(purged) >= purgeInterval {
			if jumped(purged, now) {
				a.feed.lapse() // what was purged, or is to be, went by a wrong clock
				cursor = ""
			} else {
				a.feed.purge(now)
			}
			purged = now
			if a.feed.overflowed() {
				cursor = "" // there may be room now: read it whole
			}
		}
	}
}

// jumped reports whether the wall clock was set in between.
func jumped(from, to time.Time) bool {
	return (to.Sub(from) - to.Round(0).Sub(from.Round(0))).Abs() > time.Second
}

// readFeed reads the feed once and returns where to go on. After a failure that
// is where it began, a moment later.
func (a *Auth) readFeed(ctx context.Context, cursor Cursor, wait time.Duration) Cursor {
	call, cancel := context.WithTimeout(ctx, wait+a.config.StoreTimeout)
	defer cancel()
	began, moment := a.now(), a.feed.moments.Add(1)
	batch, err := a.config.Store.Tail(call, cursor, wait)
	if err == nil {
		a.feed.enforce(batch.Events, began)
		a.feed.renew(began, moment, batch.Epoch, cursor == "" || batch.Reset, batch.Reset)
	}
	// A store that does not wait where it should must not keep us spinning.
	if idle := err != nil || cursor != "" && (len(batch.Events) == 0 || batch.Reset); idle {
		if rest := wait - a.now().Sub(began); rest > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(rest):
			}
		}
	}
	if err != nil {
		return cursor
	}
	return batch.Next
}
