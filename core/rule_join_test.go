package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Each field of a session, joined either way.
func TestJoinSession(t *testing.T) {
	later, last := ruleTime.Add(time.Second), ruleTime.Add(time.Minute)
	for _, c := range []struct {
		rule       string
		a, b, want Session
	}{
		{"the higher numbers", Session{Gen: 4, Serial: 9, MinSerial: 1}, Session{Gen: 5, Serial: 7, MinSerial: 3}, Session{Gen: 5, Serial: 9, MinSerial: 3}},
		{"moved and seen are the higher generation's", Session{Gen: 4, MovedAt: last, SeenAt: ruleTime}, Session{Gen: 5, MovedAt: later}, Session{Gen: 5, MovedAt: later}},
		{"of one generation, moved at the later", Session{MovedAt: ruleTime}, Session{MovedAt: later}, Session{MovedAt: later}},
		{"of one generation, seen at the earlier", Session{SeenAt: ruleTime}, Session{SeenAt: later}, Session{SeenAt: ruleTime}},
		{"seen by one of them", Session{SeenAt: later}, Session{}, Session{SeenAt: later}},
		{"the earlier retirement of a serial", Session{Serial: 7, RetireAt: later}, Session{Serial: 7, RetireAt: last}, Session{Serial: 7, RetireAt: later}},
		{"a retirement that one of them has", Session{Serial: 7, RetireAt: later}, Session{Serial: 7}, Session{Serial: 7, RetireAt: later}},
		{"the overlap of a lower serial is over", Session{Serial: 7, RetireAt: later}, Session{Serial: 9, RetireAt: last}, Session{Serial: 9, MinSerial: 7, RetireAt: last}},
		{"and never lowers the least serial", Session{Serial: 7, RetireAt: later}, Session{Serial: 9, MinSerial: 8}, Session{Serial: 9, MinSerial: 8}},
		{"without one, the retirement of the higher", Session{Serial: 7}, Session{Serial: 9, RetireAt: last}, Session{Serial: 9, RetireAt: last}},
		{"the later times", Session{LastSeenAt: later, ExpiresAt: ruleTime, RefreshExpiresAt: last}, Session{LastSeenAt: ruleTime, ExpiresAt: later, RefreshExpiresAt: later}, Session{LastSeenAt: later, ExpiresAt: later, RefreshExpiresAt: last}},
		{"the newest access token, and the last until", Session{Access: AccessRecord{ruleID(2), ruleTime, last, last}}, Session{Access: AccessRecord{ruleID(1), later, later, later}}, Session{Access: AccessRecord{ruleID(1), later, later, last}}},
		{"of one second, the higher id's", Session{Access: AccessRecord{JTI: ruleID(2), IssuedAt: ruleTime, ExpiresAt: later}}, Session{Access: AccessRecord{JTI: ruleID(1), IssuedAt: ruleTime, ExpiresAt: last}}, Session{Access: AccessRecord{JTI: ruleID(2), IssuedAt: ruleTime, ExpiresAt: later}}},
		{"late replays of both, the same once", Session{LateReplays: []time.Time{ruleTime, last}}, Session{LateReplays: []time.Time{ruleTime, later}}, Session{LateReplays: []time.Time{ruleTime, later, last}}},
		{"no more than count", Session{LateReplays: []time.Time{ago(2), ruleTime, last}}, Session{LateReplays: []time.Time{ago(1), later}}, Session{LateReplays: []time.Time{ruleTime, later, last}}},
		{"revoked tokens of both, until the later", Session{Revoked: []RevokedToken{{"a", ruleTime}, {"b", ruleTime}}}, Session{Revoked: []RevokedToken{{"c", later}, {"b", later}}}, Session{Revoked: []RevokedToken{{"a", ruleTime}, {"b", later}, {"c", later}}}},
		{"from where it was active last", Session{LastSeenAt: later, IP: "192.0.2.1"}, Session{LastSeenAt: ruleTime, IP: "192.0.2.2", Location: Location{"NL", "Delft"}}, Session{LastSeenAt: later, IP: "192.0.2.1"}},
		{"at one moment, always the same", Session{IP: "192.0.2.1"}, Session{IP: "192.0.2.2", Location: Location{"NL", "Delft"}}, Session{IP: "192.0.2.2", Location: Location{"NL", "Delft"}}},
		{"the greater risk", Session{Risk: Risk{Score: 30}}, Session{Risk: Risk{20, []RiskReason{{"new", 20, "x"}}}}, Session{Risk: Risk{Score: 30}}},
		{"of the same, always the same", Session{Risk: Risk{20, []RiskReason{{"a", 20, "x"}}}}, Session{Risk: Risk{20, []RiskReason{{"b", 20, "x"}}}}, Session{Risk: Risk{20, []RiskReason{{"b", 20, "x"}}}}},
	} {
		for _, got := range []Session{c.a.join(&c.b), c.b.join(&c.a)} {
			if d := cmp.Diff(c.want, got, asSet); d != "" {
				t.Errorf("%s (-want +got):\n%s", c.rule, d)
			}
		}
	}
	// What never changes is the store's.
	own := Session{ID: ruleID(1), UserAgent: "store", Scopes: []string{"a"}, Claims: []byte("{}"), AbsoluteExpiresAt: last}
	if d := cmp.Diff(own, own.join(&Session{ID: ruleID(1), UserAgent: "other", AbsoluteExpiresAt: ruleTime})); d != "" {
		t.Errorf("joined (-want +got):\n%s", d)
	}
}

// rejoinWorld is the store's ledger, with sessions 1 to 3 of which 3 has been over
// for a while, and what a process did that went on from it.
type rejoinWorld struct {
	*lone
	store Ledger
}

func newRejoinWorld() *rejoinWorld {
	p := rulePolicy()
	l := guests(p, guest{1, "web", 4 * time.Hour, time.Minute}, guest{2, "web", 3 * time.Hour, 2 * time.Minute}, guest{3, "web", 2 * time.Hour, 3 * time.Minute})
	w := &rejoinWorld{&lone{p: p, l: l}, l.Clone()}
	w.store.Sessions[2].ExpiresAt = ago(time.Minute)
	return w
}

// The rows of the table at rejoin.
func TestRejoinTable(t *testing.T) {
	const min = time.Minute
	type outcome map[byte]Reason // of sessions that are said to have ended
	every := []byte{1, 2, 3}
	soon := ruleTime.Add(min)
	for _, c := range []struct {
		rule    string
		do      func(*rejoinWorld)
		spent   bool
		live    []byte
		ended   outcome
		revoked []byte // sessions of which all tokens are revoked
		nothing bool   // no change
	}{
		{rule: "nothing done", do: func(*rejoinWorld) {}, live: []byte{1, 2}, nothing: true},
		{rule: "goes on", do: func(w *rejoinWorld) { w.refresh(1, 1, 60, ruleTime) }, live: []byte{1, 2}},
		{rule: "what the store knows already", do: func(w *rejoinWorld) { w.refresh(1, 1, 60, ruleTime); w.store = w.l.Clone() }, live: every, nothing: true},
		{rule: "ended apart", do: func(w *rejoinWorld) { w.end(only(ruleID(1)), ReasonSignedOut, ruleTime) }, live: []byte{2}, ended: outcome{1: ReasonSignedOut}, revoked: []byte{1}},
		{rule: "went on and ended apart", do: func(w *rejoinWorld) {
			w.refresh(1, 1, 60, ruleTime)
			w.end(only(ruleID(1)), ReasonSignedOut, ruleTime)
		}, live: []byte{2}, ended: outcome{1: ReasonSignedOut}, revoked: []byte{1}},
		{rule: "ended apart, gone in the store: published all the same", do: func(w *rejoinWorld) {
			w.end(only(ruleID(1)), ReasonSignedOut, ruleTime)
			w.store.Sessions = w.store.Sessions[1:]
		}, live: []byte{2}, revoked: []byte{1}},
		{rule: "the store's is over and it went on apart", do: func(w *rejoinWorld) { w.refresh(3, 1, 60, ruleTime) }, live: every},
		{rule: "over for as long as expiredKept", do: func(w *rejoinWorld) {
			w.refresh(3, 1, 60, ruleTime)
			w.store.Sessions[2].ExpiresAt = soon.Add(-expiredKept)
		}, live: []byte{1, 2}, revoked: []byte{3}},
		{rule: "1 ms less", do: func(w *rejoinWorld) {
			w.refresh(3, 1, 60, ruleTime)
			w.store.Sessions[2].ExpiresAt = soon.Add(time.Millisecond - expiredKept)
		}, live: every},
		{rule: "all ended apart", do: func(w *rejoinWorld) { w.endAllBut(0, ruleTime) }, ended: outcome{1: ReasonPasswordChanged, 2: ReasonPasswordChanged, 3: ReasonPasswordChanged}, revoked: every},
		{rule: "all ended by one that knew of nothing", do: func(w *rejoinWorld) { w.l = Ledger{}; w.endAllBut(0, ruleTime) }, ended: outcome{1: ReasonOvertaken, 2: ReasonOvertaken, 3: ReasonOvertaken}, revoked: every},
		{rule: "the others ended apart", do: func(w *rejoinWorld) { w.endAllBut(2, ruleTime) }, live: []byte{2}, ended: outcome{1: ReasonPasswordChanged, 3: ReasonPasswordChanged}, revoked: []byte{1, 3}},
		{rule: "one that ended all does not end what began clearly after", do: func(w *rejoinWorld) {
			w.l = Ledger{}
			w.endAllBut(0, ruleTime)
			w.store.Sessions[0].CreatedAt = ruleTime.Add(clockMargin)
			w.store.Sessions[1].CreatedAt = ruleTime.Add(clockMargin - time.Millisecond)
		}, live: []byte{1}, ended: outcome{2: ReasonOvertaken, 3: ReasonOvertaken}, revoked: []byte{2, 3}},
		{rule: "all ended in the store when it was over there", do: func(w *rejoinWorld) {
			w.refresh(3, 1, 60, ruleTime)
			w.store.RevokedAt = w.store.Sessions[2].ExpiresAt
		}, live: []byte{1, 2}, ended: outcome{3: ReasonOvertaken}, revoked: []byte{3}},
		{rule: "when it was not yet over", do: func(w *rejoinWorld) {
			w.refresh(3, 1, 60, ruleTime)
			w.store.RevokedAt = w.store.Sessions[2].ExpiresAt.Add(-time.Millisecond)
		}, live: every},
		{rule: "gone in the store", do: func(w *rejoinWorld) {
			w.refresh(1, 1, 60, ruleTime)
			w.store.Sessions = w.store.Sessions[1:]
		}, live: []byte{2}, revoked: []byte{1}},
		{rule: "gone, and its tokens as well", do: func(w *rejoinWorld) {
			w.l.Sessions[0].Access.Until = time.Time{}
			w.refresh(1, 1, 60, ago(3*time.Hour))
			w.store.Sessions = w.store.Sessions[1:]
		}, live: []byte{2}, nothing: true},
		{rule: "begun apart", do: func(w *rejoinWorld) { w.signIn(9, ruleTime) }, live: []byte{1, 2, 9}},
		{rule: "begun apart, from nothing", do: func(w *rejoinWorld) { w.l = Ledger{}; w.signIn(9, ruleTime) }, live: []byte{1, 2, 9}},
		{rule: "begun apart, the store knows nothing", do: func(w *rejoinWorld) { w.store = Ledger{}; w.signIn(9, ruleTime) }, live: []byte{9}},
		{rule: "begun and ended apart", do: func(w *rejoinWorld) { w.signIn(9, ruleTime); w.end(only(ruleID(9)), ReasonSignedOut, ruleTime) }, live: []byte{1, 2}, revoked: []byte{9}},
		{rule: "begun apart, and over", do: func(w *rejoinWorld) {
			w.p.idleTimeout = min / 2
			w.p.accessTTL = min / 4
			w.signIn(9, ruleTime)
		}, live: []byte{1, 2}, revoked: []byte{9}},
		{rule: "begun apart and spent", spent: true, do: func(w *rejoinWorld) { w.signIn(9, ruleTime) }, live: []byte{1, 2}, ended: outcome{9: ReasonUnstored}, revoked: []byte{9}},
		{rule: "spent, but the store has it", spent: true, do: func(w *rejoinWorld) { w.signIn(9, ruleTime); w.store = w.l.Clone() }, live: []byte{1, 2, 3, 9}, nothing: true},
		{rule: "spent, and not begun apart", spent: true, do: func(w *rejoinWorld) { w.refresh(1, 1, 60, ruleTime) }, live: []byte{1, 2}},
		{rule: "begun apart before all ended in the store", do: func(w *rejoinWorld) {
			w.signIn(9, ruleTime)
			w.store.RevokedAt = ruleTime.Add(time.Millisecond - clockMargin)
		}, live: []byte{1, 2}, ended: outcome{9: ReasonOvertaken}, revoked: []byte{9}},
		{rule: "clearly after", do: func(w *rejoinWorld) {
			w.signIn(9, ruleTime)
			w.store.RevokedAt = ruleTime.Add(-clockMargin)
		}, live: []byte{1, 2, 9}},
		{rule: "begun apart after all ended there", do: func(w *rejoinWorld) { w.endAllBut(0, ruleTime); w.signIn(9, ruleTime) }, live: []byte{9}, ended: outcome{1: ReasonPasswordChanged, 2: ReasonPasswordChanged, 3: ReasonPasswordChanged}, revoked: every},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := newRejoinWorld()
			c.do(w)
			var (
				out    rejoinOutcome
				change *Change
			)
			noted := w.clone()
			unchanged(t, w.store, func() { out, change = w.p.rejoin(w.store, &w.apart, c.spent, soon) })
			if d := cmp.Diff(noted, &w.apart, asSet); d != "" {
				t.Errorf("what was done apart has changed:\n%s", d)
			}
			if c.nothing != (change == nil) {
				t.Fatalf("change %+v", change)
			}
			next, revoked := w.store, []byte(nil)
			if change != nil {
				next = change.Apply(w.store)
				if change.If != w.store.Version || !change.At.Equal(soon) {
					t.Errorf("decided on %v at %v", change.If, change.At)
				}
				for _, r := range change.Publish {
					if r.MinSerial == AllSerials {
						revoked = append(revoked, r.Session[0])
						until := w.noted(r.Session)
						if s := find(&w.store, r.Session); s != nil {
							until = latest(until, s.Access.Until)
						}
						if !r.Until.Equal(lastVerifies(until)) {
							t.Errorf("revoked until %v, want %v", r.Until, lastVerifies(until))
						}
					}
				}
				for _, e := range change.End {
					if find(&w.store, e.ID) == nil {
						t.Errorf("%v ended, which the store does not have", e)
					}
				}
			}
			live := idsOf(next.live(soon))
			slices.Sort(live)
			slices.Sort(revoked)
			ended := make(outcome)
			for _, e := range out.ended {
				ended[e.ID[0]] = e.Reason
			}
			if !slices.Equal(live, c.live) || !slices.Equal(revoked, c.revoked) || !cmp.Equal(ended, c.ended, asSet) {
				t.Errorf("live %v, revoked %v, ended %v; want %v, %v, %v", live, revoked, ended, c.live, c.revoked, c.ended)
			}
		})
	}
}

// noted is until when access tokens of a session last that were issued apart.
func (w *rejoinWorld) noted(id ID) time.Time {
	return latest(w.sessions[id].Access.Until, w.ended[id].until)
}

// A decision is not dated before what was done apart.
func TestRejoinDated(t *testing.T) {
	w := newRejoinWorld()
	w.signIn(9, ruleTime)
	if _, c := w.p.rejoin(w.store, &w.apart, false, ago(time.Second)); !c.At.Equal(ruleTime) {
		t.Errorf("dated %v", c.At)
	}
}

// What is published of a session that goes on. In the store it is at serial 7.
func TestRejoinPublishes(t *testing.T) {
	until := ago(time.Minute).Add(time.Hour + ruleGrace) // as guests has it
	more := ruleTime.Add(2 * time.Hour)
	later := ruleTime.Add(time.Minute)
	cut := func(below uint64, from, until time.Time) Revocation {
		return Revocation{Session: ruleID(1), MinSerial: below, From: from, Until: lastVerifies(until)}
	}
	for _, c := range []struct {
		rule    string
		store   func(*Session)
		mine    func(*apartSession)
		publish []Revocation
	}{
		{rule: "nothing was revoked", mine: func(s *apartSession) { s.Gen, s.Serial, s.issued, s.Access.Until = 6, 8, 8, more }},
		{rule: "a cut made apart", mine: func(s *apartSession) { s.Serial, s.MinSerial = 8, 8 }, publish: []Revocation{cut(8, time.Time{}, until)}},
		{
			rule: "a cut made apart covers what the store issued", publish: []Revocation{cut(8, time.Time{}, more)},
			store: func(s *Session) { s.Access.Until = more }, mine: func(s *apartSession) { s.Serial, s.MinSerial = 8, 8 },
		},
		{rule: "a cut of the store's, and nothing issued apart", store: func(s *Session) { s.MinSerial = 7 }, mine: func(s *apartSession) { s.LastSeenAt = ruleTime }},
		{
			rule: "a cut of the store's covers what was issued apart", publish: []Revocation{cut(9, time.Time{}, more)},
			store: func(s *Session) { s.Serial, s.MinSerial = 9, 9 }, mine: func(s *apartSession) { s.Serial, s.issued, s.Access.Until = 8, 8, more },
		},
		{
			rule: "also if nothing else is new", publish: []Revocation{cut(9, time.Time{}, more)},
			store: func(s *Session) { s.Serial, s.MinSerial, s.Access.Until = 9, 9, more }, mine: func(s *apartSession) { s.Serial, s.issued = 8, 8 },
		},
		{
			rule:  "not what was issued above it",
			store: func(s *Session) { s.MinSerial = 7 }, mine: func(s *apartSession) { s.Serial, s.issued, s.Access.Until = 8, 7, more },
		},
		{rule: "a retirement made apart", mine: func(s *apartSession) { s.Serial, s.RetireAt, s.issued = 8, later, 8 }, publish: []Revocation{cut(8, later, until)}},
		{
			rule: "a retirement made apart is earlier", publish: []Revocation{cut(7, later, until)},
			store: func(s *Session) { s.RetireAt = more }, mine: func(s *apartSession) { s.RetireAt = later },
		},
		{rule: "the store's is earlier", store: func(s *Session) { s.RetireAt = later }, mine: func(s *apartSession) { s.RetireAt, s.issued = more, 7 }},
		{
			rule: "the store's covers what was issued apart", publish: []Revocation{cut(8, later, more)},
			store: func(s *Session) { s.Serial, s.RetireAt = 8, later }, mine: func(s *apartSession) { s.issued, s.Access.Until = 7, more },
		},
		{
			rule: "two overlaps: the first is over", publish: []Revocation{cut(8, time.Time{}, until), cut(9, later, until)},
			store: func(s *Session) { s.Serial, s.RetireAt = 8, more }, mine: func(s *apartSession) { s.Serial, s.RetireAt, s.issued = 9, later, 9 },
		},
		{
			rule: "a token", mine: func(s *apartSession) { s.Revoked = []RevokedToken{{"a", more}, {"b", more}} },
			store: func(s *Session) { s.Revoked = []RevokedToken{{"b", more}} }, publish: []Revocation{{Session: ruleID(1), JTI: "a", Until: more}},
		},
		{rule: "a token that is over", mine: func(s *apartSession) { s.Revoked = []RevokedToken{{"a", ruleTime}} }},
		{rule: "a token that the store has shut out", store: func(s *Session) { s.Serial, s.MinSerial = 8, 8 }, mine: func(s *apartSession) { s.Revoked = []RevokedToken{{"a", more}} }},
	} {
		w := newRejoinWorld()
		s := &w.store.Sessions[0]
		s.Gen, s.Serial = 5, 7
		mine := apartSession{Session: s.Clone()}
		if c.store != nil {
			c.store(s)
		}
		c.mine(&mine)
		_, change := w.p.rejoin(w.store, &apart{sessions: map[ID]apartSession{s.ID: mine}}, false, ruleTime)
		var got []Revocation
		if change != nil {
			got = change.Publish
		}
		if d := cmp.Diff(c.publish, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.rule, d)
		}
	}
}

// More revoked tokens than a session remembers: all that it has issued go.
func TestRejoinCrowded(t *testing.T) {
	list := func(name string, n int, until time.Time) (out []RevokedToken) {
		for i := range n {
			out = append(out, RevokedToken{fmt.Sprint(name, i), until})
		}
		return out
	}
	until := ruleTime.Add(time.Hour)
	for _, c := range []struct {
		rule        string
		store, mine []RevokedToken
		left        int
		least       uint64
	}{
		{"room for all", list("a", 4, until), list("b", 4, until), 8, 0},
		{"one too many", list("a", 4, until), list("b", 5, until), 0, 2},
		{"what is over takes no room", list("a", 4, ruleTime), list("b", 5, until), 5, 0},
	} {
		w := newRejoinWorld()
		w.store.Sessions[0].Revoked = c.store
		mine := w.store.Sessions[0].Clone()
		mine.Revoked = c.mine
		_, change := w.p.rejoin(w.store, &apart{sessions: map[ID]apartSession{mine.ID: {Session: mine}}}, false, ruleTime)
		next := change.Apply(w.store)
		s := find(&next, mine.ID)
		if len(s.Revoked) != c.left || s.MinSerial != c.least {
			t.Errorf("%s: %d left, least serial %d", c.rule, len(s.Revoked), s.MinSerial)
		}
		if want := []Revocation{revokeBelow(s, 2, time.Time{})}; c.least > 0 && !cmp.Equal(want, change.Publish) {
			t.Errorf("%s: published %v", c.rule, change.Publish)
		}
	}
}

func TestRejoinLists(t *testing.T) {
	until, over := ruleTime.Add(time.Hour), ruleTime
	w := newRejoinWorld()
	w.store.Foreign = []RevokedToken{{"a", until}, {"b", until.Add(-time.Minute)}}
	known := KnownDevice{Device: Device{ID: "d1"}, FirstSeenAt: ago(time.Hour), LastSeenAt: ago(time.Hour)}
	w.store.Devices = []KnownDevice{known}
	again, other := known, known
	again.LastSeenAt, again.FirstSeenAt = ruleTime, ruleTime
	other.Signed = true
	forgotten := KnownDevice{Device: Device{ID: "d2"}, LastSeenAt: ago(deviceMemory)}
	a := &apart{
		foreign:   map[string]apartToken{"a": {until, "feed:a"}, "b": {until, "feed:b"}, "c": {until, "feed:c"}, "d": {over, "feed:d"}},
		devices:   map[deviceKey]KnownDevice{again.key(): again, other.key(): other, forgotten.key(): forgotten},
		revokedAt: ago(24 * time.Hour),
	}
	_, c := w.p.rejoin(w.store, a, false, ruleTime)
	next := c.Apply(w.store)
	if want := []RevokedToken{{"a", until}, {"b", until}, {"c", until}}; !cmp.Equal(want, next.Foreign) {
		t.Errorf("foreign %v", next.Foreign)
	}
	if want := []Revocation{{JTI: "feed:b", Until: until}, {JTI: "feed:c", Until: until}}; !cmp.Equal(want, c.Publish) {
		t.Errorf("published %v", c.Publish)
	}
	again.FirstSeenAt = known.FirstSeenAt
	if want := []KnownDevice{again, other}; !cmp.Equal(want, next.Devices, asSet) {
		t.Errorf("devices %v", next.Devices)
	}
	if !next.RevokedAt.Equal(a.revokedAt) {
		t.Errorf("all ended at %v", next.RevokedAt)
	}
	if _, c := w.p.rejoin(next, a, false, ruleTime); c != nil {
		t.Errorf("a second time: %+v", c)
	}
	onlyOver := &apart{revokedAt: ago(24 * time.Hour), foreign: map[string]apartToken{"d": {over, "feed:d"}}}
	if _, c := w.p.rejoin(w.store, onlyOver, false, ruleTime); c == nil || c.Devices != nil || c.Foreign != nil || c.Publish != nil {
		t.Errorf("all ended, and nothing else: %+v", c)
	}

	// Devices are bounded. Foreign tokens are not: none of them may come back.
	many := &apart{foreign: make(map[string]apartToken), devices: make(map[deviceKey]KnownDevice)}
	for i := range foreignCeiling {
		many.foreign[fmt.Sprint("f", i)] = apartToken{until, ""}
		d := KnownDevice{Device: Device{ID: fmt.Sprint("d", i)}, FirstSeenAt: ruleTime, LastSeenAt: ago(time.Duration(foreignCeiling-i) * time.Second)}
		many.devices[d.key()] = d
	}
	_, c = w.p.rejoin(next, many, false, ruleTime)
	crowd := c.Apply(next)
	if len(crowd.Foreign) != foreignCeiling+3 || len(crowd.Devices) != deviceCeiling {
		t.Errorf("%d foreign tokens, %d devices", len(crowd.Foreign), len(crowd.Devices))
	}
	for _, d := range crowd.Devices {
		if d.ID != "d1" && !strings.HasPrefix(d.ID, "d2") {
			t.Errorf("%s stays", d.ID)
		}
	}
	if _, c := w.p.rejoin(crowd, many, false, ruleTime); c != nil {
		t.Errorf("a second time: %+v", c)
	}
}

// Who goes when there are too many. 9 began apart, then 8; 3 is over in the store
// and went on apart.
func TestRejoinRoom(t *testing.T) {
	for _, c := range []struct {
		rule  string
		limit SessionLimitPolicy
		most  int
		per   map[string]int
		goes  []byte
	}{
		{"room for all", EvictOldest, 5, nil, nil},
		{"the oldest", EvictOldest, 4, nil, []byte{1}},
		{"the oldest, and the next", EvictOldest, 3, nil, []byte{1, 2}},
		{"the idle one", EvictIdle, 4, nil, []byte{2}},
		{"nobody who was there: the newest", RefuseNew, 4, nil, []byte{8}},
		{"and the next", RefuseNew, 3, nil, []byte{8, 9}},
		{"and who went on", RefuseNew, 2, nil, []byte{8, 9, 3}},
		{"never who was there", RefuseNew, 1, nil, []byte{8, 9, 3}},
		{"of a client type first", EvictOldest, 5, map[string]int{"web": 4, "phone": 1}, []byte{1}},
		{"of a client type, and refused", RefuseNew, 5, map[string]int{"web": 4}, []byte{8}},
		{"client types that are not here", EvictOldest, 5, map[string]int{"phone": 1}, nil},
	} {
		w := newRejoinWorld()
		w.p.maxSessions = 5
		w.refresh(3, 1, 60, ruleTime)
		w.signIn(9, ruleTime)
		w.signIn(8, ruleTime.Add(time.Second))
		w.p.limit, w.p.maxSessions, w.p.maxPerClient = c.limit, c.most, c.per
		now := ruleTime.Add(time.Minute)
		out, change := w.p.rejoin(w.store, &w.apart, false, now)
		var goes []byte
		for _, e := range out.ended {
			goes = append(goes, e.ID[0])
			if e.Reason != ReasonEvicted {
				t.Errorf("%s: %v", c.rule, e)
			}
			if !slices.ContainsFunc(change.Publish, func(r Revocation) bool { return r.Session == e.ID && r.MinSerial == AllSerials }) {
				t.Errorf("%s: %v is not revoked", c.rule, e)
			}
			if inStore := find(&w.store, e.ID) != nil; inStore != slices.Contains(change.End, e) {
				t.Errorf("%s: %v ended in %v", c.rule, e, change.End)
			}
		}
		next := change.Apply(w.store)
		if !slices.Equal(goes, c.goes) || len(next.live(now)) != 5-len(goes) {
			t.Errorf("%s: %v go, want %v; %d are left", c.rule, goes, c.goes, len(next.live(now)))
		}
	}
}

// No more than sessionCeiling, whatever the policy.
func TestRejoinCeiling(t *testing.T) {
	w := &lone{p: rulePolicy()}
	w.p.maxSessions = 1000
	var store Ledger
	for i := range 200 {
		_, c := w.p.signIn(store, signInRequest{session: Session{ID: ID{byte(i), 1}}}, ruleTime)
		store = c.Apply(store)
		_, c = w.p.signIn(w.l, signInRequest{session: Session{ID: ID{byte(i), 2}}}, ruleTime)
		w.does(c)
	}
	_, c := w.p.rejoin(store, &w.apart, false, ruleTime)
	if n := len(c.Apply(store).Sessions); n != sessionCeiling {
		t.Errorf("%d sessions", n)
	}
}
