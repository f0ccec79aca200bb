package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// SessionRow is a row of user_sessions.
type SessionRow struct {
	Session core.Session
	EndedAt time.Time
	Reason  core.Reason
}

// SessionRows returns all rows of user_sessions by user and session.
func SessionRows(ctx context.Context, db *sql.DB, d Dialect) (map[string]map[core.ID]SessionRow, error) {
	e := engines[d]
	columns := mapped(sessionFields(new(core.Session)), e.column)
	rows, err := db.QueryContext(ctx, "SELECT user_id, "+e.timeColumn("ended_at")+", end_reason, "+strings.Join(columns, ", ")+" FROM user_sessions")
	all := make(map[string]map[core.ID]SessionRow)
	err = each(rows, err, func(rows *sql.Rows) error {
		var r SessionRow
		var user, reason string
		if err := rows.Scan(append([]any{scan{&user}, scan{&r.EndedAt}, scan{&reason}}, scanned(sessionFields(&r.Session))...)...); err != nil {
			return err
		}
		r.Reason = core.Reason(reason)
		if all[user] == nil {
			all[user] = make(map[core.ID]SessionRow)
		}
		all[user][r.Session.ID] = r
		return nil
	})
	return all, err
}

// Events returns all rows of user_session_events as what was audited, by time.
func Events(ctx context.Context, db *sql.DB, d Dialect) ([]core.Event, error) {
	columns := mapped(eventFields(new(eventRow)), engines[d].column)
	rows, err := db.QueryContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM user_session_events ORDER BY user_session_events.happened_at")
	var all []core.Event
	err = each(rows, err, func(rows *sql.Rows) error {
		var r eventRow
		if err := rows.Scan(scanned(eventFields(&r))...); err != nil {
			return err
		}
		e := core.Event{
			Time: r.at, Name: core.EventName(r.name), UserID: r.user, Session: r.session, Reason: core.Reason(r.reason),
			DeviceID: r.device, IP: r.address, UserAgent: r.userAgent, TokenHash: r.tokenHash, Mode: core.Mode(r.mode),
			Cause: r.cause, By: r.by, Risk: r.risk, NotDurable: r.notDurable,
		}
		if r.error != "" {
			e.Err = errors.New(r.error)
		}
		all = append(all, e)
		return nil
	})
	return all, err
}
