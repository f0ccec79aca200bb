package alike

import (
	"net/url"
	"path"
	"strings"
)

// route is one that the contract has.
type route struct{ method, path string }

const (
	auth  = "/api/v1/auth"
	admin = "/api/v1/admin"
)

var routes = []route{
	{"POST", auth + "/login"},
	{"POST", auth + "/refresh"},
	{"POST", auth + "/logout"},
	{"POST", auth + "/logout-all"},
	{"GET", auth + "/sessions"},
	{"POST", auth + "/sessions/revoke"},
	{"POST", auth + "/sessions/revoke-all"},
	{"GET", "/.well-known/jwks.json"},
	{"GET", admin + "/users/{user}/tokens"},
	{"GET", admin + "/users/{user}/token-count"},
	{"POST", admin + "/users/{user}/logout"},
	{"POST", admin + "/users/{user}/trim"},
	{"POST", admin + "/tokens/revoke"},
	{"POST", admin + "/tokens/lookup"},
	{"POST", admin + "/online"},
	{"GET", "/api/v1/me"},
	{"POST", "/api/v1/password"},
	{"POST", "/api/v1/totp/enroll"},
	{"POST", "/api/v1/totp/confirm"},
	{"POST", auth + "/step-up"},
	{"POST", admin + "/users/{user}/active"},
	{"GET", "/healthz"},
}

// fit is how a request fits the routes.
type fit int

const (
	noRoute   fit = iota
	misspelt      // a route's, but for case, slashes, dots and escapes
	wrongVerb     // a route's, but for the method
	matched
)

// fits finds the route of a request.
func (r *request) fits() (fit, route) {
	target, _, _ := strings.Cut(r.target, "?")
	best, found := noRoute, route{}
	for _, rt := range routes {
		f := noRoute
		switch {
		case samePath(rt.path, target):
			f = wrongVerb
			if r.method == rt.method || r.method == "HEAD" && rt.method == "GET" {
				f = matched
			}
		case samePath(rt.path, plainPath(target)), samePath(rt.path, undotted.Replace(target)):
			f = misspelt
		}
		if f > best {
			best, found = f, rt
		}
	}
	return best, found
}

// undotted puts a name in the place of a user that servers take for a piece of
// the path.
var undotted = strings.NewReplacer("/users//", "/users/-/", "/users/./", "/users/-/", "/users/../", "/users/-/")

// samePath matches a path as it was sent, segment by segment.
func samePath(pattern, target string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(target, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] == "{user}" && got[i] != "" && got[i] != "." && got[i] != ".." {
			continue
		}
		if want[i] != got[i] {
			return false
		}
	}
	return true
}

// plainPath undoes what frameworks may look through.
func plainPath(target string) string {
	if _, rest, ok := strings.Cut(target, "://"); ok { // absolute form
		_, rest, _ = strings.Cut(rest, "/")
		target = "/" + rest
	}
	if decoded, err := url.PathUnescape(target); err == nil {
		target = decoded
	}
	return path.Clean(strings.ToLower(target))
}
