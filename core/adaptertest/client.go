package adaptertest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// The kit is a client of its own: that of net/http would tidy up what is sent.

// wire is a request as it is sent. Lines are of its header; without one for
// Host it gets one.
func wire(method, target string, lines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, target)
	host := false
	for _, l := range lines {
		host = host || strings.HasPrefix(l, "Host:")
		b.WriteString(l + "\r\n")
	}
	if !host {
		b.WriteString("Host: kit.example\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// wireBody is a request with a body.
func wireBody(method, target, body string, lines ...string) string {
	return wire(method, target, append(lines, fmt.Sprintf("Content-Length: %d", len(body)))...) + body
}

// wireChunked is a request with a body in chunks of at most size bytes.
func wireChunked(method, target, body string, size int, lines ...string) string {
	var b strings.Builder
	b.Grow(len(body) + 10*(len(body)/size) + 1000)
	b.WriteString(wire(method, target, append(lines, "Transfer-Encoding: chunked")...))
	for len(body) > 0 {
		n := min(size, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.String()
}

// conn is a connection to a site.
type conn struct {
	*net.TCPConn
	k  *kit
	in *bufio.Reader
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	last   bool // the server closes the connection after it
}

// dial opens a connection, which is closed when the case is over.
func (s *site) dial() *conn {
	c, err := s.dialFrom(nil)
	if err != nil {
		s.k.fatalf("dialing the server: %v", err)
	}
	return c
}

// dialFrom opens a connection from an address of this machine; nil: any.
func (s *site) dialFrom(local *net.TCPAddr) (*conn, error) {
	remote, err := net.ResolveTCPAddr("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	tcp, err := net.DialTCP("tcp", local, remote)
	if err != nil {
		return nil, err
	}
	s.k.finally(func() { tcp.Close() })
	if deadline, ok := s.k.ctx.Deadline(); ok {
		if err := tcp.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	return &conn{TCPConn: tcp, k: s.k, in: bufio.NewReader(tcp)}, nil
}

// send sends a request, or a part of one.
func (c *conn) send(raw string) {
	if _, err := io.WriteString(c, raw); err != nil {
		c.k.fatalf("%s: sending it: %v", line(raw), err)
	}
}

// read reads the next answer to a request of a method; interim ones (1xx) count.
func (c *conn) read(method string) (answer, error) {
	resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body), resp.Close}, err
}

// ask sends a request and returns its answer.
func (c *conn) ask(raw string) answer {
	c.send(raw)
	method, _, _ := strings.Cut(raw, " ")
	a, err := c.read(method)
	if err != nil {
		c.k.fatalf("%s: no answer: %v", line(raw), err)
	}
	return a
}

// ask sends one request over a connection of its own.
func (s *site) ask(raw string) answer {
	c := s.dial()
	defer c.Close()
	return c.ask(raw)
}
