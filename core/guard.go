package core

// Guard lets requests in that carry a good access token.
type Guard struct {
	auth     *Auth
	optional bool
}

// Decision is what a guard made of a request: exactly one of Principal and
// Refusal is set, or neither if an optional guard saw no token.
type Decision struct {
	Principal *Principal
	Refusal   *Response
}

// Guard returns a guard that refuses requests without an access token.
func (a *Auth) Guard() *Guard { return &Guard{auth: a} }

// OptionalGuard returns a guard that lets requests without an access token in,
// as nobody. A bad token is refused all the same.
func (a *Auth) OptionalGuard() *Guard { return &Guard{auth: a, optional: true} }

// Check decides about one request.
func (g *Guard) Check(r Request) Decision {
	token := bearer(r)
	if token == "" && g.optional {
		return Decision{}
	}
	p, err := g.auth.Verify(r.Context(), token)
	if err != nil {
		refusal := refuseToken(err)
		return Decision{Refusal: &refusal}
	}
	return Decision{Principal: p}
}

// guarded wraps a route that needs an access token.
func (a *Auth) guarded(serve func(Request, *Principal) Response) func(Request) Response {
	guard := a.Guard()
	return func(r Request) Response {
		d := guard.Check(r)
		if d.Refusal != nil {
			return *d.Refusal
		}
		return serve(r, d.Principal)
	}
}
