package adaptertest

import (
	"fmt"

	"github.com/sallyport-go/sallyport/core"
)

var mountCases = []testCase{
	{
		"mount/prefix",
		"A group is served under its prefix, with a slash at its end or not, or at the root, and nowhere else.",
		mountPrefix,
	},
	{
		"mount/groups",
		"Groups at several prefixes stand side by side, each with its own routes, also where their paths are the same.",
		mountGroups,
	},
	{
		"mount/methods",
		"A route answers its own method: one that the group does not have at that path is the framework's to refuse, and runs nothing.",
		mountMethods,
	},
	{
		"mount/own-path",
		"A route answers its own path alone, parameters apart: not what is below it, and not what begins alike.",
		mountPaths,
	},
}

// named are routes that answer with a name.
func named(method, name string, paths ...string) []core.Route {
	var routes []core.Route
	for _, path := range paths {
		routes = append(routes, core.Route{Method: method, Path: path, Serve: func(core.Request) core.Response {
			return text(200, name+" "+method+" "+path)
		}})
	}
	return routes
}

// found says which route a request is to reach; "": none, whatever the framework
// says to that.
func (s *site) found(method, target, want string) {
	a := s.ask(wire(method, target, "Content-Length: 0"))
	switch {
	case want != "" && (a.status != 200 || a.body != want):
		s.k.errorf("%s %s: got %d %s, want %s", method, target, a.status, clip(a.body), want)
	case want == "" && a.status >= 200 && a.status < 300:
		s.k.errorf("%s %s: got %d %s, want no route", method, target, a.status, clip(a.body))
	}
}

func mountPrefix(k *kit) {
	s := k.serve(App{Groups: []Group{
		{"/api/v1/auth", named("GET", "plain", "/sessions", "/users/{user}/tokens")},
		{"/api/v1/admin/", named("GET", "slash", "/sessions", "/users/{user}/tokens")},
		{"", named("GET", "empty", "/.well-known/jwks.json")},
		{"/", named("GET", "root", "/rooted")},
	}})
	s.found("GET", "/api/v1/auth/sessions", "plain GET /sessions")
	s.found("GET", "/api/v1/auth/users/a%2Fb/tokens", "plain GET /users/{user}/tokens")
	s.found("GET", "/api/v1/admin/sessions", "slash GET /sessions")
	s.found("GET", "/api/v1/admin/users/a%2Fb/tokens", "slash GET /users/{user}/tokens")
	s.found("GET", "/.well-known/jwks.json", "empty GET /.well-known/jwks.json")
	s.found("GET", "/rooted", "root GET /rooted")
	for _, target := range []string{"/sessions", "/api/v1/sessions", "/auth/sessions", "/api/v1/auth", "/api/v1/auth/rooted", "/x/api/v1/auth/sessions"} {
		s.found("GET", target, "")
	}
}

func mountGroups(k *kit) {
	var groups []Group
	prefixes := []string{"/a", "/b", "/a/b", "/c"}
	for _, prefix := range prefixes {
		groups = append(groups, Group{prefix, named("POST", prefix, "/login", "/logout", "/users/{user}/tokens")})
	}
	s := k.serve(App{Groups: groups})
	for _, prefix := range prefixes {
		s.found("POST", prefix+"/login", prefix+" POST /login")
		s.found("POST", prefix+"/logout", prefix+" POST /logout")
		s.found("POST", prefix+"/users/alice/tokens", prefix+" POST /users/{user}/tokens")
	}
}

func mountMethods(k *kit) {
	s := k.serve(App{Groups: []Group{{"/kit", append(
		append(named("GET", "kit", "/both", "/read"), named("POST", "kit", "/both", "/write")...),
		named("DELETE", "kit", "/both", "/users/{user}")...,
	)}}})
	for target, methods := range map[string]map[string]bool{
		"/both":       {"GET": true, "POST": true, "DELETE": true},
		"/read":       {"GET": true},
		"/write":      {"POST": true},
		"/users/kate": {"DELETE": true},
	} {
		for _, m := range probeMethods {
			want, path := "", target
			if path == "/users/kate" {
				path = "/users/{user}"
			}
			if methods[m] {
				want = fmt.Sprintf("kit %s %s", m, path)
			}
			s.found(m, "/kit"+target, want)
		}
	}
}

func mountPaths(k *kit) {
	s := k.serve(App{Groups: []Group{{"/kit", named("GET", "kit",
		"/sessions", "/sessions/revoke", "/users/{user}/tokens", "/users/{user}/token-count", "/tokens/lookup")}}})
	for target, want := range map[string]string{
		"/sessions":                 "/sessions",
		"/sessions/revoke":          "/sessions/revoke",
		"/users/tokens/tokens":      "/users/{user}/tokens",
		"/users/a/token-count":      "/users/{user}/token-count",
		"/users/a%2Ftokens/tokens":  "/users/{user}/tokens",
		"/tokens/lookup?x=/y":       "/tokens/lookup",
		"/sessions/other":           "",
		"/sessionsrevoke":           "",
		"/session":                  "",
		"/sessions/revoke/all":      "",
		"/users/a":                  "",
		"/users/a/b/tokens":         "",
		"/users/a/tokens/b":         "",
		"/users/a%2Ftokens":         "",
		"/tokens":                   "",
		"/tokens/lookup%2Fsessions": "",
	} {
		if want != "" {
			want = "kit GET " + want
		}
		s.found("GET", "/kit"+target, want)
	}
}
