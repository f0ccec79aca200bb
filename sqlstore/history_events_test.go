package sqlstore_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/sqlstore"
)

// recorded says what the rows of events have to tell.
func recorded(t *testing.T, s *site, want ...core.Event) {
	t.Helper()
	got, err := sqlstore.Events(t.Context(), s.direct, dialects[s.Engine])
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %d events and error %v, want %d", len(got), err, len(want))
	}
	for i := range want {
		if got, want := fmt.Sprintf("%+v", got[i]), fmt.Sprintf("%+v", want[i]); got != want {
			t.Errorf("event %d:\ngot  %s\nwant %s", i, got, want)
		}
	}
}

// An event comes back with all that it said, and shares no memory with what was audited.
func TestHistoryEvents(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		s := newSite(t, engine)
		h := newHistory(t, s, sqlstore.HistoryOptions{})
		whole := core.Event{
			Time: after(1).Add(1e6), Name: core.EventRiskRaised, UserID: "alice", Session: newID(), Reason: core.ReasonRevokedByAdmin,
			DeviceID: "d-1", IP: "192.0.2.1", UserAgent: "Firefox/140.0", TokenHash: "hash", Mode: core.ModeMemory,
			Cause: "limited_by_address", By: "Root ", NotDurable: true, Err: errors.New("it broke"),
			Risk: core.Risk{Score: 75, Reasons: []core.RiskReason{
				{Code: "new_city", Points: 5, Detail: "Porto, \"PT\" <new>"}, {Code: "new_device", Points: 70, Detail: "\u00e9\u2028"},
			}},
		}
		for v, i := reflect.ValueOf(whole), 0; i < v.NumField(); i++ {
			if v.Field(i).IsZero() { // one that was added: is it in a column?
				t.Errorf("%s is not set", v.Type().Field(i).Name)
			}
		}
		bare := core.Event{Time: after(2), Name: core.EventSignedIn}
		unclean := core.Event{
			Time: after(3), Name: core.EventLimited, Cause: "a\x00b" + strings.Repeat("c", 100), By: strings.Repeat("u", 254) + "\u00e9",
			Risk: core.Risk{Score: 1, Reasons: []core.RiskReason{{Code: "\xff\x00", Detail: strings.Repeat("d", 2000)}}},
		}
		audit := h.Audit(nil)
		given := whole
		given.Risk.Reasons = append([]core.RiskReason(nil), whole.Risk.Reasons...)
		for _, e := range []core.Event{given, bare, unclean} {
			audit(t.Context(), e)
		}
		given.Risk.Reasons[0] = core.RiskReason{}
		closed(t, h)
		cleaned := unclean
		cleaned.Cause, cleaned.By = "ab"+strings.Repeat("c", 62), strings.Repeat("u", 254)
		cleaned.Risk.Reasons = []core.RiskReason{{Detail: strings.Repeat("d", 1024)}}
		recorded(t, s, whole, bare, cleaned)
	})
}

// Who was forgotten has no row, but what an administrator has done to others stays told,
// and that it was one who forgot somebody.
func TestHistoryForgetBy(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		s := newSite(t, engine)
		h := newHistory(t, s, sqlstore.HistoryOptions{})
		store, audit := h.Wrap(memstore.New()), h.Audit(nil)
		then(t, store, "root", 0, core.Change{Put: []core.Session{signedIn(0)}})
		audit(t.Context(), core.Event{Time: after(0), Name: core.EventSignedIn, UserID: "root", Risk: core.Risk{Score: 20}})
		audit(t.Context(), core.Event{Time: after(1), Name: core.EventSessionEnded, UserID: "bob", Reason: core.ReasonRevokedByAdmin, By: "root"})
		then(t, store, "root", 2, core.Change{Forget: true})
		audit(t.Context(), core.Event{Time: after(2), Name: core.EventUserForgotten, UserID: "root", By: "owner", IP: "192.0.2.1", NotDurable: true})
		closed(t, h)
		recorded(t, s,
			core.Event{Time: after(1), Name: core.EventSessionEnded, UserID: "bob", Reason: core.ReasonRevokedByAdmin, By: "root"},
			core.Event{Time: after(2), Name: core.EventUserForgotten, By: "owner", NotDurable: true},
		)
	})
}
