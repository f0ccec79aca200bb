package sqlstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// plan returns how an engine goes about a statement, a line for each step.
func plan(ctx context.Context, db interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, engine string, s statement,
) (string, error) {
	explain := "EXPLAIN "
	if engine == "sqlite" {
		explain = "EXPLAIN QUERY PLAN "
	}
	rows, err := db.QueryContext(ctx, explain+s.text, s.args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		at := make([]any, len(columns))
		for i := range values {
			at[i] = &values[i]
		}
		if err := rows.Scan(at...); err != nil {
			return "", err
		}
		switch engine {
		case "mariadb": // id select_type table type possible_keys key key_len ref rows Extra
			fmt.Fprintf(&b, "%s: %s %s", values[2].String, values[3].String, values[5].String)
			if extra := values[9].String; extra != "" {
				fmt.Fprintf(&b, " (%s)", extra)
			}
			b.WriteByte('\n')
		default:
			b.WriteString(values[len(values)-1].String + "\n")
		}
	}
	return b.String(), rows.Err()
}

// wholes are the steps of a plan that read all of a table or of an index.
var wholes = map[string]*regexp.Regexp{
	"sqlite":   regexp.MustCompile(`(?m)^SCAN (\w+).*$`),
	"mariadb":  regexp.MustCompile(`(?m)^(\S*): (?:ALL|index) .*$`),
	"postgres": regexp.MustCompile(`(?m)^.*Seq Scan on (\w+).*$`),
}

// readsAll returns the step of a plan that reads a whole table which may be large. The
// buckets are 16, and what was made in the statement itself is no table.
func readsAll(engine, plan string) string {
	for _, found := range wholes[engine].FindAllStringSubmatch(plan, -1) {
		if name := found[1]; strings.HasPrefix(name, "user_session") && name != "user_session_buckets" {
			return found[0]
		}
	}
	return ""
}

// Every statement of the store finds its rows by an index, whatever else is there, with
// what the engine has counted and, in SQLite where nobody may ever count, without.
func TestPlans(t *testing.T) {
	long(t)
	onEach(t, func(t *testing.T, engine string) {
		d := migrated(t, sqltest.New(t, engine))
		s, err := sqlstore.New(openTraced(t, d), dialects[engine], sqlstore.Options{Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now().UTC().Truncate(time.Millisecond)
		beginBuckets(t, s, now)
		fill(t, d, crowd{users: 2000, live: 4, ended: 6, feed: 1600}, now)
		db := d.Open(t)
		if engine == "postgres" { // it reads all of a table as small as these, if it may
			db = d.With("enable_seqscan=off").Open(t)
		}
		counted := []bool{true}
		if engine == "sqlite" {
			counted = []bool{false, true}
			forget(t, db)
		}
		for round, is := range counted {
			if is {
				analyze(t, d, db)
			}
			statements := 0
			for _, a := range everything(t, s, now, round) {
				all, err := traced(t.Context(), a.do)
				if err != nil {
					t.Fatalf("%s: %v", a.name, err)
				}
				for _, st := range all {
					if !looks(st.text) {
						continue
					}
					steps, err := plan(t.Context(), db, engine, st)
					if err != nil {
						t.Fatalf("%s: %v, of\n%s", a.name, err, st.text)
					}
					if step := readsAll(engine, steps); step != "" {
						t.Errorf("%s: counted %t: %q of\n%.300s", a.name, is, step, st.text)
					}
					if testing.Verbose() {
						t.Logf("%s:\n%.200s\n%s", a.name, st.text, steps)
					}
					statements++
				}
			}
			if statements < 30 {
				t.Errorf("got %d statements", statements)
			}
		}
	})
}

// looks reports whether a statement looks for something: an INSERT does not.
func looks(text string) bool {
	verb, _, _ := strings.Cut(text, " ")
	return verb == "SELECT" || verb == "UPDATE" || verb == "DELETE"
}

// forget has SQLite make its plans without a count.
func forget(t *testing.T, db *sql.DB) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), "DELETE FROM sqlite_stat1"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "ANALYZE sqlite_schema"); err != nil { // it reads what is there
		t.Fatal(err)
	}
}

// beginBuckets has something published in each bucket of the feed.
func beginBuckets(t testing.TB, s core.Store, now time.Time) {
	t.Helper()
	for range 200 {
		publish(t, s, rand.Text(), now.Add(-10*time.Minute))
	}
}

// publish has a user of whom nothing is known revoke something.
func publish(t testing.TB, s core.Store, user string, at time.Time) {
	t.Helper()
	c := core.Change{
		ID: newID(), At: at, KeepUntil: at.Add(time.Hour),
		Publish: []core.Revocation{{UserID: user, Session: newID(), MinSerial: core.AllSerials, Until: at.Add(time.Hour)}},
	}
	if _, err := s.Commit(context.Background(), user, c); err != nil {
		t.Fatal(err)
	}
}

type action struct {
	name string
	do   func(context.Context) error
}

// everything is each thing that a store does, so that its statements are all there, in
// a round of its own.
func everything(t testing.TB, s *sqlstore.Store, now time.Time, round int) []action {
	due, past := now.Add(time.Duration(7*24-5+round)*time.Hour), now.Add(time.Duration(12*round-28)*24*time.Hour)
	user := func(n int) string { return fmt.Sprint("crowd-", 100*round+n) }
	commit := func(user string, change func(core.Ledger, *core.Change)) func(context.Context) error {
		l, err := s.Load(context.Background(), user)
		if err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context) error {
			c := core.Change{ID: newID(), If: l.Version, At: now, KeepUntil: now.Add(time.Hour)}
			change(l, &c)
			_, err := s.Commit(ctx, user, c)
			return err
		}
	}
	return []action{
		{"load", func(ctx context.Context) error { _, err := s.Load(ctx, "crowd-7"); return err }},
		{"load 3", func(ctx context.Context) error {
			_, err := s.LoadMany(ctx, []string{"crowd-7", "crowd-8", "nobody"})
			return err
		}},
		{"load 128", func(ctx context.Context) error {
			users := make([]string, 128)
			for i := range users {
				users[i] = fmt.Sprint("crowd-", i*3)
			}
			_, err := s.LoadMany(ctx, users)
			return err
		}},
		{"refresh", commit(user(9), func(l core.Ledger, c *core.Change) { c.Put = []core.Session{afterRefresh(l.Sessions[0], now)} })},
		{"sign-in", commit(user(10), func(l core.Ledger, c *core.Change) {
			c.Put, c.Devices = []core.Session{{ID: newID(), CreatedAt: now, ExpiresAt: now.Add(time.Hour)}}, l.Devices
		})},
		{"first sign-in", commit(rand.Text(), func(_ core.Ledger, c *core.Change) {
			c.Put, c.Devices = []core.Session{{ID: newID(), CreatedAt: now, ExpiresAt: now.Add(time.Hour)}}, []core.KnownDevice{{Device: core.Device{ID: "a"}}}
		})},
		{"end one", commit(user(11), func(l core.Ledger, c *core.Change) { c.End = ends(l.Sessions[:1]) })},
		{"end all", commit(user(12), func(l core.Ledger, c *core.Change) {
			c.End = ends(l.Sessions)
			for _, e := range c.End {
				c.Publish = append(c.Publish, core.Revocation{UserID: user(12), Session: e.ID, MinSerial: core.AllSerials, Until: now.Add(time.Hour)})
			}
		})},
		{"forget", commit(user(13), func(_ core.Ledger, c *core.Change) { c.Forget, c.KeepUntil = true, time.Time{} })},
		{"the feed, 1 bucket moved", func(ctx context.Context) error {
			b, err := s.Tail(context.Background(), "", 0) // which reads all there is
			if err != nil {
				return err
			}
			publish(t, s, rand.Text(), now)
			_, err = s.Tail(ctx, b.Next, 0)
			return err
		}},
		{"the feed, 16 buckets moved", func(ctx context.Context) error {
			b, err := s.Tail(context.Background(), "", 0) // which reads all there is
			if err != nil {
				return err
			}
			beginBuckets(t, s, now)
			_, err = s.Tail(ctx, b.Next, 0)
			return err
		}},
		{"sweep ledgers", func(ctx context.Context) error {
			_, err := s.Sweep(ctx, now.Add(2*time.Hour), 1_000_000)
			return err
		}},
		{"sweep", func(ctx context.Context) error {
			n, err := s.Sweep(ctx, due, 150)
			if err == nil && n == 0 {
				return fmt.Errorf("nothing was over")
			}
			return err
		}},
		{"purge", func(ctx context.Context) error {
			n, err := s.Purge(ctx, past)
			if err == nil && n == 0 {
				return fmt.Errorf("nothing was past")
			}
			return err
		}},
	}
}

// afterRefresh is a session after a refresh.
func afterRefresh(s core.Session, at time.Time) core.Session {
	s.Gen++
	s.Serial++
	s.MovedAt, s.SeenAt, s.LastSeenAt = at, at, at
	s.ExpiresAt, s.RefreshExpiresAt = at.Add(7*24*time.Hour), at.Add(7*24*time.Hour)
	s.Access = core.AccessRecord{JTI: newID(), IssuedAt: at, ExpiresAt: at.Add(time.Hour), Until: at.Add(time.Hour)}
	return s
}

// ends ends sessions.
func ends(sessions []core.Session) []core.Ended {
	var all []core.Ended
	for _, s := range sessions {
		all = append(all, core.Ended{ID: s.ID, Reason: core.ReasonSignedOut})
	}
	return all
}
