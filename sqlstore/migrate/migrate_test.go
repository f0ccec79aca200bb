package migrate

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

var dialects = map[string]sqlstore.Dialect{
	"sqlite":   sqlstore.SQLite,
	"mariadb":  sqlstore.MySQL,
	"postgres": sqlstore.PostgreSQL,
}

// onEach runs a test on a new database of each engine.
func onEach(t *testing.T, test func(t *testing.T, d sqltest.Database, dialect sqlstore.Dialect)) {
	for _, engine := range sqltest.Engines() {
		t.Run(engine, func(t *testing.T) { test(t, sqltest.New(t, engine), dialects[engine]) })
	}
}

// patient is a context that ends a test which would hang.
func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func run(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(patient(t), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func ask(t *testing.T, db *sql.DB, query string) (answer string) {
	t.Helper()
	if err := db.QueryRowContext(patient(t), query).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

// is fails the test unless an error is the one wanted, and says all of these.
func is(t *testing.T, err, want error, says ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	for _, s := range says {
		if !strings.Contains(fmt.Sprint(err), s) {
			t.Errorf("got %v, want it to say %q", err, s)
		}
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const (
	insertBucket = "INSERT INTO user_session_buckets VALUES (1, 2, 'a', 'b', 'c', '2026-01-01 00:00:00.000')"
	countBuckets = "SELECT count(*) FROM user_session_buckets"
)

var aside = []string{
	"user_sessions_aside", "user_session_ledgers_aside", "user_session_devices_aside",
	"user_session_buckets_aside", "user_session_feed_aside", "user_session_events_aside",
}

// Up and Down work with one connection and whatever the DSN says, and lose nothing.
func TestUpAndDown(t *testing.T) {
	if os.Getenv("SALLYPORT_QUICK") != "" {
		t.Skip("it takes long")
	}
	for _, engine := range sqltest.Engines() {
		for i, options := range sqltest.New(t, engine).Settings() {
			t.Run(fmt.Sprintf("%s/%s", engine, options), func(t *testing.T) {
				d, dialect, ctx := sqltest.New(t, engine).With(options), dialects[engine], patient(t)
				db := d.Open(t)
				if i%2 == 0 {
					db.SetMaxOpenConns(1)
				}
				is(t, Down(ctx, db, dialect), ErrNone)
				for range 2 {
					ok(t, Up(ctx, db, dialect))
					ok(t, sqlstore.CheckSchema(ctx, db, dialect))
				}
				if got, err := Status(ctx, db, dialect); err != nil || got != (Version{1, 1}) {
					t.Fatalf("got %+v, %v", got, err)
				}
				run(t, db, insertBucket)
				ok(t, Down(ctx, db, dialect))
				if got, err := Status(ctx, db, dialect); err != nil || got != (Version{0, 1}) {
					t.Fatalf("got %+v, %v", got, err)
				}
				if got := ask(t, db, strings.Replace(countBuckets, "buckets", "buckets_aside", 1)); got != "1" {
					t.Errorf("aside are %s rows, want 1", got)
				}
				ok(t, Up(ctx, db, dialect))
				if got := ask(t, db, countBuckets); got != "0" {
					t.Errorf("got %s rows, want empty tables", got)
				}
				is(t, Down(ctx, db, dialect), ErrAside, "user_sessions_aside", "nothing was changed")
				ok(t, sqlstore.CheckSchema(ctx, db, dialect))
				for _, name := range aside {
					run(t, db, "DROP TABLE "+name)
				}
				ok(t, Down(ctx, db, dialect))
				ok(t, Up(ctx, db, dialect))
				if got := ask(t, db, "SELECT count(*) FROM "+Table); got != "2" {
					t.Errorf("%s has %s rows, want 2", Table, got)
				}
			})
		}
	}
}

// with is a migrator of the app's migrations with another one.
func with(t *testing.T, db *sql.DB, d sqlstore.Dialect) *migrator {
	t.Helper()
	m, err := open(db, d)
	ok(t, err)
	all := fstest.MapFS{"00002_more.sql": {Data: []byte(`-- +goose Up
CREATE TABLE user_session_more (
    id char(26) NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX user_session_more_id ON user_session_more (id);
-- +goose Down
ALTER TABLE user_session_more RENAME TO user_session_more_aside;
`)}}
	names, err := fs.Glob(m.fsys, "*.sql")
	ok(t, err)
	for _, name := range names {
		text, err := fs.ReadFile(m.fsys, name)
		ok(t, err)
		all[name] = &fstest.MapFile{Data: text}
	}
	if d == sqlstore.PostgreSQL {
		text := all["00002_more.sql"]
		text.Data = bytes.ReplaceAll(text.Data, []byte("char(26)"), []byte("text"))
	}
	m, err = over(db, d, all)
	ok(t, err)
	return m
}

// break makes a statement in the middle of the first migration fail, which goose reads
// and this package does not.
func (m *migrator) breakIt(t *testing.T, statement string) {
	t.Helper()
	names, err := fs.Glob(m.fsys, "*.sql")
	ok(t, err)
	text, err := fs.ReadFile(m.fsys, names[0])
	ok(t, err)
	const middle = "CREATE INDEX user_session_ledgers_keep"
	broken := strings.Replace(string(text), middle, statement+";\n"+middle, 1)
	m.fsys = fstest.MapFS{names[0]: {Data: []byte(broken)}}
}

func TestTwoVersions(t *testing.T) {
	onEach(t, func(t *testing.T, d sqltest.Database, dialect sqlstore.Dialect) {
		db, ctx := d.Open(t), patient(t)
		db.SetMaxOpenConns(1)
		m := with(t, db, dialect)
		ok(t, m.up(ctx))
		is(t, Up(ctx, db, dialect), ErrTooNew, "version 2", "up to 1", "nothing was changed")
		is(t, Down(ctx, db, dialect), ErrTooNew)
		is(t, Adopt(ctx, db, dialect), ErrTooNew)
		_, err := Status(ctx, db, dialect)
		is(t, err, ErrTooNew)
		ok(t, sqlstore.CheckSchema(ctx, db, dialect)) // a process that is older goes on
		noted := func(versions ...int) {
			run(t, db, "DELETE FROM "+Table)
			for _, v := range versions {
				run(t, db, fmt.Sprintf("INSERT INTO %s (version_id, is_applied) VALUES (%d, TRUE)", Table, v))
			}
		}
		noted(0, 2)
		is(t, m.up(ctx), ErrSchema, "and are [0 2]")
		noted(0, 2, 1) // goose would undo 1
		is(t, m.down(ctx), ErrSchema, "and are [0 2 1]")
		noted(0, 1, 2)
		ok(t, m.up(ctx))
		ok(t, m.down(ctx))
		ok(t, Up(ctx, db, dialect))
		noted(0, 1, 1)
		is(t, Up(ctx, db, dialect), ErrSchema, "and are [0 1 1]")
	})
}

// What goes wrong in the middle leaves nothing, and in MySQL something that is named.
func TestBroken(t *testing.T) {
	onEach(t, func(t *testing.T, d sqltest.Database, dialect sqlstore.Dialect) {
		db, ctx := d.Open(t), patient(t)
		db.SetMaxOpenConns(1)
		m, err := open(db, dialect)
		ok(t, err)
		m.breakIt(t, "NO SQL")
		err = m.up(ctx)
		if err == nil {
			t.Fatal("it went well")
		}
		if dialect == sqlstore.MySQL {
			is(t, err, ErrSchema, "NO SQL", "cut off")
			err = Up(ctx, db, dialect)
			is(t, err, ErrSchema, "user_sessions, user_session_ledgers are there while", "user_session_feed", "cut off", "DROP TABLE user_sessions, user_session_ledgers and migrate again")
			run(t, db, "DROP TABLE user_sessions, user_session_ledgers")
		} else {
			is(t, err, err, "nothing was changed")
			if got, err := Status(ctx, db, dialect); err != nil || got.Database != 0 {
				t.Fatalf("got %+v, %v", got, err)
			}
			_, err := db.ExecContext(ctx, "SELECT count(*) FROM user_sessions")
			if err == nil {
				t.Error("a table is left")
			}
		}
		ok(t, Up(ctx, db, dialect))
	})
}

func TestRefused(t *testing.T) {
	onEach(t, func(t *testing.T, d sqltest.Database, dialect sqlstore.Dialect) {
		fsys, err := sqlstore.MigrationsFor(dialect)
		ok(t, err)
		ctx := patient(t)

		db := d.Open(t)
		sqltest.Apply(t, db, fsys) // as other tools would
		is(t, Up(ctx, db, dialect), ErrSchema, Table+" is missing", "call migrate.Adopt", "nothing was changed")
		run(t, db, "ALTER TABLE user_session_feed RENAME TO f")
		is(t, Up(ctx, db, dialect), ErrSchema, "while user_session_feed is missing", "DROP TABLE user_sessions")
		is(t, Adopt(ctx, db, dialect), ErrSchema, "there is no table user_session_feed")
		run(t, db, "ALTER TABLE f RENAME TO user_session_feed")
		for range 2 {
			ok(t, Adopt(ctx, db, dialect))
		}
		ok(t, Up(ctx, db, dialect))
		if got := ask(t, db, "SELECT count(*) FROM "+Table); got != "2" {
			t.Errorf("%s has %s rows, want 2", Table, got)
		}

		run(t, db, "ALTER TABLE user_session_feed RENAME TO f")
		is(t, Up(ctx, db, dialect), ErrSchema, "there is no table user_session_feed")
		is(t, Down(ctx, db, dialect), ErrSchema, "there is no table user_session_feed")
		run(t, db, "ALTER TABLE f RENAME TO user_session_feed")

		sqltest.Revert(t, db, fsys)
		is(t, Up(ctx, db, dialect), ErrSchema, "a Down was cut off", "DELETE FROM "+Table+" WHERE version_id = 1")
		for _, name := range aside {
			run(t, db, "DROP TABLE "+name)
		}
		is(t, Up(ctx, db, dialect), ErrSchema, "none of the tables is there", "DROP TABLE "+Table)
		run(t, db, "DELETE FROM "+Table) // it was cut off when it had just begun
		ok(t, Up(ctx, db, dialect))
		if got := ask(t, db, "SELECT count(*) FROM "+Table); got != "2" {
			t.Errorf("%s has %s rows, want 2", Table, got)
		}
	})
}

// Who waits for another process does so until its context is done; who has nothing
// to do does not wait.
func TestWaiting(t *testing.T) {
	onEach(t, func(t *testing.T, d sqltest.Database, dialect sqlstore.Dialect) {
		db, other, ctx := d.Open(t), d.Open(t), patient(t)
		take := func() (release func()) {
			m, err := open(other, dialect)
			ok(t, err)
			conn, err := other.Conn(ctx)
			ok(t, err)
			turn := &turn{migrator: m, before: func(state) error { return nil }, after: func(state) bool { return true }}
			ok(t, turn.SessionLock(ctx, conn))
			return func() { ok(t, errors.Join(turn.SessionUnlock(ctx, conn), conn.Close())) }
		}
		release := take()
		soon, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		is(t, Up(soon, db, dialect), context.DeadlineExceeded, "waiting for other processes")
		var waiting [2]chan error
		for i := range waiting {
			waiting[i] = make(chan error, 1)
			go func() { waiting[i] <- Up(ctx, db, dialect) }()
		}
		release()
		for _, w := range waiting {
			ok(t, <-w)
		}
		release = take()
		ok(t, Up(ctx, db, dialect))
		_, err := Status(ctx, db, dialect)
		ok(t, err)
		release()
		if dialect == sqlstore.SQLite { // connections wait as they did
			if got := ask(t, db, "PRAGMA busy_timeout"); got != "5000" {
				t.Errorf("busy_timeout is %s", got)
			}
		}
	})
}

// What goose itself has applied is taken as it is, and the other way round.
func TestGoose(t *testing.T) {
	onEach(t, func(t *testing.T, d sqltest.Database, dialect sqlstore.Dialect) {
		db, ctx := d.Open(t), patient(t)
		fsys, err := sqlstore.MigrationsFor(dialect)
		ok(t, err)
		p, err := goose.NewProvider(gooses[dialect], db, fsys, goose.WithTableName(Table))
		ok(t, err)
		_, err = p.Up(ctx)
		ok(t, err)
		ok(t, Up(ctx, db, dialect))
		ok(t, Down(ctx, db, dialect))
		_, err = p.Up(ctx)
		ok(t, err)
		if got, err := Status(ctx, db, dialect); err != nil || got != (Version{1, 1}) {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestUsage(t *testing.T) {
	ctx := t.Context()
	for _, err := range []error{Up(ctx, nil, sqlstore.SQLite), Down(ctx, nil, sqlstore.SQLite), Adopt(ctx, nil, sqlstore.SQLite)} {
		if err == nil {
			t.Error("no database is no mistake")
		}
	}
	if err := Up(ctx, sqltest.SQLite(t).Open(t), "oracle"); err == nil || !strings.Contains(err.Error(), "oracle") {
		t.Errorf("got %v", err)
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	os.Exit(m.Run())
}
