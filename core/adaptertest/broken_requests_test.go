package adaptertest_test

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// firstLine gives the first line of a header alone.
func firstLine(r *http.Request, name string) string { return r.Header.Get(name) }

var brokenRequests = []broken{
	{
		name: "the method is what an override says",
		how: func(b *bent) {
			b.method = func(r *http.Request) string { return cmp.Or(r.Header.Get("X-HTTP-Method-Override"), r.Method) }
		},
		caught: []string{"request/method"},
	},
	{
		name:   "the method is in lower case",
		how:    func(b *bent) { b.method = func(r *http.Request) string { return strings.ToLower(r.Method) } },
		caught: []string{"request/method", "request/strings-stay"},
	},
	{
		name: "the host is what a proxy says",
		how: func(b *bent) {
			b.host = func(r *http.Request) string { return cmp.Or(r.Header.Get("X-Forwarded-Host"), r.Host) }
		},
		caught: []string{"request/host"},
	},
	{
		name: "the host without its port",
		how: func(b *bent) {
			b.host = func(r *http.Request) string { return (&url.URL{Host: r.Host}).Hostname() }
		},
		caught: []string{"request/host"},
	},
	{
		name:   "the first line of a header",
		how:    func(b *bent) { b.header = firstLine },
		caught: []string{"request/header", "request/strings-stay", "guard/bad-token"},
	},
	{
		name:   "the first line of a borrowed header",
		how:    func(b *bent) { b.borrow = firstLine },
		caught: []string{"request/header-borrowed", "guard/bad-token"},
	},
	{
		name: "a borrowed header by its exact name",
		how: func(b *bent) {
			b.borrow = func(r *http.Request, name string) string { return strings.Join(r.Header[name], ", ") }
		},
		caught: []string{"request/header-borrowed"},
	},
	{
		name: "lines joined without a space",
		how: func(b *bent) {
			b.header = func(r *http.Request, name string) string { return strings.Join(r.Header.Values(name), ",") }
		},
		caught: []string{"request/header", "request/strings-stay"},
	},
	{
		name: "empty lines left out",
		how: func(b *bent) {
			b.header = func(r *http.Request, name string) string {
				lines := slices.DeleteFunc(slices.Clone(r.Header.Values(name)), func(l string) bool { return l == "" })
				return strings.Join(lines, ", ")
			}
		},
		caught: []string{"request/header"},
	},
	{
		name: "header names as they are written",
		how: func(b *bent) {
			b.header = func(r *http.Request, name string) string { return strings.Join(r.Header[name], ", ") }
		},
		caught: []string{"request/header"},
	},
	{
		name: "headers made UTF-8",
		how: func(b *bent) {
			b.header = func(r *http.Request, name string) string {
				return strings.ToValidUTF8(strings.Join(r.Header.Values(name), ", "), "?")
			}
		},
		caught: []string{"request/header-bytes"},
	},
	{
		name: "headers decoded",
		how: func(b *bent) {
			b.header = func(r *http.Request, name string) string {
				joined := strings.Join(r.Header.Values(name), ", ")
				decoded, err := url.PathUnescape(joined)
				if err != nil {
					return joined
				}
				return decoded
			}
		},
		caught: []string{"request/header-bytes"},
	},
	{
		name: "the peer is what X-Forwarded-For says",
		how: func(b *bent) {
			right := b.peer
			b.peer = func(r *http.Request) netip.Addr {
				first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
				if addr, err := netip.ParseAddr(first); err == nil {
					return addr
				}
				return right(r)
			}
		},
		caught: []string{"request/peer", "signin/cookies"},
	},
	{
		name: "the peer is what X-Real-IP says",
		how: func(b *bent) {
			right := b.peer
			b.peer = func(r *http.Request) netip.Addr {
				if addr, err := netip.ParseAddr(r.Header.Get("X-Real-IP")); err == nil {
					return addr
				}
				return right(r)
			}
		},
		caught: []string{"request/peer"},
	},
	{
		name:   "no peer",
		how:    func(b *bent) { b.peer = func(*http.Request) netip.Addr { return netip.Addr{} } },
		caught: []string{"request/peer", "signin/cookies"},
	},
	{
		name:   "strings in buffers that are used again",
		how:    borrowStrings,
		caught: []string{"request/strings-stay"},
	},
	{
		name:   "bodies in buffers that are used again",
		how:    borrowBodies,
		caught: []string{"request/strings-stay"},
	},
}

// buffers are used again as soon as a request is over, the last one first.
type buffers struct {
	mu   sync.Mutex
	free [][]byte
}

type bufferKey struct{}

func (f *buffers) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		buf := make([]byte, 0, 1<<16)
		if n := len(f.free); n > 0 {
			buf, f.free = f.free[n-1][:0], f.free[:n-1]
		}
		f.mu.Unlock()
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), bufferKey{}, &buf)))
		f.mu.Lock()
		f.free = append(f.free, buf)
		f.mu.Unlock()
	})
}

// borrow returns s as a string in the request's buffer, as fasthttp does.
func borrow(r *http.Request, s string) string {
	buf := r.Context().Value(bufferKey{}).(*[]byte)
	if s == "" || len(*buf)+len(s) > cap(*buf) {
		return s
	}
	from := len(*buf)
	*buf = append(*buf, s...)
	return unsafe.String(&(*buf)[from], len(s))
}

func borrowStrings(b *bent) {
	b.around = (&buffers{}).around
	right := *b
	b.method = func(r *http.Request) string { return borrow(r, right.method(r)) }
	b.host = func(r *http.Request) string { return borrow(r, right.host(r)) }
	b.header = func(r *http.Request, name string) string { return borrow(r, right.header(r, name)) }
	b.param = func(r *http.Request, name string) string { return borrow(r, right.param(r, name)) }
	b.cookies = func(r *http.Request, name string) []string {
		values := right.cookies(r, name)
		for i := range values {
			values[i] = borrow(r, values[i])
		}
		return values
	}
}

func borrowBodies(b *bent) {
	b.around = (&buffers{}).around
	right := b.body
	b.body = func(r *http.Request, limit int64) ([]byte, error) {
		body, err := right(r, limit)
		return unsafe.Slice(unsafe.StringData(borrow(r, string(body))), len(body)), err
	}
}
