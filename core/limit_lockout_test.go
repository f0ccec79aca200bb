package core_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// Whoever uses an account's count up, from a thousand addresses, shuts nobody out of a
// browser in which the account has signed in.
func TestLockOut(t *testing.T) {
	onDesk(t, nil, func(t *testing.T, d *desk) {
		home, work := at(1), at(2)
		first := d.expect("at home", home, "alice", passwordOf("alice"), ok)
		home.device = first.Device
		elapse(time.Hour)
		theirs := at(3)
		theirs.device = d.expect("the attacker's own", theirs, "mallory", passwordOf("mallory"), ok).Device
		d.expect("an app", at(4), "alice", passwordOf("alice"), ok, "device_id", "phone", "delivery", "body")
		elapse(time.Hour)
		for i := range 1000 {
			want := unauthorized
			if i >= 10 {
				want = limited
			}
			d.expect("the attack", at(1000+i), "alice", "wrong", want)
		}
		d.expect("a browser that is not known", work, "alice", passwordOf("alice"), limited)
		d.expect("one that knows another account", theirs, "alice", passwordOf("alice"), limited)
		d.expect("a device by its own word", at(5), "alice", passwordOf("alice"), limited, "device_id", "phone")
		d.expect("a known one by its own word", at(5), "alice", passwordOf("alice"), limited, "device_id", first.Session.Device.ID)
		for name, cookie := range map[string]string{"forged": altered(home.device), "cut": home.device[:len(home.device)-1], "of nobody": "x"} {
			d.expect("a cookie "+name, browser{at(6).from, cookie}, "alice", passwordOf("alice"), limited)
		}
		for i := range 10 { // with the address's own count
			d.expect("at home", browser{at(50 + i).from, home.device}, "Alice ", map[bool]string{true: "wrong", false: passwordOf("alice")}[i < 9], map[bool]int{true: unauthorized, false: ok}[i < 9])
		}
		d.expect("at home, too often", home, "alice", passwordOf("alice"), limited)
		elapse(6 * time.Second)
		d.expect("at home, in time", home, "alice", passwordOf("alice"), ok)
	})
}

// altered returns a sealed text with another MAC.
func altered(text string) string {
	i := len(text) - 20
	return text[:i] + map[bool]string{true: "B", false: "A"}[text[i] == 'A'] + text[i+1:]
}

// A device cookie of another secret is none, though the same limiter knows its device.
func TestLockOutForged(t *testing.T) {
	onDesk(t, nil, func(t *testing.T, _ *desk) {
		shared := &noting{Limiter: core.NewLimiter()}
		other := newDesk(t, func(c *core.Config) {
			c.Limiter, c.Keys = shared, []core.Key{{Secret: testSecret("another's")}}
		})
		d := newDesk(t, func(c *core.Config) { c.Limiter = shared })
		forged := other.login(at(1), "alice", passwordOf("alice")).Device
		elapse(time.Minute)
		d.spend("alice", 10)
		d.expect("forged", browser{at(1).from, forged}, "alice", passwordOf("alice"), limited)
		other.expect("its own", browser{at(1).from, forged}, "alice", passwordOf("alice"), ok)
	})
}

// What is kept for a month pushes no counts of a minute out of memory, and a flood makes
// nobody known.
func TestLimitFlood(t *testing.T) {
	const many = 110_000 // the limiter in memory keeps 100,000
	for name, limiter := range map[string]func() core.Limiter{"own": func() core.Limiter { return nil }, "given": core.NewLimiter} {
		onDesk(t, func(c *core.Config) {
			c.Limiter = limiter()
			c.Audit = func(context.Context, core.Event) {}
		}, func(t *testing.T, d *desk) {
			for i := range many {
				core.MarkKnown(d.Auth, fmt.Sprint("user", i), fmt.Sprint("device", i))
			}
			d.expect(name+": a newcomer", at(1), "alice", passwordOf("alice"), ok)
			theirs := browser{at(3).from, d.login(at(3), "mallory", passwordOf("mallory")).Device}
			for i := range many {
				core.NoteFailure(d.Auth, fmt.Sprint("user", i))
			}
			d.expect(name+": another newcomer", at(2), "bob", passwordOf("bob"), ok)
			for i := range many {
				core.CountSignIn(d.Auth, fmt.Sprint("user", i))
			}
			core.CountSignIn(d.Auth, "carol")
			elapse(time.Minute)
			d.spend("carol", 10)
			d.expect(name+": after a flood, a stranger", theirs, "carol", "wrong", limited)
		})
	}
}

// Who had the password once may have made many known browsers: together they try a new
// one no oftener than ten may.
func TestManyKnownBrowsers(t *testing.T) {
	onDesk(t, nil, func(t *testing.T, d *desk) {
		var made []browser
		for i := range 12 {
			b := at(100 + i)
			b.device = d.expect("before", b, "alice", passwordOf("alice"), ok).Device
			made = append(made, b)
			elapse(time.Minute)
		}
		elapse(time.Hour)
		for i := range 120 {
			want := unauthorized
			if i >= 100 {
				want = limited
			}
			d.expect("guessing", made[i/10], "alice", "wrong", want)
		}
	})
}
