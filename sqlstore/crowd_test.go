package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// crowd are users who fill the tables: "crowd-0" and so on.
type crowd struct {
	users       int
	live, ended int // sessions of each
	feed        int // revocations, spread over the buckets of a feed that has begun
	events      int // of each
}

// writer is how rows are made of numbers in the SQL of one engine.
type writer struct {
	numbers func(n int) string    // 0 to n-1, in a column i
	random  string                // 32 hexadecimal digits
	ago     func(s string) string // a time so many seconds ago, s being an expression
	analyze string
}

var tableNames = []string{
	"user_sessions", "user_session_ledgers", "user_session_devices", "user_session_buckets", "user_session_feed", "user_session_events",
}

func writerOf(engine string, now time.Time) writer {
	at := "'" + now.UTC().Format("2006-01-02 15:04:05.000") + "'"
	switch engine {
	case "sqlite":
		return writer{
			func(n int) string {
				return fmt.Sprintf("(WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < %d) SELECT i FROM c)", n-1)
			},
			"lower(hex(randomblob(16)))",
			func(s string) string {
				return "strftime('%Y-%m-%d %H:%M:%f', " + at + ", concat(-(" + s + "), ' seconds'))"
			},
			"ANALYZE",
		}
	case "mariadb":
		return writer{
			func(n int) string { return fmt.Sprintf("(SELECT CAST(seq AS SIGNED) AS i FROM seq_0_to_%d)", n-1) },
			"md5(rand())",
			func(s string) string { return "TIMESTAMP" + at + " - INTERVAL (" + s + ") SECOND" },
			"ANALYZE TABLE " + strings.Join(tableNames, ", "),
		}
	default:
		return writer{
			func(n int) string { return fmt.Sprintf("(SELECT i FROM generate_series(0, %d) AS c(i))", n-1) },
			"md5(random()::text)",
			func(s string) string {
				return "timestamptz " + strings.TrimSuffix(at, "'") + "Z' - (" + s + ") * interval '1 second'"
			},
			"ANALYZE " + strings.Join(tableNames, ", "),
		}
	}
}

// id is a new id.
func (w writer) id() string {
	digits := "substr(" + w.random + ", 1, 25)"
	for i, d := range "0189" {
		digits = fmt.Sprintf("replace(%s, '%c', '%c')", digits, d, 'g'+rune(i))
	}
	return "concat(" + digits + ", 'a')"
}

// insert makes rows of expressions by column.
func (w writer) insert(table, from string, row map[string]string) string {
	columns := slices.Sorted(maps.Keys(row))
	values := make([]string, len(columns))
	for i, c := range columns {
		values[i] = row[c]
	}
	return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") SELECT " + strings.Join(values, ", ") + " FROM " + from
}

// fill writes a crowd as of a time, and has the engine count what it needs for plans.
// Sessions began within the last 90 days, one in a hundred of them at risk; those that
// go on were seen within the last 6.
func fill(t testing.TB, d sqltest.Database, c crowd, now time.Time) {
	t.Helper()
	ctx, db, w := context.Background(), d.Open(t), writerOf(d.Engine, now)
	isTrue := "1"
	if d.Engine == "postgres" {
		isTrue = "true"
	}
	user := "concat('crowd-', u.i)"
	placed := map[string]string{
		"user_id": user, "device_id": "concat('device-', u.i)", "device_signed": isTrue, "device_name": "'Firefox on Linux'", "device_type": "'desktop'",
		"client_type": "'web'", "browser": "'Firefox 140'", "os": "'Linux'",
		"ip_address": "concat('192.0.', u.i % 199, '.', u.i % 251)", "country": "'PT'", "location": "'Porto'",
	}
	began := "(u.i * 7 + s.i * 1000003) % 7776000"
	seen := "(u.i * 11 + s.i * 5) % 518400"
	session := map[string]string{
		"id": w.id(), "access_jti": w.id(), "access_issued_at": w.ago(seen), "access_expires_at": w.ago(seen + " - 3600"), "access_until": w.ago(seen + " - 3600"),
		"generation": "3", "serial": "3", "min_serial": "1", "moved_at": w.ago(seen), "seen_at": w.ago(seen),
		"user_agent": "'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'",
		"created_at": w.ago(began), "last_seen_at": w.ago(seen),
		"expires_at": w.ago(seen + " - 604800"), "refresh_expires_at": w.ago(seen + " - 604800"), "due_at": w.ago(seen + " - 604800"), "absolute_expires_at": w.ago(began + " - 8380800"),
		"ended_at":   fmt.Sprintf("CASE WHEN s.i < %d THEN NULL ELSE %s END", c.live, w.ago("("+began+") % 3456000")),
		"end_reason": fmt.Sprintf("CASE WHEN s.i < %d THEN '' ELSE 'signed_out' END", c.live),
		"risk_score": "CASE WHEN (u.i * 13 + s.i) % 100 = 0 THEN 75 ELSE 0 END",
		"auth_time":  w.ago(began), "amr": `'["pwd"]'`, "scopes": `'["orders:read","orders:write"]'`, "roles": `'["clerk"]'`,
	}
	maps.Copy(session, placed)
	device := map[string]string{"position": "0", "first_seen_at": w.ago("7776000"), "last_seen_at": w.ago("u.i % 86400")}
	maps.Copy(device, placed)
	delete(device, "user_agent")
	users := w.numbers(c.users) + " AS u"
	texts := []string{
		w.insert("user_session_ledgers", users, map[string]string{
			"user_id": user, "version": w.id(), "changed_at": w.ago("u.i % 86400"), "keep_until": w.ago("u.i % 86400 - 7776000"),
		}),
		w.insert("user_session_devices", users, device),
		w.insert("user_sessions", users+" CROSS JOIN "+w.numbers(c.live+c.ended)+" AS s", session),
	}
	if c.feed > 0 {
		texts = append(texts, w.insert("user_session_feed", w.numbers(c.feed/16)+" AS u CROSS JOIN "+w.numbers(16)+" AS b", map[string]string{
			"bucket": "b.i", "position": "u.i + 1000", "part": "0", "change_id": w.id(), "before_id": "''", "user_id": user, "session_id": w.id(),
			"min_serial": "9223372036854775807", "jti": "''", "until_at": w.ago("-(u.i * 53 % 3600)"),
		}), "UPDATE user_session_buckets SET position = "+fmt.Sprint(1000+c.feed/16))
	}
	if c.events > 0 {
		texts = append(texts, w.insert("user_session_events", users+" CROSS JOIN "+w.numbers(c.events)+" AS s", map[string]string{
			"happened_at": w.ago(began), "id": w.id(), "user_id": user, "session_id": w.id(), "device_id": "concat('device-', u.i)", "ip_address": placed["ip_address"],
			"name":   "CASE (u.i + s.i) % 20 WHEN 0 THEN 'risk_raised' WHEN 1 THEN 'risk_denied' WHEN 2 THEN 'session_ended' ELSE 'refreshed' END",
			"reason": "CASE (u.i + s.i) % 20 WHEN 2 THEN 'revoked_by_admin' ELSE '' END", "by_user": "CASE (u.i + s.i) % 20 WHEN 2 THEN 'root' ELSE '' END",
			"risk_score": "CASE (u.i + s.i) % 20 WHEN 0 THEN 75 WHEN 1 THEN 90 ELSE 0 END", "not_durable": "NOT " + isTrue,
			"user_agent": session["user_agent"], "token_hash": "''", "mode": "''", "cause": "''", "error": "''",
		}))
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for _, text := range texts {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			t.Fatalf("%v, of\n%s", err, text)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	analyze(t, d, db)
}

// analyze has the engine count what it makes its plans by.
func analyze(t testing.TB, d sqltest.Database, db *sql.DB) {
	t.Helper()
	if _, err := db.ExecContext(context.Background(), writerOf(d.Engine, time.Time{}).analyze); err != nil {
		t.Fatal(err)
	}
}
