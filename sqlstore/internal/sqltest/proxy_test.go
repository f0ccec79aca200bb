package sqltest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// eachProxied runs a test on a table a (n) behind a proxy. straight goes past it.
func eachProxied(t *testing.T, test func(t *testing.T, p *Proxy, through, straight *sql.DB)) {
	for _, engine := range []string{mariadbEngine, postgresEngine} {
		t.Run(engine, func(t *testing.T) {
			d := New(t, engine)
			straight := d.Open(t)
			execute(t, straight, "CREATE TABLE a (n int)")
			p, d := StartProxy(t, d)
			through := d.Open(t)
			through.SetMaxOpenConns(4)
			test(t, p, through, straight)
		})
	}
}

// briefly runs a statement for a moment that is to pass without an answer.
func briefly(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := db.ExecContext(ctx, statement); err == nil {
		t.Errorf("%s was answered", statement)
	}
}

func rows(t *testing.T, db *sql.DB, want string) {
	t.Helper()
	if got := ask(t, db, "SELECT count(*) FROM a"); got != want {
		t.Errorf("got %s rows, want %s", got, want)
	}
}

func TestProxyPasses(t *testing.T) {
	eachProxied(t, func(t *testing.T, _ *Proxy, through, straight *sql.DB) {
		execute(t, through, "INSERT INTO a VALUES (1)")
		rows(t, straight, "1")
		long := strings.Repeat("x", 1<<20)
		if got := ask(t, through, "SELECT '"+long+"'"); got != long {
			t.Errorf("got %d bytes, want %d", len(got), len(long))
		}
	})
}

func TestProxyCut(t *testing.T) {
	eachProxied(t, func(t *testing.T, p *Proxy, through, straight *sql.DB) {
		for range 2 {
			conn, err := through.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			p.Cut()
			if err := conn.QueryRowContext(t.Context(), "SELECT 1").Scan(new(int)); err == nil {
				t.Error("a connection that was cut goes on")
			}
			conn.Close()
			if conn, err := net.Dial("tcp", p.addr); err == nil {
				conn.Close()
				t.Error("a connection to a proxy that is cut")
			}
			p.Heal()
			execute(t, through, "INSERT INTO a VALUES (1)")
		}
		rows(t, straight, "2")
	})
}

func TestProxyFreeze(t *testing.T) {
	eachProxied(t, func(t *testing.T, p *Proxy, through, straight *sql.DB) {
		p.Freeze()
		held := make(chan error)
		go func() {
			_, err := through.Exec("INSERT INTO a VALUES (1)")
			held <- err
		}()
		briefly(t, through, "INSERT INTO a VALUES (2)")
		rows(t, straight, "0")
		p.Thaw()
		if err := <-held; err != nil {
			t.Errorf("after Thaw got %v", err)
		}
		execute(t, through, "INSERT INTO a VALUES (3)")
		p.Freeze()
		p.Cut()
		p.Thaw()
		if err := through.PingContext(t.Context()); err == nil {
			t.Error("Thaw ends what Cut did")
		}
		p.Freeze()
		p.Heal()
		execute(t, through, "INSERT INTO a VALUES (4)")
	})
}

// What was sent before its client went arrives after Thaw.
func TestProxyLate(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	p, d := StartProxy(t, mariadbAt(server.Addr().String(), ""))
	client, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p.Freeze()
	for _, err := range []error{
		func() error { _, err := client.Write([]byte("late")); return err }(), client.Close(),
		conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, err := io.ReadAll(conn); len(got) > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a link that is frozen passes %q, %v", got, err)
	}
	p.Thaw()
	conn.SetReadDeadline(time.Now().Add(patience))
	if got, err := io.ReadAll(conn); string(got) != "late" || err != nil {
		t.Errorf("got %q, %v, want what was sent", got, err)
	}
}

func TestProxyDropReplies(t *testing.T) {
	eachProxied(t, func(t *testing.T, p *Proxy, through, straight *sql.DB) {
		conn, err := through.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		p.DropReplies()
		answered := make(chan error, 1)
		go func() {
			_, err := conn.ExecContext(t.Context(), "INSERT INTO a VALUES (1)")
			answered <- err
		}()
		eventuallyOK(t, func(ctx context.Context) error { // it took place
			return straight.QueryRowContext(ctx, "SELECT n FROM a").Scan(new(int))
		})
		eventuallyOK(t, func(context.Context) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			for l := range p.links {
				if l.withheld {
					return nil
				}
			}
			return errors.New("nothing was withheld")
		})
		select {
		case err := <-answered:
			t.Errorf("it was answered, %v", err)
		default:
		}
		p.Heal()
		if err := <-answered; err == nil {
			t.Error("it was answered after Heal")
		}
		execute(t, through, "INSERT INTO a VALUES (2)")
		rows(t, straight, "2")
	})
}

// Of several commits one is not answered, and took place all the same.
func TestProxyCutReply(t *testing.T) {
	eachProxied(t, func(t *testing.T, p *Proxy, through, straight *sql.DB) {
		happened := p.CutReply(func(sent []byte) bool { return bytes.Contains(bytes.ToLower(sent), []byte("commit")) })
		execute(t, through, "INSERT INTO a VALUES (0)") // which is not meant
		select {
		case <-happened:
			t.Error("it happened to something else")
		default:
		}
		results := make(chan error, 4)
		var clients sync.WaitGroup
		for range cap(results) {
			clients.Go(func() {
				results <- func() error {
					tx, err := through.Begin()
					if err != nil {
						return err
					}
					if _, err := tx.Exec("INSERT INTO a VALUES (1)"); err != nil {
						return err
					}
					return tx.Commit()
				}()
			})
		}
		clients.Wait()
		<-happened
		lost := 0
		for range cap(results) {
			if <-results != nil {
				lost++
			}
		}
		if lost != 1 {
			t.Errorf("%d commits were not answered, want 1", lost)
		}
		rows(t, straight, "5")
	})
}

func TestProxyOfNoServer(t *testing.T) {
	refused := recorder{TB: t}
	var test sync.WaitGroup
	test.Go(func() { StartProxy(&refused, SQLite(t)) })
	test.Wait()
	if !refused.failed {
		t.Error("a proxy in front of a file")
	}
}
