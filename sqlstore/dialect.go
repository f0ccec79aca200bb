package sqlstore

import (
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/sqlstore/internal/sqlerr"
)

// Dialect is the SQL that a database speaks.
type Dialect string

const (
	SQLite     Dialect = "sqlite"   // 3.35 or later
	MySQL      Dialect = "mysql"    // MySQL 8.0 or later, MariaDB 10.5 or later; InnoDB
	PostgreSQL Dialect = "postgres" // 12 or later
)

// engine is what differs between databases.
type engine struct {
	dialect Dialect
	// prepares says that a statement which is not prepared costs more round trips.
	prepares bool
	// numbered says that parameters are $1, $2 and not ?.
	numbered bool
	// returning says that an UPDATE can answer with what it wrote.
	returning bool
	// oneWriter says that writers wait for each other, so that those of this process
	// had better queue than try.
	oneWriter bool
	// rewrites says that an UPDATE writes the index of each column that it names, the
	// value being the same or not.
	rewrites bool
	// upsert makes of an INSERT one that writes over what is there; unless makes of it
	// one that passes over what is there.
	upsert func(key string, columns []string) string
	unless func(key string) string
	// overOlder makes of an INSERT into user_sessions one that writes columns over a row
	// that is not newer, and takes up again what had expired before it was renewed.
	overOlder func(columns []string) string
	// overOpen makes of it one that ends a row which goes on, and changes nothing else.
	overOpen string
	// given is, in an upsert, what was to be inserted.
	given func(column string) string
	// fresh, if set, has one value, 0 if a read may show the database as it once was.
	fresh string
	// isolation is what a transaction asks for. With ranges it must not lock what is
	// between rows, or users that are neighbours wait for each other.
	isolation func(ranges bool) *sql.TxOptions
	// timeColumn is how a time is read.
	timeColumn func(column string) string
	// timeValue is how a time is written.
	timeValue func(time.Time) any
	// busy says that a transaction came to nothing since others were at work, and may be
	// tried again. there says that what was to be inserted is there.
	busy  func(error) bool
	there func(error) bool
	// unlogged says that a statement is refused at an isolation for the sake of the log.
	unlogged func(error) bool
}

var engines = map[Dialect]*engine{
	SQLite: {
		dialect:    SQLite,
		prepares:   true,
		returning:  true,
		oneWriter:  true,
		rewrites:   true,
		upsert:     onConflict,
		unless:     onConflictNothing,
		overOlder:  onConflictOlder,
		overOpen:   onConflictOpen,
		given:      excluded,
		isolation:  func(bool) *sql.TxOptions { return nil },
		timeColumn: plainColumn,
		timeValue:  textTime,
		busy:       sqlerr.SQLiteBusy,
		there:      never,
		unlogged:   never,
	},
	MySQL: {
		dialect:   MySQL,
		prepares:  true,
		upsert:    onDuplicate,
		unless:    func(string) string { return "" },
		overOlder: onDuplicateOlder,
		overOpen:  onDuplicateOpen,
		given:     inserted,
		fresh:     "SELECT @@autocommit",
		isolation: func(ranges bool) *sql.TxOptions {
			if ranges {
				return readCommitted
			}
			return nil // it would be one more round trip
		},
		timeColumn: func(column string) string { return "CAST(" + column + " AS CHAR)" }, // or parseTime and loc would read it
		timeValue:  textTime,
		busy:       mysqlError(1213, 1205, 1020), // deadlock, lock wait, changed since it was read
		there:      mysqlError(1062),
		unlogged:   mysqlError(1665), // binlog_format is STATEMENT
	},
	PostgreSQL: {
		dialect:    PostgreSQL,
		numbered:   true,
		returning:  true,
		upsert:     onConflict,
		unless:     onConflictNothing,
		overOlder:  onConflictOlder,
		overOpen:   onConflictOpen,
		given:      excluded,
		isolation:  func(bool) *sql.TxOptions { return readCommitted },
		timeColumn: plainColumn,
		timeValue:  func(t time.Time) any { return t.UTC() },
		busy:       postgresBusy,
		there:      never,
		unlogged:   never,
	},
}

var readCommitted = &sql.TxOptions{Isolation: sql.LevelReadCommitted}

func never(error) bool { return false }

func plainColumn(column string) string { return column }

// timeLayout is a time as text, UTC, as all three compare it and SQLite's functions
// read it.
const timeLayout = "2006-01-02 15:04:05.000"

func textTime(t time.Time) any { return t.UTC().Format(timeLayout) }

func excluded(column string) string { return "excluded." + column }

func inserted(column string) string { return "VALUES(" + column + ")" }

func onConflict(key string, columns []string) string {
	return " ON CONFLICT (" + key + ") DO UPDATE SET " + assign(columns, excluded)
}

func onConflictNothing(key string) string { return " ON CONFLICT (" + key + ") DO NOTHING" }

func onDuplicate(_ string, columns []string) string {
	return " ON DUPLICATE KEY UPDATE " + assign(columns, inserted)
}

// A row that is not newer, and one that was ended when it seemed to be over and was not.
// Rows that go on have no end_reason.
const (
	notNewer = "(old.serial < new.serial OR old.serial = new.serial AND (old.last_seen_at IS NULL OR old.last_seen_at <= new.last_seen_at))"
	renewed  = "old.end_reason = 'expired' AND new.expires_at > old.ended_at"
)

func onConflictOlder(columns []string) string {
	named := strings.NewReplacer("old.", "user_sessions.", "new.", "excluded.")
	return onConflict("user_id, id", columns) + named.Replace(
		", ended_at = CASE WHEN "+renewed+" THEN NULL ELSE old.ended_at END"+
			", end_reason = CASE WHEN "+renewed+" THEN '' ELSE old.end_reason END"+
			" WHERE "+notNewer)
}

// MySQL assigns from left to right, and reads what it has assigned: the columns that
// decide come last.
func onDuplicateOlder(columns []string) string {
	last := map[string]int{"expires_at": 1, "last_seen_at": 2, "serial": 3}
	columns = slices.Clone(columns)
	slices.SortStableFunc(columns, func(a, b string) int { return last[a] - last[b] })
	named := strings.NewReplacer("old.", "", "new.serial", "VALUES(serial)", "new.last_seen_at", "VALUES(last_seen_at)", "new.expires_at", "VALUES(expires_at)")
	return named.Replace(" ON DUPLICATE KEY UPDATE end_reason = CASE WHEN " + notNewer + " AND " + renewed + " THEN '' ELSE end_reason END" +
		", ended_at = CASE WHEN end_reason = '' THEN NULL ELSE ended_at END, " +
		assign(columns, func(c string) string {
			return "CASE WHEN " + notNewer + " THEN VALUES(" + c + ") ELSE " + c + " END"
		}))
}

const (
	onConflictOpen = " ON CONFLICT (user_id, id) DO UPDATE SET " +
		"end_reason = CASE WHEN user_sessions.ended_at IS NULL THEN excluded.end_reason ELSE user_sessions.end_reason END, " +
		"ended_at = COALESCE(user_sessions.ended_at, excluded.ended_at)"
	onDuplicateOpen = " ON DUPLICATE KEY UPDATE " +
		"end_reason = CASE WHEN ended_at IS NULL THEN VALUES(end_reason) ELSE end_reason END, " +
		"ended_at = COALESCE(ended_at, VALUES(ended_at))"
)

// passOver makes of an INSERT one that passes over what is there, in every database.
func (e *engine) passOver(key, column string) string {
	if unless := e.unless(key); unless != "" {
		return unless
	}
	return e.upsert(key, []string{column})
}

func assign(columns []string, value func(string) string) string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = c + " = " + value(c)
	}
	return strings.Join(all, ", ")
}

// rebound writes parameters, which are ? in all SQL here, as the database wants them.
// No text here has a ? that is none.
func (e *engine) rebound(query string) string {
	if !e.numbered {
		return query
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, more := strings.Cut(query, "?")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// among is a condition that names n rows by their keys.
func among(key []field, n int) string {
	row := ", (" + marks(len(key)) + ")"
	return "(" + strings.Join(columnsOf(key), ", ") + ") IN (" + strings.Repeat(row, n)[2:] + ")"
}

// marks are n parameters.
func marks(n int) string { return strings.Repeat(", ?", n)[2:] }

func postgresBusy(err error) bool {
	switch sqlerr.SQLState(err) {
	case "40001", "40P01", "55P03": // serialization failure, deadlock, lock not available
		return true
	}
	return false
}

func mysqlError(numbers ...int) func(error) bool {
	return func(err error) bool { return sqlerr.MySQL(err, numbers...) }
}
