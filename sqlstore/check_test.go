package sqlstore_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// found are the findings on a database, a line each.
func found(t *testing.T, s core.Checker, now time.Time) (lines []string) {
	t.Helper()
	for _, f := range s.Check(t.Context(), now) {
		if f.Subject != "store" || f.Problem == "" || f.Remedy == "" {
			t.Errorf("got %+v", f)
		}
		lines = append(lines, f.String())
	}
	return lines
}

func TestCheckFindsNothing(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := migrated(t, sqltest.New(t, engine))
		for _, options := range d.Settings() {
			if strings.Contains(options, "ANSI") {
				continue // not strict
			}
			if got := found(t, open(t, d.With(options), sqlstore.Options{}), time.Now()); len(got) > 0 {
				t.Errorf("%q: got %q", options, got)
			}
		}
	})
}

// Each of these is found, and nothing else.
func TestCheckFinds(t *testing.T) {
	type unsound struct{ options, sql, says string }
	const file = "_pragma=busy_timeout(5000)&"
	all := map[string][]unsound{
		"sqlite": {
			{"", "DROP INDEX user_sessions_live", "no index user_sessions_live"},
			{file + "_pragma=journal_mode(DELETE)", "", "journal_mode is delete"},
			{file + "_pragma=journal_mode(OFF)", "", "journal_mode is off"},
			{file + "_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)", "", "synchronous is NORMAL"},
			{file + "_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)", "", "synchronous is OFF"},
			{file + "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=query_only(1)", "", "query_only"},
		},
		"mariadb": {
			{"", "DROP TABLE user_session_events", "no table user_session_events"},
			{"", "ALTER TABLE user_session_feed ENGINE = MyISAM", "in user_session_feed in MyISAM"},
			{"sql_mode=''", "", "no STRICT_TRANS_TABLES"},
			{"sql_mode='ANSI'", "", "no STRICT_TRANS_TABLES"},
			{"tx_read_only=1", "", "tx_read_only is ON"},
		},
		"postgres": {
			{"", "DROP TABLE user_session_events", "no table user_session_events"},
			{"synchronous_commit=off", "", "synchronous_commit is off"},
			{"default_transaction_read_only=on", "", "default_transaction_read_only is on"},
		},
	}
	onEach(t, func(t *testing.T, engine string) {
		for _, c := range all[engine] {
			d := sqltest.New(t, engine)
			db, err := sql.Open(d.Driver, d.DSN)
			if err != nil {
				t.Fatal(err)
			}
			fsys, err := sqlstore.MigrationsFor(dialects[engine])
			if err != nil {
				t.Fatal(err)
			}
			sqltest.Apply(t, db, fsys)
			if c.sql != "" {
				if _, err := db.ExecContext(t.Context(), c.sql); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil { // or SQLite keeps its journal_mode
				t.Fatal(err)
			}
			got := found(t, open(t, d.With(c.options), sqlstore.Options{}), time.Now())
			if len(got) != 1 || !strings.Contains(got[0], c.says) {
				t.Errorf("%+v: got %q", c, got)
			}
		}
	})
}

func TestCheckClock(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		s := open(t, migrated(t, sqltest.New(t, engine)), sqlstore.Options{})
		for off, want := range map[time.Duration]string{-time.Minute: "ahead of this process's", time.Minute: "behind this process's"} {
			got := fmt.Sprint(found(t, s, time.Now().Add(off)))
			if engine == "sqlite" {
				want = "[]" // it has no other clock
			}
			if !strings.Contains(got, want) {
				t.Errorf("%v: got %s, want %s", off, got, want)
			}
		}
	})
}

// In memory each connection has a database of its own.
func TestCheckMemory(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(found(t, s, time.Now())); !strings.Contains(got, "it is in memory") {
		t.Errorf("got %s", got)
	}
	db.SetMaxOpenConns(1)
	fsys, err := sqlstore.MigrationsFor(sqlstore.SQLite)
	if err != nil {
		t.Fatal(err)
	}
	sqltest.Apply(t, db, fsys)
	if got := found(t, s, time.Now()); len(got) > 0 {
		t.Errorf("got %q", got)
	}
}

func TestCheckNobody(t *testing.T) {
	db, err := sql.Open("pgx", "postgres://postgres@127.0.0.1:1/none?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := sqlstore.New(db, sqlstore.PostgreSQL, sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := found(t, s, time.Now()); len(got) != 1 || !strings.Contains(got[0], "it does not answer") {
		t.Errorf("got %q", got)
	}
}
