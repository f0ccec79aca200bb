package core

import (
	"cmp"
	"os"
	"slices"
	"testing"
	"time"
)

// The refresh rule against one honest user: tabs on one cookie jar that refresh
// whenever they like, requests and replies that arrive in any order but are
// under way for less than half a grace period, pages that reload, and a few
// replies that never arrive. Every reachable state is visited, with the real
// rule in the middle. The user must never be signed out.
//
// Time moves in ticks. Generations are held as how far behind the session they
// are, times as ages, so that the states are finitely many.

const (
	tick      = time.Second
	graceTick = 5
	fresh     = int8(-1) // an age: it has not happened
)

// refreshRule is refreshSession, or that with a part left out.
type refreshRule func(p *policy, l Ledger, r refreshRequest, now time.Time) refreshOutcome

func theRule(p *policy, l Ledger, r refreshRequest, now time.Time) refreshOutcome {
	out, _ := p.refreshSession(l, r, now)
	return out
}

// variant is a refresh rule, whole or not, as a model runs it.
type variant struct {
	grace    time.Duration
	rule     refreshRule
	cookieOn bool // a cookie is set although the token is the same

	decided map[presented]decision
}

// presented is what a rule decides on, decision what it makes of it.
type presented struct {
	server server
	behind int8 // of the token, in generations
}

type decision struct {
	verdict refreshVerdict
	server  server
	gens    uint64 // by how much the generation has grown
	serials uint64 // and the serial
}

func graced(rule refreshRule) variant { return variant{grace: graceTick * tick, rule: rule} }

// mutants leave out one part of the rule each.
var mutants = map[string]variant{
	"strict single use": {rule: theRule},
	"grace from rotation": graced(func(p *policy, l Ledger, r refreshRequest, now time.Time) refreshOutcome {
		s := l.Sessions[0]
		if r.gen == s.Gen-1 {
			if now.Sub(s.MovedAt) >= p.grace {
				return refreshOutcome{verdict: refreshReused, session: s}
			}
			return refreshOutcome{verdict: refreshReplayed, session: s}
		}
		return theRule(p, l, r, now)
	}),
	"predecessor always": graced(func(p *policy, l Ledger, r refreshRequest, now time.Time) refreshOutcome {
		s := l.Sessions[0]
		if r.gen == s.Gen-1 {
			return refreshOutcome{verdict: refreshReplayed, session: s}
		}
		s.MovedAt = time.Time{}
		l.Sessions = []Session{s}
		return theRule(p, l, r, now)
	}),
	"moves more than once per grace": graced(func(p *policy, l Ledger, r refreshRequest, now time.Time) refreshOutcome {
		if s := l.Sessions[0]; r.gen == s.Gen {
			s.MovedAt = time.Time{}
			l.Sessions = []Session{s}
		}
		return theRule(p, l, r, now)
	}),
	"replays do not restart the grace": graced(func(p *policy, l Ledger, r refreshRequest, now time.Time) refreshOutcome {
		out := theRule(p, l, r, now)
		if out.verdict == refreshReplayed || out.verdict == refreshReplayedLate {
			out.session.MovedAt = l.Sessions[0].MovedAt
		}
		return out
	}),
	"cookie set although the token is the same": {grace: graceTick * tick, rule: theRule, cookieOn: true},
	"no late shut-out": graced(func(p *policy, l Ledger, r refreshRequest, now time.Time) refreshOutcome {
		out := theRule(p, l, r, now)
		if out.verdict == refreshReplayedLate {
			s := l.Sessions[0]
			out.session.Serial, out.session.MinSerial, out.session.LateReplays = s.Serial, s.MinSerial, nil
		}
		return out
	}),
	"no limit on late replays": graced(func(p *policy, l Ledger, r refreshRequest, now time.Time) refreshOutcome {
		s := l.Sessions[0]
		s.LateReplays = nil
		l.Sessions = []Session{s}
		out := theRule(p, l, r, now)
		out.session.LateReplays = nil
		return out
	}),
}

// server is a session as the models hold it.
type server struct {
	moved, seen int8 // ages, at most graceTick
	late        int8
}

// decide presents a token to the rule.
func (v *variant) decide(s server, behind int8) decision {
	d, ok := v.decided[presented{s, behind}]
	if !ok {
		if v.decided == nil {
			v.decided = make(map[presented]decision)
		}
		d = v.ask(s, behind)
		v.decided[presented{s, behind}] = d
	}
	return d
}

func (v *variant) ask(s server, behind int8) decision {
	const gen = 100
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(age int8) time.Time {
		if age == fresh {
			return time.Time{}
		}
		return now.Add(-time.Duration(age) * tick)
	}
	session := Session{
		Gen: gen, Serial: gen, MovedAt: at(s.moved), SeenAt: at(s.seen),
		CreatedAt: now.Add(-time.Hour), LastSeenAt: now, ExpiresAt: now.Add(time.Hour),
		RefreshExpiresAt: now.Add(time.Hour), AbsoluteExpiresAt: now.Add(time.Hour),
	}
	for range s.late {
		session.LateReplays = append(session.LateReplays, now.Add(-time.Minute))
	}
	p := policy{accessTTL: time.Hour, refreshTTL: time.Hour, idleTimeout: time.Hour, grace: v.grace}
	out := v.rule(&p, Ledger{Sessions: []Session{session}}, refreshRequest{gen: gen - uint64(behind)}, now)
	age := func(t time.Time) int8 {
		if t.IsZero() {
			return fresh
		}
		return min(int8(now.Sub(t)/tick), graceTick)
	}
	return decision{
		verdict: out.verdict,
		server:  server{moved: age(out.session.MovedAt), seen: age(out.session.SeenAt), late: int8(len(out.session.LateReplays))},
		gens:    out.session.Gen - gen,
		serials: out.session.Serial - gen,
	}
}

func (s server) older() server {
	if s.moved != fresh {
		s.moved = min(s.moved+1, graceTick)
	}
	if s.seen != fresh {
		s.seen = min(s.seen+1, graceTick)
	}
	return s
}

// message is a refresh under way, or nothing.
type message struct {
	tab     int8 // of those that wait for it; -1: its page has gone
	reply   bool
	behind  int8 // of the token it carries, at most 2
	age     int8 // ticks under way, request and reply together
	current bool // reply: its access token is the session's newest
	cookie  bool // reply: it sets the cookie
	used    bool // the slot is taken
}

const maxTabs, maxMessages, halfGrace = 3, 3, graceTick / 2 // 2 of 5 ticks

// browser is one state: the server, one jar, its tabs and what is under way.
type browser struct {
	server   server
	jar      int8
	waiting  [maxTabs]bool
	current  [maxTabs]bool // the tab holds the session's newest access token
	messages [maxMessages]message
	lost     int8
	ended    bool
}

func (b browser) canonical() browser {
	slices.SortFunc(b.messages[:], func(x, y message) int {
		n := func(m message) int {
			k := int(m.tab+1) | int(m.behind)<<3 | int(m.age)<<6
			for i, bit := range []bool{m.reply, m.current, m.cookie, !m.used} {
				if bit {
					k |= 1 << (10 + i)
				}
			}
			return k
		}
		return cmp.Compare(n(x), n(y))
	})
	return b
}

// next returns every state that may follow.
func (b browser) next(v *variant, tabs int, losses int8) []browser {
	var out []browser
	add := func(n browser) { out = append(out, n.canonical()) }
	free := -1
	canTick := true
	for i, m := range b.messages {
		if !m.used {
			free = i
		} else if m.age >= halfGrace {
			canTick = false
		}
	}
	if canTick {
		n := b
		n.server = b.server.older()
		for i := range n.messages {
			if n.messages[i].used {
				n.messages[i].age++
			}
		}
		add(n)
	}
	for tab := range tabs {
		if b.waiting[tab] {
			for i, m := range b.messages { // the page reloads: nobody waits any more
				if m.used && m.tab == int8(tab) {
					n := b
					n.waiting[tab], n.current[tab] = false, false
					n.messages[i].tab = -1
					add(n)
				}
			}
			continue
		}
		if free >= 0 {
			n := b
			n.waiting[tab] = true
			n.messages[free] = message{tab: int8(tab), behind: b.jar, used: true}
			add(n)
		}
		if b.current[tab] && b.server.seen == fresh { // a guarded request
			n := b
			n.server.seen = 0
			add(n)
		}
	}
	for i, m := range b.messages {
		if !m.used {
			continue
		}
		if b.lost < losses { // it never arrives
			n := b
			n.lost++
			n.messages[i] = message{}
			if !m.reply {
				n = n.serve(v, i, m)
				n.messages[i] = message{}
			}
			if m.tab >= 0 {
				n.waiting[m.tab] = false
			}
			add(n)
		}
		if !m.reply {
			add(b.serve(v, i, m))
			continue
		}
		n := b
		n.messages[i] = message{}
		if m.cookie {
			n.jar = m.behind
		}
		if m.tab >= 0 {
			n.waiting[m.tab], n.current[m.tab] = false, m.current
		}
		add(n)
	}
	return out
}

// serve has a request arrive: message i turns into its reply.
func (b browser) serve(v *variant, i int, m message) browser {
	d := v.decide(b.server, m.behind)
	if !d.verdict.granted() {
		b.ended = b.ended || d.verdict == refreshReused
		b.messages[i] = message{}
		if m.tab >= 0 {
			b.waiting[m.tab] = false
		}
		return b
	}
	b.server = d.server
	grow := func(behind *int8) { *behind = min(*behind+int8(d.gens), 2) }
	grow(&b.jar)
	for j := range b.messages {
		grow(&b.messages[j].behind)
		b.messages[j].current = b.messages[j].current && d.serials == 0
	}
	for j := range b.current {
		b.current[j] = b.current[j] && d.serials == 0
	}
	same := m.behind == 0 && d.gens == 0
	b.messages[i] = message{tab: m.tab, reply: true, age: m.age, current: true, cookie: !same || v.cookieOn, used: true}
	return b
}

// explore visits every state, or those up to the first in which the user was
// signed out. It returns how many there are and in how many that was so.
func (v *variant) explore(tabs int, losses int8, first bool) (states, ended int) {
	start := browser{server: server{moved: fresh, seen: fresh}}
	known := map[browser]bool{start: true}
	queue := []browser{start}
	for len(queue) > 0 {
		b := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if b.ended {
			ended++
			if first {
				break
			}
			continue
		}
		for _, n := range b.next(v, tabs, losses) {
			if !known[n] {
				known[n] = true
				queue = append(queue, n)
			}
		}
	}
	return len(known), ended
}

// proof reports whether the long proofs are to run whole: make proof.
func proof() bool { return os.Getenv("SALLYPORT_PROOF") != "" }

type crowd struct {
	tabs   int
	losses int8
}

// P12: tabs, reloads, lost replies and retries never sign an honest user out.
func TestProofHonestTabsAreNeverSignedOut(t *testing.T) {
	crowds := []crowd{{1, 1}, {2, 0}}
	if proof() {
		crowds = []crowd{{1, 3}, {2, 0}, {2, 1}, {2, 2}, {2, 3}, {3, 0}, {3, 1}, {3, 2}, {3, 3}}
	}
	for _, c := range crowds {
		whole := graced(theRule)
		states, ended := whole.explore(c.tabs, c.losses, false)
		if ended != 0 {
			t.Errorf("%d tabs, %d lost: signed out in %d of %d states", c.tabs, c.losses, ended, states)
		}
		t.Logf("%d tabs, %d lost: %d of %d states", c.tabs, c.losses, ended, states)
	}
}

// Each part of the rule is there for a reason: without it the same user is
// signed out.
func TestProofHonestTabsNeedEveryPartOfTheRule(t *testing.T) {
	for _, name := range []string{
		"strict single use",
		"grace from rotation",
		"predecessor always",
		"moves more than once per grace",
		"replays do not restart the grace",
		"cookie set although the token is the same",
	} {
		v := mutants[name]
		states, ended := v.explore(2, 1, !proof())
		if ended == 0 {
			t.Errorf("%s: nobody signed out in %d states: the model can't tell", name, states)
		}
		t.Logf("%s: signed out in %d of %d states", name, ended, states)
	}
}
