package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// Check implements [core.Checker]. It asks the database how it keeps what is committed,
// what its clock says and whether the tables are those of the migrations. What it
// does not say it is not blamed for. Check takes at most twice Options.Timeout, and
// writes nothing. Of a pool it asks one connection: settings belong into the DSN, which
// all connections are opened with.
func (s *Store) Check(ctx context.Context, now time.Time) []core.Finding {
	var slow atomic.Bool
	defer time.AfterFunc(prompt, func() { slow.Store(true) }).Stop()
	var found findings
	about, err := call(ctx, s.options.Timeout, s.ask)
	if err != nil {
		found.add("see that it runs, and that this process may connect to it", "it does not answer: %s", plain(err))
		return found
	}
	latest := now.Add(prompt)
	if slow.Load() {
		latest = now.Add(s.options.Timeout)
	}
	about.version(&found, s.engine.dialect)
	about.clock(&found, now, latest)
	switch s.engine.dialect {
	case SQLite:
		about.sqlite(&found, s.db.Stats().MaxOpenConnections)
	case MySQL:
		about.mysql(&found)
	case PostgreSQL:
		about.postgres(&found)
	}
	_, err = call(ctx, s.options.Timeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, CheckSchema(ctx, s.db, s.engine.dialect)
	})
	switch {
	case errors.Is(err, ErrSchema):
		found.add("apply the migrations (package migrate), or mend what it names", "%s", plain(err))
	case err != nil:
		found.add("allow this user to read the catalog, or check again", "%s", plain(err))
	}
	return found
}

// maxSkew is how far a server's clock may be from this process's: times that are
// compared come from processes, and people ask by the server's.
const maxSkew = time.Second

// prompt is an answer within that time. How long it took can't be told more exactly:
// a store reads no clock.
const prompt = maxSkew / 4

// findings are what is found.
type findings []core.Finding

func (f *findings) add(remedy, problem string, args ...any) {
	*f = append(*f, core.Finding{Subject: "store", Problem: fmt.Sprintf(problem, args...), Remedy: remedy})
}

// plain is an error's text without this package's name.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "sqlstore: ") }

// facts are what a database says of itself. What it does not say is missing.
type facts map[string]string

// Each query says names and values.
var factQueries = map[Dialect][]string{
	SQLite: {`SELECT 'version', sqlite_version()
UNION ALL SELECT 'file', file FROM pragma_database_list WHERE name = 'main'
UNION ALL SELECT 'journal_mode', journal_mode FROM pragma_journal_mode
UNION ALL SELECT 'synchronous', synchronous FROM pragma_synchronous
UNION ALL SELECT 'query_only', query_only FROM pragma_query_only`},
	MySQL: {
		// First, so that it is the time of an answer that was prompt.
		`SELECT 'clock', CAST(UTC_TIMESTAMP(6) AS CHAR)`,
		`SHOW VARIABLES WHERE Variable_name IN ('version', 'innodb_flush_log_at_trx_commit', 'log_bin', 'sync_binlog', 'sql_mode',
'read_only', 'super_read_only', 'innodb_read_only', 'tx_read_only', 'transaction_read_only')`,
		`SELECT CONCAT('engine of ', table_name), engine FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name IN ('user_sessions', 'user_session_ledgers', 'user_session_devices',
'user_session_buckets', 'user_session_feed', 'user_session_events')`,
	},
	PostgreSQL: {`SELECT 'clock', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')
UNION ALL SELECT 'recovery', pg_is_in_recovery()::text
UNION ALL SELECT name, setting FROM pg_settings
WHERE name IN ('server_version_num', 'server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'default_transaction_read_only')`},
}

func (s *Store) ask(ctx context.Context) (facts, error) {
	about := facts{}
	c, err := s.db.Conn(ctx) // all of one connection
	if err != nil {
		return nil, err
	}
	defer c.Close()
	for _, text := range factQueries[s.engine.dialect] {
		rows, err := c.QueryContext(ctx, text)
		err = each(rows, err, func(rows *sql.Rows) error {
			var name, value sql.NullString
			err := rows.Scan(&name, &value)
			about[name.String] = value.String
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return about, nil
}

// clock compares the server's clock with this process's before and after it was
// asked: it is off by at least as much as it is outside of that.
func (about facts) clock(f *findings, before, after time.Time) {
	const remedy = "set the clocks of servers and processes by NTP"
	server, err := time.Parse("2006-01-02 15:04:05", about["clock"]) // with a fraction
	if err != nil {
		return
	}
	if ahead := server.Sub(after); ahead > maxSkew {
		f.add(remedy, "its clock is at least %v ahead of this process's", ahead.Round(time.Millisecond))
	}
	if behind := before.Sub(server); behind > maxSkew {
		f.add(remedy, "its clock is at least %v behind this process's", behind.Round(time.Millisecond))
	}
}

// version: what the statements need came with these.
func (about facts) version(f *findings, d Dialect) {
	said, name, least := about["version"], "SQLite", [2]int{3, 35}
	switch {
	case d == PostgreSQL:
		said, name, least = about["server_version"], "PostgreSQL", [2]int{12, 0}
	case d == MySQL && strings.Contains(said, "MariaDB"):
		said, name, least = strings.TrimPrefix(said, "5.5.5-"), "MariaDB", [2]int{10, 5}
	case d == MySQL:
		name, least = "MySQL", [2]int{8, 0}
	}
	var major, minor int
	if n, _ := fmt.Sscanf(said, "%d.%d", &major, &minor); n > 0 && (major < least[0] || major == least[0] && minor < least[1]) {
		f.add(fmt.Sprintf("run %d.%d or later", least[0], least[1]), "it is %s %s, for which nothing here was made", name, said)
	}
}
