package redisstore_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// watched is a server of which all is seen.
type watched struct {
	t      *testing.T
	client *redis.Client
	prefix string

	mu    sync.Mutex
	seen  bytes.Buffer // what MONITOR tells
	marks chan string  // its lines that tell of an ECHO
}

// monitor listens to all commands from here on, scripts' own included.
func (w *watched) monitor(addr string) {
	w.t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		w.t.Fatal(err)
	}
	var reads sync.WaitGroup
	w.t.Cleanup(func() {
		conn.Close()
		reads.Wait()
	})
	conn.SetDeadline(time.Now().Add(time.Minute))
	lines := bufio.NewReader(conn)
	if _, err := io.WriteString(conn, "MONITOR\r\n"); err != nil {
		w.t.Fatal(err)
	}
	if ok, err := lines.ReadString('\n'); ok != "+OK\r\n" {
		w.t.Fatal(ok, err)
	}
	conn.SetDeadline(time.Time{})
	reads.Go(func() {
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			w.mu.Lock()
			w.seen.Write(line)
			w.mu.Unlock()
			if bytes.Contains(line, []byte(`] "echo" "`)) {
				select {
				case w.marks <- string(line):
				default: // the test has failed
				}
			}
		}
	})
}

// forget drops what was seen so far.
func (w *watched) forget() {
	w.monitored()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.Reset()
	if err := w.client.Do(w.t.Context(), "SLOWLOG", "RESET").Err(); err != nil {
		w.t.Fatal(err)
	}
}

// all returns what Redis holds, was sent, and has logged, by where that was found.
func (w *watched) all() map[string][]byte {
	w.t.Helper()
	all := map[string][]byte{"MONITOR": w.monitored()} // before what follows is in it
	slow, err := w.client.Do(w.t.Context(), "SLOWLOG", "GET", -1).Result()
	if err != nil {
		w.t.Fatal(err)
	}
	var log bytes.Buffer
	flatten(&log, slow)
	all["the slow log"] = log.Bytes()
	all["DUMP and values"] = w.dumped()
	return all
}

// monitored returns what MONITOR has told, up to now, as bytes and as it was written.
func (w *watched) monitored() []byte {
	w.t.Helper()
	mark := rand.Text()
	if err := w.client.Echo(w.t.Context(), mark).Err(); err != nil {
		w.t.Fatal(err)
	}
	select {
	case line := <-w.marks:
		if !strings.Contains(line, mark) {
			w.t.Fatalf("MONITOR tells of %q, want %s", line, mark)
		}
	case <-time.After(time.Minute):
		w.t.Fatal("MONITOR is behind")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	text := bytes.Clone(w.seen.Bytes())
	return append(unescape(text), text...)
}

// unescape undoes how MONITOR writes bytes.
func unescape(text []byte) []byte {
	letters := map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 'a': '\a', 'b': '\b', '"': '"', '\\': '\\'}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) {
			if letter, ok := letters[text[i+1]]; ok {
				c = letter
				i++
			} else if n, err := strconv.ParseUint(string(text[min(i+2, len(text)):min(i+4, len(text))]), 16, 8); text[i+1] == 'x' && err == nil {
				c = byte(n)
				i += 3
			}
		}
		out = append(out, c)
	}
	return out
}

// dumped returns every key, every value, and what DUMP makes of it.
func (w *watched) dumped() []byte {
	w.t.Helper()
	ctx := w.t.Context()
	var all bytes.Buffer
	keys := w.client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		if !strings.HasPrefix(key, w.prefix) {
			w.t.Errorf("%q is none of this store's keys", key)
		}
		dump, err := w.client.Dump(ctx, key).Result()
		if err != nil {
			w.t.Fatal(err)
		}
		var value any
		if kind := w.client.Type(ctx, key).Val(); kind == "stream" {
			value, err = w.client.Do(ctx, "XRANGE", key, "-", "+").Result()
		} else {
			value, err = w.client.Get(ctx, key).Result()
		}
		if err != nil {
			w.t.Fatal(err)
		}
		all.WriteString(key + "\n" + dump + "\n")
		flatten(&all, value)
	}
	if err := keys.Err(); err != nil {
		w.t.Fatal(err)
	}
	return all.Bytes()
}

// flatten writes all texts of a reply.
func flatten(out *bytes.Buffer, reply any) {
	switch v := reply.(type) {
	case []any:
		for _, part := range v {
			flatten(out, part)
		}
	case map[any]any:
		for key, part := range v {
			flatten(out, key)
			flatten(out, part)
		}
	default:
		fmt.Fprintln(out, v)
	}
}
