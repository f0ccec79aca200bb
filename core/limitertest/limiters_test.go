package limitertest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// everywhere is for what leaves hardly a case alone.
var everywhere = []string{"count/", "answer/", "keys/", "race/", "time/", "mistakes/"}

var brokenLimiters = []broken{
	{
		name: "lets one more through",
		how: func(b *bent) {
			b.size = func(r core.Rate) (each, per time.Duration) {
				each = r.Per / time.Duration(r.Count)
				return each, r.Per + each
			}
		},
		caught: []string{"count/burst", "count/one", "count/sizes", "race/exact", "race/keys", "race/several", "answer/left"},
		also:   everywhere,
	},
	{
		name: "lets one fewer through",
		how: func(b *bent) {
			b.size = func(r core.Rate) (each, per time.Duration) {
				each = r.Per / time.Duration(r.Count)
				return each, r.Per - each
			}
		},
		caught: []string{"count/burst", "count/one", "count/several", "race/exact"},
		also:   everywhere,
	},
	{
		name: "forgets a key from time to time",
		how: func(b *bent) {
			var calls atomic.Int64
			b.id = func(key string, _ core.Rate) string { return key + string(rune('a'+calls.Add(1)/7)) }
		},
		caught: []string{"count/burst", "count/look", "count/refused-is-free", "race/exact", "time/steady"},
		also:   everywhere,
	},
	{
		name: "keeps nothing of a key that is refused",
		how: func(b *bent) {
			b.refuse = func(_, _, _ time.Duration) time.Duration { return 0 }
		},
		caught: []string{"count/burst", "count/refused-is-free", "count/all-or-nothing", "answer/retry-after"},
		also:   everywhere,
	},
	{
		name: "counts what it refuses",
		how: func(b *bent) {
			b.refuse = func(used, each, _ time.Duration) time.Duration { return used + each }
		},
		caught: []string{"count/refused-is-free", "count/all-or-nothing", "answer/left-when-refused", "time/steady"},
		also:   []string{"count/", "answer/", "keys/", "race/several", "time/", "mistakes/"},
	},
	{
		name: "takes what there is",
		how: around(func(right take) take {
			return func(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error) {
				a, err := right(ctx, key, r, n)
				if err == nil && !a.OK && n > 1 && n <= r.Count {
					for range a.Left {
						right(ctx, key, r, 1)
					}
				}
				return a, err
			}
		}),
		caught: []string{"count/all-or-nothing", "race/several"},
		also:   []string{"answer/left-when-refused", "time/retry-after"},
	},
	{
		name:   "takes one, whatever n",
		how:    asking(func(_ *context.Context, _ *string, _ *core.Rate, n *int) { *n = min(*n, 1) }),
		caught: []string{"count/several", "count/all-or-nothing", "race/several", "answer/retry-after"},
		also:   []string{"count/", "answer/", "time/"},
	},
	{
		name:   "takes Count for more",
		how:    asking(func(_ *context.Context, _ *string, r *core.Rate, n *int) { *n = min(*n, max(1, r.Count)) }),
		caught: []string{"count/more-than-count"},
	},
	{
		name: "tells when there is more than Count",
		how: answering(func(a *core.Allowance, r core.Rate, n int) {
			if n > r.Count {
				a.RetryAfter = time.Duration(n-r.Count) * time.Hour
			}
		}),
		caught: []string{"count/more-than-count"},
	},
	{
		name: "takes one for a look",
		how: asking(func(_ *context.Context, _ *string, _ *core.Rate, n *int) {
			if *n == 0 {
				*n = 1
			}
		}),
		caught: []string{"count/look", "answer/look", "race/look"},
		also:   []string{"count/rates", "keys/alike", "time/", "answer/"},
	},
	{
		name: "says OK to every look",
		how: answering(func(a *core.Allowance, _ core.Rate, n int) {
			if n == 0 {
				a.OK, a.RetryAfter = true, 0
			}
		}),
		caught: []string{"answer/look"},
		also:   []string{"count/rates", "time/look"},
	},
	{
		name: "a look begins anew",
		how: around(func(right take) take {
			var mu sync.Mutex
			looks := map[string]string{}
			return func(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error) {
				mu.Lock()
				if n == 0 && len(looks[key]) < 64 {
					looks[key] += "'"
				}
				id := key + looks[key]
				mu.Unlock()
				if len(id) > 128 {
					id = key
				}
				return right(ctx, id, r, n)
			}
		}),
		caught: []string{"count/look", "answer/look"},
		also:   []string{"count/", "race/look", "keys/alike", "time/", "mistakes/"},
	},
	{
		name:   "forgets RetryAfter",
		how:    answering(func(a *core.Allowance, _ core.Rate, _ int) { a.RetryAfter = 0 }),
		caught: []string{"count/one", "answer/retry-after", "answer/look", "answer/left-when-refused", "time/retry-after"},
		also:   everywhere,
	},
	{
		name: "tells when one may be taken, whatever n",
		how: answering(func(a *core.Allowance, r core.Rate, n int) {
			if !a.OK && n > 1 && n <= r.Count {
				a.RetryAfter -= time.Duration(n-1) * r.Per / time.Duration(r.Count)
			}
		}),
		caught: []string{"answer/retry-after", "time/retry-after"},
		also:   []string{"answer/left-when-refused"},
	},
	{
		name:   "tells of RetryAfter where it is OK",
		how:    answering(func(a *core.Allowance, r core.Rate, _ int) { a.RetryAfter = max(a.RetryAfter, 1) }),
		caught: []string{"answer/left", "count/several", "count/more-than-count"},
		also:   everywhere,
	},
	{
		name: "has nothing left where it refuses",
		how: answering(func(a *core.Allowance, r core.Rate, n int) {
			if !a.OK {
				a.Left = 0
			}
		}),
		caught: []string{"answer/left-when-refused", "count/more-than-count"},
	},
	{
		name: "tells what was left before",
		how: answering(func(a *core.Allowance, r core.Rate, n int) {
			if a.OK {
				a.Left += n
			}
		}),
		caught: []string{"answer/left", "race/left"},
		also:   everywhere,
	},
	{
		name: "looks what is left when it has taken",
		how: around(func(right take) take {
			return func(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error) {
				a, err := right(ctx, key, r, n)
				if err == nil && a.OK && n > 0 {
					soon()
					look, _ := right(ctx, key, r, 0)
					a.Left = look.Left
				}
				return a, err
			}
		}),
		caught: []string{"race/left"},
	},
	{
		name:   "looks, and then writes",
		how:    func(b *bent) { b.between = soon },
		caught: []string{"race/exact", "race/left", "race/several", "race/look", "race/keys"},
	},
	{
		name:   "is an error to all but the first of those that come at once",
		how:    busy(func() (core.Allowance, error) { return core.Allowance{}, errBusy }),
		caught: []string{"race/exact", "race/left", "race/several", "race/look", "race/keys"},
	},
	{
		name:   "refuses all but the first of those that come at once",
		how:    busy(func() (core.Allowance, error) { return core.Allowance{RetryAfter: time.Second}, nil }),
		caught: []string{"race/exact", "race/left", "race/several", "race/look", "race/keys"},
	},
	{
		name: "takes one for a look that has to try again",
		how: around(func(right take) take {
			var inFlight atomic.Int64
			return func(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error) {
				defer inFlight.Add(-1)
				if inFlight.Add(1) > 1 && n == 0 {
					n = 1
				}
				soon()
				return right(ctx, key, r, n)
			}
		}),
		caught: []string{"race/look"},
		also:   []string{"time/"},
	},
	{
		name:   "counts all keys as one",
		how:    asking(func(_ *context.Context, key *string, _ *core.Rate, _ *int) { *key = (*key)[:min(len(*key), 1)] }),
		caught: []string{"keys/independent", "keys/alike", "race/keys"},
		also:   everywhere,
	},
	{name: "knows no case", how: renaming(strings.ToLower), caught: []string{"keys/alike"}},
	{name: "cuts long keys", how: renaming(func(key string) string { return key[:min(len(key), 127)] }), caught: []string{"keys/alike"}},
	{name: "takes keys apart", how: renaming(func(key string) string { before, _, _ := strings.Cut(key, ":"); return before }), caught: []string{"keys/alike"}},
	{name: "takes braces for a hash tag", how: renaming(func(key string) string {
		_, tag, _ := strings.Cut(key, "{")
		if tag, _, ok := strings.Cut(tag, "}"); ok && tag != "" {
			return tag
		}
		return key
	}), caught: []string{"keys/alike"}},
	{name: "cleans keys", how: renaming(func(key string) string {
		return strings.Map(func(c rune) rune {
			if strings.ContainsRune(`*?[]\"'`, c) {
				return -1
			}
			return c
		}, key)
	}), caught: []string{"keys/alike"}},
	{
		name: "counts each rate on its own",
		how: func(b *bent) {
			b.id = func(key string, r core.Rate) string { return key + " " + r.Per.String() + string(rune('a'+r.Count)) }
		},
		caught: []string{"count/rates"},
	},
	{
		name: "begins anew at another rate",
		how: around(func(right take) take {
			var mu sync.Mutex
			last := map[string]core.Rate{}
			times := map[string]int{}
			return func(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error) {
				mu.Lock()
				if was, ok := last[key]; ok && was != r && len(key) < 100 && r.Count > 0 {
					times[key]++
				}
				last[key] = r
				id := key + strings.Repeat("'", min(times[key], 64))
				mu.Unlock()
				if len(id) > 128 {
					id = key
				}
				return right(ctx, id, r, n)
			}
		}),
		caught: []string{"count/rates"},
		also:   []string{"mistakes/"},
	},
	{
		name: "reckons in hours",
		how: func(b *bent) {
			b.size = func(r core.Rate) (each, per time.Duration) {
				return max(1, (r.Per / time.Duration(r.Count)).Truncate(time.Hour)), r.Per
			}
		},
		caught: []string{"count/sizes"},
	},
	{
		name:   "takes no notice of a context",
		how:    asking(func(ctx *context.Context, _ *string, _ *core.Rate, _ *int) { *ctx = context.WithoutCancel(*ctx) }),
		caught: []string{"mistakes/context"},
	},
	{
		name: "takes, and then looks at the context",
		how: around(func(right take) take {
			return func(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error) {
				a, err := right(context.WithoutCancel(ctx), key, r, n)
				if ctx.Err() != nil {
					return core.Allowance{}, ctx.Err()
				}
				return a, err
			}
		}),
		caught: []string{"mistakes/context"},
	},
	{
		name:   "lets everything through at a rate that is none",
		how:    unless(func(key string, r core.Rate, n int) bool { return wrong("a", r, 0) }, core.Allowance{OK: true}),
		caught: []string{"mistakes/rate"},
	},
	{
		name:   "refuses everything of a key that is none",
		how:    unless(func(key string, r core.Rate, n int) bool { return wrong(key, five, 0) }, core.Allowance{}),
		caught: []string{"mistakes/key"},
	},
	{
		name: "gives back for a negative n",
		how: func(b *bent) {
			right := b.take
			b.take = func(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error) {
				if n < 0 && n > -100 {
					b.mu.Lock()
					b.used[key] += time.Duration(n) * r.Per / time.Duration(r.Count)
					b.mu.Unlock()
				}
				return right(ctx, key, r, n)
			}
		},
		caught: []string{"mistakes/negative"},
	},
	{
		name:   "gives nothing back in time",
		how:    func(b *bent) { b.fill = func(used, _, _ time.Duration) time.Duration { return used } },
		caught: []string{"time/spacing", "time/retry-after", "time/look", "time/full", "time/steady"},
	},
	{
		name: "gives all back when Per has passed",
		how: func(b *bent) {
			b.fill = func(used, passed, per time.Duration) time.Duration {
				if passed >= per {
					return 0
				}
				return used
			}
		},
		caught: []string{"time/spacing", "time/retry-after", "time/look", "time/steady"},
	},
	{
		name: "gives back for a rest of any length",
		how: func(b *bent) {
			b.fill = func(used, passed, per time.Duration) time.Duration { return max(-per, used-passed) }
		},
		caught: []string{"time/full"},
		also:   everywhere,
	},
	{
		name: "gives back a little early",
		how: func(b *bent) {
			b.fill = func(used, passed, per time.Duration) time.Duration { return max(0, used-min(passed, 2*per)*101/100) }
		},
		caught: []string{"time/spacing"},
		also:   []string{"time/"},
	},
}

var (
	errBusy = errors.New("somebody else was faster")
	five    = core.Rate{Count: 5, Per: time.Minute}
)

// soon is how long something takes that is not done at once.
func soon() { <-time.After(time.Microsecond) }

// busy answers for a key that somebody else is at.
func busy(says func() (core.Allowance, error)) func(*bent) {
	return around(func(right take) take {
		var inFlight atomic.Int64
		return func(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error) {
			defer inFlight.Add(-1)
			if inFlight.Add(1) > 1 {
				return says()
			}
			soon()
			return right(ctx, key, r, n)
		}
	})
}

// renaming counts a key under another name.
func renaming(name func(string) string) func(*bent) {
	return func(b *bent) { b.id = func(key string, _ core.Rate) string { return name(key) } }
}

// unless has an answer where there is a mistake.
func unless(mistaken func(key string, r core.Rate, n int) bool, says core.Allowance) func(*bent) {
	return around(func(right take) take {
		return func(ctx context.Context, key string, r core.Rate, n int) (core.Allowance, error) {
			if mistaken(key, r, n) {
				return says, nil
			}
			return right(ctx, key, r, n)
		}
	})
}
