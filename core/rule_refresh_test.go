package core

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ruleTime is a moment in the tests of the rules.
var ruleTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

const ruleGrace = 10 * time.Second

// rulePolicy returns the default settings, as the rules know them.
func rulePolicy() *policy {
	return &policy{
		accessTTL:   time.Hour,
		refreshTTL:  7 * 24 * time.Hour,
		sessionTTL:  30 * 24 * time.Hour,
		idleTimeout: 7 * 24 * time.Hour,
		touch:       5 * time.Minute,
		grace:       ruleGrace,
		maxSessions: 5,
	}
}

func ruleID(b byte) ID { return ID{b, 0xff} }

// begun returns the ledger of a user who signed in at a time, with session 1 on
// device "d1".
func begun(p *policy, at time.Time) Ledger {
	_, c := p.signIn(Ledger{}, signInRequest{session: Session{ID: ruleID(1), Device: Device{ID: "d1", ClientType: "web"}}, jti: ruleID(101)}, at)
	c.ID = ruleID(201)
	return c.Apply(Ledger{})
}

// with returns the ledger with its first session changed.
func with(l Ledger, change func(*Session)) Ledger {
	l = l.Clone()
	change(&l.Sessions[0])
	return l
}

func ago(d time.Duration) time.Time { return ruleTime.Add(-d) }

// unchanged fails if a decision changed the ledger that it was given.
func unchanged(t *testing.T, l Ledger, decide func()) {
	t.Helper()
	before := l.Clone()
	decide()
	if d := cmp.Diff(before, l); d != "" {
		t.Errorf("the ledger that was handed in has changed (-before +after):\n%s", d)
	}
}

// The rows of the table at refreshSession and in design.md, with every bound.
func TestRefreshTable(t *testing.T) {
	const ms = time.Millisecond
	type state struct {
		moved, seen time.Time
		late        []time.Time
	}
	day := []time.Time{ago(lateReplayDay - ms), ago(time.Hour), ago(time.Minute)}
	for _, c := range []struct {
		rule    string
		policy  func(*policy)
		gen     uint64 // presented; the session is at 5
		device  string
		at      state
		want    refreshVerdict
		wantGen uint64 // 0: the session has ended, or nothing changes
		serials uint64 // by how much the serial grows
	}{
		{rule: "the current token rotates", gen: 5, want: refreshRotated, wantGen: 6, serials: 1},
		{rule: "a token of another device is refused and the session stays", gen: 5, device: "d2", want: refreshMismatch},
		{rule: "another device is refused even right after a move", gen: 5, device: "d2", at: state{moved: ago(ms)}, want: refreshMismatch},
		{rule: "a token from the future of another device is refused", gen: 6, device: "d2", want: refreshMismatch},
		{rule: "the session's own device goes on", gen: 5, device: "d1", want: refreshRotated, wantGen: 6, serials: 1},
		{rule: "a spent token of another device is reuse", gen: 4, device: "d2", at: state{moved: ago(ms)}, want: refreshReused},
		{rule: "moved now: the same again", gen: 5, at: state{moved: ruleTime}, want: refreshRepeated},
		{rule: "moved 1 ms less than grace ago: the same again", gen: 5, at: state{moved: ago(ruleGrace - ms)}, want: refreshRepeated},
		{rule: "moved exactly grace ago: moves", gen: 5, at: state{moved: ago(ruleGrace)}, want: refreshRotated, wantGen: 6, serials: 1},

		{rule: "predecessor, unseen, just moved: replay", gen: 4, at: state{moved: ago(ms)}, want: refreshReplayed, wantGen: 5},
		{rule: "predecessor, unseen, moved 1 ms less than grace ago: replay", gen: 4, at: state{moved: ago(ruleGrace - ms)}, want: refreshReplayed, wantGen: 5},
		{rule: "predecessor, unseen, moved exactly grace ago: late", gen: 4, at: state{moved: ago(ruleGrace)}, want: refreshReplayedLate, wantGen: 5, serials: 1},
		{rule: "predecessor, unseen, moved long ago: late", gen: 4, at: state{moved: ago(100 * time.Hour)}, want: refreshReplayedLate, wantGen: 5, serials: 1},
		{rule: "predecessor, seen 1 ms less than grace ago: replay", gen: 4, at: state{moved: ago(time.Hour), seen: ago(ruleGrace - ms)}, want: refreshReplayed, wantGen: 5},
		{rule: "predecessor, seen exactly grace ago: reuse", gen: 4, at: state{moved: ago(time.Hour), seen: ago(ruleGrace)}, want: refreshReused},
		{rule: "predecessor, seen grace ago though replayed since: reuse", gen: 4, at: state{moved: ago(ms), seen: ago(ruleGrace)}, want: refreshReused},
		{rule: "the predecessor's predecessor is reuse, however fresh", gen: 3, at: state{moved: ago(ms)}, want: refreshReused},
		{rule: "the first token is reuse", gen: 1, at: state{moved: ago(ms)}, want: refreshReused},

		{rule: "the third late replay of a day is forgiven", gen: 4, at: state{moved: ago(time.Minute), late: day[:2]}, want: refreshReplayedLate, wantGen: 5, serials: 1},
		{rule: "the fourth is reuse", gen: 4, at: state{moved: ago(time.Minute), late: day}, want: refreshReused},
		{rule: "one that is a day old does not count", gen: 4, at: state{moved: ago(time.Minute), late: []time.Time{ago(lateReplayDay), day[1], day[2]}}, want: refreshReplayedLate, wantGen: 5, serials: 1},
		{rule: "the limit is on late replays alone", gen: 4, at: state{moved: ago(ms), late: day}, want: refreshReplayed, wantGen: 5},

		{rule: "one from the future: the store lost a write", gen: 6, want: refreshRecovered, wantGen: 7, serials: 2 + lostSerials},
		{rule: "far from the future", gen: 100, at: state{moved: ago(ms)}, want: refreshRecovered, wantGen: 101, serials: 96 + lostSerials},

		{rule: "no grace: a move a moment ago does not hold the next one", policy: func(p *policy) { p.grace = 0 }, gen: 5, at: state{moved: ruleTime}, want: refreshRotated, wantGen: 6, serials: 1},
		{rule: "no grace: the predecessor is reuse at once", policy: func(p *policy) { p.grace = 0 }, gen: 4, at: state{moved: ruleTime}, want: refreshReused},
		{rule: "no grace: nor is it a late replay", policy: func(p *policy) { p.grace = 0 }, gen: 4, at: state{moved: ago(time.Hour)}, want: refreshReused},

		{rule: "sliding: the same token with a new life", policy: func(p *policy) { p.refresh = Sliding }, gen: 5, want: refreshSlid, wantGen: 5, serials: 1},
		{rule: "sliding: once per grace", policy: func(p *policy) { p.refresh = Sliding }, gen: 5, at: state{moved: ago(ruleGrace - ms)}, want: refreshRepeated},
		{rule: "sliding: of another device it is refused", policy: func(p *policy) { p.refresh = Sliding }, gen: 5, device: "d2", want: refreshMismatch},
		{rule: "sliding: one from before the policy changed is reuse", policy: func(p *policy) { p.refresh = Sliding }, gen: 3, want: refreshReused},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p := rulePolicy()
			l := with(begun(p, ago(100*time.Hour)), func(s *Session) {
				s.Gen, s.Serial = 5, 7
				s.MovedAt, s.SeenAt, s.LateReplays = c.at.moved, c.at.seen, c.at.late
			})
			if c.policy != nil {
				c.policy(p)
			}
			old := l.Sessions[0]
			var (
				out    refreshOutcome
				change *Change
			)
			unchanged(t, l, func() {
				out, change = p.refreshSession(l, refreshRequest{session: old.ID, gen: c.gen, device: c.device, ip: "192.0.2.1", jti: ruleID(102)}, ruleTime)
			})
			if out.verdict != c.want {
				t.Fatalf("verdict %d, want %d", out.verdict, c.want)
			}
			switch {
			case c.want == refreshReused:
				if want := []Ended{{old.ID, ReasonReuse}}; !slices.Equal(change.End, want) || !slices.Equal(out.ended, want) {
					t.Errorf("ended %v and said %v, want %v", change.End, out.ended, want)
				}
				want := []Revocation{{Session: old.ID, MinSerial: AllSerials, Until: lastVerifies(old.Access.Until)}}
				if d := cmp.Diff(want, change.Publish); d != "" {
					t.Errorf("published (-want +got):\n%s", d)
				}
			case c.wantGen == 0:
				if change != nil {
					t.Errorf("a change: %+v", change)
				}
				if d := cmp.Diff(old, out.session); d != "" {
					t.Errorf("the session of the answer (-stored +answered):\n%s", d)
				}
			default:
				s := change.Apply(l).Sessions[0]
				if d := cmp.Diff(s, out.session); d != "" {
					t.Errorf("the session of the answer (-committed +answered):\n%s", d)
				}
				if s.Gen != c.wantGen || s.Serial != old.Serial+c.serials || !s.MovedAt.Equal(ruleTime) {
					t.Errorf("gen %d, serial %d, moved at %v; want %d, %d, now", s.Gen, s.Serial, s.MovedAt, c.wantGen, old.Serial+c.serials)
				}
				checkRefreshed(t, &old, &s, c.want, change)
			}
		})
	}
}

// checkRefreshed checks what differs between moving and replaying.
func checkRefreshed(t *testing.T, old, s *Session, v refreshVerdict, change *Change) {
	t.Helper()
	if s.Access.JTI != ruleID(102) {
		t.Errorf("the access token was not recorded")
	}
	if v == refreshReplayed || v == refreshReplayedLate {
		if !s.ExpiresAt.Equal(old.ExpiresAt) || !s.RefreshExpiresAt.Equal(old.RefreshExpiresAt) || !s.LastSeenAt.Equal(old.LastSeenAt) || s.IP != old.IP {
			t.Errorf("a replay extended or moved the session: %+v", s)
		}
		if !s.SeenAt.Equal(old.SeenAt) {
			t.Errorf("seen at %v, was %v", s.SeenAt, old.SeenAt)
		}
	} else {
		if !s.SeenAt.IsZero() || s.IP != "192.0.2.1" || !s.LastSeenAt.Equal(ruleTime) || !s.RefreshExpiresAt.Equal(ruleTime.Add(7*24*time.Hour)) {
			t.Errorf("moved, but seen %v, ip %q, last seen %v, refresh expires %v", s.SeenAt, s.IP, s.LastSeenAt, s.RefreshExpiresAt)
		}
	}
	if v != refreshReplayedLate {
		if s.MinSerial != old.MinSerial || change.Publish != nil {
			t.Errorf("older access tokens were touched: %d, %v", s.MinSerial, change.Publish)
		}
		return
	}
	want := []Revocation{{Session: s.ID, MinSerial: s.Serial, Until: lastVerifies(old.Access.Until)}}
	if d := cmp.Diff(want, change.Publish); d != "" || s.MinSerial != s.Serial {
		t.Errorf("a late replay did not shut out who was answered: MinSerial %d of %d, published (-want +got):\n%s", s.MinSerial, s.Serial, d)
	}
	if n := len(s.LateReplays); n == 0 || n > lateReplayLimit || !s.LateReplays[n-1].Equal(ruleTime) {
		t.Errorf("late replays %v", s.LateReplays)
	}
}

func TestRefreshOfWhatIsOver(t *testing.T) {
	p := rulePolicy()
	p.idleTimeout = 24 * time.Hour
	l := begun(p, ruleTime)
	short := rulePolicy()
	short.sessionTTL = time.Hour
	for _, c := range []struct {
		rule    string
		ledger  Ledger
		session ID
		at      time.Time
		want    refreshVerdict
	}{
		{"unknown session", l, ruleID(9), ruleTime, refreshEnded},
		{"nothing known at all", Ledger{}, ruleID(1), ruleTime, refreshEnded},
		{"1 ms before the idle end", l, ruleID(1), ruleTime.Add(24*time.Hour - time.Millisecond), refreshRotated},
		{"at the idle end", l, ruleID(1), ruleTime.Add(24 * time.Hour), refreshEnded},
		{"at the refresh token's end", begun(rulePolicy(), ruleTime), ruleID(1), ruleTime.Add(7 * 24 * time.Hour), refreshExpired},
		{"1 ms before", begun(rulePolicy(), ruleTime), ruleID(1), ruleTime.Add(7*24*time.Hour - time.Millisecond), refreshRotated},
		{"at the absolute end", begun(short, ruleTime), ruleID(1), ruleTime.Add(time.Hour), refreshEnded},
		{"1 ms before it", begun(short, ruleTime), ruleID(1), ruleTime.Add(time.Hour - time.Millisecond), refreshRotated},
	} {
		out, change := p.refreshSession(c.ledger, refreshRequest{session: c.session, gen: 1, jti: ruleID(102)}, c.at)
		if out.verdict != c.want || (change != nil) != (c.want == refreshRotated) {
			t.Errorf("%s: verdict %d, change %v; want %d", c.rule, out.verdict, change, c.want)
		}
	}
}

// Reuse ends the session, or by policy all of the user's.
func TestReuseEndsAll(t *testing.T) {
	for _, all := range []bool{false, true} {
		p := rulePolicy()
		p.reuseEndsAll = all
		l := begun(p, ago(time.Hour))
		for i := byte(2); i <= 3; i++ {
			_, c := p.signIn(l, signInRequest{session: Session{ID: ruleID(i)}, jti: ruleID(100 + i)}, ago(time.Minute))
			l = c.Apply(l)
		}
		l = with(l, func(s *Session) { s.Gen, s.MovedAt, s.SeenAt = 3, ago(time.Hour), ago(time.Hour) })
		out, c := p.refreshSession(l, refreshRequest{session: ruleID(1), gen: 1}, ruleTime)
		want := 1
		if all {
			want = 3
		}
		if len(out.ended) != want || len(c.Publish) != want || len(c.Apply(l).Sessions) != 3-want {
			t.Errorf("all %v: ended %v, published %v", all, out.ended, c.Publish)
		}
	}
}

// Access tokens of before a refresh: kept, retired at once, or after an overlap.
func TestRetireAccess(t *testing.T) {
	rotate := func(t *testing.T, p *policy, l Ledger, at time.Time) (Ledger, []Revocation) {
		t.Helper()
		s := l.Sessions[0]
		out, c := p.refreshSession(l, refreshRequest{session: s.ID, gen: s.Gen, jti: ruleID(102)}, at)
		if out.verdict != refreshRotated {
			t.Fatalf("verdict %d", out.verdict)
		}
		return c.Apply(l), c.Publish
	}
	accepts := func(t *testing.T, l Ledger, serial uint64, at time.Time, want bool) {
		t.Helper()
		if got := l.Sessions[0].accepts(serial, "j", at); got != want {
			t.Errorf("serial %d at %v: accepted %v, want %v", serial, at.Sub(ruleTime), got, want)
		}
	}
	t.Run("off: they expire", func(t *testing.T) {
		p := rulePolicy()
		l, published := rotate(t, p, begun(p, ago(time.Minute)), ruleTime)
		accepts(t, l, 1, ruleTime.Add(time.Hour), true)
		if published != nil {
			t.Errorf("published %v", published)
		}
	})
	t.Run("at once", func(t *testing.T) {
		p := rulePolicy()
		p.retire = AtOnce
		before := begun(p, ago(time.Minute))
		l, published := rotate(t, p, before, ruleTime)
		accepts(t, l, 1, ruleTime, false)
		accepts(t, l, 2, ruleTime, true)
		if want := []Revocation{{Session: ruleID(1), MinSerial: 2, Until: lastVerifies(before.Sessions[0].Access.Until)}}; !cmp.Equal(want, published) {
			t.Errorf("published %v, want %v", published, want)
		}
	})
	t.Run("after an overlap", func(t *testing.T) {
		p := rulePolicy()
		p.retire = time.Minute
		l, published := rotate(t, p, begun(p, ago(time.Minute)), ruleTime)
		over := ruleTime.Add(time.Minute)
		accepts(t, l, 1, over.Add(-time.Millisecond), true)
		accepts(t, l, 1, over, false)
		accepts(t, l, 2, over, true)
		if len(published) != 1 || published[0].MinSerial != 2 || !published[0].From.Equal(over) {
			t.Errorf("published %v", published)
		}
		// A second rotation inside the overlap: what the first kept is over.
		second := ruleTime.Add(30 * time.Second)
		l, published = rotate(t, p, l, second)
		accepts(t, l, 1, second, false)
		accepts(t, l, 2, second.Add(time.Minute-time.Millisecond), true)
		accepts(t, l, 2, second.Add(time.Minute), false)
		accepts(t, l, 3, second.Add(time.Hour), true)
		if len(published) != 2 || published[0].MinSerial != 2 || !published[0].From.IsZero() || published[1].MinSerial != 3 || !published[1].From.Equal(second.Add(time.Minute)) {
			t.Errorf("published %v", published)
		}
		// A late replay inside the overlap ends it.
		l = with(l, func(s *Session) { s.MovedAt = s.MovedAt.Add(-ruleGrace) })
		out, c := p.refreshSession(l, refreshRequest{session: ruleID(1), gen: 2}, second)
		l = c.Apply(l)
		if out.verdict != refreshReplayedLate || !l.Sessions[0].RetireAt.IsZero() {
			t.Errorf("verdict %d, retires at %v", out.verdict, l.Sessions[0].RetireAt)
		}
		accepts(t, l, 3, second, false)
		accepts(t, l, 4, second, true)
	})
}

// P19, P14: an access token outlives neither the session nor what a revocation covers.
func TestAccessLife(t *testing.T) {
	p := rulePolicy()
	p.accessTTL, p.idleTimeout, p.sessionTTL = 15*time.Minute, time.Hour, 2*time.Hour
	at := ruleTime.Add(999 * time.Millisecond)
	for _, c := range []struct {
		rule    string
		change  func(*Session)
		expires time.Time
	}{
		{"its own life, from the whole second", func(*Session) {}, ruleTime.Add(15 * time.Minute)},
		{"cut to the session's end, down to the second", func(s *Session) { s.ExpiresAt = ruleTime.Add(1500 * time.Millisecond) }, ruleTime.Add(time.Second)},
		{"cut to what revocations cover", func(s *Session) { s.Access.Until = ruleTime.Add(2999 * time.Millisecond) }, ruleTime.Add(2 * time.Second)},
	} {
		s := with(begun(p, at), c.change).Sessions[0]
		issued, expires := p.accessLife(&s, at)
		if !issued.Equal(ruleTime) || !expires.Equal(c.expires) {
			t.Errorf("%s: from %v to %v, want from %v to %v", c.rule, issued, expires, ruleTime, c.expires)
		}
	}
	for _, c := range []struct{ expires, want time.Time }{
		{ruleTime, ruleTime.Add(time.Minute)},
		{ruleTime.Add(time.Millisecond), ruleTime.Add(time.Minute + time.Second)},
		{ruleTime.Add(999 * time.Millisecond), ruleTime.Add(time.Minute + time.Second)},
	} {
		if got := lastVerifies(c.expires); !got.Equal(c.want) {
			t.Errorf("a token that expires at %v verifies until %v, want %v", c.expires, got, c.want)
		}
	}
}
