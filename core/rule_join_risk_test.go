package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What a score is judged by is joined as well, each on its own, from either side.
func TestRejoinEvidence(t *testing.T) {
	home := KnownNetwork{"192.0.2.0/24", 64501, Location{"DE", "Potsdam"}, ago(2 * time.Hour)}
	office := KnownNetwork{"198.51.100.0/24", 64502, Location{"DE", "Berlin"}, ago(time.Hour)}
	later := home
	later.LastSeenAt, later.Location.City = ago(time.Minute), "Berlin"
	forgotten := KnownNetwork{Prefix: "203.0.113.0/24", LastSeenAt: ago(deviceMemory)}
	networks := func(list ...KnownNetwork) map[string]KnownNetwork {
		m := make(map[string]KnownNetwork)
		for _, n := range list {
			m[n.Prefix] = n
		}
		return m
	}
	var many []time.Time
	for i := range signInsCeiling {
		many = append(many, ago(time.Duration(i+1)*time.Hour))
	}
	var crowd []KnownNetwork
	for i := range networkCeiling {
		crowd = append(crowd, KnownNetwork{Prefix: fmt.Sprintf("198.18.%d.0/24", i), LastSeenAt: ago(time.Duration(i) * time.Second)})
	}
	for _, c := range []struct {
		rule        string
		store, want Ledger
		apart       apart
		same        bool // nothing is to be written
	}{
		{rule: "a network is added", store: Ledger{Networks: []KnownNetwork{home}}, apart: apart{networks: networks(office)}, want: Ledger{Networks: []KnownNetwork{office, home}}},
		{rule: "the first network", apart: apart{networks: networks(office)}, want: Ledger{Networks: []KnownNetwork{office}}},
		{rule: "a network was seen later apart", store: Ledger{Networks: []KnownNetwork{home}}, apart: apart{networks: networks(later)}, want: Ledger{Networks: []KnownNetwork{later}}},
		{rule: "a network was seen later in the store", store: Ledger{Networks: []KnownNetwork{later}}, apart: apart{networks: networks(home)}, want: Ledger{Networks: []KnownNetwork{later}}, same: true},
		{rule: "a network that is forgotten by now", store: Ledger{Networks: []KnownNetwork{home}}, apart: apart{networks: networks(forgotten)}, want: Ledger{Networks: []KnownNetwork{home}}, same: true},
		{rule: "as many networks as may be", store: Ledger{Networks: []KnownNetwork{home}}, apart: apart{networks: networks(crowd...)}, want: Ledger{Networks: crowd}},
		{rule: "a sign-in is added", store: Ledger{SignIns: []time.Time{ago(time.Hour)}}, apart: apart{signIns: []time.Time{ago(time.Minute)}}, want: Ledger{SignIns: []time.Time{ago(time.Minute), ago(time.Hour)}}},
		{rule: "a sign-in is put where it belongs", store: Ledger{SignIns: []time.Time{ago(time.Minute), ago(time.Hour)}}, apart: apart{signIns: []time.Time{ago(2 * time.Minute)}}, want: Ledger{SignIns: []time.Time{ago(time.Minute), ago(2 * time.Minute), ago(time.Hour)}}},
		{rule: "as many sign-ins as may be", store: Ledger{SignIns: many}, apart: apart{signIns: []time.Time{ago(time.Minute)}}, want: Ledger{SignIns: append([]time.Time{ago(time.Minute)}, many[:signInsCeiling-1]...)}},
		{rule: "a sign-in that the store has", store: Ledger{SignIns: many}, apart: apart{signIns: many[3:4]}, want: Ledger{SignIns: many}, same: true},
		{rule: "a spent token came back apart", apart: apart{reusedAt: ago(time.Minute)}, want: Ledger{ReusedAt: ago(time.Minute)}},
		{rule: "and before in the store", store: Ledger{ReusedAt: ago(time.Hour)}, apart: apart{reusedAt: ago(time.Minute)}, want: Ledger{ReusedAt: ago(time.Minute)}},
		{rule: "and later in the store", store: Ledger{ReusedAt: ago(time.Minute)}, apart: apart{reusedAt: ago(time.Hour)}, want: Ledger{ReusedAt: ago(time.Minute)}, same: true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			c.store.Version = ruleID(200)
			_, change := rulePolicy().rejoin(c.store, &c.apart, false, ruleTime)
			if (change == nil) != c.same {
				t.Fatalf("changed: %+v, want none: %v", change, c.same)
			}
			got := c.store
			if change != nil {
				got = change.Apply(c.store)
			}
			c.want.Version, c.want.At = got.Version, got.At
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("the ledger (-want +got):\n%s", d)
			}
			if _, again := rulePolicy().rejoin(got, &c.apart, false, ruleTime); again != nil {
				t.Errorf("a second time: %+v", again)
			}
		})
	}
}

// What is done apart is noted with what it teaches, and joined with the store's ledger.
func TestNoteEvidence(t *testing.T) {
	p := rulePolicy()
	p.reuseEndsAll = true
	before := begun(p, ago(100*time.Hour))
	before.Networks = []KnownNetwork{{Prefix: "192.0.2.0/24", LastSeenAt: ago(100 * time.Hour)}}
	w := lone{p: p, l: before.Clone()}

	_, c := p.signIn(w.l, signInRequest{
		session: Session{ID: ruleID(9), Device: Device{ID: "d9"}, IP: "198.51.100.1", Location: Location{"DE", "Berlin"}},
		jti:     ruleID(109), asn: 64502,
	}, ago(time.Hour))
	w.does(c)
	_, c = p.refreshSession(w.l, refreshRequest{
		session: ruleID(9), gen: 1, ip: "203.0.113.1", moved: true, location: Location{"ES", "Palma"}, asn: 64510, risk: Risk{Score: riskHigh - 1},
	}, ago(time.Minute))
	w.does(c)
	_, c = p.refreshSession(w.l, refreshRequest{
		session: ruleID(9), gen: 2, ip: "198.18.0.1", moved: true, location: Location{"BR", ""}, risk: Risk{Score: riskHigh},
	}, ago(30*time.Second))
	w.does(c)
	_, c = p.refreshSession(w.l, refreshRequest{session: ruleID(9), gen: 1}, ruleTime)
	w.does(c)

	_, c = p.rejoin(before, &w.apart, false, ruleTime)
	got := c.Apply(before)
	want := []KnownNetwork{
		{"203.0.113.0/24", 64510, Location{"ES", "Palma"}, ago(time.Minute)},
		{"198.51.100.0/24", 64502, Location{"DE", "Berlin"}, ago(time.Hour)},
		before.Networks[0],
	}
	if d := cmp.Diff(want, got.Networks); d != "" {
		t.Errorf("networks (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]time.Time{ago(time.Hour), ago(100 * time.Hour)}, got.SignIns); d != "" {
		t.Errorf("sign-ins (-want +got):\n%s", d)
	}
	if !got.ReusedAt.Equal(ruleTime) {
		t.Errorf("a spent token came back at %v, want %v", got.ReusedAt, ruleTime)
	}
	if d := cmp.Diff(w.l.Networks, got.Networks); d != "" {
		t.Errorf("here it is another (-apart +joined):\n%s", d)
	}

	forget := Change{Forget: true, At: ruleTime}
	w.does(&forget)
	if w.networks["203.0.113.0/24"].Prefix != "" || w.signIns != nil || !w.reusedAt.IsZero() {
		t.Errorf("of a user who is forgotten: %v, %v, %v", w.networks, w.signIns, w.reusedAt)
	}
}
