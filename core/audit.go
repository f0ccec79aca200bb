package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"
)

// Event is one record of what happened. It is made when the thing is done and
// says no more than what is so. It carries no token; TokenHash is a short hash. No text
// in it has control characters, line separators or those that turn text round: they are
// escaped in names and left out of UserAgent.
type Event struct {
	Time      time.Time
	Name      EventName
	UserID    string // "" if unknown
	Session   ID     // zero if unknown
	Reason    Reason // why a session ended; else ""
	DeviceID  string
	IP        string
	UserAgent string // at most 512 bytes of what the client sent
	TokenHash string // of the access token concerned, see [TokenInfo]
	Mode      Mode   // EventModeChanged: the new one; a sign-in or refresh that was served from memory: ModeMemory
	// Cause is the Code of the refusal, or the limit that was reached.
	Cause string
	// By is who did it, if that is not the user: an administrator.
	By   string
	Risk Risk // of a sign-in, and of a session whose risk has risen
	// NotDurable says that the change took place and is on fewer machines than the
	// app asked for, see [ErrNotDurable].
	NotDurable bool
	Err        error // EventFailed, EventModeChanged: why; it holds no token
}

// EventName says what happened. Names are stored by apps, so they never change.
type EventName string

const (
	EventSignedIn       EventName = "signed_in"
	EventSignInRefused  EventName = "sign_in_refused"  // wrong credentials, inactive, or too many sessions
	EventRefreshed      EventName = "refreshed"        // a successor, or a new life when sliding
	EventRepeated       EventName = "refresh_repeated" // the same token within the grace period
	EventReplayed       EventName = "refresh_replayed" // the predecessor, answered with the same successor
	EventReplayedLate   EventName = "refresh_replayed_late"
	EventRecovered      EventName = "refresh_recovered" // the store had lost an acknowledged write
	EventReused         EventName = "refresh_reused"    // a spent token came back: theft, or a broken client
	EventDeviceMismatch EventName = "device_mismatch"   // a refresh token came from another device
	EventRefreshRefused EventName = "refresh_refused"   // not authentic, expired, or its session has ended
	EventSessionEnded   EventName = "session_ended"     // one per session that was ended, with its Reason; expiry makes none
	EventLimited        EventName = "limited"           // too many attempts, see Cause
	EventStepUpRequired EventName = "step_up_required"  // a sign-in waits for a second factor
	EventStepUpRefused  EventName = "step_up_refused"   // a wrong one, or one for a sign-in that waits no longer
	EventRiskDenied     EventName = "risk_denied"       // a sign-in too unusual
	EventRiskRaised     EventName = "risk_raised"       // a session went on in another place, or on something else
	EventNoticeFailed   EventName = "notice_failed"     // a notice to a user was not sent: see Err
	EventTokenRevoked   EventName = "access_token_revoked"
	EventUserForgotten  EventName = "user_forgotten"
	// The store did not take a revocation: it is enforced here, and waits. What it ends
	// has a record of its own when it is written.
	EventRevocationQueued EventName = "revocation_queued"
	EventModeChanged      EventName = "mode_changed" // see Mode
	EventFailed           EventName = "failed"       // a route or a guard answered 5xx, or a watched login was no use: see Err
)

// logEvent is the default sink.
func logEvent(ctx context.Context, e Event) {
	attrs := make([]slog.Attr, 0, 8)
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("user", e.UserID)
	if !e.Session.IsZero() {
		add("session", e.Session.String())
	}
	add("reason", string(e.Reason))
	add("device", e.DeviceID)
	add("ip", e.IP)
	add("user_agent", e.UserAgent)
	add("token_hash", e.TokenHash)
	add("mode", string(e.Mode))
	add("cause", e.Cause)
	add("by", e.By)
	if len(e.Risk.Reasons) > 0 {
		codes := make([]string, len(e.Risk.Reasons))
		for i, r := range e.Risk.Reasons {
			codes[i] = r.Code
		}
		attrs = append(attrs, slog.Int("risk", e.Risk.Score), slog.Any("risk_reasons", codes))
	}
	if e.NotDurable {
		attrs = append(attrs, slog.Bool("not_durable", true))
	}
	level := slog.LevelInfo
	if e.Err != nil {
		level = slog.LevelError
		add("error", e.Err.Error())
	}
	slog.LogAttrs(ctx, level, "sallyport: "+string(e.Name), attrs...)
}

type actorKey struct{}

// WithActor returns a context in which what is done is audited as done by somebody:
// Event.By. The admin routes do it by themselves; it is for an app's own calls, such as
// [Auth.RevokeAll], on behalf of an administrator.
func WithActor(ctx context.Context, userID string) context.Context {
	return context.WithValue(ctx, actorKey{}, userID)
}

// actor returns who does something, if that is not the user.
func actor(ctx context.Context) string {
	by, _ := ctx.Value(actorKey{}).(string)
	return by
}

// audit records an event that has just happened.
func (a *Auth) audit(ctx context.Context, name EventName, e Event) {
	e.Time, e.Name = a.now(), name
	if e.By == "" {
		e.By = actor(ctx)
	}
	if e.By == e.UserID {
		e.By = ""
	}
	e.UserID, e.By, e.DeviceID = legible(e.UserID, userIDMax), legible(e.By, userIDMax), legible(e.DeviceID, textCap)
	a.config.Audit(ctx, e)
	if o := a.config.Observer; o != nil {
		o.Audited(name, cmp.Or(string(e.Reason), e.Cause))
	}
}

// legible returns the first bytes of a name as UTF-8, in which what could pass for
// another line, or turn it round, is escaped: two names are not to look like one.
func legible(s string, most int) string {
	s = s[:min(len(s), most)]
	if s == cutText(s, most) {
		return s
	}
	var b strings.Builder
	for i, c := range s {
		switch text := string(c); {
		case c == utf8.RuneError && !strings.HasPrefix(s[i:], text):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case text != cutText(text, len(text)):
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteString(text)
		}
	}
	return b.String()
}

// auditEnded records the end of sessions. err is what the commit answered.
func (a *Auth) auditEnded(ctx context.Context, userID string, ended []Ended, err error) {
	weak := errors.Is(err, ErrNotDurable)
	for _, e := range ended {
		a.audit(ctx, EventSessionEnded, Event{UserID: userID, Session: e.ID, Reason: e.Reason, NotDurable: weak})
	}
}

// endings says of sessions why they ended.
func endings(sessions []Session, why Reason) []Ended {
	var out []Ended
	for _, s := range sessions {
		out = append(out, Ended{ID: s.ID, Reason: why})
	}
	return out
}
