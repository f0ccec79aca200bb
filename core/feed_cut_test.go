package core

import (
	"math"
	"testing"
	"time"
)

// P19: a revocation is enforced for as long as it says, whatever it is kept as,
// however often what is over is forgotten; and it is forgotten soon after.
func TestFeedKeepsWhatMatters(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)
	id := ID{7}
	k := &known{principal: &Principal{UserID: "alice"}, session: id, serial: 1, jti: jtiKey("j")}
	for name, e := range map[string]Revocation{
		"session": {Session: id, MinSerial: AllSerials},
		"serial":  {Session: id, MinSerial: 2},
		"delayed": {Session: id, MinSerial: 2, From: at},
		"token":   {Session: id, JTI: "j"},
	} {
		for _, ends := range []time.Duration{time.Second, 59 * time.Second, 60 * time.Second, 61 * time.Second, 119999 * time.Millisecond} {
			e.Until = at.Add(ends)
			f := newFeed(10, time.Minute)
			if !f.enforce([]Revocation{e}, e.Until.Add(-1)) {
				t.Fatal("no room")
			}
			for _, now := range []time.Duration{0, ends - time.Second, ends - 1} {
				f.purge(at.Add(now))
				if f.look(k, at.Add(now)) != feedRevoked {
					t.Errorf("%s until %v: let in at %v", name, ends, now)
				}
			}
			f.purge(e.Until.Add(2 * time.Minute))
			if n := f.held(); n != 0 {
				t.Errorf("%s until %v: kept 2 minutes later", name, ends)
			}
			if f.enforce([]Revocation{e}, e.Until); f.held() != 0 {
				t.Errorf("%s until %v: taken in when it is over", name, ends)
			}
		}
	}
}

// A cut revokes the serials below it and no others, and that of an ended session
// all there can be.
func TestFeedCuts(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)
	for _, c := range []struct {
		below, serial uint64
		revoked       bool
	}{
		{1, 0, true},
		{7, 6, true},
		{7, 7, false},
		{7, 8, false},
		{buried - 1, buried - 2, true},
		{buried - 1, buried - 1, false},
		{AllSerials, 1, true},
		{AllSerials, math.MaxUint32, true},
		{AllSerials, math.MaxUint32 + 1, true},
		{AllSerials, AllSerials - 1, true},
	} {
		for _, from := range []time.Time{{}, now.Add(-time.Second)} {
			f := newFeed(10, time.Minute)
			f.enforce([]Revocation{{Session: ID{7}, MinSerial: c.below, From: from, Until: now.Add(time.Hour)}}, now)
			k := &known{principal: &Principal{UserID: "alice"}, session: ID{7}, serial: c.serial}
			if got := f.look(k, now) == feedRevoked; got != c.revoked {
				t.Errorf("serial %d, below %d, from %v: revoked %v, want %v", c.serial, c.below, from, got, c.revoked)
			}
		}
	}
}

// Of two cuts to come at one serial the earlier counts, for as long as either.
func TestFeedDelayedTwice(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)
	soon := Revocation{Session: ID{7}, MinSerial: 2, From: at.Add(5 * time.Second), Until: at.Add(time.Minute)}
	late := Revocation{Session: ID{7}, MinSerial: 2, From: at.Add(time.Hour), Until: at.Add(2 * time.Hour)}
	k := &known{principal: &Principal{UserID: "alice"}, session: ID{7}, serial: 1}
	for _, order := range [][]Revocation{{soon, late}, {late, soon}} {
		f := newFeed(10, time.Minute)
		f.enforce(order, at)
		if f.look(k, soon.From.Add(-1)) == feedRevoked {
			t.Error("revoked too early")
		}
		if f.look(k, soon.From) != feedRevoked {
			t.Error("let in after the earlier")
		}
		f.purge(late.Until.Add(-1))
		if f.look(k, late.Until.Add(-1)) != feedRevoked {
			t.Error("let in after one of them is over")
		}
	}
}
