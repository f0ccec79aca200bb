package limitertest

import (
	"context"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

var mistakeCases = []testCase{
	{
		"mistakes/context",
		"A Take whose context is done returns an error and takes nothing.",
		func(k *kit) {
			done, cancel := context.WithCancel(k.ctx)
			cancel()
			key := k.key()
			for range 2 * count {
				k.mistake(done, key, five, 1)
			}
			k.allowed(key, five, 1, count-1)
		},
	},
	{
		"mistakes/rate",
		"A rate that is none is an error and takes nothing.",
		func(k *kit) {
			key := k.key()
			for _, r := range []core.Rate{
				{},
				{Count: count},
				{Per: time.Minute},
				{Count: -1, Per: time.Minute},
				{Count: 1, Per: -time.Minute},
				{Count: 1001, Per: time.Millisecond},
				{Count: 1 << 62, Per: time.Hour},
				{Count: 1, Per: 367 * 24 * time.Hour},
				{Count: 1, Per: 1<<63 - 1},
			} {
				k.mistake(k.ctx, key, r, 1)
				k.mistake(k.ctx, key, r, 0)
			}
			k.allowed(key, five, 1, count-1)
		},
	},
	{
		"mistakes/negative",
		"A negative n is an error and gives nothing back.",
		func(k *kit) {
			key := k.key()
			k.use(key, five, count)
			for _, n := range []int{-1, -count, -1 << 63} {
				k.mistake(k.ctx, key, five, n)
			}
			k.refused(key, five, 1, 0, every)
		},
	},
	{
		"mistakes/key",
		"A key that is none is an error.",
		func(k *kit) {
			for _, key := range []string{"", strings.Repeat("x", 129), "a b", "a\n", "a\x00", "\x7f", "é", "\xff"} {
				k.mistake(k.ctx, key, five, 1)
			}
		},
	},
}

// mistake calls Take, which has to return an error.
func (k *kit) mistake(ctx context.Context, key string, r core.Rate, n int) {
	if a, err := k.limiter.Take(ctx, key, r, n); err == nil || a != (core.Allowance{}) {
		k.errorf("Take of %d of %.20q at %d in %v: got %v and error %v, want no answer and an error", n, key, r.Count, r.Per, told(a), err)
	}
}
