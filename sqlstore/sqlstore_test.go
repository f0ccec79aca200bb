package sqlstore_test

import (
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/storetest"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// dialects are what the engines of the tests speak.
var dialects = map[string]sqlstore.Dialect{
	"sqlite":   sqlstore.SQLite,
	"mariadb":  sqlstore.MySQL,
	"postgres": sqlstore.PostgreSQL,
}

// migrated returns a database that has the tables.
func migrated(t testing.TB, d sqltest.Database) sqltest.Database {
	t.Helper()
	fsys, err := sqlstore.MigrationsFor(dialects[d.Engine])
	if err != nil {
		t.Fatal(err)
	}
	sqltest.Apply(t, d.Open(t), fsys)
	return d
}

// open returns a store on a database that has the tables. A machine that is busy breaks
// no rule: unless they say otherwise, a call may take long.
func open(t testing.TB, d sqltest.Database, o sqlstore.Options) *sqlstore.Store {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	s, err := sqlstore.New(d.Open(t), dialects[d.Engine], o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// onEach runs a test on each engine, at once.
func onEach(t *testing.T, test func(t *testing.T, engine string)) {
	for _, engine := range sqltest.Engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel() // most of the time each waits for a disk
			test(t, engine)
		})
	}
}

func TestStore(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := migrated(t, sqltest.New(t, engine))
		storetest.Run(t, func(t testing.TB) core.Store { return open(t, d, sqlstore.Options{}) })
	})
}
