package core_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	mathrand "math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// Every schedule of two clients, each with a process of its own, on one store:
// whichever of them goes next at each store operation, with at most one fault
// and at most one pause anywhere. The real Auth runs over the real memstore.
//
// A client is a coroutine that stops before every store operation and before
// every reply it takes in. A schedule is the list of choices made there; the
// explorer goes through all of them, depth first.

// choices walks through every sequence of choices. With a source it makes
// random ones instead.
type choices struct {
	path, limit []int
	at          int
	source      *mathrand.Rand
}

func (c *choices) choose(n int) int {
	if c.source != nil {
		return c.source.IntN(n)
	}
	if c.at == len(c.path) {
		c.path, c.limit = append(c.path, 0), append(c.limit, n)
	}
	c.at++
	return c.path[c.at-1]
}

// next moves on to the next sequence and reports whether there is one.
func (c *choices) next() bool {
	c.at = 0
	for len(c.path) > 0 {
		last := len(c.path) - 1
		if c.path[last]++; c.path[last] < c.limit[last] {
			return true
		}
		c.path, c.limit = c.path[:last], c.limit[:last]
	}
	return false
}

// fault is what goes wrong at a store operation.
type fault int

const (
	noFault     fault = iota
	lostReply         // done, but an error comes back
	failed            // not done, and an error comes back
	conflict          // not done: somebody is said to have been faster
	crashBefore       // not done, and the process is gone
	crashAfter        // done, and the process is gone
)

var (
	errFault = errors.New("a fault of the test's")
	faultsOf = map[string][]fault{
		"start":  nil,
		"reply":  nil,
		"load":   {failed, crashBefore},
		"commit": {lostReply, failed, conflict, crashBefore, crashAfter},
	}
)

type crashed struct{}

// client is one of the two.
type client struct {
	world *world
	auth  *core.Auth
	yield func(string) bool
	fault fault
}

type clientKey struct{}

func (c *client) context() context.Context {
	return context.WithValue(context.Background(), clientKey{}, c)
}

// pause stops before a point of the schedule and returns what goes wrong there.
func (c *client) pause(point string) fault {
	if !c.yield(point) {
		panic(crashed{})
	}
	f := c.fault
	c.fault = noFault
	return f
}

// gate is a store before whose operations clients stop.
type gate struct {
	core.Store
	blind bool // commits go through whatever stands: a broken store
}

func (g *gate) Load(ctx context.Context, user string) (core.Ledger, error) {
	if c, ok := ctx.Value(clientKey{}).(*client); ok {
		switch c.pause("load") {
		case failed:
			return core.Ledger{}, errFault
		case crashBefore:
			panic(crashed{})
		}
	}
	return g.Store.Load(ctx, user)
}

func (g *gate) Commit(ctx context.Context, user string, change core.Change) (core.Ledger, error) {
	f := noFault
	if c, ok := ctx.Value(clientKey{}).(*client); ok {
		f = c.pause("commit")
	}
	switch f {
	case failed:
		return core.Ledger{}, errFault
	case crashBefore:
		panic(crashed{})
	case conflict:
		l, err := g.Store.Load(ctx, user)
		return l, errors.Join(err, core.ErrConflict)
	}
	if g.blind {
		if l, err := g.Store.Load(ctx, user); err == nil {
			change.If = l.Version
		}
	}
	l, err := g.Store.Commit(ctx, user, change)
	switch f {
	case lostReply:
		return core.Ledger{}, errFault
	case crashAfter:
		panic(crashed{})
	}
	return l, err
}

const (
	exploreGrace = 10 * time.Second
	pauseLength  = 4 * time.Second // less than half of the grace
)

// world is what the clients share, and what is known of what they did.
type world struct {
	gate  *gate
	auths [2]*core.Auth
	clock time.Time
	runs  int

	user    string
	jar     core.Pair // what the browser holds
	session core.ID
	first   core.Pair

	ended      bool // somebody was told that the session has ended
	ending     bool // somebody tried to end it
	successors map[uint64]uint64
	texts      map[uint64]string
	problems   []string
}

func (w *world) problem(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

func newWorld(t testing.TB, cap int, change func(*core.Config)) *world {
	w := &world{gate: &gate{}, clock: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		t.Fatal(err)
	}
	var seed [32]byte
	config := core.Config{
		Store:       w.gate,
		Keys:        []core.Key{{Secret: secret}},
		Grace:       exploreGrace,
		MaxSessions: cap,
		Audit:       func(context.Context, core.Event) {},
		Random:      mathrand.NewChaCha8(seed), // two processes draw from one source, so ids never meet
	}
	if change != nil {
		change(&config)
	}
	for i := range w.auths {
		auth, err := core.NewStill(config, func() time.Time { return w.clock })
		if err != nil {
			t.Fatal(err)
		}
		w.auths[i] = auth
	}
	return w
}

// begin readies the world for one schedule: a user who has signed in.
func (w *world) begin() {
	if w.runs%1000 == 0 {
		w.gate.Store = memstore.New()
	}
	w.runs++
	w.user = fmt.Sprintf("user-%d", w.runs)
	w.ended, w.ending, w.problems = false, false, nil
	w.successors, w.texts = map[uint64]uint64{}, map[uint64]string{}
	for _, auth := range w.auths {
		auth.DropUses()
	}
	pair, err := w.auths[0].SignIn(context.Background(), core.SignInRequest{Identity: core.Identity{UserID: w.user}})
	if err != nil {
		w.problem("sign-in: %v", err)
	}
	w.jar, w.first, w.session = pair, pair, pair.Session.ID
	w.clock = w.clock.Add(time.Minute)
}

// answered notes what a refresh answered a token with.
func (w *world) answered(presented uint64, p core.Pair) {
	gen := p.Session.Gen
	if gen != presented {
		if other, ok := w.successors[presented]; ok && other != gen {
			w.problem("generation %d has two successors, %d and %d", presented, other, gen)
		}
		w.successors[presented] = gen
	}
	if text, ok := w.texts[gen]; ok && text != p.RefreshToken {
		w.problem("generation %d has two texts", gen)
	}
	w.texts[gen] = p.RefreshToken
}

// refresh presents the jar's token, as a tab would, and takes the reply in.
func (c *client) refresh() (core.Pair, error) {
	c.pause("start")
	return c.present(c.world.jar, true)
}

func (c *client) present(held core.Pair, keep bool) (core.Pair, error) {
	w := c.world
	over := w.ended
	pair, err := c.auth.Refresh(c.context(), core.RefreshRequest{Token: held.RefreshToken, DeviceID: w.first.Session.Device.ID})
	switch {
	case err == nil:
		if over {
			w.problem("refreshed after the session had ended")
		}
		w.answered(held.Session.Gen, pair)
	case errors.Is(err, core.ErrStoreUnavailable):
	case errors.Is(err, core.ErrSessionEnded) && w.ending:
	default:
		w.problem("honest refresh of generation %d: %v", held.Session.Gen, err)
	}
	c.pause("reply")
	if err == nil && keep && !pair.Same {
		w.jar = pair
	}
	return pair, err
}

// verify uses an access token. Clients here take turns, so none may wait for a
// load of another's.
func (c *client) verify(p core.Pair) {
	w := c.world
	over := w.ended
	_, err := c.auth.VerifyAlone(c.context(), p.AccessToken)
	switch {
	case err == nil:
		if over {
			w.problem("a token passed after the session had ended")
		}
	case errors.Is(err, core.ErrStoreUnavailable):
	case errors.Is(err, core.ErrTokenRevoked) && w.ending:
	default:
		w.problem("an honest token was refused: %v", err)
	}
}

// tab refreshes, uses what it got, and has its signs of life written.
func (c *client) tab() {
	if pair, err := c.refresh(); err == nil {
		c.verify(pair)
	}
	c.auth.FlushUses(c.context())
}

// ends runs a call that ends the session; nil from it is a promise.
func (c *client) ends(call func(ctx context.Context) error) {
	c.pause("start")
	c.world.ending = true
	if err := call(c.context()); err == nil {
		c.world.ended = true
	}
}

// scenario is what the two clients do, and what must be so afterwards.
type scenario struct {
	name   string
	cap    int
	pause  bool // time may pass once
	script [2]func(*client)
	after  func(*world)
}

// honest is what must be so of a user nobody signed out: the session lives, and
// the browser can refresh, at once or long after.
func honest(w *world) {
	if w.ending {
		return
	}
	w.clock = w.clock.Add(2 * exploreGrace)
	pair, err := w.auths[0].Refresh(context.Background(), core.RefreshRequest{Token: w.jar.RefreshToken})
	if err != nil {
		w.problem("afterwards the browser, which holds generation %d, is refused: %v", w.jar.Session.Gen, err)
		return
	}
	w.answered(w.jar.Session.Gen, pair)
	if _, err := w.auths[1].VerifyAlone(context.Background(), pair.AccessToken); err != nil {
		w.problem("afterwards its token is refused: %v", err)
	}
}

// noRevival is what must be so once somebody was told that the session ended.
func noRevival(w *world) {
	sessions, err := w.auths[0].Sessions(context.Background(), w.user)
	if err != nil {
		w.problem("sessions: %v", err)
	}
	alive := false
	for _, s := range sessions {
		alive = alive || s.ID == w.session
	}
	if alive && w.ended {
		w.problem("the session lives after its end was acknowledged")
	}
	if alive {
		return
	}
	for _, held := range []core.Pair{w.first, w.jar} {
		if held.Session.ID != w.session {
			continue
		}
		if _, err := w.auths[1].Refresh(context.Background(), core.RefreshRequest{Token: held.RefreshToken}); !errors.Is(err, core.ErrSessionEnded) {
			w.problem("a refresh token of an ended session: %v", err)
		}
		if _, err := w.auths[1].VerifyAlone(context.Background(), held.AccessToken); !errors.Is(err, core.ErrTokenRevoked) {
			w.problem("an access token of an ended session: %v", err)
		}
	}
}

// capped is what must be so when one session is allowed.
func capped(w *world) {
	if n, err := w.auths[0].Count(context.Background(), w.user); err != nil || n > 1 {
		w.problem("%d sessions (%v), 1 allowed", n, err)
	}
	noRevival(w)
}

func (c *client) signIn() {
	c.ends(func(ctx context.Context) error {
		_, err := c.auth.SignIn(ctx, core.SignInRequest{Identity: core.Identity{UserID: c.world.user}})
		return err
	})
}

func (c *client) revokeAll() {
	c.ends(func(ctx context.Context) error {
		_, err := c.auth.RevokeAll(ctx, c.world.user, core.ReasonRevokedByAdmin)
		return err
	})
}

var scenarios = []scenario{
	{
		name: "two tabs", cap: 5, pause: true,
		script: [2]func(*client){(*client).tab, (*client).tab},
		after:  honest,
	},
	{
		name: "a tab that refreshes twice, and one", cap: 5,
		script: [2]func(*client){
			func(c *client) {
				_, _ = c.refresh()
				_, _ = c.refresh()
			},
			(*client).tab,
		},
		after: honest,
	},
	{
		name: "a tab and activity", cap: 5, pause: true,
		script: [2]func(*client){
			(*client).tab,
			func(c *client) {
				c.pause("start")
				c.verify(c.world.first)
				c.auth.FlushUses(c.context())
			},
		},
		after: honest,
	},
	{
		name: "a tab and the end of all sessions", cap: 5, pause: true,
		script: [2]func(*client){(*client).tab, (*client).revokeAll},
		after:  noRevival,
	},
	{
		name: "a tab and its sign-out", cap: 5,
		script: [2]func(*client){(*client).tab, func(c *client) {
			c.ends(func(ctx context.Context) error {
				_, err := c.auth.SignOut(ctx, c.world.first.AccessToken)
				return err
			})
		}},
		after: noRevival,
	},
	{
		name: "a tab and a sign-in that evicts it", cap: 1,
		script: [2]func(*client){(*client).tab, (*client).signIn},
		after:  capped,
	},
	{
		name: "two sign-ins where one session is allowed", cap: 1,
		script: [2]func(*client){(*client).signIn, (*client).signIn},
		after:  capped,
	},
	{
		name: "activity and the end of all sessions", cap: 5,
		script: [2]func(*client){
			func(c *client) {
				c.pause("start")
				c.verify(c.world.first)
				c.auth.FlushUses(c.context())
			},
			(*client).revokeAll,
		},
		after: noRevival,
	},
	{
		name: "a sign-in and the end of all sessions", cap: 5,
		script: [2]func(*client){
			func(c *client) {
				c.pause("start")
				_, _ = c.auth.SignIn(c.context(), core.SignInRequest{Identity: core.Identity{UserID: c.world.user}})
			},
			(*client).revokeAll,
		},
		after: noRevival,
	},
}

// run runs one schedule.
func (s *scenario) run(w *world, pick *choices) {
	w.begin()
	var (
		clients [2]*client
		next    [2]func() (string, bool)
		point   [2]string
		more    [2]bool
	)
	for i := range clients {
		c := &client{world: w, auth: w.auths[i]}
		clients[i] = c
		pull, stop := iter.Pull(func(yield func(string) bool) {
			c.yield = yield
			defer func() {
				if r := recover(); r != nil && r != (crashed{}) {
					panic(r)
				}
			}()
			s.script[i](c)
		})
		defer stop()
		next[i] = pull
		point[i], more[i] = next[i]()
	}
	faultLeft, pauseLeft := true, s.pause
	for more[0] || more[1] {
		var options []func()
		for i := range clients {
			if !more[i] {
				continue
			}
			options = append(options, func() { point[i], more[i] = next[i]() })
			if faultLeft {
				for _, f := range faultsOf[point[i]] {
					options = append(options, func() {
						faultLeft = false
						clients[i].fault = f
						point[i], more[i] = next[i]()
					})
				}
			}
		}
		if pauseLeft {
			options = append(options, func() {
				pauseLeft = false
				w.clock = w.clock.Add(pauseLength)
			})
		}
		options[pick.choose(len(options))]()
	}
	s.after(w)
}

// explore runs schedules until there are no more, most are run, or one shows a
// problem. It returns how many were run.
func (s *scenario) explore(w *world, pick *choices, most int) int {
	for n := 1; ; n++ {
		s.run(w, pick)
		if len(w.problems) > 0 || n == most || pick.source == nil && !pick.next() {
			return n
		}
	}
}

// P10: one refresh token has at most one successor, and what was ended stays
// ended, whatever the schedule and whatever one thing goes wrong. make proof
// runs every schedule; else a sample is drawn.
func TestProofSchedules(t *testing.T) {
	whole := os.Getenv("SALLYPORT_PROOF") != ""
	total := 0
	for i := range scenarios {
		s := &scenarios[i]
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t, s.cap, nil)
			pick, most := &choices{}, 0
			if !whole {
				pick, most = &choices{source: mathrand.New(mathrand.NewPCG(1, uint64(i)))}, 1000
			}
			n := s.explore(w, pick, most)
			total += n
			for _, p := range w.problems {
				t.Errorf("schedule %d %v: %s", n, pick.path, p)
			}
			t.Logf("%d schedules", n)
		})
	}
	t.Logf("%d schedules in all", total)
	if whole && total < 1_000_000 {
		t.Errorf("%d schedules: fewer than promised", total)
	}
}

// The explorer has to find what a broken store or a broken policy does.
func TestSchedulesFind(t *testing.T) {
	for _, c := range []struct {
		name     string
		scenario string
		blind    bool
		change   func(*core.Config)
	}{
		{name: "a store that commits blindly revives sessions", scenario: "a tab and the end of all sessions", blind: true},
		{name: "a store that commits blindly breaks the cap", scenario: "two sign-ins where one session is allowed", blind: true},
		{name: "strict single use signs tabs out", scenario: "two tabs", change: func(c *core.Config) { c.Grace = core.NoGrace }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range scenarios {
				s := &scenarios[i]
				if s.name != c.scenario {
					continue
				}
				w := newWorld(t, s.cap, c.change)
				w.gate.blind = c.blind
				n := s.explore(w, &choices{source: mathrand.New(mathrand.NewPCG(2, 3))}, 100_000)
				if len(w.problems) == 0 {
					t.Fatalf("nothing found in %d schedules", n)
				}
				t.Logf("schedule %d: %s", n, w.problems[0])
			}
		})
	}
}
