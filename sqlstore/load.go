package sqlstore

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/sallyport-go/sallyport/core"
)

// What a row of loadText is.
const (
	rowLedger = iota
	rowSession
	rowDevice
)

// loadText reads the ledgers of n users in one statement, and so as of one moment.
// Each row is of a ledger, a session or a device; columns of the others are NULL. That
// of sessions comes first: it says of what type most columns are.
func loadText(e *engine, n int) string {
	ledger, session := ledgerFields(new(core.Ledger)), sessionFields(new(core.Session))
	device := columnsOf(deviceFields(new(core.KnownDevice)))
	ofDevice := func(f field) string {
		switch {
		case f.column == "created_at":
			return e.timeColumn("first_seen_at")
		case slices.Contains(device, f.column):
			return e.column(f)
		}
		return "NULL"
	}
	null := func(field) string { return "NULL" }
	users := " WHERE user_id IN (" + marks(n) + ")"
	part := func(kind string, ofLedger, ofSession func(field) string, table string) string {
		columns := append(mapped(ledger, ofLedger), mapped(session, ofSession)...)
		return "SELECT " + kind + ", user_id, " + strings.Join(columns, ", ") + " FROM " + table + users
	}
	return part("1", null, e.column, "user_sessions") + " AND ended_at IS NULL" +
		" UNION ALL " + part("0", e.column, null, "user_session_ledgers") +
		" UNION ALL " + part("2", null, ofDevice, "user_session_devices")
}

// Load implements [core.Store].
func (s *Store) Load(ctx context.Context, userID string) (core.Ledger, error) {
	return ask(ctx, s.tables, s.options.Timeout, func(ctx context.Context) (core.Ledger, error) {
		if err := s.begin(ctx); err != nil {
			return core.Ledger{}, err
		}
		rows, err := s.read().query(ctx, &s.load, userID, userID, userID)
		ledgers, err := readLedgers(rows, err)
		return ledgers[userID], err
	})
}

// manyMost is how many users one statement loads.
const manyMost = 128

// LoadMany implements [core.ManyLoader].
func (s *Store) LoadMany(ctx context.Context, userIDs []string) (map[string]core.Ledger, error) {
	all := make(map[string]core.Ledger, len(userIDs))
	for ids := range slices.Chunk(userIDs, manyMost) {
		found, err := ask(ctx, s.tables, s.options.Timeout, func(ctx context.Context) (map[string]core.Ledger, error) {
			n := 1 // of few sizes, so that few statements have to be planned
			for n < len(ids) {
				n *= 2
			}
			args := make([]any, 3*n)
			for i := range args {
				args[i] = ids[min(i%n, len(ids)-1)]
			}
			if err := s.begin(ctx); err != nil {
				return nil, err
			}
			rows, err := s.read().queryText(ctx, loadText(s.engine, n), args...)
			return readLedgers(rows, err)
		})
		if err != nil {
			return nil, err
		}
		for id, l := range found {
			all[id] = l
		}
	}
	return all, ctx.Err()
}

// readLedgers reads what loadText finds. Who has no ledger has no session either,
// though rows of history may look like one.
func readLedgers(rows *sql.Rows, err error) (map[string]core.Ledger, error) {
	type parts struct {
		sessions []core.Session
		devices  []core.KnownDevice
	}
	ledgers := make(map[string]core.Ledger, 1)
	of := make(map[string]parts, 1)
	err = each(rows, err, func(rows *sql.Rows) error {
		var kind int
		var user string
		var l core.Ledger
		var s core.Session
		at := append(append([]any{&kind, scan{&user}}, scanned(ledgerFields(&l))...), scanned(sessionFields(&s))...)
		if err := rows.Scan(at...); err != nil {
			return err
		}
		p := of[user]
		switch kind {
		case rowLedger:
			ledgers[user] = l
		case rowSession:
			p.sessions = append(p.sessions, s)
		case rowDevice:
			p.devices = append(p.devices, core.KnownDevice{
				Device: s.Device, FirstSeenAt: s.CreatedAt, LastSeenAt: s.LastSeenAt, IP: s.IP, Location: s.Location,
			})
		}
		of[user] = p
		return nil
	})
	if err != nil {
		return nil, err
	}
	for user, l := range ledgers {
		l.Sessions, l.Devices = of[user].sessions, of[user].devices
		ledgers[user] = l
	}
	return ledgers, nil
}
