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
		refusal := g.auth.refuse(r, err)
		challenge(&refusal, err)
		return Decision{Refusal: &refusal}
	}
	return Decision{Principal: p}
}
