package limitertest

import "sync/atomic"

var raceCases = []testCase{
	{
		"race/exact",
		"Of 50 at once exactly Count are let through, and none gets an error.",
		func(k *kit) {
			for range 5 {
				key := k.key()
				var passed atomic.Int64
				k.parallel(50, func(int) {
					if k.take(key, five, 1).OK {
						passed.Add(1)
					}
				})
				if n := passed.Load(); n != count {
					k.errorf("got %d let through, want %d", n, count)
				}
			}
		},
	},
	{
		"race/left",
		"Those that are let through at once are told different numbers left.",
		func(k *kit) {
			key := k.key()
			var told [count]atomic.Int64
			k.parallel(50, func(int) {
				a := k.take(key, five, 1)
				switch {
				case !a.OK:
				case a.Left < 0 || a.Left >= count:
					k.errorf("got %d left", a.Left)
				default:
					told[a.Left].Add(1)
				}
			})
			for left := range told {
				if n := told[left].Load(); n != 1 {
					k.errorf("%d were told that %d are left, want 1", n, left)
				}
			}
		},
	},
	{
		"race/several",
		"Of many at once that ask for 2 as many are let through as there is room for.",
		func(k *kit) {
			key := k.key()
			var passed atomic.Int64
			k.parallel(50, func(int) {
				if k.take(key, five, 2).OK {
					passed.Add(1)
				}
			})
			if n := passed.Load(); n != count/2 {
				k.errorf("got %d let through, want %d", n, count/2)
			}
			k.allowed(key, five, 1, 0)
		},
	},
	{
		"race/look",
		"Those that only look take nothing from those that take at the same time.",
		func(k *kit) {
			for range 5 {
				key := k.key()
				var passed atomic.Int64
				k.parallel(50, func(i int) {
					switch {
					case i%5 != 0: // 40 look
						k.take(key, five, 0)
					case k.take(key, five, 1).OK:
						passed.Add(1)
					}
				})
				if n := passed.Load(); n != count {
					k.errorf("got %d let through, want %d", n, count)
				}
			}
		},
	},
	{
		"race/keys",
		"It is so for each of many keys at once.",
		func(k *kit) {
			var keys [20]string
			var passed [20]atomic.Int64
			for i := range keys {
				keys[i] = k.key()
			}
			k.parallel(10*len(keys), func(i int) {
				if i %= len(keys); k.take(keys[i], five, 1).OK {
					passed[i].Add(1)
				}
			})
			for i := range passed {
				if n := passed[i].Load(); n != count {
					k.errorf("key %d: got %d let through, want %d", i, n, count)
				}
			}
		},
	},
}
