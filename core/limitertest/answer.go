package limitertest

var answerCases = []testCase{
	{
		"answer/left",
		"Left is how many may be taken at once after this.",
		func(k *kit) {
			key := k.key()
			for left := count - 1; left >= 0; left-- {
				k.allowed(key, five, 1, left)
			}
		},
	},
	{
		"answer/left-when-refused",
		"What is refused says how many may be taken all the same.",
		func(k *kit) {
			key := k.key()
			k.use(key, five, 3)
			k.refused(key, five, 3, 2, every)
			k.use(key, five, 1)
			k.refused(key, five, 2, 1, every)
		},
	},
	{
		"answer/retry-after",
		"RetryAfter is when as much may be taken as was asked for; what is allowed has none.",
		func(k *kit) {
			key := k.key()
			k.use(key, five, count)
			for n := 1; n <= count; n++ {
				after := every
				for range n - 1 {
					after += every
				}
				k.refused(key, five, n, 0, after)
			}
		},
	},
	{
		"answer/look",
		"n = 0 tells how things stand, as if one were asked for.",
		func(k *kit) {
			key := k.key()
			for left := count; left > 0; left-- {
				k.allowed(key, five, 0, left)
				k.use(key, five, 1)
			}
			k.refused(key, five, 0, 0, every)
		},
	},
}
