package limitertest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

type take func(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error)

// bent is a limiter that is right but for what is replaced: the whole of Take, or a step
// of it. What replaces Take calls the right one through limiter.
type bent struct {
	advancing
	take take

	id      func(key string, r core.Rate) string              // under which a key is counted
	size    func(r core.Rate) (each, per time.Duration)       // of a rate
	refuse  func(used, each, per time.Duration) time.Duration // what is used after a refusal
	fill    func(used, passed, per time.Duration) time.Duration
	between func() // what is read and what is written, unlocked unless nil

	mu   sync.Mutex
	used map[string]time.Duration // of Per
	at   map[string]time.Time     // as of then
}

// bend returns a limiter that is broken in one way.
func bend(how func(b *bent)) core.Limiter {
	b := &bent{
		id:     func(key string, _ core.Rate) string { return key },
		size:   func(r core.Rate) (each, per time.Duration) { return r.Per / time.Duration(r.Count), r.Per },
		refuse: func(used, _, _ time.Duration) time.Duration { return used },
		fill:   func(used, passed, _ time.Duration) time.Duration { return max(0, used-passed) },
		used:   map[string]time.Duration{}, at: map[string]time.Time{},
	}
	b.take = b.count
	how(b)
	b.Limiter = limiter(b.take)
	return b
}

type limiter take

func (f limiter) Take(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error) {
	return f(ctx, key, r, n)
}

// around replaces Take.
func around(f func(right take) take) func(*bent) {
	return func(b *bent) { b.take = f(b.take) }
}

// answering edits answers.
func answering(edit func(a *core.Allowance, r core.Rate, n int)) func(*bent) {
	return around(func(right take) take {
		return func(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error) {
			a, err := right(ctx, key, r, n)
			if err == nil {
				edit(&a, r, n)
			}
			return a, err
		}
	})
}

// asking edits questions.
func asking(edit func(ctx *context.Context, key *string, r *core.Rate, n *int)) func(*bent) {
	return around(func(right take) take {
		return func(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error) {
			edit(&ctx, &key, &r, &n)
			return right(ctx, key, r, n)
		}
	})
}

func wrong(key string, r core.Rate, n int) bool {
	return key == "" || len(key) > 128 || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) ||
		r.Count < 1 || r.Per/time.Microsecond < time.Duration(r.Count) || r.Per > 366*24*time.Hour || n < 0
}

// count is a right Take.
func (b *bent) count(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error) {
	if ctx.Err() != nil || wrong(key, r, n) {
		return core.Allowance{}, errors.New("a mistake")
	}
	return b.counted(key, r, n), nil
}

func (b *bent) counted(key string, r core.Rate, n int) core.Allowance {
	id := b.id(key, r)
	each, per := b.size(r)
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	used := b.fill(b.used[id], now.Sub(b.at[id]), per)
	if b.between != nil {
		b.mu.Unlock()
		b.between()
		b.mu.Lock()
		now = time.Now()
	}
	a := core.Allowance{OK: n <= r.Count && used+time.Duration(max(n, 1))*each <= per}
	switch {
	case a.OK:
		used += time.Duration(n) * each
	case n <= r.Count:
		a.RetryAfter = used + time.Duration(max(n, 1))*each - per
		if n > 0 {
			used = b.refuse(used, each, per)
		}
	}
	a.Left = max(0, int((per-used)/each))
	b.used[id], b.at[id] = used, now
	return a
}
