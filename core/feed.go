package core

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// feed is what this process knows of revocations, and how well.
//
// It holds a lease: until then it knows every revocation that was committed
// anywhere up to MaxStaleness before. While the lease lasts it vouches for
// tokens that were issued in this epoch, and for those of which a ledger has
// shown since the feed was begun that they were good: they are revoked only if
// the feed says so. For all others the ledger has to be loaded.
//
// A token that was let in is looked up again only after something was taken in
// that may concern it: see passes.
type feed struct {
	most      int
	staleness time.Duration
	joins     bool // a session that no ledger has may yet come, see Config.ServeFromMemory

	view    atomic.Pointer[view]
	taken   [stripes]atomic.Uint64 // how many revocations were taken in, by session
	doubts  atomic.Int64           // users in doubt
	moments atomic.Uint64          // orders doubts, loads and requests, where clocks are too coarse

	mu       sync.RWMutex
	sessions *packedSet
	delayed  map[ID]delayedCut
	tokens   *packedSet          // by jtiKey
	orders   map[string][]*order // by user: what is not stored yet
	ordered  int                 // how many
	doubted  map[string]uint64   // users of whom the feed may lack something, since which moment
	floor    uint64              // no load that began before this moment vouches for anything
}

// stripes is how finely tokens are told apart when a revocation was taken in.
const stripes = 256

// stripe returns where a session's revocations are counted.
func stripe(session ID) int { return int(session[0]) }

// view is what the last read of the feed came to. It never changes.
type view struct {
	lease     time.Time
	leaseWall int64     // lease by the wall clock, in Unix nanoseconds
	readAt    time.Time // start of the read
	epoch     Epoch
	// life numbers the time since the feed was begun without a gap, and bounded is
	// when that was, if there was one: the store may have lost what came before, of
	// sessions as well, so that nothing older is vouched for unseen.
	life    uint64
	bounded time.Time
	// full says that something had no room: nothing is vouched for.
	full bool
}

// minute is a time in Unix minutes, rounded up.
type minute uint32

func minuteOf(t time.Time) minute { return minute((t.Unix() + 59) / 60) }

// delayedCut revokes a session's tokens below a serial, from a time on.
type delayedCut struct {
	userID string
	below  uint32
	until  minute
	from   time.Time
}

// allSerials is AllSerials in a packed record, as serials as high as that never come.
const allSerials = math.MaxUint32

// buried is below which serial a session is revoked that a ledger has shown ended: all
// of them, but nobody has said so.
const buried = allSerials - 1

// packedSerial returns a serial as it is packed.
func packedSerial(below uint64) uint32 {
	if below >= buried {
		return allSerials
	}
	return uint32(below)
}

// cuts reports whether what revokes below one serial revokes another.
func cuts(below uint32, serial uint64) bool { return serial < uint64(below) || below >= buried }

// epochMargin is how far the clock of a process that issues tokens may be ahead
// of one that began the feed's epoch. Tokens from further ahead don't verify.
const epochMargin = maxLeeway + clockMargin

func newFeed(most int, staleness time.Duration) *feed {
	f := &feed{
		most:      most,
		staleness: staleness,
		sessions:  newPackedSet(),
		delayed:   make(map[ID]delayedCut),
		tokens:    newPackedSet(),
		orders:    make(map[string][]*order),
		doubted:   make(map[string]uint64),
	}
	f.view.Store(new(view))
	return f
}

// jtiKey shortens a jti to a fixed size. Of a jtiName it is the key that it names.
func jtiKey(jti string) [16]byte {
	if digits, named := strings.CutPrefix(jti, jtiNamed); named {
		if key, err := hex.DecodeString(digits); err == nil && len(key) == 16 {
			return [16]byte(key)
		}
	}
	sum := sha256.Sum256([]byte(jti))
	return [16]byte(sum[:16])
}

// jtiName is how a revocation names a token of which only the key is known. No jti
// begins like that.
func jtiName(key [16]byte) string { return jtiNamed + hex.EncodeToString(key[:]) }

const jtiNamed = "key:"

// verdict is what the feed says of a token.
type verdict int

const (
	feedUnknown verdict = iota // ask the ledger
	feedRevoked
	feedVouched
)

// passes reports whether a token that was let in before is still good, by
// nothing but atomic loads. If not, it has to be looked up.
//
// What was taken in comes last: what a read brings is counted before the lease is
// renewed and doubts are over.
func (f *feed) passes(k *known, now time.Time) bool {
	v := f.view.Load()
	return f.doubts.Load() == 0 && v.covers(k) && v.leased(now) && k.taken.Load() == f.taken[stripe(k.session)].Load()+1
}

// look is one look at all that is known: between two, a feed that was behind may
// catch up.
func (f *feed) look(k *known, now time.Time) verdict {
	f.mu.RLock()
	defer f.mu.RUnlock()
	yet, pending := f.cuts(k, now)
	if yet {
		return feedRevoked
	}
	doubted, doubtful := f.doubted[k.userID()]
	if v := f.view.Load(); !doubtful && v.covers(k) && v.leased(now) {
		if !pending {
			k.taken.Store(f.taken[stripe(k.session)].Load() + 1) // never 0, the mark of what was not looked up
		}
		return feedVouched
	}
	if k.loaded.Load().holds(max(doubted, f.floor), now) {
		return feedVouched
	}
	return feedUnknown
}

// cuts reports whether the token is revoked, and whether it is going to be. It
// needs the lock.
func (f *feed) cuts(k *known, now time.Time) (yet, pending bool) {
	if c, ok := f.sessions.get(k.session); ok && cuts(c.below, k.serial) {
		return true, false
	}
	for _, o := range f.orders[k.principal.UserID] {
		if o.revokes(k) {
			return true, false
		}
	}
	if d, ok := f.delayed[k.session]; ok && cuts(d.below, k.serial) {
		if !now.Before(d.from) {
			return true, false
		}
		pending = true
	}
	return f.tokens.find(&k.jti) >= 0, pending
}

// covers reports whether a feed with a lease vouches for a token.
func (v *view) covers(k *known) bool {
	if v.full || v.epoch.ID.IsZero() {
		return false
	}
	return k.issuedAt.After(latest(v.epoch.Began, v.bounded).Add(epochMargin)) || k.shown.Load() == v.life
}

// leased reports whether the view is fresh enough, by both clocks, see within.
// After the wall clock was set it is not: what was taken in, and what was forgotten,
// went by another time.
func (v *view) leased(now time.Time) bool {
	over, wall := now.Sub(v.lease), time.Duration(now.UnixNano()-v.leaseWall)
	return over < 0 && wall < 0 && (over-wall).Abs() <= time.Second
}

// jumped reports whether the wall clock was set in between.
func jumped(from, to time.Time) bool {
	return (to.Sub(from) - to.Round(0).Sub(from.Round(0))).Abs() > time.Second
}

// within reports whether a time has not come, by both clocks: the monotonic one
// stands still while a machine is suspended, and the other may be set back.
func within(now, until time.Time) bool {
	return now.Before(until) && now.Round(0).Before(until.Round(0))
}

// doubt has the feed vouch for none of a user's tokens until it was read again.
// Whoever is told that sessions have ended may rely on it, even if another
// process ended them and the feed has yet to bring the news.
func (f *feed) doubt(userID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	moment := f.moments.Add(1)
	if len(f.doubted) >= f.most {
		f.void(moment, func(v *view) { v.lease = time.Time{} }) // the next read brings it back
		return
	}
	f.doubted[userID] = moment
	f.doubts.Store(int64(len(f.doubted)))
}

// void has nothing vouched for that was known before a moment. It needs the lock.
func (f *feed) void(moment uint64, change func(*view)) {
	f.floor = moment
	f.amend(change)
}

// amend replaces the view by a changed copy. It needs the lock.
func (f *feed) amend(change func(*view)) {
	v := *f.view.Load()
	change(&v)
	f.view.Store(&v)
}

// enforce takes revocations in, but for those that are over: a store may keep
// them for long. It never forgets a stricter one. It reports whether all of them
// had room.
func (f *feed) enforce(events []Revocation, now time.Time) bool {
	for some := range slices.Chunk(events, enforceChunk) {
		if !f.enforceSome(some, now) {
			return false
		}
	}
	return true
}

// enforceChunk is how many revocations are taken in while nothing is looked up.
const enforceChunk = 1000

func (f *feed) enforceSome(events []Revocation, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range events {
		e := &events[i]
		if !now.Before(e.Until) {
			continue
		}
		news, room := f.take(e)
		if !room {
			f.void(f.moments.Add(1), func(v *view) { v.full = true })
			return false
		}
		if news {
			f.taken[stripe(e.Session)].Add(1)
		}
	}
	return true
}

// take takes one revocation in, if it has room, and reports whether it was news.
// It needs the lock.
func (f *feed) take(e *Revocation) (news, fits bool) {
	room := f.room()
	p := packed{until: minuteOf(e.Until), below: packedSerial(e.MinSerial), user: []byte(e.UserID)}
	switch {
	case e.JTI != "":
		p.key, p.more = jtiKey(e.JTI), e.Session[:]
		old, known := f.tokens.get(p.key)
		if !known && !room {
			return false, false
		}
		p.until = max(old.until, p.until)
		f.tokens.put(p)
		news = !known
	case !e.From.IsZero():
		d, known := f.delayed[e.Session]
		if !known && !room {
			return false, false
		}
		if news = p.below > d.below; news {
			d = delayedCut{strings.Clone(e.UserID), p.below, p.until, e.From}
		} else if p.below == d.below { // who was pending is looked up each time as it is
			d.until, d.from = max(d.until, p.until), earliest(d.from, e.From)
		}
		f.delayed[e.Session] = d
	default:
		p.key = e.Session
		old, known := f.sessions.get(p.key)
		if !known && !room {
			return false, false
		}
		news = p.below > old.below
		p.below, p.until = max(old.below, p.below), max(old.until, p.until)
		f.sessions.put(p)
	}
	return news, true
}

// bury takes a token in that a ledger has shown dead, or its session, so that
// whoever was told so is not let in by what was known before, by another token of the
// session neither, and the next time costs no load. A session that may yet come, as
// another process serves it from memory, is buried for a minute or two.
func (f *feed) bury(k *known, ended bool, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	until, user := minuteOf(k.until), []byte(k.userID())
	if have, ok := f.sessions.get(k.session); ended && (ok || f.room()) {
		if f.joins {
			until = min(until, minuteOf(now)+1)
		}
		f.sessions.put(packed{key: k.session, below: max(have.below, buried), until: max(have.until, until), user: user})
		f.taken[stripe(k.session)].Add(1)
		return
	}
	if f.tokens.find(&k.jti) < 0 && f.room() {
		f.tokens.put(packed{key: k.jti, until: until, user: user, more: k.session[:]})
		f.taken[stripe(k.session)].Add(1)
	}
}

// held returns how many revocations there are. It needs the lock.
func (f *feed) held() int { return f.sessions.count + len(f.delayed) + f.tokens.count }

// room reports whether one more may be held. It needs the lock.
func (f *feed) room() bool { return f.held() < f.most && !f.sessions.full() && !f.tokens.full() }

// purge forgets revocations of tokens that have expired.
func (f *feed) purge(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	over := minuteOf(now.Add(-time.Minute)) // of those that end within this minute, some are not
	f.sessions.purge(over)
	f.tokens.purge(over)
	maps.DeleteFunc(f.delayed, func(_ ID, d delayedCut) bool { return d.until <= over })
}

// overflowed reports whether something had no room.
func (f *feed) overflowed() bool { return f.view.Load().full }

// renew extends the lease after a read that began at a time and a moment, unless
// everything came into doubt since. whole says that it was read from its start
// and had room, so that nothing is missing; gap, that something may have been
// missed before.
func (f *feed) renew(began time.Time, moment uint64, epoch Epoch, whole, gap bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.doubted, func(_ string, since uint64) bool { return since < moment })
	f.doubts.Store(int64(len(f.doubted)))
	f.amend(func(v *view) {
		if gap || v.life == 0 || v.epoch.ID != epoch.ID {
			v.life++
		}
		if gap {
			v.bounded = began
		}
		v.epoch, v.readAt = epoch, began
		if moment > f.floor { // else something came up that the read has not seen
			v.lease = began.Add(f.staleness)
			v.leaseWall = v.lease.UnixNano()
			v.full = v.full && !whole
		}
	})
	if gap { // what ledgers have shown before may be lost, too
		f.floor = max(f.floor, moment)
	}
}

// remembers reports whether this process knew every revocation of the token when it read
// the feed last.
func (f *feed) remembers(k *known) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	_, doubtful := f.doubted[k.userID()]
	return !doubtful && f.view.Load().covers(k)
}

// holds reports whether any revocation is known.
func (f *feed) holds() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.held() > 0
}

// lapse gives the lease up.
func (f *feed) lapse() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.amend(func(v *view) { v.lease = time.Time{} })
}

// age returns how old the last successful read is, by the clock that makes more
// of it; negative: there was none.
func (f *feed) age(now time.Time) time.Duration {
	at := f.view.Load().readAt
	if at.IsZero() {
		return -1
	}
	return max(0, now.Sub(at), now.Round(0).Sub(at.Round(0)))
}
