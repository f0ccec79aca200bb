package core

// NewLimiterOf returns a limiter in memory that keeps about so many keys.
func NewLimiterOf(keys int) Limiter { return newMemoryLimiter(keys) }

// LimiterLen is how many keys a limiter in memory keeps.
func LimiterLen(l Limiter) int {
	n := 0
	m := l.(*memoryLimiter)
	for i := range m.shards {
		if len(m.shards[i].keys) != len(m.shards[i].soonest) {
			panic("a key is in one of two places")
		}
		n += len(m.shards[i].soonest)
	}
	return n
}

// LimiterRoom is for how many keys a limiter in memory has room without asking for more.
func LimiterRoom(l Limiter) int {
	n := 0
	m := l.(*memoryLimiter)
	for i := range m.shards {
		n += cap(m.shards[i].soonest)
	}
	return n
}

// LimiterRates is how many rates a shard of a limiter in memory remembers at most.
func LimiterRates(l Limiter) int {
	n := 0
	m := l.(*memoryLimiter)
	for i := range m.shards {
		n = max(n, len(m.shards[i].rates))
	}
	return n
}
