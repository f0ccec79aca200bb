package core

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// waiter is a sign-in that has to wait.
func waiter(id byte) signInRequest {
	return signInRequest{
		session: Session{
			ID: ruleID(id), Device: Device{ID: fmt.Sprint("d", id), Signed: true, ClientType: "web"}, IP: "192.0.2.1",
			AuthTime: ago(time.Hour), AMR: []string{"pwd"}, Scopes: []string{"a"}, Risk: Risk{Score: 40},
		},
		jti: ruleID(100 + id), stepUp: true,
	}
}

// waiting is a ledger in which sign-ins wait that began at times before ruleTime.
func waiting(t *testing.T, ids ...byte) Ledger {
	t.Helper()
	p := rulePolicy()
	var l Ledger
	for i, id := range ids {
		out, c := p.signIn(l, waiter(id), ago(time.Duration(len(ids)-i)*time.Second))
		if !out.waits || out.begins() || c == nil {
			t.Fatalf("it does not wait: %+v", out)
		}
		c.ID = ruleID(200 + id)
		l = c.Apply(l)
	}
	return l
}

// completes is the request that completes a sign-in as another session.
func completes(id, as byte, amr ...string) signInRequest {
	return signInRequest{session: Session{ID: ruleID(as), AMR: amr}, jti: ruleID(100 + as), fulfils: ruleID(id)}
}

// A sign-in that waits is nothing but that: no session, no device, no time of a
// sign-in, nothing to revoke, and the ledger is kept for as long as it waits.
func TestWaitingIsNoSession(t *testing.T) {
	p := rulePolicy()
	var c *Change
	unchanged(t, Ledger{}, func() { _, c = p.signIn(Ledger{}, waiter(1), ruleTime) })
	want := &Change{At: ruleTime, KeepUntil: ruleTime.Add(pendingLasts)}
	s := waiter(1).session
	s.CreatedAt = ruleTime
	want.Pending = []Pending{{Session: s, ExpiresAt: ruleTime.Add(5 * time.Minute)}}
	if d := cmp.Diff(want, c); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	l := c.Apply(Ledger{})
	if l.session(ruleID(1), ruleTime) != nil || len(l.live(ruleTime)) != 0 {
		t.Error("it is live")
	}
	again, c := p.signIn(l, waiter(1), ruleTime.Add(time.Second))
	if !again.waits || c != nil {
		t.Errorf("a second look: %+v, %v, want it to wait and nothing to change", again, c)
	}
	r := waiter(2)
	r.checked = ago(time.Minute)
	_, c = p.signIn(l, r, ruleTime)
	if got := c.Pending[1].Session.CreatedAt; !got.Equal(r.checked) {
		t.Errorf("it began at %v, want %v: when the credentials were checked", got, r.checked)
	}
}

// What decides: the app's word or the score, and a denial before either.
func TestWhoWaits(t *testing.T) {
	for _, c := range []struct {
		score, stepUp, deny int
		asked               bool
		waits, denied       bool
	}{
		{score: 100},
		{score: 0, asked: true, waits: true},
		{score: 39, stepUp: 40},
		{score: 40, stepUp: 40, waits: true},
		{score: 100, stepUp: 40, waits: true},
		{score: 70, stepUp: 40, deny: 70, denied: true},
		{score: 70, asked: true, deny: 70, denied: true},
		{score: 69, deny: 70},
	} {
		p := rulePolicy()
		p.stepUp, p.deny = c.stepUp, c.deny
		r := waiter(1)
		r.stepUp, r.session.Risk.Score = c.asked, c.score
		out, change := p.signIn(Ledger{}, r, ruleTime)
		if out.waits != c.waits || out.denied != c.denied || out.begins() != (!c.waits && !c.denied) {
			t.Errorf("%+v: got %+v", c, out)
		}
		if c.denied && change != nil {
			t.Errorf("%+v: a denial changes the ledger", c)
		}
	}
}

// At most four wait; the oldest goes, and what is over counts for nothing.
func TestPendingCeiling(t *testing.T) {
	ids := func(l Ledger) (out []byte) {
		for _, p := range l.Pending {
			out = append(out, p.Session.ID[0])
		}
		slices.Sort(out)
		return out
	}
	l := waiting(t, 1, 2, 3, 4)
	if got := ids(l); !slices.Equal(got, []byte{1, 2, 3, 4}) {
		t.Fatalf("%v wait", got)
	}
	slices.Reverse(l.Pending) // the order of a ledger's lists means nothing
	p := rulePolicy()
	var c *Change
	unchanged(t, l, func() { _, c = p.signIn(l, waiter(5), ruleTime) })
	if got := ids(c.Apply(l)); !slices.Equal(got, []byte{2, 3, 4, 5}) {
		t.Errorf("%v wait, want the first to have gone", got)
	}
	_, c = p.signIn(l, waiter(6), ruleTime.Add(pendingLasts-2*time.Second))
	if got := ids(c.Apply(l)); !slices.Equal(got, []byte{4, 6}) {
		t.Errorf("%v wait, want those that are not over", got)
	}
}

func TestAttempt(t *testing.T) {
	signed := waiting(t, 1)
	word, named := signed.Clone(), signed.Clone()
	word.Pending[0].Session.Device.Signed = false
	named.Pending[0].Session.Device = Device{ID: "", Signed: false}
	tried := func(n int) Ledger { l := signed.Clone(); l.Pending[0].Attempts = n; return l }
	began := ago(time.Second)
	for _, c := range []struct {
		rule          string
		l             Ledger
		id            byte
		device        Device
		at            time.Time
		spent, refuse bool
	}{
		{rule: "the device that the server named", l: signed, id: 1, device: Device{ID: "d1", Signed: true}},
		{rule: "its id, as the client's word", l: signed, id: 1, device: Device{ID: "d1"}, refuse: true},
		{rule: "no word", l: signed, id: 1, refuse: true},
		{rule: "no word, but a name to come", l: signed, id: 1, device: Device{Signed: true}, refuse: true},
		{rule: "another that the server named", l: signed, id: 1, device: Device{ID: "d2", Signed: true}, refuse: true},
		{rule: "the client's own word", l: word, id: 1, device: Device{ID: "d1"}},
		{rule: "the client's own word, none now", l: word, id: 1},
		{rule: "another word", l: word, id: 1, device: Device{ID: "d2"}, refuse: true},
		{rule: "another case", l: word, id: 1, device: Device{ID: "D1"}, refuse: true},
		{rule: "another sign-in", l: signed, id: 2, device: Device{ID: "d1", Signed: true}, spent: true},
		{rule: "nobody waits", id: 1, device: Device{ID: "d1", Signed: true}, spent: true},
		{rule: "the fifth", l: tried(4), id: 1, device: Device{ID: "d1", Signed: true}},
		{rule: "the sixth", l: tried(5), id: 1, device: Device{ID: "d1", Signed: true}, spent: true},
		{rule: "the last moment", l: signed, id: 1, device: Device{ID: "d1", Signed: true}, at: began.Add(pendingLasts - time.Millisecond)},
		{rule: "five minutes", l: signed, id: 1, device: Device{ID: "d1", Signed: true}, at: began.Add(pendingLasts), spent: true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if c.at.IsZero() {
				c.at = ruleTime
			}
			var out attemptOutcome
			var change *Change
			unchanged(t, c.l, func() { out, change = attempt(c.l, ruleID(c.id), c.device, c.at) })
			if out.spent != c.spent || out.device != c.refuse {
				t.Fatalf("got %+v, want spent %v, another device %v", out, c.spent, c.refuse)
			}
			if (change == nil) != (c.spent || c.refuse) {
				t.Fatalf("change %+v", change)
			}
			if change == nil {
				return
			}
			want := c.l.Clone().Pending
			want[0].Attempts++
			if d := cmp.Diff(want, change.Pending); d != "" || len(change.Put)+len(change.End)+len(change.Publish) > 0 {
				t.Errorf("it changes (-want +got):\n%s%+v", d, change)
			}
		})
	}
}

// What begins is what waited, under an id of its own, at the time at which it is
// completed, and nothing waits any more.
func TestFulfil(t *testing.T) {
	p := rulePolicy()
	p.stepUp, p.deny = 30, 40 // it was let wait: it is not judged again
	l := waiting(t, 1, 2)
	now := ruleTime.Add(time.Minute)
	var (
		out signInOutcome
		c   *Change
	)
	unchanged(t, l, func() { out, c = p.signIn(l, completes(1, 50, "otp", "pwd"), now) })
	if !out.begins() || c == nil {
		t.Fatalf("got %+v", out)
	}
	want := waiter(1).session
	want.ID = ruleID(50)
	want.AMR = []string{"pwd", "otp"}
	got := out.session
	if got.ID == ruleID(1) {
		t.Error("the session has the id of what waited")
	}
	if !got.AuthTime.Equal(now) || !got.CreatedAt.Equal(now) || !got.AbsoluteExpiresAt.Equal(now.Add(p.sessionTTL)) {
		t.Errorf("auth_time %v, created %v, over %v, want those of the completion", got.AuthTime, got.CreatedAt, got.AbsoluteExpiresAt)
	}
	if got.Risk.Score != 40 || got.Device != want.Device || !slices.Equal(got.AMR, want.AMR) || !slices.Equal(got.Scopes, want.Scopes) || got.IP != want.IP {
		t.Errorf("got %+v, want what waited", got)
	}
	if len(c.Put) != 1 || !cmp.Equal(c.Put[0], got) {
		t.Errorf("put %+v", c.Put)
	}
	next := c.Apply(l)
	if len(next.Pending) != 1 || next.Pending[0].Session.ID != ruleID(2) || len(next.Devices) != 1 {
		t.Errorf("afterwards %+v wait, devices %+v", next.Pending, next.Devices)
	}
	again, c := p.signIn(next, completes(1, 50, "otp"), now)
	if !again.begins() || c != nil {
		t.Errorf("a second look: %+v, %v, want its own", again, c)
	}
	for _, id := range []byte{1, 9} {
		if out, c := p.signIn(next, completes(id, 51, "otp"), now); !out.spent || out.begins() || c != nil {
			t.Errorf("completing %d: %+v, %v, want spent", id, out, c)
		}
	}
	if out, c := p.signIn(l, completes(1, 51, "otp"), ago(2*time.Second).Add(pendingLasts)); !out.spent || c != nil {
		t.Errorf("five minutes later: %+v, %v, want spent", out, c)
	}
}

// The caps are looked at when it completes; refused, it goes on to wait.
func TestFulfilCaps(t *testing.T) {
	p := rulePolicy()
	p.maxSessions = 1
	l := waiting(t, 1)
	other := guests(p, guest{7, "web", time.Minute, time.Minute})
	l.Sessions = other.Sessions
	out, c := p.signIn(l, completes(1, 50, "otp"), ruleTime)
	if !out.begins() || len(c.End) != 1 || c.End[0] != (Ended{ruleID(7), ReasonEvicted}) {
		t.Errorf("got %+v", out)
	}
	p.limit = RefuseNew
	if out, c := p.signIn(l, completes(1, 50, "otp"), ruleTime); !out.refused || c != nil {
		t.Errorf("got %+v, %+v, want it refused and nothing changed", out, c)
	}
	r := completes(1, 50, "otp")
	r.replaces = []ID{ruleID(7)}
	if out, c := p.signIn(l, r, ruleTime); !out.begins() || c.End[0].Reason != ReasonReplaced {
		t.Errorf("in the same browser: %+v", out)
	}
}

// Whatever ends all sessions ends what waits, also where it was decided apart.
func TestNothingWaitsAfterRevokeAll(t *testing.T) {
	l := waiting(t, 1, 2)
	all := func(*Session) bool { return true }
	for name, c := range map[string]func() *Change{
		"all":           func() *Change { _, c := endAll(l, all, ReasonRevoked, ruleTime); return c },
		"all but one":   func() *Change { _, c := endAll(l, only(ruleID(9)), ReasonRevoked, ruleTime); return c },
		"asked before":  func() *Change { _, c := endAllSince(l, all, ago(time.Hour), ReasonRevoked, ruleTime); return c },
		"forget":        func() *Change { _, c := forget(l, ruleTime); return c },
		"decided apart": func() *Change { _, c := rulePolicy().rejoin(l, &apart{revokedAt: ruleTime}, false, ruleTime); return c },
	} {
		if next := c().Apply(l); len(next.Pending) != 0 {
			t.Errorf("%s: %+v wait", name, next.Pending)
		}
	}
	next := dropPending(l, ruleID(1), ruleTime).Apply(l)
	if len(next.Pending) != 1 || next.Pending[0].Session.ID != ruleID(2) {
		t.Errorf("one was dropped, and %+v wait", next.Pending)
	}
	if c := dropPending(l, ruleID(9), ruleTime); c != nil {
		t.Errorf("dropping nothing: %+v", c)
	}
}
