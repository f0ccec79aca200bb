package core

import (
	"slices"
	"strings"
)

// Guard lets requests in that carry a good access token and keep its rules. It
// is safe for concurrent use.
type Guard struct {
	auth     *Auth
	optional bool
	strict   bool
	sameSite bool
	rules    demands
}

// Decision is what a guard made of a request: exactly one of Principal and
// Refusal is set, or neither if an optional guard saw no token.
type Decision struct {
	Principal *Principal
	Refusal   *Response
}

// Guard returns a guard that refuses requests without an access token, and those
// that break one of the rules: the first that they break is answered, but
// [SameSite] before all.
func (a *Auth) Guard(rules ...Rule) *Guard {
	d := demands(slices.Clone(rules))
	return &Guard{auth: a, strict: d.has(ruleStrict), sameSite: d.has(ruleSameSite), rules: d}
}

// OptionalGuard returns a guard that lets requests without an access token in,
// as nobody. A bad token is refused all the same, and whoever has a good one has
// to keep the rules.
func (a *Auth) OptionalGuard(rules ...Rule) *Guard {
	g := a.Guard(rules...)
	g.optional = true
	return g
}

// Check decides about one request.
//
// For a bearer token that this process has seen, without rules or with those of
// scope, role and freshness, it allocates nothing and asks no store as long as
// the feed vouches, and takes no lock unless something new may concern it.
func (g *Guard) Check(r Request) Decision {
	var token string
	var err error
	if g.sameSite {
		err = g.auth.sameSite(r)
	}
	if err == nil {
		token, err = g.auth.presented(r)
	}
	if token == "" && err == nil && g.optional {
		g.observe("anonymous", false)
		return Decision{}
	}
	now, ctx := g.auth.now(), r.Context()
	var p *Principal
	var cached bool
	if err == nil {
		p, cached, err = g.auth.admit(ctx, token, now, g.strict)
	}
	var broken *Rule
	if err == nil {
		broken, err = g.rules.meet(ctx, p, now)
	}
	if err != nil {
		refusal := g.auth.refuse(r, err)
		challenge(refusal.Header, asError(err), broken)
		g.observe(refusal.outcome(), cached)
		return Decision{Refusal: &refusal}
	}
	g.observe(outcomeOK, cached)
	return Decision{Principal: p}
}

// presented returns the access token of a request, or "". One from a cookie
// counts only if the request does not come from another site: a browser sends it
// along without being asked.
func (a *Auth) presented(r Request) (string, error) {
	if token := bearer(r); token != "" || a.config.AccessCookie == "" {
		return token, nil
	}
	tokens := distinct(r.Cookies(a.config.AccessCookie)...)
	switch {
	case len(tokens) == 0:
		return "", nil
	case len(tokens) > 1:
		return "", ErrTokenInvalid.saying("the request presents different access tokens")
	}
	if err := a.sameSite(r); err != nil {
		return "", err
	}
	return tokens[0], nil
}

// bearer returns the access token in the Authorization header (RFC 6750 section
// 2.1), or "": valid until the handler returns.
func bearer(r Request) string {
	var header string
	if b, ok := r.(HeaderBorrower); ok {
		header = b.BorrowHeader("Authorization")
	} else {
		header = r.Header("Authorization")
	}
	if header == "" {
		return ""
	}
	scheme, token, _ := strings.Cut(header, " ")
	if scheme != "Bearer" && !strings.EqualFold(scheme, "Bearer") { // the first is what nearly all write
		return ""
	}
	return strings.TrimLeft(token, " ")
}
