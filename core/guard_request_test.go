package core_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// The scheme has no case (RFC 9110 section 11.1), and another scheme is no token.
func TestGuardReadsTheHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap())
		settle(h)
		token := h.signIn("alice").AccessToken
		for header, want := range map[string]*core.Error{
			"Bearer " + token:             nil,
			"bearer " + token:             nil,
			"BEARER   " + token:           nil,
			"":                            core.ErrTokenMissing,
			"Bearer":                      core.ErrTokenMissing,
			"Bearer ":                     core.ErrTokenMissing,
			token:                         core.ErrTokenMissing,
			"Basic " + token:              core.ErrTokenMissing,
			"Bearer" + token:              core.ErrTokenMissing,
			"Bearer\t" + token:            core.ErrTokenMissing,
			"Bearer " + token + " ":       core.ErrTokenInvalid,
			"Bearer " + token + ",":       core.ErrTokenInvalid,
			"Bearer Bearer " + token:      core.ErrTokenInvalid,
			"Bearer " + token + ", Basic": core.ErrTokenInvalid,
		} {
			challenge := ""
			switch want {
			case core.ErrTokenMissing:
				challenge = bare
			case core.ErrTokenInvalid:
				challenge = invalidToken
			}
			d := h.Guard().Check(visit{headers: map[string]string{"Authorization": header}})
			expectDecision(t, fmt.Sprintf("%.20q", header), d, "alice", want, challenge)
		}
	})
}

// An optional guard lets nobody in as nobody, rules or not; a bad token is
// refused all the same, and whoever has a good one has to keep the rules.
func TestOptionalGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap(), func(c *core.Config) { c.AccessCookie = "at" })
		settle(h)
		p := h.signInAs([]string{"a"}, nil)
		for _, c := range []struct {
			rules     []core.Rule
			want      *core.Error
			challenge string
		}{
			{},
			{rules: []core.Rule{core.Strict()}},
			{rules: []core.Rule{core.Scope("a")}},
			{rules: []core.Rule{core.Scope("b")}, want: core.ErrForbidden, challenge: wantScope("b")},
			{rules: []core.Rule{{}}, want: core.ErrForbidden},
		} {
			guard := h.OptionalGuard(c.rules...)
			expectDecision(t, "no token", guard.Check(visit{}), "", nil, "")
			expectDecision(t, "no token, changing state", guard.Check(visit{method: http.MethodPost}.with("Sec-Fetch-Site", "cross-site")), "", nil, "")
			expectDecision(t, "a bad token", guard.Check(bearing("x")), "", core.ErrTokenInvalid, invalidToken)
			expectDecision(t, "a good token", guard.Check(bearing(p.AccessToken)), "alice", c.want, c.challenge)
		}
	})
}

// A cookie counts where there is no bearer token, if the browser's page may have
// sent it.
func TestGuardAccessCookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap(), func(c *core.Config) {
			c.AccessCookie, c.TrustedOrigins = "at", []string{"https://app.example.net"}
		})
		settle(h)
		token := h.signIn("alice").AccessToken
		other, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "bob"}})
		if err != nil {
			t.Fatal(err)
		}
		jar := func(values ...string) map[string][]string { return map[string][]string{"at": values} }
		for _, c := range []struct {
			rule      string
			method    string
			cookies   map[string][]string
			headers   map[string]string
			user      string
			want      *core.Error
			challenge string
		}{
			{rule: "a cookie is a token", cookies: jar(token), user: "alice"},
			{rule: "the same cookie twice", cookies: jar(token, token), user: "alice"},
			{rule: "an empty one beside it", cookies: jar("", token), user: "alice"},
			{rule: "two that differ", cookies: jar(token, other.AccessToken), want: core.ErrTokenInvalid, challenge: invalidToken},
			{rule: "two that differ, one of them bad", cookies: jar(token, "x"), want: core.ErrTokenInvalid, challenge: invalidToken},
			{rule: "a bad one", cookies: jar("x"), want: core.ErrTokenInvalid, challenge: invalidToken},
			{rule: "an empty one", cookies: jar(""), want: core.ErrTokenMissing, challenge: bare},
			{rule: "another cookie", cookies: map[string][]string{"AT": {token}}, want: core.ErrTokenMissing, challenge: bare},
			{rule: "the header wins", cookies: jar(token), headers: map[string]string{"Authorization": "Bearer " + other.AccessToken}, user: "bob"},
			{rule: "the header wins, even if it is bad", cookies: jar(token), headers: map[string]string{"Authorization": "Bearer x"}, want: core.ErrTokenInvalid, challenge: invalidToken},
			{rule: "the header wins over two that differ", cookies: jar(token, "x"), headers: map[string]string{"Authorization": "Bearer " + token}, user: "alice"},

			{rule: "POST from here", method: "POST", cookies: jar(token), headers: map[string]string{"Sec-Fetch-Site": "same-origin"}, user: "alice"},
			{rule: "POST from no page", method: "POST", cookies: jar(token), headers: map[string]string{"Sec-Fetch-Site": "none"}, user: "alice"},
			{rule: "POST from another site", method: "POST", cookies: jar(token), headers: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: core.ErrCrossSite},
			{rule: "POST from a sister site", method: "POST", cookies: jar(token), headers: map[string]string{"Sec-Fetch-Site": "same-site"}, want: core.ErrCrossSite},
			{rule: "PUT from another site", method: "PUT", cookies: jar(token), headers: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: core.ErrCrossSite},
			{rule: "DELETE of another origin, by an old browser", method: "DELETE", cookies: jar(token), headers: map[string]string{"Origin": "https://evil.example"}, want: core.ErrCrossSite},
			{rule: "POST of an opaque origin", method: "POST", cookies: jar(token), headers: map[string]string{"Origin": "null"}, want: core.ErrCrossSite},
			{rule: "POST of this origin, by an old browser", method: "POST", cookies: jar(token), headers: map[string]string{"Origin": "https://example.com"}, user: "alice"},
			{rule: "POST from a trusted origin", method: "POST", cookies: jar(token), headers: map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example.net"}, user: "alice"},
			{rule: "POST from another site with two that differ", method: "POST", cookies: jar(token, "x"), headers: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: core.ErrTokenInvalid, challenge: invalidToken},
			{rule: "POST from another site with a bad one", method: "POST", cookies: jar("x"), headers: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: core.ErrCrossSite},
			{rule: "a GET changes nothing", cookies: jar(token), headers: map[string]string{"Sec-Fetch-Site": "cross-site"}, user: "alice"},
			{rule: "no browser sends the header along", method: "POST", headers: map[string]string{"Authorization": "Bearer " + token, "Sec-Fetch-Site": "cross-site"}, user: "alice"},
			{rule: "nor beside a cookie", method: "POST", cookies: jar(other.AccessToken), headers: map[string]string{"Authorization": "Bearer " + token, "Sec-Fetch-Site": "cross-site"}, user: "alice"},
		} {
			r := visit{method: c.method, cookies: c.cookies, headers: c.headers}
			expectDecision(t, c.rule, h.Guard().Check(r), c.user, c.want, c.challenge)
			want, challenge := c.want, c.challenge
			if want == core.ErrTokenMissing {
				want, challenge = nil, ""
			}
			expectDecision(t, "optional: "+c.rule, h.OptionalGuard().Check(r), c.user, want, challenge)
		}
		without := open(t, memstore.New())
		expectDecision(t, "no cookie is configured", without.Guard().Check(visit{cookies: jar(token)}), "", core.ErrTokenMissing, bare)
	})
}

// Strict asks the store each time, once, and takes its word over what is known.
func TestGuardStrict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		blind := &tap{Store: store.Store}
		elsewhere, h := open(t, store), open(t, blind)
		settle(elsewhere)
		p := h.signIn("alice")
		strict, lax := h.Guard(core.Strict()), h.Guard()
		expectDecision(t, "at first", strict.Check(bearing(p.AccessToken)), "alice", nil, "")
		elapse(time.Second) // the sign of life is written
		calls := blind.counting()
		for range 5 {
			expectDecision(t, "again", strict.Check(bearing(p.AccessToken)), "alice", nil, "")
			if n := calls(); n["load"] != 1 || n["commit"] != 0 {
				t.Errorf("asked the store: %v, want one load", n)
			}
		}
		blind.set(func(call string, do func() error) error {
			if call == "tail" {
				return errBroken
			}
			return do()
		})
		elapse(time.Second)
		if err := elsewhere.Revoke(t.Context(), "alice", p.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		expectDecision(t, "the feed has yet to bring it", lax.Check(bearing(p.AccessToken)), "alice", nil, "")
		expectDecision(t, "revoked elsewhere just now", strict.Check(bearing(p.AccessToken)), "", core.ErrTokenRevoked, invalidToken)
		// Whoever was refused once stays refused, though the feed has yet to bring it.
		for range 2 {
			expectDecision(t, "refused a moment ago", lax.Check(bearing(p.AccessToken)), "", core.ErrTokenRevoked, invalidToken)
		}
	})
}
