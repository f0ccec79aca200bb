package fiberauth

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"github.com/sallyport-go/sallyport/core"
)

// Request returns a request as core sees it, for what is asked of an Auth by
// hand, such as the Serve of a route. It is good until the handler returns; what it
// returned is copied and stays.
func Request(c *fiber.Ctx) core.Request { return request{c} }

type request struct{ c *fiber.Ctx }

var _ core.HeaderBorrower = request{}

func (q request) Context() context.Context  { return q.c.UserContext() }
func (q request) Method() string            { return utils.CopyString(q.c.Method()) }
func (q request) Host() string              { return string(q.c.Request().Header.Host()) }
func (q request) Header(name string) string { return utils.CopyString(q.BorrowHeader(name)) }

// BorrowHeader copies only where there are several lines to join.
func (q request) BorrowHeader(name string) string {
	lines := q.lines(name)
	switch len(lines) {
	case 0:
		return ""
	case 1:
		return utils.UnsafeString(trim(lines[0]))
	}
	values := make([]string, len(lines))
	for i, line := range lines {
		values[i] = string(trim(line))
	}
	return strings.Join(values, ", ")
}

// trim takes off white space, of which there is hardly ever any.
func trim(line []byte) []byte {
	if n := len(line); n > 0 && line[0] > ' ' && line[n-1] > ' ' {
		return line
	}
	return bytes.Trim(line, " \t")
}

// lines returns what fasthttp has of a header, and both Content-Types where there
// are two. Of others that nobody sends twice it keeps one: Host, User-Agent and
// Content-Length.
func (q request) lines(name string) [][]byte {
	header := &q.c.Request().Header
	if name == fiber.HeaderContentType {
		var lines [][]byte
		for line := range bytes.SplitSeq(header.RawHeaders(), []byte("\n")) {
			if key, value, ok := bytes.Cut(line, []byte(":")); ok && strings.EqualFold(utils.UnsafeString(key), name) {
				lines = append(lines, bytes.TrimSuffix(value, []byte("\r")))
			}
		}
		if len(lines) > 1 {
			return lines
		}
	}
	if !q.c.App().Server().DisableHeaderNamesNormalizing {
		return header.PeekAll(name)
	}
	var lines [][]byte
	header.VisitAll(func(key, line []byte) {
		if strings.EqualFold(utils.UnsafeString(key), name) {
			lines = append(lines, line)
		}
	})
	return lines
}

// Cookies has net/http say what is a cookie: it passes over values with a byte
// that they can't have, and trims names.
func (q request) Cookies(name string) []string {
	var values []string
	for _, c := range (&http.Request{Header: http.Header{fiber.HeaderCookie: q.cookieLines(name)}}).CookiesNamed(name) {
		if c.Quoted {
			c.Value = `"` + c.Value + `"`
		}
		values = append(values, c.Value)
	}
	return values
}

// cookieLines returns the lines in which the cookies of a name are.
func (q request) cookieLines(name string) []string {
	var lines []string
	header := &q.c.Request().Header
	if slices.ContainsFunc(header.PeekKeys(), func(key []byte) bool { return string(key) == fiber.HeaderCookie }) {
		for _, line := range header.PeekAll(fiber.HeaderCookie) {
			lines = append(lines, string(line))
		}
		return lines
	}
	// Somebody has asked for a cookie, as with c.Cookies: fasthttp has parsed them,
	// and what it would make of them now is another line. "=a=b" would name a
	// cookie that no rule of browsers for its name has seen.
	header.VisitAllCookie(func(key, value []byte) {
		if string(key) == name {
			lines = append(lines, name+"="+string(value))
		}
	})
	return lines
}

func (q request) Param(name string) string {
	path := q.c.Path()
	if q.c.App().Config().UnescapePath {
		// Fiber has taken a plus for a space.
		if decoded, err := url.PathUnescape(string(q.c.Request().URI().PathOriginal())); err == nil {
			path = decoded
		}
		path = (&url.URL{Path: path}).EscapedPath()
	}
	return utils.CopyString(core.PathParam(q.c.Route().Path, path, name))
}

func (q request) Peer() netip.Addr {
	peer, _ := netip.ParseAddrPort(q.c.Context().RemoteAddr().String())
	return peer.Addr()
}

func (q request) Body(limit int64) ([]byte, error) {
	var body []byte
	var err error
	if stream := q.c.Context().RequestBodyStream(); stream != nil {
		body, err = io.ReadAll(io.LimitReader(stream, limit+1))
	} else {
		body = bytes.Clone(q.c.Request().Body())
	}
	if int64(len(body)) > limit {
		return nil, core.ErrBodyTooLarge
	}
	return body, err
}
