package bench

import (
	"testing"

	"github.com/sallyport-go/sallyport/core"
)

// framework is where a route may be guarded.
type framework struct {
	name        string
	contestants func(testing.TB, *atWork) []contestant // the first is the bare route
}

var frameworks = []framework{{"gin", onGin}, {"fiber", onFiber}, {"nethttp", onNetHTTP}}

// contestant is one way to guard GET /orders, or not to. The handler behind it
// writes a header and 13 bytes.
type contestant struct {
	name string
	app  app

	missing int // status for a request without a token
	forged  int // and with one whose signature is wrong

	// logout does what this way offers to end a token; nil: it offers nothing.
	logout func(testing.TB, person)
	ended  int // status for a token after that
}

// app is a route that is served.
type app interface {
	// inProcess returns what serves a request with one of these Authorization
	// headers, by its index, into an answer that is thrown away, and returns its
	// status. With "" a request has none.
	inProcess(headers []string) func(i int) int
	// listen serves the route on a loopback address until the test is over.
	listen(testing.TB) (addr string)
}

// unguarded is a contestant that lets everybody in.
func unguarded(name string, a app) contestant {
	return contestant{name: name, app: a, missing: 200, forged: 200, ended: 200}
}

// ours is a contestant that asks an Auth.
func ours(w *atWork, name string, a app) contestant {
	return contestant{name: name, app: a, missing: 401, forged: 401, ended: 401, logout: func(tb testing.TB, p person) {
		if err := w.Revoke(tb.Context(), p.user, p.session, core.ReasonSignedOut); err != nil {
			tb.Fatal(err)
		}
	}}
}

// rules are kept by everybody who has signed in.
func rules() []core.Rule { return []core.Rule{core.Scope("orders:read"), core.Role("clerk")} }

var orders = []byte(`{"orders":[]}`)

func bearers(tokens []string) []string {
	out := make([]string, len(tokens))
	for i, t := range tokens {
		if t != "" {
			out[i] = "Bearer " + t
		}
	}
	return out
}
