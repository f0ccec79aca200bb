package sqlstore

import (
	"fmt"
	"strings"
	"testing"
)

// What only a server's own settings would provoke.
func TestFacts(t *testing.T) {
	const strict = "STRICT_TRANS_TABLES,NO_ZERO_DATE"
	for _, c := range []struct {
		dialect Dialect
		about   facts
		says    string // "": nothing
	}{
		{PostgreSQL, facts{"server_version": "15.14 (Debian 15.14-0+deb12u1)", "fsync": "on", "full_page_writes": "on", "synchronous_commit": "local"}, ""},
		{PostgreSQL, facts{"fsync": "off"}, "fsync is off"},
		{PostgreSQL, facts{"full_page_writes": "off"}, "full_page_writes is off"},
		{PostgreSQL, facts{"recovery": "true", "default_transaction_read_only": "on"}, "it is a standby"},
		{PostgreSQL, facts{"server_version": "11.22"}, "it is PostgreSQL 11.22"},
		{PostgreSQL, facts{"server_version": "19beta1"}, ""},
		{MySQL, facts{"version": "8.4.0", "sql_mode": strict, "innodb_flush_log_at_trx_commit": "1", "log_bin": "ON", "sync_binlog": "1"}, ""},
		{MySQL, facts{"version": "8.4.0", "sql_mode": "STRICT_ALL_TABLES"}, ""},
		{MySQL, facts{"version": "5.7.44-log", "sql_mode": strict}, "it is MySQL 5.7.44"},
		{MySQL, facts{"version": "10.5.0-MariaDB", "sql_mode": strict}, ""},
		{MySQL, facts{"version": "5.5.5-10.11.6-MariaDB", "sql_mode": strict}, ""},
		{MySQL, facts{"version": "10.4.34-MariaDB", "sql_mode": strict}, "it is MariaDB 10.4.34"},
		{MySQL, facts{"sql_mode": strict, "innodb_flush_log_at_trx_commit": "2"}, "innodb_flush_log_at_trx_commit is 2"},
		{MySQL, facts{"sql_mode": strict, "innodb_flush_log_at_trx_commit": "3"}, ""},
		{MySQL, facts{"sql_mode": strict, "log_bin": "ON", "sync_binlog": "0"}, "sync_binlog is 0"},
		{MySQL, facts{"sql_mode": strict, "log_bin": "OFF", "sync_binlog": "0"}, ""},
		{MySQL, facts{"sql_mode": strict, "read_only": "ON", "super_read_only": "ON"}, "read_only is ON"},
		{MySQL, facts{"sql_mode": strict, "read_only": "NO_LOCK"}, "read_only is NO_LOCK"},
		{SQLite, facts{"version": "3.34.1", "file": "f", "journal_mode": "wal", "synchronous": "2"}, "it is SQLite 3.34.1"},
		{SQLite, facts{"version": "3.50.0", "file": "f", "journal_mode": "wal", "synchronous": "3"}, ""},
	} {
		var f findings
		c.about.version(&f, c.dialect)
		switch c.dialect {
		case SQLite:
			c.about.sqlite(&f, 0)
		case MySQL:
			c.about.mysql(&f)
		case PostgreSQL:
			c.about.postgres(&f)
		}
		if got := fmt.Sprint(f); (c.says == "") != (len(f) == 0) || len(f) > 1 || !strings.Contains(got, c.says) {
			t.Errorf("%v: got %s, want %q", c.about, got, c.says)
		}
	}
}
