package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var servers = []struct {
	engine  string
	start   func(testing.TB) *Server
	crashed string // what it says when it comes back from a crash
}{
	{mariadbEngine, StartMariaDB, "Starting crash recovery"},
	{postgresEngine, StartPostgres, "was not properly shut down"},
}

// What was acknowledged is there after the server was killed, and nothing that was
// not asked for.
func TestServerKill(t *testing.T) {
	if os.Getenv("SALLYPORT_QUICK") != "" {
		t.Skip("it takes long")
	}
	for _, is := range servers {
		t.Run(is.engine, func(t *testing.T) {
			s := is.start(t)
			d := s.Database(t)
			if d.Engine != is.engine {
				t.Fatalf("got %+v", d)
			}
			db := d.Open(t)
			insert := "INSERT INTO a VALUES (?)"
			if is.engine == postgresEngine {
				insert = "INSERT INTO a VALUES ($1)"
			}
			execute(t, db, "CREATE TABLE a (n int PRIMARY KEY)")
			var asked, acknowledged, had int64
			for range 3 {
				// Writers are in the midst of it: they end when the server is dead.
				var writers sync.WaitGroup
				var last, done atomic.Int64
				last.Store(asked)
				under := make(chan struct{})
				for range 4 {
					writers.Go(func() {
						for {
							if _, err := db.Exec(insert, last.Add(1)); err != nil {
								return
							}
							if done.Add(1) == 20 {
								close(under)
							}
						}
					})
				}
				<-under
				open, err := db.Begin()
				if err != nil {
					t.Fatal(err)
				}
				execute(t, open, insert, -1)
				process := s.Process().Pid
				s.Kill()
				writers.Wait()
				if does, _, err := state(process); err == nil {
					t.Errorf("its process is still there, %c", does)
				}
				if err := s.answers(t.Context()); err == nil {
					t.Error("a server that was killed answers")
				}
				s.Kill() // again
				s.Restart(t)
				if said, err := os.ReadFile(filepath.Join(s.dir, "log")); err != nil || !strings.Contains(string(said), is.crashed) {
					t.Errorf("it was no crash: %v, %s", err, said)
				}
				asked, acknowledged = last.Load(), acknowledged+done.Load()
				eventuallyOK(t, db.PingContext)
				var rows, lowest int64
				if err := db.QueryRow("SELECT count(*), min(n) FROM a").Scan(&rows, &lowest); err != nil {
					t.Fatal(err)
				}
				if rows < acknowledged || rows > asked || rows <= had || lowest < 0 {
					t.Errorf("got %d rows from %d on, want %d to %d, from 1 on", rows, lowest, acknowledged, asked)
				}
				had = rows
			}
		})
	}
}

func eventuallyOK(t *testing.T, ask func(context.Context) error) {
	t.Helper()
	if err := eventually(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
}

func TestServerFreeze(t *testing.T) {
	if os.Getenv("SALLYPORT_QUICK") != "" {
		t.Skip("it takes long")
	}
	for _, is := range servers {
		t.Run(is.engine, func(t *testing.T) {
			s := is.start(t)
			d := s.Database(t)
			db := d.Open(t)
			s.Freeze(t)
			held := make(chan error)
			fresh, err := sql.Open(d.Driver, d.DSN)
			if err != nil {
				t.Fatal(err)
			}
			defer fresh.Close()
			for _, pool := range []*sql.DB{db, fresh} { // who is connected and who is not
				go func() { held <- pool.QueryRow("SELECT 1").Scan(new(int)) }()
			}
			short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := db.QueryRowContext(short, "SELECT 1").Scan(new(int)); err == nil {
				t.Error("a server that is frozen answers")
			}
			select {
			case err := <-held:
				t.Errorf("a server that is frozen answers, %v", err)
			default:
			}
			s.Thaw(t)
			for range 2 {
				if err := <-held; err != nil {
					t.Errorf("after Thaw got %v", err)
				}
			}
			s.Freeze(t)
			s.Kill() // which a server that hangs does not escape
			s.Restart(t)
			eventuallyOK(t, db.PingContext)
		})
	}
}

func TestServerRestart(t *testing.T) {
	if os.Getenv("SALLYPORT_QUICK") != "" {
		t.Skip("it takes long")
	}
	for _, is := range servers {
		t.Run(is.engine, func(t *testing.T) {
			s := is.start(t)
			var refused recorder
			refused.TB = t
			var test sync.WaitGroup
			test.Go(func() { s.Restart(&refused) })
			test.Wait()
			if !refused.failed {
				t.Error("a server that runs was started again")
			}
			// Whose port another has does not come back, and says so.
			other := is.start(t)
			s.Kill()
			mine := s.Addr
			s.Addr = other.Addr
			if err := s.launch(); err == nil {
				t.Error("two servers have one port")
			} else if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			s.Kill()
			s.Addr = mine
			s.Restart(t)
		})
	}
}

// A server that is killed and not started again leaves nothing behind.
func TestServerEnds(t *testing.T) {
	if os.Getenv("SALLYPORT_QUICK") != "" {
		t.Skip("it takes long")
	}
	for _, is := range servers {
		t.Run(is.engine, func(t *testing.T) {
			var dir, memory string
			t.Run("kills it", func(t *testing.T) {
				s := is.start(t)
				if is.engine == postgresEngine {
					lock, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
					if err != nil {
						t.Fatal(err)
					}
					memory = strings.Fields(strings.Split(string(lock), "\n")[6])[1]
				}
				dir = s.dir
				s.Kill()
			})
			if dir == "" {
				t.Skip("no server")
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("got %v of its folder", err)
			}
			pieces, err := os.ReadFile("/proc/sysvipc/shm") // key id ...
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(pieces)) {
				if fields := strings.Fields(line); fields[1] == memory {
					t.Errorf("its shared memory is left: %s", line)
				}
			}
		})
	}
}

// BenchmarkServer is what it takes to start one, and to kill one and start it again.
func BenchmarkServer(b *testing.B) {
	for _, is := range servers {
		b.Run(is.engine+"/start", func(b *testing.B) {
			is.start(b) // and makes what is copied
			for b.Loop() {
				is.start(b)
			}
		})
		b.Run(is.engine+"/restart", func(b *testing.B) {
			s := is.start(b)
			for b.Loop() {
				s.Kill()
				s.Restart(b)
			}
		})
	}
}
