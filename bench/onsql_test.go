package bench

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
	"github.com/sallyport-go/sallyport/sqlstore"
)

// sqlServers are where databases are made: nothing for SQLite, which has files.
var sqlServers = []struct {
	name    string
	dialect sqlstore.Dialect
	driver  string
	dsn     string // of a database of a name
	none    string // the name of what is always there
}{
	{"sqlite", sqlstore.SQLite, "sqlite", "file:%s?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)", ""},
	{"mariadb", sqlstore.MySQL, "mysql", "root@tcp(127.0.0.1:3306)/%s", ""},
	{"postgres", sqlstore.PostgreSQL, "pgx", "postgres://postgres@127.0.0.1:5432/%s?sslmode=disable", "postgres"},
}

// openSQL makes a database with the tables, which is gone after the test. Without a
// server the test is skipped, and fails in CI.
func openSQL(tb testing.TB, server int) *sql.DB {
	tb.Helper()
	at := sqlServers[server]
	open := func(name string) *sql.DB {
		db, err := sql.Open(at.driver, fmt.Sprintf(at.dsn, name))
		if err == nil {
			err = db.PingContext(tb.Context())
		}
		switch {
		case err != nil && os.Getenv("CI") == "" && at.dialect != sqlstore.SQLite:
			tb.Skip(err)
		case err != nil:
			tb.Fatal(err)
		}
		tb.Cleanup(func() { db.Close() })
		return db
	}
	name := filepath.Join(tb.TempDir(), "sessions.db")
	if at.dialect != sqlstore.SQLite {
		name = "sallyport_bench_" + strings.ToLower(rand.Text())
		admin := open(at.none)
		if _, err := admin.ExecContext(tb.Context(), "CREATE DATABASE "+name); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _, _ = admin.Exec("DROP DATABASE " + name) })
	}
	db := open(name)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	text, err := sqlstore.Migrations.ReadFile("migrations/" + string(at.dialect) + "/00001_user_sessions.sql")
	if err != nil {
		tb.Fatal(err)
	}
	_, up, _ := strings.Cut(string(text), "-- +goose Up")
	up, _, _ = strings.Cut(up, "-- +goose Down")
	for _, statement := range strings.Split(up, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := db.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatal(err)
		}
	}
	return db
}

// onSQL is an app whose sessions are in a database of its own, with accounts on which
// people have signed in.
type onSQL struct {
	*core.Auth
	db       *sql.DB
	browsers [atOnce]*browser // one for each of those at once
	accounts []*account
	bare     string // what moves the one row of an account on, if it has the version
}

func newOnSQL(tb testing.TB, server, accounts, sessions int) *onSQL {
	tb.Helper()
	w := &onSQL{db: openSQL(tb, server)}
	store, err := sqlstore.New(w.db, sqlServers[server].dialect, sqlstore.Options{Timeout: 30 * time.Second}) // the machine may stand still
	if err != nil {
		tb.Fatal(err)
	}
	// The feed can't vouch for what was issued before it began, give or take.
	began := time.Now().UTC().Truncate(time.Millisecond).Add(-10 * time.Minute)
	if _, err := store.Commit(tb.Context(), "early", core.Change{ID: randomID(), At: began, KeepUntil: began}); err != nil {
		tb.Fatal(err)
	}
	if w.Auth, err = core.New(core.Config{
		Limits:       core.Limits{Off: true},
		Store:        store,
		Keys:         []core.Key{{Secret: []byte(rand.Text() + rand.Text())}},
		Audit:        func(context.Context, core.Event) {},
		Authenticate: authenticate,
		Grace:        core.NoGrace, // else who refreshes again at once gets the same again
		Prefix:       "/auth",
		Cookie:       core.Cookie{Insecure: true},
		StoreTimeout: 30 * time.Second,
	}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { w.Close() })
	mux := http.NewServeMux()
	nethttpauth.Mount(mux, "/auth", w.Routes())
	list := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(orders) })
	mux.Handle("GET /orders", nethttpauth.Require(w.Auth)(list))
	for i := range w.browsers {
		w.browsers[i] = newBrowser(mux)
	}
	for i := range accounts {
		w.accounts = append(w.accounts, &account{user: fmt.Sprintf("user-%06d", i)})
	}
	for range sessions {
		if err := atOnceEach(accounts, func(n, i int) error { return w.browsers[n].login(w.accounts[i]) }); err != nil {
			tb.Fatal(err)
		}
	}
	w.makeBare(tb, server)
	return w
}

// makeBare makes a table with a row for each account.
func (w *onSQL) makeBare(tb testing.TB, server int) {
	tb.Helper()
	w.bare = "UPDATE bare SET version = ?, moved = ? WHERE user_id = ? AND version = ?"
	user := "varchar(255)"
	if sqlServers[server].dialect == sqlstore.PostgreSQL {
		w.bare = "UPDATE bare SET version = $1, moved = $2 WHERE user_id = $3 AND version = $4"
	}
	texts := []string{"CREATE TABLE bare (user_id " + user + " PRIMARY KEY, version bigint, moved varchar(64))"}
	for _, a := range w.accounts {
		texts = append(texts, "INSERT INTO bare VALUES ('"+a.user+"', 0, '')")
	}
	for _, text := range texts {
		if _, err := w.db.ExecContext(tb.Context(), text); err != nil {
			tb.Fatal(err)
		}
	}
}

// moveBare returns a task that moves the version of an account on, in a transaction: the
// least that a change which is compared first can cost. Of SQLite writers queue, as in
// the store.
func (w *onSQL) moveBare(server int) task {
	var versions [atOnce]int
	queue := make(chan struct{}, 16)
	if sqlServers[server].dialect == sqlstore.SQLite {
		queue = make(chan struct{}, 1)
	}
	move, err := w.db.Prepare(w.bare)
	return func(n int) error {
		if err != nil {
			return err
		}
		queue <- struct{}{}
		defer func() { <-queue }()
		tx, err := w.db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		r, err := tx.Stmt(move).Exec(versions[n]+1, "at", w.accounts[n].user, versions[n])
		if err != nil {
			return err
		}
		if changed, err := r.RowsAffected(); err != nil || changed != 1 {
			return fmt.Errorf("%d rows, %w", changed, err)
		}
		versions[n]++
		return tx.Commit()
	}
}

// selectBare returns a task that reads that row.
func (w *onSQL) selectBare(server int) task {
	text := "SELECT version FROM bare WHERE user_id = ?"
	if sqlServers[server].dialect == sqlstore.PostgreSQL {
		text = "SELECT version FROM bare WHERE user_id = $1"
	}
	read, err := w.db.Prepare(text)
	return func(n int) error {
		if err != nil {
			return err
		}
		var version int
		return read.QueryRow(w.accounts[n].user).Scan(&version)
	}
}
