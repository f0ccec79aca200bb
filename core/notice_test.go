package core_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// letters are the notices that an app was told.
type letters struct {
	mu   sync.Mutex
	sent []core.Notice
}

func (l *letters) notify(_ context.Context, n core.Notice) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, n)
	return nil
}

// take returns whom was told of what since the last call.
func (l *letters) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, n := range l.sent {
		out = append(out, n.UserID+" "+string(n.Outcome))
	}
	l.sent = nil
	slices.Sort(out)
	return out
}

func (l *letters) expect(t *testing.T, what string, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := l.take(); !slices.Equal(got, want) {
		t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

// scored has every sign-in scored the same.
func scored(score *int) core.Scorer {
	return scorer(func() (core.Risk, error) { return core.Risk{Score: *score}, nil })
}

// D7: the user hears of what is unusual enough, once, whatever becomes of it.
func TestNotices(t *testing.T) {
	for _, c := range []struct {
		notify, score int
		told          bool
	}{
		{0, 29, false},
		{0, 30, true},
		{1, 0, false},
		{1, 1, true},
		{100, 99, false},
		{100, 100, true},
		{-1, 100, false},
		{-100, 0, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			var told letters
			score := c.score
			h := open(t, newTap(), func(cfg *core.Config) {
				cfg.Risk.Notify, cfg.Scorer, cfg.Notify = c.notify, scored(&score), told.notify
			})
			h.signIn("alice")
			var want []string
			if c.told {
				want = []string{"alice signed_in"}
			}
			told.expect(t, fmt.Sprintf("%+v", c), want...)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		var told letters
		score := 50
		h := open(t, newTap(), func(c *core.Config) {
			c.Risk, c.Scorer, c.Notify = core.RiskPolicy{StepUp: 60, Deny: 70}, scored(&score), told.notify
		})
		settle(h)
		told.expect(t, "the first", "the first of all signed_in")
		score = 60
		pending := h.waits("alice")
		told.expect(t, "it waits", "alice step_up_required")
		h.expectStepUp(pending, wrong, core.ErrStepUpInvalid)
		told.expect(t, "a wrong factor")
		pair := h.expectStepUp(pending, right, nil)
		told.expect(t, "completed")
		score = 70
		if _, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}}); !errors.Is(err, core.ErrRiskDenied) {
			t.Errorf("denied: %v", err)
		}
		told.expect(t, "denied", "alice risk_denied")
		h.trail.take()
		elapse(time.Minute)
		if _, err := h.Refresh(t.Context(), core.RefreshRequest{Token: pair.RefreshToken, DeviceID: "dev", Client: core.Client{IP: "198.51.100.9"}}); err != nil {
			t.Fatal(err)
		}
		told.expect(t, "it has become high", "alice risk_raised")
		h.trail.expect(t, "raised", "refreshed", "risk_raised")
	})
}

// What Notify is told is the app's to keep.
func TestNoticeIsACopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		score := 50
		h := open(t, newTap(), func(c *core.Config) {
			c.Scorer = scored(&score)
			c.Notify = func(_ context.Context, n core.Notice) error {
				n.Session.AMR[0] = "changed"
				return nil
			}
		})
		pair, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice", AMR: []string{"pwd"}}})
		synctest.Wait()
		if err != nil || pair.Session.AMR[0] != "pwd" || h.ledgerOf("alice").Sessions[0].AMR[0] != "pwd" {
			t.Errorf("%v, %+v", err, pair.Session.AMR)
		}
	})
}

// A Notify that fails in whatever way is audited once for each notice, and keeps nobody
// from the next.
func TestNotifyFails(t *testing.T) {
	for name, notify := range map[string]func(context.Context, core.Notice) error{
		"failing":               func(context.Context, core.Notice) error { return errBroken },
		"panicking":             func(context.Context, core.Notice) error { panic(errBroken) },
		"panicking with nil":    func(context.Context, core.Notice) error { panic(nil) },
		"ending its goroutine":  func(context.Context, core.Notice) error { runtime.Goexit(); return nil },
		"until its time is up":  func(ctx context.Context, _ core.Notice) error { <-ctx.Done(); return ctx.Err() },
		"failing with a reason": func(context.Context, core.Notice) error { return core.ErrInternal },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				score := 50
				h := open(t, newTap(), func(c *core.Config) { c.Scorer, c.Notify, c.MaxSessions = scored(&score), notify, 20 })
				for range 9 { // more than there are senders
					h.signIn("alice")
				}
				begun := time.Now()
				elapse(5 * time.Minute)
				h.trail.mu.Lock()
				failed := 0
				for _, e := range h.trail.events {
					if e.Name != core.EventNoticeFailed {
						continue
					}
					failed++
					if e.Err == nil || e.UserID != "alice" || e.Session.IsZero() || e.Time.Sub(begun) > 3*30*time.Second {
						t.Errorf("audited %+v", e)
					}
				}
				h.trail.mu.Unlock()
				if failed != 9 {
					t.Errorf("%d failures are audited, want 9", failed)
				}
			})
		})
	}
}

// P39: while Notify is blocked sign-ins go on, 1,000 notices wait, and of each beyond
// it is audited that it is lost.
func TestNoticesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const senders, most, more = 4, 1000, 3
		score, block := 50, make(chan struct{})
		var told letters
		h := open(t, newTap(), func(c *core.Config) {
			c.Scorer = scored(&score)
			c.Notify = func(ctx context.Context, n core.Notice) error {
				<-block
				return told.notify(ctx, n)
			}
		})
		begun := time.Now()
		for range senders {
			h.signIn("alice")
		}
		synctest.Wait()
		for range most {
			h.signIn("bob")
		}
		if slices.Contains(h.trail.take(), "notice_failed") {
			t.Error("a notice is lost while there is room")
		}
		for range more {
			h.signIn("carol")
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("sign-ins took %v", took)
		}
		lost := slices.DeleteFunc(h.trail.take(), func(s string) bool { return s != "notice_failed" })
		if len(lost) != more {
			t.Errorf("%d are audited as lost, want %d", len(lost), more)
		}
		close(block)
		synctest.Wait()
		if got := told.take(); len(got) != senders+most || slices.Contains(got, "carol signed_in") {
			t.Errorf("%d were sent, want %d", len(got), senders+most)
		}
		h.trail.expect(t, "sent")
	})
}

// Close ends a Notify that hangs until its context does; each notice that is not sent
// by then, or that comes later, is audited once.
func TestNoticesAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		score := 50
		h := open(t, newTap(), func(c *core.Config) {
			c.Scorer, c.MaxSessions = scored(&score), 100
			c.Notify = func(ctx context.Context, _ core.Notice) error { <-ctx.Done(); return ctx.Err() }
		})
		for range 20 {
			h.signIn("alice")
		}
		synctest.Wait()
		h.trail.take()
		begun := time.Now()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("Close took %v", took)
		}
		failed := func(want int) {
			t.Helper()
			got := slices.DeleteFunc(h.trail.take(), func(s string) bool { return s != "notice_failed" })
			if len(got) != want {
				t.Errorf("%d are audited as not sent, want %d", len(got), want)
			}
		}
		failed(20)
		h.signIn("alice") // an Auth that was closed still answers
		failed(1)
		h.signIn("bob")
		failed(1)
	})
}

// Of notices that come while it is closed none is lost unsaid.
func TestNoticesRaceClose(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			score := 50
			var told letters
			h := open(t, newTap(), func(c *core.Config) { c.Scorer, c.Notify, c.MaxSessions = scored(&score), told.notify, 100 })
			var all sync.WaitGroup
			for range 16 {
				all.Go(func() { h.signIn("alice") })
			}
			h.Close()
			all.Wait()
			synctest.Wait()
			lost := slices.DeleteFunc(h.trail.take(), func(s string) bool { return s != "notice_failed" })
			if n := len(told.take()); n+len(lost) != 16 {
				t.Errorf("%d sent and %d audited as lost, want 16 together", n, len(lost))
			}
		})
	}
}

// A Notify that never returns keeps no other notice back, nor Close, for longer than
// one may take.
func TestNotifyThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let, calls := make(chan struct{}), make(chan string, 100)
		defer close(let)
		auth, err := core.New(core.Config{
			Store: newTap(), Keys: []core.Key{{Secret: testSecret("keys")}}, Audit: func(context.Context, core.Event) {},
			Risk:   core.RiskPolicy{Notify: 5},
			Notify: func(_ context.Context, n core.Notice) error { calls <- n.UserID; <-let; return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 6 {
			if _, err := auth.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}, Failures: 6}); err != nil {
				t.Fatal(err)
			}
		}
		elapse(time.Minute)
		if len(calls) != 6 {
			t.Errorf("%d of 6 were told", len(calls))
		}
		closed := make(chan struct{})
		go func() { auth.Close(); close(closed) }()
		elapse(time.Minute)
		select {
		case <-closed:
		default:
			t.Error("Close waits for ever")
		}
	})
}
