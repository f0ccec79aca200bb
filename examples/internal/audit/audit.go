// Package audit is how the examples keep a record of what happens.
package audit

import (
	"context"
	"log/slog"
	"strings"

	"github.com/sallyport-go/sallyport/core"
)

// Log is a core.Config.Audit: it writes one line for each event. Of what a
// client says of itself, such as its User-Agent, it writes nothing.
func Log(ctx context.Context, e core.Event) {
	var l line
	l.add("user", e.UserID)
	l.add("ip", e.IP)
	if !e.Session.IsZero() {
		l.add("session", e.Session.String())
	}
	l.add("reason", string(e.Reason))
	l.add("mode", string(e.Mode))
	l.add("cause", e.Cause)
	l.add("by", e.By)
	l.risk(e.Risk)
	if e.NotDurable {
		l.attrs = append(l.attrs, slog.Bool("not_durable", true))
	}
	level := slog.LevelInfo
	if e.Err != nil {
		level = slog.LevelError
		l.attrs = append(l.attrs, slog.Any("error", e.Err))
	}
	slog.LogAttrs(ctx, level, string(e.Name), l.attrs...)
}

// Notice is a core.Config.Notify: it writes one line where an app tells its user. The
// error is always nil.
func Notice(ctx context.Context, n core.Notice) error {
	var l line
	l.add("of", string(n.Outcome))
	l.add("user", n.UserID)
	l.add("ip", n.Session.IP)
	l.add("session", n.Session.ID.String())
	l.risk(n.Session.Risk)
	slog.LogAttrs(ctx, slog.LevelInfo, "notice", l.attrs...)
	return nil
}

// line is what stands behind the name of an event.
type line struct{ attrs []slog.Attr }

func (l *line) add(key, value string) {
	if value != "" {
		l.attrs = append(l.attrs, slog.String(key, value))
	}
}

// risk adds a score and the codes of its reasons, whose sentences are for its user.
func (l *line) risk(r core.Risk) {
	if len(r.Reasons) == 0 {
		return
	}
	codes := make([]string, len(r.Reasons))
	for i, reason := range r.Reasons {
		codes[i] = reason.Code
	}
	l.attrs = append(l.attrs, slog.Int("risk", r.Score))
	l.add("reasons", strings.Join(codes, ","))
}
