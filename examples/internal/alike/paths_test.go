package alike

import (
	"fmt"
	"strings"
)

// segment is a user in a path, odd or not, that every server has to read alike.
func (g *source) segment() string {
	return among(g,
		"al%69ce", "%61lice", "alice%2Fx", "alice%2fx", "%2F", "%25", "alice%252Fx", "a+b", "a%2Bb", "a%20b", "b%C3%B3b", "b\xc3\xb3b", "%F0%9F%98%80",
		"%00", "%0a", "%7F", "%FF", "%C3", "alice%3Fq", "alice%23f", ";x", "alice;v=1", "alice:1", ":user", "*", "{x}", "%7Bx%7D", "a@b", "~", "a'b", "%5C", "%7E", "%22", "a,b", "a=b", "a&b", "$", "!",
		"(a)", "%2A", strings.Repeat("u", 255), strings.Repeat("u", 256), strings.Repeat("u", 3000), strings.Repeat("%75", 300), "Alice", "tokens", "users", "...", "a..b", ".a", "%E2%80%A8", "<b>", "%3Cb%3E", "[a]", "a|b", "a^b", "a\"b", "a\\b", "`")
}

// elsewhere asks for what is no route, or a route's but for its spelling. What a
// framework makes of it is its own, so it must change nothing.
func (g *source) elsewhere() *request {
	rt := among(g, routes...)
	target := strings.ReplaceAll(rt.path, "{user}", "alice")
	target = among(g,
		"/", "/api", "/api/v1", "/api/v1/", auth, auth+"/", "/api/v1/auth/nothing", "/favicon.ico", "/api/v2/me", "/admin", "/index.html", "/api/v1/admin/users/alice", "/api/v1/admin/users",
		target+"/", "/"+target, target+"/x", strings.ToUpper(target), strings.Replace(target, "/api", "/API", 1), "/x/.."+target, "/."+target, strings.Replace(target, "v1/", "v1//", 1),
		strings.Replace(target, "e", "%65", 1), strings.Replace(target, "/v1", "%2Fv1", 1), target+"%20", target+";x", "http://"+host+target, admin+"/users//tokens", admin+"/users/./tokens", admin+"/users/../tokens",
		admin+"/users/%2E%2E/tokens", admin+"/users/%2E/token-count", admin+"/users/..%2Falice/tokens", target+"%00", "/"+strings.Repeat("a/", 200))
	r := g.bare("elsewhere", rt.method, target)
	switch {
	case rt.method == "GET":
		g.authorize(r, "root")
	case g.chance(50):
		g.carryAs(r, "{}", "application/json")
	}
	if g.chance(15) {
		r.method = among(g, "HEAD", "PUT", "OPTIONS")
	}
	if g.chance(20) {
		g.sites(r)
	}
	return r
}

// otherMethod asks for a route with a method that it has not.
func (g *source) otherMethod() *request {
	rt := among(g, routes...)
	r := g.bare("another method", among(g, "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT", "PROPFIND", "get", "PoST", "M-SEARCH", "X"), strings.ReplaceAll(rt.path, "{user}", "alice"))
	for r.method == rt.method {
		r.method = among(g, "PUT", "OPTIONS", "DELETE", "HEAD")
	}
	g.authorize(r, "")
	g.decorate(r)
	if g.chance(40) && r.method != "HEAD" && r.method != "GET" && r.method != "CONNECT" {
		g.carry(r, g.object())
	}
	r.apart = true
	return r
}

// oddHTTP is a request that a server need not understand, or is rarely sent. It
// reads, and changes nothing, whoever understands it. There are no lines without a
// colon among them: fasthttp waits 15 s for more of those.
func (g *source) oddHTTP() *request {
	r := g.bare("odd HTTP", "GET", among(g, "/api/v1/me", auth+"/sessions", "/healthz"))
	of := g.pair()
	r.headers = append(r.headers, "Authorization: Bearer "+ref("access", of.id, ""))
	r.apart = true
	add := func(odd string, lines ...string) {
		r.odd = odd
		r.headers = append(r.headers, lines...)
	}
	const kind = "Content-Type: application/json"
	posted := func(odd, body string, lines ...string) {
		r.method, r.target, r.framing, r.body = "POST", auth+"/refresh", "own", body
		r.headers = r.headers[:1]
		add(odd, append(lines, kind)...)
	}
	switch g.IntN(29) {
	case 0:
		r.odd, r.headers = "no Host", r.headers[1:]
	case 1:
		add("two Hosts", "Host: other.example.com")
	case 2:
		add("a space before a colon", "X-Odd : a")
	case 3:
		add("", "X-Odd: a\r\n b")
	case 4:
		r.odd, r.method, r.target = "an asterisk", among(g, "OPTIONS", "PUT"), "*"
	case 5:
		add("a header without a name", ": x")
	case 6:
		add("a name with a character that it can't have", "X(Odd): a")
	case 7:
		add("a NUL in a header", "X-Odd: a\x00b")
	case 8:
		add("a bare CR in a header", "X-Odd: a\rb")
	case 9:
		add("a bare LF", "X-Odd: a\nX-More: b")
	case 10:
		r.odd, r.version = "another version", among(g, "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10", "http/1.1", "HTTPS/1.1")
	case 11:
		r.odd, r.target = "a space in the path", "/api/v1/m e"
	case 12:
		r.odd, r.target = "no slash before the path", "api/v1/me"
	case 13:
		add("more header than a server takes", many("X-Long-%d: "+strings.Repeat("x", 8000), 12)...)
	case 14:
		posted("", "2\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked", "Content-Length: 2")
	case 15:
		posted("two lengths", "{} ", "Content-Length: 2", "Content-Length: 3")
	case 16:
		posted("the same length twice", "{}", "Content-Length: 2", "Content-Length: 2")
	case 17:
		posted("a length that is no number", "{}", among(g, "Content-Length: x", "Content-Length: -1", "Content-Length: +2", "Content-Length: 2, 2", "Content-Length: 0x2", "Content-Length:"))
	case 18:
		posted("chunks that are none", among(g, "x\r\n{}\r\n0\r\n\r\n", "2\r\n{}x\r\n0\r\n\r\n", "-2\r\n{}\r\n0\r\n\r\n", "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n"), "Transfer-Encoding: chunked")
	case 19:
		posted("an unknown coding", "2\r\n{}\r\n0\r\n\r\n", among(g, "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: xchunked", "Transfer-Encoding: CHUNKED", "Transfer-Encoding: chunked, chunked"))
	case 20:
		posted("", among(g, "2;a=b\r\n{}\r\n0\r\n\r\n", "2\r\n{}\r\n0\r\nX-Trailer: y\r\n\r\n", "2 \r\n{}\r\n0\r\n\r\n", "02\r\n{}\r\n00\r\n\r\n"), "Transfer-Encoding: chunked")
	case 21:
		posted("an expectation that nobody knows", "{}", "Content-Length: 2", "Expect: "+among(g, "200-ok", "100-Continue", "100-continue, x"))
	case 22:
		r.odd, r.target = "a path that can't be decoded", admin+"/users/"+among(g, "a%2", "%zz", "%", "a%", "%2%46")+"/tokens"
		r.headers[1] = "Authorization: Bearer " + ref("access", g.pairOf("root").id, "")
	case 23:
		r.odd, r.target = "a byte in the path that it can't have", admin+"/users/"+among(g, "a\\b", "a\"b", "<b>", "a|b", "a\x7fb", "a\x03b")+"/tokens"
		r.headers[1] = "Authorization: Bearer " + ref("access", g.pairOf("root").id, "")
	case 24:
		add("a control character in a header", "X-Odd: a\x7fb")
	case 25:
		posted(identity, "x", "Transfer-Encoding: identity")
	case 26:
		posted(twoTypes, `{"old":"","new":""}`, "Content-Length: 19", "Content-Type: text/plain")
		r.target = "/api/v1/password"
		g.authorize(r, "")
	case 27:
		r.odd, r.target = "a fragment", "/api/v1/me#x"
	default:
		add("a protocol to change to", "Connection: Upgrade", fmt.Sprintf("Upgrade: %s", among(g, "websocket", "h2c", "TLS/1.0")), "HTTP2-Settings: AAMAAABkAAQAAP__")
	}
	return r
}
