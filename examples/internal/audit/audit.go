// Package audit is how the examples keep a record of what happens.
package audit

import (
	"context"
	"log/slog"

	"github.com/sallyport-go/sallyport/core"
)

// Log is a core.Config.Audit: it writes one line for each event. Of what a
// client says of itself, such as its User-Agent, it writes nothing.
func Log(ctx context.Context, e core.Event) {
	if e.Err != nil {
		slog.ErrorContext(ctx, string(e.Name), "error", e.Err)
		return
	}
	var args []any
	add := func(key, value string) {
		if value != "" {
			args = append(args, key, value)
		}
	}
	add("user", e.UserID)
	add("ip", e.IP)
	if !e.Session.IsZero() {
		add("session", e.Session.String())
	}
	add("reason", string(e.Reason))
	slog.InfoContext(ctx, string(e.Name), args...)
}
