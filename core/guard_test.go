package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// visit is a request as an adapter hands it in.
type visit struct {
	ctx     context.Context // nil: that of nobody
	method  string          // "": GET
	headers map[string]string
	cookies map[string][]string
}

func (v visit) Context() context.Context {
	if v.ctx == nil {
		return context.Background()
	}
	return v.ctx
}

func (v visit) Method() string {
	if v.method == "" {
		return http.MethodGet
	}
	return v.method
}

func (visit) Host() string                   { return "example.com" }
func (v visit) Header(name string) string    { return v.headers[name] }
func (v visit) Cookies(name string) []string { return v.cookies[name] }
func (visit) Param(string) string            { return "" }
func (visit) Peer() netip.Addr               { return netip.Addr{} }
func (visit) Body(int64) ([]byte, error)     { return nil, nil }
func (v visit) with(name, value string) core.Request {
	headers := map[string]string{name: value}
	for k, s := range v.headers {
		headers[k] = s
	}
	v.headers = headers
	return v
}

// bearing is a request with an access token in its Authorization header.
func bearing(token string) core.Request {
	return visit{headers: map[string]string{"Authorization": "Bearer " + token}}
}

// expectDecision checks that a guard lets a user in ("": nobody, without being
// refused), or refuses with a code and a challenge.
func expectDecision(t *testing.T, what string, d core.Decision, user string, refusal *core.Error, challenge string) {
	t.Helper()
	if refusal == nil {
		got := "nobody"
		if d.Principal != nil {
			got = d.Principal.UserID
		}
		if d.Refusal != nil {
			got = string(d.Refusal.Body)
		}
		if want := map[bool]string{true: "nobody", false: user}[user == ""]; got != want {
			t.Errorf("%s: got %s in, want %s", what, got, want)
		}
		return
	}
	if d.Refusal == nil || d.Principal != nil {
		t.Errorf("%s: let %+v in, want %s", what, d.Principal, refusal.Code)
		return
	}
	r := d.Refusal
	var body struct {
		Code   string
		Status int
	}
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatal(err)
	}
	if body.Code != refusal.Code || r.Status != refusal.Status || body.Status != refusal.Status {
		t.Errorf("%s: refused with %d, body %s; want %s", what, r.Status, r.Body, refusal.Code)
	}
	if got := r.Header.Get("WWW-Authenticate"); got != challenge || challenge == "" && r.Header.Values("WWW-Authenticate") != nil {
		t.Errorf("%s: WWW-Authenticate: got %q, want %q", what, got, challenge)
	}
	if cached, retry := r.Header.Get("Cache-Control"), r.Header.Get("Retry-After"); cached != "no-store" || (retry != "") != (r.Status == http.StatusServiceUnavailable) {
		t.Errorf("%s: Cache-Control %q, Retry-After %q with status %d", what, cached, retry, r.Status)
	}
}

const (
	bare         = `Bearer`
	invalidToken = `Bearer error="invalid_token"`
)

func wantScope(scopes string) string {
	return `Bearer error="insufficient_scope", scope="` + scopes + `"`
}

func wantFresh(seconds int) string {
	return fmt.Sprintf(`Bearer error="insufficient_user_authentication", max_age="%d"`, seconds)
}

// signInAs begins a session of alice with scopes and roles.
func (h *house) signInAs(scopes, roles []string) core.Pair {
	h.t.Helper()
	p, err := h.SignIn(h.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice", Scopes: scopes, Roles: roles}})
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// Every rule, alone and with others: the first that is broken is answered, with
// its challenge (RFC 6750 section 3, RFC 9470 section 3).
func TestGuardRules(t *testing.T) {
	type principalOf struct{ scopes, roles []string }
	reader := principalOf{scopes: []string{"orders:read", "orders:write"}, roles: []string{"clerk", "auditor"}}
	yes := core.Allow(func(context.Context, *core.Principal) (bool, error) { return true, nil })
	no := core.Allow(func(context.Context, *core.Principal) (bool, error) { return false, nil })
	fails := core.Allow(func(context.Context, *core.Principal) (bool, error) { return true, errBroken })
	lies := core.Allow(func(context.Context, *core.Principal) (bool, error) { return false, core.ErrForbidden })
	stale := core.Fresh(30 * time.Second)
	for _, c := range []struct {
		rule      string
		who       principalOf
		rules     []core.Rule
		want      *core.Error
		challenge string
		audits    []string
	}{
		{rule: "without rules a good token is enough"},
		{rule: "a scope that the token has", who: reader, rules: []core.Rule{core.Scope("orders:read")}},
		{rule: "all scopes, in any order", who: reader, rules: []core.Rule{core.Scope("orders:write", "orders:read")}},
		{rule: "a scope is no prefix", who: reader, rules: []core.Rule{core.Scope("orders")}, want: core.ErrForbidden, challenge: wantScope("orders")},
		{rule: "one of two scopes is not all", who: reader, rules: []core.Rule{core.Scope("orders:read", "users:read")}, want: core.ErrForbidden, challenge: wantScope("orders:read users:read")},
		{rule: "no scope in the token", rules: []core.Rule{core.Scope("orders:read")}, want: core.ErrForbidden, challenge: wantScope("orders:read")},
		{rule: "a role is no scope", who: reader, rules: []core.Rule{core.Scope("clerk")}, want: core.ErrForbidden, challenge: wantScope("clerk")},

		{rule: "a role that the token has", who: reader, rules: []core.Rule{core.Role("clerk")}},
		{rule: "one role of several is enough", who: reader, rules: []core.Rule{core.Role("admin", "auditor")}},
		{rule: "no role of those", who: reader, rules: []core.Rule{core.Role("admin", "owner")}, want: core.ErrForbidden},
		{rule: "a scope is no role", who: reader, rules: []core.Rule{core.Role("orders:read")}, want: core.ErrForbidden},
		{rule: "Role without arguments lets nobody in", who: reader, rules: []core.Rule{core.Role()}, want: core.ErrForbidden},

		{rule: "the app allows", rules: []core.Rule{yes}},
		{rule: "the app does not", rules: []core.Rule{no}, want: core.ErrForbidden},
		{rule: "the app fails, whatever else it says", rules: []core.Rule{fails}, want: core.ErrInternal, audits: []string{"failed"}},
		{rule: "a failure is none of ours", rules: []core.Rule{lies}, want: core.ErrInternal, audits: []string{"failed"}},

		{rule: "fresh enough", rules: []core.Rule{core.Fresh(5 * time.Minute)}},
		{rule: "not fresh", rules: []core.Rule{stale}, want: core.ErrFreshSignInRequired, challenge: wantFresh(30)},
		{rule: "whoever has to be fresher than now", rules: []core.Rule{core.Fresh(0)}, want: core.ErrFreshSignInRequired, challenge: wantFresh(0)},

		{rule: "strict", rules: []core.Rule{core.Strict()}},
		{rule: "the zero Rule lets nobody in", who: reader, rules: []core.Rule{{}}, want: core.ErrForbidden},

		{rule: "all rules are kept", who: reader, rules: []core.Rule{core.Strict(), core.Scope("orders:read"), core.Role("clerk"), core.Fresh(time.Hour), yes}},
		{rule: "the first broken rule is answered: scope", rules: []core.Rule{yes, core.Scope("a"), stale, {}}, want: core.ErrForbidden, challenge: wantScope("a")},
		{rule: "the first broken rule is answered: freshness", rules: []core.Rule{stale, core.Scope("a"), fails}, want: core.ErrFreshSignInRequired, challenge: wantFresh(30)},
		{rule: "the first broken rule is answered: role", rules: []core.Rule{core.Role("a"), core.Scope("a"), stale}, want: core.ErrForbidden},
		{rule: "the first broken rule is answered: a failure", rules: []core.Rule{fails, core.Scope("a")}, want: core.ErrInternal, audits: []string{"failed"}},
		{rule: "the first broken rule is answered: the zero Rule", rules: []core.Rule{{}, core.Scope("a")}, want: core.ErrForbidden},
		{rule: "what comes after is not asked", rules: []core.Rule{no, fails}, want: core.ErrForbidden},
		{rule: "strict is no leave", rules: []core.Rule{core.Strict(), {}}, want: core.ErrForbidden},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, newTap())
				settle(h)
				p := h.signInAs(c.who.scopes, c.who.roles)
				elapse(time.Minute)
				h.trail.take()
				rules := slices.Clone(c.rules)
				guards := []*core.Guard{h.Guard(rules...), h.OptionalGuard(rules...)}
				for i := range rules {
					rules[i] = core.Rule{} // a guard keeps its own
				}
				for i, guard := range guards {
					for _, sight := range []string{"first", "second"} {
						what := fmt.Sprintf("guard %d, %s sight", i, sight)
						expectDecision(t, what, guard.Check(bearing(p.AccessToken)), "alice", c.want, c.challenge)
						h.trail.expect(t, what, c.audits...)
					}
				}
			})
		})
	}
}

// Scope without arguments is no demand that anybody can keep.
func TestGuardScopeOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap())
		settle(h)
		p := h.signInAs([]string{"a"}, []string{"a"})
		if d := h.Guard(core.Scope()).Check(bearing(p.AccessToken)); d.Refusal == nil || d.Refusal.Status != http.StatusForbidden {
			t.Errorf("got %+v, want 403", d)
		}
	})
}

// Allow sees the request's context and the principal; the cause of its failure
// is audited and not sent.
func TestGuardAllow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		var seen core.Event
		h := open(t, newTap(), func(c *core.Config) {
			c.Audit = func(_ context.Context, e core.Event) { seen = e }
		})
		settle(h)
		p := h.signInAs([]string{"a"}, nil)
		calls := 0
		guard := h.Guard(core.Allow(func(ctx context.Context, who *core.Principal) (bool, error) {
			calls++
			if ctx.Value(key{}) != "here" || who.UserID != "alice" || who.SessionID != p.Session.ID || !slices.Equal(who.Scopes, []string{"a"}) {
				t.Errorf("asked about %+v with %v", who, ctx)
			}
			return false, errBroken
		}))
		request := visit{ctx: context.WithValue(t.Context(), key{}, "here")}
		d := guard.Check(request.with("Authorization", "Bearer "+p.AccessToken))
		expectDecision(t, "an app that fails", d, "", core.ErrInternal, "")
		if seen.Name != core.EventFailed || !errors.Is(seen.Err, errBroken) || strings.Contains(string(d.Refusal.Body), errBroken.Error()) {
			t.Errorf("audited %+v, answered %s", seen, d.Refusal.Body)
		}
		expectDecision(t, "a bad token", guard.Check(request.with("Authorization", "Bearer x")), "", core.ErrTokenInvalid, invalidToken)
		if calls != 1 {
			t.Errorf("asked %d times, want once: a bad token is nobody's", calls)
		}
	})
}

// Freshness counts from "auth_time", in whole seconds: the last moment that is
// fresh enough, and the next. A refresh makes nothing fresher.
func TestGuardFresh(t *testing.T) {
	const limit = 5 * time.Minute
	for _, began := range []time.Duration{0, time.Millisecond, 999 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, newTap())
			settle(h)
			elapse(time.Until(time.Now().Truncate(time.Second).Add(time.Second + began)))
			p := h.signIn("alice")
			proved := time.Now().Truncate(time.Second)
			guard := h.Guard(core.Fresh(limit))
			for i, c := range []struct {
				after time.Duration
				want  *core.Error
			}{
				{began, nil},
				{time.Minute, nil},
				{limit - time.Nanosecond, nil},
				{limit, nil},
				{limit + time.Nanosecond, core.ErrFreshSignInRequired},
				{limit + time.Second, core.ErrFreshSignInRequired},
				{50 * time.Minute, core.ErrFreshSignInRequired},
			} {
				elapse(time.Until(proved.Add(c.after)))
				challenge := ""
				if c.want != nil {
					challenge = wantFresh(300)
				}
				what := fmt.Sprintf("began %v into a second, %v after it", began, c.after)
				expectDecision(t, what, guard.Check(bearing(p.AccessToken)), "alice", c.want, challenge)
				if i%2 == 0 {
					p = h.refresh(p)
					expectDecision(t, what+", refreshed", guard.Check(bearing(p.AccessToken)), "alice", c.want, challenge)
				}
			}
			again := h.signIn("alice")
			expectDecision(t, "signed in again", guard.Check(bearing(again.AccessToken)), "alice", nil, "")
		})
	}
}

// What a token can be, and its challenge. A failing store is 503 and challenges
// nobody.
func TestGuardChallenges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store, func(c *core.Config) { c.MaxDegraded = time.Nanosecond })
		settle(h)
		expired := h.signIn("alice")
		elapse(time.Hour)
		revoked, good := h.signIn("alice"), h.signIn("alice")
		if err := h.Revoke(t.Context(), "alice", revoked.Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		elapse(time.Second)
		h.trail.take()
		check := func() {
			t.Helper()
			for _, guard := range []*core.Guard{h.Guard(), h.OptionalGuard(), h.Guard(core.Scope("a"), core.Fresh(time.Second))} {
				optional := guard.Check(visit{}).Refusal == nil
				if !optional {
					expectDecision(t, "no token", guard.Check(visit{}), "", core.ErrTokenMissing, bare)
				}
				expectDecision(t, "an expired token", guard.Check(bearing(expired.AccessToken)), "", core.ErrTokenExpired, invalidToken)
				expectDecision(t, "a revoked token", guard.Check(bearing(revoked.AccessToken)), "", core.ErrTokenRevoked, invalidToken)
				for _, bad := range []string{"x", "..", good.AccessToken + "x", good.AccessToken + ", Bearer " + good.AccessToken, good.RefreshToken, " "} {
					if d := guard.Check(bearing(bad)); strings.TrimSpace(bad) != "" {
						expectDecision(t, "a bad token", d, "", core.ErrTokenInvalid, invalidToken)
					} else if !optional {
						expectDecision(t, "an empty token", d, "", core.ErrTokenMissing, bare)
					}
				}
			}
			h.trail.expect(t, "refusals")
		}
		check()
		check() // all over again, with what is known by now
		elapse(time.Second)
		store.set(func(string, func() error) error { return errBroken })
		elapse(5 * time.Second)
		h.trail.take()
		for _, rules := range [][]core.Rule{nil, {core.Strict()}, {core.Scope("a")}, {core.Fresh(time.Second)}} {
			expectDecision(t, "no store", h.Guard(rules...).Check(bearing(good.AccessToken)), "", core.ErrStoreUnavailable, "")
			h.trail.expect(t, "no store", "failed")
		}
	})
}
