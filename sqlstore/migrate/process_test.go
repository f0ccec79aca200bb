package migrate

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// childEnv has "DRIVER DIALECT DSN" in a process that migrates, and slowEnv a statement
// in the middle of that.
const (
	childEnv = "MIGRATE_CHILD"
	slowEnv  = "MIGRATE_SLOW"
)

// child waits for its input to end and calls Up, silently if all is well.
func child() {
	part := strings.SplitN(os.Getenv(childEnv), " ", 3)
	bufio.NewReader(os.Stdin).ReadByte()
	db, err := sql.Open(part[0], part[2])
	if err == nil {
		db.SetMaxOpenConns(1)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if slow := os.Getenv(slowEnv); slow == "" {
			err = Up(ctx, db, sqlstore.Dialect(part[1]))
		} else {
			var m *migrator
			if m, err = open(db, sqlstore.Dialect(part[1])); err == nil {
				m.breakIt(new(testing.T), slow)
				m.fsys = announced{m.fsys}
				err = m.up(ctx)
			}
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// announced says when a file is read, which goose does when it has its turn.
type announced struct{ fs.FS }

func (a announced) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, ".sql") {
		fmt.Println("in turn")
	}
	return a.FS.Open(name)
}

func command(t *testing.T, d sqltest.Database, slow string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(patient(t), os.Args[0])
	c.Env = append(os.Environ(), childEnv+"="+d.Driver+" "+string(dialects[d.Engine])+" "+d.DSN, slowEnv+"="+slow)
	return c
}

// Processes that start together all succeed, and say nothing.
func TestEightProcesses(t *testing.T) {
	if os.Getenv("SALLYPORT_QUICK") != "" {
		t.Skip("it takes long")
	}
	onEach(t, func(t *testing.T, d sqltest.Database, dialect sqlstore.Dialect) {
		const n = 8
		var out [n]bytes.Buffer
		start, begin, err := os.Pipe()
		ok(t, err)
		var all [n]*exec.Cmd
		for i := range all {
			c := command(t, d, "")
			c.Stdin, c.Stdout, c.Stderr = start, &out[i], &out[i]
			ok(t, c.Start())
			all[i] = c
		}
		ok(t, start.Close())
		ok(t, begin.Close()) // they all read its end
		for i, c := range all {
			if err := c.Wait(); err != nil || out[i].Len() > 0 {
				t.Errorf("process %d: got %v and said %q", i, err, &out[i])
			}
		}
		db := d.Open(t)
		ok(t, sqlstore.CheckSchema(t.Context(), db, dialect))
		if got := ask(t, db, "SELECT count(*) FROM "+Table); got != "2" {
			t.Errorf("%s has %s rows, want 2", Table, got)
		}
	})
}

func TestEightPools(t *testing.T) {
	onEach(t, func(t *testing.T, d sqltest.Database, dialect sqlstore.Dialect) {
		ctx := patient(t)
		var all sync.WaitGroup
		for range 8 {
			db := d.Open(t)
			all.Go(func() {
				if err := Up(ctx, db, dialect); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		ok(t, sqlstore.CheckSchema(ctx, d.Open(t), dialect))
	})
}

// A process that is killed while it migrates blocks nobody.
func TestKilled(t *testing.T) {
	if os.Getenv("SALLYPORT_QUICK") != "" {
		t.Skip("it takes long")
	}
	slow := map[sqlstore.Dialect]string{
		// It goes on for ever.
		sqlstore.SQLite: "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c",
		// The servers notice at its end that nobody is there.
		sqlstore.MySQL:      "DO SLEEP(3)",
		sqlstore.PostgreSQL: "SELECT pg_sleep(3)",
	}
	onEach(t, func(t *testing.T, d sqltest.Database, dialect sqlstore.Dialect) {
		ctx, db := patient(t), d.Open(t)
		c := command(t, d, slow[dialect])
		out, err := c.StdoutPipe()
		ok(t, err)
		ok(t, c.Start())
		said, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || said != "in turn\n" {
			t.Fatalf("got %q, %v", said, err)
		}
		if dialect == sqlstore.MySQL { // where what it has done is seen
			ok(t, poll(ctx, func() (bool, error) {
				_, err := db.ExecContext(ctx, "SELECT 1 FROM user_session_ledgers")
				return err == nil, nil
			}))
		}
		waits := make(chan error, 1)
		go func() { waits <- Up(ctx, db, dialect) }()
		ok(t, c.Process.Kill())
		c.Wait()
		err = <-waits
		if dialect == sqlstore.MySQL {
			is(t, err, ErrSchema, "an Up that was cut off", "DROP TABLE user_sessions, user_session_ledgers and migrate again")
			run(t, db, "DROP TABLE user_sessions, user_session_ledgers")
			err = Up(ctx, db, dialect)
		}
		ok(t, err)
		ok(t, sqlstore.CheckSchema(ctx, db, dialect))
	})
}
