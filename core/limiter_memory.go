package core

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/throttled/throttled/v2"
)

const (
	limiterKeys   = 100_000 // that are kept at most
	limiterShards = 16
	limiterRates  = 16 // that a shard remembers
)

// NewLimiter returns a [Limiter] in memory. It has no goroutine, and goes by the
// monotonic clock: nothing happens when that of the wall is set.
//
// It keeps at most 100,000 keys, about 15 MB. A key goes when it may take its Count at
// once again, as others come. When there are too many keys, those go first that would
// be soonest. Nobody gets anything by that: from then on each key that isn't kept
// counts as having taken as much as the one that went with the most. So a flood of keys
// resets no count, and lets no key take more than its rate. It does refuse newcomers in
// the end, until it is over: when more than 100,000 times Count are taken in a time of
// Per. Those whose count is kept go on as they did.
func NewLimiter() Limiter { return newMemoryLimiter(limiterKeys) }

type memoryLimiter struct {
	began  time.Time
	seed   maphash.Seed // so that nobody can aim at a shard
	shards [limiterShards]limiterShard
}

func newMemoryLimiter(keys int) *memoryLimiter {
	l := &memoryLimiter{began: time.Now(), seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].most = max(1, keys/limiterShards)
	}
	return l
}

// newForgetfulLimiter returns a limiter in memory for what refuses nobody. When it has
// too many keys it forgets those that are full soonest, and others count as before.
func newForgetfulLimiter(keys int) *memoryLimiter {
	l := newMemoryLimiter(keys)
	for i := range l.shards {
		l.shards[i].forgets = true
	}
	return l
}

// Take implements [Limiter].
func (l *memoryLimiter) Take(ctx context.Context, key string, r Rate, n int) (Allowance, error) {
	if err := errors.Join(ctx.Err(), CheckTake(key, r, n)); err != nil {
		return Allowance{}, err
	}
	s := &l.shards[maphash.String(l.seed, key)%limiterShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = time.Since(l.began)
	s.longest = r.Per
	s.expire()
	gcra, err := s.gcra(r)
	if err != nil {
		return Allowance{}, err
	}
	asked := n
	if n > r.Count {
		asked = 0
	}
	limited, stands, err := gcra.RateLimitCtx(ctx, key, asked)
	if err != nil {
		return Allowance{}, fmt.Errorf("core: limiter: %w", err)
	}
	a := Allowance{OK: !limited, Left: stands.Remaining}
	switch {
	case n > r.Count:
		a.OK = false
	case stands.RetryAfter >= 0:
		a.OK, a.RetryAfter = false, stands.RetryAfter
	}
	return a, nil
}

// limiterShard has a part of the keys. It is the store of GCRA limiters, which are
// called with mu held: nothing comes between what they read and what they write, so
// that none of them ever has to try again.
type limiterShard struct {
	mu      sync.Mutex
	now     time.Duration // since the limiter began
	longest time.Duration // after now that a key which isn't kept can be full
	most    int           // keys
	forgets bool          // it has no floor
	keys    map[string]*limitedKey
	soonest limitedKeys
	floor   time.Duration // a key that isn't kept is full by then
	rates   map[Rate]*throttled.GCRARateLimiterCtx
}

var _ throttled.GCRAStoreCtx = (*limiterShard)(nil)

// limitedKey is a key that can't take its Count at once.
type limitedKey struct {
	key  string
	full time.Duration // when it can; GCRA's theoretical arrival time
	at   int           // its place among the soonest
}

func (s *limiterShard) gcra(r Rate) (*throttled.GCRARateLimiterCtx, error) {
	if l := s.rates[r]; l != nil {
		return l, nil
	}
	l, err := throttled.NewGCRARateLimiterCtx(s, throttled.RateQuota{
		MaxRate: throttled.PerDuration(r.Count, r.Per), MaxBurst: r.Count - 1,
	})
	if err != nil {
		return nil, fmt.Errorf("core: limiter: %w", err)
	}
	if s.rates == nil || len(s.rates) >= limiterRates {
		s.rates = map[Rate]*throttled.GCRARateLimiterCtx{}
	}
	s.rates[r] = l
	return l, nil
}

// expire drops a few of the keys that are full: more than can come with one call.
func (s *limiterShard) expire() {
	for n := 0; n < 2 && len(s.soonest) > 0 && s.soonest[0].full <= s.now; n++ {
		s.drop()
	}
	if len(s.soonest) == 0 && cap(s.soonest) > 64 {
		s.soonest, s.keys = nil, nil // they give no memory back by themselves
	}
}

// drop drops the key that is full soonest.
func (s *limiterShard) drop() {
	k := heap.Pop(&s.soonest).(*limitedKey)
	delete(s.keys, k.key)
	if !s.forgets {
		s.floor = max(s.floor, k.full)
	}
}

// GetWithTime implements [throttled.GCRAStoreCtx].
func (s *limiterShard) GetWithTime(_ context.Context, key string) (int64, time.Time, error) {
	now := time.Unix(0, int64(s.now))
	if k := s.keys[key]; k != nil {
		return int64(k.full), now, nil
	}
	if s.floor > s.now {
		return int64(min(s.floor, s.now+s.longest)), now, nil
	}
	return -1, now, nil
}

// SetIfNotExistsWithTTL implements [throttled.GCRAStoreCtx].
func (s *limiterShard) SetIfNotExistsWithTTL(_ context.Context, key string, value int64, _ time.Duration) (bool, error) {
	s.set(key, time.Duration(value))
	return true, nil
}

// CompareAndSwapWithTTL implements [throttled.GCRAStoreCtx].
func (s *limiterShard) CompareAndSwapWithTTL(_ context.Context, key string, _, value int64, _ time.Duration) (bool, error) {
	s.set(key, time.Duration(value))
	return true, nil
}

func (s *limiterShard) set(key string, full time.Duration) {
	if k := s.keys[key]; k != nil {
		k.full = full
		heap.Fix(&s.soonest, k.at)
		return
	}
	if full <= s.now || full <= s.floor {
		return // as it is taken to be anyway
	}
	if s.keys == nil {
		s.keys = map[string]*limitedKey{}
	}
	k := &limitedKey{key: strings.Clone(key), full: full}
	s.keys[k.key] = k
	heap.Push(&s.soonest, k)
	if len(s.soonest) > s.most {
		s.drop()
	}
}

// limitedKeys is a heap, first the key that is full soonest.
type limitedKeys []*limitedKey

func (h limitedKeys) Len() int           { return len(h) }
func (h limitedKeys) Less(i, j int) bool { return h[i].full < h[j].full }
func (h limitedKeys) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements [heap.Interface].
func (h *limitedKeys) Push(k any) {
	key := k.(*limitedKey)
	key.at = len(*h)
	*h = append(*h, key)
}

// Pop implements [heap.Interface].
func (h *limitedKeys) Pop() any {
	last := len(*h) - 1
	k := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return k
}
