package adaptertest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sallyport-go/sallyport/core"
)

var bodyCases = []testCase{
	{
		"body/exact",
		"Body returns the bytes that were sent, in chunks or not, whatever Content-Type says; nothing is nothing.",
		exactBodies,
	},
	{
		"body/encoded",
		"A body with a Content-Encoding is not decoded: a limit on what is sent would be none on what comes out.",
		encodedBodies,
	},
	{
		"body/limit",
		"Body returns a body of exactly limit bytes, and ErrBodyTooLarge for one byte more: nothing is cut.",
		bodyLimits,
	},
	{
		"body/unread-rest",
		"Of a body that is too large nothing is read beyond what shows it: ErrBodyTooLarge does not wait for the rest.",
		unreadRest,
	},
	{
		"body/continue",
		"A client that waits for 100 (Continue) gets it, and its body arrives.",
		expectContinue,
	},
	{
		"body/broken-off",
		"A body that breaks off or is not framed right is an error, and not ErrBodyTooLarge: a part is never passed off as the whole.",
		brokenOff,
	},
	{
		"body/unread",
		"After an answer that left a body unread, the next request on the connection gets its own answer or finds the connection closed.",
		unreadBodies,
	},
}

const bodyLimit = 64 << 10 // that core has

// everyByte is a text of all bytes.
func everyByte() string {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

// body says what Body is to return.
func (p *probe) body(raw string, limit int64, want string, wantErr error) {
	p.show(raw, func(r core.Request) {
		got, err := r.Body(limit)
		what := fmt.Sprintf("%s of %d bytes: Body(%d)", line(raw), len(raw), limit)
		if !errors.Is(err, wantErr) {
			p.k.errorf("%s: got error %v, want %v", what, err, wantErr)
		} else if err == nil {
			p.k.equal(what, string(got), want)
		}
	})
}

func exactBodies(k *kit) {
	p := k.probe(App{})
	const form = "Content-Type: application/x-www-form-urlencoded"
	for _, body := range []string{"", "{}", "a=b&c=%41+d", everyByte(), "\xef\xbb\xbf{}", " \r\n\r\n", strings.Repeat(everyByte(), 250)} {
		for _, m := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			p.body(wireBody(m, probePath, body), bodyLimit, body, nil)
		}
		p.body(wireBody("POST", probePath, body, form), bodyLimit, body, nil)
		p.body(wireChunked("POST", probePath, body, 7000), bodyLimit, body, nil)
		p.body(wireChunked("POST", probePath, body[:min(len(body), 600)], 1, form), bodyLimit, body[:min(len(body), 600)], nil)
	}
	multipart := "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n"
	p.body(wireBody("POST", probePath, multipart, "Content-Type: multipart/form-data; boundary=x"), bodyLimit, multipart, nil)
	p.body(wire("GET", probePath), bodyLimit, "", nil)
	p.body(wire("POST", probePath, "Content-Length: 0"), 0, "", nil)
}

func encodedBodies(k *kit) {
	p := k.probe(App{})
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := io.WriteString(z, strings.Repeat("x", 1<<20))
	if err = errors.Join(err, z.Close()); err != nil {
		k.fatalf("compressing: %v", err)
	}
	for _, body := range []string{zipped.String(), "not encoded at all", ""} {
		for _, encoding := range []string{"gzip", "deflate", "br", "zstd", "gzip, gzip", "identity", "unknown"} {
			p.body(wireBody("POST", probePath, body, "Content-Encoding: "+encoding), bodyLimit, body, nil)
		}
	}
}

func bodyLimits(k *kit) {
	p := k.probe(App{})
	for _, limit := range []int{1, 10, 4096, bodyLimit} {
		for _, more := range []int{-1, 0, 1, 2, 1000} {
			body, wantErr := strings.Repeat("x", limit+more), error(nil)
			if more > 0 {
				wantErr = core.ErrBodyTooLarge
			}
			p.body(wireBody("POST", probePath, body), int64(limit), body, wantErr)
			p.body(wireChunked("POST", probePath, body, 3000), int64(limit), body, wantErr)
		}
	}
	p.body(wireBody("POST", probePath, "x"), 0, "", core.ErrBodyTooLarge)
}

// The client breaks off where an adapter has no reason to read on: one that
// does meets the end instead of waiting. A framework that reads bodies itself
// may refuse or drop the request before there is a route.
func unreadRest(k *kit) {
	p := k.probe(App{})
	for _, declared := range []int{bodyLimit + 2000, 16 << 20} {
		raw := wire("POST", probePath, fmt.Sprintf("Content-Length: %d", declared)) + strings.Repeat("x", bodyLimit+1000)
		p.breakOff(raw, func(body []byte, err error) {
			if !errors.Is(err, core.ErrBodyTooLarge) {
				k.errorf("%d of %d bytes: Body(%d): got %d bytes, error %v, want ErrBodyTooLarge", bodyLimit+1000, declared, bodyLimit, len(body), err)
			}
		})
	}
}

func brokenOff(k *kit) {
	p := k.probe(App{})
	chunked := wire("POST", probePath, "Transfer-Encoding: chunked")
	for _, raw := range []string{
		wire("POST", probePath, "Content-Length: 100") + `{"a":1}`,
		wire("POST", probePath, "Content-Length: 1"),
		chunked,
		chunked + "7\r\n{\"a\":1}\r\n",
		chunked + "9\r\n{\"a\":1}",
		chunked + "7\r\n{\"a\":1}xx0\r\n\r\n",
		chunked + "zz\r\n{}\r\n0\r\n\r\n",
		chunked + "-1\r\n{}\r\n0\r\n\r\n",
	} {
		p.breakOff(raw, func(body []byte, err error) {
			if err == nil || errors.Is(err, core.ErrBodyTooLarge) {
				k.errorf("%q: Body: got %q, error %v, want an error that is not ErrBodyTooLarge", raw, clip(string(body)), err)
			}
		})
	}
}

// breakOff sends what there is of a request, and then that there is no more. It
// returns when the server has done with it.
func (p *probe) breakOff(raw string, look func(body []byte, err error)) {
	p.watch(func(r core.Request) { look(r.Body(bodyLimit)) })
	defer p.watch(nil)
	c := p.dial()
	defer c.Close()
	// A server that has seen enough may close or reset the connection meanwhile.
	_, _ = io.WriteString(c, raw)
	_ = c.CloseWrite()
	if _, err := io.Copy(io.Discard, c.in); isTimeout(err) {
		p.k.fatalf("%s: the server does not end a connection that was broken off: %v", line(raw), err)
	}
}

func isTimeout(err error) bool {
	var e interface{ Timeout() bool }
	return errors.As(err, &e) && e.Timeout()
}

func expectContinue(k *kit) {
	p := k.probe(App{})
	for i, body := range []string{"{}", everyByte()} {
		p.watch(func(r core.Request) {
			got, err := r.Body(bodyLimit)
			if err != nil {
				k.errorf("Body: got error %v", err)
			}
			k.equal("Body", string(got), body)
		})
		c := p.dial()
		c.send(wire("POST", probePath, "Expect: 100-continue", fmt.Sprintf("Content-Length: %d", len(body))))
		a, err := c.read("POST")
		if err != nil || a.status != 100 {
			k.fatalf("before the body: got %d, error %v, want 100", a.status, err)
		}
		c.send(body)
		if a, err = c.read("POST"); err != nil || a.body != fmt.Sprintf("probe %d", i+1) {
			k.errorf("after the body: got %d %s, error %v, want the answer", a.status, clip(a.body), err)
		}
	}
}

func unreadBodies(k *kit) {
	auth := k.auth()
	s := k.serve(App{
		Groups: []Group{{Prefix: "/kit", Routes: []core.Route{
			{Method: "POST", Path: "/idle", Serve: func(core.Request) core.Response { return text(403, "no") }},
			{Method: "POST", Path: "/small", Serve: func(r core.Request) core.Response {
				if _, err := r.Body(10); err != nil {
					return text(413, err.Error())
				}
				return text(200, "read")
			}},
			{Method: "GET", Path: "/next", Serve: func(r core.Request) core.Response { return text(200, "next "+r.Header("X-Kit")) }},
		}}},
		Guarded: []Guarded{{Method: "POST", Path: "/guarded", Auth: auth.Auth, Handle: answerUser}},
	})
	for path, status := range map[string]int{"/kit/idle": 403, "/kit/small": 413, "/guarded": 401} {
		for _, size := range []int{100, 20 << 10, 300 << 10} {
			// What would be a request, if it were one.
			body := strings.Repeat("GET /kit/next HTTP/1.1\r\nHost: kit.example\r\n\r\n", size/46+1)
			for _, raw := range []string{wireBody("POST", path, body), wireChunked("POST", path, body, 5000)} {
				c := s.dial()
				var a answer
				var err error
				k.parallel(
					func() { _, _ = io.WriteString(c, raw) }, // may be refused midway
					func() {
						if a, err = c.read("POST"); err != nil || a.last {
							c.Close() // nobody reads the rest
						}
					},
				)
				if err != nil || a.status != status {
					k.errorf("POST %s with %d bytes: got %d, error %v, want %d", path, size, a.status, err, status)
				}
				if err != nil || a.last {
					continue
				}
				mark := fmt.Sprintf("%s %d", path, size)
				_, _ = io.WriteString(c, wire("GET", "/kit/next", "X-Kit: "+mark)) // may be closed
				if a, err = c.read("GET"); err == nil && a.body != "next "+mark {
					k.errorf("POST %s with %d bytes, then another request: got %d %s, want its answer", path, size, a.status, clip(a.body))
				} else if isTimeout(err) {
					k.fatalf("POST %s with %d bytes, then another request: got no answer", path, size)
				}
				c.Close()
			}
		}
	}
}
