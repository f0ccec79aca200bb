package sqlstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// base is a time from which tests count.
var base = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newID() (id core.ID) {
	rand.Read(id[:])
	return id
}

func session(expires time.Time) core.Session {
	return core.Session{
		ID: newID(), CreatedAt: base, LastSeenAt: base, ExpiresAt: expires, RefreshExpiresAt: expires, AbsoluteExpiresAt: expires,
		Gen: 1, Serial: 1, Device: core.Device{ID: newID().String()},
	}
}

func revocation(userID string) core.Revocation {
	return core.Revocation{UserID: userID, Session: newID(), MinSerial: core.AllSerials, Until: base.Add(time.Hour)}
}

// change returns one that adds a session and publishes a revocation.
func change(userID string, version core.ID) core.Change {
	return core.Change{
		ID: newID(), If: version, At: base, KeepUntil: base.Add(48 * time.Hour),
		Put: []core.Session{session(base.Add(24 * time.Hour))}, Publish: []core.Revocation{revocation(userID)},
	}
}

// commit commits a change that has to succeed.
func commit(t testing.TB, s core.Store, userID string, c core.Change) {
	t.Helper()
	if _, err := s.Commit(t.Context(), userID, c); err != nil {
		t.Fatalf("Commit: got error %v", err)
	}
}

func load(t testing.TB, s core.Store, userID string) core.Ledger {
	t.Helper()
	l, err := s.Load(t.Context(), userID)
	if err != nil {
		t.Fatalf("Load: got error %v", err)
	}
	return l
}

func tail(t testing.TB, s core.Store, after core.Cursor) core.Batch {
	t.Helper()
	b, err := s.Tail(t.Context(), after, 0)
	if err != nil {
		t.Fatalf("Tail: got error %v", err)
	}
	return b
}

// sessionsOf are the sessions that events revoke.
func sessionsOf(events []core.Revocation) map[core.ID]bool {
	all := map[core.ID]bool{}
	for _, r := range events {
		all[r.Session] = true
	}
	return all
}

// desk is a database with the tables, and a store on it.
type desk struct {
	sqltest.Database
	*sqlstore.Store
	db *sql.DB
}

func newDesk(t testing.TB, engine string) desk {
	t.Helper()
	d := migrated(t, sqltest.New(t, engine))
	return desk{d, open(t, d, sqlstore.Options{}), d.Open(t)}
}

// do runs a statement by hand.
func (d desk) do(t testing.TB, text string, args ...any) {
	t.Helper()
	if _, err := d.db.ExecContext(context.Background(), d.marked(text), args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// ask returns the one value that a query by hand has.
func ask[T any](t testing.TB, d desk, text string, args ...any) (v T) {
	t.Helper()
	if err := d.db.QueryRowContext(t.Context(), d.marked(text), args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// marked writes the one parameter that a text may have as the database wants it.
func (d desk) marked(text string) string {
	if d.Engine != "postgres" {
		return text
	}
	out := []byte{}
	n := byte('1')
	for _, c := range []byte(text) {
		if c == '?' {
			out = append(out, '$', n)
			n++
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}
