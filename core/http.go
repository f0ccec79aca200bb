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

// Response is an answer, to be written as it is: each value of a header on a
// line of its own.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Route is one route of a group. Path begins with "/" and is relative to where
// the group is mounted; {name} in it is a parameter.
type Route struct {
	Method string
	Path   string
	Serve  func(Request) Response
}

const bodyLimit = 64 << 10

// reply answers with JSON that no cache keeps.
func reply(status int, body any) Response {
	b, err := json.Marshal(body)
	if err != nil {
		return Problem(ErrInternal.because(err))
	}
	h := make(http.Header, 4)
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	return Response{Status: status, Header: h, Body: append(b, '\n')}
}

// problem is the body of a refusal (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Problem returns the answer to an error, in the shape that every refusal of an
// Auth has: for an app's own routes. What is no *Error, or wraps none, is
// answered as ErrInternal; causes are never sent.
func Problem(err error) Response {
	e := asError(err)
	r := reply(e.Status, problem{"about:blank", http.StatusText(e.Status), e.Status, e.Code, e.Detail})
	r.Header.Set("Content-Type", "application/problem+json")
	if e.Status == http.StatusServiceUnavailable {
		r.Header.Set("Retry-After", "1")
	}
	return r
}

// refuse answers a request with an error. Failures, unlike refusals, are
// audited here: nobody else is told their cause.
func (a *Auth) refuse(r Request, err error) Response {
	if asError(err).Status >= http.StatusInternalServerError {
		a.audit(r.Context(), EventFailed, Event{Err: err})
	}
	return Problem(err)
}

// challenge adds to a guard's refusal how to do better (RFC 6750 section 3).
func challenge(r *Response, err error) {
	switch {
	case r.Status != http.StatusUnauthorized:
	case errors.Is(err, ErrTokenMissing):
		r.Header.Set("WWW-Authenticate", "Bearer")
	default:
		r.Header.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
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

// bearer returns the access token in the Authorization header (RFC 6750 section
// 2.1), or "".
func bearer(r Request) string {
	scheme, token, _ := strings.Cut(r.Header("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimLeft(token, " ")
}

// clientOf returns what a request says of its client.
func clientOf(r Request) Client {
	c := Client{UserAgent: r.Header("User-Agent")}
	if peer := r.Peer(); peer.IsValid() {
		c.IP = peer.Unmap().WithZone("").String()
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
