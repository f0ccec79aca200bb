package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
)

// LimiterOptions are the settings of a [Limiter]. The zero value is the recommended one.
type LimiterOptions struct {
	// Prefix begins every key, behind redis_rate's own "rate:". "": "sp". It has no
	// braces, spaces or control characters.
	Prefix string
	// Timeout is how long one call on Redis may take, whatever the client's own
	// settings. 0: 1 second.
	Timeout time.Duration
}

// Limiter is a [core.Limiter] in Redis: all processes count together, by the server's
// clock. It is safe for concurrent use.
//
// A Take is one script on one key in one round trip. A client sends it again after a lost
// reply, and a Take that returned an error may have taken place; both only make it
// stricter. RetryAfter is rounded up to a millisecond.
//
// What a failover or an eviction loses is forgotten, and its key may take Count again.
type Limiter struct {
	client  redis.UniversalClient
	gcra    *redis_rate.Limiter
	options LimiterOptions
}

var _ core.Limiter = (*Limiter)(nil)

// NewLimiter returns a limiter on a client, which stays the app's to close and may be
// that of a [Store]. It makes no call.
func NewLimiter(client redis.UniversalClient, o LimiterOptions) (*Limiter, error) {
	if o.Prefix == "" {
		o.Prefix = "sp"
	}
	if o.Timeout == 0 {
		o.Timeout = time.Second
	}
	mistakes := clientMistakes(client, o.Prefix)
	if o.Timeout < time.Millisecond {
		mistakes = append(mistakes, errors.New("redisstore: Timeout: want at least 1 ms"))
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	return &Limiter{client: client, gcra: redis_rate.NewLimiter(client), options: o}, nil
}

// Take implements [core.Limiter].
func (l *Limiter) Take(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error) {
	if err := errors.Join(ctx.Err(), core.CheckTake(key, r, n)); err != nil {
		return core.Allowance{}, err
	}
	cost := n
	if n > r.Count {
		cost = 0
	}
	limit := redis_rate.Limit{Rate: r.Count, Burst: r.Count, Period: r.Per}
	result, err := within(ctx, l.client, l.options.Timeout, func(ctx context.Context) (*redis_rate.Result, error) {
		result, err := l.gcra.AllowN(ctx, l.options.Prefix+":limit:"+key, limit, cost)
		if err == nil && (result.Allowed != cost && result.Allowed != 0 || result.ResetAfter < 0) {
			err = fmt.Errorf("limiter: an answer that is none: %d of %d, full in %v", result.Allowed, cost, result.ResetAfter)
		}
		return result, err
	})
	if err != nil {
		return core.Allowance{}, err
	}
	return allowance(result, r, n), nil
}

// allowance makes redis_rate's answer ours. It says nothing of what is left where it
// refuses, nor when one may be taken where none was asked for, and of whole numbers it
// may be off by one, reckoning in floating point. All that follows from ResetAfter: when
// the key may take Count at once.
func allowance(result *redis_rate.Result, r core.Rate, n int) core.Allowance {
	each := float64(r.Per) / float64(r.Count)
	left := int(float64(r.Per-result.ResetAfter+inexact) / each)
	a := core.Allowance{Left: min(max(left, 0), r.Count)}
	switch {
	case n > r.Count:
	case n > 0:
		a.OK = result.Allowed == n
	default:
		a.OK = a.Left > 0
	}
	if !a.OK && n <= r.Count {
		wait := float64(result.ResetAfter-r.Per) + float64(max(n, 1))*each
		a.RetryAfter = max(1, time.Duration(math.Ceil(wait/float64(time.Millisecond)))) * time.Millisecond
	}
	return a
}

// inexact is how much redis_rate may be off: it reckons in seconds since 2017, which a
// float64 has to 0.1 microseconds.
const inexact = time.Microsecond
