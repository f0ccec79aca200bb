package core

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Signs of life: SeenAt once, LastSeenAt at most once per touch interval.
func TestUsed(t *testing.T) {
	const ms = time.Millisecond
	p := rulePolicy()
	p.idleTimeout = time.Hour
	l := with(begun(p, ago(10*time.Minute)), func(s *Session) {
		s.Gen, s.Serial = 5, 7
		s.MovedAt, s.LastSeenAt = ago(time.Minute), ago(time.Minute)
		p.active(s, ago(time.Minute))
	})
	seen := func(s *Session) { s.SeenAt = ago(30 * time.Second) }
	idle := func(d time.Duration) func(*Session) {
		return func(s *Session) {
			seen(s)
			s.Access = AccessRecord{}
			s.LastSeenAt, s.MovedAt = ago(d), ago(d)
			p.active(s, ago(d))
		}
	}
	for _, c := range []struct {
		rule     string
		change   func(*Session)
		use      use
		seen     time.Time // as it is afterwards; zero: nothing changes
		lastSeen time.Time
	}{
		{"an access token of the current serial: seen", nil, use{serial: 7, at: ago(ms)}, ago(ms), ago(time.Minute)},
		{"a refresh token of the current generation: seen", nil, use{gen: 5, at: ago(ms)}, ago(ms), ago(time.Minute)},
		{"an older access token says nothing", nil, use{serial: 6, at: ago(ms)}, time.Time{}, time.Time{}},
		{"an older refresh token says nothing", nil, use{gen: 4, at: ago(ms)}, time.Time{}, time.Time{}},
		{"seen is seen: not again", seen, use{serial: 7, at: ago(ms)}, time.Time{}, time.Time{}},
		{"seen is not before the move", nil, use{serial: 7, at: ago(2 * time.Minute)}, ago(time.Minute), ago(time.Minute)},
		{"a clock that is ahead is brought back", nil, use{serial: 7, at: ruleTime.Add(time.Hour)}, ruleTime, ago(time.Minute)},
		{"1 ms less than the touch interval: not noted", idle(5*time.Minute - ms), use{serial: 7, at: ruleTime}, time.Time{}, time.Time{}},
		{"the touch interval: noted", idle(5 * time.Minute), use{serial: 7, at: ruleTime}, ago(30 * time.Second), ruleTime},
		{"by an older token as well", idle(5 * time.Minute), use{serial: 6, at: ruleTime}, ago(30 * time.Second), ruleTime},
		{"as of when it was used", idle(6 * time.Minute), use{serial: 7, at: ago(time.Minute)}, ago(30 * time.Second), ago(time.Minute)},
		{"1 ms before the idle end: alive", idle(time.Hour - ms), use{serial: 7, at: ruleTime}, ago(30 * time.Second), ruleTime},
		{"at the idle end: nothing is revived", idle(time.Hour), use{serial: 7, at: ruleTime}, time.Time{}, time.Time{}},
		{"nor by an earlier use", idle(time.Hour), use{serial: 7, at: ago(time.Minute)}, time.Time{}, time.Time{}},
		{"an unknown session", nil, use{session: ruleID(9), serial: 7, at: ruleTime}, time.Time{}, time.Time{}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			l := l
			if c.change != nil {
				l = with(l, c.change)
			}
			if c.use.session.IsZero() {
				c.use.session = ruleID(1)
			}
			var change *Change
			unchanged(t, l, func() { change = p.used(l, c.use, ruleTime) })
			if (change == nil) != c.seen.IsZero() {
				t.Fatalf("change %+v", change)
			}
			if change == nil {
				return
			}
			want := l.Sessions[0]
			want.SeenAt, want.LastSeenAt = c.seen, c.lastSeen
			want.ExpiresAt = c.lastSeen.Add(time.Hour)
			if d := cmp.Diff(want, change.Apply(l).Sessions[0]); d != "" {
				t.Errorf("session (-want +got):\n%s", d)
			}
		})
	}
}

// Activity never takes a session past its other ends.
func TestUsedKeepsTheEnds(t *testing.T) {
	p := rulePolicy()
	for _, c := range []struct {
		rule string
		end  func(*Session, time.Time)
	}{
		{"the refresh token's", func(s *Session, t time.Time) { s.RefreshExpiresAt = t }},
		{"the absolute", func(s *Session, t time.Time) { s.AbsoluteExpiresAt = t }},
	} {
		end := ruleTime.Add(time.Minute)
		l := with(begun(p, ago(time.Hour)), func(s *Session) { c.end(s, end); p.active(s, s.LastSeenAt) })
		next := p.used(l, use{session: ruleID(1), serial: 1, at: ruleTime}, ruleTime).Apply(l)
		if s := next.Sessions[0]; !s.ExpiresAt.Equal(end) || !s.LastSeenAt.Equal(ruleTime) {
			t.Errorf("%s end: expires %v, want %v", c.rule, s.ExpiresAt, end)
		}
	}
}
