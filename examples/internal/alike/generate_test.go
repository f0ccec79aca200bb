package alike

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// source makes up requests. It knows no answer: what it refers to may be nothing.
type source struct {
	*rand.Rand
	profile *profile
	id      int
	pairs   []pair // requests that should have been answered with tokens
	again   string // a user who has just been signed out, probably
}

type pair struct {
	id       int
	user     string
	delivery string
	login    int // the request that began the session
}

var passwords = map[string]string{"alice": "correct-horse", "bob": "battery-staple", "root": "tr0ub4dor-and-3"}

// sequence makes up n requests. The same seed makes the same.
func sequence(seed, number uint64, p *profile, n int) []*request {
	g := &source{Rand: rand.New(rand.NewPCG(seed, number)), profile: p}
	list := []*request{g.login("root"), g.login("alice"), g.login("bob")}
	for len(list) < n {
		r := g.one()
		if r.id != g.id {
			panic("a request without its number")
		}
		list = append(list, r)
	}
	return list
}

// chance is true that often in a hundred.
func (g *source) chance(percent int) bool { return g.IntN(100) < percent }

func among[T any](g *source, list ...T) T { return list[g.IntN(len(list))] }

// one makes up a request.
func (g *source) one() *request {
	if user := g.again; user != "" {
		g.again = ""
		if g.chance(70) {
			return g.login(user)
		}
	}
	makers := []struct {
		weight int
		make   func() *request
	}{
		{2, func() *request { return g.login(among(g, "root", "alice", "alice", "bob")) }},
		{2, g.badLogin},
		{12, g.refresh},
		{4, g.logout},
		{1, func() *request { return g.ends("logout-all", auth+"/logout-all") }},
		{9, func() *request { return g.get("sessions", auth+"/sessions") }},
		{3, g.revoke},
		{1, func() *request { return g.ends("revoke-all", auth+"/sessions/revoke-all") }},
		{12, func() *request { return g.get("me", "/api/v1/me") }},
		{1, g.password},
		{1, func() *request { return g.post("totp/enroll", "/api/v1/totp/enroll", g.object()) }},
		{2, g.confirm},
		{2, g.stepUp},
		{26, g.admin},
		{2, func() *request { return g.get("jwks", "/.well-known/jwks.json") }},
		{1, func() *request { return g.get("health", "/healthz") }},
		{5, g.elsewhere},
		{4, g.otherMethod},
		{4, g.oddHTTP},
	}
	total := 0
	for _, m := range makers {
		total += m.weight
	}
	n := g.IntN(total)
	for _, m := range makers {
		if n -= m.weight; n < 0 {
			return m.make()
		}
	}
	panic("not reached")
}

// bare is a request with nothing but what every one has.
func (g *source) bare(kind, method, target string) *request {
	g.id++
	r := &request{id: g.id, kind: kind, method: method, target: target, version: "HTTP/1.1"}
	r.headers = []string{"Host: " + host}
	if g.chance(30) {
		r.from = among(g, "127.0.0.2", "127.0.0.3")
	}
	return r
}

func (g *source) get(kind, target string) *request {
	r := g.bare(kind, "GET", target)
	if g.chance(6) {
		r.method = "HEAD"
	}
	g.authorize(r, "")
	g.decorate(r)
	if g.chance(4) {
		g.carry(r, g.object())
	}
	return r
}

func (g *source) post(kind, target, body string) *request {
	r := g.bare(kind, "POST", target)
	g.authorize(r, "")
	g.carry(r, body)
	g.decorate(r)
	return r
}

// ends asks for an end of several sessions.
func (g *source) ends(kind, target string) *request {
	r := g.post(kind, target, g.object())
	g.again = among(g, "root", "alice", "bob")
	return r
}

func (g *source) login(user string) *request {
	r := g.bare("login", "POST", auth+"/login")
	password := passwords[user]
	p := pair{id: r.id, user: user, delivery: "cookie", login: r.id}
	if user == "bob" && g.chance(15) {
		password = "paper-clip"
	}
	members := []string{`"username":` + quote(user), `"password":` + quote(password)}
	if g.id > 3 {
		if g.chance(25) {
			p.delivery = "body"
			members = append(members, `"delivery":"body"`)
		} else if g.chance(10) {
			members = append(members, `"delivery":"cookie"`)
		}
		if g.chance(30) {
			members = append(members, `"device_id":`+quote(among(g, "phone-1", "phone-2", "téléphone", strings.Repeat("d", 128), "a b", ref("session", g.known(), ""), "<&>\u2028", "")))
		}
		if g.chance(30) {
			members = append(members, `"device_name":`+quote(among(g, "Alice's phone", "日本語", strings.Repeat("n", 128), "<script>&amp;", "\u2028 \u2029", "tab", "😀", "")))
		}
		if g.chance(20) {
			members = append(members, `"client_type":`+quote(among(g, "phone", "web", "a_b-9", strings.Repeat("c", 32))))
		}
		g.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		if g.chance(40) {
			g.cookies(r)
		}
		g.decorate(r)
	}
	g.carryAs(r, "{"+strings.Join(members, ",")+"}", "application/json")
	g.pairs = append(g.pairs, p)
	return r
}

func (g *source) badLogin() *request {
	r := g.bare("bad login", "POST", auth+"/login")
	g.carry(r, among(g,
		`{"username":"alice","password":"wrong"}`,
		`{"username":"nobody","password":"correct-horse"}`,
		`{"username":"Alice","password":"correct-horse"}`,
		`{"username":"alice ","password":"correct-horse"}`,
		`{"username":"","password":"x"}`,
		`{"username":"alice"}`,
		`{"username":"alice","password":"correct-horse","delivery":"mail"}`,
		`{"username":"alice","password":"correct-horse","client_type":"Web"}`,
		`{"username":"alice","password":"correct-horse","client_type":""}`,
		`{"username":"alice","password":"correct-horse","device_id":"a\nb"}`,
		`{"username":"alice","password":"correct-horse","device_name":"`+strings.Repeat("n", 129)+`"}`,
		`{"USERNAME":"alice","Password":"correct-horse"}`,
		`{"username":["alice"],"password":"correct-horse"}`,
		g.oddBody("{}"),
	))
	if g.chance(30) {
		g.cookies(r)
	}
	g.decorate(r)
	return r
}

func (g *source) refresh() *request {
	r := g.bare("refresh", "POST", auth+"/refresh")
	of := g.pair()
	if g.chance(80) { // mostly the token that is not spent
		of = g.latest(of)
	}
	token := ref("refresh", of.id, g.bend(4, "flipped", "cut", "upper", "longer"))
	if of == g.latest(of) {
		r.after = of.id
		g.pairs = append(g.pairs, pair{id: r.id, user: of.user, delivery: of.delivery, login: of.login})
	}
	body, device := "", ""
	if g.chance(12) {
		device = `,"device_id":` + quote(among(g, "phone-1", "phone-2", "a b", strings.Repeat("d", 129), ""))
	}
	inCookie := of.delivery == "cookie" != g.chance(8)
	if inCookie {
		g.cookiesWith(r, token, of)
		if g.chance(12) {
			body = `{"refresh_token":"` + among(g, token, token, ref("refresh", g.known(), "")) + `"` + device + `}`
		}
	} else {
		body = `{"refresh_token":"` + token + `"` + device + `}`
		if g.chance(10) {
			g.cookies(r)
		}
	}
	if body == "" && g.chance(20) {
		body = "{}"
	}
	if body != "" || g.chance(3) {
		g.carry(r, body)
	} else if g.chance(60) {
		r.framing = "length"
	}
	if g.chance(10) {
		g.authorize(r, "")
	}
	g.decorate(r)
	return r
}

func (g *source) logout() *request {
	r := g.bare("logout", "POST", auth+"/logout")
	of := g.pair()
	g.again = of.user
	var members []string
	if g.chance(45) {
		g.authorize(r, "")
	}
	if g.chance(45) {
		g.cookiesWith(r, ref("refresh", of.id, g.bend(8, "flipped", "cut")), of)
	}
	if g.chance(25) {
		members = append(members, `"refresh_token":"`+ref("refresh", g.known(), g.bend(8, "flipped"))+`"`)
	}
	if g.chance(15) {
		members = append(members, `"all":`+among(g, "true", "false", `"true"`, "null"))
	}
	if members != nil || g.chance(30) {
		g.carry(r, "{"+strings.Join(members, ",")+"}")
	}
	g.decorate(r)
	return r
}

func (g *source) revoke() *request {
	id := among(g, ref("session", g.known(), ""), ref("session", g.known(), ""), ref("session", g.known(), "upper"), "", "nothing", strings.Repeat("a", 26))
	return g.post("revoke", auth+"/sessions/revoke", `{"session_id":"`+id+`"}`)
}

func (g *source) password() *request {
	old := among(g, "correct-horse", "battery-staple", "paper-clip", "tr0ub4dor-and-3", "wrong")
	to := old // the others need theirs later
	if old == "battery-staple" {
		to = "paper-clip"
	} else if old == "paper-clip" {
		to = "battery-staple"
	}
	return g.post("password", "/api/v1/password", `{"old":`+quote(old)+`,"new":`+quote(among(g, to, to, to, ""))+`}`)
}

// confirm never has a right code: which is right when is the time's to say, and from
// then on the user would not be signed in by a password alone. See TestSecondFactor.
func (g *source) confirm() *request {
	return g.post("totp/confirm", "/api/v1/totp/confirm", among(g, `{"code":"abcdef"}`, `{"code":"abcdef"}`, `{"code":" "}`, `{"code":""}`, `{"code":123456}`, `{}`))
}

// stepUp never completes what waits, since nothing does.
func (g *source) stepUp() *request {
	r := g.bare("step-up", "POST", auth+"/step-up")
	pending := among(g, "sppt_x", "x", ref("refresh", g.known(), ""), ref("device", g.known(), ""))
	g.carry(r, `{"pending":"`+pending+`","code":"abcdef"`+among(g, "", `,"delivery":"body"`, `,"delivery":"mail"`, `,"device_id":"a\u0000b"`)+`}`)
	if g.chance(30) {
		g.cookies(r)
	}
	g.decorate(r)
	return r
}

func (g *source) admin() *request {
	user := g.user()
	segment := among(g, user, user, g.segment())
	target := func(path string) string { return admin + "/users/" + segment + path }
	var r *request
	switch g.IntN(11) {
	case 0, 1:
		r = g.bare("tokens", "GET", target("/tokens"))
	case 2, 3:
		r = g.bare("token-count", "GET", target("/token-count"))
	case 4:
		r = g.bare("user logout", "POST", target("/logout"))
		if g.chance(70) { // mostly of nobody: else all would be out all the time
			r.target = admin + "/users/" + g.segment() + "/logout"
		} else {
			g.again = user
		}
		g.carry(r, g.object())
	case 5:
		r = g.bare("trim", "POST", target("/trim"))
		g.carry(r, `{"keep":`+among(g, "1", "2", "3", "5", "256", "257", "0", "-1", "1.0", "1e1", `"5"`, "null", "99999999999999999999")+`}`)
	case 6:
		r = g.bare("tokens/revoke", "POST", admin+"/tokens/revoke")
		of := g.known()
		g.carry(r, among(g,
			`{"token":"`+ref("access", of, g.bend(25, "expired", "foreign", "flipped", "cut"))+`"}`,
			`{"token":"`+ref("refresh", of, g.bend(10, "flipped"))+`"}`,
			`{"user_id":"`+user+`","session_id":"`+ref("session", of, "")+`"}`,
			`{"user_id":"`+user+`","session_id":"nothing"}`,
			`{"token":"x","user_id":"alice"}`,
			`{"user_id":"alice"}`, `{"token":""}`))
	case 7:
		r = g.bare("tokens/lookup", "POST", admin+"/tokens/lookup")
		what := among(g, "access", "access", "refresh", "device", "session")
		g.carry(r, `{"token":"`+ref(what, g.known(), g.bend(25, "expired", "flipped", "cut", "upper"))+`"}`)
	case 8:
		r = g.bare("online", "POST", admin+"/online")
		g.carry(r, among(g,
			`{"user_ids":["alice","bob","root"]}`, `{"user_ids":["root","nobody","alice","root"]}`, `{"user_ids":[]}`, `{"user_ids":null}`,
			`{"user_ids":[""]}`, `{"user_ids":["a\u0000b"]}`, `{"user_ids":["`+strings.Repeat("u", 256)+`"]}`,
			`{"user_ids":[`+strings.Repeat(`"u",`, 1000)+`"alice"]}`, `{"user_ids":[`+strings.Repeat(`"u",`, 999)+`"alice"]}`))
	default:
		user := among(g, "alice", "bob", "al%69ce", "%62ob", segment)
		r = g.bare("active", "POST", admin+"/users/"+user+"/active")
		g.carry(r, `{"active":`+among(g, "true", "true", "true", "true", "false", "null", `"true"`, "1")+`}`)
		if user == segment && segment == "root" {
			r.target = admin + "/users/bob/active" // without root nothing goes on
		}
	}
	if g.chance(85) {
		g.authorize(r, "root")
	} else {
		g.authorize(r, "")
	}
	g.decorate(r)
	return r
}

func (g *source) user() string { return among(g, "alice", "bob", "root", "alice", "bob", "nobody") }

// pair picks a request that should have been answered with tokens, mostly a late one.
func (g *source) pair() pair {
	n := len(g.pairs)
	if g.chance(75) {
		return g.pairs[n-1-g.IntN(min(n, 4))]
	}
	return g.pairs[g.IntN(n)]
}

// latest picks the last one of a session.
func (g *source) latest(p pair) pair {
	for _, q := range g.pairs {
		if q.login == p.login {
			p = q
		}
	}
	return p
}

func (g *source) pairOf(user string) pair {
	of := slices.DeleteFunc(slices.Clone(g.pairs), func(p pair) bool { return p.user != user })
	n := len(of)
	return of[n-1-g.IntN(min(n, 3))]
}

func (g *source) known() int { return g.pair().id }

// bend says, so often in a hundred, how a token is bent.
func (g *source) bend(percent int, how ...string) string {
	if g.chance(percent) {
		return among(g, how...)
	}
	return ""
}

// object is a body for a route that takes nothing.
func (g *source) object() string { return among(g, "", "", "{}", "{}", `{"unknown":[1,{"a":null}]}`) }

func quote(s string) string { return `"` + strings.NewReplacer("\\", `\\`, `"`, `\"`).Replace(s) + `"` }

func many(format string, n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(format, i))
	}
	return out
}
