package adaptertest_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/sallyport-go/sallyport/core"
)

// bodies replaces how a body is read.
func bodies(read func(r *http.Request, limit int64) ([]byte, error)) func(b *bent) {
	return func(b *bent) { b.body = read }
}

var brokenBodies = []broken{
	{
		name: "forms are parsed first",
		how: bodies(func(r *http.Request, limit int64) ([]byte, error) {
			r.ParseForm()
			return bodyOf(r, limit)
		}),
		caught: []string{"body/exact"},
	},
	{
		name: "only bodies of a known length",
		how: bodies(func(r *http.Request, limit int64) ([]byte, error) {
			if r.ContentLength <= 0 {
				return nil, nil
			}
			return bodyOf(r, limit)
		}),
		caught: []string{"body/exact", "body/limit", "body/broken-off"},
		also:   []string{"body/unread"},
	},
	{
		name: "text up to the first zero",
		how: bodies(func(r *http.Request, limit int64) ([]byte, error) {
			body, err := bodyOf(r, limit)
			for i, c := range body {
				if c == 0 {
					return body[:i], err
				}
			}
			return body, err
		}),
		caught: []string{"body/exact"},
		also:   []string{"body/encoded", "body/continue"},
	},
	{
		name: "bodies are decompressed",
		how: bodies(func(r *http.Request, limit int64) ([]byte, error) {
			if r.Header.Get("Content-Encoding") != "gzip" {
				return bodyOf(r, limit)
			}
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				return nil, err
			}
			return io.ReadAll(z)
		}),
		caught: []string{"body/encoded"},
	},
	{
		name: "encoded bodies are refused",
		how: bodies(func(r *http.Request, limit int64) ([]byte, error) {
			if r.Header.Get("Content-Encoding") != "" {
				return nil, errors.New("unsupported encoding")
			}
			return bodyOf(r, limit)
		}),
		caught: []string{"body/encoded"},
	},
	{
		name:   "no limit",
		how:    bodies(func(r *http.Request, _ int64) ([]byte, error) { return io.ReadAll(r.Body) }),
		caught: []string{"body/limit", "body/unread-rest"},
		also:   []string{"body/unread"},
	},
	{
		name: "cut at the limit",
		how: bodies(func(r *http.Request, limit int64) ([]byte, error) {
			return io.ReadAll(io.LimitReader(r.Body, limit))
		}),
		caught: []string{"body/limit", "body/unread-rest"},
		also:   []string{"body/unread"},
	},
	{
		name: "the limit is one too low",
		how: bodies(func(r *http.Request, limit int64) ([]byte, error) {
			return bodyOf(r, max(0, limit-1))
		}),
		caught: []string{"body/limit"},
	},
	{
		name: "too large is some error",
		how: bodies(func(r *http.Request, limit int64) ([]byte, error) {
			return io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
		}),
		caught: []string{"body/limit", "body/unread-rest"},
	},
	{
		name: "read whole, then measured",
		how: bodies(func(r *http.Request, limit int64) ([]byte, error) {
			body, err := io.ReadAll(r.Body)
			if err == nil && int64(len(body)) > limit {
				err = core.ErrBodyTooLarge
			}
			return body, err
		}),
		caught: []string{"body/unread-rest"},
	},
	{
		name: "a part is as good as the whole",
		how: bodies(func(r *http.Request, limit int64) ([]byte, error) {
			body, err := bodyOf(r, limit)
			if errors.Is(err, io.ErrUnexpectedEOF) || err != nil && !errors.Is(err, core.ErrBodyTooLarge) {
				err = nil
			}
			return body, err
		}),
		caught: []string{"body/broken-off"},
	},
	{
		name: "every error is that it is too large",
		how: bodies(func(r *http.Request, limit int64) ([]byte, error) {
			body, err := bodyOf(r, limit)
			if err != nil {
				err = core.ErrBodyTooLarge
			}
			return body, err
		}),
		caught: []string{"body/broken-off"},
	},
	{
		name: "nobody says that the client may go on",
		how: func(b *bent) {
			b.around = func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Expect") != "" {
						http.Error(w, "no body", http.StatusExpectationFailed)
						return
					}
					next.ServeHTTP(w, r)
				})
			}
		},
		caught: []string{"body/continue"},
	},
	{
		name:   "what was left unread is the next request",
		how:    func(b *bent) { b.around = takeOver },
		caught: []string{"body/unread"},
	},
}

// takeOver answers posts on the bare connection, and leaves what it did not read
// of their bodies to whatever reads there next.
func takeOver(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains([]string{"/kit/idle", "/kit/small", "/guarded"}, r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		out := held(next, r)
		if r.Method != http.MethodPost || out.Status < 400 {
			maps.Copy(w.Header(), out.Header)
			w.WriteHeader(out.Status)
			w.Write(out.Body)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		for {
			fmt.Fprintf(conn, "HTTP/1.1 %d Refused\r\nContent-Length: %d\r\n\r\n%s", out.Status, len(out.Body), out.Body)
			if _, err := http.ReadRequest(rw.Reader); err != nil {
				return
			}
			out.Status, out.Body = http.StatusOK, []byte("another's")
		}
	})
}

var brokenContexts = []broken{
	{
		name:   "no context of the request",
		how:    func(b *bent) { b.context = func(*http.Request) context.Context { return context.Background() } },
		caught: []string{"context/of-the-request"},
	},
	{
		name: "a context without an end",
		how: func(b *bent) {
			b.context = func(r *http.Request) context.Context { return context.WithoutCancel(r.Context()) }
		},
		caught: []string{"context/of-the-request"},
	},
	{
		name: "a context that is done",
		how: func(b *bent) {
			b.context = func(r *http.Request) context.Context {
				ctx, cancel := context.WithCancel(r.Context())
				cancel()
				return ctx
			}
		},
		caught: []string{"context/of-the-request"},
	},
	{
		name:   "a nil context",
		how:    func(b *bent) { b.context = func(*http.Request) context.Context { return nil } },
		caught: []string{"context/of-the-request"},
		also:   []string{"context/of-a-guarded-handler", "context/principal"},
	},
	{
		name: "the first request's context for all on a connection",
		how: func(b *bent) {
			b.context = func(r *http.Request) context.Context {
				c := connOf(r)
				if c.ctx == nil {
					c.ctx = r.Context()
				}
				return c.ctx
			}
		},
		caught: []string{"context/of-the-request"},
	},
}
