package sqltest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// The engines that there are databases of.
const (
	sqliteEngine   = "sqlite"
	mariadbEngine  = "mariadb"
	postgresEngine = "postgres"
)

// Where the servers of this machine listen.
const (
	localMariaDB  = "127.0.0.1:3306"
	localPostgres = "127.0.0.1:5432"
)

// Engines returns the names of all that New knows.
func Engines() []string { return []string{sqliteEngine, mariadbEngine, postgresEngine} }

// Database is an empty database of one test, and how to open it.
type Database struct {
	Engine string // of Engines
	Driver string // as database/sql knows it
	DSN    string // as the documentation recommends it, unless With has changed it

	addr string // of its server, if it has one
}

// New returns a new database of an engine, which is gone after the test. MariaDB is
// asked for at 127.0.0.1:3306, where root needs no password, and PostgreSQL at
// 127.0.0.1:5432, where postgres needs none. Without that server the test is
// skipped, and fails in CI.
func New(t testing.TB, engine string) Database {
	t.Helper()
	switch engine {
	case sqliteEngine:
		return SQLite(t)
	case mariadbEngine:
		return MariaDB(t)
	case postgresEngine:
		return Postgres(t)
	}
	t.Fatalf("there is no engine %q", engine)
	return Database{}
}

// SQLite returns a new file.
func SQLite(t testing.TB) Database {
	t.Helper()
	file := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(filepath.Join(t.TempDir(), "sessions.db"))}
	return Database{
		Engine: sqliteEngine, Driver: "sqlite",
		DSN: file.String() + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)",
	}
}

// MariaDB returns a new database as New does.
func MariaDB(t testing.TB) Database {
	t.Helper()
	return local(t, mariadbAt(localMariaDB, ""))
}

// Postgres returns a new database as New does.
func Postgres(t testing.TB) Database {
	t.Helper()
	return local(t, postgresAt(localPostgres, ""))
}

// mariadbAt returns the database of a name on a server, or none of its databases.
func mariadbAt(addr, name string) Database {
	return Database{Engine: mariadbEngine, Driver: "mysql", DSN: "root@tcp(" + addr + ")/" + name, addr: addr}
}

// postgresAt returns the database of a name on a server, or the one that each has.
func postgresAt(addr, name string) Database {
	if name == "" {
		name = "postgres"
	}
	return Database{Engine: postgresEngine, Driver: "pgx", DSN: "postgres://postgres@" + addr + "/" + name + "?sslmode=disable", addr: addr}
}

// local makes a database on a server of this machine and drops it after the test.
func local(t testing.TB, server Database) Database {
	t.Helper()
	admin, err := sql.Open(server.Driver, server.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := admin.PingContext(ctx); err != nil {
		missing(t, fmt.Errorf("no %s at %s: %w", server.Engine, server.addr, err))
	}
	d, name := server.create(ctx, t, admin)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.drop(ctx, admin, name); err != nil {
			t.Errorf("dropping what the test left: %v", err)
		}
	})
	return d
}

// create makes a database of a new name.
func (d Database) create(ctx context.Context, t testing.TB, admin *sql.DB) (made Database, name string) {
	t.Helper()
	name = "sallyport_" + strings.ToLower(rand.Text())
	var err error
	if d.Engine == postgresEngine {
		made = postgresAt(d.addr, name)
		_, err = admin.ExecContext(ctx, "CREATE DATABASE "+name+" TEMPLATE template0") // nobody is ever connected to that one
	} else {
		made = mariadbAt(d.addr, name)
		// The collation that most have, in which texts differ neither in case nor in spaces at their end.
		_, err = admin.ExecContext(ctx, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
	}
	if err != nil {
		t.Fatal(err)
	}
	return made, name
}

// drop drops a database, whoever is connected to it.
func (d Database) drop(ctx context.Context, admin *sql.DB, name string) error {
	if d.Engine == postgresEngine {
		_, err := admin.ExecContext(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		return err
	}
	// A transaction that is open would hold the drop up.
	rows, err := admin.QueryContext(ctx, "SELECT id FROM information_schema.processlist WHERE db = ?", name)
	if err != nil {
		return err
	}
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return errors.Join(err, rows.Close())
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, id := range ids {
		_, err := admin.ExecContext(ctx, fmt.Sprintf("KILL CONNECTION %d", id))
		if gone := new(mysql.MySQLError); err != nil && !(errors.As(err, &gone) && gone.Number == 1094) {
			return err
		}
	}
	_, err = admin.ExecContext(ctx, "DROP DATABASE "+name)
	return err
}

// With returns the same database opened with options, such as
// "parseTime=true&loc=Local", in place of those of the same names.
func (d Database) With(options string) Database {
	base, query, _ := strings.Cut(d.DSN, "?")
	all, err := url.ParseQuery(query)
	more, err2 := url.ParseQuery(options)
	if err := errors.Join(err, err2); err != nil {
		panic(err)
	}
	for name, values := range more {
		all[name] = values
	}
	d.DSN = base + "?" + all.Encode()
	return d
}

// Settings returns options for With, the first of them none, that change what a
// driver makes of times, parameters and counts of rows. A store has to do the same
// with each.
func (d Database) Settings() []string {
	switch d.Engine {
	case sqliteEngine:
		return []string{
			"", "_txlock=immediate", "_time_format=sqlite&_timezone=Asia/Kolkata",
			"_inttotime=1&_time_integer_format=unix_nano", "_texttotime=1",
		}
	case mariadbEngine:
		return []string{
			"", "parseTime=true", "parseTime=true&loc=Local", "parseTime=true&loc=Asia/Kolkata&time_zone='%2B05:30'",
			"loc=Asia/Kolkata", "time_zone='-08:00'", "interpolateParams=true", "clientFoundRows=true", "multiStatements=true",
			"sql_mode='ANSI'", "sql_mode='ANSI,NO_BACKSLASH_ESCAPES'&interpolateParams=true",
		}
	default:
		return []string{
			"", "timezone=Asia/Kolkata", "default_query_exec_mode=cache_describe", "default_query_exec_mode=describe_exec",
			"default_query_exec_mode=exec", "default_query_exec_mode=simple_protocol",
		}
	}
}

// Open returns a pool of connections to the database, which is closed with the test.
func (d Database) Open(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.Driver, d.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		t.Fatal(err)
	}
	return db
}
