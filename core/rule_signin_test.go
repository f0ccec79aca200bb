package core

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// guest is a session to put into a ledger.
type guest struct {
	id      byte
	client  string
	created time.Duration // before ruleTime
	seen    time.Duration
}

func guests(p *policy, list ...guest) Ledger {
	l := Ledger{Version: ruleID(200), At: ago(time.Second)}
	for _, g := range list {
		s := Session{
			ID: ruleID(g.id), Gen: 1, Serial: 1, Device: Device{ID: fmt.Sprint("d", g.id), ClientType: g.client},
			CreatedAt: ago(g.created), AbsoluteExpiresAt: ago(g.created).Add(p.sessionTTL),
		}
		p.renew(&s, ago(g.seen))
		p.record(&s, ruleID(100+g.id), ago(g.seen))
		l.Sessions = append(l.Sessions, s)
	}
	return l
}

func TestSessionCaps(t *testing.T) {
	const min = time.Minute
	three := []guest{{1, "web", 3 * min, 1 * min}, {2, "phone", 2 * min, 3 * min}, {3, "web", 1 * min, 2 * min}}
	for _, c := range []struct {
		rule     string
		limit    SessionLimitPolicy
		most     int
		per      map[string]int
		guests   []guest
		client   string
		replaces []byte
		refused  bool
		ended    map[byte]Reason
	}{
		{rule: "room left: nobody goes", most: 4, guests: three, client: "web"},
		{rule: "the oldest goes", most: 3, guests: three, client: "web", ended: map[byte]Reason{1: ReasonEvicted}},
		{rule: "the idlest goes", limit: EvictIdle, most: 3, guests: three, client: "web", ended: map[byte]Reason{2: ReasonEvicted}},
		{rule: "the new one is refused", limit: RefuseNew, most: 3, guests: three, client: "web", refused: true},
		{rule: "not refused while there is room", limit: RefuseNew, most: 4, guests: three, client: "web"},
		{rule: "a cap that was lowered takes effect", most: 1, guests: three, client: "web", ended: map[byte]Reason{1: ReasonEvicted, 2: ReasonEvicted, 3: ReasonEvicted}},
		{rule: "the oldest of the client type goes", most: 9, per: map[string]int{"web": 2}, guests: three, client: "web", ended: map[byte]Reason{1: ReasonEvicted}},
		{rule: "the idlest of the client type goes", limit: EvictIdle, most: 9, per: map[string]int{"web": 2}, guests: three, client: "web", ended: map[byte]Reason{3: ReasonEvicted}},
		{rule: "one phone: the new one replaces it", most: 9, per: map[string]int{"phone": 1}, guests: three, client: "phone", ended: map[byte]Reason{2: ReasonEvicted}},
		{rule: "another client type is not counted", most: 9, per: map[string]int{"phone": 1}, guests: three, client: "web"},
		{rule: "refused for the client type alone", limit: RefuseNew, most: 9, per: map[string]int{"phone": 1}, guests: three, client: "phone", refused: true},
		{rule: "both caps hold", most: 2, per: map[string]int{"phone": 1}, guests: three, client: "phone", ended: map[byte]Reason{2: ReasonEvicted, 1: ReasonEvicted}},
		{rule: "whom the client type's cap ends makes room for all", most: 3, per: map[string]int{"phone": 1}, guests: three, client: "phone", ended: map[byte]Reason{2: ReasonEvicted}},
		{rule: "a replaced session makes room", most: 3, guests: three, client: "web", replaces: []byte{3}, ended: map[byte]Reason{3: ReasonReplaced}},
		{rule: "and lets in where refusing is the policy", limit: RefuseNew, most: 3, guests: three, client: "web", replaces: []byte{3}, ended: map[byte]Reason{3: ReasonReplaced}},
		{rule: "refused: nothing is replaced either", limit: RefuseNew, most: 2, guests: three, client: "web", replaces: []byte{3}, refused: true},
		{rule: "replaced twice, once; unknown ones are passed over", most: 9, guests: three, client: "web", replaces: []byte{9, 3, 3}, ended: map[byte]Reason{3: ReasonReplaced}},
		{rule: "of the same age, the lowest id goes", most: 2, guests: []guest{{2, "web", min, min}, {1, "web", min, min}}, client: "web", ended: map[byte]Reason{1: ReasonEvicted}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p := rulePolicy()
			p.limit, p.maxSessions, p.maxPerClient = c.limit, c.most, c.per
			l := guests(p, c.guests...)
			r := signInRequest{session: Session{ID: ruleID(50), Device: Device{ID: "new", ClientType: c.client}}, jti: ruleID(150)}
			for _, id := range c.replaces {
				r.replaces = append(r.replaces, ruleID(id))
			}
			var (
				out    signInOutcome
				change *Change
			)
			unchanged(t, l, func() { out, change = p.signIn(l, r, ruleTime) })
			if out.refused != c.refused || (change == nil) != c.refused {
				t.Fatalf("refused %v, want %v; change %v", out.refused, c.refused, change)
			}
			if c.refused {
				return
			}
			ended := map[byte]Reason{}
			for i, e := range change.End {
				ended[e.ID[0]] = e.Reason
				if p := change.Publish[i]; p.Session != e.ID || p.MinSerial != AllSerials {
					t.Errorf("%v ended, but revoked is %v", e, p)
				}
			}
			if c.ended == nil {
				c.ended = map[byte]Reason{}
			}
			if d := cmp.Diff(c.ended, ended); d != "" || !slices.Equal(out.ended, change.End) {
				t.Errorf("ended (-want +got):\n%s; said %v", d, out.ended)
			}
			next := change.Apply(l)
			if n := len(next.live(ruleTime)); n != len(c.guests)-len(c.ended)+1 {
				t.Errorf("%d live sessions afterwards", n)
			}
		})
	}
}

func TestSessionCeiling(t *testing.T) {
	p := rulePolicy()
	p.maxSessions = 1000
	var l Ledger
	for i := range 300 {
		_, c := p.signIn(l, signInRequest{session: Session{ID: ID{byte(i), byte(i >> 8), 1}}}, ruleTime.Add(time.Duration(i)*time.Second))
		l = c.Apply(l)
	}
	if n := len(l.Sessions); n != sessionCeiling {
		t.Errorf("%d sessions, want %d", n, sessionCeiling)
	}
}

func TestNewSession(t *testing.T) {
	p := rulePolicy()
	r := signInRequest{session: Session{ID: ruleID(1), Device: Device{ID: "d1", ClientType: "web"}, IP: "192.0.2.1"}, jti: ruleID(101)}
	out, c := p.signIn(Ledger{}, r, ruleTime)
	want := r.session
	want.CreatedAt, want.LastSeenAt, want.AuthTime = ruleTime, ruleTime, ruleTime
	want.RefreshExpiresAt, want.ExpiresAt = ruleTime.Add(7*24*time.Hour), ruleTime.Add(7*24*time.Hour)
	want.AbsoluteExpiresAt = ruleTime.Add(30 * 24 * time.Hour)
	want.Gen, want.Serial = 1, 1
	want.Access = AccessRecord{ruleID(101), ruleTime, ruleTime.Add(time.Hour), ruleTime.Add(time.Hour + ruleGrace)}
	if d := cmp.Diff(want, out.session); d != "" {
		t.Errorf("session (-want +got):\n%s", d)
	}
	// A second look recognises its own, whatever happened to it since.
	l := with(c.Apply(Ledger{}), func(s *Session) { s.SeenAt = ruleTime })
	again, c := p.signIn(l, r, ruleTime.Add(time.Second))
	if c != nil || !cmp.Equal(again.session, l.Sessions[0]) {
		t.Errorf("a second look: %+v, %v", again, c)
	}
}

func TestKnownDevices(t *testing.T) {
	p := rulePolicy()
	p.maxSessions = 256
	signIn := func(l Ledger, device string, at time.Time) Ledger {
		var id ID
		copy(id[:], device+at.String())
		_, c := p.signIn(l, signInRequest{session: Session{ID: id, Device: Device{ID: device}, IP: "ip-" + device}}, at)
		return c.Apply(l)
	}
	names := func(l Ledger) []string {
		var out []string
		for _, d := range l.Devices {
			out = append(out, d.ID)
		}
		slices.Sort(out)
		return out
	}
	l := signIn(Ledger{}, "a", ruleTime)
	l = signIn(l, "a", ruleTime.Add(time.Hour))
	if d := l.Devices; len(d) != 1 || !d[0].FirstSeenAt.Equal(ruleTime) || !d[0].LastSeenAt.Equal(ruleTime.Add(time.Hour)) || d[0].IP != "ip-a" {
		t.Errorf("a device that came twice: %+v", d)
	}
	for i := range deviceCeiling {
		l = signIn(l, fmt.Sprintf("x%02d", i), ruleTime.Add(time.Hour+time.Duration(i+1)*time.Second))
	}
	if n := names(l); len(n) != deviceCeiling || slices.Contains(n, "a") {
		t.Errorf("bounded: %v", n)
	}
	late := ruleTime.Add(time.Hour + 2*time.Second + deviceMemory) // x01 is just over
	if n := names(signIn(l, "z", late)); len(n) != deviceCeiling-1 || n[0] != "x02" {
		t.Errorf("forgotten after a time: %v", n)
	}
	if n := names(signIn(l, "z", late.Add(-time.Millisecond))); len(n) != deviceCeiling || n[0] != "x01" {
		t.Errorf("not a moment earlier: %v", n)
	}
}
