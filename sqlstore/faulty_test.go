package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// faulty is a driver in front of another one. What is asked of it is counted, and one
// of those calls, or each, goes wrong in some way.
type faulty struct {
	real driver.Driver
	dsn  string

	mu    sync.Mutex
	calls int // since it was told to fail
	fails func(n int, call string) *fault
}

// fault is how a call goes wrong. The connection is gone with it if the call took place
// or was about a transaction: nobody knows what becomes of that.
type fault struct {
	err  error
	late bool   // it takes place all the same
	wait func() // how long it takes, whatever its context says
}

// faultyOf returns a driver in front of that of a database.
func faultyOf(t testing.TB, d sqltest.Database) *faulty {
	t.Helper()
	return &faulty{real: d.Open(t).Driver(), dsn: d.DSN}
}

// open returns a pool of connections through the driver.
func (f *faulty) open(t testing.TB) *sql.DB {
	db := sql.OpenDB(f)
	t.Cleanup(func() { db.Close() })
	return db
}

// fail has calls go wrong from now on; nil: none.
func (f *faulty) fail(fails func(n int, call string) *fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.fails = 0, fails
}

// do makes one call, or has it fail.
func do[T any](c faultyConn, call string, real func() (T, error)) (T, error) {
	f := c.f
	f.mu.Lock()
	f.calls++
	var how *fault
	if f.fails != nil {
		how = f.fails(f.calls-1, call)
	}
	f.mu.Unlock()
	var none T
	if how == nil {
		return real()
	}
	if how.wait != nil {
		how.wait()
	}
	if how.late {
		if v, err := real(); err != nil {
			return v, err
		} else if c, is := any(v).(io.Closer); is {
			c.Close()
		}
	}
	if how.err == nil {
		return real()
	}
	if about := call == "begin" || call == "commit" || call == "rollback"; how.late || about {
		c.gone.Store(true)
	}
	return none, how.err
}

// Connect implements driver.Connector.
func (f *faulty) Connect(ctx context.Context) (driver.Conn, error) {
	c := faultyConn{f: f, gone: new(atomic.Bool)}
	return do(c, "connect", func() (_ driver.Conn, err error) {
		if with, is := f.real.(driver.DriverContext); is {
			of, err := with.OpenConnector(f.dsn)
			if err != nil {
				return nil, err
			}
			c.Conn, err = of.Connect(ctx)
			return c, err
		}
		c.Conn, err = f.real.Open(f.dsn)
		return c, err
	})
}

// Driver implements driver.Connector.
func (f *faulty) Driver() driver.Driver { return f.real }

// faultyConn is a connection. What the real one can do, it can.
type faultyConn struct {
	driver.Conn
	f    *faulty
	gone *atomic.Bool
}

func (c faultyConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	return do(c, "prepare "+text, func() (driver.Stmt, error) {
		s, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, text)
		return faultyStmt{s, c, text}, err
	})
}

func (c faultyConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := do(c, "begin", func() (faultyTx, error) {
		tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
		return faultyTx{tx, c}, err
	})
	if err != nil {
		return nil, err
	}
	return tx, nil
}

func (c faultyConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	return do(c, text, func() (driver.Result, error) { return c.Conn.(driver.ExecerContext).ExecContext(ctx, text, args) })
}

func (c faultyConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	return do(c, text, func() (driver.Rows, error) {
		rows, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, text, args)
		return faultyRows{rows, c}, err
	})
}

func (c faultyConn) ResetSession(ctx context.Context) error {
	if r, is := c.Conn.(driver.SessionResetter); is {
		return r.ResetSession(ctx)
	}
	return nil
}

func (c faultyConn) IsValid() bool {
	v, is := c.Conn.(driver.Validator)
	return !c.gone.Load() && (!is || v.IsValid())
}

func (c faultyConn) CheckNamedValue(v *driver.NamedValue) error {
	if k, is := c.Conn.(driver.NamedValueChecker); is {
		return k.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

type faultyStmt struct {
	driver.Stmt
	c    faultyConn
	text string
}

func (s faultyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return do(s.c, s.text, func() (driver.Result, error) { return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args) })
}

func (s faultyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return do(s.c, s.text, func() (driver.Rows, error) {
		rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
		return faultyRows{rows, s.c}, err
	})
}

type faultyTx struct {
	driver.Tx
	c faultyConn
}

func (tx faultyTx) Commit() error {
	_, err := do(tx.c, "commit", func() (bool, error) { return true, tx.Tx.Commit() })
	if err != nil {
		tx.Tx.Rollback() // as the end of the connection would, if it is still open
	}
	return err
}

func (tx faultyTx) Rollback() error {
	_, err := do(tx.c, "rollback", func() (bool, error) { return true, tx.Tx.Rollback() })
	return err
}

type faultyRows struct {
	driver.Rows
	c faultyConn
}

func (r faultyRows) Next(to []driver.Value) error {
	_, err := do(r.c, "next", func() (bool, error) { return true, r.Rows.Next(to) })
	return err
}

// soon waits for a while: for something that may have to wait for who calls.
func soon(done <-chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
