package sqlstore

import (
	"slices"
	"strings"
)

func (about facts) sqlite(f *findings, connections int) {
	memory := about["file"] == ""
	switch mode := about["journal_mode"]; {
	case memory:
		if connections != 1 {
			f.add("use a file, or SetMaxOpenConns(1) and SetConnMaxLifetime(0)", "it is in memory, where each connection has a database of its own unless they share a cache")
		}
		return
	case mode == "off" || mode == "memory":
		f.add("open it with journal_mode WAL", "journal_mode is %s: a crash in the middle of a change leaves a broken file", mode)
	case mode != "wal":
		f.add("open it with journal_mode WAL", "journal_mode is %s: who reads holds up who writes, and the other way round", mode)
	}
	const full = "23" // FULL and EXTRA
	if mode := about["synchronous"]; mode != "" && !strings.Contains(full, mode) {
		f.add("open it with synchronous FULL", "synchronous is %s: a power cut loses revocations that were acknowledged", map[string]string{"0": "OFF", "1": "NORMAL"}[mode])
	}
	if about["query_only"] == "1" {
		f.add("open it without query_only", "query_only is set: changes are refused")
	}
}

func (about facts) mysql(f *findings) {
	switch v := about["innodb_flush_log_at_trx_commit"]; v {
	case "", "1", "3": // 3 is MariaDB's, and flushes too
	default:
		f.add("set innodb_flush_log_at_trx_commit to 1", "innodb_flush_log_at_trx_commit is %s: a crash loses up to a second of what was acknowledged, revocations too", v)
	}
	if about["log_bin"] == "ON" && about["sync_binlog"] == "0" {
		f.add("set sync_binlog to 1", "sync_binlog is 0 and the binary log is on: after a crash replicas may lack what was acknowledged")
	}
	if about["sql_mode"] != "" || about["version"] != "" {
		modes := strings.Split(about["sql_mode"], ",")
		if !slices.Contains(modes, "STRICT_TRANS_TABLES") && !slices.Contains(modes, "STRICT_ALL_TABLES") {
			f.add("add STRICT_TRANS_TABLES to sql_mode", "sql_mode has no STRICT_TRANS_TABLES: what is too long is cut, user ids too, without an error")
		}
	}
	for _, name := range []string{"read_only", "super_read_only", "innodb_read_only", "tx_read_only", "transaction_read_only"} {
		if v := about[name]; v != "" && v != "OFF" && v != "0" {
			f.add("connect to the primary, as one who may write", "%s is %s: it is a replica, or changes are refused", name, v)
			break
		}
	}
	var others []string
	for name, engine := range about {
		if table, ok := strings.CutPrefix(name, "engine of "); ok && engine != "InnoDB" {
			others = append(others, table+" in "+engine)
		}
	}
	if slices.Sort(others); len(others) > 0 {
		f.add("ALTER TABLE ... ENGINE = InnoDB", "a change of several rows is not one change in %s", strings.Join(others, ", "))
	}
}

func (about facts) postgres(f *findings) {
	if about["fsync"] == "off" {
		f.add("set fsync to on", "fsync is off: a crash of the machine may destroy the database")
	}
	if about["full_page_writes"] == "off" {
		f.add("set full_page_writes to on", "full_page_writes is off: a power cut may destroy pages")
	}
	if about["synchronous_commit"] == "off" {
		f.add("set synchronous_commit to on, for this user at least", "synchronous_commit is off: a crash loses revocations that were acknowledged")
	}
	switch {
	case about["recovery"] == "true":
		f.add("connect to the primary (target_session_attrs=read-write)", "it is a standby: changes are refused, and what was ended looks alive until it knows")
	case about["default_transaction_read_only"] == "on":
		f.add("set default_transaction_read_only to off", "default_transaction_read_only is on: changes are refused")
	}
}
