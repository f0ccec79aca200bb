package sqlstore_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// child is the variable of the environment that has this binary be one of several
// processes on a database: its engine, driver and DSN, and what it does there if that
// is something else than counting.
const child = "SQLSTORE_TEST_PROCESS"

func TestMain(m *testing.M) {
	if of := os.Getenv(child); of != "" {
		if err := process(of); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	mysql.SetLogger(&mysql.NopLogger{}) // it tells of each connection that a test breaks
	os.Exit(m.Run())
}

// counted are the users whose sessions processes count up.
var counted = []string{"bob", "Bob", "bob ", "bób"}

const countedTimes = 25

// process waits for a line, counts the session of each user up, and says each
// revocation that was committed.
func process(of string) error {
	parts := strings.Split(of, " ")
	d := sqltest.Database{Engine: parts[0], Driver: parts[1], DSN: parts[2]}
	if len(parts) > 3 && parts[3] == hammerer {
		return hammer(d)
	}
	db, err := sql.Open(d.Driver, d.DSN)
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := sqlstore.New(db, dialects[d.Engine], sqlstore.Options{Timeout: 30 * time.Second})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	for i := range countedTimes * len(counted) {
		user := counted[i%len(counted)]
		r := revocation(user)
		if err := countUp(s, user, r); err != nil {
			return fmt.Errorf("%q: %w", user, err)
		}
		fmt.Println(r.Session)
	}
	return nil
}

func countUp(s *sqlstore.Store, user string, r core.Revocation) error {
	ctx := context.Background()
	l, err := s.Load(ctx, user)
	for err == nil {
		one := core.Session{ID: core.ID{1}, Gen: 1, ExpiresAt: base}
		if len(l.Sessions) > 0 {
			one = l.Sessions[0]
			one.Gen++
		}
		c := core.Change{ID: newID(), If: l.Version, At: base, KeepUntil: base, Put: []core.Session{one}, Publish: []core.Revocation{r}}
		if l, err = s.Commit(ctx, user, c); err == nil {
			return nil
		} else if errors.Is(err, core.ErrConflict) {
			err = nil
		}
	}
	return err
}

// Several processes on one database are one system.
func TestProcesses(t *testing.T) {
	long(t)
	const processes = 4
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		type running struct {
			cmd *exec.Cmd
			out *bufio.Scanner
		}
		var all []running
		var starts []func()
		for range processes {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), child+"="+strings.Join([]string{d.Engine, d.Driver, d.DSN}, " "))
			cmd.Stderr = os.Stderr
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill() })
			one := running{cmd, bufio.NewScanner(out)}
			if !one.out.Scan() || one.out.Text() != "ready" {
				t.Fatalf("a process says %q", one.out.Text())
			}
			all, starts = append(all, one), append(starts, func() { fmt.Fprintln(in) })
		}
		for _, start := range starts {
			start()
		}
		said := map[string]bool{}
		for _, one := range all {
			for one.out.Scan() {
				said[one.out.Text()] = true
			}
			if err := one.cmd.Wait(); err != nil {
				t.Errorf("a process failed: %v", err)
			}
		}
		if want := processes * countedTimes * len(counted); len(said) != want {
			t.Fatalf("%d revocations were committed, want %d", len(said), want)
		}
		for _, user := range counted {
			l := load(t, d, user)
			if len(l.Sessions) != 1 || l.Sessions[0].Gen != processes*countedTimes {
				t.Errorf("%q: got %+v, want one session that was counted to %d", user, l.Sessions, processes*countedTimes)
			}
		}
		events := tail(t, d, "").Events
		for _, r := range events {
			delete(said, r.Session.String())
		}
		if len(said) > 0 || len(events) != processes*countedTimes*len(counted) {
			t.Errorf("the feed has %d revocations and lacks %d", len(events), len(said))
		}
	})
}

// A Tail that waits is woken by what is published in its process, and sees soon what is
// published in another.
func TestWoken(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		const never = time.Hour
		one := open(t, d.Database, sqlstore.Options{PollInterval: never})
		other := open(t, d.Database, sqlstore.Options{})
		from := tail(t, one, "").Next
		for i, waiting := range []*sqlstore.Store{one, other} {
			c := change("alice", load(t, one, "alice").Version)
			seen := make(chan core.Batch, 1)
			go func() {
				b, err := waiting.Tail(context.Background(), from, never)
				if err != nil {
					t.Error(err)
				}
				seen <- b
			}()
			commit(t, one, "alice", c)
			b := <-seen
			if len(b.Events) != 1 || b.Events[0].Session != c.Publish[0].Session {
				t.Errorf("%d: got %d revocations, want the one that was committed", i, len(b.Events))
			}
			from = b.Next
		}
	})
}
