package core

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// Auth signs users in and keeps their sessions. It is safe for concurrent use.
// Any number of processes may have one on the same store.
//
// Errors are *Error where a client is to blame or has to be told; compare them
// with errors.Is. ErrStoreUnavailable means that nothing was refused: the same
// call may work a moment later, and what it was to change may have changed.
type Auth struct {
	settings
	access  accessVerifier
	cache   tokenCache
	store   *breaker
	recent  recent
	outage  outage
	apart   apartUsers
	sent    sent
	began   time.Time // when the Auth did
	feed    *feed
	glances singleflight.Group // loads of guards, by user
	uses    *uses
	now     func() time.Time
	limits  limiters
	notices chan Notice
	silent  atomic.Bool  // the Auth was closed: nobody sends notices
	skew    atomic.Int64 // the most that a ledger was ahead of this clock

	// Each has a place for each call that is under way, of the Resolver, the Scorer and
	// Notify: one that hangs leaves the others their own.
	resolving, scoring, sending chan struct{}

	stop func()
	work sync.WaitGroup
}

// New returns an Auth that is at work: it follows the store's feed until
// [Auth.Close]. It reports every mistake in the Config at once and does not
// need the store to answer.
func New(c Config) (*Auth, error) {
	a, err := newAuth(c, time.Now)
	if err != nil {
		return nil, err
	}
	a.start()
	return a, nil
}

// newAuth returns an Auth that does nothing in the background.
func newAuth(c Config, now func() time.Time) (*Auth, error) {
	s, err := c.settle(now())
	if err != nil {
		return nil, err
	}
	a := &Auth{
		settings: *s,
		access:   accessVerifier{ring: s.ring, issuer: s.config.Issuer, audience: s.config.Audience, leeway: s.config.Leeway},
		now:      now,
		stop:     func() {},
	}
	a.began = now()
	a.store = &breaker{store: s.config.Store, observer: s.config.Observer, now: now, tripped: a.lost}
	a.outage.now.Store(&standing{ModeNormal, a.began})
	a.sent.waits = make(map[told]sending)
	a.apart.users = make(map[string]*apartUser)
	a.recent = newRecent(s.config.LedgerCacheBytes)
	a.cache = newTokenCache(s.config.TokenCacheBytes)
	a.feed = newFeed(s.config.MaxRevocations, s.config.MaxStaleness)
	a.feed.joins = s.config.ServeFromMemory
	a.uses = newUses(s.policy.touch)
	a.limits = newLimiters(s.config.Limits, s.config.Limiter)
	a.notices = make(chan Notice, noticesMost)
	for _, slots := range []*chan struct{}{&a.resolving, &a.scoring, &a.sending} {
		*slots = make(chan struct{}, outsideMost)
	}
	return a, nil
}

func (a *Auth) start() {
	ctx, cancel := context.WithCancel(context.Background())
	a.stop = cancel
	a.work.Go(func() { a.follow(ctx) })
	for range usesWriters {
		a.work.Go(func() { a.noteUses(ctx) })
	}
	if a.config.Notify != nil {
		for range noticeSenders {
			a.work.Go(func() { a.sendNotices(ctx) })
		}
	}
	if sweeper, ok := a.config.Store.(Sweeper); ok {
		a.work.Go(func() { a.sweep(ctx, sweeper) })
	}
}

// Close stops the background work and returns when it has stopped, activity
// that was not yet written included. The store stays open: it is the app's.
// After Close an Auth still answers, and asks the store as long as it does. It returns
// ErrNotDurable if the store was away and revocations that wait, or what was served from
// memory, are lost now.
func (a *Auth) Close() error {
	a.stop()
	a.work.Wait()
	a.silence()
	a.store.retire()
	a.feed.lapse()
	if n, users := a.feed.queued(), a.apart.count.Load(); n > 0 || users > 0 {
		return ErrStoreUnavailable.because(fmt.Errorf("%w: %d revocations and what %d users did were not stored", ErrNotDurable, n, users))
	}
	return nil
}

const (
	sweepInterval = time.Minute
	sweepLimit    = 1000
)

// sweep has the store remove what is over, until ctx is done.
func (a *Auth) sweep(ctx context.Context, store Sweeper) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for more := true; more && ctx.Err() == nil; {
			call, cancel := context.WithTimeout(ctx, a.config.StoreTimeout)
			began := a.store.begins()
			n, err := store.Sweep(call, ledgerTime(a.now()).Add(-expiredKept), sweepLimit)
			a.store.observe(call, "sweep", began, err)
			cancel()
			more = err == nil && n >= sweepLimit
		}
	}
}
