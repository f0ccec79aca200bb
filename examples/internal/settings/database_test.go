package settings_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/sqlstore"
)

func TestDatabase(t *testing.T) {
	const pragmas = "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	for _, tt := range []struct {
		url     string
		dialect sqlstore.Dialect
		driver  string
		dsn     string
	}{
		{"sqlite:///var/lib/app/sessions.db", sqlstore.SQLite, "sqlite", "file:/var/lib/app/sessions.db" + pragmas},
		{"sqlite://sessions.db", sqlstore.SQLite, "sqlite", "file:sessions.db" + pragmas},
		{"SQLite:///a%20b%3Fc%23d%25e", sqlstore.SQLite, "sqlite", "file:/a%20b%3Fc%23d%25e" + pragmas},
		{"mysql://app@db/shop", sqlstore.MySQL, "mysql", "app@tcp(db:3306)/shop"},
		{"mysql://app:p%40ss%2F@[::1]:3307/shop?tls=preferred&timeout=5s", sqlstore.MySQL, "mysql", "app:p@ss/@tcp([::1]:3307)/shop?tls=preferred&timeout=5s"},
		{"postgres://app:secret@db:5433/shop?sslmode=require", sqlstore.PostgreSQL, "pgx", "postgres://app:secret@db:5433/shop?sslmode=require"},
		{"postgresql:///shop?host=/var/run/postgresql", sqlstore.PostgreSQL, "pgx", "postgresql:///shop?host=/var/run/postgresql"},
	} {
		s, err := read(map[string]string{"DATABASE_URL": tt.url})
		switch {
		case err != nil:
			t.Errorf("%s: got error %v", tt.url, err)
		case s.Database == nil || s.Database.Dialect != tt.dialect || s.Database.Driver != tt.driver || s.Database.DSN != tt.dsn:
			t.Errorf("%s: got %+v, want %s by %s at %s", tt.url, s.Database, tt.dialect, tt.driver, tt.dsn)
		case s.Store() != string(tt.dialect):
			t.Errorf("%s: the store is %q", tt.url, s.Store())
		}
	}
	if s, err := read(nil); err != nil || s.Database != nil {
		t.Errorf("not set: got %+v, error %v", s.Database, err)
	}
	s, err := read(map[string]string{"DATABASE_URL": "sqlite://a", "REDIS_URL": "redis://db:6379"})
	if err != nil || s.Database == nil || s.Store() != "redis" {
		t.Errorf("beside Redis: got %+v in %q, error %v", s.Database, s.Store(), err)
	}
}

// What is wrong stops the start with one line, which shows nothing of a password.
func TestDatabaseMistakes(t *testing.T) {
	password := rand.Text()
	for _, url := range []string{
		"sqlite", "sqlite://", "sqlite:///", "sqlite:///var/lib/", "sqlite:///a?mode=ro", "sqlite:///a#b", "sqlite:///%zz",
		"sqlite://:memory:", "sqlite://file::memory:",
		"oracle://app:" + password + "@db/shop", "db:3306",
		"mysql://app:" + password + "@db", "mysql://app:" + password + "@db/", "mysql://app:" + password + "@db/a/b",
		"mysql:///shop", "mysql://app:" + password + "@db:x/shop", "mysql://app:" + password + "@db/shop?timeout=soon", "mysql://app:" + password + "%zz@db/shop",
		"mysql://app:" + password + "@db/shop#a",
		"postgres://app:" + password + "@db", "postgres://app:" + password + "@db:x/shop", "postgres://app:" + password + "@db/shop?sslmode=perhaps",
		"postgres://app:" + password + "%zz@db/shop", "postgres://app:" + password + "#@db/shop",
	} {
		_, err := read(map[string]string{"DATABASE_URL": url})
		switch {
		case err == nil:
			t.Errorf("%s: got no error", url)
		case !strings.HasPrefix(err.Error(), "DATABASE_URL: ") || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: got %q, want one line that names the setting", url, err)
		case strings.Contains(err.Error(), password):
			t.Errorf("the error shows the password: %v", err)
		}
	}
}
