package core

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lone is a process that has a ledger to itself.
type lone struct {
	p *policy
	l Ledger
	apart
	commits byte
}

func (w *lone) does(c *Change) {
	if c == nil {
		return
	}
	w.commits++
	c.ID = ID{0xa0, w.commits}
	w.note(&w.l, c)
	w.l = c.Apply(w.l)
}

func (w *lone) signIn(id byte, at time.Time) {
	_, c := w.p.signIn(w.l, signInRequest{
		session: Session{ID: ruleID(id), Device: Device{ID: "new", ClientType: "web"}}, jti: ruleID(100 + id),
	}, at)
	w.does(c)
}

func (w *lone) refresh(id byte, gen uint64, jti byte, at time.Time) {
	_, c := w.p.refreshSession(w.l, refreshRequest{session: ruleID(id), gen: gen, jti: ruleID(jti)}, at)
	w.does(c)
}

func (w *lone) end(which func(*Session) bool, why Reason, at time.Time) {
	_, c := endSessions(w.l, which, why, at)
	w.does(c)
}

func (w *lone) endAllBut(id byte, at time.Time) {
	_, c := endAll(w.l, func(s *Session) bool { return s.ID != ruleID(id) }, ReasonPasswordChanged, at)
	w.does(c)
}

// What is noted of what is done to the sessions 1 (four minutes old), 2 (over for a
// while) and 3 (over, but its tokens verify yet).
func TestNote(t *testing.T) {
	type begun map[byte]bool
	type ended map[byte]Reason
	for _, c := range []struct {
		rule   string
		do     func(*lone)
		begun  begun // the sessions, and whether they began here
		issued map[byte]uint64
		ended  ended
		spared []byte
		also   func(*apart) bool
	}{
		{rule: "nothing done", do: func(*lone) {}},
		{
			rule: "a session begins", do: func(w *lone) { w.signIn(9, ruleTime) }, begun: begun{9: true}, issued: map[byte]uint64{9: 1},
			also: func(a *apart) bool { return a.at.Equal(ruleTime) && len(a.devices) == 1 },
		},
		{
			rule: "what began here has begun here, whatever happens to it", begun: begun{9: true}, issued: map[byte]uint64{9: 1},
			do:   func(w *lone) { w.signIn(9, ruleTime); w.refresh(9, 1, 60, ruleTime.Add(time.Minute)) },
			also: func(a *apart) bool { return a.sessions[ruleID(9)].Gen == 2 && a.at.Equal(ruleTime.Add(time.Minute)) },
		},
		{
			rule: "a session of the store's goes on", begun: begun{1: false}, issued: map[byte]uint64{1: 2},
			do:   func(w *lone) { w.refresh(1, 1, 60, ruleTime) },
			also: func(a *apart) bool { return a.sessions[ruleID(1)].Gen == 2 && len(a.devices) == 0 },
		},
		{
			rule: "what it issued first counts", begun: begun{1: false}, issued: map[byte]uint64{1: 2},
			do: func(w *lone) { w.refresh(1, 1, 60, ruleTime); w.refresh(1, 2, 61, ruleTime.Add(time.Minute)) },
		},
		{
			rule: "a replay issues a token that outlives those of before", begun: begun{1: false}, issued: map[byte]uint64{1: 2},
			do: func(w *lone) {
				w.l.Sessions[0].Gen, w.l.Sessions[0].Serial, w.l.Sessions[0].MovedAt = 2, 2, ruleTime
				w.refresh(1, 1, 60, ruleTime)
			},
		},
		{
			rule: "a use issues nothing", begun: begun{1: false},
			do: func(w *lone) { w.does(w.p.used(w.l, use{session: ruleID(1), serial: 1, at: ruleTime}, ruleTime)) },
		},
		{
			rule: "a token is revoked", begun: begun{1: false},
			do: func(w *lone) {
				_, c := revokeToken(w.l, ruleID(1), 1, "j", ruleTime.Add(time.Hour), ruleTime)
				w.does(c)
			},
			also: func(a *apart) bool { return len(a.sessions[ruleID(1)].Revoked) == 1 },
		},
		{
			rule: "a session ends", do: func(w *lone) { w.end(only(ruleID(1)), ReasonSignedOut, ruleTime) },
			ended: ended{1: ReasonSignedOut},
			also: func(a *apart) bool {
				return a.ended[ruleID(1)].until.Equal(ago(3 * time.Minute).Add(time.Hour + ruleGrace))
			},
		},
		{
			rule: "a session goes on and then ends", ended: ended{1: ReasonSignedOut},
			do: func(w *lone) {
				w.refresh(1, 1, 60, ruleTime)
				w.end(only(ruleID(1)), ReasonSignedOut, ruleTime)
			},
			also: func(a *apart) bool { return a.ended[ruleID(1)].until.Equal(ruleTime.Add(time.Hour + ruleGrace)) },
		},
		{
			rule: "a session begins and ends", ended: ended{9: ReasonSignedOut},
			do: func(w *lone) { w.signIn(9, ruleTime); w.end(only(ruleID(9)), ReasonSignedOut, ruleTime) },
		},
		{
			rule: "a session that is over ends for as long as its tokens verify", ended: ended{3: ReasonExpired},
			do: func(w *lone) { w.end(only(ruleID(3)), ReasonRevoked, ruleTime) },
		},
		{
			rule: "reuse", ended: ended{1: ReasonReuse},
			do: func(w *lone) { w.l.Sessions[0].Gen = 3; w.refresh(1, 1, 60, ruleTime) },
		},
		{
			rule: "what is dropped because it is over has not ended", begun: begun{1: false, 9: true}, issued: map[byte]uint64{1: 2, 9: 1},
			do: func(w *lone) {
				w.refresh(1, 1, 60, ruleTime)
				w.signIn(9, ruleTime.Add(100*24*time.Hour))
			},
		},
		{
			rule: "all end", ended: ended{1: ReasonPasswordChanged, 3: ReasonExpired}, do: func(w *lone) { w.endAllBut(0, ruleTime) },
			also: func(a *apart) bool { return a.revokedAt.Equal(ruleTime) },
		},
		{
			rule: "all but one end", ended: ended{3: ReasonExpired}, do: func(w *lone) { w.endAllBut(1, ruleTime) },
			spared: []byte{1},
		},
		{
			rule: "of those that were spared, none is when all end later", ended: ended{1: ReasonPasswordChanged, 3: ReasonExpired},
			do: func(w *lone) { w.endAllBut(1, ruleTime); w.endAllBut(0, ruleTime.Add(time.Second)) },
		},
		{
			rule: "what begins after all ended is spared", ended: ended{1: ReasonPasswordChanged, 3: ReasonExpired},
			do:    func(w *lone) { w.endAllBut(0, ruleTime); w.signIn(9, ruleTime) },
			begun: begun{9: true}, issued: map[byte]uint64{9: 1}, spared: []byte{9},
		},
		{
			rule: "and later needs no sparing", ended: ended{1: ReasonPasswordChanged, 3: ReasonExpired},
			do:    func(w *lone) { w.endAllBut(0, ruleTime); w.signIn(9, ruleTime.Add(clockMargin)) },
			begun: begun{9: true}, issued: map[byte]uint64{9: 1},
		},
		{
			rule: "a session that went on and was over when all ended", ended: ended{1: ReasonOvertaken},
			do: func(w *lone) { w.refresh(1, 1, 60, ruleTime); w.endAllBut(0, ruleTime.Add(100*24*time.Hour)) },
		},
		{
			rule: "the user is forgotten", ended: ended{1: ReasonForgotten, 3: ReasonForgotten, 9: ReasonForgotten},
			do: func(w *lone) {
				w.signIn(9, ruleTime)
				_, c := forget(w.l, ruleTime)
				w.does(c)
			},
			also: func(a *apart) bool { return len(a.devices) == 0 },
		},
		{
			rule: "a foreign token is revoked",
			do: func(w *lone) {
				_, _, c := revokeForeign(w.l, "f", "feed:f", ruleTime.Add(time.Hour), ruleTime)
				w.does(c)
				_, _, c = revokeForeign(w.l, "g", "feed:g", ruleTime.Add(time.Hour), ruleTime)
				w.does(c)
			},
			also: func(a *apart) bool {
				until := lastVerifies(ruleTime.Add(time.Hour))
				return len(a.foreign) == 2 && a.foreign["f"] == apartToken{until, "feed:f"} && a.foreign["g"] == apartToken{until, "feed:g"}
			},
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := &lone{p: rulePolicy()}
			w.l = guests(w.p, guest{1, "web", 4 * time.Minute, 3 * time.Minute}, guest{2, "web", time.Hour, time.Hour}, guest{3, "web", time.Hour, time.Hour})
			w.l.Sessions[1].ExpiresAt, w.l.Sessions[2].ExpiresAt = ago(2*maxLeeway), ago(time.Second)
			w.l.Foreign = []RevokedToken{{"known", ruleTime.Add(time.Hour)}}
			c.do(w)
			a := &w.apart
			gotBegun, gotIssued, gotEnded := make(begun), make(map[byte]uint64), make(ended)
			for id, s := range a.sessions {
				gotBegun[id[0]] = s.begun
				if s.issued > 0 {
					gotIssued[id[0]] = s.issued
				}
			}
			for id, e := range a.ended {
				gotEnded[id[0]] = e.reason
			}
			var spared []byte
			for _, id := range sortedIDs(a.spared) {
				spared = append(spared, id[0])
			}
			for what, d := range map[string]string{
				"sessions": cmp.Diff(c.begun, gotBegun, asSet), "issued": cmp.Diff(c.issued, gotIssued, asSet),
				"ended": cmp.Diff(c.ended, gotEnded, asSet), "spared": cmp.Diff(c.spared, spared, asSet),
			} {
				if d != "" {
					t.Errorf("%s (-want +got):\n%s", what, d)
				}
			}
			if c.also != nil && !c.also(a) {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestJoinApart(t *testing.T) {
	until := func(d time.Duration) time.Time { return ruleTime.Add(d) }
	changed := func(id byte, created time.Duration) apartSession {
		return apartSession{Session: Session{ID: ruleID(id), CreatedAt: ago(created), Access: AccessRecord{Until: until(time.Minute)}}}
	}
	ended := func(why Reason, d time.Duration) *apart {
		return &apart{ended: map[ID]apartEnd{ruleID(1): {why, until(d)}}}
	}
	goesOn := func(s apartSession) *apart { return &apart{sessions: map[ID]apartSession{s.ID: s}} }
	allEnded := &apart{revokedAt: ruleTime, spared: map[ID]time.Time{ruleID(2): ago(time.Hour)}}
	for _, c := range []struct {
		rule  string
		a, b  *apart
		ended map[ID]apartEnd
		goes  []byte
	}{
		{"ended and gone on: ended, until the last token", ended(ReasonReuse, 0), goesOn(changed(1, 0)), map[ID]apartEnd{ruleID(1): {ReasonReuse, until(time.Minute)}}, nil},
		{"the last token is the other's", ended(ReasonReuse, time.Hour), goesOn(changed(1, 0)), map[ID]apartEnd{ruleID(1): {ReasonReuse, until(time.Hour)}}, nil},
		{"ended twice: until the later", ended(ReasonReuse, 0), ended(ReasonReuse, time.Hour), map[ID]apartEnd{ruleID(1): {ReasonReuse, until(time.Hour)}}, nil},
		{"ended twice: one reason", ended(ReasonReuse, 0), ended(ReasonEvicted, 0), map[ID]apartEnd{ruleID(1): {ReasonReuse, ruleTime}}, nil},
		{"overtaken is the last reason", ended(ReasonOvertaken, 0), ended(ReasonEvicted, 0), map[ID]apartEnd{ruleID(1): {ReasonEvicted, ruleTime}}, nil},
		{"all ended: what began before", allEnded, goesOn(changed(1, time.Hour)), map[ID]apartEnd{ruleID(1): {ReasonOvertaken, until(time.Minute)}}, nil},
		{"or not clearly after", allEnded, goesOn(changed(1, time.Millisecond-clockMargin)), map[ID]apartEnd{ruleID(1): {ReasonOvertaken, until(time.Minute)}}, nil},
		{"not what began clearly after", allEnded, goesOn(changed(1, -clockMargin)), nil, []byte{1}},
		{"not what was spared", allEnded, goesOn(changed(2, time.Hour)), nil, []byte{2}},
		{"each goes on", goesOn(changed(1, 0)), goesOn(changed(2, 0)), nil, []byte{1, 2}},
	} {
		for _, j := range []*apart{c.a.join(c.b), c.b.join(c.a)} {
			var goes []byte
			for _, id := range sortedIDs(j.sessions) {
				goes = append(goes, id[0])
			}
			if !cmp.Equal(c.ended, j.ended, asSet) || !slices.Equal(c.goes, goes) {
				t.Errorf("%s: ended %v, and %v go on", c.rule, j.ended, goes)
			}
		}
	}

	// Two that ended all sessions spare what both would.
	other := &apart{revokedAt: ruleTime.Add(time.Second), spared: map[ID]time.Time{
		ruleID(2): ago(time.Hour), ruleID(3): ago(time.Hour), ruleID(4): ruleTime.Add(clockMargin),
	}}
	want := map[ID]time.Time{ruleID(2): ago(time.Hour), ruleID(4): ruleTime.Add(clockMargin)}
	if j := allEnded.join(other); !cmp.Equal(want, j.spared) || !j.revokedAt.Equal(other.revokedAt) {
		t.Errorf("spared %v when all ended at %v", j.spared, j.revokedAt)
	}

	began, issued := changed(1, 0), changed(1, 0)
	began.begun, began.issued, issued.issued = true, 5, 3
	if s := goesOn(began).join(goesOn(issued)).sessions[ruleID(1)]; !s.begun || s.issued != 3 {
		t.Errorf("begun %v, issued from %d", s.begun, s.issued)
	}
	if s := goesOn(began).join(goesOn(changed(1, 0))).sessions[ruleID(1)]; s.issued != 5 {
		t.Errorf("issued from %d", s.issued)
	}
}

func TestJoinDevice(t *testing.T) {
	d := Device{ID: "d", Name: "old name"}
	old := KnownDevice{Device: d, FirstSeenAt: ago(3 * time.Hour), LastSeenAt: ago(2 * time.Hour), IP: "192.0.2.1"}
	d.Name = "name"
	late := KnownDevice{Device: d, FirstSeenAt: ago(time.Hour), LastSeenAt: ruleTime, IP: "192.0.2.2", Location: Location{"NL", "Delft"}}
	want := late
	want.FirstSeenAt = old.FirstSeenAt
	for _, got := range []KnownDevice{old.join(late), late.join(old)} {
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}
