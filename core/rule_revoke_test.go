package core

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEndSessions(t *testing.T) {
	p := rulePolicy()
	list := []guest{{1, "web", 3 * time.Minute, 0}, {2, "web", 2 * time.Minute, 0}, {3, "web", time.Minute, 0}}
	// 4 is over, but its tokens verify yet; of 5 nothing does.
	whole := guests(p, append(list, guest{4, "web", time.Hour, 0}, guest{5, "web", time.Hour, 0})...)
	whole.Sessions[3].ExpiresAt = ago(maxLeeway - time.Millisecond)
	whole.Sessions[4].ExpiresAt = ago(maxLeeway)
	for _, c := range []struct {
		rule    string
		which   func(*Session) bool
		ended   []byte
		revoked []byte
	}{
		{"one", only(ruleID(2)), []byte{2}, []byte{2}},
		{"the others", func(s *Session) bool { return s.ID != ruleID(2) }, []byte{1, 3}, []byte{1, 3, 4}},
		{"all", func(*Session) bool { return true }, []byte{1, 2, 3}, []byte{1, 2, 3, 4}},
		{"an unknown one", only(ruleID(9)), nil, nil},
		{"one that is over, while its tokens verify", only(ruleID(4)), nil, []byte{4}},
		{"one that is over, later", only(ruleID(5)), nil, nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var (
				ended  []Session
				change *Change
			)
			unchanged(t, whole, func() { ended, change = endSessions(whole, c.which, ReasonRevoked, ruleTime) })
			if (change == nil) != (c.revoked == nil) {
				t.Fatalf("change %v", change)
			}
			if change == nil {
				return
			}
			if got := idsOf(ended); !slices.Equal(got, c.ended) {
				t.Errorf("ended %v, want %v", got, c.ended)
			}
			var revoked []byte
			for _, r := range change.Publish {
				if r.MinSerial != AllSerials || r.Until.Before(whole.Sessions[r.Session[0]-1].Access.Until.Add(maxLeeway)) {
					t.Errorf("revoked %+v", r)
				}
				revoked = append(revoked, r.Session[0])
			}
			if slices.Sort(revoked); !slices.Equal(revoked, c.revoked) {
				t.Errorf("revoked %v, want %v", revoked, c.revoked)
			}
			for _, s := range change.Apply(whole).Sessions {
				if slices.Contains(c.revoked, s.ID[0]) {
					t.Errorf("%v is still there", s.ID[0])
				}
			}
		})
	}
}

func idsOf(sessions []Session) []byte {
	var out []byte
	for _, s := range sessions {
		out = append(out, s.ID[0])
	}
	slices.Sort(out)
	return out
}

func TestTrim(t *testing.T) {
	p := rulePolicy()
	l := guests(p, guest{1, "web", 3 * time.Minute, 0}, guest{2, "web", time.Minute, 0}, guest{3, "web", 2 * time.Minute, 0})
	for keep, want := range map[int][]byte{0: {1, 2, 3}, 1: {1, 3}, 2: {1}, 3: nil, 4: nil} {
		ended, c := trim(l, keep, ruleTime)
		if got := idsOf(ended); !slices.Equal(got, want) || (c == nil) != (want == nil) {
			t.Errorf("keep %d: ended %v, want %v", keep, got, want)
		}
		if c != nil && c.End[0].Reason != ReasonTrimmed {
			t.Errorf("reason %q", c.End[0].Reason)
		}
	}
}

// One token: 8 are remembered, the 9th shuts out all that the session issued.
func TestRevokeTokenRule(t *testing.T) {
	p := rulePolicy()
	l := begun(p, ago(time.Minute))
	expires := ruleTime.Add(time.Hour)
	for n := range revokedCeiling {
		jti := fmt.Sprint("j", n)
		var (
			done bool
			c    *Change
		)
		unchanged(t, l, func() { done, c = revokeToken(l, ruleID(1), 1, jti, expires, ruleTime) })
		want := []Revocation{{Session: ruleID(1), JTI: jti, Until: expires.Add(maxLeeway)}}
		if !done || !cmp.Equal(want, c.Publish) {
			t.Fatalf("%v: %v, published %v, want %v", jti, done, c.Publish, want)
		}
		l = c.Apply(l)
		if s := l.Sessions[0]; s.accepts(1, jti, ruleTime) || !s.accepts(1, "other", ruleTime) || s.Serial != 1 {
			t.Fatalf("%v: %+v", jti, s)
		}
		if done, c := revokeToken(l, ruleID(1), 1, jti, expires, ruleTime); done || c != nil {
			t.Fatalf("%v a second time: %v, %v", jti, done, c)
		}
	}
	// One of them is forgotten when no such token verifies any more.
	later := with(l, func(s *Session) { s.Revoked[3].Until = ruleTime })
	if done, c := revokeToken(later, ruleID(1), 1, "j9", expires, ruleTime); !done || len(c.Put[0].Revoked) != revokedCeiling || c.Put[0].Serial != 1 {
		t.Errorf("room again, but %v, %+v", done, c)
	}
	until := l.Sessions[0].Access.Until
	done, c := revokeToken(l, ruleID(1), 1, "j9", expires, ruleTime)
	l = c.Apply(l)
	want := []Revocation{{Session: ruleID(1), MinSerial: 2, Until: lastVerifies(until)}}
	if s := l.Sessions[0]; !done || s.accepts(1, "other", ruleTime) || !s.accepts(2, "j0", ruleTime) || s.Serial != 2 || s.Revoked != nil || s.Gen != 1 || !cmp.Equal(want, c.Publish) {
		t.Errorf("the 9th: %v, %+v, published %v", done, s, c.Publish)
	}
	for name, try := range map[string]func() (bool, *Change){
		"unknown session":   func() (bool, *Change) { return revokeToken(l, ruleID(9), 2, "j", expires, ruleTime) },
		"over":              func() (bool, *Change) { return revokeToken(l, ruleID(1), 2, "j", expires, l.Sessions[0].ExpiresAt) },
		"shut out already":  func() (bool, *Change) { return revokeToken(l, ruleID(1), 1, "j", expires, ruleTime) },
		"nothing to revoke": func() (bool, *Change) { return revokeToken(Ledger{}, ruleID(1), 1, "j", expires, ruleTime) },
		"retired just now": func() (bool, *Change) {
			return revokeToken(with(l, func(s *Session) { s.Serial, s.RetireAt = 3, ruleTime }), ruleID(1), 2, "j", expires, ruleTime)
		},
		"below the minimum ": func() (bool, *Change) {
			return revokeToken(with(l, func(s *Session) { s.MinSerial = 9 }), ruleID(1), 8, "j", expires, ruleTime)
		},
	} {
		if done, c := try(); done || c != nil {
			t.Errorf("%s: %v, %v", name, done, c)
		}
	}
}

func TestForgetRule(t *testing.T) {
	p := rulePolicy()
	l := guests(p, guest{1, "web", time.Hour, 0}, guest{2, "web", time.Hour, 0}, guest{3, "web", time.Hour, 0})
	l.Sessions[1].ExpiresAt = ago(time.Second)
	l.Sessions[2].ExpiresAt = ago(maxLeeway)
	ended, c := forget(l, ruleTime)
	if !slices.Equal(idsOf(ended), []byte{1}) || !c.Forget || len(c.Publish) != 2 || c.If != l.Version || !c.At.Equal(ruleTime) {
		t.Errorf("ended %v, %+v", idsOf(ended), c)
	}
	if c.Put != nil || c.End != nil || c.Devices != nil || c.Pending != nil || c.Foreign != nil || !c.KeepUntil.IsZero() {
		t.Errorf("more is set than may be: %+v", c)
	}
	if _, c := forget(Ledger{}, ruleTime); c == nil || !c.Forget {
		t.Error("a store may keep history of a user without a ledger")
	}
}

// What every change says beside its decision: what is over goes along, and how
// long the ledger matters.
func TestSeal(t *testing.T) {
	p := rulePolicy()
	l := guests(p, guest{1, "web", time.Hour, 0}, guest{2, "web", time.Hour, 0}, guest{3, "web", time.Hour, 0}, guest{4, "web", time.Hour, 0})
	l.Sessions[1].ExpiresAt = ago(expiredKept)                    // over for long
	l.Sessions[2].ExpiresAt = ago(expiredKept - time.Millisecond) // still answers "expired"
	l.Sessions[3].ExpiresAt = ago(2 * expiredKept)                // replaced by the change
	pending := []Pending{{ExpiresAt: ruleTime}, {ExpiresAt: ruleTime.Add(time.Millisecond), Attempts: 1}}
	foreign := []RevokedToken{{"a", ruleTime}, {"b", ruleTime.Add(time.Second)}}
	device := []KnownDevice{{LastSeenAt: ago(deviceMemory)}, {LastSeenAt: ago(deviceMemory - time.Minute), IP: "kept"}}
	l.Pending, l.Foreign, l.Devices = pending, foreign, device

	put := l.Sessions[3]
	put.ExpiresAt = ruleTime.Add(time.Minute)
	c := (&Change{Put: []Session{put}}).seal(&l, ruleTime)
	if want := []Ended{{ruleID(2), ReasonExpired}}; !slices.Equal(c.End, want) {
		t.Errorf("ended %v, want %v", c.End, want)
	}
	if c.If != l.Version || !c.At.Equal(ruleTime) {
		t.Errorf("decided on %v at %v", c.If, c.At)
	}
	if !cmp.Equal(c.Pending, pending[1:]) || !cmp.Equal(c.Foreign, foreign[1:]) || !cmp.Equal(c.Devices, device[1:]) {
		t.Errorf("kept %v, %v, %v", c.Pending, c.Foreign, c.Devices)
	}
	if want := l.Sessions[0].ExpiresAt.Add(expiredKept); !c.KeepUntil.Equal(want) {
		t.Errorf("kept until %v, want %v", c.KeepUntil, want)
	}

	// The ledger matters as long as the last of its parts.
	last := ruleTime.Add(1000 * time.Hour)
	for name, change := range map[string]*Change{
		"pending":   {Pending: []Pending{{ExpiresAt: last}}},
		"foreign":   {Foreign: []RevokedToken{{"c", last}}},
		"a device":  {Devices: []KnownDevice{{LastSeenAt: last.Add(-deviceMemory)}}},
		"a session": {Put: []Session{{ID: ruleID(9), ExpiresAt: last.Add(-expiredKept)}}},
	} {
		if c := change.seal(&l, ruleTime); !c.KeepUntil.Equal(last) {
			t.Errorf("%s: kept until %v, want %v", name, c.KeepUntil, last)
		}
	}
	if c := (&Change{}).seal(&Ledger{}, ruleTime); !c.KeepUntil.Equal(ruleTime) || c.Pending != nil || c.Foreign != nil || c.Devices != nil {
		t.Errorf("nothing left, but %+v", c)
	}
	// A list of which all is over is emptied, which nil would not say.
	if c := (&Change{}).seal(&Ledger{Pending: pending[:1]}, ruleTime); c.Pending == nil || len(c.Pending) != 0 {
		t.Errorf("pending %#v, want an empty list", c.Pending)
	}
	if c := (&Change{}).seal(&Ledger{Pending: pending[1:]}, ruleTime); c.Pending != nil {
		t.Errorf("pending %v, want nil: nothing changes", c.Pending)
	}
}

// Where there are as many sessions as there may be, what is over makes way at once.
func TestSealCrowded(t *testing.T) {
	var l Ledger
	for i := range sessionCeiling {
		l.Sessions = append(l.Sessions, Session{ID: ID{byte(i), 1}, ExpiresAt: ruleTime.Add(time.Hour)})
	}
	l.Sessions[7].ExpiresAt = ruleTime
	if c := (&Change{Put: l.Sessions[:1]}).seal(&Ledger{Sessions: l.Sessions[:255]}, ruleTime); c.End != nil {
		t.Errorf("not crowded, but %v went", c.End)
	}
	c := (&Change{Put: []Session{{ID: ruleID(1), ExpiresAt: ruleTime.Add(time.Hour)}}}).seal(&l, ruleTime)
	if want := []Ended{{ID{7, 1}, ReasonExpired}}; !slices.Equal(c.End, want) {
		t.Errorf("ended %v, want %v", c.End, want)
	}
	if n := len(c.Apply(l).Sessions); n != sessionCeiling {
		t.Errorf("%d sessions", n)
	}
}
