package redistest

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// command is a command as a client sent it: its words, and its bytes.
type command struct {
	words []string
	bytes []byte
}

// readCommand reads the only form of a command that clients send: an array of bulk
// strings.
func readCommand(r *bufio.Reader) (command, error) {
	var c command
	next := func(kind byte) (int, error) {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return 0, err
		}
		c.bytes = append(c.bytes, line...)
		n, err := size(line)
		if err == nil && (line[0] != kind || n < 0) {
			err = fmt.Errorf("redistest: %q is no part of a command", line)
		}
		return n, err
	}
	words, err := next('*')
	for range words {
		var n int
		if n, err = next('$'); err != nil {
			break
		}
		word := make([]byte, n+2)
		if _, err = io.ReadFull(r, word); err != nil {
			break
		}
		c.bytes, c.words = append(c.bytes, word...), append(c.words, string(word[:n]))
	}
	if err == nil && len(c.words) == 0 {
		err = fmt.Errorf("redistest: an empty command")
	}
	return c, err
}

// readReply reads the bytes of one reply, of RESP2 or RESP3, and whether it is a
// push, which answers no command.
func readReply(r *bufio.Reader) (reply []byte, push bool, err error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, false, err
	}
	reply = line
	parts := 0
	switch line[0] {
	case '+', '-', ':', '_', ',', '#', '(':
		return reply, false, nil
	case '$', '!', '=':
		n, err := size(line)
		if err != nil || n < 0 {
			return reply, false, err
		}
		text := make([]byte, n+2)
		_, err = io.ReadFull(r, text)
		return append(reply, text...), false, err
	case '*', '~', '>':
		parts, err = size(line)
	case '%':
		parts, err = size(line)
		parts *= 2
	case '|': // attributes, and then the reply that they are of
		parts, err = size(line)
		parts = 2*parts + 1
	default:
		err = fmt.Errorf("redistest: %q is no reply", line)
	}
	for ; err == nil && parts > 0; parts-- {
		var part []byte
		part, _, err = readReply(r)
		reply = append(reply, part...)
	}
	return reply, line[0] == '>', err
}

// size reads the number in the first line of a value.
func size(line []byte) (int, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(string(line[1:]), "\r\n"))
	if err == nil && n > 1<<29 { // 512 MB, as servers have it
		err = fmt.Errorf("redistest: a value of %d bytes or parts", n)
	}
	return n, err
}

// Command matches commands of some names, in lower case, with an argument that ends
// with a suffix, such as the key of a user's ledger.
func Command(suffix string, names ...string) func(words []string) bool {
	return func(words []string) bool {
		named, ends := false, false
		for _, name := range names {
			named = named || strings.EqualFold(name, words[0])
		}
		for _, word := range words[1:] {
			ends = ends || strings.HasSuffix(word, suffix)
		}
		return named && ends
	}
}
