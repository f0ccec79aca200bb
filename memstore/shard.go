package memstore

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// shard is the part of the users whose ids hash alike.
type shard struct {
	mu    sync.RWMutex
	users map[string]*record
	// due is a time before which nothing in the shard is over. The first
	// thing may be over later than that: it was perhaps replaced meanwhile.
	due time.Time
}

// record is one user's ledger. It never changes, but is replaced, so that a
// ledger can be copied without holding a lock.
type record struct {
	ledger    core.Ledger
	keepUntil time.Time
	due       time.Time // when the first thing in it is over
}

// never is later than any time that a ledger can hold.
var never = time.Unix(1<<60, 0)

func newRecord(l core.Ledger, keepUntil time.Time) *record {
	r := &record{ledger: l, keepUntil: keepUntil, due: keepUntil}
	for i := range l.Sessions {
		r.due = earlier(r.due, l.Sessions[i].ExpiresAt)
	}
	return r
}

// load returns what is kept, not a copy.
func (sh *shard) load(userID string) core.Ledger {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if r, known := sh.users[userID]; known {
		return r.ledger
	}
	return core.Ledger{}
}

// put needs the lock.
func (sh *shard) put(userID string, r *record) {
	// The id may be a piece of a whole request, and a map keeps the key that it
	// was last given.
	sh.users[strings.Clone(userID)] = r
	sh.due = earlier(sh.due, r.due)
}

// sweep removes at most limit sessions and users that are over before a time.
// It returns how many of both, and how many of them are users.
func (sh *shard) sweep(before time.Time, limit int) (removed, users int) {
	sh.mu.RLock()
	idle := !sh.due.Before(before)
	sh.mu.RUnlock()
	if idle {
		return 0, 0
	}

	sh.mu.Lock()
	defer sh.mu.Unlock()
	due := never
	for userID, r := range sh.users {
		switch {
		case removed >= limit:
			return removed, users // due stays: not all was looked at
		case !r.due.Before(before):
		case r.keepUntil.Before(before):
			delete(sh.users, userID)
			removed++
			users++
			continue
		default:
			var n int
			r, n = r.without(before, limit-removed)
			sh.users[userID] = r
			removed += n
		}
		due = earlier(due, r.due)
	}
	sh.due = due
	return removed, users
}

// without returns the record without at most limit sessions that are over, and
// how many there were.
func (r *record) without(before time.Time, limit int) (*record, int) {
	left := r.ledger
	removed := 0
	// The clone is the list alone: what a session points to never changes.
	left.Sessions = slices.DeleteFunc(slices.Clone(left.Sessions), func(s core.Session) bool {
		over := removed < limit && s.ExpiresAt.Before(before)
		if over {
			removed++
		}
		return over
	})
	return newRecord(left, r.keepUntil), removed
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
