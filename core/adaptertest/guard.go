package adaptertest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

var guardCases = []testCase{
	{
		"guard/no-token",
		"Without a token Require answers what core says, challenge and body included, and runs nothing behind it.",
		guardWithout,
	},
	{
		"guard/bad-token",
		"A bad token is refused as core says, and nothing behind it runs.",
		guardBad,
	},
	{
		"guard/good-token",
		"With a good token the handler runs once, and Principal and FromContext have the token's user and session.",
		guardGood,
	},
	{
		"guard/optional",
		"Optional without a token runs the handler once with nobody, with a good one for its user; a bad one is refused and runs nothing.",
		guardOptional,
	},
	{
		"guard/inner",
		"Behind a guard a request speaks for whom that guard let in, and behind an Optional without a token for nobody, whoever another guard before it let in.",
		guardInner,
	},
	{
		"guard/rules",
		"A guard has the rules that it was made with: who breaks one is refused as core says, and runs nothing.",
		guardRules,
	},
	{
		"guard/own-auth",
		"Each guard asks the Auth that it was made for.",
		guardOwn,
	},
	{
		"guard/same-connection",
		"A principal goes with its request: the next one on the connection speaks for its own user, or nobody.",
		guardInTurn,
	},
	{
		"guard/at-once",
		"However many requests are under way at once, on however few connections, each is answered for its own user.",
		guardAtOnce,
	},
}

// hall is a site with guarded routes that remembers who was let in.
type hall struct {
	*site
	auth  auth
	rules map[string][]core.Rule // by path
	c     *conn

	mu  sync.Mutex
	let []*core.Principal
}

// The routes of a hall, for GET and POST.
const (
	requiredPath = "/hall/required"
	optionalPath = "/hall/optional"
	openPath     = "/hall/open"
	writerPath   = "/hall/writer" // scopes read and write, one of two roles
	strictPath   = "/hall/strict"
	knownPath    = "/hall/known" // optional, scope read
)

func optionalAt(path string) bool { return path == optionalPath || path == knownPath }

func (k *kit) hall() *hall {
	h := &hall{auth: k.auth(), rules: map[string][]core.Rule{
		writerPath: {core.Scope("read", "write"), core.Role("editor", "admin")},
		strictPath: {core.Strict(), core.Fresh(time.Hour)},
		knownPath:  {core.Scope("read")},
	}}
	var app App
	for _, m := range []string{"GET", "POST"} {
		for _, path := range []string{requiredPath, optionalPath, writerPath, strictPath, knownPath} {
			app.Guarded = append(app.Guarded, Guarded{
				Method: m, Path: path, Auth: h.auth.Auth, Optional: optionalAt(path), Rules: h.rules[path], Handle: h.handle,
			})
		}
		app.Guarded = append(app.Guarded, Guarded{Method: m, Path: openPath, Handle: h.handle})
	}
	h.site = k.serve(app)
	return h
}

func (h *hall) handle(ctx context.Context, p *core.Principal) core.Response {
	h.mu.Lock()
	h.let = append(h.let, p)
	h.mu.Unlock()
	return answerUser(ctx, p)
}

// came returns who was let in since the last call.
func (h *hall) came() []*core.Principal {
	h.mu.Lock()
	defer h.mu.Unlock()
	let := h.let
	h.let = nil
	return let
}

func (h *hall) ask(raw string) answer {
	if h.c == nil {
		h.c = h.dial()
	}
	a := h.c.ask(raw)
	if a.last {
		h.c = nil
	}
	return a
}

// refused sends a request with some header lines, which is to be refused as
// core refuses it.
func (h *hall) refused(method, path string, lines ...string) {
	want := h.auth.refusal(optionalAt(path), h.rules[path], lines...)
	raw := wire(method, path, lines...)
	if method == http.MethodPost {
		raw = wireBody(method, path, `{"a":1}`, lines...)
	}
	what, a := line(raw), h.ask(raw)
	if a.status != want.Status {
		h.k.errorf("%s: got %d, want %d", what, a.status, want.Status)
	}
	h.k.equal(what+": the body", a.body, string(want.Body))
	for name, values := range want.Header {
		h.k.lines(what, a, name, values...)
	}
	if let := h.came(); len(let) > 0 {
		h.k.errorf("%s: refused, but the handler ran for %s", what, name(let[0]))
	}
}

// letIn sends a request that is to reach the handler once, for a user.
func (h *hall) letIn(raw, user string) *core.Principal {
	a := h.ask(raw)
	if a.status != http.StatusOK || a.body != "user "+user {
		h.k.errorf("%s: got %d %s, want 200 user %s", line(raw), a.status, clip(a.body), user)
	}
	let := h.came()
	if len(let) != 1 || name(let[0]) != user {
		h.k.errorf("%s: the handler ran %d times, want once for %s", line(raw), len(let), user)
		return nil
	}
	return let[0]
}

func guardWithout(k *kit) {
	h := k.hall()
	for _, lines := range [][]string{nil, {"Authorization: Basic YTpi"}, {"X-Authorization: Bearer x"}, {"Cookie: access_token=x"}} {
		h.refused("GET", requiredPath, lines...)
		h.refused("POST", requiredPath, lines...)
	}
}

// badTokens are Authorization lines.
func (h *hall) badTokens() []string {
	good, ended := h.auth.signIn("alice"), h.auth.signIn("bob")
	if _, err := h.auth.RevokeAll(h.k.ctx, "bob", core.ReasonRevoked); err != nil {
		h.k.fatalf("RevokeAll: %v", err)
	}
	return []string{
		"Authorization: Bearer nonsense", "Authorization: Bearer " + strings.Repeat("x", 1500),
		good[:len(good)-10] + "AAAAAAAAAA", good + "x", ended,
	}
}

func guardBad(k *kit) {
	h := k.hall()
	for _, line := range h.badTokens() {
		h.refused("GET", requiredPath, line)
		h.refused("POST", requiredPath, line)
	}
	two := h.auth.signIn("alice") // one token on two lines is a bad one
	h.refused("GET", requiredPath, two, two)
}

func guardGood(k *kit) {
	h := k.hall()
	for _, user := range []string{"alice", "b c", "é/%2F", strings.Repeat("u", 255)} {
		pair, err := h.auth.SignIn(k.ctx, core.SignInRequest{Identity: core.Identity{UserID: user, Scopes: []string{"a", "b"}}})
		if err != nil {
			k.fatalf("SignIn: %v", err)
		}
		for _, raw := range []string{
			wire("GET", requiredPath, "Authorization: Bearer "+pair.AccessToken),
			wire("GET", requiredPath, "authorization: bearer   "+pair.AccessToken),
			wireBody("POST", requiredPath, `{"a":1}`, "Authorization: Bearer "+pair.AccessToken),
		} {
			if p := h.letIn(raw, user); p != nil && (p.SessionID != pair.Session.ID || fmt.Sprint(p.Scopes) != "[a b]") {
				k.errorf("%s: got session %v, scopes %q, want %v, [a b]", line(raw), p.SessionID, p.Scopes, pair.Session.ID)
			}
		}
	}
}

func guardOptional(k *kit) {
	h := k.hall()
	h.letIn(wire("GET", optionalPath), "nobody")
	h.letIn(wireBody("POST", optionalPath, "{}", "Authorization: Basic YTpi"), "nobody")
	h.letIn(wire("GET", optionalPath, h.auth.signIn("alice")), "alice")
	for _, line := range h.badTokens() {
		h.refused("GET", optionalPath, line)
		h.refused("POST", optionalPath, line)
	}
	h.letIn(wire("GET", optionalPath), "nobody")
}

func guardRules(k *kit) {
	h := k.hall()
	for user, who := range map[string]core.Identity{
		"reader":   {Scopes: []string{"read"}, Roles: []string{"editor"}},
		"stranger": {Scopes: []string{"read", "write"}, Roles: []string{"guest"}},
		"nothing":  {},
	} {
		who.UserID = user
		line := h.auth.signInAs(who)
		h.refused("GET", writerPath, line)
		h.refused("POST", writerPath, line)
		h.letIn(wire("GET", requiredPath, line), user) // which has no rules
		h.letIn(wire("GET", strictPath, line), user)
	}
	writer := h.auth.signInAs(core.Identity{UserID: "writer", Scopes: []string{"write", "read"}, Roles: []string{"admin"}})
	h.letIn(wire("GET", writerPath, writer), "writer")
	h.letIn(wire("GET", knownPath, writer), "writer")
	h.letIn(wire("GET", knownPath), "nobody")
	h.refused("GET", knownPath, h.auth.signIn("nothing"))
	h.refused("GET", writerPath)
	h.refused("GET", strictPath, "Authorization: Bearer nonsense")
}

func guardOwn(k *kit) {
	var app App
	auths := []auth{k.auth(), k.auth(), k.auth()}
	for i, a := range auths {
		app.Guarded = append(
			app.Guarded,
			Guarded{Method: "GET", Path: fmt.Sprint("/required/", i), Auth: a.Auth, Handle: answerUser},
			Guarded{Method: "GET", Path: fmt.Sprint("/optional/", i), Auth: a.Auth, Optional: true, Handle: answerUser},
		)
	}
	s := k.serve(app)
	c := s.dial()
	for i, a := range auths {
		alice := a.signIn("alice")
		for j := range auths {
			for _, path := range []string{fmt.Sprint("/required/", j), fmt.Sprint("/optional/", j)} {
				want := 401
				if i == j {
					want = 200
				}
				if got := c.ask(wire("GET", path, alice)).status; got != want {
					k.errorf("a token of Auth %d at %s: got %d, want %d", i, path, got, want)
				}
			}
		}
	}
}

func guardInTurn(k *kit) {
	h := k.hall()
	alice, bob := h.auth.signIn("alice"), h.auth.signIn("bob")
	for range 10 {
		h.letIn(wire("GET", requiredPath, alice), "alice")
		h.letIn(wire("GET", optionalPath), "nobody")
		h.letIn(wire("GET", openPath), "nobody")
		h.letIn(wire("GET", requiredPath, bob), "bob")
		h.letIn(wire("GET", openPath, bob), "nobody") // no guard, nobody
		h.refused("GET", requiredPath)
		h.letIn(wire("GET", optionalPath, alice), "alice")
		h.letIn(wireBody("POST", optionalPath, "{}", bob), "bob")
	}
}

func guardAtOnce(k *kit) {
	h := k.hall()
	type asked struct{ raw, want string }
	requests := []asked{{wire("GET", optionalPath), "user nobody"}, {wire("GET", openPath), "user nobody"}}
	for i := range 6 {
		user := fmt.Sprintf("user%d", i)
		line := h.auth.signIn(user)
		requests = append(requests, asked{wire("GET", requiredPath, line), "user " + user}, asked{wire("GET", optionalPath, line), "user " + user})
	}
	free := make(chan *conn, 3) // fewer than who asks: each carries all users
	for range cap(free) {
		free <- h.dial()
	}
	var askers []func()
	for i := range 8 {
		askers = append(askers, func() {
			for j := range 40 {
				r := requests[(i*5+j)%len(requests)]
				c := <-free
				k.guarded(func() { k.equal(line(r.raw), c.ask(r.raw).body, r.want) })
				free <- c
			}
		})
	}
	k.parallel(askers...)
}

// guardInner puts guards behind one of another Auth, as it were.
func guardInner(k *kit) {
	auth, outer := k.auth(), &core.Principal{UserID: "an outer guard's"}
	s := k.serve(App{
		Context: func(ctx context.Context) context.Context { return core.WithPrincipal(ctx, outer) },
		Guarded: []Guarded{
			{Method: "GET", Path: "/required", Auth: auth.Auth, Handle: answerUser},
			{Method: "GET", Path: "/optional", Auth: auth.Auth, Optional: true, Handle: answerUser},
		},
	})
	c, alice := s.dial(), auth.signIn("alice")
	for _, tt := range []struct{ raw, want string }{
		{wire("GET", "/required", alice), "user alice"},
		{wire("GET", "/optional", alice), "user alice"},
		{wire("GET", "/optional"), "user nobody"},
	} {
		k.equal(line(tt.raw), c.ask(tt.raw).body, tt.want)
	}
}
