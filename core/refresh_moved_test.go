package core_test

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/sealed"
	"github.com/sallyport-go/sallyport/memstore"
)

// Where a session is, what it runs on and how it is scored follows its refreshes.
func TestRefreshFromElsewhere(t *testing.T) {
	laptop := gadget{"laptop", firefoxOnMac}
	type step struct {
		on    gadget
		ip    string
		city  string
		band  string
		codes []string
		asked bool     // the Resolver
		says  []string // in the audit trail, beside "refreshed"
		told  bool
	}
	chrome := gadget{"laptop", chromeOnWindows}
	moved := []string{core.RiskNewNetwork, core.RiskNewCountry}
	for _, c := range []struct {
		rule  string
		steps []step
	}{
		{"another address of the network is the same place", []step{
			{laptop, "192.0.2.200", "Potsdam", "low", nil, false, nil, false},
			{laptop, "::ffff:192.0.2.201", "Potsdam", "low", nil, false, nil, false},
		}},
		{"another network is scored, and known from then on", []step{
			{laptop, inTheOffice, "Berlin", "low", []string{core.RiskNewNetwork, core.RiskNewCity}, true, nil, false},
			{laptop, atHome, "Potsdam", "low", []string{core.RiskNewNetwork, core.RiskNewCity}, true, nil, false},
			{laptop, inTheOffice, "Berlin", "low", []string{core.RiskNewNetwork, core.RiskNewCity}, true, nil, false},
		}},
		{"another program in the same place", []step{
			{chrome, atHome, "Potsdam", "low", []string{core.RiskBrowserChanged, core.RiskOSChanged}, true, nil, false},
			{chrome, atHome, "Potsdam", "low", []string{core.RiskBrowserChanged, core.RiskOSChanged}, false, nil, false},
		}},
		{"who says nothing of itself has not changed", []step{
			{gadget{"laptop", ""}, atHome, "Potsdam", "low", nil, false, nil, false},
			{gadget{"laptop", ""}, "", "Potsdam", "low", nil, false, nil, false},
		}},
		{"a program of which nothing is known is none that is another", []step{
			{gadget{"laptop", "\x00?"}, atHome, "Potsdam", "low", nil, false, nil, false},
		}},
		{"the user is told when it crosses the threshold and when it becomes high, once each, and it is never lowered", []step{
			{laptop, inTheHotel, "Palma", "medium", moved, true, []string{"risk_raised"}, true},
			{laptop, atHome, "Potsdam", "medium", moved, true, nil, false},
			{laptop, vpnZurich, "Zurich", "medium", moved, true, nil, false}, // 35 again
			{chrome, farAway, "São Paulo", "high", append([]string{core.RiskBrowserChanged, core.RiskOSChanged, core.RiskImpossibleTravel}, moved...), true, []string{"risk_raised"}, true},
			{laptop, atHome, "Potsdam", "high", append([]string{core.RiskBrowserChanged, core.RiskOSChanged, core.RiskImpossibleTravel}, moved...), true, nil, false},
		}},
		{"a network of which nothing is known", []step{
			{laptop, "2001:db8::1", "", "low", []string{core.RiskNewNetwork}, true, nil, false},
		}},
	} {
		for _, store := range []struct {
			kind string
			make func() core.Store
		}{
			{"plain", func() core.Store { return memstore.New() }},
			{"sealed", func() core.Store {
				sealer, err := sealed.New(sealed.Key{ID: "one", Secret: testSecret("sealed")})
				if err != nil {
					t.Fatal(err)
				}
				return sealer.Store(memstore.New())
			}},
		} {
			t.Run(c.rule+", "+store.kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					told := 0
					s, o := outside(t, store.make(), func(c *core.Config) {
						c.Risk.Deny = 1 // sign-ins alone are denied
						c.Notify = func(_ context.Context, n core.Notice) error {
							if n.Outcome == core.EventRiskRaised {
								told++
							}
							return nil
						}
					})
					p := s.comes("alice", laptop, atHome)
					was := p.Session
					for i, step := range c.steps {
						elapse(time.Minute)
						s.trail.take()
						o.asked[0].Store(0)
						p = s.goesOn(p, step.on, step.ip)
						got := s.expectRisk(step.ip, p, step.band, step.codes...)
						if want := cmp.Or(step.ip, was.IP); got.IP != want {
							t.Errorf("step %d: address %q, want %q", i, got.IP, want)
						}
						if got.Location.City != step.city {
							t.Errorf("step %d: in %q, want %q", i, got.Location.City, step.city)
						}
						if step.on == chrome && (got.Device.Browser != "Chrome" || got.Device.OS != "Windows" || got.UserAgent != chromeOnWindows) {
							t.Errorf("step %d: runs on %+v, %s", i, got.Device, got.UserAgent)
						}
						if step.on == laptop && (got.Device.Browser != "Firefox" || got.Device.OS != "macOS" || got.UserAgent != firefoxOnMac) {
							t.Errorf("step %d: runs on %+v, %s", i, got.Device, got.UserAgent)
						}
						if got.Device.ID != "laptop" || !got.Device.Signed || got.Device.Name != was.Device.Name || got.Device.ClientType != was.Device.ClientType {
							t.Errorf("step %d: another device: %+v", i, got.Device)
						}
						if d := gocmp.Diff(got, p.Session); d != "" {
							t.Errorf("step %d: the answer says another session (-listed +answered):\n%s", i, d)
						}
						if asked := o.asked[0].Load() > 0; asked != step.asked {
							t.Errorf("step %d: asked for a place: %v", i, asked)
						}
						s.trail.expect(t, step.ip, append([]string{"refreshed"}, step.says...)...)
						if synctest.Wait(); told > 0 != step.told || told > 1 {
							t.Errorf("step %d: told %d times", i, told)
						}
						was, told = got, 0
					}
				})
			})
		}
	}
}

// No refresh is refused for its risk, nor for what fails while it is looked at.
func TestRefreshWhileOutsidersAreBroken(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				let := make(chan struct{})
				defer elapse(2 * time.Minute)
				defer close(let)
				s, o := outside(t, memstore.New())
				p := s.comes("alice", gadget{"laptop", firefoxOnMac}, atHome)
				elapse(time.Minute)
				s.trail.take()
				o.resolves(func(ctx context.Context, _ netip.Addr) (core.Place, error) { return core.Place{}, fault(ctx, let) })
				o.scores(func(ctx context.Context, _ core.Evidence) (core.Risk, error) {
					return core.Risk{Score: 100}, fault(ctx, let)
				})
				start := time.Now()
				p = s.goesOn(p, gadget{"laptop", chromeOnWindows}, farAway)
				if took := time.Since(start); took > 250*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				got := s.expectRisk("far away", p, "medium", core.RiskNewNetwork, core.RiskBrowserChanged, core.RiskOSChanged)
				if got.IP != farAway || got.Location != (core.Location{}) {
					t.Errorf("at %s in %v", got.IP, got.Location)
				}
				s.trail.expect(t, "far away", "refreshed", "risk_raised", "failed")
			})
		})
	}
}

// A Scorer's own score counts, and a session that has one is not scored again where it
// is.
func TestRefreshByAScorer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := outside(t, memstore.New())
		laptop := gadget{"laptop", firefoxOnMac}
		p := s.comes("alice", laptop, atHome)
		o.scores(func(_ context.Context, e core.Evidence) (core.Risk, error) {
			if e.IP != vpnZurich || e.Place.City != "Zurich" || e.Device.ID != "laptop" || e.Past[0].IP != atHome || e.Failures != 0 {
				t.Errorf("evidence %+v", e)
			}
			return core.Risk{Score: 66, Reasons: []core.RiskReason{{Code: "own_list", Points: 66, Detail: "an address of a list"}}}, nil
		})
		elapse(time.Minute)
		p = s.goesOn(p, laptop, vpnZurich)
		s.expectRisk("by VPN", p, "medium", "own_list")
		elapse(time.Minute)
		p = s.goesOn(p, laptop, vpnZurich)
		if s.expectRisk("by VPN still", p, "medium", "own_list"); o.asked[1].Load() != 2 {
			t.Errorf("asked %d times, want 2", o.asked[1].Load())
		}
	})
}

// A token that is spent, or comes again at once, tells nothing of where the session is.
func TestReplayFromElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := outside(t, memstore.New())
		laptop := gadget{"laptop", firefoxOnMac}
		first := s.comes("alice", laptop, atHome)
		elapse(time.Minute)
		second := s.goesOn(first, laptop, atHome)
		elapse(time.Second)
		for i, p := range []core.Pair{second, first} {
			got := s.goesOn(p, laptop, vpnZurich)
			codes := [][]string{nil, {core.RiskRefreshReplayed}}[i]
			if list := s.expectRisk("again", got, "low", codes...); list.IP != atHome || list.Location.City != "Potsdam" {
				t.Errorf("%d: at %s in %v", i, list.IP, list.Location)
			}
		}
		if n := o.asked[1].Load(); n > 2 {
			t.Errorf("scored %d times", n)
		}
	})
}

// Served from memory a session goes on from elsewhere just so, and what was learnt of
// where its user is stays when it is joined.
func TestRefreshFromElsewhereInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFragile()
		link := store.link()
		var told []core.EventName
		s, o := outside(t, link, memoryServed, func(c *core.Config) {
			c.Notify = func(_ context.Context, n core.Notice) error { told = append(told, n.Outcome); return nil }
		})
		there := open(t, store.link(), func(c *core.Config) { c.Resolver = globe })
		settle(s.house)
		laptop := gadget{"laptop", firefoxOnMac}
		p := s.comes("alice", laptop, atHome)
		elapse(time.Minute)
		link.away(errBroken)
		elapse(5 * time.Second)
		s.expectMode(core.ModeMemory)
		p = s.goesOn(p, laptop, inTheHotel)
		if got := p.Session; got.IP != inTheHotel || got.Location.City != "Palma" || got.Risk.Score != 35 {
			t.Errorf("at %s in %v, score %d", got.IP, got.Location, got.Risk.Score)
		}
		elapse(time.Minute)
		o.resolves(func(context.Context, netip.Addr) (core.Place, error) { return core.Place{}, errBroken })
		o.scores(func(context.Context, core.Evidence) (core.Risk, error) { panic("broken by the test") })
		q := s.comes("alice", gadget{"phone", safariOnIPhone}, inTheHotel)
		if got := q.Session; got.Location.City != "Palma" || got.Risk.Score != 25 {
			t.Errorf("in %v, score %d", got.Location, got.Risk.Score)
		}
		elapse(time.Minute)
		if want := []core.EventName{core.EventRiskRaised}; !slices.Equal(told, want) {
			t.Errorf("told of %q, want %q", told, want)
		}
		link.away(nil)
		elapse(5 * time.Second)
		s.expectMode(core.ModeNormal)
		if got := s.expectRisk("joined", p, "medium", core.RiskNewNetwork, core.RiskNewCountry); got.IP != inTheHotel || got.Location.City != "Palma" {
			t.Errorf("joined: at %s in %v", got.IP, got.Location)
		}
		for _, g := range []gadget{laptop, {"phone", safariOnIPhone}} {
			r := core.SignInRequest{Identity: core.Identity{UserID: "alice"}, Client: g.at(inTheHotel)}
			if got, err := there.SignIn(t.Context(), r); err != nil || got.Session.Risk.Score != 0 {
				t.Errorf("elsewhere, on the %s: %+v (%v)", g.id, got.Session.Risk, err)
			}
		}
	})
}
