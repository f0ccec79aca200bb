package adaptertest_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sallyport-go/sallyport/core"
)

// answers edits every answer before it is written.
func answers(edit func(out *core.Response)) func(b *bent) {
	return func(b *bent) {
		b.write = func(w http.ResponseWriter, _ *http.Request, out core.Response) {
			out.Header = maps.Clone(out.Header)
			edit(&out)
			writeOut(w, out)
		}
	}
}

var brokenResponses = []broken{
	{
		name:   "always 200",
		how:    answers(func(out *core.Response) { out.Status = 200 }),
		caught: []string{"response/status", "response/head", "guard/no-token", "guard/bad-token", "guard/optional", "guard/rules"},
		also:   []string{"guard/own-auth", "guard/same-connection"},
	},
	{
		name: "200 unless it failed",
		how: answers(func(out *core.Response) {
			if out.Status < 400 {
				out.Status = 200
			}
		}),
		caught: []string{"response/status"},
		also:   []string{"response/head"},
	},
	{
		name:   "the first value of a header",
		how:    answers(func(out *core.Response) { eachHeader(out, func(v []string) []string { return v[:1] }) }),
		caught: []string{"response/lines", "response/cookies"},
		also:   []string{"response/app-headers", "response/shared", "response/head"},
	},
	{
		name: "headers joined, cookies not",
		how: answers(func(out *core.Response) {
			set := out.Header["Set-Cookie"]
			eachHeader(out, func(v []string) []string { return []string{strings.Join(v, ", ")} })
			if set != nil {
				out.Header["Set-Cookie"] = set
			}
		}),
		caught: []string{"response/lines"},
		also:   []string{"response/app-headers", "response/shared"},
	},
	{
		name: "cookies joined",
		how: answers(func(out *core.Response) {
			if set := out.Header["Set-Cookie"]; set != nil {
				out.Header["Set-Cookie"] = []string{strings.Join(set, ", ")}
			}
		}),
		caught: []string{"response/cookies", "response/app-headers", "response/shared", "response/head"},
	},
	{
		name: "one cookie of a name",
		how: answers(func(out *core.Response) {
			byName := map[string]bool{}
			out.Header["Set-Cookie"] = slices.DeleteFunc(slices.Clone(out.Header["Set-Cookie"]), func(c string) bool {
				name, _, _ := strings.Cut(c, "=")
				again := byName[name]
				byName[name] = true
				return again
			})
		}),
		caught: []string{"response/cookies"},
		also:   []string{"response/app-headers", "response/shared"},
	},
	{
		name: "cookies parsed and written anew",
		how: answers(func(out *core.Response) {
			for i, c := range (&http.Response{Header: out.Header}).Cookies() {
				if i == 0 {
					out.Header["Set-Cookie"] = nil
				}
				c.Expires = c.Expires.Local()
				out.Header.Add("Set-Cookie", c.String())
			}
		}),
		caught: []string{"response/cookies"},
	},
	{
		name: "values sorted",
		how: answers(func(out *core.Response) {
			eachHeader(out, func(v []string) []string { return slices.Sorted(slices.Values(v)) })
		}),
		caught: []string{"response/lines", "response/cookies"},
	},
	{
		name:   "Content-Type guessed",
		how:    answers(func(out *core.Response) { out.Header["Content-Type"] = []string{http.DetectContentType(out.Body)} }),
		caught: []string{"response/content-type"},
		also:   []string{"response/lines", "response/app-headers", "response/shared", "response/head"},
	},
	{
		name: "a charset added",
		how: answers(func(out *core.Response) {
			if kind := out.Header.Get("Content-Type"); !strings.Contains(kind, ";") {
				out.Header["Content-Type"] = []string{kind + "; charset=utf-8"}
			}
		}),
		caught: []string{"response/content-type"},
		also:   []string{"response/lines", "response/app-headers", "response/shared", "response/head"},
	},
	{
		name: "bodies made text",
		how: answers(func(out *core.Response) {
			out.Body = []byte(strings.ToValidUTF8(string(out.Body), "?"))
		}),
		caught: []string{"response/body"},
	},
	{
		name:   "bodies cut at 64 KiB",
		how:    answers(func(out *core.Response) { out.Body = out.Body[:min(len(out.Body), 64<<10)] }),
		caught: []string{"response/body"},
	},
	{
		name: "an empty body says so",
		how: answers(func(out *core.Response) {
			if len(out.Body) == 0 {
				out.Body = []byte(http.StatusText(out.Status))
			}
		}),
		caught: []string{"response/body"},
	},
	{
		name: "headers after the body",
		how: func(b *bent) {
			b.write = func(w http.ResponseWriter, _ *http.Request, out core.Response) {
				w.WriteHeader(out.Status)
				w.Write(out.Body)
				maps.Copy(w.Header(), out.Header)
			}
		},
		caught: []string{"response/lines", "response/cookies", "response/content-type", "response/app-headers"},
		also:   []string{"response/body", "response/shared", "response/head"},
	},
	{
		name: "the app's cookies are replaced",
		how: func(b *bent) {
			b.write = func(w http.ResponseWriter, _ *http.Request, out core.Response) {
				for name, values := range out.Header {
					w.Header()[name] = slices.Clone(values)
				}
				w.WriteHeader(out.Status)
				w.Write(out.Body)
			}
		},
		caught: []string{"response/app-headers", "response/shared", "signin/cookies", "watch/cookies"},
		also:   []string{"signin/browser"},
	},
	{
		name: "headers added to the app's",
		how: func(b *bent) {
			b.write = func(w http.ResponseWriter, _ *http.Request, out core.Response) {
				for name, values := range out.Header {
					w.Header()[name] = append(w.Header()[name], values...)
				}
				w.WriteHeader(out.Status)
				w.Write(out.Body)
			}
		},
		caught: []string{"response/app-headers"},
	},
	{
		name: "the app's headers are gone",
		how: func(b *bent) {
			b.write = func(w http.ResponseWriter, _ *http.Request, out core.Response) {
				clear(w.Header())
				writeOut(w, out)
			}
		},
		caught: []string{"response/app-headers", "response/shared"},
	},
	{
		name: "the app's cookies go into the Response",
		how: func(b *bent) {
			b.write = func(w http.ResponseWriter, _ *http.Request, out core.Response) {
				mu.Lock()
				defer mu.Unlock()
				if own := w.Header()["Set-Cookie"]; own != nil && out.Header["Set-Cookie"] != nil {
					out.Header["Set-Cookie"] = append(slices.Clone(own), out.Header["Set-Cookie"]...)
					w.Header().Del("Set-Cookie")
				}
				writeOut(w, out)
			}
		},
		caught: []string{"response/shared"},
		also:   []string{"response/app-headers"},
	},
	{
		name: "the Response's own slices are appended to",
		how: func(b *bent) {
			b.write = func(w http.ResponseWriter, _ *http.Request, out core.Response) {
				mu.Lock()
				defer mu.Unlock()
				if vary := out.Header["Vary"]; vary != nil {
					out.Header = maps.Clone(out.Header)
					out.Header["Vary"] = append(vary, "Origin")[:len(vary)]
				}
				writeOut(w, out)
			}
		},
		caught: []string{"response/shared"},
	},
	{
		name: "an answer twice",
		how: func(b *bent) {
			b.write = func(w http.ResponseWriter, _ *http.Request, out core.Response) {
				writeOut(w, out)
				w.Write(out.Body)
			}
		},
		caught: []string{"response/once", "response/body"},
		also:   []string{"response/status", "response/shared", "response/head"},
	},
	{
		name: "a route is asked twice",
		how: func(b *bent) {
			right := b.mount
			b.mount = func(mux *http.ServeMux, prefix string, routes []core.Route) {
				routes = slices.Clone(routes)
				for i, route := range routes {
					routes[i].Serve = func(r core.Request) core.Response {
						route.Serve(r)
						return route.Serve(r)
					}
				}
				right(mux, prefix, routes)
			}
		},
		caught: []string{"response/once"},
	},
	{
		name: "HEAD is answered without headers",
		how: func(b *bent) {
			b.write = func(w http.ResponseWriter, r *http.Request, out core.Response) {
				if r.Method == http.MethodHead {
					w.WriteHeader(out.Status)
					return
				}
				writeOut(w, out)
			}
		},
		caught: []string{"response/head"},
	},
}

// eachHeader edits the values of every header.
func eachHeader(out *core.Response, edit func(values []string) []string) {
	for name, values := range out.Header {
		if len(values) > 0 {
			out.Header[name] = edit(values)
		}
	}
}
