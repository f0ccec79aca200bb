package alike

import (
	"slices"
	"strings"
)

// allowance is a difference that is the frameworks' own, and why. It is looked
// for only where answers differ.
type allowance struct {
	name   string
	reason string
	covers func(r *request, got []*answer, views []*view) bool
}

// every reports whether all answers have one of some statuses, and nothing was
// logged and no cookie set.
func every(got []*answer, statuses ...int) bool {
	return !slices.ContainsFunc(got, func(a *answer) bool {
		return !slices.Contains(statuses, a.status) || a.broken != "" || a.stray != "" || len(a.records) > 0 || a.get("Set-Cookie") != ""
	})
}

// verbs are the methods that Fiber knows.
var verbs = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

var allowances = append([]allowance{
	{
		name:   "no route",
		reason: "what is answered where there is nothing is the framework's",
		covers: func(r *request, got []*answer, _ []*view) bool {
			f, _ := r.fits()
			return f == noRoute && r.odd == "" && every(got, 404, 405, 301, 307)
		},
	},
	{
		name:   "another method",
		reason: "whether a route's other methods are 404 or 405, and with which body, is the framework's",
		covers: func(r *request, got []*answer, _ []*view) bool {
			f, _ := r.fits()
			return f == wrongVerb && slices.Contains(verbs, r.method) && every(got, 404, 405)
		},
	},
	{
		name:   "a method that Fiber does not know",
		reason: "it answers 400 to those beyond its list; the others have no list",
		covers: func(r *request, got []*answer, _ []*view) bool {
			return !slices.Contains(verbs, r.method) && every(got[:2], 404, 405) && every(got[2:], 400)
		},
	},
	{
		name:   "another spelling",
		reason: "case, slashes, dots and escapes in the fixed part of a path are the framework's: one serves it, one redirects, one knows no such route",
		covers: func(r *request, got []*answer, _ []*view) bool {
			f, _ := r.fits()
			return f == misspelt && every(got, 200, 301, 307, 400, 401, 403, 404, 405)
		},
	},
	{
		name:   "a user named /",
		reason: "net/http's ServeMux takes a segment %2F for a trailing slash and finds no route, so this user can't be named there",
		covers: func(r *request, got []*answer, views []*view) bool {
			return strings.Contains(strings.ToUpper(r.target), "/USERS/%2F/") && every(got[:1], 404) && slices.Equal(views[1].lines, views[2].lines)
		},
	},
}, malformed...)

// malformed are requests that HTTP forbids, or leaves to the server: net/http
// refuses and fasthttp does not, or with other words. Gin stands on net/http and
// has to answer as it does. None of them changes anything, and the framework
// answers before an adapter sees it, or shows the adapter something else.
var malformed = []allowance{
	odd("no Host", "net/http refuses it (RFC 9112 section 3.2), fasthttp goes on without"),
	odd("two Hosts", "likewise; fasthttp takes the last"),
	odd("a space before a colon", "both refuse it, each in its own words"),
	odd("a header without a name", "net/http refuses it, fasthttp passes it over"),
	odd("a name with a character that it can't have", "likewise"),
	odd("a NUL in a header", "likewise"),
	odd("a bare CR in a header", "likewise"),
	odd("a control character in a header", "likewise"),
	odd("another version", "net/http wants HTTP/1.x, fasthttp does not look"),
	odd("a space in the path", "net/http refuses it, fasthttp knows no such path"),
	odd("no slash before the path", "likewise"),
	odd("an asterisk", "net/http answers it before any handler"),
	odd("more header than a server takes", "all refuse it, each in its own words"),
	odd("two lengths", "net/http refuses them, fasthttp takes the last"),
	odd("a length that is no number", "both refuse it, each in its own words"),
	odd("chunks that are none", "net/http finds out when a handler reads the body, fasthttp before there is one"),
	odd("an unknown coding", "net/http answers 501, fasthttp takes every coding for chunks"),
	odd(identity, "net/http answers 501, fasthttp takes the body for another request"),
	odd("an expectation that nobody knows", "net/http answers 417, fasthttp passes it over"),
	odd("a path that can't be decoded", "net/http refuses it, Fiber routes by what was sent: the parameter is \"\""),
	odd("a byte in the path that it can't have", "likewise: Fiber routes by what was sent"),
	odd(twoTypes, "the app asks its framework for a header: net/http and Gin say the first line, Fiber the last; the library's routes see both"),
	odd("a fragment", "net/http takes it for a part of the path, fasthttp cuts it off"),
}

const (
	identity = "the coding identity"
	twoTypes = "two Content-Types on a route of the app's"
)

func odd(what, reason string) allowance {
	return allowance{
		name:   "odd HTTP: " + what,
		reason: reason,
		covers: func(r *request, got []*answer, views []*view) bool {
			sameWords := slices.Equal(views[0].lines, views[1].lines) || every(got[:2], 400, 404, 405)
			return r.odd == what && sameWords && !slices.ContainsFunc(got, func(a *answer) bool {
				return a.status >= 500 && a.status != 501 && a.status != 505 || a.stray != "" && what != identity || len(a.records) > 0 || a.get("Set-Cookie") != ""
			})
		},
	}
}
