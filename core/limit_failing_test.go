package core_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// bad is a limiter that does what a test says.
type bad struct {
	calls atomic.Int64
	take  func(ctx context.Context, n int) (core.Allowance, error)
}

func (b *bad) Take(ctx context.Context, _ string, _ core.Rate, n int) (core.Allowance, error) {
	b.calls.Add(1)
	return b.take(ctx, n)
}

// A Limiter that fails, in whatever way, leaves the limits as they are, for each process
// on its own. It holds a request up for 250 ms, one in a second, and each such failure
// makes one record.
func TestLimiterFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		slow bool
		take func(ctx context.Context, n int) (core.Allowance, error)
	}{
		{"an error", false, func(context.Context, int) (core.Allowance, error) {
			return core.Allowance{OK: true, Left: 5}, errBroken
		}},
		{"a panic", false, func(context.Context, int) (core.Allowance, error) { panic("broken") }},
		{"it hangs", true, func(ctx context.Context, _ int) (core.Allowance, error) {
			<-ctx.Done()
			return core.Allowance{OK: true}, nil
		}},
		{"it hangs longer", true, func(context.Context, int) (core.Allowance, error) {
			<-time.After(time.Minute)
			return core.Allowance{OK: true}, nil
		}},
		{"less than nothing is left", false, func(context.Context, int) (core.Allowance, error) {
			return core.Allowance{OK: true, Left: -5}, nil
		}},
		{"more is left than there is", false, func(context.Context, int) (core.Allowance, error) {
			return core.Allowance{OK: true, Left: 1 << 40}, nil
		}},
		{"wait a century", false, func(context.Context, int) (core.Allowance, error) {
			return core.Allowance{RetryAfter: 100 * 365 * 24 * time.Hour}, nil
		}},
		{"wait until before", false, func(context.Context, int) (core.Allowance, error) {
			return core.Allowance{RetryAfter: -time.Second}, nil
		}},
	} {
		l := &bad{take: tt.take}
		onDesk(t, func(c *core.Config) { c.Limiter = l }, func(t *testing.T, d *desk) {
			began := time.Now()
			for i := range 10 {
				d.expect(tt.name, at(i), "alice", "wrong", unauthorized)
			}
			if a := d.expect(tt.name, at(10), "alice", passwordOf("alice"), limited); a.retryAfter() != 6*time.Second {
				t.Errorf("%s: got Retry-After %v, want 6s", tt.name, a.retryAfter())
			}
			took, most := time.Since(began), time.Duration(0)
			if tt.slow {
				most = 250 * time.Millisecond
			}
			if took != most || l.calls.Load() != 1 || len(d.trail.of(core.EventFailed)) != 1 {
				t.Errorf("%s: took %v, %d calls, %d failed events, want %v, 1, 1", tt.name, took, l.calls.Load(), len(d.trail.of(core.EventFailed)), most)
			}
			// A second later one of many at once finds out that it is no better.
			elapse(time.Second)
			began = time.Now()
			var all sync.WaitGroup
			var held atomic.Int64
			for i := range 20 {
				all.Go(func() {
					d.login(at(100+i), fmt.Sprint("user", i), "wrong")
					if time.Since(began) > 0 {
						held.Add(1)
					}
				})
			}
			all.Wait()
			want := int64(0)
			if tt.slow {
				want = 1
			}
			if held.Load() != want || l.calls.Load() != 2 || len(d.trail.of(core.EventFailed)) != 2 {
				t.Errorf("%s, later: %d were held up, %d calls, %d failed events, want %d, 2, 2", tt.name, held.Load(), l.calls.Load(), len(d.trail.of(core.EventFailed)), want)
			}
			elapse(2 * time.Minute) // those that hang
		})
	}
}

// Of many calls that fail at once the first makes a record; and when the Limiter is back
// it counts again.
func TestLimiterFailsAtOnce(t *testing.T) {
	var well atomic.Bool
	l := &bad{take: func(ctx context.Context, _ int) (core.Allowance, error) {
		if well.Load() {
			return core.Allowance{OK: true, Left: 1}, nil
		}
		<-ctx.Done()
		return core.Allowance{}, ctx.Err()
	}}
	onDesk(t, func(c *core.Config) { c.Limiter = l }, func(t *testing.T, d *desk) {
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() { d.login(at(i), fmt.Sprint("user", i), "wrong") })
		}
		all.Wait()
		if n := len(d.trail.of(core.EventFailed)); n != 1 {
			t.Errorf("%d failed events, want 1", n)
		}
		d.spend("alice", 10)
		well.Store(true)
		d.expect("within the second", at(1), "alice", "wrong", limited)
		elapse(time.Second)
		before := l.calls.Load()
		for range 30 {
			d.expect("it is back", at(1), "alice", "wrong", unauthorized)
		}
		if n := l.calls.Load() - before; n != 90 { // address, account and failures
			t.Errorf("it was asked %d times, want 90", n)
		}
		if n := len(d.trail.of(core.EventFailed)); n != 1 {
			t.Errorf("%d failed events, want 1", n)
		}
	})
}

// Calls that take their time are no failure, however many there are.
func TestLimiterBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := core.NewLimiter()
		slow := &noting{Limiter: own, keys: func(string) { <-time.After(10 * time.Millisecond) }}
		d := newDesk(t, func(c *core.Config) { c.Limiter, c.Limits.Login = slow, 5 })
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() { d.login(at(i), "alice", "wrong") })
		}
		all.Wait()
		if n := d.asked.Load(); n != 5 || len(d.trail.of(core.EventFailed)) > 0 {
			t.Errorf("%d passwords were looked at, want 5; failed: %+v", n, d.trail.of(core.EventFailed))
		}
	})
}

// Of fifty at once exactly five get to Authenticate.
func TestLimitRace(t *testing.T) {
	d := newDesk(t, func(c *core.Config) { c.Limits.Login = 5 })
	for round := range 10 {
		before := d.asked.Load()
		var all sync.WaitGroup
		begin := make(chan struct{})
		user := fmt.Sprint("user", round)
		for i := range 50 {
			all.Go(func() {
				<-begin
				d.login(at(i+100*round), user, passwordOf(user))
			})
		}
		close(begin)
		all.Wait()
		if n := d.asked.Load() - before; n != 5 {
			t.Errorf("round %d: %d passwords were looked at, want 5", round, n)
		}
	}
}

// Who goes away has tried all the same.
func TestLimitCancelled(t *testing.T) {
	for name, limiter := range map[string]func() core.Limiter{"own": func() core.Limiter { return nil }, "another": func() core.Limiter { return &noting{Limiter: core.NewLimiter()} }} {
		onDesk(t, func(c *core.Config) { c.Limiter = limiter() }, func(t *testing.T, d *desk) {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errors.New("the client is gone"))
			for range 10 {
				if a := d.loginIn(ctx, at(1), "alice", "wrong"); a.status != unauthorized {
					t.Errorf("%s: got %d %s", name, a.status, a.Code)
				}
			}
			d.expect(name, at(2), "alice", passwordOf("alice"), limited)
			if events := d.trail.of(core.EventFailed); len(events) > 0 {
				t.Errorf("%s: failed: %+v", name, events)
			}
		})
	}
}
