package limitertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

const (
	every = 200 * time.Hour // one of five may be taken, after a burst
	count = 5
)

var five = core.Rate{Count: count, Per: count * every}

// kit is what one run of a case works with. Its methods are safe to call concurrently.
type kit struct {
	ctx     context.Context
	limiter core.Limiter
	clock   Advancer // nil if there is none

	mu      sync.Mutex
	seen    []string
	skipped string
}

// stop ends a case, or a goroutine of one, from within.
type stop struct{}

// guarded runs f and returns when it is done or stopped.
func (k *kit) guarded(f func()) {
	defer func() {
		if r := recover(); r != nil && r != (stop{}) {
			panic(r)
		}
	}()
	f()
}

func (k *kit) errorf(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.seen) < 12 {
		k.seen = append(k.seen, fmt.Sprintf(format, args...))
	}
}

// fatalf ends the goroutine that calls it.
func (k *kit) fatalf(format string, args ...any) {
	k.errorf(format, args...)
	panic(stop{})
}

// skip ends a case that has nothing to check.
func (k *kit) skip(why string) {
	k.skipped = why
	panic(stop{})
}

// parallel runs f n times at once and waits.
func (k *kit) parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			k.guarded(func() { f(i) })
		})
	}
	close(begin)
	wg.Wait()
}

// key returns one that nobody had before.
func (k *kit) key() string { return "key-" + rand.Text() }

func (k *kit) take(key string, r core.Rate, n int) core.Allowance {
	a, err := k.limiter.Take(k.ctx, key, r, n)
	if err != nil {
		k.fatalf("Take of %d: got error %v, want none", n, err)
	}
	return a
}

// allowed takes n, which have to be allowed.
func (k *kit) allowed(key string, r core.Rate, n, left int) {
	got := k.take(key, r, n)
	if !got.OK || got.Left != left || got.RetryAfter != 0 {
		k.errorf("Take of %d: got %v, want OK and %d left", n, told(got), left)
	}
}

// refused tries to take n, which have to be refused, until so much time has passed; 0:
// for ever. For n = 0 that is about one.
func (k *kit) refused(key string, r core.Rate, n, left int, after time.Duration) {
	got := k.take(key, r, n)
	least, most := after-patience, after+time.Millisecond
	if after == 0 {
		least, most = 0, 0
	}
	if got.OK || got.Left != left || got.RetryAfter < least || got.RetryAfter > most {
		k.errorf("Take of %d: got %v, want it refused, %d left and %v to wait", n, told(got), left, after)
	}
}

// use takes n without a look at the answer.
func (k *kit) use(key string, r core.Rate, n int) {
	for range n {
		k.take(key, r, 1)
	}
}

func told(a core.Allowance) string {
	ok := "refused"
	if a.OK {
		ok = "OK"
	}
	return fmt.Sprintf("%s, %d left, %v to wait", ok, a.Left, a.RetryAfter)
}
