package core_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/sallyport-go/sallyport/core"
)

// What changes state and comes from another site is refused before the token is
// looked at, by guards of either kind.
func TestSameSiteRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap(), func(c *core.Config) { c.TrustedOrigins = []string{"https://app.example.net"} })
		settle(h)
		token := "Bearer " + h.signInAs([]string{"a"}, nil).AccessToken
		cross := map[string]string{"Sec-Fetch-Site": "cross-site"}
		for _, c := range []struct {
			rule    string
			method  string
			headers map[string]string
			refused bool
		}{
			{"POST from nowhere", "POST", nil, false},
			{"POST from here", "POST", map[string]string{"Sec-Fetch-Site": "same-origin"}, false},
			{"POST of this origin, by an old browser", "POST", map[string]string{"Origin": "https://example.com"}, false},
			{"POST from a trusted origin", "POST", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example.net"}, false},
			{"POST from another site", "POST", cross, true},
			{"POST from a sister site", "POST", map[string]string{"Sec-Fetch-Site": "same-site"}, true},
			{"POST of another origin, by an old browser", "POST", map[string]string{"Origin": "https://evil.example"}, true},
			{"PUT", "PUT", cross, true},
			{"PATCH", "PATCH", cross, true},
			{"DELETE", "DELETE", cross, true},
			{"a method that nobody knows", "BREW", cross, true},
			{"GET changes nothing", "GET", cross, false},
			{"nor does HEAD", "HEAD", cross, false},
			{"nor OPTIONS", "OPTIONS", cross, false},
		} {
			for _, presented := range []struct {
				token, user string
				want        *core.Error
				challenge   string
			}{
				{token, "alice", nil, ""},
				{"", "", core.ErrTokenMissing, bare},
				{"Bearer x", "", core.ErrTokenInvalid, invalidToken},
			} {
				headers := map[string]string{"Authorization": presented.token}
				for name, value := range c.headers {
					headers[name] = value
				}
				r := visit{method: c.method, headers: headers}
				want, challenge := presented.want, presented.challenge
				if c.refused {
					want, challenge = core.ErrCrossSite, ""
				}
				what := fmt.Sprintf("%s, token %.8q", c.rule, presented.token)
				expectDecision(t, what, h.Guard(core.SameSite()).Check(r), presented.user, want, challenge)
				expectDecision(t, what+", beside others", h.Guard(core.Scope("a"), core.SameSite(), core.Strict()).Check(r), presented.user, want, challenge)
				if want == core.ErrTokenMissing {
					want, challenge = nil, ""
				}
				expectDecision(t, what+", optional", h.OptionalGuard(core.SameSite()).Check(r), presented.user, want, challenge)
			}
		}
		r := visit{method: http.MethodPost, headers: map[string]string{"Authorization": token}}
		expectDecision(t, "another rule is heeded beside it", h.Guard(core.SameSite(), core.Scope("b")).Check(r), "", core.ErrForbidden, wantScope("b"))
	})
}

// It says nothing of who may come in: by itself it opens no admin route.
func TestSameSiteOpensNoAdminRoute(t *testing.T) {
	h := open(t, newTap())
	token := h.signIn("alice").AccessToken
	routes := h.AdminRoutes(core.SameSite())
	if out := routes[0].Serve(bearing(token)); out.Status != http.StatusForbidden {
		t.Errorf("%s: got %d, want 403", routes[0].Path, out.Status)
	}
}
