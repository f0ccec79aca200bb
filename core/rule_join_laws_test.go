package core

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// parted is a ledger that went on at its store, and apart from it in processes
// that could not reach the store.
type parted struct {
	p     *policy
	store *history
	apart []*history
}

func (w *parted) all() []*history { return append([]*history{w.store}, w.apart...) }

// now is when they join.
func (w *parted) now() time.Time {
	var now time.Time
	for _, h := range w.all() {
		now = latest(now, h.now())
	}
	return now
}

// part draws the life of a ledger of which n processes have a copy, or nothing.
func part(t *rapid.T, p *policy, n int) *parted {
	h := &history{p: p, clock: ruleTime}
	h.signIn(t)
	for range rapid.IntRange(0, 8).Draw(t, "before") {
		h.step(t)
	}
	w := &parted{p: p, store: h}
	for i := range n {
		o := &history{p: p, l: h.l.Clone(), drawn: uint64(i+1) << 32, tokens: slices.Clone(h.tokens), apart: new(apart)}
		o.clock = h.clock.Add(rapid.SampledFrom([]time.Duration{0, -2 * time.Second, 3 * time.Second}).Draw(t, "skew"))
		if rapid.IntRange(0, 4).Draw(t, "from nothing") == 0 {
			o.l = Ledger{}
		}
		w.apart = append(w.apart, o)
	}
	for range rapid.IntRange(0, 24).Draw(t, "apart") {
		if who := rapid.IntRange(0, n+2).Draw(t, "who"); who <= n {
			w.all()[who].step(t)
			continue
		}
		d := h.span(t)
		for _, o := range w.all() {
			o.clock = o.clock.Add(d)
		}
	}
	return w
}

// String names a history where it was drawn.
func (h *history) String() string { return fmt.Sprintf("%d:%d", h.drawn>>32, h.drawn&(1<<32-1)) }

func (h *history) span(t *rapid.T) time.Duration {
	return rapid.SampledFrom([]time.Duration{
		time.Millisecond, time.Second, h.p.grace, h.p.grace - time.Millisecond, h.p.accessTTL, h.p.touch,
		h.p.idleTimeout - time.Second, time.Minute, time.Hour, 25 * time.Hour,
	}).Draw(t, "span")
}

// step has something happen, whatever there is.
func (h *history) step(t *rapid.T) {
	steps := []func(*rapid.T){h.signIn, h.revokeForeign}
	if len(h.l.Sessions) > 0 {
		steps = append(steps, h.refresh, h.refresh, h.refresh, h.refresh, h.use, h.use, h.end, h.endAll, h.trim, h.revokeFirst)
	}
	if len(h.tokens) > 0 {
		steps = append(steps, h.revokeToken, h.revokeToken)
	}
	steps[rapid.IntRange(0, len(steps)-1).Draw(t, "step")](t)
	h.clock = h.clock.Add(rapid.SampledFrom([]time.Duration{0, time.Millisecond}).Draw(t, "pace"))
}

// endAll ends all sessions, or the others.
func (h *history) endAll(t *rapid.T) {
	keep := h.pick(t).ID
	if rapid.Bool().Draw(t, "all") {
		keep = ID{}
	}
	h.decide(t, func(l Ledger, now time.Time) *Change {
		_, c := endAll(l, func(s *Session) bool { return s.ID != keep }, ReasonPasswordChanged, now)
		return c
	})
}

func (h *history) revokeForeign(t *rapid.T) {
	jti := rapid.SampledFrom([]string{"f1", "f2", "f3"}).Draw(t, "foreign")
	h.decide(t, func(l Ledger, now time.Time) *Change {
		_, _, c := revokeForeign(l, jti, "feed:"+jti, ruleTime.Add(26*time.Hour), now)
		return c
	})
}

// revokeFirst revokes as many tokens of a session as there may be, and sometimes
// one more.
func (h *history) revokeFirst(t *rapid.T) {
	s := *h.pick(t)
	for range rapid.IntRange(5, 9).Draw(t, "tokens") {
		k := issuedToken{s.ID, s.Serial, h.id().String(), s.Access.Until}
		h.tokens = append(h.tokens, k)
		h.decide(t, func(l Ledger, now time.Time) *Change {
			_, c := revokeToken(l, k.session, k.serial, k.jti, k.expires, now)
			return c
		})
	}
}

// revokedIn reports whether a history refuses a token, but for its expiry.
func (h *history) revokedIn(k issuedToken, now time.Time) bool {
	if s := find(&h.l, k.session); s != nil {
		return !s.accepts(k.serial, k.jti, now)
	}
	return h.endedIn(k.session)
}

// endedIn reports whether a session was ended in a history.
func (h *history) endedIn(id ID) bool {
	return slices.ContainsFunc(h.published, func(r Revocation) bool { return r.Session == id && r.MinSerial == AllSerials })
}

// wide is the policy without caps that anything here reaches.
func wide(p *policy) *policy {
	w := *p
	w.maxSessions, w.maxPerClient = sessionCeiling, nil
	return &w
}

// rejoined is a ledger after some have rejoined, and what came of it.
type rejoined struct {
	l         Ledger
	published []Revocation
	ended     []Ended
}

func rejoinAll(p *policy, l Ledger, now time.Time, apart ...*apart) rejoined {
	r := rejoined{l: l}
	for i, a := range apart {
		out, c := p.rejoin(r.l, a, false, now)
		r.ended = append(r.ended, out.ended...)
		if c != nil {
			c.ID = ID{0xfe, byte(i)}
			r.l = c.Apply(r.l)
			r.published = append(r.published, c.Publish...)
		}
	}
	return r
}

// asSet compares lists whose order says nothing, and lists and maps that are
// empty alike.
var asSet = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.SortSlices(func(a, b RevokedToken) bool { return a.JTI < b.JTI }),
	cmpopts.SortSlices(func(a, b KnownDevice) bool { return a.text() < b.text() }),
	cmp.AllowUnexported(apart{}, apartSession{}, apartEnd{}, apartToken{}, deviceKey{}),
}

// ordered returns a copy with its lists in an order, to be compared fast.
func ordered[T any](v T) T {
	byJTI := func(a, b RevokedToken) int { return strings.Compare(a.JTI, b.JTI) }
	switch v := any(&v).(type) {
	case *Session:
		*v = v.Clone()
		slices.SortFunc(v.Revoked, byJTI)
	case *Ledger:
		*v = v.Clone()
		v.Version = ID{}
		for i := range v.Sessions {
			v.Sessions[i] = ordered(v.Sessions[i])
		}
		slices.SortFunc(v.Sessions, func(a, b Session) int { return slices.Compare(a.ID[:], b.ID[:]) })
		slices.SortFunc(v.Foreign, byJTI)
		slices.SortFunc(v.Devices, func(a, b KnownDevice) int { return strings.Compare(a.text(), b.text()) })
	case **apart:
		*v = (*v).clone()
		for id, s := range (*v).sessions {
			s.Session = ordered(s.Session)
			(*v).sessions[id] = s
		}
	}
	return v
}

func wantSame[T any](t *rapid.T, what string, x, y T) {
	t.Helper()
	if x, y = ordered(x), ordered(y); !reflect.DeepEqual(x, y) {
		t.Fatalf("%s:\n%s", what, cmp.Diff(x, y, asSet))
	}
}

// wantSemilattice checks that a join knows no order, no grouping and no number.
func wantSemilattice[T any](t *rapid.T, join func(T, T) T, x, y, z T) {
	t.Helper()
	wantSame(t, "joined with itself", x, join(x, x))
	wantSame(t, "in another order", join(x, y), join(y, x))
	wantSame(t, "in another grouping", join(join(x, y), z), join(x, join(y, z)))
	wantSame(t, "joined again", join(x, y), join(join(x, y), y))
}

// clone shares no memory with a, and has every map.
func (a *apart) clone() *apart {
	c := *a
	c.sessions, c.ended, c.foreign = cloneMap(a.sessions), cloneMap(a.ended), cloneMap(a.foreign)
	c.devices, c.spared, c.networks = cloneMap(a.devices), cloneMap(a.spared), cloneMap(a.networks)
	c.signIns = slices.Clone(a.signIns)
	for id, s := range c.sessions {
		s.Session = s.Clone()
		c.sessions[id] = s
	}
	return &c
}

func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	out := make(map[K]V)
	maps.Copy(out, m)
	return out
}

// prove checks 100 cases, and 20,000 with SALLYPORT_PROOF.
func prove(t *testing.T, check func(*rapid.T)) {
	rounds := 1
	if os.Getenv("SALLYPORT_PROOF") != "" {
		rounds = 200
	}
	for range rounds { // of 100
		rapid.Check(t, check)
	}
}

func joinSessions(x, y Session) Session { return x.join(&y) }

// anySession draws copies of one session that no history may lead to. Few values
// are drawn from, so that many are equal.
func anySession(t *rapid.T, name string) Session {
	moment := func(what string) time.Time {
		return rapid.SampledFrom([]time.Time{{}, ruleTime, ruleTime.Add(time.Second), ruleTime.Add(2 * time.Second)}).Draw(t, name+what)
	}
	small := func(what string) uint64 { return rapid.Uint64Range(1, 3).Draw(t, name+what) }
	word := func(what string) string { return rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, name+what) }
	s := Session{
		ID: ruleID(1), Gen: small("gen"), Serial: small("serial"),
		MovedAt: moment("moved"), SeenAt: moment("seen"), RetireAt: moment("retire"),
		LastSeenAt: moment("last seen"), ExpiresAt: moment("expires"), RefreshExpiresAt: moment("refresh expires"),
		IP: word("ip"), Location: Location{word("country"), word("city")},
		UserAgent: word("user agent"), Device: Device{Browser: word("browser"), OS: word("os"), Type: word("type")},
		Access: AccessRecord{ruleID(byte(small("jti"))), moment("issued"), moment("access expires"), moment("until")},
	}
	s.MinSerial = min(s.Serial, rapid.Uint64Range(0, 3).Draw(t, name+"least"))
	for i := range rapid.IntRange(0, 3).Draw(t, name+"replays") {
		s.LateReplays = append(s.LateReplays, ruleTime.Add(time.Duration(2*i+int(small("replay")))*time.Second))
	}
	for _, jti := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 3, rapid.ID).Draw(t, name+"revoked") {
		s.Revoked = append(s.Revoked, RevokedToken{jti, moment("revoked until")})
	}
	s.LateReplays = slices.CompactFunc(s.LateReplays, time.Time.Equal)
	if s.Risk.Score = int(small("risk")); s.Risk.Score > 1 {
		s.Risk.Reasons = []RiskReason{{Code: word("code"), Points: int(small("points")), Detail: word("detail")}}
	}
	return s
}

func TestProofJoinSessionLaws(t *testing.T) {
	prove(t, func(t *rapid.T) {
		x, y, z := anySession(t, "x "), anySession(t, "y "), anySession(t, "z ")
		before := x.Clone()
		wantSemilattice(t, joinSessions, x, y, z)
		wantSame(t, "what was joined has changed", before, x)

		j := x.join(&y)
		for _, s := range []Session{x, y} {
			if j.Gen < s.Gen || j.Serial < s.Serial || j.MinSerial < s.MinSerial || j.MinSerial > j.Serial || j.LastSeenAt.Before(s.LastSeenAt) ||
				j.Access.Until.Before(s.Access.Until) || len(j.LateReplays) > lateReplayLimit || j.Risk.Score < s.Risk.Score {
				t.Fatalf("ran back: %+v, was %+v", j, s)
			}
			for serial := range j.Serial + 1 {
				for _, jti := range []string{"", "a", "b", "c", "d"} {
					for _, now := range []time.Time{ruleTime, ruleTime.Add(time.Second), ruleTime.Add(2 * time.Second)} {
						if serial <= s.Serial && j.accepts(serial, jti, now) && !s.accepts(serial, jti, now) {
							t.Fatalf("serial %d, %q passes at %v in %+v, but not in %+v", serial, jti, now, j, s)
						}
					}
				}
			}
		}
		if !x.alike(&x) || x.alike(&y) != cmp.Equal(x, y, cmpopts.EquateEmpty()) {
			t.Fatalf("alike %v", x.alike(&y))
		}
	})
}

// anyApart draws what may have been done apart with sessions that began a moment
// after one another.
func anyApart(t *rapid.T, name string) *apart {
	a := &apart{
		sessions: make(map[ID]apartSession), ended: make(map[ID]apartEnd), spared: make(map[ID]time.Time),
		foreign: make(map[string]apartToken), devices: make(map[deviceKey]KnownDevice),
		networks: make(map[string]KnownNetwork),
	}
	moment := func(what string) time.Time {
		return ruleTime.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, name+what)) * clockMargin / 2)
	}
	a.at = moment("at")
	if rapid.Bool().Draw(t, name+"all ended") {
		a.revokedAt = moment("all ended at")
	}
	reasons := []Reason{ReasonEvicted, ReasonOvertaken, ReasonReuse, ReasonSignedOut}
	for i := range byte(5) {
		s := anySession(t, fmt.Sprint(name, i))
		s.ID, s.CreatedAt = ruleID(i), ruleTime.Add(time.Duration(i)*clockMargin/2)
		switch rapid.IntRange(0, 4).Draw(t, name+"what") {
		case 0:
			a.sessions[s.ID] = apartSession{s, i%2 == 0, rapid.Uint64Range(0, 3).Draw(t, name+"issued")}
		case 1:
			a.sessions[s.ID] = apartSession{s, i%2 == 0, 0}
			a.spare(&s)
		case 2:
			a.spare(&s)
		case 3:
			a.ended[s.ID] = apartEnd{rapid.SampledFrom(reasons).Draw(t, name+"why"), moment("until")}
		}
	}
	for _, jti := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b"}), rapid.ID).Draw(t, name+"foreign") {
		a.foreign[jti] = apartToken{moment("foreign until"), "feed:" + jti}
	}
	for _, id := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"d1", "d2"}), rapid.ID).Draw(t, name+"devices") {
		d := KnownDevice{Device: Device{ID: id}, FirstSeenAt: moment("first seen"), LastSeenAt: moment("device seen")}
		d.Name = rapid.SampledFrom([]string{"", "x"}).Draw(t, name+"device")
		a.devices[d.key()] = d
	}
	for _, prefix := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"n1", "n2"}), rapid.ID).Draw(t, name+"networks") {
		n := KnownNetwork{Prefix: prefix, ASN: rapid.Uint32Range(0, 1).Draw(t, name+"asn"), LastSeenAt: moment("network seen")}
		n.Location.City = rapid.SampledFrom([]string{"", "x"}).Draw(t, name+"network city")
		a.networks[prefix] = n
	}
	for range rapid.IntRange(0, 3).Draw(t, name+"sign-ins") {
		a.signIns = latestTimes(a.signIns, []time.Time{moment("signed in")})
	}
	if rapid.Bool().Draw(t, name+"reused") {
		a.reusedAt = moment("reused at")
	}
	a.settle()
	return a
}

func TestProofJoinApartLaws(t *testing.T) {
	check := func(t *rapid.T, x, y, z *apart) {
		before := x.clone()
		wantSemilattice(t, (*apart).join, x, y, z)
		wantSame(t, "joined with nothing done", x, x.join(new(apart)))
		wantSame(t, "what was joined has changed", before, x)
		j := x.join(y)
		for _, a := range []*apart{x, y} {
			for id := range a.ended {
				if _, back := j.sessions[id]; back {
					t.Fatalf("%v came back", id)
				}
			}
			for id, s := range j.sessions {
				if a.overtakes(id, s.CreatedAt) {
					t.Fatalf("%v was overtaken and stays", id)
				}
			}
		}
	}
	t.Run("any", func(t *testing.T) {
		prove(t, func(t *rapid.T) { check(t, anyApart(t, "x "), anyApart(t, "y "), anyApart(t, "z ")) })
	})
	t.Run("from histories", func(t *testing.T) {
		prove(t, func(t *rapid.T) {
			w := part(t, anyPolicy(t), 3)
			check(t, w.apart[0].apart, w.apart[1].apart, w.apart[2].apart)
		})
	})
}

// tokens returns every token that was issued.
func (w *parted) tokens() []issuedToken {
	all := make(map[issuedToken]bool)
	for _, h := range w.all() {
		for _, k := range h.tokens {
			all[k] = true
		}
	}
	return slices.Collect(maps.Keys(all))
}

// crowded reports whether a session was shut out by a join, having more revoked
// tokens than it remembers: no copy had gone as far.
func (w *parted) crowded(r rejoined) bool {
	return slices.ContainsFunc(r.l.Sessions, func(s Session) bool {
		return !slices.ContainsFunc(w.all(), func(h *history) bool {
			o := find(&h.l, s.ID)
			if mine, ok := h.noted(s.ID); ok && (o == nil || o.Serial < mine.Serial) {
				o = &mine.Session
			}
			return o != nil && o.Serial == s.Serial
		})
	})
}

func (h *history) noted(id ID) (apartSession, bool) {
	if h.apart == nil {
		return apartSession{}, false
	}
	s, ok := h.apart.sessions[id]
	return s, ok
}

// needed is a ledger without what does not count: what any change drops, and the
// names of revoked tokens that the least serial shuts out as well.
func (w *parted) needed(l Ledger, now time.Time) Ledger {
	l = (&Change{}).seal(&l, now).Apply(l)
	serials := make(map[string]uint64)
	for _, k := range w.tokens() {
		serials[k.jti] = k.serial
	}
	l = l.Clone()
	for i := range l.Sessions {
		s := &l.Sessions[i]
		s.Revoked = slices.DeleteFunc(s.Revoked, func(r RevokedToken) bool { return serials[r.JTI] < s.MinSerial })
	}
	return l
}

// Before the caps it does not matter in which order processes rejoin, whether
// they are joined before, or how often.
func TestProofRejoinOrder(t *testing.T) {
	prove(t, func(t *rapid.T) {
		w := part(t, anyPolicy(t), 2)
		p, l, now := wide(w.p), w.store.l, w.now()
		a, b := w.apart[0].apart, w.apart[1].apart
		joined := rejoinAll(p, l, now, a.join(b))
		for name, got := range map[string]rejoined{
			"a, then b": rejoinAll(p, l, now, a, b),
			"b, then a": rejoinAll(p, l, now, b, a),
			"a twice":   rejoinAll(p, l, now, a, a, b),
			"all twice": rejoinAll(p, l, now, a, b, a.join(b), a),
		} {
			if !w.crowded(joined) && !w.crowded(got) { // else it is a cap
				wantSame(t, name, w.needed(joined.l, now), w.needed(got.l, now))
			}
		}
	})
}

// A second time changes nothing, and publishes nothing that was not published.
func TestProofRejoinTwice(t *testing.T) {
	prove(t, func(t *rapid.T) {
		w := part(t, anyPolicy(t), 2)
		now, a := w.now(), w.apart[0].apart.join(w.apart[1].apart)
		before, noted := w.store.l.Clone(), a.clone()
		once := rejoinAll(w.p, w.store.l, now, a)
		wantSame(t, "the ledger that was handed in has changed", before, w.store.l)
		wantSame(t, "what was done apart has changed", noted, a)
		_, c := w.p.rejoin(once.l, a, false, now)
		if c == nil {
			return
		}
		if c.Put != nil || c.End != nil || c.Devices != nil || c.Foreign != nil || !c.RevokedAt.IsZero() || len(c.Publish) == 0 {
			t.Fatalf("a second time: %+v", c)
		}
		for _, r := range c.Publish {
			before := func(o Revocation) bool {
				return o.Session == r.Session && o.MinSerial == r.MinSerial && o.From.Equal(r.From) && !o.Until.Before(r.Until)
			}
			if r.JTI != "" || !slices.ContainsFunc(once.published, before) {
				t.Fatalf("published a second time: %+v", r)
			}
		}
	})
}

// After whatever was done apart and however it is joined: nothing runs back, what
// ended or was revoked on any side stays so and is published, and nothing else is
// refused.
func TestProofRejoinSafe(t *testing.T) {
	prove(t, func(t *rapid.T) {
		w := part(t, anyPolicy(t), 2)
		now, a, b := w.now(), w.apart[0].apart, w.apart[1].apart
		var r rejoined
		switch rapid.IntRange(0, 2).Draw(t, "order") {
		case 0:
			r = rejoinAll(w.p, w.store.l, now, a, b)
		case 1:
			r = rejoinAll(w.p, w.store.l, now, b, a)
		default:
			r = rejoinAll(w.p, w.store.l, now, a.join(b))
		}
		w.checkSessions(t, r, now)
		w.checkTokens(t, r, now)
		w.checkRefreshes(t, r, now)
	})
}

func (w *parted) checkSessions(t *rapid.T, r rejoined, now time.Time) {
	for _, h := range w.all() {
		for _, j := range r.l.Sessions {
			if h.endedIn(j.ID) {
				t.Fatalf("%v ended in %v and is back", j.ID, h)
			}
		}
	}
	for _, j := range r.l.live(now) { // what is over may stay as it was
		for _, h := range w.all() {
			s := find(&h.l, j.ID)
			if s == nil && j.CreatedAt.Before(h.l.RevokedAt) {
				t.Fatalf("%v began before all were ended in %v, which did not know it", j.ID, h)
			}
			if s != nil && (j.Gen < s.Gen || j.Serial < s.Serial || j.MinSerial < s.MinSerial || j.LastSeenAt.Before(s.LastSeenAt) ||
				j.Access.Until.Before(s.Access.Until) || j.RefreshExpiresAt.Before(s.RefreshExpiresAt) || j.ExpiresAt.Before(s.ExpiresAt)) {
				t.Fatalf("ran back in %v: %+v, was %+v", h, j, s)
			}
		}
		if j.MinSerial > j.Serial || len(j.Revoked) > revokedCeiling || len(j.LateReplays) > lateReplayLimit ||
			j.ExpiresAt.After(j.AbsoluteExpiresAt) || j.RefreshExpiresAt.After(j.AbsoluteExpiresAt) || j.Access.Until.After(j.ExpiresAt) {
			t.Fatalf("a session that can't be: %+v", j)
		}
		_, begun := w.apart[0].noted(j.ID)
		_, too := w.apart[1].noted(j.ID)
		if find(&w.store.l, j.ID) == nil && !begun && !too {
			t.Fatalf("%v is from nowhere", j.ID)
		}
	}
	for _, s := range w.store.l.Sessions {
		if !s.live(w.store.l.RevokedAt) && r.l.session(s.ID, now) != nil {
			t.Fatalf("%v was over when all were ended, and lives", s.ID)
		}
	}
	for _, h := range w.all() {
		if r.l.RevokedAt.Before(h.l.RevokedAt) {
			t.Fatalf("all were ended at %v in %v, not %v", h.l.RevokedAt, h, r.l.RevokedAt)
		}
		for _, d := range h.l.Devices {
			if !slices.ContainsFunc(r.l.Devices, func(o KnownDevice) bool { return o.key() == d.key() && !o.LastSeenAt.Before(d.LastSeenAt) }) {
				t.Fatalf("device %v of %v is not known", d, h)
			}
		}
	}
}

func (w *parted) checkTokens(t *rapid.T, r rejoined, now time.Time) {
	feed := slices.Concat(w.store.published, r.published)
	learnt := newFeed(10_000, time.Minute) // by a process that followed the feed
	learnt.enforce(feed, ruleTime)
	later := now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, w.p.accessTTL - time.Second}).Draw(t, "later"))
	learnt.purge(later)
	for _, k := range w.tokens() {
		if !now.Before(k.expires.Add(maxLeeway)) {
			continue
		}
		s := find(&r.l, k.session)
		accepted := s != nil && s.accepts(k.serial, k.jti, now)
		for _, h := range w.all() {
			if accepted && h.revokedIn(k, now) {
				t.Fatalf("%+v was revoked in %v and is accepted", k, h)
			}
		}
		if accepted == covered(feed, k, now) {
			t.Fatalf("the ledger accepts %+v: %v; the feed the same: %v", k, accepted, feed)
		}
		cut, _ := learnt.cuts(&known{principal: new(Principal), session: k.session, serial: k.serial, jti: jtiKey(k.jti)}, later)
		if later.Before(k.expires.Add(maxLeeway)) && cut == (s != nil && s.accepts(k.serial, k.jti, later)) {
			t.Fatalf("who followed the feed revokes %+v: %v; the ledger the same: %v", k, cut, feed)
		}
	}
	for _, h := range w.all() {
		for _, f := range h.l.Foreign {
			if !now.Before(f.Until) {
				continue
			}
			if !r.l.revokedForeign(f.JTI) || !slices.ContainsFunc(feed, func(r Revocation) bool { return r.JTI == "feed:"+f.JTI && !r.Until.Before(f.Until) }) {
				t.Fatalf("%v was revoked in %v: %v, %v", f, h, r.l.Foreign, feed)
			}
		}
	}
}

// checkRefreshes checks that a refresh token that was spent for good on one side
// is reuse in what is joined, and that the last one goes on.
func (w *parted) checkRefreshes(t *rapid.T, r rejoined, now time.Time) {
	for _, j := range r.l.Sessions {
		if !j.live(now) {
			continue
		}
		present := func(gen uint64) refreshVerdict {
			out, _ := w.p.refreshSession(r.l, refreshRequest{session: j.ID, gen: gen, jti: ruleID(99)}, now)
			return out.verdict
		}
		if v := present(j.Gen); !v.granted() {
			t.Fatalf("the last token of %+v: %v", j, v)
		}
		for _, h := range w.all() {
			s := find(&h.l, j.ID)
			if s == nil {
				continue
			}
			for gen := uint64(1); gen < s.Gen; gen++ {
				spent := w.p.grace == 0 || gen < s.Gen-1 || !s.SeenAt.IsZero() && now.Sub(s.SeenAt) >= w.p.grace
				if v := present(gen); spent && v != refreshReused {
					t.Fatalf("token %d was spent in %v at %d, and opens %+v: %v", gen, h, s.Gen, j, v)
				}
			}
		}
	}
}

// The caps hold afterwards, in whatever order. Which sessions stay is first come,
// first served; but where the oldest goes and nothing ended apart it is the newest.
func TestProofRejoinCaps(t *testing.T) {
	prove(t, func(t *rapid.T) {
		w := part(t, anyPolicy(t), 2)
		now, a, b := w.now(), w.apart[0].apart, w.apart[1].apart
		all := rejoinAll(wide(w.p), w.store.l, now, a.join(b))
		open := all.l.live(now)
		orders := [][]*apart{{a, b}, {b, a}, {a.join(b)}}
		var stay [][]Session
		for _, order := range orders {
			r := rejoinAll(w.p, w.store.l, now, order...)
			live := r.l.live(now)
			stay = append(stay, live)
			phones := 0
			for _, s := range live {
				if s.Device.ClientType == "phone" {
					phones++
				}
				if find(&all.l, s.ID) == nil {
					t.Fatalf("%v is there for the cap", s.ID)
				}
			}
			if most, capped := w.p.maxPerClient["phone"]; len(live) > w.p.maxSessions || capped && phones > most {
				t.Fatalf("%d live sessions, %d on phones; at most %d and %v", len(live), phones, w.p.maxSessions, w.p.maxPerClient)
			}
			for _, s := range open {
				gone := find(&r.l, s.ID) == nil
				if said := slices.Contains(r.ended, Ended{s.ID, ReasonEvicted}); gone != said {
					t.Fatalf("%v went: %v; said: %v", s.ID, gone, r.ended)
				}
				if stood := w.store.l.session(s.ID, now); gone && stood != nil && w.p.limit == RefuseNew {
					t.Fatalf("%v was live in the store and went", s.ID)
				}
			}
		}
		if w.p.limit == EvictOldest && len(a.ended)+len(b.ended) == 0 && a.revokedAt.IsZero() && b.revokedAt.IsZero() {
			for _, live := range stay[1:] {
				wantSame(t, "what stays", sessionIDs(stay[0]), sessionIDs(live))
			}
		}
		if last := stay[2]; w.p.limit != RefuseNew && w.p.maxPerClient == nil && len(last) != min(len(open), w.p.maxSessions) {
			t.Fatalf("%d of %d stay, though %d may", len(last), len(open), w.p.maxSessions)
		}
		last, dropped := stay[2], slices.DeleteFunc(open, func(s Session) bool {
			return slices.ContainsFunc(stay[2], func(o Session) bool { return o.ID == s.ID })
		})
		for _, d := range dropped { // joined before
			for _, s := range last {
				if w.p.maxPerClient != nil && s.Device.ClientType != d.Device.ClientType {
					continue
				}
				older := newestFirst(s, d) > 0
				switch {
				case w.p.limit == EvictOldest && older,
					w.p.limit == EvictIdle && s.LastSeenAt.Before(d.LastSeenAt),
					w.p.limit == RefuseNew && !older && w.store.l.session(s.ID, now) == nil:
					t.Fatalf("%v stays and %v goes", s, d)
				}
			}
		}
	})
}

func sessionIDs(sessions []Session) (ids []ID) {
	for _, s := range sessions {
		ids = append(ids, s.ID)
	}
	return ids
}
