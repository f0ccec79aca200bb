package core_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
)

const (
	ok           = http.StatusOK
	unauthorized = http.StatusUnauthorized
	limited      = http.StatusTooManyRequests
)

// An account is tried ten times a minute, from wherever, however its name is spelled,
// right or wrong; then the right password is refused as well, and nobody looks at it.
func TestLimitAccount(t *testing.T) {
	for name, right := range map[string]bool{"wrong": false, "right": true} {
		onDesk(t, nil, func(t *testing.T, d *desk) {
			for i, spelled := range []string{"alice", "ALICE", "Alice", " alice", "alice\t", "aLiCe  ", "\u00a0alice", "al\u200bice", "alice\u0000", "\ufeffalice"} {
				password, status := "wrong", unauthorized
				if right && i < 7 { // which the desk takes
					password, status = passwordOf("alice"), ok
				}
				d.expect(name, at(i), spelled, password, status)
			}
			for i, spelled := range []string{"alice", "ALICE ", "\u200balice"} {
				a := d.expect(name+", the next", at(20+i), spelled, passwordOf("alice"), limited)
				if a.retryAfter() != 6*time.Second {
					t.Errorf("%s: got Retry-After %v, want 6s", name, a.retryAfter())
				}
			}
			d.expect("another account", at(0), "bob", passwordOf("bob"), ok)
			elapse(5 * time.Second)
			d.expect("before its time", at(30), "alice", passwordOf("alice"), limited)
			elapse(time.Second)
			d.expect("in time", at(30), "alice", passwordOf("alice"), ok)
			d.expect("in time, another", at(31), "alice", passwordOf("alice"), limited)
		})
	}
	onDesk(t, nil, func(t *testing.T, d *desk) { // some letters have two small forms
		d.spend("kiss\u0130", 10)
		d.expect("in other letters", at(0), "\u212aI\u017fS\u0130", "wrong", limited)
	})
}

// An address tries ten times as often. What it is refused costs no account anything.
func TestLimitAddress(t *testing.T) {
	for _, tt := range []struct {
		rule   string
		from   func(i int) string
		other  string
		shared bool // how much of it is one address
	}{
		{"IPv4", func(i int) string { return fmt.Sprint("192.0.2.1:", 1000+i) }, "192.0.2.2:80", true},
		{"IPv6, a /64", func(i int) string { return fmt.Sprintf("[2001:db8:0:1:%x::%x]:80", i, i) }, "[2001:db8:0:2::1]:80", true},
		{"IPv6 with zones", func(i int) string { return fmt.Sprintf("[fe80::1%%eth%d]:80", i) }, "[fe80:0:0:1::1]:80", true},
		{"IPv4 in IPv6", func(i int) string { return []string{"192.0.2.1:80", "[::ffff:192.0.2.1]:80"}[i%2] }, "[::ffff:192.0.2.2]:80", true},
		{"nobody knows from where", func(int) string { return "@" }, "@", false},
	} {
		onDesk(t, nil, func(t *testing.T, d *desk) {
			for i := range 100 {
				d.expect(tt.rule, browser{from: tt.from(i)}, fmt.Sprint("user", i), "wrong", unauthorized)
			}
			want := unauthorized
			if tt.shared {
				want = limited
			}
			for i := range 20 { // twice what the account has
				user := "alice"
				if !tt.shared {
					user = fmt.Sprint("more", i)
				}
				d.expect(tt.rule+", too many", browser{from: tt.from(100 + i)}, user, "wrong", want)
			}
			for range 9 {
				d.expect(tt.rule+", another", browser{from: tt.other}, "alice", "wrong", unauthorized)
			}
			d.expect(tt.rule+", another", browser{from: tt.other}, "alice", passwordOf("alice"), ok)
		})
	}
}

// A session is refreshed sixty times a minute. What is refused touches no cookie, and
// the token stays good.
func TestLimitRefresh(t *testing.T) {
	onDesk(t, nil, func(t *testing.T, d *desk) {
		first := d.login(at(1), "alice", passwordOf("alice"))
		other := d.login(at(1), "alice", passwordOf("alice"))
		cookie := func(a said) []string { return []string{"Cookie", "refresh_token=" + a.RefreshToken} }
		next := d.ask(at(1), "/auth/refresh", "", cookie(first)...)
		for range 59 {
			if a := d.ask(at(1), "/auth/refresh", "", cookie(next)...); a.status != ok {
				t.Fatalf("got %d %s", a.status, a.Code)
			}
		}
		d.trail.take()
		for i := range 3 {
			a := d.ask(at(i), "/auth/refresh", "", cookie(next)...)
			if a.status != limited || a.retryAfter() != time.Second || a.header["Set-Cookie"] != nil {
				t.Errorf("got %d %v, want 429, a second and no cookie", a.status, a.header)
			}
		}
		events := d.trail.of(core.EventLimited)
		if len(events) != 3 || events[0].Cause != "refresh" || events[0].UserID != "alice" || events[0].Session.String() != next.Session.ID {
			t.Errorf("audited %+v", events)
		}
		if a := d.ask(at(1), "/auth/refresh", "", cookie(other)...); a.status != ok {
			t.Errorf("another session: got %d %s", a.status, a.Code)
		}
		elapse(time.Second)
		for _, want := range []int{ok, limited} {
			if a := d.ask(at(1), "/auth/refresh", "", cookie(next)...); a.status != want {
				t.Errorf("in time: got %d %s, want %d", a.status, a.Code, want)
			}
		}
	})
}

// A user signs out everywhere, and an administrator looks tokens up, so often; others
// have a count of their own.
func TestLimitRoutes(t *testing.T) {
	onDesk(t, func(c *core.Config) { c.Limits.LogoutAll, c.Limits.Lookup, c.Limits.Login = 1, 2, -1 }, func(t *testing.T, d *desk) {
		signIn := func(user string) said { return d.login(at(1), user, passwordOf(user)) }
		all := func(a said) said {
			return d.ask(at(1), "/auth/logout-all", "", "Authorization", "Bearer "+a.AccessToken)
		}
		if a := all(signIn("alice")); a.status != ok {
			t.Errorf("got %d %s", a.status, a.Code)
		}
		again := signIn("alice")
		if a := all(again); a.status != limited || a.retryAfter() != time.Minute || a.header["Set-Cookie"] != nil {
			t.Errorf("the second: got %d %v", a.status, a.header)
		}
		d.expectCount("alice", 1)
		if a := all(signIn("bob")); a.status != ok {
			t.Errorf("another user: got %d %s", a.status, a.Code)
		}
		elapse(time.Minute)
		if a := all(again); a.status != ok {
			t.Errorf("in time: got %d %s", a.status, a.Code)
		}
		root := signIn("root")
		for _, want := range []int{ok, http.StatusNotFound, limited} {
			token := map[int]string{ok: root.RefreshToken, http.StatusNotFound: "x", limited: "x"}[want]
			if a := d.ask(at(1), "/admin/tokens/lookup", `{"token":"`+token+`"}`, "Authorization", "Bearer "+root.AccessToken); a.status != want {
				t.Errorf("lookup: got %d %s, want %d", a.status, a.Code, want)
			}
		}
		var causes []string
		for _, e := range d.trail.of(core.EventLimited) {
			causes = append(causes, e.Cause+" "+e.UserID)
		}
		if diff := cmp.Diff([]string{"logout_all alice", "lookup root"}, causes); diff != "" {
			t.Errorf("audited (-want +got):\n%s", diff)
		}
	})
}

// Five second factors a minute are tried of a user, however many sign-ins wait.
func TestLimitStepUp(t *testing.T) {
	onDesk(t, nil, func(t *testing.T, d *desk) {
		tried := 0
		try := func(user string) error {
			_, err := d.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user, StepUp: true}, Client: core.Client{DeviceID: "dev"}})
			asked := core.ErrStepUpRequired
			if !errors.As(err, &asked) {
				t.Fatalf("got %v", err)
			}
			_, err = d.StepUp(t.Context(), core.StepUpRequest{Pending: asked.Pending, Client: core.Client{DeviceID: "dev"}, Verify: func(context.Context, string) ([]string, error) {
				tried++
				return nil, core.ErrInvalidCredentials
			}})
			return err
		}
		for range 5 {
			if err := try("alice"); !errors.Is(err, core.ErrStepUpInvalid) {
				t.Errorf("got %v", err)
			}
		}
		if err := try("alice"); !errors.Is(err, core.ErrTooManyRequests) || tried != 5 {
			t.Errorf("the sixth: got %v, %d were looked at", err, tried)
		}
		if err := try("bob"); !errors.Is(err, core.ErrStepUpInvalid) {
			t.Errorf("another user: got %v", err)
		}
	})
}

func TestLimitsSettings(t *testing.T) {
	for _, tt := range []struct {
		given, want core.Limits
	}{
		{core.Limits{}, core.Limits{Login: 10, StepUp: 5, Refresh: 60, LogoutAll: 10, Lookup: 60}},
		{core.Limits{Login: 3, StepUp: -1, Refresh: -9, Lookup: 1}, core.Limits{Login: 3, LogoutAll: 10, Lookup: 1}},
		{core.Limits{Off: true, Login: 3}, core.Limits{Off: true}},
	} {
		onDesk(t, func(c *core.Config) { c.Limits = tt.given }, func(t *testing.T, d *desk) {
			if got := core.Settled(d.Auth).Limits; got != tt.want {
				t.Errorf("of %+v: got %+v, want %+v", tt.given, got, tt.want)
			}
			for i := range 150 { // at most as many as are asked for
				want := unauthorized
				if n := tt.want.Login; n > 0 && i >= n {
					want = limited
				}
				d.expect(fmt.Sprintf("%+v", tt.given), at(1), "alice", "wrong", want)
			}
		})
	}
	_, err := core.New(core.Config{Limits: core.Limits{Login: 1_000_001, StepUp: 1_000_000, Refresh: 1 << 62}})
	for text, want := range map[string]bool{"Limits.Login: 1000001 is more than 1000000": true, "Limits.Refresh": true, "Limits.StepUp": false} {
		if got := contains(err, text); got != want {
			t.Errorf("%q: got %t of %v", text, got, err)
		}
	}
	onDesk(t, func(c *core.Config) { c.Limits.Login = 1_000_000 }, func(t *testing.T, d *desk) {
		d.expect("the most there can be", at(1), "alice", passwordOf("alice"), ok)
	})
}

// noting is a limiter whose calls are counted.
type noting struct {
	core.Limiter
	calls atomic.Int64
	keys  func(string)
}

func (n *noting) Take(ctx context.Context, key string, r core.Rate, count int) (core.Allowance, error) {
	n.calls.Add(1)
	if n.keys != nil {
		n.keys(key)
	}
	return n.Limiter.Take(ctx, key, r, count)
}

// Whether there is a user is not to be seen: not in an answer, nor in what it costs.
func TestLimitTellsNothing(t *testing.T) {
	counts := &noting{}
	onDesk(t, func(c *core.Config) { counts.Limiter = core.NewLimiter(); c.Limiter = counts }, func(t *testing.T, d *desk) {
		signed := d.login(at(1), "carol", passwordOf("carol")) // a device of somebody's
		calls := d.store.counting()
		type cost struct {
			Status        int
			Header        http.Header
			Body          string
			Limiter, Asks int64
			Store         map[string]int
		}
		for _, device := range []string{"", signed.Device, "forged"} {
			for i := range 12 {
				var costs [2]cost
				for u, user := range []string{"alice", "ghost"} {
					limiter, asked := counts.calls.Load(), d.asked.Load()
					calls()
					b := at(10 + 2*i + u)
					b.device = device
					a := d.login(b, user+"-of-"+fmt.Sprint(len(device)), "wrong", "device_id", "x")
					store := calls()
					delete(store, "tail")
					costs[u] = cost{a.status, a.header, a.body, counts.calls.Load() - limiter, d.asked.Load() - asked, store}
				}
				if diff := cmp.Diff(costs[0], costs[1]); diff != "" {
					t.Errorf("attempt %d (-known +unknown):\n%s", i, diff)
				}
				if got, want := costs[0].Status, map[bool]int{true: unauthorized, false: limited}[i < 10]; got != want {
					t.Errorf("attempt %d: got %d, want %d", i, got, want)
				}
			}
		}
	})
}

// Each attempt that is refused makes one record, which says of which limit, and neither
// that nor a key names anybody.
func TestLimitAudit(t *testing.T) {
	var keys []string
	counts := &noting{keys: func(key string) { keys = append(keys, key) }}
	onDesk(t, func(c *core.Config) {
		counts.Limiter = core.NewLimiter()
		c.Limiter, c.Limits.Login = counts, 2
	}, func(t *testing.T, d *desk) {
		b := browser{device: d.login(at(1), "alice", passwordOf("alice")).Device}
		for i := range 40 {
			b.from = fmt.Sprintf("192.0.2.%d:80", i/28)
			d.login(b, "alice", "wrong")
			d.login(browser{from: b.from}, "alice", "wrong")
		}
		got := map[string]int{}
		for _, e := range d.trail.of(core.EventLimited) {
			got[e.Cause]++
			if e.UserID != "" || e.IP == "" || e.Reason != "" || e.Err != nil || contains(fmt.Errorf("%+v", e), "alice") {
				t.Errorf("audited %+v", e)
			}
		}
		// Of the account one was left, of the device two; of the one address 20.
		want := map[string]int{"login_address": 56 - 20 + 24 - 20, "login_account": 9 + 10, "login_device": 8 + 10}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("audited (-want +got):\n%s", diff)
		}
		if n := len(d.trail.of(core.EventSignInRefused)); n != 3 {
			t.Errorf("%d were refused for their password, want 3", n)
		}
		for _, key := range keys {
			if contains(fmt.Errorf("%s", key), "alice") || contains(fmt.Errorf("%s", key), "192.0") || len(key) > 128 {
				t.Errorf("key %q", key)
			}
		}
	})
}

// What can't be seen is passed over in a name, whatever kind of character it is.
func TestLimitAccountUnseen(t *testing.T) {
	for _, unseen := range "\u034f\u115f\u1160\u17b4\u180b\u180e\u3164\ufe00\ufe0f\uffa0\U000e0100\U000e01ef\u200b\u2060" {
		onDesk(t, func(c *core.Config) { c.Limits.Login = 1 }, func(t *testing.T, d *desk) {
			if err := core.CountSignIn(d.Auth, "alice"); err != nil {
				t.Error(err)
			}
			if err := core.CountSignIn(d.Auth, "al"+string(unseen)+"ice"); !errors.Is(err, core.ErrTooManyRequests) {
				t.Errorf("%U: got %v", unseen, err)
			}
		})
	}
}
