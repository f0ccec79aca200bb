package core

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Rule is what a guard demands beside a good access token. Make one with
// [Scope], [Role], [Allow], [Fresh], [Strict] or [SameSite]; the zero Rule lets
// nobody in.
type Rule struct {
	kind  ruleKind
	holds func(ctx context.Context, p *Principal, now time.Time) error
	// challenge is what WWW-Authenticate says when the rule refuses, or "".
	challenge string
}

type ruleKind int

const (
	ruleNobody   ruleKind = iota
	ruleIdentity          // says who may come in
	ruleRecency           // says since when
	ruleStrict            // says how surely
	ruleSameSite          // says from where
)

// Scope demands that the token has all of these scopes (RFC 6750 section 3.1).
// Without any it lets nobody in. Who is refused gets 403 FORBIDDEN.
func Scope(scopes ...string) Rule {
	if len(scopes) == 0 {
		return Rule{kind: ruleIdentity}
	}
	return Rule{
		kind: ruleIdentity,
		holds: func(_ context.Context, p *Principal, _ time.Time) error {
			for _, s := range scopes {
				if !slices.Contains(p.Scopes, s) {
					return ErrForbidden
				}
			}
			return nil
		},
		challenge: `error="insufficient_scope", scope="` + strings.Join(scopes, " ") + `"`,
	}
}

// Role demands that the token has one of these roles. Without any it lets nobody
// in. Who is refused gets 403 FORBIDDEN.
func Role(roles ...string) Rule {
	return Rule{kind: ruleIdentity, holds: func(_ context.Context, p *Principal, _ time.Time) error {
		for _, r := range roles {
			if slices.Contains(p.Roles, r) {
				return nil
			}
		}
		return ErrForbidden
	}}
}

// Allow demands what the app makes of it: false is answered with 403 FORBIDDEN,
// an error with 500 and never as a refusal. It is called on the request's path
// by many goroutines.
func Allow(may func(ctx context.Context, p *Principal) (bool, error)) Rule {
	return Rule{kind: ruleIdentity, holds: func(ctx context.Context, p *Principal, _ time.Time) error {
		ok, err := may(ctx, p)
		switch {
		case err != nil:
			return ErrInternal.because(err)
		case !ok:
			return ErrForbidden
		}
		return nil
	}}
}

// Fresh demands that the user proved who they are within a time, to the second.
// Who is refused gets 401 FRESH_SIGN_IN_REQUIRED and is asked to sign in again
// (RFC 9470); a refresh does not help.
func Fresh(limit time.Duration) Rule {
	return Rule{
		kind: ruleRecency,
		holds: func(_ context.Context, p *Principal, now time.Time) error {
			if p.AuthTime.IsZero() || now.Sub(p.AuthTime) > limit {
				return ErrFreshSignInRequired
			}
			return nil
		},
		challenge: fmt.Sprintf(`error="insufficient_user_authentication", max_age="%d"`, int64(limit/time.Second)),
	}
}

// Strict demands that the store is asked, whatever this process knows: no
// revocation that was acknowledged anywhere before the request came is missed.
// It costs one call on the store. Without the store nobody comes in: 503.
func Strict() Rule { return Rule{kind: ruleStrict} }

// SameSite demands of a request that changes state (a method other than GET, HEAD
// and OPTIONS) that no browser says it comes from another site, as the library's
// own routes do: see [Config.TrustedOrigins]. It is looked at first, before the
// token. Who is refused gets 403 CROSS_SITE.
func SameSite() Rule { return Rule{kind: ruleSameSite} }

// demands are the rules of a guard.
type demands []Rule

// meet returns why the rules don't let a principal in, and the rule that says so.
func (d demands) meet(ctx context.Context, p *Principal, now time.Time) (*Rule, error) {
	for i := range d {
		r := &d[i]
		if r.kind == ruleStrict || r.kind == ruleSameSite {
			continue // the guard's own
		}
		if r.holds == nil {
			return r, ErrForbidden
		}
		if err := r.holds(ctx, p, now); err != nil {
			return r, err
		}
	}
	return nil, nil
}

func (d demands) has(kind ruleKind) bool {
	return slices.ContainsFunc(d, func(r Rule) bool { return r.kind == kind })
}

// challenge adds to a guard's refusal how to do better (RFC 6750 section 3). The
// rule is the one that refused, or nil.
func challenge(h http.Header, e *Error, r *Rule) {
	switch {
	case r != nil && r.challenge != "" && e.Status < http.StatusInternalServerError:
		h.Set("WWW-Authenticate", "Bearer "+r.challenge)
	case e.Status != http.StatusUnauthorized:
	case e.Is(ErrTokenMissing):
		h.Set("WWW-Authenticate", "Bearer")
	default:
		h.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
}
