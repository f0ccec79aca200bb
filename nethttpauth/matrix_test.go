package nethttpauth_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
)

// One, others or all: a call ends exactly what it says, and nothing of another
// user's changes or can be seen (P24).

// held is a session that a client holds: its tokens now, and an older access
// token that is as good.
type held struct {
	pair
	user  string
	older string
}

// token is what the client refreshes with.
func (h held) token() string { return h.Cookie + h.RefreshToken }

// world is a site whose users have three sessions each, begun in this order:
// user/here and user/there in browsers, user/native.
type world struct {
	*site
	held map[string]held
}

func onWorld(t *testing.T, change func(*core.Config), test func(t *testing.T, w *world)) {
	t.Helper()
	onSite(t, change, func(t *testing.T, s *site) {
		w := &world{s, map[string]held{}}
		for _, user := range []string{"alice", "bob", "root"} {
			for _, name := range []string{"here", "there", "native"} {
				var first, next pair
				if name == "native" {
					first = s.native(user)
					next = s.post("/refresh", refreshBody(first.RefreshToken)).pair()
				} else {
					first = s.signIn(user)
					next = s.post("/refresh", "", refreshCookie(first.Cookie)).pair()
					next.DeviceCookie = first.DeviceCookie
				}
				w.held[user+"/"+name] = held{next, user, first.AccessToken}
				s.use(first, next)
				pass(time.Second)
			}
		}
		pass(time.Minute)
		test(t, w)
	})
}

// as is the access token of a session of the world.
func (w *world) as(name string) part { return bearer(w.held[name].AccessToken) }

// by is its refresh cookie.
func (w *world) by(name string) part { return refreshCookie(w.held[name].token()) }

// call is one request, and all that may come of it.
type call struct {
	route  string
	name   string
	change func(*core.Config)
	do     func(w *world) answer
	code   string   // it is refused with; "": 200
	of     []string // users of whom the answer tells
	ends   []string // sessions
	moves  []string // sessions whose record changes, and that go on
	stops  []string // sessions of which the newest access token is revoked
	begins string   // a user of whom a session begins
}

const pwAlice = `{"username":"alice","password":"pw"}`

func calls() []call {
	alice, bob, nobody := []string{"alice"}, []string{"bob"}, []string(nil)
	all := func(user string) []string { return []string{user + "/here", user + "/there", user + "/native"} }
	others := []string{"alice/there", "alice/native"}
	post := func(route, body string, parts ...func(w *world) part) func(w *world) answer {
		return func(w *world) answer {
			var with []part
			for _, p := range parts {
				with = append(with, p(w))
			}
			path := prefix + route
			if strings.HasPrefix(route, "!") {
				path = adminPrefix + route[1:]
			}
			for name, h := range w.held { // {session} and {token:session}
				body = strings.NewReplacer("{id "+name+"}", h.Session.ID, "{access "+name+"}", h.AccessToken, "{refresh "+name+"}", h.token()).Replace(body)
			}
			return w.ask("POST", path, body, with...)
		}
	}
	get := func(path string, as string) func(w *world) answer {
		return func(w *world) answer { return w.ask("GET", path, "", w.as(as)) }
	}
	as := func(name string) func(*world) part { return func(w *world) part { return w.as(name) } }
	by := func(name string) func(*world) part { return func(w *world) part { return w.by(name) } }
	device := func(name string) func(*world) part {
		return func(w *world) part { return cookie("device", w.held[name].DeviceCookie) }
	}
	here, root := as("alice/here"), as("root/here")
	capped := func(policy core.SessionLimitPolicy) func(*core.Config) {
		return func(c *core.Config) { c.MaxSessions, c.SessionLimitPolicy = 3, policy }
	}
	reuse := func(w *world) answer {
		spent := w.held["alice/here"]
		w.held["alice/here"] = held{w.post("/refresh", "", refreshCookie(spent.token())).pair(), "alice", spent.AccessToken}
		w.use(w.held["alice/here"].pair)
		pass(time.Minute)
		return w.post("/refresh", "", refreshCookie(spent.token()))
	}

	return []call{
		{"POST /login", "", nil, post("/login", pwAlice), "", alice, nil, nil, nil, "alice"},
		{"POST /login", "delivery body", nil, post("/login", `{"username":"alice","password":"pw","delivery":"body"}`), "", alice, nil, nil, nil, "alice"},
		{"POST /login", "with a token of another user", nil, post("/login", pwAlice, as("bob/here")), "", alice, nil, nil, nil, "alice"},
		{"POST /login", "where the browser had an own session", nil, post("/login", pwAlice, by("alice/there")), "", alice, []string{"alice/there"}, nil, nil, "alice"},
		{"POST /login", "where the browser had another user's", nil, post("/login", pwAlice, by("bob/there")), "", alice, []string{"bob/there"}, nil, nil, "alice"},
		{"POST /login", "wrong password", nil, post("/login", `{"username":"alice","password":"x"}`, by("bob/there")), "INVALID_CREDENTIALS", nobody, nil, nil, nil, ""},
		{"POST /login", "beyond the cap", capped(core.EvictOldest), post("/login", pwAlice), "", alice, []string{"alice/here"}, nil, nil, "alice"},
		{"POST /login", "at the cap, in place of one", capped(core.EvictOldest), post("/login", pwAlice, by("alice/native")), "", alice, []string{"alice/native"}, nil, nil, "alice"},
		{"POST /login", "refused at the cap", capped(core.RefuseNew), post("/login", pwAlice), "TOO_MANY_SESSIONS", nobody, nil, nil, nil, ""},

		{"POST /refresh", "cookie", nil, post("/refresh", "", by("alice/here")), "", alice, nil, []string{"alice/here"}, nil, ""},
		{"POST /refresh", "body", nil, post("/refresh", `{"refresh_token":"{refresh alice/native}"}`), "", alice, nil, []string{"alice/native"}, nil, ""},
		{"POST /refresh", "with a token of another user", nil, post("/refresh", "", as("bob/here"), by("alice/here")), "", alice, nil, []string{"alice/here"}, nil, ""},
		{"POST /refresh", "from another user's device", nil, post("/refresh", "", by("alice/here"), device("bob/here")), "DEVICE_MISMATCH", nobody, nil, nil, nil, ""},
		{"POST /refresh", "two", nil, post("/refresh", "", by("alice/here"), by("bob/here")), "BAD_REQUEST", nobody, nil, nil, nil, ""},
		{"POST /refresh", "spent", nil, reuse, "REFRESH_TOKEN_REUSED", nobody, []string{"alice/here"}, nil, nil, ""},
		{"POST /refresh", "spent, which ends all", func(c *core.Config) { c.ReuseEndsAll = true }, reuse, "REFRESH_TOKEN_REUSED", nobody, all("alice"), nil, nil, ""},
		{"POST /refresh", "inactive", nil, func(w *world) answer {
			w.inactive["alice"] = true
			defer clear(w.inactive)
			return w.post("/refresh", "", w.by("alice/here"))
		}, "USER_INACTIVE", nobody, []string{"alice/here"}, nil, nil, ""},

		{"POST /logout", "access token", nil, post("/logout", "", here), "", nobody, []string{"alice/here"}, nil, nil, ""},
		{"POST /logout", "cookie", nil, post("/logout", "", by("alice/there")), "", nobody, []string{"alice/there"}, nil, nil, ""},
		{"POST /logout", "body", nil, post("/logout", `{"refresh_token":"{refresh alice/native}"}`), "", nobody, []string{"alice/native"}, nil, nil, ""},
		{"POST /logout", "two of its own", nil, post("/logout", "", here, by("alice/there")), "", nobody, []string{"alice/here", "alice/there"}, nil, nil, ""},
		{"POST /logout", "all", nil, post("/logout", `{"all":true}`, by("alice/here")), "", nobody, all("alice"), nil, nil, ""},
		{"POST /logout", "an id in the body", nil, post("/logout", `{"session_id":"{id bob/here}","user_id":"bob"}`, here), "", nobody, []string{"alice/here"}, nil, nil, ""},
		{"POST /logout-all", "", nil, post("/logout-all", "", here), "", nobody, all("alice"), nil, nil, ""},
		{"POST /logout-all", "beside another user's cookie", nil, post("/logout-all", `{"user_id":"bob"}`, here, by("bob/here")), "", nobody, all("alice"), nil, nil, ""},
		{"GET /sessions", "", nil, get(prefix+"/sessions", "alice/here"), "", alice, nil, nil, nil, ""},
		{"GET /sessions", "of another in the URL", nil, get(prefix+"/sessions?user=bob&user_id=bob", "alice/here"), "", alice, nil, nil, nil, ""},
		{"POST /sessions/revoke", "own", nil, post("/sessions/revoke", `{"session_id":"{id alice/there}"}`, here), "", nobody, []string{"alice/there"}, nil, nil, ""},
		{"POST /sessions/revoke", "this one", nil, post("/sessions/revoke", `{"session_id":"{id alice/here}"}`, here), "", nobody, []string{"alice/here"}, nil, nil, ""},
		{"POST /sessions/revoke", "another user's", nil, post("/sessions/revoke", `{"session_id":"{id bob/here}","user_id":"bob"}`, here, by("bob/here")), "SESSION_NOT_FOUND", nobody, nil, nil, nil, ""},
		{"POST /sessions/revoke", "an admin has no more here", nil, post("/sessions/revoke", `{"session_id":"{id bob/here}"}`, root), "SESSION_NOT_FOUND", nobody, nil, nil, nil, ""},
		{"POST /sessions/revoke-all", "", nil, post("/sessions/revoke-all", "", here), "", nobody, others, nil, nil, ""},
		{"POST /sessions/revoke-all", "beside another user's cookie", nil, post("/sessions/revoke-all", "", here, by("bob/here")), "", nobody, others, nil, nil, ""},

		{"GET /users/{user}/tokens", "", nil, get(adminPrefix+"/users/bob/tokens", "root/here"), "", bob, nil, nil, nil, ""},
		{"GET /users/{user}/token-count", "", nil, get(adminPrefix+"/users/bob/token-count", "root/here"), "", bob, nil, nil, nil, ""},
		{"POST /users/{user}/logout", "", nil, post("!/users/bob/logout", `{"user_id":"alice"}`, root), "", nobody, all("bob"), nil, nil, ""},
		{"POST /users/{user}/trim", "one stays", nil, post("!/users/bob/trim", `{"keep":1}`, root), "", nobody, []string{"bob/here", "bob/there"}, nil, nil, ""},
		{"POST /users/{user}/trim", "all stay", nil, post("!/users/bob/trim", `{"keep":3}`, root), "", nobody, nil, nil, nil, ""},
		{"POST /tokens/revoke", "access token", nil, post("!/tokens/revoke", `{"token":"{access bob/here}"}`, root), "", nobody, nil, []string{"bob/here"}, []string{"bob/here"}, ""},
		{"POST /tokens/revoke", "refresh token", nil, post("!/tokens/revoke", `{"token":"{refresh bob/there}"}`, root), "", nobody, []string{"bob/there"}, nil, nil, ""},
		{"POST /tokens/revoke", "session", nil, post("!/tokens/revoke", `{"user_id":"bob","session_id":"{id bob/native}"}`, root), "", nobody, []string{"bob/native"}, nil, nil, ""},
		{"POST /tokens/revoke", "session of another", nil, post("!/tokens/revoke", `{"user_id":"alice","session_id":"{id bob/native}"}`, root), "SESSION_NOT_FOUND", nobody, nil, nil, nil, ""},
		{"POST /tokens/lookup", "", nil, post("!/tokens/lookup", `{"token":"{access bob/here}"}`, root), "", bob, nil, nil, nil, ""},
		{"POST /online", "", nil, post("!/online", `{"user_ids":["bob"]}`, root), "", bob, nil, nil, nil, ""},
		{"POST /online", "two", nil, post("!/online", `{"user_ids":["bob","alice"]}`, root), "", []string{"alice", "bob"}, nil, nil, nil, ""},
		{"POST /online", "by a user", nil, post("!/online", `{"user_ids":["bob"]}`, here), "FORBIDDEN", nobody, nil, nil, nil, ""},
		{"GET /.well-known/jwks.json", "", nil, get(keysPath, "alice/here"), "", nobody, nil, nil, nil, ""},
	}
}

func TestMatrix(t *testing.T) {
	called := map[string]bool{}
	for _, c := range calls() {
		called[c.route] = true
		t.Run(strings.TrimSpace(strings.NewReplacer("/", " ", "{", "", "}", "").Replace(c.route)+" "+c.name), func(t *testing.T) {
			onWorld(t, c.change, c.check)
		})
	}
	onSite(t, nil, func(t *testing.T, s *site) {
		for _, r := range slices.Concat(s.auth.Routes(), s.auth.AdminRoutes(), s.auth.KeyRoutes()) {
			if !called[r.Method+" "+r.Path] {
				t.Errorf("%s %s is in no row", r.Method, r.Path)
			}
		}
	})
}

// check makes a call and looks at everything before and after.
func (c call) check(t *testing.T, w *world) {
	before := w.ledgers()
	a := c.do(w)
	if c.code == "" && a.status != 200 || c.code != "" && !strings.Contains(a.body, `"code":"`+c.code+`"`) {
		t.Fatalf("%s: got %d %s, want %q", a.asked, a.status, a.body, c.code)
	}
	c.tells(t, w, a)
	c.leaves(t, before, w.ledgers(), w)

	for _, user := range []string{"alice", "bob", "root"} {
		var alive []string
		for name, h := range w.held {
			if h.user == user && !slices.Contains(c.ends, name) {
				alive = append(alive, h.Session.ID)
			}
		}
		if c.begins == user {
			alive = append(alive, a.pair().Session.ID)
			w.use(a.pair())
		}
		slices.Sort(alive)
		sessions, err := w.auth.Sessions(t.Context(), user)
		var listed []string
		for _, s := range sessions {
			listed = append(listed, s.ID.String())
		}
		if slices.Sort(listed); err != nil || !slices.Equal(listed, alive) {
			t.Errorf("%s has the sessions %q, %v, want %q", user, listed, err, alive)
		}
	}
	for name, h := range w.held {
		ended := slices.Contains(c.ends, name)
		for token, good := range map[string]bool{h.AccessToken: !ended && !slices.Contains(c.stops, name), h.older: !ended} {
			if a := w.do("GET", "/sessions", "", bearer(token)).of(name); good {
				a.ok()
			} else {
				a.refused(401, "TOKEN_REVOKED")
			}
		}
	}
	for name, h := range w.held {
		if a := w.post("/refresh", refreshBody(h.token())).of(name); slices.Contains(c.ends, name) {
			a.refused(401, "SESSION_ENDED")
		} else if got := a.pair().Session.ID; got != h.Session.ID {
			t.Errorf("%s: a refresh answers with session %s, want %s", name, got, h.Session.ID)
		}
	}
}

// tells checks that an answer says nothing of other users than it may.
func (c call) tells(t *testing.T, w *world, a answer) {
	t.Helper()
	all := fmt.Sprint(a.header) + a.body
	for name, h := range w.held {
		if slices.Contains(c.of, h.user) {
			continue
		}
		for what, secret := range map[string]string{
			"user": `"` + h.user + `"`, "session": h.Session.ID, "device": h.Session.Device.ID,
			"access token": h.AccessToken, "older access token": h.older, "refresh token": h.token(), "device cookie": h.DeviceCookie,
		} {
			if secret != "" && strings.Contains(all, secret) {
				t.Errorf("%s tells the %s of %s: %s", a.asked, what, name, all)
			}
		}
	}
}

// leaves checks that every other ledger is what it was, to the last bit, and so
// is every session that the call is not about.
func (c call) leaves(t *testing.T, before, after map[string]core.Ledger, w *world) {
	t.Helper()
	touched := map[string]bool{c.begins: true}
	for _, name := range slices.Concat(c.ends, c.moves, c.stops) {
		touched[w.held[name].user] = true
	}
	byID := func(l core.Ledger) map[string]core.Session {
		all := map[string]core.Session{}
		for _, s := range l.Sessions {
			all[s.ID.String()] = s
		}
		return all
	}
	for user := range before {
		if !touched[user] {
			if diff := cmp.Diff(before[user], after[user]); diff != "" {
				t.Errorf("%s's ledger changed:\n%s", user, diff)
			}
			continue
		}
		was, is := byID(before[user]), byID(after[user])
		if c.begins == user {
			maps.DeleteFunc(is, func(id string, _ core.Session) bool { _, old := was[id]; return !old })
			if len(after[user].Sessions) != len(is)+1 {
				t.Errorf("of %s not one session began", user)
			}
		}
		for name, h := range w.held {
			if slices.Contains(c.ends, name) || slices.Contains(c.moves, name) {
				delete(was, h.Session.ID)
			}
			if slices.Contains(c.moves, name) {
				delete(is, h.Session.ID)
			}
		}
		if diff := cmp.Diff(was, is); diff != "" {
			t.Errorf("%s's other sessions changed:\n%s", user, diff)
		}
	}
}
