package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// wire is a client that speaks by hand.
type wire struct {
	t    *testing.T
	conn net.Conn
	*bufio.Reader
}

func dial(t *testing.T, addr string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &wire{t, conn, bufio.NewReader(conn)}
}

func spell(words ...string) string {
	text := fmt.Sprintf("*%d\r\n", len(words))
	for _, w := range words {
		text += fmt.Sprintf("$%d\r\n%s\r\n", len(w), w)
	}
	return text
}

func (w *wire) send(words ...string) {
	w.t.Helper()
	if _, err := io.WriteString(w.conn, spell(words...)); err != nil {
		w.t.Fatal(err)
	}
}

// expect reads a reply.
func (w *wire) expect(want string) {
	w.t.Helper()
	w.conn.SetReadDeadline(time.Now().Add(patience))
	got, _, err := readReply(w.Reader)
	if string(got) != want || err != nil {
		w.t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

// expectEnd reads what comes before the connection is closed.
func (w *wire) expectEnd(want string) {
	w.t.Helper()
	w.conn.SetReadDeadline(time.Now().Add(patience))
	got, err := io.ReadAll(w.Reader)
	if string(got) != want || errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Fatalf("got %q, %v, want %q and the end", got, err, want)
	}
}

// expectNothing waits a moment for what must not come.
func (w *wire) expectNothing() {
	w.t.Helper()
	w.conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if b, err := w.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Fatalf("got %q, %v, want nothing", b, err)
	}
}

func proxied(t *testing.T) (*Proxy, *miniredis.Miniredis) {
	server := miniredis.RunT(t)
	return StartProxy(t, server.Addr()), server
}

func TestProxyPasses(t *testing.T) {
	p, server := proxied(t)
	a, b := dial(t, p.Addr()), dial(t, p.Addr())
	a.send("SET", "k", "a\r\nb")
	a.expect("+OK\r\n")
	b.send("GET", "k")
	b.expect("$4\r\na\r\nb\r\n")
	long := strings.Repeat("x", 1<<20)
	b.send("SET", "long", long)
	b.send("GET", "long")
	b.send("NOSUCH")
	b.expect("+OK\r\n")
	b.expect(fmt.Sprintf("$%d\r\n%s\r\n", len(long), long))
	if got, _, err := readReply(b.Reader); err != nil || got[0] != '-' {
		t.Errorf("got %q, %v, want an error of the server's", got, err)
	}
	b.send("HELLO", "3")
	if got, _, err := readReply(b.Reader); err != nil || got[0] != '%' {
		t.Errorf("got %q, %v, want a map", got, err)
	}
	b.send("SUBSCRIBE", "news") // pushes answer no command
	b.expect(">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n")
	server.Publish("news", "1")
	server.Publish("news", "2")
	for i := 1; i <= 2; i++ {
		b.expect(fmt.Sprintf(">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\n%d\r\n", i))
	}
	server.Close() // who waits is told
	a.expectEnd("")
	dial(t, p.Addr()).expectEnd("")
}

func TestProxyCut(t *testing.T) {
	p, _ := proxied(t)
	a := dial(t, p.Addr())
	a.send("PING")
	a.expect("+PONG\r\n")
	for range 3 {
		p.Cut()
		a.expectEnd("")
		if conn, err := net.Dial("tcp", p.Addr()); err == nil {
			conn.Close()
			t.Fatal("a connection to a proxy that is cut")
		}
		p.Heal()
		a = dial(t, p.Addr())
		a.send("PING")
		a.expect("+PONG\r\n")
	}
}

func TestProxyFreeze(t *testing.T) {
	p, server := proxied(t)
	a, gone := dial(t, p.Addr()), dial(t, p.Addr())
	for _, w := range []*wire{a, gone} {
		w.send("PING")
		w.expect("+PONG\r\n")
	}
	p.Freeze()
	b := dial(t, p.Addr())
	a.send("SET", "a", "1")
	b.send("SET", "b", "1")
	gone.send("SET", "gone", "1")
	gone.conn.Close()
	a.expectNothing()
	b.expectNothing()
	if keys := server.Keys(); len(keys) > 0 {
		t.Errorf("%v went through", keys)
	}
	p.Heal()
	a.expect("+OK\r\n")
	b.expect("+OK\r\n")
	Eventually(t, func(context.Context) error {
		if !server.Exists("gone") {
			return errors.New("what was sent before the client went has not arrived")
		}
		return nil
	})
	before := server.CommandCount()
	a.send("BLPOP", "list", "0")
	Eventually(t, func(context.Context) error {
		if server.CommandCount() == before {
			return errors.New("the command has not arrived")
		}
		return nil
	})
	p.Freeze()
	server.Push("list", "1")
	a.expectNothing()
	p.Heal()
	a.expect("*2\r\n$4\r\nlist\r\n$1\r\n1\r\n")
	p.Freeze()
	p.Cut() // as well
	a.expectEnd("")
}

func TestProxyDelay(t *testing.T) {
	p, _ := proxied(t)
	a := dial(t, p.Addr())
	const late, many = 50 * time.Millisecond, 100
	p.Delay(late)
	began := time.Now()
	for range many {
		a.send("PING")
	}
	for i := range many {
		a.expect("+PONG\r\n")
		if took := time.Since(began); took < late {
			t.Fatalf("reply %d came after %v, want %v at least", i, took, late)
		}
	}
	if took := time.Since(began); took > many*late/2 {
		t.Errorf("%d replies together took %v: each was late by itself", many, took)
	}
	p.Delay(time.Hour)
	a.send("PING")
	a.expectNothing()
	p.Cut()
	a.expectEnd("")
}

func TestProxyCutReplyAfter(t *testing.T) {
	p, server := proxied(t)
	const reply = "$4\r\na\r\nb\r\n"
	server.Set("k", "a\r\nb")
	for n := range len(reply) + 2 {
		a, other := dial(t, p.Addr()), dial(t, p.Addr())
		happened := p.CutReplyAfter(n, Command("k", "get"))
		other.send("GET", "other")
		other.expect("$-1\r\n")
		a.send("INCR", "before")
		a.send("GET", "k")
		a.send("INCR", "after")
		a.expect(fmt.Sprintf(":%d\r\n", n+1))
		a.expectEnd(reply[:min(n, len(reply))])
		if got := <-happened; got != len(reply) {
			t.Errorf("%d bytes of the reply, want %d", got, len(reply))
		}
		other.send("GET", "k") // it happens once
		other.expect(reply)
	}
	// It takes place, and match may use the proxy before.
	a := dial(t, p.Addr())
	happened := p.CutReplyAfter(0, func(words []string) bool {
		if !Command("k", "append")(words) {
			return false
		}
		b := dial(t, p.Addr())
		b.send("SET", "k", "1")
		b.expect("+OK\r\n")
		return true
	})
	a.send("APPEND", "k", "2")
	a.expectEnd("")
	<-happened
	if got, _ := server.Get("k"); got != "12" {
		t.Errorf("got %q, want both commands to take place", got)
	}
	p.CutReplyAfter(0, Command("k", "get"))
	p.Heal()
	a = dial(t, p.Addr())
	a.send("GET", "k")
	a.expect("$2\r\n12\r\n")
}

// Connections that are cut while they begin leave nothing behind.
func TestProxyCutAtOnce(t *testing.T) {
	p, _ := proxied(t)
	for range 300 {
		var conns []net.Conn
		for range 4 {
			if conn, err := net.Dial("tcp", p.Addr()); err == nil {
				conns = append(conns, conn)
			}
		}
		p.Cut()
		for _, conn := range conns {
			conn.Close()
		}
		p.Heal()
	}
	p.Cut()
	p.work.Wait()
}
