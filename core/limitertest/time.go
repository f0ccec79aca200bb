package limitertest

import "time"

// resolution is how exactly a limiter tells time.
const resolution = 2 * time.Millisecond

var timeCases = []testCase{
	{
		"time/spacing",
		"After a burst one more may be taken each Per/Count, and no earlier.",
		timed(func(k *kit, key string) {
			k.use(key, five, count)
			for range 3 * count {
				k.clock.Advance(every - resolution)
				if k.take(key, five, 1).OK {
					k.errorf("before Per/Count: got OK, want it refused")
				}
				k.clock.Advance(resolution)
				k.allowed(key, five, 1, 0)
				k.refused(key, five, 1, 0, every)
			}
		}),
	},
	{
		"time/retry-after",
		"After RetryAfter what was refused is let through, if nobody else took any.",
		timed(func(k *kit, key string) {
			for n := 1; n <= count; n++ {
				k.use(key, five, count)
				for range 3 {
					a := k.take(key, five, n)
					if a.OK {
						k.fatalf("Take of %d: got OK after a burst, want it refused", n)
					}
					k.clock.Advance(a.RetryAfter / 3)
				}
				k.clock.Advance(k.take(key, five, n).RetryAfter)
				if a := k.take(key, five, n); !a.OK {
					k.errorf("Take of %d after its RetryAfter: got %v, want OK", n, told(a))
				}
			}
		}),
	},
	{
		"time/look",
		"A look tells in time what may be taken again, and that it may.",
		timed(func(k *kit, key string) {
			k.use(key, five, count)
			k.clock.Advance(k.take(key, five, 0).RetryAfter)
			for left := 1; left <= count; left++ {
				k.allowed(key, five, 0, left)
				k.clock.Advance(every)
			}
			k.allowed(key, five, 0, count)
		}),
	},
	{
		"time/full",
		"After Per without a call a key may take Count again, and not more after more time.",
		timed(func(k *kit, key string) {
			for _, rest := range []time.Duration{five.Per, 2 * five.Per, 30 * five.Per} {
				k.use(key, five, count)
				k.clock.Advance(rest)
				k.allowed(key, five, 0, count)
				k.use(key, five, count)
				k.refused(key, five, 1, 0, every)
				k.clock.Advance(five.Per)
			}
		}),
	},
	{
		"time/steady",
		"Who tries all the time gets Count and then one each Per/Count, to the last.",
		timed(func(k *kit, key string) {
			const tries = 10
			passed := 0
			for range 20 * tries {
				if k.take(key, five, 1).OK {
					passed++
				}
				k.clock.Advance(every / tries)
			}
			if want := count + 19; passed != want {
				k.errorf("got %d let through in 20 times Per/Count, want %d", passed, want)
			}
		}),
	},
}

// timed is a case that needs its time moved.
func timed(run func(k *kit, key string)) func(*kit) {
	return func(k *kit) {
		if k.clock == nil {
			k.skip("the limiter has no Advance")
		}
		key := k.key()
		k.clock.Advance(time.Second) // from here on no other time passes
		run(k, key)
	}
}
