package bench

import (
	"fmt"
	"testing"
)

// What the benchmarks say of a contestant is what it does, in process and over a
// socket: it lets a good token in, refuses a forged one and none, and refuses a
// token after logout or, if it checks no revocation, does not.
func TestContestants(t *testing.T) {
	w := newAtWork(t, 0, 10)
	for _, f := range frameworks {
		for _, c := range f.contestants(t, w) {
			for form, ask := range map[string]func(*testing.T, string) int{
				"in process": func(_ *testing.T, token string) int { return c.app.inProcess(bearers([]string{token}))(0) },
				"socket": func(t *testing.T, token string) int {
					_, status := dial(t, c.app.listen(t), token)
					return status
				},
			} {
				t.Run(f.name+", "+c.name+", "+form, func(t *testing.T) {
					p := w.signIn(t, "alice")
					for _, step := range []struct {
						what, token string
						want        int
					}{
						{"a good token", p.token, 200},
						{"the same again", p.token, 200},
						{"no token", "", c.missing},
						{"a forged token", p.token[:len(p.token)-4] + "AAAA", c.forged},
					} {
						if got := ask(t, step.token); got != step.want {
							t.Errorf("%s: got %d, want %d", step.what, got, step.want)
						}
					}
					if c.logout != nil {
						c.logout(t, p)
					}
					if got := ask(t, p.token); got != c.ended {
						t.Errorf("after logout: got %d, want %d", got, c.ended)
					}
				})
			}
		}
	}
}

// The feed of the Auth under test vouches: whoever has just signed in is let in
// without a call on the store.
func TestFeedVouches(t *testing.T) {
	w := newAtWork(t, 0, 1000)
	signedIn := 0
	for _, f := range frameworks {
		for _, c := range f.contestants(t, w) {
			// On a machine that stands still the feed may be behind for once.
			await(t, f.name+", "+c.name+": no ledger loaded", func() bool {
				signedIn++
				serve := c.app.inProcess(bearers([]string{w.signIn(t, fmt.Sprint("new-", signedIn)).token}))
				before := w.store.loads.Load()
				for range 2 {
					if status := serve(0); status != 200 {
						t.Fatalf("%s, %s: got %d, want 200", f.name, c.name, status)
					}
				}
				return w.store.loads.Load() == before
			})
		}
	}
}
