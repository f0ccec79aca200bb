package core

import (
	"bytes"
	"context"
	"errors"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
)

// Request is one exchange as the core sees it. An adapter wraps its framework's
// own and decides nothing. Every string stays valid after the handler returns.
type Request interface {
	Context() context.Context
	Method() string
	Host() string
	// Header returns all lines of a header, joined by ", ".
	Header(name string) string
	// Cookies returns the values of all cookies of a name, as they were sent.
	Cookies(name string) []string
	// Param returns a path parameter, percent-decoded once.
	Param(name string) string
	// Peer returns the address at the other end of the connection. The zero
	// Addr: it has none.
	Peer() netip.Addr
	// Body returns the body as it was sent, or ErrBodyTooLarge if it is longer
	// than limit bytes.
	Body(limit int64) ([]byte, error)
}

// HeaderBorrower is a Request of a framework that reuses its buffers, and can
// show a header without copying it. The access token is looked up by it.
type HeaderBorrower interface {
	Request
	// BorrowHeader is Header, but what it returns is valid only until the
	// handler returns.
	BorrowHeader(name string) string
}

// Response is an answer, to be written as it is: each value of a header on a
// line of its own. A header takes the place of one of that name which the app
// has set before, except for Set-Cookie, which is added. It is not to be changed:
// one may answer many requests at once.
type Response struct {
	Status int
	Header http.Header
	Body   []byte

	code string // of the refusal that it is; else ""
}

// Route is one route of a group. Path begins with "/" and is relative to where
// the group is mounted; {name} in it is a parameter.
type Route struct {
	Method string
	Path   string
	Serve  func(Request) Response
}

const bodyLimit = 64 << 10

// PathParam returns a parameter of a path, percent-decoded once: for an adapter
// whose framework decodes never, or not always. In the route's pattern it is
// ":name", between slashes; path is the request's as it was sent. Both are read
// from their ends, so that a group may be mounted below another parameter of the
// name. "": there is none, or the path is not one of the pattern's; slashes at its
// end and the case of letters are no difference, since routers pass over them.
func PathParam(pattern, path, name string) string {
	pattern, path = strings.TrimRight(pattern, "/"), strings.TrimRight(path, "/")
	value, found := "", false
	for pattern != "" && path != "" {
		i, j := strings.LastIndexByte(pattern, '/')+1, strings.LastIndexByte(path, '/')+1
		want := pattern[i:]
		if strings.ContainsAny(want, anySegments) {
			return value
		}
		got, err := url.PathUnescape(path[j:])
		switch {
		case err != nil:
			return ""
		case !found && want == ":"+name:
			value, found = got, true
		case !strings.Contains(want, ":") && !strings.EqualFold(want, got) && !strings.EqualFold(want, path[j:]):
			return ""
		}
		pattern, path = pattern[:max(i-1, 0)], path[:max(j-1, 0)]
	}
	if pattern+path != "" && !strings.ContainsAny(pattern, anySegments) {
		return ""
	}
	return value
}

// anySegments mark a place in a pattern that takes other than one segment.
const anySegments = "*+?"

// reply answers with JSON that no cache keeps.
func reply(status int, body any) Response {
	b, err := json.Marshal(body)
	if err != nil {
		panic("sallyport: " + err.Error()) // every shape is made of text, numbers and times
	}
	return answerOf(status, "application/json", append(b, '\n'))
}

// decodeBody reads the body into v: a JSON object, or nothing, which counts as {}.
func decodeBody(r Request, v any) error {
	body, err := r.Body(bodyLimit)
	if err != nil {
		if errors.Is(err, ErrBodyTooLarge) {
			return err
		}
		return ErrBadRequest.saying("the body can't be read").because(err)
	}
	if len(body) == 0 {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header("Content-Type")); err != nil || kind != "application/json" {
		return ErrNotJSON
	}
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return ErrBadRequest.saying("the body must be a JSON object")
	}
	if err := json.Unmarshal(body, v); err != nil {
		return ErrBadRequest.saying("the body is malformed, repeats a member or has one of the wrong type").because(err)
	}
	return nil
}

// answerOf is an answer that no cache keeps.
func answerOf(status int, contentType string, body []byte) Response {
	h := make(http.Header, 4)
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	return Response{Status: status, Header: h, Body: body}
}

// sameSite refuses what a browser says comes from another site.
func (a *Auth) sameSite(r Request) error {
	h := make(http.Header, 2)
	for _, name := range []string{"Sec-Fetch-Site", "Origin"} {
		if v := r.Header(name); v != "" {
			h.Set(name, v)
		}
	}
	err := a.cross.Check(&http.Request{Method: r.Method(), Host: r.Host(), Header: h, URL: &url.URL{}})
	if err != nil {
		return ErrCrossSite.because(err)
	}
	return nil
}

// clientOf returns what a request says of its client.
func (a *Auth) clientOf(r Request) Client {
	c := Client{
		UserAgent: r.Header("User-Agent"),
		Hints:     ClientHints{r.Header("Sec-CH-UA"), r.Header("Sec-CH-UA-Mobile"), r.Header("Sec-CH-UA-Platform")},
	}
	if ip := a.proxies.client(r.Peer(), r.Header); ip.IsValid() {
		c.IP = ip.String()
	}
	return c
}

// distinct returns the values that are not empty, each once.
func distinct(values ...string) []string {
	var out []string
	seen := make(map[string]bool, len(values))
	for _, v := range values {
		if v != "" && !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}
