package core

import (
	"context"
	"crypto/sha256"
	"maps"
	"sync"
	"time"
)

// feed is what this process knows of revocations, and how well.
//
// It holds a lease: until then it knows every revocation that was committed
// anywhere up to MaxStaleness before. While the lease lasts, a token that was
// issued in this epoch is revoked only if the feed says so, and nobody asks
// the store. Without a lease the ledger has to be loaded.
type feed struct {
	most      int
	staleness time.Duration

	mu       sync.RWMutex
	sessions map[ID]cut
	delayed  map[ID]delayedCut
	tokens   map[[16]byte]int64   // by jtiKey, until (Unix seconds)
	doubted  map[string]time.Time // users of whom the feed may lack something, since when
	full     bool                 // something had no room: the feed is not to be trusted
	lease    time.Time
	epoch    Epoch
	readAt   time.Time // start of the last successful read
}

// cut revokes a session's tokens below a serial.
type cut struct {
	below uint64
	until int64 // Unix seconds
}

// delayedCut is a cut that takes effect later.
type delayedCut struct {
	below uint64
	from  time.Time
	until int64
}

// epochMargin is how far the clock of a process that issues tokens may be ahead
// of one that began the feed's epoch. Tokens from further ahead don't verify.
const epochMargin = maxLeeway + clockMargin

func newFeed(most int, staleness time.Duration) *feed {
	return &feed{
		most:      most,
		staleness: staleness,
		sessions:  make(map[ID]cut),
		delayed:   make(map[ID]delayedCut),
		tokens:    make(map[[16]byte]int64),
		doubted:   make(map[string]time.Time),
	}
}

// jtiKey shortens a jti to a fixed size.
func jtiKey(jti string) [16]byte {
	sum := sha256.Sum256([]byte(jti))
	return [16]byte(sum[:16])
}

// look reports whether the feed knows that a token was revoked, and if not,
// whether it would know: whether the token is good without asking the store. It
// is one look: between two, a feed that was behind may catch up.
func (f *feed) look(userID string, c *accessClaims, jti string, now time.Time) (revoked, vouched bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.revoked(c.Session, c.Serial, jti, now) {
		return true, false
	}
	if len(f.doubted) > 0 {
		if _, ok := f.doubted[userID]; ok {
			return false, false
		}
	}
	return false, f.leased(now) && !f.full && !f.epoch.ID.IsZero() && c.IssuedAt.After(f.epoch.Began.Add(epochMargin))
}

// revoked needs the lock.
func (f *feed) revoked(session ID, serial uint64, jti string, now time.Time) bool {
	if c, ok := f.sessions[session]; ok && serial < c.below {
		return true
	}
	if d, ok := f.delayed[session]; ok && serial < d.below && !now.Before(d.from) {
		return true
	}
	if len(f.tokens) == 0 {
		return false
	}
	_, ok := f.tokens[jtiKey(jti)]
	return ok
}

// leased needs the lock. It looks at both clocks: the monotonic one stands still
// while a machine is suspended, and the other may be set back.
func (f *feed) leased(now time.Time) bool {
	return now.Before(f.lease) && now.Round(0).Before(f.lease.Round(0))
}

// doubt has the feed vouch for none of a user's tokens until it was read again.
// Whoever is told that sessions have ended may rely on it, even if another
// process ended them and the feed has yet to bring the news.
func (f *feed) doubt(userID string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.doubted) >= f.most {
		f.lease = time.Time{} // the next read brings it back
		return
	}
	f.doubted[userID] = now
}

// enforce takes revocations in, but for those that are over: a store may keep
// them for long. It never forgets a stricter one.
func (f *feed) enforce(events []Revocation, now time.Time) {
	if len(events) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range events {
		until := e.Until.Unix()
		if until <= now.Unix() {
			continue
		}
		if len(f.sessions)+len(f.delayed)+len(f.tokens) >= f.most {
			f.full = true
			return
		}
		switch {
		case e.JTI != "":
			key := jtiKey(e.JTI)
			f.tokens[key] = max(f.tokens[key], until)
		case !e.From.IsZero():
			if d := f.delayed[e.Session]; e.MinSerial > d.below {
				f.delayed[e.Session] = delayedCut{below: e.MinSerial, from: e.From, until: until}
			}
		default:
			c := f.sessions[e.Session]
			f.sessions[e.Session] = cut{below: max(c.below, e.MinSerial), until: max(c.until, until)}
		}
	}
}

// purge forgets revocations of tokens that have expired.
func (f *feed) purge(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sec := now.Unix()
	maps.DeleteFunc(f.sessions, func(_ ID, c cut) bool { return c.until <= sec })
	maps.DeleteFunc(f.delayed, func(_ ID, d delayedCut) bool { return d.until <= sec })
	maps.DeleteFunc(f.tokens, func(_ [16]byte, until int64) bool { return until <= sec })
}

// overflowed reports whether something had no room.
func (f *feed) overflowed() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.full
}

// renew extends the lease after a read that began at a time. whole says that
// the read began at the start of the feed, so that nothing is missing.
func (f *feed) renew(began time.Time, epoch Epoch, whole bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch, f.readAt = epoch, began
	f.lease = began.Add(f.staleness)
	maps.DeleteFunc(f.doubted, func(_ string, since time.Time) bool { return since.Before(began) })
	if whole {
		f.full = len(f.sessions)+len(f.delayed)+len(f.tokens) >= f.most
	}
}

// lapse gives the lease up.
func (f *feed) lapse() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lease = time.Time{}
}

// age returns how old the last successful read is, by the clock that makes more
// of it; negative: there was none.
func (f *feed) age(now time.Time) time.Duration {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.readAt.IsZero() {
		return -1
	}
	return max(0, now.Sub(f.readAt), now.Round(0).Sub(f.readAt.Round(0)))
}

const purgeInterval = time.Minute

// follow reads the store's feed until ctx is done.
func (a *Auth) follow(ctx context.Context) {
	var cursor Cursor
	wait := a.MaxStaleness / 4
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
	call, cancel := context.WithTimeout(ctx, wait+a.StoreTimeout)
	defer cancel()
	began := a.now()
	batch, err := a.Store.Tail(call, cursor, wait)
	if err == nil {
		a.feed.enforce(batch.Events, began)
		a.feed.renew(began, batch.Epoch, cursor == "" || batch.Reset)
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
