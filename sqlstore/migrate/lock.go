package migrate

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqlerr"
)

// turn is what keeps other processes from migrating meanwhile, on the connection on
// which goose works. It ends with that connection. On SQLite and PostgreSQL it is one
// transaction, which is committed if what came of it is sound.
//
// It is a lock.SessionLocker of goose's.
type turn struct {
	*migrator
	adopts bool              // tables that are not noted are no mistake
	before func(state) error // whether to go on
	after  func(state) bool  // whether it has become what it should
	now    state             // as before was asked
	busy   int               // SQLite: what busy_timeout was
	// refusal is why the turn was not taken, or came to nothing.
	refusal error
}

// SessionLock waits for the turn until ctx is done, and looks whether it may be used.
func (t *turn) SessionLock(ctx context.Context, conn *sql.Conn) error {
	t.refusal = nil
	if err := t.locker.lock(ctx, t, conn); err != nil {
		t.refusal = fmt.Errorf("migrate: waiting for other processes that migrate: %w", err)
		return t.refusal
	}
	now, err := t.look(ctx, conn)
	if err == nil && !t.adopts {
		err = t.judge(now)
	} else if err == nil {
		err = t.gaps(now)
	}
	if err == nil {
		err = t.before(now)
	}
	if err == nil {
		err = t.begun(ctx, conn, &now)
	}
	if err != nil {
		if t.refusal = err; !errors.Is(err, errTurned) {
			t.refusal = fmt.Errorf("%w; nothing was changed", err)
		}
		t.end(context.WithoutCancel(ctx), conn, false)
		return err
	}
	t.now = now
	return nil
}

// SessionUnlock ends the turn. What was done is undone, where that can be, unless it
// is sound.
func (t *turn) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	look, cancel := context.WithTimeout(ctx, parting)
	now, err := t.look(look, conn)
	cancel()
	if err == nil {
		err = t.judge(now)
	}
	if err == nil && !t.after(now) {
		err = errUndone
	}
	return errors.Join(err, t.end(ctx, conn, err == nil))
}

var errUndone = errors.New("migrate: nothing was changed")

// parting is how long the end of a turn may take, when ctx may be done.
const parting = 10 * time.Second

// end ends the turn, with the connection if there is no other way.
func (t *turn) end(ctx context.Context, conn *sql.Conn, keep bool) error {
	ctx, cancel := context.WithTimeout(ctx, parting)
	defer cancel()
	err := t.locker.unlock(ctx, t, conn, keep)
	if err != nil {
		conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return err
}

// locker is how a database has one process at a time.
type locker struct {
	lock   func(context.Context, *turn, *sql.Conn) error
	unlock func(ctx context.Context, t *turn, conn *sql.Conn, keep bool) error
}

var lockers = map[sqlstore.Dialect]locker{
	sqlstore.SQLite:     {lockSQLite, unlockSQLite},
	sqlstore.MySQL:      {lockMySQL, unlockMySQL},
	sqlstore.PostgreSQL: {lockPostgres, unlockPostgres},
}

// poll asks until it is told yes, or ctx is done. Servers are not left to wait, whose
// own limits of time would end that.
func poll(ctx context.Context, ask func() (bool, error)) error {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		wait := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
	}
}

// patiently calls f until no other process is in its way, as may be when a file of
// SQLite is opened.
func (m *migrator) patiently(ctx context.Context, f func() error) error {
	var err error
	waited := poll(ctx, func() (bool, error) {
		err = f()
		return m.dialect != sqlstore.SQLite || !sqlerr.SQLiteBusy(err), nil
	})
	return errors.Join(err, waited)
}

func transactionEnd(keep bool) string {
	if keep {
		return "COMMIT"
	}
	return "ROLLBACK"
}

// lockSQLite begins a transaction that is the only one. That can't fail at its end:
// nobody reads.
func lockSQLite(ctx context.Context, t *turn, conn *sql.Conn) error {
	// SQLite itself waits without a look at ctx.
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&t.busy); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 0"); err != nil {
		return err
	}
	err := poll(ctx, func() (bool, error) {
		_, err := conn.ExecContext(ctx, "BEGIN EXCLUSIVE")
		if sqlerr.SQLiteBusy(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return errors.Join(err, t.waitAgain(context.WithoutCancel(ctx), conn))
	}
	return nil
}

func unlockSQLite(ctx context.Context, t *turn, conn *sql.Conn, keep bool) error {
	_, err := conn.ExecContext(ctx, transactionEnd(keep))
	return errors.Join(err, t.waitAgain(ctx, conn))
}

// waitAgain has a connection of SQLite wait as it did.
func (t *turn) waitAgain(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", t.busy))
	return err
}

// The lock is the server's, of this name and the database's.
const mysqlLock = "CONCAT('sallyport ', MD5(DATABASE()))"

// lockMySQL takes a lock that goes with the connection. A transaction would end with
// the first table.
func lockMySQL(ctx context.Context, _ *turn, conn *sql.Conn) error {
	return poll(ctx, func() (bool, error) {
		var got sql.NullBool
		err := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+mysqlLock+", 0)").Scan(&got)
		if err == nil && !got.Valid {
			err = errors.New("GET_LOCK failed: does the DSN name a database?")
		}
		return got.Bool, err
	})
}

func unlockMySQL(ctx context.Context, _ *turn, conn *sql.Conn, _ bool) error {
	var released sql.NullBool
	err := conn.QueryRowContext(ctx, "SELECT RELEASE_LOCK("+mysqlLock+")").Scan(&released)
	if err == nil && !released.Bool {
		err = errors.New("migrate: the lock was lost")
	}
	return err
}

// postgresLock is an advisory lock of the database, of a number that nobody else is
// likely to take.
const postgresLock = "7283611905224073641"

// lockPostgres begins a transaction that has an advisory lock. What others have
// committed before is seen in it.
func lockPostgres(ctx context.Context, t *turn, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED"); err != nil {
		return err
	}
	err := poll(ctx, func() (got bool, err error) {
		err = conn.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock("+postgresLock+")").Scan(&got)
		return got, err
	})
	if err != nil {
		t.end(context.WithoutCancel(ctx), conn, false)
	}
	return err
}

func unlockPostgres(ctx context.Context, _ *turn, conn *sql.Conn, keep bool) error {
	_, err := conn.ExecContext(ctx, transactionEnd(keep))
	return err
}
