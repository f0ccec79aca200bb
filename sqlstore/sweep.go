package sqlstore

import (
	"context"
	"database/sql"
	"math"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// batch is how many rows one transaction removes: it is short, and others get on.
const batch = 100

// Sweep implements [core.Sweeper]. Sessions that are over stay as history, ended at
// their ExpiresAt with [core.ReasonExpired], until they are purged.
func (s *Store) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.inBatches(ctx, s.options.Timeout, limit, before, feedOver, sessionsOver, ledgersOver)
}

// Purge removes history: sessions that ended before a time, and events that happened
// before it. It goes on in short transactions until all are gone or ctx is done, and
// returns how many rows it removed, also beside an error. Sessions that go on stay, and
// so do those that are over and were not swept yet.
func (s *Store) Purge(ctx context.Context, before time.Time) (int, error) {
	return s.purge(ctx, s.options.Timeout, before)
}

func (t *tables) purge(ctx context.Context, patience time.Duration, before time.Time) (int, error) {
	return t.inBatches(ctx, patience, math.MaxInt, before, sessionsEnded, eventsPast)
}

// inBatches changes what rows are over before a time, up to a limit. It returns less
// only if none is left. Each transaction may take as long as patience.
func (t *tables) inBatches(ctx context.Context, patience time.Duration, limit int, before time.Time, all ...past) (int, error) {
	done := 0
	for _, p := range all {
		for full := true; full && done < limit; {
			most := min(batch, limit-done)
			c, err := ask(ctx, t, patience, func(ctx context.Context) (changed, error) { return t.change(ctx, p, before, most) })
			if err != nil {
				return done, err
			}
			done += c.over
			full = c.found == most
		}
	}
	return done, ctx.Err()
}

// past are rows that are over at some time.
type past struct {
	table string
	over  string         // the condition, of one time
	since string         // the column by which those that are over for longest come first
	key   func() []field // where to read the key of one to
	// change removes rows, or says that they are over: the first statement counts. Each
	// ends where a condition stands that names them.
	change []string
}

// The condition stands in each change again: a row may have got another time since its
// key was read.
var (
	feedOver = past{
		"user_session_feed", "until_at < ?", "until_at",
		func() []field {
			return []field{{"bucket", new(int)}, {"position", new(int)}, {"part", new(int)}}
		},
		[]string{"DELETE FROM user_session_feed WHERE until_at < ? AND "},
	}
	// A session that is due may have been refreshed, and then is due later.
	sessionsOver = past{
		"user_sessions", "ended_at IS NULL AND due_at < ?", "due_at",
		sessionKey,
		[]string{
			"UPDATE user_sessions SET ended_at = expires_at, end_reason = '" + string(core.ReasonExpired) + "' WHERE ended_at IS NULL AND expires_at < ? AND ",
			"UPDATE user_sessions SET due_at = expires_at WHERE ended_at IS NULL AND due_at < ? AND ",
		},
	}
	sessionsEnded = past{
		"user_sessions", "ended_at < ?", "ended_at",
		sessionKey,
		[]string{"DELETE FROM user_sessions WHERE ended_at < ? AND "},
	}
	eventsPast = past{
		"user_session_events", "happened_at < ?", "happened_at",
		func() []field { return []field{{"happened_at", new(time.Time)}, {"id", new(core.ID)}} },
		[]string{"DELETE FROM user_session_events WHERE happened_at < ? AND "},
	}
	// Who has no ledger any more has no device and no session that goes on.
	ledgersOver = past{
		"user_session_ledgers", "keep_until < ?", "keep_until",
		func() []field { return []field{{"user_id", new(string)}} },
		[]string{
			"DELETE FROM user_session_ledgers WHERE keep_until < ? AND ",
			"DELETE FROM user_session_devices WHERE " + noLedger("user_session_devices") + " AND ",
			"UPDATE user_sessions SET ended_at = COALESCE(expires_at, ?), end_reason = '" + string(core.ReasonExpired) + "' WHERE ended_at IS NULL AND " + noLedger("user_sessions") + " AND ",
		},
	}
)

func sessionKey() []field { return []field{{"user_id", new(string)}, {"id", new(core.ID)}} }

func noLedger(table string) string {
	return "NOT EXISTS (SELECT 1 FROM user_session_ledgers l WHERE l.user_id = " + table + ".user_id)"
}

// changed is how many rows were found, and how many of them were over.
type changed struct{ found, over int }

// change changes at most a number of rows.
func (t *tables) change(ctx context.Context, p past, before time.Time, most int) (changed, error) {
	var c changed
	if err := t.begin(ctx); err != nil {
		return c, err
	}
	at := t.engine.value(&before)
	columns := mapped(p.key(), t.engine.column)
	rows, err := t.read().queryText(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+p.table+" WHERE "+p.over+" ORDER BY "+p.since+" LIMIT ?", at, most)
	var keys []any
	err = each(rows, err, func(rows *sql.Rows) error {
		key, at := make([]any, len(columns)), make([]any, len(columns)) // as they are: others may have written them
		for i := range key {
			at[i] = &key[i]
		}
		if err := rows.Scan(at...); err != nil {
			return err
		}
		keys = append(keys, key...)
		c.found++
		return nil
	})
	if err != nil || c.found == 0 {
		return c, err
	}
	named := among(p.key(), c.found)
	err = t.write(ctx, true, func(tx conn) error {
		for i, text := range p.change {
			args := keys
			if strings.Contains(text, "?") {
				args = append([]any{at}, keys...)
			}
			n, err := tx.execText(ctx, text+named, args...)
			if err != nil {
				return err
			}
			if i == 0 {
				c.over = n
			}
		}
		return nil
	})
	return c, err
}
