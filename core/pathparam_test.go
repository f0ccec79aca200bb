package core_test

import (
	"testing"

	"github.com/sallyport-go/sallyport/core"
)

func TestPathParam(t *testing.T) {
	const tokens = "/admin/users/:user/tokens"
	for _, tt := range []struct {
		rule, pattern, path, name, want string
	}{
		{"as it is", tokens, "/admin/users/alice/tokens", "user", "alice"},
		{"decoded once", tokens, "/admin/users/a%20b%2Fc%2525/tokens", "user", "a b/c%25"},
		{"a plus is a plus", tokens, "/admin/users/a+b/tokens", "user", "a+b"},
		{"a name that is not there", tokens, "/admin/users/alice/tokens", "users", ""},
		{"a name that begins alike", tokens, "/admin/users/alice/tokens", "use", ""},
		{"no name", tokens, "/admin/users/alice/tokens", "", ""},
		{"no parameter, but a segment of the name", "/user/x", "/user/x", "user", ""},
		{"what can't be decoded", tokens, "/admin/users/%zz/tokens", "user", ""},
		{"at the end", "/users/:user", "/users/alice", "user", "alice"},
		{"at the beginning", "/:user", "/alice", "user", "alice"},
		{"two", "/:a/of/:b", "/x/of/y", "a", "x"},
		{"two, the other", "/:a/of/:b", "/x/of/y", "b", "y"},
		{"mounted below one of the name", "/:user/admin/users/:user/tokens", "/tenant/admin/users/alice/tokens", "user", "alice"},
		{"mounted below what takes several segments", "/*/users/:user/tokens", "/a/b/c/users/alice/tokens", "user", "alice"},
		{"a slash at the end that the route forgives", tokens, "/admin/users/alice/tokens/", "user", "alice"},
		{"a slash at the end of the route", tokens + "/", "/admin/users/alice/tokens/", "user", "alice"},
		{"several of them", tokens, "/admin/users/alice/tokens//", "user", "alice"},
		{"letters in another case", tokens, "/Admin/USERS/alice/Tokens", "user", "alice"},
		{"the parameter keeps its case", tokens, "/admin/users/Alice/tokens", "user", "Alice"},
		{"encoded where nobody needs to", tokens, "/%61dmin/users/alice/t%6fkens", "user", "alice"},
		{"a prefix that has to be encoded", "/caf\u00e9/users/:user", "/caf%C3%A9/users/alice", "user", "alice"},
		{"a prefix that is registered encoded", "/caf%C3%A9/users/:user", "/caf%C3%A9/users/alice", "user", "alice"},
		{"below a parameter with more in its segment", "/v:version/users/:user", "/v2/users/alice", "user", "alice"},
		{"below what may be left out", "/:tenant?/users/:user", "/users/alice", "user", "alice"},
		{"another path", tokens, "/admin/users/alice/sessions", "user", ""},
		{"another path before it", tokens, "/root/users/alice/tokens", "user", ""},
		{"more before it", tokens, "/root/admin/users/alice/tokens", "user", ""},
		{"less before it", tokens, "/users/alice/tokens", "user", ""},
		{"the last segment is no user of another route", "/users/:user", "/users//", "user", ""},
		{"nor the one before", "/users/:user/logout", "/users/logout//", "user", ""},
		{"what can't be decoded elsewhere", tokens, "/%zz/users/alice/tokens", "user", ""},
		{"an empty segment is nobody, and not the one before it", tokens, "/admin/users//tokens", "user", ""},
		{"a path that is too short", "/a/:user/b/c", "/b/c", "user", ""},
		{"no path", tokens, "", "user", ""},
		{"no pattern", "", "/users/alice", "user", ""},
		{"without a slash in front", "users/:user", "users/alice", "user", "alice"},
	} {
		if got := core.PathParam(tt.pattern, tt.path, tt.name); got != tt.want {
			t.Errorf("%s: %s by %s: got %q, want %q", tt.rule, tt.path, tt.pattern, got, tt.want)
		}
	}
}
