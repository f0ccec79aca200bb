package alike

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"
)

// patience is more than any answer takes. It bounds a run that hangs.
const patience = time.Minute

// link is a connection that is kept alive.
type link struct {
	net.Conn
	r *bufio.Reader
}

func (l *link) close() {
	if l != nil {
		l.Close()
	}
}

// answer is what came back, as it was sent.
type answer struct {
	proto   string
	status  int
	reason  string
	headers []header
	body    string
	stray   string   // bytes that follow the answer
	broken  string   // why it is none: nothing can be said of what is missing
	records []string // what was logged for it

	from, to time.Time // when it was asked for and when it had come
}

type header struct{ name, value string }

// get returns the first line of a header, whatever the case of its name.
func (a *answer) get(name string) string {
	for _, h := range a.headers {
		if strings.EqualFold(h.name, name) {
			return h.value
		}
	}
	return ""
}

// link returns a connection from an address of this machine.
func (s *server) link(from string) (*link, error) {
	if l := s.links[from]; l != nil {
		return l, nil
	}
	dialer := net.Dialer{Timeout: patience}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := dialer.Dial("tcp", s.addr)
	if err != nil {
		return nil, err
	}
	l := &link{conn, bufio.NewReaderSize(conn, 64<<10)}
	s.links[from] = l
	return l, nil
}

func (s *server) drop(from string) {
	s.links[from].close()
	delete(s.links, from)
}

// send sends a request and returns the answer. An error is this machine's: what
// the server does wrong is in the answer.
func (s *server) send(r *request) (*answer, error) {
	l, err := s.link(r.from)
	if err != nil {
		return nil, err
	}
	raw := r.wire(s.known)
	a := &answer{from: time.Now()}
	if err := l.SetDeadline(a.from.Add(patience)); err != nil {
		return nil, err
	}
	go l.Write([]byte(raw)) // a server may answer before it has read all, and then it hangs up
	err = a.read(l.r, r.method)
	a.to = time.Now()
	if err != nil {
		a.broken = "no whole answer: " + err.Error()
		if errors.Is(err, io.EOF) || strings.Contains(err.Error(), "reset") {
			a.broken = "the connection ends"
		}
	}
	if n := l.r.Buffered(); n > 0 {
		stray, _ := l.r.Peek(n)
		a.stray = string(stray)
	}
	if err != nil || r.apart || a.stray != "" || a.proto != "HTTP/1.1" || r.version != "HTTP/1.1" || strings.Contains(strings.ToLower(a.get("Connection")), "close") {
		s.drop(r.from)
	}
	if a.records, err = s.records(); err != nil {
		return nil, err
	}
	return a, nil
}

// read reads one answer to a method; the interim ones before it are passed over.
func (a *answer) read(r *bufio.Reader, method string) error {
	for {
		line, err := readLine(r)
		if err != nil {
			return err
		}
		var status string
		a.proto, line, _ = strings.Cut(line, " ")
		status, a.reason, _ = strings.Cut(line, " ")
		if a.status, err = strconv.Atoi(status); err != nil || !strings.HasPrefix(a.proto, "HTTP/") {
			return fmt.Errorf("%q is no status line", a.proto+" "+line)
		}
		a.headers = nil
		for {
			line, err := readLine(r)
			if err != nil {
				return err
			}
			if line == "" {
				break
			}
			name, value, ok := strings.Cut(line, ":")
			if !ok {
				return fmt.Errorf("%q is no header", line)
			}
			a.headers = append(a.headers, header{name, strings.Trim(value, " \t")})
		}
		if a.status >= 200 {
			return a.readBody(r, method)
		}
	}
}

func (a *answer) readBody(r *bufio.Reader, method string) error {
	var body []byte
	var err error
	switch length := a.get("Content-Length"); {
	case method == "HEAD" || a.status == 204 || a.status == 304:
	case strings.EqualFold(a.get("Transfer-Encoding"), "chunked"):
		if body, err = io.ReadAll(httputil.NewChunkedReader(r)); err == nil {
			_, err = readLine(r)
		}
	case length != "":
		n, wrong := strconv.Atoi(length)
		if wrong != nil || n < 0 {
			return fmt.Errorf("%q is no Content-Length", length)
		}
		body = make([]byte, n)
		_, err = io.ReadFull(r, body)
	default:
		body, err = io.ReadAll(r)
	}
	a.body = string(body)
	return err
}

// readLine reads a line that ends as lines on the wire have to.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		return "", fmt.Errorf("%q does not end with CR LF", line)
	}
	return text, nil
}
