package sqlstore_test

import (
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// A refresh leaves due_at, which is indexed, where it is; Sweep puts it off, and neither
// counts nor ends what was refreshed. What expires sooner is due sooner.
func TestDue(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := migrated(t, sqltest.New(t, engine))
		s, db := open(t, d, sqlstore.Options{}), d.Open(t)
		now := time.Now().UTC().Truncate(time.Millisecond)
		session := core.Session{ID: newID(), CreatedAt: now}
		var version core.ID
		put := func(expires time.Duration) {
			t.Helper()
			session.ExpiresAt = now.Add(expires)
			c := core.Change{ID: newID(), If: version, At: now, KeepUntil: now.Add(9 * time.Hour), Put: []core.Session{session}}
			if _, err := s.Commit(t.Context(), "bob", c); err != nil {
				t.Fatal(err)
			}
			version = c.ID
		}
		due := func(want bool, what string) {
			t.Helper()
			var is bool
			if err := db.QueryRowContext(t.Context(), "SELECT due_at = expires_at FROM user_sessions").Scan(&is); err != nil || is != want {
				t.Errorf("%s: due when it expires: %t, %v", what, is, err)
			}
		}
		sweep := func(at time.Duration, want int) {
			t.Helper()
			if n, err := s.Sweep(t.Context(), now.Add(at), 10); err != nil || n != want {
				t.Errorf("a sweep at %v: got %d, %v, want %d", at, n, err, want)
			}
		}
		put(time.Hour)
		due(true, "new")
		put(3 * time.Hour)
		due(false, "refreshed")
		sweep(2*time.Hour, 0)
		due(true, "swept")
		put(2 * time.Hour)
		due(true, "shortened")
		put(4 * time.Hour)
		sweep(5*time.Hour, 1)
		if l, err := s.Load(t.Context(), "bob"); err != nil || len(l.Sessions) != 0 {
			t.Errorf("got %d sessions, %v", len(l.Sessions), err)
		}
	})
}
