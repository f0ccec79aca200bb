package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/storetest"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// A commit that the server chose to end in a deadlock is tried again.
func TestDeadlock(t *testing.T) {
	long(t)
	for _, engine := range []string{"mariadb", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			d := newDesk(t, engine)
			first := change("alice", core.ID{})
			commit(t, d, "alice", first)
			for range 200 { // much to undo: the server prefers to end the other
				commit(t, d, newID().String(), core.Change{ID: newID(), At: base, KeepUntil: base})
			}

			other, err := d.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Rollback()
			for _, text := range []string{
				"UPDATE user_session_ledgers SET foreign_tokens = NULL, keep_until = NULL WHERE user_id <> 'alice'",
				"UPDATE user_session_buckets SET position = position + 0",
				"SELECT position FROM user_session_buckets FOR UPDATE",
			} {
				if _, err := other.ExecContext(t.Context(), text); err != nil {
					t.Fatal(err)
				}
			}
			second := change("alice", first.ID)
			committed := make(chan error, 1)
			go func() {
				_, err := d.Commit(context.Background(), "alice", second)
				committed <- err
			}()
			d.waits(t)
			// Now each waits for the other.
			if _, err := other.ExecContext(t.Context(), "UPDATE user_session_ledgers SET foreign_tokens = NULL WHERE user_id = 'alice'"); err != nil {
				t.Fatalf("the server has ended the other: %v", err)
			}
			if err := other.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := <-committed; err != nil {
				t.Errorf("Commit: got error %v, want it to try again", err)
			}
			if l := load(t, d, "alice"); l.Version != second.ID || len(l.Sessions) != 2 {
				t.Errorf("got version %v and %d sessions, want %v and 2", l.Version, len(l.Sessions), second.ID)
			}
			if n := len(tail(t, d, "").Events); n != 2 {
				t.Errorf("got %d revocations, want 2", n)
			}
		})
	}
}

// waits returns when somebody waits for a lock in the database.
func (d desk) waits(t *testing.T) {
	t.Helper()
	text := "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
	if d.Engine == "mariadb" {
		text = "SELECT COUNT(*) FROM information_schema.innodb_trx x JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id WHERE x.trx_state = 'LOCK WAIT' AND p.db = DATABASE()"
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for ask[int](t, d, text) == 0 {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("nobody waits")
		}
	}
}

// On SQLite one writes at a time, and others wait, also where the driver does not; but
// not for longer than they are told to.
func TestBusySQLite(t *testing.T) {
	d := newDesk(t, "sqlite")
	impatient := open(t, d.With("_pragma=busy_timeout(0)&_pragma=journal_mode(WAL)"), sqlstore.Options{Timeout: 20 * time.Second})
	commit(t, impatient, "alice", change("alice", core.ID{}))
	other, err := d.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock := func(text string) {
		if _, err := other.ExecContext(context.Background(), text); err != nil {
			t.Fatal(err)
		}
	}

	lock("BEGIN IMMEDIATE")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := impatient.Commit(ctx, "bob", change("bob", core.ID{})); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Commit beside a writer that stays: got error %v, want that its time is up", err)
	}
	if load(t, impatient, "alice").Version.IsZero() {
		t.Error("a reader does not see alice")
	}
	users := []string{"bob", "carol", "dave", "erin"}
	committed := make(chan error, len(users))
	for _, user := range users {
		go func() {
			_, err := impatient.Commit(context.Background(), user, change(user, core.ID{}))
			committed <- err
		}()
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	<-ctx.Done() // some meet the lock by then; nothing fails if not
	lock("ROLLBACK")
	for range users {
		if err := <-committed; err != nil {
			t.Errorf("Commit beside a writer that goes: got error %v", err)
		}
	}
}

// One connection is enough for all that a store does, many at once.
func TestOneConnection(t *testing.T) {
	long(t)
	onEach(t, func(t *testing.T, engine string) {
		d := migrated(t, sqltest.New(t, engine))
		storetest.Run(t, func(t testing.TB) core.Store {
			db := d.Open(t)
			db.SetMaxOpenConns(1)
			s, err := sqlstore.New(db, dialects[engine], sqlstore.Options{Timeout: 20 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			return s
		})
	})
}

// A server that takes what it is sent and says nothing holds nobody up.
func TestSilence(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
		}
	})
	defer accepting.Wait()
	defer silent.Close()
	addr := silent.Addr().String()
	for driver, dsn := range map[string]string{"mysql": "root@tcp(" + addr + ")/x", "pgx": "postgres://postgres@" + addr + "/x?sslmode=disable"} {
		db, err := sql.Open(driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		dialect := sqlstore.MySQL
		if driver == "pgx" {
			dialect = sqlstore.PostgreSQL
		}
		s, err := sqlstore.New(db, dialect, sqlstore.Options{Timeout: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		for call, do := range map[string]func(context.Context) error{
			"Load":     func(ctx context.Context) error { _, err := s.Load(ctx, "alice"); return err },
			"LoadMany": func(ctx context.Context) error { _, err := s.LoadMany(ctx, []string{"alice"}); return err },
			"Commit": func(ctx context.Context) error {
				_, err := s.Commit(ctx, "alice", core.Change{ID: newID()})
				return err
			},
			"Tail":  func(ctx context.Context) error { _, err := s.Tail(ctx, "", 0); return err },
			"Sweep": func(ctx context.Context) error { _, err := s.Sweep(ctx, base, 1); return err },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if err := do(ctx); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
				t.Errorf("%s: %s: got error %v, and from its context %v, want its own deadline", driver, call, err, ctx.Err())
			}
			cancel()
		}
	}
}

func TestNewRefuses(t *testing.T) {
	db := sqltest.SQLite(t).Open(t)
	for _, tt := range []struct {
		db      *sql.DB
		dialect sqlstore.Dialect
		options sqlstore.Options
		says    string
	}{
		{nil, sqlstore.SQLite, sqlstore.Options{}, "no database"},
		{db, "oracle", sqlstore.Options{}, `Dialect "oracle"`},
		{db, "", sqlstore.Options{}, `Dialect ""`},
		{db, sqlstore.SQLite, sqlstore.Options{Timeout: time.Microsecond}, "Timeout"},
		{db, sqlstore.SQLite, sqlstore.Options{PollInterval: -time.Second}, "PollInterval"},
	} {
		if _, err := sqlstore.New(tt.db, tt.dialect, tt.options); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("New(%v, %q, %+v): got error %v, want one about %s", tt.db != nil, tt.dialect, tt.options, err, tt.says)
		}
	}
	if _, err := sqlstore.MigrationsFor("oracle"); err == nil {
		t.Error("there are migrations for an unknown dialect")
	}
}
