package limitertest

import (
	"time"

	"github.com/sallyport-go/sallyport/core"
)

var countCases = []testCase{
	{
		"count/burst",
		"A key may take Count at once, and not one more.",
		countBurst,
	},
	{
		"count/one",
		"A Count of 1 lets one through.",
		func(k *kit) {
			key, r := k.key(), core.Rate{Count: 1, Per: every}
			k.allowed(key, r, 1, 0)
			k.refused(key, r, 1, 0, every)
		},
	},
	{
		"count/refused-is-free",
		"What is refused takes nothing: who goes on trying waits no longer.",
		func(k *kit) {
			key := k.key()
			k.use(key, five, count)
			for range 100 {
				k.take(key, five, 1)
			}
			k.refused(key, five, 1, 0, every)
		},
	},
	{
		"count/several",
		"n are taken as n times one are.",
		func(k *kit) {
			key := k.key()
			k.allowed(key, five, 3, 2)
			k.allowed(key, five, 2, 0)
			k.refused(key, five, 1, 0, every)
			k.allowed(k.key(), five, count, 0)
		},
	},
	{
		"count/all-or-nothing",
		"Where n are too many none is taken: what is left can be.",
		func(k *kit) {
			key := k.key()
			k.use(key, five, 3)
			for range 3 {
				if k.take(key, five, 3).OK {
					k.fatalf("Take of 3, of which 2 are left: got OK, want it refused")
				}
			}
			if !k.take(key, five, 2).OK {
				k.errorf("Take of the 2 that are left: got refused, want OK")
			}
		},
	},
	{
		"count/more-than-count",
		"n above Count are never OK, take nothing, and no time is told after which they would be.",
		func(k *kit) {
			key := k.key()
			for _, n := range []int{count + 1, 10 * count, 1 << 30} {
				k.refused(key, five, n, count, 0)
			}
			k.use(key, five, 2)
			k.refused(key, five, count+1, count-2, 0)
			k.use(key, five, count-2)
			k.refused(key, five, count+1, 0, 0)
			k.refused(key, five, 1, 0, every)
		},
	},
	{
		"count/look",
		"n = 0 takes nothing, however often, and takes nothing back.",
		func(k *kit) {
			key := k.key()
			look := func() {
				for range 3 * count {
					k.take(key, five, 0)
				}
			}
			for i := range count {
				look()
				if !k.take(key, five, 1).OK {
					k.fatalf("after many looks: %d were taken, want %d", i, count)
				}
			}
			look()
			if k.take(key, five, 1).OK {
				k.errorf("after many looks: more than %d were taken", count)
			}
		},
	},
	{
		"count/rates",
		"A key that is asked for at another rate keeps what it used: going to and fro lets nobody take more.",
		countRates,
	},
	{
		"count/sizes",
		"It is so, and Left is right, for whatever Count and Per, even where one doesn't divide the other.",
		countSizes,
	},
}

func countBurst(k *kit) {
	key := k.key()
	passed := 0
	for range 4 * count {
		if k.take(key, five, 1).OK {
			passed++
		}
	}
	if passed != count {
		k.errorf("got %d of %d let through, want %d", passed, 4*count, count)
	}
}

func countRates(k *kit) {
	others := []core.Rate{
		{Count: 2 * count, Per: five.Per},
		{Count: 2, Per: five.Per},
		{Count: count, Per: five.Per / 100},
		{Count: 1, Per: 8 * five.Per},
	}
	for _, r := range others {
		key := k.key()
		k.use(key, five, count)
		for range 3 {
			a := k.take(key, r, 0)
			if a.Left < 0 || a.Left > r.Count || a.RetryAfter < 0 || a.OK != (a.Left > 0) || a.OK != (a.RetryAfter == 0) {
				k.errorf("a look at %d in %v: got %v", r.Count, r.Per, told(a))
			}
			k.refused(key, five, 1, 0, every)
		}
	}
	key := k.key()
	passed := 0
	for i := range 40 {
		if k.take(key, core.Rate{Count: 2 + i%4, Per: five.Per}, 1).OK {
			passed++
		}
	}
	if passed < 2 || passed > 5 {
		k.errorf("got %d let through at 2 to 5 in a time, want 2 to 5", passed)
	}
}

func countSizes(k *kit) {
	for _, r := range []core.Rate{
		{Count: 1, Per: 366 * 24 * time.Hour},
		{Count: 3, Per: 100 * time.Hour},
		{Count: 7, Per: 1000*time.Hour + time.Nanosecond},
		{Count: 60, Per: 1001 * time.Hour},
		{Count: 300, Per: 8000 * time.Hour},
	} {
		key := k.key()
		passed := 0
		for range r.Count + 3 {
			if a := k.take(key, r, 1); a.OK {
				passed++
				if a.Left != r.Count-passed {
					k.errorf("at %d in %v: got %d left after %d, want %d", r.Count, r.Per, a.Left, passed, r.Count-passed)
				}
			}
		}
		if passed != r.Count {
			k.errorf("at %d in %v: got %d let through", r.Count, r.Per, passed)
		}
	}
}
