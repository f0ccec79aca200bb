package sqlstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// tampering is SQL and what CheckSchema has to say of it, "" for nothing. Statements
// that SQLite has none for make the table anew.
type tampering struct{ sql, says string }

// anew makes a table of SQLite anew, with a part of its text replaced.
const anew = "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'OLD', 'NEW') WHERE name = 'TABLE'; PRAGMA writable_schema = RESET"

func again(table, old, with string) string {
	return strings.NewReplacer("TABLE", table, "OLD", old, "NEW", with).Replace(anew)
}

var tamperings = map[string][]tampering{
	"": {
		{"DROP TABLE user_session_events", "there is no table user_session_events"},
		{"ALTER TABLE user_sessions RENAME COLUMN claims TO app", "user_sessions has no column claims"},
		{"ALTER TABLE user_sessions ADD COLUMN app varchar(10)", ""},
		{"ALTER TABLE user_sessions ADD COLUMN app varchar(10) DEFAULT 'x' NOT NULL", ""},
		{"CREATE INDEX app ON user_sessions (country)", ""},
		{"CREATE UNIQUE INDEX app ON user_session_ledgers (user_id, version)", ""},
		{"CREATE TABLE app (n int NOT NULL)", ""},
	},
	"sqlite": {
		{"DROP INDEX user_sessions_live", "user_sessions has no index user_sessions_live (user_id, ended_at)"},
		{"DROP INDEX user_sessions_live; CREATE INDEX user_sessions_live ON user_sessions (ended_at)", "the index user_sessions_live of user_sessions has (ended_at) and not (user_id, ended_at)"},
		{"DROP INDEX user_sessions_id; CREATE UNIQUE INDEX user_sessions_id ON user_sessions (id)", "the index user_sessions_id of user_sessions is UNIQUE"},
		{"DROP INDEX user_sessions_id; CREATE INDEX user_sessions_id ON user_sessions (id) WHERE id > 'a'", "user_sessions has no index user_sessions_id"},
		{"DROP INDEX user_sessions_id; CREATE INDEX user_sessions_id ON user_sessions (id COLLATE NOCASE)", "has (id COLLATE NOCASE) and not (id)"},
		{again("user_sessions", "risk_score integer NOT NULL", "risk_score text NOT NULL"), "the column risk_score of user_sessions is text and not integer"},
		{again("user_sessions", "os text NOT NULL", "os text"), "the column os of user_sessions is not NOT NULL"},
		{again("user_sessions", "amr text", "amr text NOT NULL"), "the column amr of user_sessions is NOT NULL"},
		{again("user_sessions", "claims text", "claims text, app text NOT NULL"), "the column app of user_sessions, which is not ours, is NOT NULL without a default"},
		{"DROP TABLE user_session_buckets; CREATE TABLE user_session_buckets (bucket integer NOT NULL, position integer NOT NULL, change_id text NOT NULL, before_id text NOT NULL, epoch_id text NOT NULL, epoch_at text NOT NULL)", "the primary key of user_session_buckets is () and not (bucket)"},
		{"DROP TABLE user_session_ledgers; CREATE TABLE user_session_ledgers (user_id text COLLATE NOCASE NOT NULL, version text NOT NULL, changed_at text, revoked_at text, reused_at text, sign_ins text, networks text, keep_until text, pending text, foreign_tokens text, PRIMARY KEY (user_id)); CREATE INDEX user_session_ledgers_keep ON user_session_ledgers (keep_until)", "the primary key of user_session_ledgers is (user_id COLLATE NOCASE) and not (user_id)"},
	},
	"mariadb": {
		{"DROP INDEX user_sessions_live ON user_sessions", "user_sessions has no index user_sessions_live (user_id, ended_at)"},
		{"ALTER TABLE user_session_feed MODIFY user_id varchar(255) NOT NULL", "the column user_id of user_session_feed is varchar(255) and not varbinary(255)"},
		{"ALTER TABLE user_sessions MODIFY id char(26) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL", "the column id of user_sessions has the collation utf8mb4_general_ci and not ascii_bin"},
		{"ALTER TABLE user_sessions MODIFY os text COLLATE utf8mb4_general_ci NOT NULL", "the column os of user_sessions has the collation utf8mb4_general_ci and not utf8mb4_bin"},
		{"ALTER TABLE user_sessions MODIFY os text COLLATE utf8mb4_nopad_bin NOT NULL", ""},
		{"ALTER TABLE user_sessions MODIFY generation bigint(5) NOT NULL", ""},
		{"ALTER TABLE user_sessions MODIFY generation int NOT NULL", "the column generation of user_sessions is int and not bigint"},
		{"ALTER TABLE user_sessions MODIFY created_at datetime(3) NOT NULL", "the column created_at of user_sessions is NOT NULL"},
		{"ALTER TABLE user_sessions ADD COLUMN app int NOT NULL", "the column app of user_sessions, which is not ours, is NOT NULL without a default"},
		{"ALTER TABLE user_sessions ADD COLUMN app bigint NOT NULL AUTO_INCREMENT UNIQUE", ""},
		{"ALTER TABLE user_session_feed DROP PRIMARY KEY, ADD PRIMARY KEY (bucket, part, position)", "the primary key of user_session_feed is (bucket, part, position) and not (bucket, position, part)"},
		{"DROP INDEX user_sessions_device ON user_sessions; CREATE INDEX user_sessions_device ON user_sessions (device_id(5), created_at)", "has (device_id(5), created_at) and not (device_id, created_at)"},
	},
	"postgres": {
		{"DROP INDEX user_sessions_live", "user_sessions has no index user_sessions_live (user_id, ended_at)"},
		{"DROP INDEX user_sessions_id; CREATE INDEX user_sessions_id ON user_sessions (id) WHERE id > 'a'", "user_sessions has no index user_sessions_id"},
		{"DROP INDEX user_sessions_id; CREATE UNIQUE INDEX user_sessions_id ON user_sessions (id)", "the index user_sessions_id of user_sessions is UNIQUE"},
		{"ALTER TABLE user_sessions ALTER COLUMN user_id TYPE varchar(255) COLLATE \"C\"", "the column user_id of user_sessions is character varying(255) and not text"},
		{"ALTER TABLE user_sessions ALTER COLUMN user_id TYPE text COLLATE \"default\"", "the column user_id of user_sessions has the collation default and not C"},
		{"ALTER TABLE user_sessions ALTER COLUMN created_at TYPE timestamptz", "is timestamp with time zone and not timestamp(3) with time zone"},
		{"ALTER TABLE user_sessions ALTER COLUMN os DROP NOT NULL", "the column os of user_sessions is not NOT NULL"},
		{"ALTER TABLE user_sessions ADD COLUMN app int NOT NULL", "the column app of user_sessions, which is not ours, is NOT NULL without a default"},
		{"ALTER TABLE user_sessions ADD COLUMN app bigint NOT NULL GENERATED ALWAYS AS IDENTITY", ""},
		{"ALTER TABLE user_session_feed DROP CONSTRAINT user_session_feed_pkey", "the primary key of user_session_feed is () and not (bucket, position, part)"},
		{"CREATE SCHEMA app; CREATE TABLE app.user_sessions (id text)", ""},
	},
}

func TestCheckSchema(t *testing.T) {
	long(t)
	onEach(t, func(t *testing.T, engine string) {
		d := migrated(t, sqltest.New(t, engine))
		for i, c := range append(tamperings[""], tamperings[engine]...) {
			if i > 0 && engine != "postgres" {
				d = migrated(t, sqltest.New(t, engine))
			}
			db, err := d.Open(t).Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			statements := strings.Split(c.sql, "; ")
			if engine == "postgres" { // which takes all of it back
				statements = append([]string{"BEGIN"}, statements...)
			}
			for _, statement := range statements {
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			err = sqlstore.CheckSchema(t.Context(), db, dialects[engine])
			switch {
			case c.says == "" && err != nil:
				t.Errorf("%s: got %v", c.sql, err)
			case c.says != "" && (!errors.Is(err, sqlstore.ErrSchema) || !strings.Contains(err.Error(), c.says) || strings.Count(err.Error(), ";") > 0):
				t.Errorf("%s: got %v, want %q alone", c.sql, err, c.says)
			}
			if engine == "postgres" {
				if _, err := db.ExecContext(t.Context(), "ROLLBACK"); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Tables are where statements look for them.
func TestCheckSchemaSearchPath(t *testing.T) {
	d := sqltest.Postgres(t)
	if _, err := d.Open(t).ExecContext(t.Context(), "CREATE SCHEMA apart"); err != nil {
		t.Fatal(err)
	}
	migrated(t, d.With("search_path=apart"))
	for options, want := range map[string]error{"search_path=apart": nil, "search_path=public,apart": nil, "search_path=public": sqlstore.ErrSchema} {
		if err := sqlstore.CheckSchema(t.Context(), d.With(options).Open(t), sqlstore.PostgreSQL); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", options, err, want)
		}
	}
}

// Calls on a database without tables say what to do.
func TestNoTables(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := sqltest.New(t, engine)
		err := sqlstore.CheckSchema(t.Context(), d.Open(t), dialects[engine])
		if !errors.Is(err, sqlstore.ErrSchema) || !strings.Contains(err.Error(), "are the migrations applied?") {
			t.Errorf("CheckSchema: got %v", err)
		}
		s := open(t, d, sqlstore.Options{})
		calls := map[string]func() error{
			"Load": func() error { _, err := s.Load(t.Context(), "u"); return err },
			"Commit": func() error {
				_, err := s.Commit(t.Context(), "u", core.Change{ID: core.ID{1}, At: time.Unix(1, 0)})
				return err
			},
			"Tail": func() error { _, err := s.Tail(t.Context(), "", 0); return err },
		}
		for name, call := range calls {
			if err := call(); err == nil || !strings.HasPrefix(err.Error(), "sqlstore: ") || !strings.Contains(err.Error(), "are the migrations applied?") {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
}
