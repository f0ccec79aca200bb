package audit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/audit"
)

var risk = core.Risk{Score: 35, Reasons: []core.RiskReason{
	{Code: core.RiskNewDevice, Points: 25, Detail: "canary-detail"},
	{Code: core.RiskNewNetwork, Points: 10, Detail: "canary-detail"},
}}

// A line has what an operator asks for, and of the client's own words none.
func TestLog(t *testing.T) {
	var id core.ID
	for _, tt := range []struct {
		event core.Event
		want  string
	}{
		{core.Event{Name: core.EventSignedIn, UserID: "alice", IP: "192.0.2.1", Risk: risk}, "INFO signed_in user=alice ip=192.0.2.1 risk=35 reasons=new_device,new_network"},
		{core.Event{Name: core.EventSessionEnded, UserID: "alice", Reason: core.ReasonUserInactive, By: "root", NotDurable: true}, "INFO session_ended user=alice reason=" + string(core.ReasonUserInactive) + " by=root not_durable=true"},
		{core.Event{Name: core.EventLimited, Cause: "login_account"}, "INFO limited cause=login_account"},
		{core.Event{Name: core.EventModeChanged, Mode: core.ModeMemory, Err: errors.New("away")}, "ERROR mode_changed mode=" + string(core.ModeMemory) + " error=away"},
		{core.Event{Name: core.EventNoticeFailed, UserID: "alice", Session: id, Risk: risk, Err: errors.New("no mail")}, `ERROR notice_failed user=alice risk=35 reasons=new_device,new_network error="no mail"`},
	} {
		tt.event.UserAgent, tt.event.DeviceID, tt.event.TokenHash = "canary-agent", "canary-device", "canary-hash"
		if got := logged(func() { audit.Log(t.Context(), tt.event) }); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestNotice(t *testing.T) {
	n := core.Notice{UserID: "alice", Outcome: core.EventRiskDenied, Session: core.Session{IP: "192.0.2.1", UserAgent: "canary-agent", Device: core.Device{ID: "canary-device", Name: "canary-name"}, Risk: risk}}
	got := logged(func() {
		if err := audit.Notice(context.Background(), n); err != nil {
			t.Error(err)
		}
	})
	if want := "INFO notice of=risk_denied user=alice ip=192.0.2.1 session=" + n.Session.ID.String() + " risk=35 reasons=new_device,new_network"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// logged returns what is logged meanwhile, without the time.
func logged(f func()) string {
	var out bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})))
	f()
	line := strings.TrimSuffix(out.String(), "\n")
	line = strings.TrimPrefix(line, "level=")
	return strings.Replace(line, " msg=", " ", 1)
}
