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
	last := a.now()
	purged := last
	for ctx.Err() == nil {
		cursor = a.readFeed(ctx, cursor, wait)
		now := a.now()
		switch {
		case jumped(last, now):
			a.feed.lapse() // what was taken in and what was purged went by a wrong clock
			cursor, purged = "", now
		case now.Sub(purged) >= purgeInterval:
			a.feed.purge(now)
			purged = now
			if a.feed.overflowed() {
				cursor = "" // there may be room now: read it whole
			}
		}
		last = now
	}
}

// readFeed reads the feed once and returns where to go on. After a failure that
// is where it began, a moment later.
func (a *Auth) readFeed(ctx context.Context, cursor Cursor, wait time.Duration) Cursor {
	call, cancel := context.WithTimeout(ctx, wait+a.config.StoreTimeout)
	defer cancel()
	began, moment := a.now(), a.feed.moments.Add(1)
	batch, err := a.config.Store.Tail(call, cursor, wait)
	if err == nil {
		room := a.feed.enforce(batch.Events, began)
		a.feed.renew(began, moment, batch.Epoch, room && (cursor == "" || batch.Reset), batch.Reset)
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
