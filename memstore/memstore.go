// Package memstore keeps sessions in the memory of one process: the store for
// tests, for development, and for an app that is one process and may sign
// everybody out when it restarts.
//
// Two processes with a memstore each are two apps: neither knows the other's
// sessions or revocations. What they share is a store like Redis or SQL.
package memstore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// ErrFull is returned by [Store.Commit] when there is no room for another user
// or another revocation, and nothing is over that could make way. The change is
// refused whole; what is kept stays as it was.
var ErrFull = errors.New("sallyport: the memory store is full")

// Options bound what a [Store] keeps. The zero value is the recommended one.
type Options struct {
	// MaxUsers is how many users may have a ledger; 0 means 100,000. A user
	// with one typical session takes about 1.3 KB, each further session 0.9 KB;
	// what the app puts into claims comes on top.
	MaxUsers int
	// MaxRevocations is how many revocations that are not over may be kept; 0
	// means 1,000,000. One takes 64 bytes, and its JTI if it names one token.
	MaxRevocations int
}

// Store is a [core.Store] in memory. It also is a [core.Sweeper] and a
// [core.ManyLoader]. [New] makes one. It starts no goroutine, reads no clock
// and needs no closing.
//
// It is bounded. When it is full, a commit drops what ended before its own
// time (Change.At), as Sweep would, and if that makes no room, fails with
// [ErrFull]: what is not over is never dropped.
type Store struct {
	seed     maphash.Seed
	shards   [256]shard
	users    atomic.Int64 // in all shards
	maxUsers int64
	feed     feed
}

var (
	_ core.Store      = (*Store)(nil)
	_ core.Sweeper    = (*Store)(nil)
	_ core.ManyLoader = (*Store)(nil)
)

// New returns an empty store with the recommended bounds.
func New() *Store { return NewWith(Options{}) }

// NewWith returns an empty store with other bounds.
func NewWith(o Options) *Store {
	if o.MaxUsers <= 0 {
		o.MaxUsers = 100_000
	}
	if o.MaxRevocations <= 0 {
		o.MaxRevocations = 1_000_000
	}
	s := &Store{seed: maphash.MakeSeed(), maxUsers: int64(o.MaxUsers)}
	for i := range s.shards {
		s.shards[i] = shard{users: map[string]*record{}, due: never}
	}
	s.feed.init(o.MaxRevocations)
	return s
}

// Load implements [core.Store].
func (s *Store) Load(ctx context.Context, userID string) (core.Ledger, error) {
	if err := ctx.Err(); err != nil {
		return core.Ledger{}, err
	}
	return s.shard(userID).load(userID).Clone(), nil
}

// LoadMany implements [core.ManyLoader].
func (s *Store) LoadMany(ctx context.Context, userIDs []string) (map[string]core.Ledger, error) {
	ledgers := make(map[string]core.Ledger, len(userIDs))
	for _, id := range userIDs {
		l, err := s.Load(ctx, id)
		if err != nil {
			return nil, err
		}
		if !l.Version.IsZero() {
			ledgers[id] = l
		}
	}
	return ledgers, nil
}

// Commit implements [core.Store]. It may also return [ErrFull].
func (s *Store) Commit(ctx context.Context, userID string, c core.Change) (core.Ledger, error) {
	if err := ctx.Err(); err != nil {
		return core.Ledger{}, err
	}
	for {
		stands, err := s.commit(userID, &c)
		// Room is made while no lock is held: it takes the locks of other shards.
		if err != errManyUsers || !s.makeRoom(c.At) {
			return stands, s.explain(err)
		}
	}
}

// The two ways of being full, before [Store.explain] says how full.
var (
	errManyUsers       = errors.New("users")
	errManyRevocations = errors.New("revocations")
)

func (s *Store) explain(err error) error {
	switch err {
	case errManyUsers:
		return fmt.Errorf("%w: %d users (Options.MaxUsers)", ErrFull, s.maxUsers)
	case errManyRevocations:
		return fmt.Errorf("%w: %d revocations (Options.MaxRevocations)", ErrFull, s.feed.max)
	}
	return err
}

// commit holds the lock of the user's shard while it appends to the feed.
// Whoever has seen the revocations therefore loads the ledger that came with
// them, and whoever has seen the ledger finds them in the feed.
func (s *Store) commit(userID string, c *core.Change) (core.Ledger, error) {
	sh := s.shard(userID)
	sh.mu.Lock()
	defer sh.mu.Unlock()

	have, known := sh.users[userID]
	var stands core.Ledger
	if known {
		stands = have.ledger
	}
	switch stands.Version {
	case c.ID:
		return core.Ledger{}, nil
	case c.If:
	default:
		return stands.Clone(), core.ErrConflict
	}

	grows := !known && !c.Forget
	if grows && s.users.Add(1) > s.maxUsers {
		s.users.Add(-1)
		return core.Ledger{}, errManyUsers
	}
	if err := s.feed.append(c); err != nil {
		if grows {
			s.users.Add(-1)
		}
		return core.Ledger{}, err
	}
	switch {
	case !c.Forget:
		sh.put(userID, newRecord(c.Apply(stands), c.KeepUntil))
	case known:
		delete(sh.users, userID)
		s.users.Add(-1)
	}
	return core.Ledger{}, nil
}

// Tail implements [core.Store].
func (s *Store) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	return s.feed.tail(ctx, after, wait)
}

// Sweep implements [core.Sweeper]. It holds one lock at a time, and the feed's
// only for a few hundred entries at once.
func (s *Store) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	removed := s.feed.sweep(before, limit)
	for i := range s.shards {
		if removed >= limit {
			break
		}
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		n, users := s.shards[i].sweep(before, limit-removed)
		s.users.Add(int64(-users))
		removed += n
	}
	return removed, nil
}

// makeRoom drops users of whom all is over before a time, until there is at
// least one less, and reports whether there was one.
func (s *Store) makeRoom(before time.Time) bool {
	for i := range s.shards {
		if _, users := s.shards[i].sweep(before, math.MaxInt); users > 0 {
			s.users.Add(int64(-users))
			return true
		}
	}
	return false
}

func (s *Store) shard(userID string) *shard {
	return &s.shards[maphash.String(s.seed, userID)%uint64(len(s.shards))]
}
