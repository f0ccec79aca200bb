package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// client is one kept connection that sends the same request over and over. So that
// it takes as little as possible of the time that is measured, it writes bytes that
// were made before, parses the first answer, and of each further one looks only at
// status and length.
type client struct {
	conn    net.Conn
	request []byte
	answer  []byte // as long as one
}

// dial connects and asks once; it returns the status of that answer.
func dial(tb testing.TB, addr, token string) (*client, int) {
	tb.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	c := &client{conn: conn}
	c.request = fmt.Appendf(nil, "GET /orders HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/5.0\r\n", addr)
	if token != "" {
		c.request = fmt.Appendf(c.request, "Authorization: Bearer %s\r\n", token)
	}
	c.request = append(c.request, "\r\n"...)
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		tb.Fatal(err)
	}
	if _, err := conn.Write(c.request); err != nil {
		tb.Fatal(err)
	}
	var seen bytes.Buffer
	reader := bufio.NewReader(io.TeeReader(conn, &seen))
	res, err := http.ReadResponse(reader, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		tb.Fatal(err)
	}
	c.answer = make([]byte, seen.Len()-reader.Buffered())
	if err := conn.SetDeadline(time.Time{}); err != nil {
		tb.Fatal(err)
	}
	return c, res.StatusCode
}

// good is how an answer begins that lets the request in.
var good = []byte("HTTP/1.1 200 ")

// ask sends the request and takes an answer that is as long as the first.
func (c *client) ask() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.conn, c.answer); err != nil {
		return err
	}
	if !bytes.HasPrefix(c.answer, good) {
		return fmt.Errorf("got %q", c.answer)
	}
	return nil
}
