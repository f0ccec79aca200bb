package sqlstore_test

import (
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// A MariaDB that logs statements refuses to change InnoDB's tables at READ COMMITTED:
// a throng gets on all the same.
func TestStatementLog(t *testing.T) {
	server := sqltest.StartMariaDBWith(t, "--log-bin=log", "--server-id=1", "--binlog-format=STATEMENT")
	d := migrated(t, server.Database(t))
	s := open(t, d, sqlstore.Options{})
	commit(t, s, "zoe", change("zoe", core.ID{}))
	c := throng{stores: []*sqlstore.Store{s, open(t, d, sqlstore.Options{})}, times: 8}
	c.run(t, 8, open(t, d, sqlstore.Options{}))
}
