package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// errStored is returned where a table holds what this package does not write.
var errStored = errors.New("sqlstore: a value in the database can't be read")

// tables are what statements work on.
type tables struct {
	db     *sql.DB
	engine *engine

	preparing chan struct{} // who may prepare
	ready     atomic.Bool   // that all queries are prepared
	load, insertLedger, updateLedger, deleteLedger, putSession, moveSession, endLeft,
	dropSessions, dropDevices, dropEvents, putDevice,
	nextPosition, position, putRevocation, buckets query

	wide    atomic.Bool   // that transactions can't have an isolation of their own
	writing chan struct{} // with engine.oneWriter: who may write
}

// query is a statement whose text is always the same.
type query struct {
	text string    // as the database wants it
	stmt *sql.Stmt // where statements are prepared
}

func newTables(db *sql.DB, e *engine) *tables {
	t := &tables{db: db, engine: e, preparing: make(chan struct{}, 1), writing: make(chan struct{}, 1)}
	ledger, session := columnsOf(ledgerFields(new(core.Ledger))), columnsOf(sessionFields(new(core.Session)))
	device, revocation := columnsOf(deviceFields(new(core.KnownDevice))), columnsOf(revocationFields(new(core.Revocation)))
	over := append([]string{"ended_at", "end_reason"}, session...)
	due := e.given("due_at")

	t.load.text = loadText(e, 1)
	t.insertLedger.text = insertText("user_session_ledgers", 1, append([]string{"user_id", "keep_until"}, ledger...)...) + e.unless("user_id")
	lists := assign([]string{"sign_ins", "networks", "pending", "foreign_tokens"}, func(c string) string { return "CASE WHEN ? = 1 THEN ? ELSE " + c + " END" })
	t.updateLedger.text = "UPDATE user_session_ledgers SET version = ?, changed_at = ?, revoked_at = COALESCE(?, revoked_at), " +
		"reused_at = COALESCE(?, reused_at), keep_until = ?, " + lists + " WHERE user_id = ? AND version = ?"
	t.deleteLedger.text = "DELETE FROM user_session_ledgers WHERE user_id = ? AND version = ?"
	t.putSession.text = insertText("user_sessions", 1, append([]string{"user_id", "due_at"}, over...)...) + e.upsert("user_id, id", over) +
		", due_at = CASE WHEN user_sessions.due_at <= " + due + " THEN user_sessions.due_at ELSE " + due + " END"
	if e.rewrites {
		t.moveSession.text = "UPDATE user_sessions SET " + assign(columnsOf(movingFields(new(core.Session))), func(string) string { return "?" }) +
			" WHERE user_id = ? AND id = ? AND ended_at IS NULL AND due_at <= ? AND " + strings.Join(columnsOf(settledFields(new(core.Session))), " = ? AND ") + " = ?"
	}
	t.endLeft.text = "UPDATE user_sessions SET ended_at = ?, end_reason = ? WHERE user_id = ? AND ended_at IS NULL"
	t.dropSessions.text = "DELETE FROM user_sessions WHERE user_id = ?"
	t.dropDevices.text = "DELETE FROM user_session_devices WHERE user_id = ?"
	t.dropEvents.text = "DELETE FROM user_session_events WHERE user_id = ?"
	t.putDevice.text = insertText("user_session_devices", 1, append([]string{"user_id", "position"}, device...)...)
	t.nextPosition.text = "UPDATE user_session_buckets SET before_id = change_id, change_id = ?, position = position + 1 WHERE bucket = ?"
	t.position.text = "SELECT position, before_id FROM user_session_buckets WHERE bucket = ?"
	t.putRevocation.text = insertText("user_session_feed", 1, append([]string{"bucket", "position", "part", "change_id", "before_id"}, revocation...)...)
	t.buckets.text = "SELECT bucket, position, change_id, epoch_id, " + e.timeColumn("epoch_at") + " FROM user_session_buckets ORDER BY bucket"
	if e.returning {
		t.nextPosition.text += " RETURNING position, before_id"
	}
	for _, q := range t.queries() {
		q.text = e.rebound(q.text)
	}
	return t
}

func (t *tables) queries() []*query {
	return []*query{
		&t.load, &t.insertLedger, &t.updateLedger, &t.deleteLedger, &t.putSession, &t.moveSession, &t.endLeft,
		&t.dropSessions, &t.dropDevices, &t.dropEvents, &t.putDevice,
		&t.nextPosition, &t.position, &t.putRevocation, &t.buckets,
	}
}

// insertText is an INSERT of a number of rows.
func insertText(table string, rows int, columns ...string) string {
	row := ", (" + marks(len(columns)) + ")"
	return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES " + strings.Repeat(row, rows)[2:]
}

// begin prepares all queries, where that saves round trips. It is called while no
// transaction is open, which might have the only connection.
func (t *tables) begin(ctx context.Context) error {
	if !t.engine.prepares || t.ready.Load() {
		return ctx.Err()
	}
	select { // a mutex would keep who waits beyond its time
	case t.preparing <- struct{}{}:
		defer func() { <-t.preparing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := t.looksFresh(ctx); err != nil {
		return err
	}
	for _, q := range t.queries() {
		if q.stmt != nil || q.text == "" {
			continue
		}
		var err error
		if q.stmt, err = t.db.PrepareContext(ctx, q.text); err != nil {
			return err
		}
	}
	t.ready.Store(true)
	return nil
}

// errStale is returned where a read would show what was, and not what is.
var errStale = errors.New("sqlstore: autocommit is off, so that a connection sees the database as it once was: leave it on")

func (t *tables) looksFresh(ctx context.Context) error {
	if t.engine.fresh == "" {
		return nil
	}
	var is int
	if err := t.db.QueryRowContext(ctx, t.engine.fresh).Scan(&is); err != nil {
		return err
	}
	if is == 0 {
		return errStale
	}
	return nil
}

// conn is the database, or a transaction in it.
type conn struct {
	*tables
	tx *sql.Tx // nil: none
}

// read is where queries go that are in no transaction.
func (t *tables) read() conn { return conn{tables: t} }

func (c conn) query(ctx context.Context, q *query, args ...any) (*sql.Rows, error) {
	switch {
	case q.stmt != nil && c.tx != nil:
		return c.tx.StmtContext(ctx, q.stmt).QueryContext(ctx, args...)
	case q.stmt != nil:
		return q.stmt.QueryContext(ctx, args...)
	}
	return c.on().QueryContext(ctx, q.text, args...)
}

func (c conn) queryText(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	return c.on().QueryContext(ctx, c.engine.rebound(text), args...)
}

// exec returns how many rows a statement changed.
func (c conn) exec(ctx context.Context, q *query, args ...any) (int, error) {
	switch {
	case q.stmt != nil && c.tx != nil:
		return affected(c.tx.StmtContext(ctx, q.stmt).ExecContext(ctx, args...))
	case q.stmt != nil:
		return affected(q.stmt.ExecContext(ctx, args...))
	}
	return affected(c.on().ExecContext(ctx, q.text, args...))
}

func (c conn) execText(ctx context.Context, text string, args ...any) (int, error) {
	return affected(c.on().ExecContext(ctx, c.engine.rebound(text), args...))
}

// on is what runs statements that are not prepared.
func (c conn) on() interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	ExecContext(context.Context, string, ...any) (sql.Result, error)
} {
	if c.tx != nil {
		return c.tx
	}
	return c.db
}

func affected(r sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}

// each calls f for each row, and closes rows.
func each(rows *sql.Rows, err error, f func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// write runs f in a transaction until it is committed, or fails in another way than
// because others were at work. Its first statement writes: who reads first may meet a
// database that has moved on. With ranges it changes more than rows that it names by
// their whole key.
func (t *tables) write(ctx context.Context, ranges bool, f func(conn) error) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	if t.engine.oneWriter {
		select {
		case t.writing <- struct{}{}:
			defer func() { <-t.writing }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	narrow := false
	helps := func(err error) bool {
		if narrow && t.engine.unlogged(err) { // neighbours wait for each other rather than fail
			t.wide.Store(true)
			return true
		}
		return t.engine.busy(err)
	}
	return patiently(ctx, helps, func() error {
		narrow = ranges && !t.wide.Load()
		return t.try(ctx, narrow, f)
	})
}

// patiently makes a call, after pauses, until it succeeds or fails in a way that trying
// again does not help.
func patiently(ctx context.Context, helps func(error) bool, f func() error) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := f()
		if err == nil || !helps(err) {
			return err
		}
		wait := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

func (t *tables) try(ctx context.Context, ranges bool, f func(conn) error) error {
	tx, err := t.db.BeginTx(ctx, t.engine.isolation(ranges))
	if err != nil {
		return err
	}
	if err := f(conn{t, tx}); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}
