package core_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// outsiders are a Resolver and a Scorer that a test can change, and how often they were
// asked.
type outsiders struct {
	resolve atomic.Pointer[func(ctx context.Context, addr netip.Addr) (core.Place, error)]
	score   atomic.Pointer[func(ctx context.Context, e core.Evidence) (core.Risk, error)]
	asked   [2]atomic.Int64 // the Resolver, the Scorer
}

func (o *outsiders) Resolve(ctx context.Context, addr netip.Addr) (core.Place, error) {
	o.asked[0].Add(1)
	return (*o.resolve.Load())(ctx, addr)
}

func (o *outsiders) Score(ctx context.Context, e core.Evidence) (core.Risk, error) {
	o.asked[1].Add(1)
	return (*o.score.Load())(ctx, e)
}

func (o *outsiders) resolves(f func(ctx context.Context, addr netip.Addr) (core.Place, error)) {
	o.resolve.Store(&f)
}

func (o *outsiders) scores(f func(ctx context.Context, e core.Evidence) (core.Risk, error)) {
	o.score.Store(&f)
}

// sound has both answer as they should.
func (o *outsiders) sound() {
	o.resolves(globe.Resolve)
	o.scores(func(_ context.Context, e core.Evidence) (core.Risk, error) { return core.Score(e), nil })
}

// outside returns an Auth with both.
func outside(t *testing.T, store core.Store, changes ...func(*core.Config)) (*story, *outsiders) {
	o := new(outsiders)
	o.sound()
	s := &story{last: make(map[gadget]string)}
	s.house = open(t, store, append([]func(*core.Config){func(c *core.Config) {
		c.Resolver, c.Scorer = o, o
	}}, changes...)...)
	return s, o
}

// faults are ways not to answer.
var faults = map[string]func(ctx context.Context, let <-chan struct{}) error{
	"fails":                func(context.Context, <-chan struct{}) error { return errBroken },
	"waits for its end":    func(ctx context.Context, _ <-chan struct{}) error { <-ctx.Done(); return ctx.Err() },
	"waits for ever":       func(_ context.Context, let <-chan struct{}) error { <-let; return nil },
	"waits a while longer": func(context.Context, <-chan struct{}) error { <-time.After(time.Minute); return nil },
	"panics":               func(context.Context, <-chan struct{}) error { panic("broken by the test") },
	"panics with an error": func(context.Context, <-chan struct{}) error { panic(errBroken) },
	"panics with nil":      func(context.Context, <-chan struct{}) error { panic(any(nil)) },
	"divides by zero":      func(context.Context, <-chan struct{}) error { var n []int; return fmt.Errorf("%d", 1/len(n)) },
	"ends its goroutine":   func(context.Context, <-chan struct{}) error { runtime.Goexit(); return nil },
}

// P36: whatever becomes of Resolver and Scorer, what is as ever gets in, what is not is
// denied by the built-in score, nobody waits for longer than is said, and it is audited
// once.
func TestOutsiderThatDoesNotAnswer(t *testing.T) {
	scores := map[string]int{"scores far too much": 1e9, "scores 101": 101, "scores less than nothing": -1, "scores the least": math.MinInt}
	type broken struct {
		name string
		has  func(o *outsiders, let <-chan struct{})
	}
	var all []broken
	for name, fault := range faults {
		all = append(all, broken{"a Resolver that " + name, func(o *outsiders, let <-chan struct{}) {
			o.resolves(func(ctx context.Context, _ netip.Addr) (core.Place, error) {
				return globe["192.0.2.0/24"], fault(ctx, let)
			})
		}}, broken{"a Scorer that " + name, func(o *outsiders, let <-chan struct{}) {
			o.scores(func(ctx context.Context, _ core.Evidence) (core.Risk, error) { return core.Risk{}, fault(ctx, let) })
		}}, broken{"both, one that " + name, func(o *outsiders, let <-chan struct{}) {
			o.resolves(func(ctx context.Context, _ netip.Addr) (core.Place, error) { return core.Place{}, fault(ctx, let) })
			o.scores(func(ctx context.Context, _ core.Evidence) (core.Risk, error) { return core.Risk{}, fault(ctx, let) })
		}})
	}
	for name, score := range scores {
		all = append(all, broken{"a Scorer that " + name, func(o *outsiders, _ <-chan struct{}) {
			o.scores(func(context.Context, core.Evidence) (core.Risk, error) { return core.Risk{Score: score}, nil })
		}})
	}
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const most = 100 * time.Millisecond
				let := make(chan struct{})
				defer elapse(2 * time.Minute) // nobody goes on for ever
				defer close(let)
				s, o := outside(t, memstore.New(), func(c *core.Config) {
					c.Risk.Deny, c.Risk.StepUp, c.Risk.Timeout = 65, 35, most
				})
				laptop := gadget{"laptop", firefoxOnMac}
				s.comes("alice", laptop, atHome)
				s.trail.take()
				c.has(o, let)
				within := func(what string, do func()) {
					t.Helper()
					start := time.Now()
					do()
					if took := time.Since(start); took > most {
						t.Errorf("%s took %v", what, took)
					}
				}
				within("what is as ever", func() { s.expectRisk("as ever", s.comes("alice", laptop, atHome), "low") })
				s.trail.expect(t, "as ever", "failed", "session_ended: replaced", "signed_in")
				within("what is unusual", func() {
					if _, err := s.tries("alice", gadget{"other", chromeOnLinux}, inTheOffice); !errors.Is(err, core.ErrStepUpRequired) {
						t.Errorf("unusual: %v", err)
					}
				})
				s.trail.expect(t, "unusual", "failed", "step_up_required")
				within("what is very unusual", func() {
					_, err := s.tries("alice", gadget{"other", chromeOnLinux}, inTheOffice, func(r *core.SignInRequest) { r.Failures = 6 })
					if !errors.Is(err, core.ErrRiskDenied) {
						t.Errorf("very unusual: %v", err)
					}
				})
				s.trail.expect(t, "very unusual", "failed", "risk_denied")
			})
		})
	}
}

// What an outsider may say that can't be kept: it is cut to what can.
func TestOutsiderThatAnswersGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := outside(t, memstore.New())
		o.resolves(func(context.Context, netip.Addr) (core.Place, error) {
			return core.Place{
				Location: core.Location{Country: "\x00", City: "\xff\u202e\n" + strings.Repeat("ü", 1<<20)},
				Latitude: math.NaN(), Longitude: math.Inf(1), Radius: math.NaN(), Located: true,
			}, nil
		})
		var (
			mu   sync.Mutex
			seen []core.Place
		)
		o.scores(func(_ context.Context, e core.Evidence) (core.Risk, error) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, e.Place)
			r := core.Risk{Score: 100, Reasons: []core.RiskReason{
				{Code: "", Points: 1, Detail: "nameless"},
				{Code: "UPPER\n", Points: 1},
				{Code: strings.Repeat("x", 33), Points: 1},
				{Code: strings.Repeat("x", 32), Points: -5, Detail: "\xff\x00\x1b[31m" + strings.Repeat("ü", 1<<20)},
				{Code: "much", Points: 1 << 40, Detail: "so much"},
			}}
			for i := range 10_000 {
				r.Reasons = append(r.Reasons, core.RiskReason{Code: fmt.Sprint("r", i), Points: 1})
			}
			return r, nil
		})
		p := s.comes("alice", gadget{"laptop", firefoxOnMac}, atHome)
		s.trail.expect(t, "garbage is an answer", "signed_in")
		list, err := s.Sessions(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		got := list[0]
		if c := got.Location.City; got.Location.Country != "" || len(c) < 50 || len(c) > 64 || strings.Trim(c, "ü") != "" {
			t.Errorf("location %q", got.Location)
		}
		if seen[0].Located || seen[0].Location != got.Location {
			t.Errorf("the Scorer was told %+v", seen[0])
		}
		if n := len(got.Risk.Reasons); got.Risk.Score != 100 || n != 13 {
			t.Errorf("score %d by %d reasons, want 100 by 13", got.Risk.Score, n)
		}
		if r := got.Risk.Reasons[0]; r.Code != strings.Repeat("x", 32) || r.Points != 0 || len(r.Detail) > 200 || len(r.Detail) < 150 ||
			!utf8.ValidString(r.Detail) || !strings.HasPrefix(r.Detail, "[31mü") {
			t.Errorf("reason %+v", r)
		}
		if r := got.Risk.Reasons[1]; r != (core.RiskReason{Code: "much", Points: 100, Detail: "so much"}) {
			t.Errorf("reason %+v", r)
		}
		if d := cmp.Diff(got.Risk, p.Session.Risk); d != "" {
			t.Errorf("the answer says another (-listed +answered):\n%s", d)
		}
	})
}

// At most 64 calls hang. The next is not made and nobody waits; the others outside go on
// to be asked, and so does it when there is room again.
func TestTooManyCallsOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := outside(t, memstore.New(), func(c *core.Config) { c.Risk.Timeout = time.Second })
		let := make(chan struct{})
		o.resolves(func(context.Context, netip.Addr) (core.Place, error) { <-let; return core.Place{}, nil })
		var all sync.WaitGroup
		begin := func(n int) {
			for i := range n {
				all.Go(func() { s.comes(fmt.Sprint("user", n, i), gadget{"", firefoxOnMac}, atHome) })
			}
		}
		begin(64)
		synctest.Wait()
		start := time.Now()
		s.comes("the 65th", gadget{"", firefoxOnMac}, atHome)
		if took := time.Since(start); took != 0 {
			t.Errorf("the 65th took %v", took)
		}
		if n, scored := o.asked[0].Load(), o.asked[1].Load(); n != 64 || scored != 1 {
			t.Errorf("%d calls of the Resolver, %d of the Scorer, want 64 and 1", n, scored)
		}
		all.Wait()
		begin(70) // those before are still under way
		all.Wait()
		if n := o.asked[0].Load(); n != 64 {
			t.Errorf("%d calls of the Resolver, want 64", n)
		}
		s.trail.take()
		close(let)
		synctest.Wait()
		o.sound()
		got := s.comes("later", gadget{"", firefoxOnMac}, atHome)
		if got.Session.Location.City != "Potsdam" {
			t.Errorf("in %v", got.Session.Location)
		}
		s.trail.expect(t, "later", "signed_in")
	})
}

// What the store takes is not taken from Resolver and Scorer.
func TestSlowStoreLeavesTimeToAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		s, o := outside(t, store)
		store.set(func(call string, do func() error) error {
			if call != "tail" {
				<-time.After(time.Second)
			}
			return do()
		})
		o.scores(func(_ context.Context, e core.Evidence) (core.Risk, error) {
			<-time.After(100 * time.Millisecond)
			return core.Risk{Score: 42}, nil
		})
		p := s.comes("alice", gadget{"", firefoxOnMac}, atHome)
		if got := p.Session; got.Risk.Score != 42 || got.Location.City != "Potsdam" {
			t.Errorf("score %d in %v", got.Risk.Score, got.Location)
		}
		s.trail.expect(t, "a slow store", "signed_in")
	})
}

// While the ledger moves on, again and again, the outsiders are asked a few times: those
// that fail, or hang, once.
func TestConflictsAskSeldom(t *testing.T) {
	const conflicts = 30
	ok := func(context.Context, <-chan struct{}) error { return nil }
	for _, c := range []struct {
		name          string
		places, score func(context.Context, <-chan struct{}) error
		most          [2]int64
		points        int
		failed        int
	}{
		{"both answer", ok, ok, [2]int64{2, 8}, 33, 0}, // of two addresses
		{"both fail", faults["fails"], faults["fails"], [2]int64{2, 1}, 35, 1},
		{"the Scorer panics", ok, faults["panics"], [2]int64{2, 1}, 35, 1},
		{"the Scorer hangs", ok, faults["waits for ever"], [2]int64{2, 1}, 35, 1},
		{"the Resolver hangs", faults["waits for ever"], ok, [2]int64{1, 0}, 35, 1}, // until there is no time left
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				let := make(chan struct{})
				defer close(let)
				store := newTap()
				s, o := outside(t, store)
				there := open(t, store.Store)
				other := func() {
					r := core.SignInRequest{Identity: core.Identity{UserID: "alice"}, Client: gadget{"old", chromeOnWindows}.at(inTheOffice)}
					if _, err := there.SignIn(t.Context(), r); err != nil {
						t.Error(err)
					}
				}
				other()
				o.resolves(func(ctx context.Context, _ netip.Addr) (core.Place, error) { return core.Place{}, c.places(ctx, let) })
				o.scores(func(ctx context.Context, e core.Evidence) (core.Risk, error) {
					return core.Risk{Score: 33}, c.score(ctx, let)
				})
				n := 0
				store.set(func(call string, do func() error) error {
					if call == "commit" && n < conflicts {
						n++
						<-time.After(time.Millisecond)
						other()
					}
					return do()
				})
				p := s.comes("alice", gadget{"new", firefoxOnMac}, atHome)
				if got := p.Session.Risk.Score; got != c.points {
					t.Errorf("score %d, want %d", got, c.points)
				}
				if got := [2]int64{o.asked[0].Load(), o.asked[1].Load()}; n != conflicts || got[0] > c.most[0] || got[1] > c.most[1] {
					t.Errorf("asked %v times in %d conflicts, want at most %v", got, n, c.most)
				}
				failed := 0
				for _, line := range s.trail.take() {
					if line == "failed" {
						failed++
					}
				}
				if failed != c.failed {
					t.Errorf("%d times audited as failed, want %d", failed, c.failed)
				}
			})
		})
	}
}

// A store that fails has nobody asked again and again.
func TestStoreFaultsAskSeldom(t *testing.T) {
	for _, lost := range []bool{false, true} { // the commit, or its reply
		synctest.Test(t, func(t *testing.T) {
			store := newTap()
			s, o := outside(t, store)
			store.set(func(call string, do func() error) error {
				if call == "commit" {
					if lost {
						return errors.Join(do(), errBroken)
					}
					return errBroken
				}
				return do()
			})
			_, err := s.tries("alice", gadget{"", firefoxOnMac}, atHome)
			if n := o.asked[1].Load(); n != 1 {
				t.Errorf("asked %d times of one ledger (%v)", n, err)
			}
		})
	}
}

// What a Scorer does to its evidence is its own affair, even after its time.
func TestScorerThatWritesToItsEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := outside(t, memstore.New())
		laptop := gadget{"laptop", firefoxOnMac}
		s.comes("alice", laptop, atHome)
		elapse(time.Minute)
		var began sync.WaitGroup
		spoil := func(e core.Evidence) {
			clear(e.Past[:cap(e.Past)])
			clear(e.Networks[:cap(e.Networks)])
			clear(e.SignIns[:cap(e.SignIns)])
		}
		let := make(chan struct{})
		o.scores(func(ctx context.Context, e core.Evidence) (core.Risk, error) {
			if n := len(e.Past); n < 2 || len(e.Networks) != 1 || e.Networks[0].Prefix != "192.0.2.0/24" || e.SignIns[0].IsZero() || e.Past[n-1].IP != atHome {
				t.Errorf("evidence %+v", e)
			}
			spoil(e)
			<-ctx.Done() // it is scored without us now
			spoil(e)
			<-let
			return core.Risk{}, nil
		})
		for range 8 {
			began.Go(func() {
				p, err := s.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}, Client: laptop.at(atHome)})
				if err != nil || p.Session.Risk.Score != 0 {
					t.Errorf("score %d (%v)", p.Session.Risk.Score, err)
				}
			})
		}
		began.Wait()
		close(let)
		synctest.Wait()
		o.sound()
		s.expectRisk("as ever", s.comes("alice", laptop, atHome), "low")
	})
}

// What a Scorer is told.
func TestEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := outside(t, memstore.New())
		laptop, phone := gadget{"laptop", firefoxOnMac}, gadget{"phone", safariOnIPhone}
		begun := time.Now().UTC()
		s.comes("alice", laptop, atHome)
		elapse(time.Hour)
		s.comes("alice", phone, onTheTrain)
		elapse(time.Hour)
		var got core.Evidence
		o.scores(func(_ context.Context, e core.Evidence) (core.Risk, error) { got = e; return core.Risk{}, nil })
		o.asked[0].Store(0)
		s.comes("alice", laptop, "::ffff:203.0.113.9", func(r *core.SignInRequest) { r.Failures = 2 })
		of := func(g gadget, name, kind, browser, os string) core.Device {
			return core.Device{ID: g.id, Signed: true, Name: name, Type: kind, ClientType: "web", Browser: browser, OS: os}
		}
		mac := of(laptop, "Firefox on macOS", "desktop", "Firefox", "macOS")
		iphone := of(phone, "Safari on iPhone", "phone", "Safari", "iOS")
		home, train := globe["192.0.2.0/24"], globe["198.18.1.0/24"]
		onTrain := core.Sighting{Device: iphone, FirstSeenAt: begun.Add(time.Hour), LastSeenAt: begun.Add(time.Hour), IP: onTheTrain, Place: train}
		wasHome := core.Sighting{Device: mac, FirstSeenAt: begun, LastSeenAt: begun, IP: atHome, Place: home}
		want := core.Evidence{
			Now: begun.Add(2 * time.Hour), Device: mac, IP: "::ffff:203.0.113.9", Place: globe["203.0.113.0/24"], Failures: 2,
			Past: []core.Sighting{onTrain, onTrain, wasHome, wasHome}, // their sessions, and as devices
			Networks: []core.KnownNetwork{
				{Prefix: "198.18.1.0/24", ASN: train.ASN, Location: train.Location, LastSeenAt: begun.Add(time.Hour)},
				{Prefix: "192.0.2.0/24", ASN: home.ASN, Location: home.Location, LastSeenAt: begun},
			},
			SignIns: []time.Time{begun.Add(time.Hour), begun},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("evidence (-want +got):\n%s", d)
		}
		if n := o.asked[0].Load(); n != 3 {
			t.Errorf("%d addresses were resolved, want 3, each once", n)
		}
		// Of many places the eight that were seen last.
		for i := range 20 {
			s.comes("alice", gadget{fmt.Sprint("d", i), firefoxOnMac}, fmt.Sprintf("198.18.1.%d", i+100))
			elapse(time.Minute)
		}
		o.asked[0].Store(0)
		s.comes("alice", laptop, atHome)
		if n := o.asked[0].Load(); n != 9 {
			t.Errorf("%d addresses were resolved, want 9", n)
		}
		for i, sighting := range got.Past {
			if located := slices.Contains([]string{"198.18.1.119", "198.18.1.112"}, sighting.IP); located && !sighting.Place.Located ||
				sighting.IP == "198.18.1.111" && sighting.Place.Located || sighting.Place.City == "" {
				t.Errorf("sighting %d: %+v", i, sighting)
			}
		}
	})
}

// A Resolver that is away takes nothing away from what is known: neither of which AS a
// network is, nor where.
func TestResolverThatIsAwayForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := outside(t, memstore.New())
		phone := gadget{"phone", chromeOnAndroid}
		s.comes("alice", phone, "198.18.1.1")
		elapse(time.Minute)
		o.resolves(func(context.Context, netip.Addr) (core.Place, error) { return core.Place{}, errBroken })
		p := s.comes("alice", phone, "198.18.1.2")
		if got := s.expectRisk("while it is away", p, "low"); got.Location.City != "Berlin" {
			t.Errorf("in %v", got.Location)
		}
		elapse(time.Minute)
		p = s.goesOn(p, gadget{"phone", safariOnIPhone}, "198.18.1.3")
		if got := s.expectRisk("and goes on", p, "low", core.RiskBrowserChanged, core.RiskOSChanged); got.Location.City != "Berlin" {
			t.Errorf("in %v", got.Location)
		}
		elapse(time.Minute)
		o.resolves(func(_ context.Context, addr netip.Addr) (core.Place, error) { // without the AS
			place, err := globe.Resolve(t.Context(), addr)
			place.ASN = 0
			return place, err
		})
		s.comes("alice", gadget{"phone", safariOnIPhone}, "198.18.1.4")
		o.sound()
		elapse(time.Minute)
		s.expectRisk("when it is back", s.comes("alice", gadget{"phone", safariOnIPhone}, "198.18.2.1"), "low", core.RiskNewCity)
	})
}
