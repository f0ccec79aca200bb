package sqltest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// each runs a test on a new database of each engine.
func each(t *testing.T, test func(t *testing.T, d Database)) {
	for _, engine := range Engines() {
		t.Run(engine, func(t *testing.T) { test(t, New(t, engine)) })
	}
}

func execute(t *testing.T, db interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, statement string, args ...any,
) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// ask returns the one value that a query has, as text.
func ask(t *testing.T, db *sql.DB, query string, args ...any) (answer string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

func TestDatabase(t *testing.T) {
	each(t, func(t *testing.T, d Database) {
		db := d.Open(t)
		execute(t, db, "CREATE TABLE a (n int)")
		execute(t, db, "INSERT INTO a VALUES (1)")
		if got := ask(t, d.Open(t), "SELECT count(*) FROM a"); got != "1" {
			t.Errorf("opened again it has %s rows, want 1", got)
		}
		other := New(t, d.Engine)
		if other.Engine != d.Engine || other.DSN == d.DSN {
			t.Errorf("got %+v beside %+v", other, d)
		}
		execute(t, other.Open(t), "CREATE TABLE a (n int)") // it is empty
	})
	if got, want := strings.Join(Engines(), " "), "sqlite mariadb postgres"; got != want {
		t.Errorf("got engines %q, want %q", got, want)
	}
}

func TestDatabaseIsGoneAfterItsTest(t *testing.T) {
	for _, engine := range Engines() {
		t.Run(engine, func(t *testing.T) {
			var d Database
			var left *sql.DB
			t.Run("uses it", func(t *testing.T) {
				d = New(t, engine)
				var err error
				if left, err = sql.Open(d.Driver, d.DSN); err != nil {
					t.Fatal(err)
				}
				execute(t, left, "CREATE TABLE a (n int)")
				// What is open holds nothing up: not a transaction that has locked a row.
				tx, err := left.BeginTx(context.Background(), nil)
				if err != nil {
					t.Fatal(err)
				}
				execute(t, tx, "INSERT INTO a VALUES (1)")
			})
			if left == nil {
				t.Skip("no database")
			}
			defer left.Close()
			if engine == sqliteEngine {
				file, _, _ := strings.Cut(strings.TrimPrefix(d.DSN, "file:"), "?")
				if _, err := os.Stat(file); !os.IsNotExist(err) {
					t.Errorf("got %v of its file", err)
				}
				return
			}
			again, err := sql.Open(d.Driver, d.DSN)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			err = again.PingContext(t.Context())
			if err == nil || !strings.Contains(err.Error(), "nknown database") && !strings.Contains(err.Error(), "does not exist") {
				t.Errorf("got %v of a database that is to be gone", err)
			}
		})
	}
}

// SQLite is durable at each commit, and waits for other writers.
func TestSQLiteSettings(t *testing.T) {
	db := SQLite(t).Open(t)
	for range 2 { // of each connection
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000"} {
			var got string
			if err := conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s: got %q, %v, want %q", pragma, got, err, want)
			}
		}
	}
}

func TestDatabaseWith(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	d := MariaDB(t)
	db := d.Open(t)
	execute(t, db, "CREATE TABLE a (at datetime)")
	execute(t, db, "INSERT INTO a VALUES (?)", at)
	for options, want := range map[string]string{
		"":                                "[]uint8 2026-03-04 05:06:07",
		"parseTime=true":                  "time.Time 2026-03-04 05:06:07 +0000 UTC",
		"parseTime=true&loc=Asia/Kolkata": "time.Time 2026-03-04 05:06:07 +0530 IST",
	} {
		var got any
		if err := d.With(options).Open(t).QueryRow("SELECT at FROM a").Scan(&got); err != nil {
			t.Fatal(err)
		}
		if text, ok := got.([]byte); ok {
			if s := fmt.Sprintf("%T %s", got, text); s != want {
				t.Errorf("%q: got %s, want %s", options, s, want)
			}
		} else if s := fmt.Sprintf("%T %v", got, got); s != want {
			t.Errorf("%q: got %s, want %s", options, s, want)
		}
	}
	again := d.With("parseTime=false&loc=UTC").With("parseTime=true")
	if want := "?loc=UTC&parseTime=true"; !strings.HasSuffix(again.DSN, want) {
		t.Errorf("got %s, want it to end with %s", again.DSN, want)
	}
}

// Each of the settings reaches the driver or the server, and its options are known there.
func TestSettings(t *testing.T) {
	shown := map[string][2]string{ // by a query, of the settings that one shows
		"timezone=Asia/Kolkata": {"SHOW timezone", "Asia/Kolkata"},
		"time_zone='-08:00'":    {"SELECT @@time_zone", "-08:00"},
		"parseTime=true&loc=Asia/Kolkata&time_zone='%2B05:30'": {"SELECT @@time_zone", "+05:30"},
	}
	each(t, func(t *testing.T, d Database) {
		execute(t, d.Open(t), "CREATE TABLE a (n int)")
		settings := d.Settings()
		if settings[0] != "" {
			t.Errorf("got %q first, want the database as it is", settings[0])
		}
		for _, options := range settings {
			db := d.With(options).Open(t)
			if got := ask(t, db, "SELECT count(*) FROM a"); got != "0" {
				t.Errorf("%q: got %s rows", options, got)
			}
			if query, ok := shown[options]; ok {
				if got := ask(t, db, query[0]); got != query[1] {
					t.Errorf("%q: got %q, want %q", options, got, query[1])
				}
			}
		}
		if d.Engine == sqliteEngine {
			return // it passes over what it does not know
		}
		db, err := sql.Open(d.Driver, d.With("nosuchoption=1").DSN)
		if err == nil {
			err = db.PingContext(t.Context())
			db.Close()
		}
		if err == nil {
			t.Error("an option that nobody knows went unnoticed")
		}
	})
}

// recorder is a test that notes how it was given up.
type recorder struct {
	testing.TB
	skipped, failed bool
}

func (r *recorder) Helper() {}

func (r *recorder) Skip(...any) {
	r.skipped = true
	runtime.Goexit()
}

func (r *recorder) Fatal(...any) {
	r.failed = true
	runtime.Goexit()
}

func (r *recorder) Fatalf(string, ...any) { r.Fatal() }

func TestMissing(t *testing.T) {
	for ci, want := range map[string]recorder{"": {skipped: true}, "true": {failed: true}} {
		t.Setenv("CI", ci)
		got := recorder{TB: t}
		want.TB = t
		var test sync.WaitGroup
		test.Go(func() { missing(&got, os.ErrNotExist) })
		test.Wait()
		if got != want {
			t.Errorf("CI=%q: got skipped %v, failed %v", ci, got.skipped, got.failed)
		}
	}
}
