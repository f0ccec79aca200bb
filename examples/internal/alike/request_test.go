package alike

import (
	"fmt"
	"strconv"
	"strings"
)

// host is where the browser thinks it is.
const host = "app.example.com"

// request is what is sent to each server. Its texts hold references, such as
// <access 12>: the access token in the server's own answer to request 12.
type request struct {
	id      int
	kind    string // what it is about, for reports
	method  string
	target  string
	version string
	headers []string // lines
	body    string
	framing string // "" no body is announced, "length", "chunked", or "own": the headers say it
	chunk   int    // bytes in a chunk
	from    string // address of this machine; "": any
	after   int    // the request whose tokens this one renews; 0: none
	apart   bool   // nothing follows on its connection
	odd     string // what makes it HTTP that a server need not understand; "": nothing
}

// Marks around a reference. No header may hold them otherwise.
const refOpen, refClose = "\x01", "\x02"

// ref refers to something that a server made up, and says how it is bent.
func ref(what string, id int, bent string) string {
	return refOpen + what + " " + strconv.Itoa(id) + " " + bent + refClose
}

// resolve puts a server's own values in the place of references.
func resolve(text string, known *book) string {
	if !strings.Contains(text, refOpen) {
		return text
	}
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(text, refOpen)
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		inside, after, _ := strings.Cut(rest, refClose)
		f := strings.SplitN(inside, " ", 3)
		if len(f) == 3 { // else the body was cut there
			id, _ := strconv.Atoi(f[1])
			out.WriteString(known.value(f[0], id, f[2]))
		}
		text = after
	}
}

// wire returns the bytes for one server.
func (r *request) wire(known *book) string {
	body := resolve(r.body, known)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\n", r.method, resolve(r.target, known), r.version)
	for _, h := range r.headers {
		b.WriteString(resolve(h, known) + "\r\n")
	}
	framing := r.framing
	if r.version == "HTTP/1.0" && framing == "chunked" {
		framing = "length" // a client of that time knows no chunks
	}
	switch framing {
	case "length":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	case "chunked":
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for len(body) > 0 {
			n := min(r.chunk, len(body))
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
			body = body[n:]
		}
		b.WriteString("0\r\n\r\n")
	case "own":
		b.WriteString("\r\n" + body)
	default:
		b.WriteString("\r\n")
	}
	return b.String()
}

// String shows a request for a report: its references by their names.
func (r *request) String() string {
	show := func(s string) string {
		s = strings.NewReplacer(refOpen, "<", refClose, ">").Replace(s)
		if len(s) > 600 {
			s = fmt.Sprintf("%s...(%d bytes in all)...%s", s[:300], len(s), s[len(s)-100:])
		}
		return strings.Trim(strconv.QuoteToASCII(s), `"`)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "request %d (%s): %s %s %s\n", r.id, r.kind, r.method, show(r.target), r.version)
	for _, h := range r.headers {
		fmt.Fprintf(&b, "    %s\n", show(h))
	}
	if r.framing != "" {
		fmt.Fprintf(&b, "    body (%s): %s\n", r.framing, show(r.body))
	}
	if r.from != "" {
		fmt.Fprintf(&b, "    from %s\n", r.from)
	}
	return b.String()
}
