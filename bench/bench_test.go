package bench

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkRequest is one request in process with a token that was seen before.
//
// x-bare is how many times as much processor time it takes as the bare route, with
// which it takes turns: whatever else the machine does meets both. With -cpu 1 the
// garbage collector gets no idle processor on which to make work for itself.
func BenchmarkRequest(b *testing.B) {
	w := newAtWork(b, 1, 0)
	for _, f := range frameworks {
		b.Run(f.name, func(b *testing.B) { inTurns(b, w.tokens(), f.contestants(b, w)) })
	}
}

// BenchmarkCrowd is the same with 10,000 tokens in random order and 1,000,000
// revocations in the feed.
func BenchmarkCrowd(b *testing.B) {
	w := newAtWork(b, 10_000, 1_000_000)
	for _, f := range frameworks {
		b.Run(f.name, func(b *testing.B) { inTurns(b, w.tokens(), f.contestants(b, w)[:4]) })
	}
}

// leastTurn is how many requests are served at least before the bare route has its
// turn: enough that few collections of one's garbage fall into the other's.
const leastTurn = 4096

func inTurns(b *testing.B, tokens []string, contestants []contestant) {
	rand.Shuffle(len(tokens), func(i, j int) { tokens[i], tokens[j] = tokens[j], tokens[i] })
	// Both sides read the same headers, and all of them in a turn. With copies of
	// their own, what they cost to read depends on which was made first: the bare
	// route was then a quarter faster than itself.
	turn, headers := max(leastTurn, len(tokens)), bearers(tokens)
	for _, c := range contestants {
		b.Run(c.name, func(b *testing.B) {
			guarded := &route{b: b, serve: c.app.inProcess(headers), tokens: len(tokens)}
			bare := &route{b: b, serve: contestants[0].app.inProcess(headers), tokens: len(tokens)}
			for range turn {
				guarded.one()
				bare.one()
			}
			runtime.GC()
			var taken, bareTaken time.Duration
			requests, began := 0, worked()
			b.ReportAllocs()
			for b.Loop() {
				guarded.one()
				if requests++; requests%turn == 0 {
					taken += worked() - began
					b.StopTimer()
					began = worked()
					for range turn {
						bare.one()
					}
					bareTaken += worked() - began
					b.StartTimer()
					began = worked()
				}
			}
			if bareTaken > 0 {
				b.ReportMetric(float64(taken)/float64(bareTaken), "x-bare")
			}
		})
	}
}

// route is one of two that take turns.
type route struct {
	b      *testing.B
	serve  func(int) int
	tokens int
	next   int
}

func (r *route) one() {
	if status := r.serve(r.next); status != 200 {
		r.b.Fatalf("got %d, want 200", status)
	}
	if r.next++; r.next == r.tokens {
		r.next = 0
	}
}

const (
	connections   = 8
	perConnection = 128 // requests in one round
)

// BenchmarkSocket is the same over kept loopback connections, several at once, with
// client and server in one process. Rounds of requests go to the route and to the
// bare one in turns.
//
// share is how many requests a second the route answers, by how many the bare one
// does: the median of the rounds. cpu-share is the same for requests per second of
// processor time, which others on the machine disturb less.
func BenchmarkSocket(b *testing.B) {
	w := newAtWork(b, 1, 0)
	token := w.people[0].token
	for _, f := range frameworks {
		b.Run(f.name, func(b *testing.B) {
			bare := f.contestants(b, w)[0].app.listen(b)
			for _, c := range f.contestants(b, w) {
				b.Run(c.name, func(b *testing.B) {
					guarded, bare := dialAll(b, c.app.listen(b), token), dialAll(b, bare, token)
					runtime.GC()
					for b.Loop() {
						if len(bare.rounds)%2 == 0 {
							guarded.round(b)
							bare.round(b)
						} else {
							bare.round(b)
							guarded.round(b)
						}
					}
					shares := make([]float64, len(bare.rounds))
					for i := range shares {
						shares[i] = float64(bare.rounds[i]) / float64(guarded.rounds[i])
					}
					b.ReportMetric(median(shares), "share")
					b.ReportMetric(float64(bare.worked)/float64(guarded.worked), "cpu-share")
					b.ReportMetric(connections*perConnection/median(guarded.rounds).Seconds(), "requests/s")
					b.ReportMetric(0, "ns/op") // of two rounds: it says nothing
				})
			}
		})
	}
}

func median[T float64 | time.Duration](of []T) T { return slices.Sorted(slices.Values(of))[len(of)/2] }

// side is one of two routes that take turns.
type side struct {
	clients []*client
	rounds  []time.Duration
	worked  time.Duration // by client and server
}

func dialAll(b *testing.B, addr, token string) *side {
	s := new(side)
	for range connections {
		c, status := dial(b, addr, token)
		if status != 200 {
			b.Fatalf("got %d, want 200", status)
		}
		s.clients = append(s.clients, c)
	}
	return s
}

// round has every connection send its requests, and returns when all are answered.
func (s *side) round(b *testing.B) {
	errs := make([]error, len(s.clients))
	var all sync.WaitGroup
	began, before := time.Now(), worked()
	for i, c := range s.clients {
		all.Go(func() {
			for range perConnection {
				if errs[i] = c.ask(); errs[i] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	s.rounds = append(s.rounds, time.Since(began))
	s.worked += worked() - before
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
}
