package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"
	"testing"

	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// statement is what was asked of a database.
type statement struct {
	text string
	args []any
}

// trace notes the statements of what is done with a context that has it, BEGIN and
// COMMIT among them. What goes on in the background meanwhile has other contexts.
type trace struct {
	mu         sync.Mutex
	statements []statement
}

type traceKey struct{}

// traced returns the statements of what f does.
func traced(ctx context.Context, f func(context.Context) error) ([]statement, error) {
	var t trace
	err := f(context.WithValue(ctx, traceKey{}, &t))
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.statements, err
}

func note(ctx context.Context, text string, args []driver.NamedValue) {
	t, ok := ctx.Value(traceKey{}).(*trace)
	if !ok {
		return
	}
	s := statement{text: text}
	for _, a := range args {
		s.args = append(s.args, a.Value)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.statements = append(t.statements, s)
}

// openTraced opens a database by its driver, with a note of each statement.
func openTraced(t testing.TB, d sqltest.Database) *sql.DB {
	t.Helper()
	plain := d.Open(t)
	db := sql.OpenDB(tracedConnector{plain.Driver(), d.DSN})
	t.Cleanup(func() { db.Close() })
	return db
}

type tracedConnector struct {
	driver driver.Driver
	dsn    string
}

func (c tracedConnector) Driver() driver.Driver { return c.driver }

func (c tracedConnector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return tracedConn{conn.(fullConn)}, nil
}

// fullConn is what the connections of all three drivers can do.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
}

type tracedConn struct{ fullConn }

func (c tracedConn) IsValid() bool {
	v, ok := c.fullConn.(driver.Validator)
	return !ok || v.IsValid()
}

func (c tracedConn) CheckNamedValue(v *driver.NamedValue) error { return checkValue(c.fullConn, v) }

func (c tracedConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	r, err := c.fullConn.ExecContext(ctx, text, args)
	if err != driver.ErrSkip { // it is prepared then
		note(ctx, text, args)
	}
	return r, err
}

func (c tracedConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	r, err := c.fullConn.QueryContext(ctx, text, args)
	if err != driver.ErrSkip {
		note(ctx, text, args)
	}
	return r, err
}

func (c tracedConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	s, err := c.fullConn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return tracedStmt{s.(fullStmt), text}, nil
}

func (c tracedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if o.Isolation == 0 {
		note(ctx, "BEGIN", nil)
	} else {
		note(ctx, "BEGIN "+sql.IsolationLevel(o.Isolation).String(), nil)
	}
	tx, err := c.fullConn.BeginTx(ctx, o)
	return tracedTx{tx, ctx}, err
}

type tracedTx struct {
	driver.Tx
	ctx context.Context
}

func (t tracedTx) Commit() error {
	note(t.ctx, "COMMIT", nil)
	return t.Tx.Commit()
}

func (t tracedTx) Rollback() error {
	note(t.ctx, "ROLLBACK", nil)
	return t.Tx.Rollback()
}

type fullStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type tracedStmt struct {
	fullStmt
	text string
}

func (s tracedStmt) CheckNamedValue(v *driver.NamedValue) error { return checkValue(s.fullStmt, v) }

func (s tracedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	note(ctx, s.text, args)
	return s.fullStmt.ExecContext(ctx, args)
}

func (s tracedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	note(ctx, s.text, args)
	return s.fullStmt.QueryContext(ctx, args)
}

// checkValue has a driver check a value, if it wants to.
func checkValue(by any, v *driver.NamedValue) error {
	if c, ok := by.(driver.NamedValueChecker); ok {
		return c.CheckNamedValue(v)
	}
	return driver.ErrSkip
}
