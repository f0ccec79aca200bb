package nethttpauth_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// Every code of the contract, made on every route that can answer it.

// contract is the table of codes.
var contract = map[string]int{
	"BAD_REQUEST":   400,
	"TOKEN_MISSING": 401, "TOKEN_INVALID": 401, "TOKEN_EXPIRED": 401, "TOKEN_REVOKED": 401, "INVALID_CREDENTIALS": 401, "USER_INACTIVE": 401,
	"REFRESH_TOKEN_MISSING": 401, "REFRESH_TOKEN_INVALID": 401, "REFRESH_TOKEN_EXPIRED": 401, "REFRESH_TOKEN_REUSED": 401,
	"SESSION_ENDED": 401, "DEVICE_MISMATCH": 401, "FRESH_SIGN_IN_REQUIRED": 401, "STEP_UP_REQUIRED": 401,
	"FORBIDDEN": 403, "CROSS_SITE": 403, "TOO_MANY_SESSIONS": 403, "RISK_DENIED": 403,
	"SESSION_NOT_FOUND": 404, "TOKEN_NOT_FOUND": 404,
	"BODY_TOO_LARGE": 413, "NOT_JSON": 415,
	"TOO_MANY_REQUESTS": 429,
	"INTERNAL":          500, "STORE_UNAVAILABLE": 503,
}

// refusal is one way to be refused.
type refusal struct {
	code      string
	route     string
	change    func(*core.Config)
	challenge string // WWW-Authenticate
	ask       func(s *refusing) answer
}

// refusing is a site on which everything can go wrong.
type refusing struct {
	*site
	random *switched
	gone   error // what the app's rule fails with
}

// switched is a random source that can fail.
type switched struct{ fails atomic.Bool }

func (s *switched) Read(b []byte) (int, error) {
	if s.fails.Load() {
		return 0, errors.New("no entropy")
	}
	return rand.Read(b)
}

func onRefusing(t *testing.T, change func(*core.Config), test func(t *testing.T, s *refusing)) {
	t.Helper()
	random := new(switched)
	onSite(t, func(c *core.Config) {
		shortLives(c)
		c.AccessCookie, c.Random = "access", random
		if change != nil {
			change(c)
		}
	}, func(t *testing.T, base *site) {
		s := &refusing{base, random, nil}
		openDoors(base)
		may := core.Allow(func(context.Context, *core.Principal) (bool, error) { return true, s.gone })
		for path, rules := range map[string][]core.Rule{
			"/app/guarded": nil,
			"/app/role":    {core.Role("owner")},
			"/app/scope":   {core.Scope("a", "b")},
			"/app/fresh":   {core.Fresh(30 * time.Second)},
			"/app/strict":  {core.Strict()},
			"/app/allow":   {may},
		} {
			s.mux.Handle(path, nethttpauth.Require(s.auth, rules...)(http.HandlerFunc(who)))
		}
		s.mux.Handle("/app/optional", nethttpauth.Optional(s.auth)(http.HandlerFunc(who)))
		nethttpauth.Mount(s.mux, "/fresh", s.auth.AdminRoutes(core.Role("admin"), core.Fresh(30*time.Second)))
		nethttpauth.Mount(s.mux, "/allow", s.auth.AdminRoutes(may))
		test(t, s)
	})
}

func (s *refusing) root() part { return bearer(s.signIn("root").AccessToken) }

// target is a request that is good but for what a row makes of it.
type target struct{ method, path, body string }

func (r target) String() string { return r.method + " " + r.path }

func (r target) send(s *refusing, parts ...part) answer {
	return s.ask(r.method, r.path, r.body, parts...)
}

func targets() (auth, admin, posts, guards []target) {
	for _, r := range guardedRoutes {
		auth = append(auth, target{r.method, prefix + r.route, r.body})
	}
	for _, r := range adminRoutes {
		admin = append(admin, target{r.method, adminPrefix + r.route, r.body})
	}
	posts = []target{{"POST", prefix + "/login", pwAlice}, {"POST", prefix + "/refresh", ""}, {"POST", prefix + "/logout", ""}}
	guards = []target{{"GET", "/app/guarded", ""}, {"POST", "/app/guarded", ""}}
	for _, r := range append(auth, admin...) {
		if guards = append(guards, r); r.method == "POST" {
			posts = append(posts, r)
		}
	}
	return auth, admin, posts, guards
}

func refusals() []refusal {
	const (
		bare    = "Bearer"
		invalid = `Bearer error="invalid_token"`
		stale   = `Bearer error="insufficient_user_authentication", max_age="30"`
	)
	var all []refusal
	add := func(code string, r target, challenge string, ask func(s *refusing) answer) {
		all = append(all, refusal{code, r.String(), nil, challenge, ask})
	}
	auth, admin, posts, guards := targets()
	login, refresh, logout := posts[0], posts[1], posts[2]
	expired := func(s *refusing) part {
		p := s.signIn("root")
		pass(time.Minute)
		return bearer(p.AccessToken)
	}
	ended := func(s *refusing) pair {
		p := s.signIn("root")
		s.post("/logout", "", bearer(p.AccessToken)).ok()
		return p
	}
	whose := func(s *refusing, r target) []part { // what the request needs to get that far
		if r == login || r == refresh || r == logout {
			return nil
		}
		return []part{s.root()}
	}
	down := func(s *refusing, ask func() answer) answer {
		s.store.down.Store(true)
		defer s.store.down.Store(false)
		return ask()
	}

	for _, r := range guards {
		add("TOKEN_MISSING", r, bare, func(s *refusing) answer { return r.send(s) })
	}
	for _, r := range append(guards, target{"GET", "/app/optional", ""}) {
		add("TOKEN_INVALID", r, invalid, func(s *refusing) answer { return r.send(s, bearer("x")) })
		add("TOKEN_INVALID", r, invalid, func(s *refusing) answer { return r.send(s, cookie("access", "x"), cookie("access", "y")) })
		add("TOKEN_EXPIRED", r, invalid, func(s *refusing) answer { return r.send(s, expired(s)) })
		add("TOKEN_REVOKED", r, invalid, func(s *refusing) answer { return r.send(s, bearer(ended(s).AccessToken)) })
	}
	add("TOKEN_MISSING", logout, "", func(s *refusing) answer { return logout.send(s) })
	add("TOKEN_INVALID", logout, "", func(s *refusing) answer { return logout.send(s, bearer("x")) })
	add("TOKEN_REVOKED", logout, "", func(s *refusing) answer {
		return s.post("/logout", `{"all":true}`, bearer(ended(s).AccessToken))
	})

	for _, r := range admin {
		add("FORBIDDEN", r, "", func(s *refusing) answer { return r.send(s, bearer(s.signIn("alice").AccessToken)) })
		fresh, allow := r, r
		fresh.path, allow.path = strings.Replace(r.path, adminPrefix, "/fresh", 1), strings.Replace(r.path, adminPrefix, "/allow", 1)
		add("FRESH_SIGN_IN_REQUIRED", fresh, stale, func(s *refusing) answer {
			p := s.signIn("root")
			pass(31 * time.Second)
			return fresh.send(s, bearer(p.AccessToken))
		})
		add("INTERNAL", allow, "", func(s *refusing) answer {
			s.gone = errors.New("the directory is gone")
			return allow.send(s, s.root())
		})
	}
	for path, challenge := range map[string]string{"/app/role": "", "/app/scope": `Bearer error="insufficient_scope", scope="a b"`} {
		r := target{"GET", path, ""}
		add("FORBIDDEN", r, challenge, func(s *refusing) answer { return r.send(s, s.root()) })
	}
	fresh := target{"GET", "/app/fresh", ""}
	add("FRESH_SIGN_IN_REQUIRED", fresh, stale, func(s *refusing) answer {
		p := s.signIn("root")
		pass(31 * time.Second)
		return fresh.send(s, bearer(p.AccessToken))
	})
	allow := target{"GET", "/app/allow", ""}
	add("INTERNAL", allow, "", func(s *refusing) answer {
		s.gone = core.ErrForbidden // a failure never looks like a refusal
		return allow.send(s, s.root())
	})

	for _, r := range posts {
		add("CROSS_SITE", r, "", func(s *refusing) answer {
			return r.send(s, append(whose(s, r), header("Sec-Fetch-Site", "cross-site"))...)
		})
		add("CROSS_SITE", r, "", func(s *refusing) answer { return r.send(s, header("Origin", "https://evil.example")) })
		add("BAD_REQUEST", r, "", func(s *refusing) answer { return s.ask(r.method, r.path, "[]", whose(s, r)...) })
		add("BODY_TOO_LARGE", r, "", func(s *refusing) answer {
			a := s.ask(r.method, r.path, strings.Repeat(" ", 64<<10+1), whose(s, r)...)
			a.asked = r.String()
			return a
		})
		add("NOT_JSON", r, "", func(s *refusing) answer {
			return s.ask(r.method, r.path, "{}", append(whose(s, r), header("Content-Type", "text/plain"))...)
		})
	}
	for _, door := range doors[2:] {
		r := target{"POST", door.path, ""}
		add("CROSS_SITE", r, "", func(s *refusing) answer { return r.send(s, header("Sec-Fetch-Site", "same-site")) })
	}
	guarded := target{"POST", "/app/guarded", ""}
	add("CROSS_SITE", guarded, "", func(s *refusing) answer {
		return guarded.send(s, cookie("access", s.signIn("alice").AccessToken), header("Sec-Fetch-Site", "cross-site"))
	})
	for _, r := range admin[:4] {
		r.path = strings.Replace(r.path, "bob", "%00", 1)
		add("BAD_REQUEST", r, "", func(s *refusing) answer { return r.send(s, s.root()) })
	}

	add("INVALID_CREDENTIALS", login, "", func(s *refusing) answer { return s.post("/login", `{"username":"alice","password":"x"}`) })
	add("USER_INACTIVE", login, "", func(s *refusing) answer {
		s.inactive["alice"] = true
		return login.send(s)
	})
	add("INTERNAL", login, "", func(s *refusing) answer {
		s.broken = errors.New("the directory is gone")
		return login.send(s)
	})
	for _, r := range []target{login, {"POST", "/app/login", ""}} {
		add("TOO_MANY_SESSIONS", r, "", func(s *refusing) answer {
			s.signIn("alice")
			return r.send(s)
		})
		all[len(all)-1].change = func(c *core.Config) { c.MaxSessions, c.SessionLimitPolicy = 1, core.RefuseNew }
	}

	// What is too unusual: a failed sign-in makes the next one so. An app's own login says
	// by itself that a second factor is due.
	unusual := func(code string, risk core.RiskPolicy) {
		add(code, login, "", func(s *refusing) answer {
			s.post("/login", `{"username":"alice","password":"x"}`)
			return login.send(s)
		})
		all[len(all)-1].change = func(c *core.Config) { c.Limits, c.Risk = core.Limits{}, risk }
		add(code, target{"POST", "/app/login", ""}, "", func(s *refusing) answer {
			s.signIn("alice")
			return s.ask("POST", "/app/login", "", func(r *http.Request) { r.RemoteAddr = "198.51.100.7:1" })
		})
		all[len(all)-1].change = func(c *core.Config) { c.Risk = risk }
	}
	unusual("RISK_DENIED", core.RiskPolicy{Deny: 5})
	unusual("STEP_UP_REQUIRED", core.RiskPolicy{StepUp: 5})

	add("REFRESH_TOKEN_MISSING", refresh, "", func(s *refusing) answer { return refresh.send(s) })
	add("REFRESH_TOKEN_INVALID", refresh, "", func(s *refusing) answer { return refresh.send(s, refreshCookie("x")) })
	add("REFRESH_TOKEN_INVALID", logout, "", func(s *refusing) answer { return logout.send(s, refreshCookie("x")) })
	for code, before := range map[string]func(s *refusing, p pair) []part{
		"BAD_REQUEST":           func(s *refusing, p pair) []part { return []part{refreshCookie("x")} },
		"REFRESH_TOKEN_EXPIRED": func(s *refusing, p pair) []part { pass(10 * time.Minute); return nil },
		"SESSION_ENDED": func(s *refusing, p pair) []part {
			s.post("/logout", "", bearer(p.AccessToken)).ok()
			return nil
		},
		"REFRESH_TOKEN_REUSED": func(s *refusing, p pair) []part {
			s.use(s.post("/refresh", "", refreshCookie(p.Cookie)).pair())
			pass(time.Minute)
			return nil
		},
		"DEVICE_MISMATCH": func(s *refusing, p pair) []part { return []part{cookie("device", s.signIn("bob").DeviceCookie)} },
		"USER_INACTIVE":   func(s *refusing, p pair) []part { s.inactive["alice"] = true; return nil },
		"INTERNAL":        func(s *refusing, p pair) []part { s.broken = errors.New("the directory is gone"); return nil },
	} {
		add(code, refresh, "", func(s *refusing) answer {
			p := s.signIn("alice")
			return refresh.send(s, append(before(s, p), refreshCookie(p.Cookie))...)
		})
	}
	over := target{"POST", "/app/over", ""}
	add("SESSION_ENDED", over, "", func(s *refusing) answer {
		s.mux.Handle("POST /app/over", nethttpauth.Watch(s.auth)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p := s.signIn("alice")
			s.post("/logout", "", bearer(p.AccessToken)).ok()
			fmt.Fprintf(w, `{"access_token":%q}`, p.AccessToken)
		})))
		return over.send(s)
	})

	// What is done too often. One is the limit of each.
	once := func(c *core.Config) { c.Limits = core.Limits{Login: 1, StepUp: 1, Refresh: 1, LogoutAll: 1, Lookup: 1} }
	often := func(r target, ask func(s *refusing) answer) {
		add("TOO_MANY_REQUESTS", r, "", func(s *refusing) answer {
			a := ask(s)
			a.is("Retry-After", "60")
			return a
		})
		all[len(all)-1].change = once
	}
	often(login, func(s *refusing) answer {
		login.send(s).ok()
		return login.send(s)
	})
	often(refresh, func(s *refusing) answer {
		p := s.signIn("alice")
		refresh.send(s, refreshCookie(p.Cookie)).ok()
		return refresh.send(s, refreshCookie(p.Cookie))
	})
	often(auth[1], func(s *refusing) answer {
		auth[1].send(s, s.root()).ok()
		pair, err := s.auth.SignIn(s.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "root"}})
		if err != nil {
			s.t.Fatal(err)
		}
		return auth[1].send(s, bearer(pair.AccessToken))
	})
	often(admin[5], func(s *refusing) answer {
		root := s.root()
		admin[5].send(s, root)
		return admin[5].send(s, root)
	})

	revoke, adminRevoke, lookup := auth[2], admin[4], admin[5]
	add("SESSION_NOT_FOUND", revoke, "", func(s *refusing) answer { return revoke.send(s, s.root()) })
	add("SESSION_NOT_FOUND", adminRevoke, "", func(s *refusing) answer { return adminRevoke.send(s, s.root()) })
	add("TOKEN_NOT_FOUND", lookup, "", func(s *refusing) answer { return lookup.send(s, s.root()) })
	add("TOKEN_NOT_FOUND", adminRevoke, "", func(s *refusing) answer { return s.admin("POST", "/tokens/revoke", tokenBody("x"), s.root()) })

	// What asks the store can be left without an answer, and what changes it
	// without an id for the change.
	working := map[target]func(p pair) (body string, with part){
		login:   func(pair) (string, part) { return pwAlice, header("X-None", "") },
		refresh: func(p pair) (string, part) { return "", refreshCookie(p.Cookie) },
		logout:  func(p pair) (string, part) { return "", refreshCookie(p.Cookie) },
		revoke: func(p pair) (string, part) {
			return `{"session_id":"` + p.Session.ID + `"}`, bearer(p.AccessToken)
		},
	}
	for _, r := range append([]target{auth[0], auth[1], auth[3]}, admin...) {
		working[r] = func(p pair) (string, part) { return r.body, bearer(p.AccessToken) }
	}
	working[admin[4]] = func(p pair) (string, part) { return tokenBody(p.Cookie), bearer(p.AccessToken) }
	working[lookup] = working[admin[4]]
	working[target{"GET", "/app/strict", ""}] = func(p pair) (string, part) { return "", bearer(p.AccessToken) }
	working[target{"POST", "/app/login", ""}] = working[login]
	for r, good := range working {
		add("STORE_UNAVAILABLE", r, "", func(s *refusing) answer {
			p := s.signIn("root")
			s.use(p) // so that it is the route that asks the store, not the guard
			body, with := good(p)
			return down(s, func() answer { return s.ask(r.method, r.path, body, with) })
		})
		if r.method == "GET" || r == lookup || r == admin[6] {
			continue
		}
		add("INTERNAL", r, "", func(s *refusing) answer {
			body, with := good(s.signIn("root"))
			s.signIn("bob") // so that there is something to end
			s.signIn("bob")
			s.random.fails.Store(true)
			return s.ask(r.method, r.path, body, with)
		})
	}
	return all
}

func TestRefusals(t *testing.T) {
	made := map[string]int{}
	routes := map[string]bool{}
	for _, r := range refusals() {
		routes[r.route] = true
		t.Run(r.code+strings.ReplaceAll(" "+r.route, "/", " "), func(t *testing.T) {
			onRefusing(t, r.change, func(t *testing.T, s *refusing) {
				a := r.ask(s)
				if r.code == "STEP_UP_REQUIRED" {
					a = a.waiting()
				}
				a = a.refused(contract[r.code], r.code)
				a.is("WWW-Authenticate", r.challenge)
				if made[r.code]++; strings.Contains(a.body, "directory") || strings.Contains(a.body, "entropy") || strings.Contains(a.body, "connection") {
					t.Errorf("%s: the cause was sent: %s", a.asked, a.body)
				}
			})
		})
	}
	// No code and no route is forgotten.
	for name, code := range codes(t) {
		switch {
		case made[code] == 0:
			t.Errorf("%s: nothing answers %s", name, code)
		case contract[code] == 0:
			t.Errorf("%s: %s is not in the contract", name, code)
		}
	}
	for code := range contract {
		if made[code] == 0 {
			t.Errorf("nothing answers %s", code)
		}
	}
	onSite(t, nil, func(t *testing.T, s *site) {
		for base, group := range map[string][]core.Route{prefix: s.auth.Routes(), adminPrefix: s.auth.AdminRoutes()} {
			for _, r := range group {
				if route := r.Method + " " + base + strings.Replace(r.Path, "{user}", "bob", 1); !routes[route] {
					t.Errorf("%s refuses nothing", route)
				}
			}
		}
	})
}

// codes reads the codes of all errors in core's source, by what they are
// declared as.
func codes(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../core/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		declared, before := map[ast.Node]string{}, len(found)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, v := range n.Values {
					if u, ok := v.(*ast.UnaryExpr); ok {
						declared[u.X] = n.Names[i].Name
					}
				}
			case *ast.CompositeLit:
				if code := codeOf(n); code != "" {
					found[filepath.Base(name)+": "+declared[n]+" "+code] = code
				}
			}
			return true
		})
		if filepath.Base(name) == "errors.go" { // and every sentinel was understood
			n := 0
			for _, d := range declared {
				if strings.HasPrefix(d, "Err") {
					n++
				}
			}
			if n == 0 || n != len(found)-before {
				t.Fatalf("errors.go: %d sentinels, %d codes", n, len(found)-before)
			}
		}
	}
	return found
}

// codeOf returns the code of an Error literal, or "".
func codeOf(n *ast.CompositeLit) string {
	if id, ok := n.Type.(*ast.Ident); !ok || id.Name != "Error" {
		return ""
	}
	for _, e := range n.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if k, ok := kv.Key.(*ast.Ident); !ok || k.Name != "Code" {
			continue
		}
		if lit, ok := kv.Value.(*ast.BasicLit); ok {
			code, _ := strconv.Unquote(lit.Value)
			return code
		}
	}
	return ""
}
