package agent

import (
	"math"
	"runtime"
	"strings"
	"testing"
	"time"
)

const manyBytes = 131 << 10

// Whoever sends a header of 131 kB makes Parse do no more than with one of 512
// bytes.
func TestLongHeadersCostNoMore(t *testing.T) {
	inUserAgent := func(s string) { Parse(s, Hints{}) }
	inHints := func(s string) { Parse("Mozilla/5.0", Hints{s, s, s}) }
	for _, tt := range []struct {
		name, piece string
		parse       func(string)
	}{
		{"browsers", "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/131.0 Safari/537.36 ", inUserAgent},
		{"words", "a ", inUserAgent},
		{"products", "a/1 ", inUserAgent},
		{"comments", "(", inUserAgent},
		{"one word", "a", inUserAgent},
		{"one URL", "https://a", inUserAgent},
		{"URLs", "http://a ", inUserAgent},
		{"bytes that are not ASCII", "\xff", inUserAgent},
		{"spaces", " ", inUserAgent},
		{"brands", `"Brave", `, inHints},
		{"brands with parameters", `"Brave";a;b;c;d;e, `, inHints},
		{"spaces in hints", " ", inHints},
		{"a string", "\"" + strings.Repeat("a", manyBytes), inHints},
	} {
		long := strings.Repeat(tt.piece, manyBytes/len(tt.piece)+1)
		few, many := measure(func() { tt.parse(long[:maxInput]) }), measure(func() { tt.parse(long) })
		if many.allocs > few.allocs || many.bytes > few.bytes*1.1+64 {
			t.Errorf("%s: 131 kB take %.0f bytes in %v allocations, 512 bytes take %.0f in %v", tt.name, many.bytes, many.allocs, few.bytes, few.allocs)
		}
		// Reading all of it would take 256 times as long.
		if ratio := many.seconds / few.seconds; ratio > 24 {
			t.Errorf("%s: 131 kB take %.1f times as long as 512 bytes", tt.name, ratio)
		}
	}
}

type cost struct{ allocs, bytes, seconds float64 }

// measure takes what a call costs: the least time of several rounds, since other
// programs only ever add to it.
func measure(call func()) cost {
	const rounds, calls = 20, 20
	c := cost{allocs: testing.AllocsPerRun(calls, call), seconds: math.Inf(1)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		start := time.Now()
		for range calls {
			call()
		}
		c.seconds = min(c.seconds, time.Since(start).Seconds()/calls)
	}
	runtime.ReadMemStats(&after)
	c.bytes = float64(after.TotalAlloc-before.TotalAlloc) / (rounds * calls)
	return c
}

func BenchmarkParse(b *testing.B) {
	const phone = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36"
	longest := ""
	for _, tt := range corpus {
		if len(tt.ua) > len(longest) {
			longest = tt.ua
		}
	}
	hints := Hints{`"Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24"`, "?1", `"Android"`}
	for _, bb := range []struct {
		name  string
		ua    string
		hints Hints
	}{
		{"browser", phone, Hints{}},
		{"browser-hints", phone, hints},
		{"curl", "curl/8.11.0", Hints{}},
		{"longest", longest, Hints{}},
		{"512B", strings.Repeat("a/1 ", 128), Hints{}},
		{"131kB", strings.Repeat("a/1 ", manyBytes/4), Hints{}},
		{"131kB-hints", "", Hints{strings.Repeat(`"Brave", `, manyBytes/9), strings.Repeat(" ", manyBytes), strings.Repeat(" ", manyBytes)}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Parse(bb.ua, bb.hints)
			}
		})
	}
}
