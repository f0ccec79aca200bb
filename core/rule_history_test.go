package core

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// history is a random life of one user's ledger, with every access token that
// was issued in it and everything that was published.
type history struct {
	p         *policy
	l         Ledger
	clock     time.Time
	drawn     uint64
	tokens    []issuedToken
	published []Revocation
	apart     *apart // takes note of what is done, unless nil
}

type issuedToken struct {
	session ID
	serial  uint64
	jti     string
	expires time.Time
}

func (h *history) id() (id ID) {
	h.drawn++
	binary.BigEndian.PutUint64(id[:], h.drawn)
	return id
}

func (h *history) now() time.Time { return latest(h.clock, h.l.At) }

// decide runs a rule, checks what it must not do, and commits its change.
func (h *history) decide(t *rapid.T, rule func(Ledger, time.Time) *Change) {
	before, now := h.l.Clone(), h.now()
	c := rule(h.l, now)
	if d := cmp.Diff(before, h.l); d != "" {
		t.Fatalf("the rule changed the ledger it was given:\n%s", d)
	}
	if c == nil {
		return
	}
	c.ID = h.id()
	if c.If != before.Version || c.At.Before(before.At) || c.At.Before(h.clock) {
		t.Fatalf("a decision on %v at %v is dated %v on %v", before.Version, before.At, c.At, c.If)
	}
	if h.apart != nil {
		h.apart.note(&before, c)
	}
	next := c.Apply(before)
	h.published = append(h.published, c.Publish...)
	h.l = next
	h.checkApplied(t, c, before)
	for i := range next.Sessions {
		s := &next.Sessions[i]
		if old := find(&before, s.ID); old != nil {
			if s.Gen < old.Gen || s.Serial < old.Serial || s.MinSerial < old.MinSerial || s.Gen > old.Gen && s.Serial <= old.Serial {
				t.Fatalf("gen, serial, least serial ran back: %d %d %d, were %d %d %d", s.Gen, s.Serial, s.MinSerial, old.Gen, old.Serial, old.MinSerial)
			}
			if !s.AbsoluteExpiresAt.Equal(old.AbsoluteExpiresAt) || !s.CreatedAt.Equal(old.CreatedAt) {
				t.Fatalf("the absolute end moved from %v to %v", old.AbsoluteExpiresAt, s.AbsoluteExpiresAt)
			}
		}
	}
}

// checkApplied checks that a change says what it does.
func (h *history) checkApplied(t *rapid.T, c *Change, before Ledger) {
	if !c.took(&h.l, &before) || c.took(&before, &before) {
		t.Fatalf("the ledger does not show whether %+v was committed", c)
	}
	for _, e := range c.End {
		if find(&h.l, e.ID) != nil || find(&before, e.ID) == nil {
			t.Fatalf("%v did not end, or never was", e)
		}
	}
	for i := range h.l.Sessions {
		if h.l.Sessions[i].live(h.now()) && h.l.Sessions[i].ExpiresAt.After(c.KeepUntil) {
			t.Fatalf("kept until %v, but a session lives until %v", c.KeepUntil, h.l.Sessions[i].ExpiresAt)
		}
	}
	for i := range before.Sessions {
		s := &before.Sessions[i]
		ended := false
		for _, e := range c.End {
			ended = ended || e.ID == s.ID
		}
		if (find(&h.l, s.ID) == nil) != ended {
			t.Fatalf("session %v vanished or stayed, ended %v", s.ID, c.End)
		}
	}
}

func find(l *Ledger, id ID) *Session {
	for i := range l.Sessions {
		if l.Sessions[i].ID == id {
			return &l.Sessions[i]
		}
	}
	return nil
}

// issue makes an access token, as Auth.pair does, by a clock that may lag.
func (h *history) issue(t *rapid.T, s *Session, jti ID) {
	_, expires := h.p.accessLife(s, h.clock)
	if expires.After(s.ExpiresAt) || expires.After(s.AbsoluteExpiresAt) || expires.After(s.Access.Until) {
		t.Fatalf("a token until %v, the session until %v, covered until %v", expires, s.ExpiresAt, s.Access.Until)
	}
	h.tokens = append(h.tokens, issuedToken{s.ID, s.Serial, jti.String(), expires})
}

func (h *history) pick(t *rapid.T) *Session {
	if len(h.l.Sessions) == 0 {
		t.Skip("no session")
	}
	return &h.l.Sessions[rapid.IntRange(0, len(h.l.Sessions)-1).Draw(t, "session")]
}

func (h *history) signIn(t *rapid.T) {
	r := signInRequest{
		session: Session{ID: h.id(), Device: Device{
			ID:         rapid.SampledFrom([]string{"d1", "d2"}).Draw(t, "device"),
			ClientType: rapid.SampledFrom([]string{"web", "phone"}).Draw(t, "client"),
		}},
		jti: h.id(),
	}
	if len(h.l.Sessions) > 0 && rapid.Bool().Draw(t, "replace") {
		r.replaces = []ID{h.pick(t).ID}
	}
	var out signInOutcome
	h.decide(t, func(l Ledger, now time.Time) (c *Change) {
		out, c = h.p.signIn(l, r, now)
		return c
	})
	if !out.refused {
		h.issue(t, &out.session, r.jti)
	}
}

func (h *history) refresh(t *rapid.T) {
	s := *h.pick(t)
	r := refreshRequest{session: s.ID, jti: h.id(), ip: "192.0.2.1"}
	step := rapid.SampledFrom([]int{0, 0, 0, 0, -1, -1, -1, -2, 1}).Draw(t, "generation")
	r.gen = uint64(max(1, int(s.Gen)+step))
	r.device = rapid.SampledFrom([]string{"", "", "d1", "d2"}).Draw(t, "device")
	var out refreshOutcome
	h.decide(t, func(l Ledger, now time.Time) (c *Change) {
		out, c = h.p.refreshSession(l, r, now)
		return c
	})
	if !out.verdict.granted() {
		return
	}
	if r.device != "" && r.device != s.Device.ID {
		t.Fatalf("verdict %d for another device", out.verdict)
	}
	switch out.verdict { // P14
	case refreshRepeated, refreshReplayed, refreshReplayedLate:
		if !out.session.ExpiresAt.Equal(s.ExpiresAt) || !out.session.RefreshExpiresAt.Equal(s.RefreshExpiresAt) || out.session.Gen != s.Gen {
			t.Fatalf("verdict %d extended the session or moved it on: %+v, was %+v", out.verdict, out.session, s)
		}
	}
	if out.verdict == refreshReplayedLate && out.session.MinSerial <= s.Serial {
		t.Fatalf("a late replay left serial %d in, least %d", s.Serial, out.session.MinSerial)
	}
	if out.session.Gen > r.gen+1 || out.session.Gen < r.gen {
		t.Fatalf("generation %d answered with %d", r.gen, out.session.Gen)
	}
	h.issue(t, &out.session, r.jti)
}

func (h *history) use(t *rapid.T) {
	s := h.pick(t)
	u := use{session: s.ID, serial: s.Serial - uint64(rapid.IntRange(0, 1).Draw(t, "behind")), at: h.clock}
	h.decide(t, func(l Ledger, now time.Time) *Change { return h.p.used(l, u, now) })
}

func (h *history) revokeToken(t *rapid.T) {
	if len(h.tokens) == 0 {
		t.Skip("no token")
	}
	k := h.tokens[rapid.IntRange(0, len(h.tokens)-1).Draw(t, "token")]
	h.decide(t, func(l Ledger, now time.Time) *Change {
		_, c := revokeToken(l, k.session, k.serial, k.jti, k.expires, now)
		return c
	})
}

func (h *history) end(t *rapid.T) {
	one := h.pick(t).ID
	which := only(one)
	switch rapid.IntRange(0, 5).Draw(t, "which") {
	case 0:
		which = func(*Session) bool { return true }
	case 1:
		which = func(s *Session) bool { return s.ID != one }
	}
	h.decide(t, func(l Ledger, now time.Time) *Change {
		_, c := endSessions(l, which, ReasonRevoked, now)
		return c
	})
}

func (h *history) trim(t *rapid.T) {
	keep := rapid.IntRange(0, 4).Draw(t, "keep")
	h.decide(t, func(l Ledger, now time.Time) *Change {
		_, c := trim(l, keep, now)
		return c
	})
}

func (h *history) wait(t *rapid.T) {
	steps := []time.Duration{
		time.Millisecond, time.Second, h.p.grace, h.p.grace - time.Millisecond, h.p.accessTTL, h.p.touch,
		h.p.idleTimeout - time.Second, time.Minute, time.Hour, 25 * time.Hour, -5 * time.Second,
	}
	h.clock = h.clock.Add(max(-5*time.Second, rapid.SampledFrom(steps).Draw(t, "wait")))
}

// check is what is so at every moment.
func (h *history) check(t *rapid.T) {
	now := h.now()
	live := h.l.live(now)
	if len(live) > h.p.maxSessions {
		t.Fatalf("%d live sessions, at most %d", len(live), h.p.maxSessions)
	}
	phones := 0
	for _, s := range live {
		if s.Device.ClientType == "phone" {
			phones++
		}
	}
	if most, ok := h.p.maxPerClient["phone"]; ok && phones > most {
		t.Fatalf("%d phones, at most %d", phones, most)
	}
	for _, s := range h.l.Sessions {
		if s.ExpiresAt.After(s.AbsoluteExpiresAt) || s.ExpiresAt.After(s.RefreshExpiresAt) || s.ExpiresAt.After(s.LastSeenAt.Add(h.p.idleTimeout)) {
			t.Fatalf("expires at %v, beyond %v, %v or idle since %v", s.ExpiresAt, s.AbsoluteExpiresAt, s.RefreshExpiresAt, s.LastSeenAt)
		}
		if s.MinSerial > s.Serial || len(s.LateReplays) > lateReplayLimit || len(s.Revoked) > revokedCeiling {
			t.Fatalf("least serial %d of %d, %d late replays, %d revoked", s.MinSerial, s.Serial, len(s.LateReplays), len(s.Revoked))
		}
	}
	// P19: ledger and feed agree on every token that verifies anywhere.
	_, ending := endSessions(h.l, func(*Session) bool { return true }, ReasonRevoked, now)
	for _, k := range h.tokens {
		if !now.Before(k.expires.Add(maxLeeway)) {
			continue
		}
		s := find(&h.l, k.session)
		revoked := covered(h.published, k, now)
		switch {
		case s != nil && s.live(now):
			if accepted := s.accepts(k.serial, k.jti, now); accepted == revoked {
				t.Fatalf("the ledger accepts %+v: %v; the feed revokes it: %v", k, accepted, revoked)
			}
		case s == nil && !revoked && now.Before(k.expires):
			t.Fatalf("the session of %+v is gone and nothing revokes it", k)
		}
		if !revoked && s != nil && !covered(ending.Publish, k, now) {
			t.Fatalf("ending all sessions now would not cover %+v: %+v", k, ending.Publish)
		}
	}
}

// covered reports whether a revocation refuses a token for as long as it verifies.
func covered(list []Revocation, k issuedToken, now time.Time) bool {
	for _, r := range list {
		if r.Session == k.session && (r.JTI == k.jti || k.serial < r.MinSerial) && !now.Before(r.From) && !r.Until.Before(k.expires.Add(maxLeeway)) {
			return true
		}
	}
	return false
}

// anyPolicy draws the settings.
func anyPolicy(t *rapid.T) *policy {
	p := &policy{
		accessTTL:    rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour}).Draw(t, "access"),
		refreshTTL:   rapid.SampledFrom([]time.Duration{time.Minute, 7 * 24 * time.Hour}).Draw(t, "refresh"),
		sessionTTL:   rapid.SampledFrom([]time.Duration{5 * time.Minute, 30 * 24 * time.Hour}).Draw(t, "session"),
		idleTimeout:  rapid.SampledFrom([]time.Duration{30 * time.Second, time.Hour, 7 * 24 * time.Hour}).Draw(t, "idle"),
		refresh:      rapid.SampledFrom([]RefreshPolicy{Rotate, Rotate, Sliding}).Draw(t, "policy"),
		grace:        rapid.SampledFrom([]time.Duration{0, 500 * time.Millisecond, 10 * time.Second}).Draw(t, "grace"),
		retire:       rapid.SampledFrom([]time.Duration{0, AtOnce, time.Second}).Draw(t, "retire"),
		reuseEndsAll: rapid.Bool().Draw(t, "reuse ends all"),
		maxSessions:  rapid.IntRange(1, 4).Draw(t, "cap"),
		limit:        rapid.SampledFrom([]SessionLimitPolicy{EvictOldest, EvictIdle, RefuseNew}).Draw(t, "limit"),
	}
	p.touch = p.idleTimeout / 4
	if rapid.Bool().Draw(t, "per client") {
		p.maxPerClient = map[string]int{"phone": 1}
	}
	return p
}

// Every invariant of the rules, over random histories and settings.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyPolicy(t)
		h := &history{p: p, clock: ruleTime}
		h.signIn(t)
		t.Repeat(map[string]func(*rapid.T){
			"sign in": h.signIn, "refresh": h.refresh, "refresh again": h.refresh, "use": h.use,
			"revoke token": h.revokeToken, "end": h.end, "trim": h.trim, "wait": h.wait, "wait more": h.wait,
			"": h.check,
		})
	})
}
