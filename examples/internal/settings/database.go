package settings

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"github.com/sallyport-go/sallyport/sqlstore"
)

// Database is where a database is, in the words of database/sql.
type Database struct {
	Dialect     sqlstore.Dialect
	Driver, DSN string
}

// database reads where a database is, in one of these forms; nil: it is not set.
//
//	sqlite:///absolute/file, sqlite://file beside the server's working directory
//	mysql://user:password@host:port/database, for MariaDB as well
//	postgres://user:password@host:port/database
//
// Behind the last two may stand options, as in ?name=value: those of
// github.com/go-sql-driver/mysql and of github.com/jackc/pgx.
func (r *reader) database(name string) *Database {
	text := r.getenv(name)
	if text == "" {
		return nil
	}
	d, err := databaseOf(text)
	if err != nil {
		r.wrong(name, "%v", err)
		return nil
	}
	return d
}

// As with Redis no error shows a part of what was set.
var (
	errDatabaseForm = errors.New("it begins with none of sqlite://, mysql:// and postgres://")
	errFile         = errors.New("write sqlite:///absolute/file or sqlite://file, without options; ? is %3F, # %23 and % %25")
	errMemory       = errors.New("a database in memory would be one for each connection; without this setting sessions are in memory")
	errDatabaseName = errors.New("the database has no name: write it behind the address, as in mysql://user:password@host:port/database")
	errOptions      = errors.New("its driver does not take this address or these options")
)

func databaseOf(text string) (*Database, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	switch strings.ToLower(scheme) {
	case "sqlite":
		return sqliteFile(rest)
	case "mysql":
		return mysqlDatabase(text)
	case "postgres", "postgresql":
		return postgresDatabase(text)
	}
	return nil, errDatabaseForm
}

// sqliteFile has a writer wait for others, readers wait for nobody, and a commit be on
// the disk.
func sqliteFile(rest string) (*Database, error) {
	path, err := url.PathUnescape(rest)
	switch {
	case err != nil || strings.ContainsAny(rest, "?#") || path == "" || strings.HasSuffix(path, "/"):
		return nil, errFile
	case strings.Contains(path, ":memory:"):
		return nil, errMemory
	}
	const pragmas = "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	return &Database{sqlstore.SQLite, "sqlite", "file:" + (&url.URL{Path: path}).EscapedPath() + pragmas}, nil
}

func mysqlDatabase(text string) (*Database, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Fragment != "":
		return nil, errEncoding
	case len(u.Path) < 2 || strings.Contains(u.Path[1:], "/"):
		return nil, errDatabaseName
	}
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName, c.User = "tcp", u.Host, u.Path[1:], u.User.Username()
	c.Passwd, _ = u.User.Password()
	if u.Port() == "" {
		c.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	dsn := c.FormatDSN()
	if u.RawQuery != "" {
		joint := "?"
		if strings.Contains(dsn[strings.LastIndex(dsn, "/"):], "?") {
			joint = "&"
		}
		dsn += joint + u.RawQuery
	}
	if _, err := mysql.ParseDSN(dsn); err != nil {
		return nil, errOptions
	}
	return &Database{sqlstore.MySQL, "mysql", dsn}, nil
}

func postgresDatabase(text string) (*Database, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Fragment != "":
		return nil, errEncoding
	case len(u.Path) < 2:
		return nil, errDatabaseName
	}
	if _, err := pgx.ParseConfig(text); err != nil {
		return nil, errOptions
	}
	return &Database{sqlstore.PostgreSQL, "pgx", text}, nil
}
