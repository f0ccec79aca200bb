package adaptertest_test

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

var brokenCookies = []broken{
	{
		name: "the first cookie of a name",
		how: func(b *bent) {
			b.cookies = func(r *http.Request, name string) []string {
				values := cookiesOf(r, name)
				return values[:min(len(values), 1)]
			}
		},
		caught: []string{"cookies/every", "cookies/verbatim", "cookies/neighbours"},
	},
	{
		name: "the first Cookie line",
		how: func(b *bent) {
			b.cookies = func(r *http.Request, name string) []string {
				return cookiesOf(&http.Request{Header: http.Header{"Cookie": {r.Header.Get("Cookie")}}}, name)
			}
		},
		caught: []string{"cookies/every", "cookies/neighbours"},
	},
	{
		name: "each value once",
		how: func(b *bent) {
			b.cookies = func(r *http.Request, name string) []string {
				values := cookiesOf(r, name)
				slices.Sort(values)
				return slices.Compact(values)
			}
		},
		caught: []string{"cookies/every"},
		also:   []string{"cookies/verbatim"},
	},
	{
		name: "cookies unquoted",
		how: func(b *bent) {
			b.cookies = func(r *http.Request, name string) []string { // as net/http does
				var values []string
				for _, c := range r.CookiesNamed(name) {
					values = append(values, c.Value)
				}
				return values
			}
		},
		caught: []string{"cookies/verbatim"},
	},
	{
		name:   "cookies decoded",
		how:    eachCookie(func(v string) (string, bool) { d, err := url.PathUnescape(v); return d, err == nil }),
		caught: []string{"cookies/verbatim"},
	},
	{
		name:   "empty cookies left out",
		how:    eachCookie(func(v string) (string, bool) { return v, v != "" }),
		caught: []string{"cookies/every", "cookies/verbatim"},
	},
	{
		name:   "values end at the next equals sign",
		how:    eachCookie(func(v string) (string, bool) { v, _, _ = strings.Cut(v, "="); return v, true }),
		caught: []string{"cookies/verbatim"},
	},
	{
		name:   "values split at commas",
		how:    eachCookie(func(v string) (string, bool) { v, _, _ = strings.Cut(v, ","); return v, true }),
		caught: []string{"cookies/verbatim"},
	},
	{
		name: "names in any case",
		how: func(b *bent) {
			b.cookies = func(r *http.Request, name string) []string {
				var values []string
				for _, c := range r.Cookies() {
					if strings.EqualFold(c.Name, name) {
						values = append(values, cookiesOf(r, c.Name)...)
					}
				}
				return values
			}
		},
		caught: []string{"cookies/names"},
		also:   []string{"cookies/every", "cookies/verbatim", "cookies/neighbours"},
	},
	{
		name: "found by searching",
		how: func(b *bent) {
			b.cookies = func(r *http.Request, name string) []string {
				var values []string
				for _, part := range strings.Split(strings.Join(r.Header.Values("Cookie"), "; "), name+"=")[1:] {
					v, _, _ := strings.Cut(part, ";")
					values = append(values, strings.TrimSpace(v))
				}
				return values
			}
		},
		caught: []string{"cookies/names"},
	},
	{
		name: "nothing after a malformed cookie",
		how: func(b *bent) {
			b.cookies = func(r *http.Request, name string) []string {
				h := http.Header{}
				for _, line := range r.Header.Values("Cookie") {
					good, _, _ := strings.Cut(line, "alone")
					h.Add("Cookie", good)
				}
				return cookiesOf(&http.Request{Header: h}, name)
			}
		},
		caught: []string{"cookies/neighbours"},
	},
	{
		name: "an open quote goes on to the end",
		how: func(b *bent) {
			b.cookies = func(r *http.Request, name string) []string {
				h := http.Header{}
				for _, line := range r.Header.Values("Cookie") {
					if i := strings.Index(line, `="`); i >= 0 && strings.Count(line, `"`) == 1 {
						line = line[:i]
					}
					h.Add("Cookie", line)
				}
				return cookiesOf(&http.Request{Header: h}, name)
			}
		},
		caught: []string{"cookies/neighbours"},
	},
	{
		name: "cookies end at a semicolon and a space",
		how: func(b *bent) {
			b.cookies = func(r *http.Request, name string) []string {
				var values []string
				for _, line := range r.Header.Values("Cookie") {
					for part := range strings.SplitSeq(line, "; ") {
						if n, v, _ := strings.Cut(part, "="); n == name {
							values = append(values, v)
						}
					}
				}
				return values
			}
		},
		caught: []string{"cookies/neighbours"},
	},
}

// eachCookie edits every value, or leaves it out.
func eachCookie(edit func(v string) (string, bool)) func(b *bent) {
	return func(b *bent) {
		b.cookies = func(r *http.Request, name string) []string {
			var values []string
			for _, v := range cookiesOf(r, name) {
				if v, ok := edit(v); ok {
					values = append(values, v)
				}
			}
			return values
		}
	}
}

// params edits every parameter as it stands in the request's target.
func params(edit func(raw string) string) func(b *bent) {
	return func(b *bent) {
		right := b.param
		b.param = func(r *http.Request, name string) string {
			for raw := range strings.SplitSeq(r.URL.EscapedPath(), "/") {
				if decoded, err := url.PathUnescape(raw); err == nil && decoded == right(r, name) && raw != "" {
					return edit(raw)
				}
			}
			return right(r, name)
		}
	}
}

var brokenParams = []broken{
	{
		name:   "parameters not decoded",
		how:    params(func(raw string) string { return raw }),
		caught: []string{"params/decoded-once", "params/by-name"},
	},
	{
		name: "parameters decoded twice",
		how: params(func(raw string) string {
			once, _ := url.PathUnescape(raw)
			if twice, err := url.PathUnescape(once); err == nil {
				return twice
			}
			return once
		}),
		caught: []string{"params/decoded-once", "params/by-name"},
	},
	{
		name:   "a plus is a space",
		how:    params(func(raw string) string { v, _ := url.QueryUnescape(raw); return v }),
		caught: []string{"params/decoded-once"},
	},
	{
		name: "a slash stays encoded",
		how: params(func(raw string) string {
			v, _ := url.PathUnescape(strings.ReplaceAll(strings.ToUpper(raw), "%2F", "%252F"))
			return v
		}),
		caught: []string{"params/decoded-once", "params/by-name"},
	},
	{
		name: "parameters in the query count",
		how: func(b *bent) {
			b.param = func(r *http.Request, name string) string { return cmp.Or(r.PathValue(name), r.URL.Query().Get(name)) }
		},
		caught: []string{"params/by-name"},
	},
	{
		name: "parameters in a form count",
		how: func(b *bent) {
			b.param = func(r *http.Request, name string) string { return cmp.Or(r.PathValue(name), r.PostFormValue(name)) }
		},
		caught: []string{"params/by-name"},
	},
}
