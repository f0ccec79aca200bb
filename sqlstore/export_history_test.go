package sqlstore

import (
	"context"
	"database/sql"
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
