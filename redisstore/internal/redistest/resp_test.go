package redistest

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"testing"
)

// What follows a value is left for the next.
const rest = "+next\r\n"

func TestReadReply(t *testing.T) {
	for _, reply := range []string{
		"+OK\r\n", "-ERR no\r\n", ":1\r\n", "_\r\n", ",1.5\r\n", "#t\r\n", "(12345678901234567890\r\n",
		"$-1\r\n", "$0\r\n\r\n", "$4\r\na\r\nb\r\n", "!5\r\nERR a\r\n", "=7\r\ntxt:a\r\n\r\n",
		"*-1\r\n", "*0\r\n", "*2\r\n$1\r\na\r\n*1\r\n:1\r\n", "~1\r\n:1\r\n", "%1\r\n+a\r\n*1\r\n+b\r\n",
		"|1\r\n+ttl\r\n:1\r\n$1\r\na\r\n", ">2\r\n+invalidate\r\n*1\r\n$1\r\na\r\n",
	} {
		r := bufio.NewReader(strings.NewReader(reply + rest))
		got, push, err := readReply(r)
		if string(got) != reply || push != (reply[0] == '>') || err != nil {
			t.Errorf("%q: got %q, push %v, %v", reply, got, push, err)
		}
		if left, _ := io.ReadAll(r); string(left) != rest {
			t.Errorf("%q: %q is left, want %q", reply, left, rest)
		}
		for n := range reply {
			if got, _, err := readReply(bufio.NewReader(strings.NewReader(reply[:n]))); err == nil {
				t.Errorf("the first %d bytes of %q: got %q, want an error", n, reply, got)
			}
		}
	}
	for _, reply := range []string{"no reply\r\n", "\r\n", "$x\r\n", "*x\r\n", "$9223372036854775807\r\n"} {
		if got, _, err := readReply(bufio.NewReader(strings.NewReader(reply + rest))); err == nil {
			t.Errorf("%q: got %q, want an error", reply, got)
		}
	}
}

func TestReadCommand(t *testing.T) {
	const whole = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\n\x00$\r\n"
	r := bufio.NewReader(strings.NewReader(whole + rest))
	got, err := readCommand(r)
	if want := []string{"SET", "k", "\r\n\x00$"}; !slices.Equal(got.words, want) || string(got.bytes) != whole || err != nil {
		t.Errorf("got %q of %q, %v", got.words, got.bytes, err)
	}
	if left, _ := io.ReadAll(r); string(left) != rest {
		t.Errorf("%q is left, want %q", left, rest)
	}
	for n := range whole {
		if got, err := readCommand(bufio.NewReader(strings.NewReader(whole[:n]))); err == nil {
			t.Errorf("the first %d bytes: got %q, want an error", n, got.words)
		}
	}
	for _, text := range []string{"PING\r\n", "*0\r\n", "*-1\r\n", "*1\r\n:1\r\n", "*1\r\n$-1\r\n", "*x\r\n"} {
		if got, err := readCommand(bufio.NewReader(strings.NewReader(text + rest))); err == nil {
			t.Errorf("%q: got %q, want an error", text, got.words)
		}
	}
}

func TestCommand(t *testing.T) {
	match := Command(":u:bob", "get", "evalsha")
	for words, want := range map[string]bool{
		"GET sp:u:bob": true, "get sp:u:bob": true, "EVALSHA sha 2 sp:u:bob sp:feed x": true,
		"GET sp:u:bobby": false, "SET sp:u:bob 1": false, "GET": false, "GET sp:u:ann": false,
	} {
		if got := match(strings.Fields(words)); got != want {
			t.Errorf("%s: got %v", words, got)
		}
	}
}
