package alike

import "strings"

// authorize gives a request an access token, of a user or of anybody: in the way
// that it should, or in another.
func (g *source) authorize(r *request, user string) {
	of := g.pair()
	if user != "" {
		of = g.pairOf(user)
	}
	token := ref("access", of.id, g.bend(7, "flipped", "cut", "upper", "longer", "expired", "future", "foreign", "unsigned"))
	name := "Authorization: "
	if g.chance(10) {
		name = among(g, "authorization: ", "AUTHORIZATION:", "aUTHORIZATION:  ", "Authorization:\t")
	}
	if g.chance(84) {
		r.headers = append(r.headers, name+"Bearer "+token)
		return
	}
	other := ref("access", g.known(), "")
	lines := among(g,
		nil, nil,
		[]string{"bearer " + token}, []string{"BEARER   " + token}, []string{"Bearer\t" + token}, []string{"Bearer " + token + " \t"},
		[]string{"Bearer " + token, "Bearer " + token}, []string{"Bearer " + token, "Bearer " + other}, []string{"Basic YTpi", "Bearer " + token},
		[]string{"Bearer " + token, "Basic YTpi"}, []string{"Bearer " + token, ""}, []string{"", "Bearer " + token},
		[]string{"Bearer"}, []string{"Bearer "}, []string{"Bearer " + token + " x"}, []string{"Bearer " + token + ",Bearer " + token},
		[]string{""}, []string{"Token " + token}, []string{"Basic YTpi"}, []string{token}, []string{"Bearer \"" + token + "\""},
		[]string{"Bearer " + strings.Repeat("a", 9000)}, []string{"Bearer \xff\xfe"}, []string{"Bearer é"}, []string{"Bearer=" + token},
		[]string{"Bearer " + ref("refresh", of.id, "")}, []string{"Bearer " + ref("device", of.id, "")}, []string{"Bearer  " + token},
		[]string{"Digest username=\"a\", realm=\"b\""}, []string{"Bearer ..", "x"}, []string{"Bearer a.b.c"},
	)
	for _, line := range lines {
		r.headers = append(r.headers, name+line)
	}
	if lines == nil {
		switch g.IntN(4) { // the wrong place
		case 0:
			r.target += "?access_token=" + token
		case 1:
			r.headers = append(r.headers, "Cookie: access_token="+token)
		case 2:
			r.headers = append(r.headers, "X-Authorization: Bearer "+token, "Proxy-Authorization: Bearer "+token)
		}
	}
}

// cookies gives a request the cookies that some browser has.
func (g *source) cookies(r *request) {
	of := g.pair()
	g.cookiesWith(r, ref("refresh", of.id, g.bend(5, "flipped", "cut")), of)
}

// cookiesWith gives a request a refresh token in a cookie, besides others.
func (g *source) cookiesWith(r *request, token string, of pair) {
	p := g.profile
	parts := []string{p.cookie + "=" + token}
	if g.chance(75) {
		parts = append(parts, p.device+"="+ref("device", of.id, g.bend(5, "flipped", "cut", "upper")))
	}
	if g.chance(12) { // a second one
		parts = append(parts, among(g,
			p.cookie+"="+token, p.cookie+"="+ref("refresh", g.known(), ""), p.cookie+"=", p.cookie+"=x", p.cookie+`="`+token+`"`,
			p.device+"="+ref("device", g.known(), ""), p.device+"=garbage", p.device+"=", p.cookie))
	}
	if g.chance(12) { // one like it
		parts = append(parts, among(g,
			"x"+p.cookie+"=x", p.cookie+"x=x", strings.ToUpper(p.cookie)+"=x", " "+p.cookie+" =x", p.cookie+" =x", p.cookie+"[]=x", "$Path=/; x=y",
			"__Host-"+p.cookie+"=x", `"`+p.cookie+`"=x`, "%72efresh_token=x", "=x", "x", "a=b=c", "==", p.cookie+"\t=x"))
	}
	if g.chance(10) { // one that is odd
		parts = append(parts, among(g,
			"a=", "a=\"b;c\"", "a=b c", "a=\xff", "a=é", "a=\"", "a=b,c", "a=\\", "", ";;", "a="+strings.Repeat("c", 5000), "(a)=b", "ä=b"))
	}
	switch n := g.IntN(100); {
	case n < 6: // the token in quotes, which are no part of it to some
		parts[0] = p.cookie + `="` + token + `"`
	case n < 14: // the token, odd
		parts[0] = p.cookie + among(g,
			"= "+token, "="+token+" ", "="+token+" x", "="+token+",x", "=\xff"+token, `="`+token, "="+token+"%20", "="+token+"=", " = "+token, "=%22"+token+"%22",
			"="+token+"\\", `=" `+token+`"`, "=\t"+token, `=""`, `="`, "=a b", "=é", "=a\\b", "=a,b", "=a\"b", "")
	}
	g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	name := "Cookie: "
	if g.chance(10) {
		name = among(g, "cookie: ", "COOKIE:", "Cookie:\t ")
	}
	if g.chance(15) {
		for _, part := range parts {
			r.headers = append(r.headers, name+part)
		}
		return
	}
	between := "; "
	if g.chance(12) {
		between = among(g, ";", " ; ", ";;", ";\t", ", ", "; ; ")
	}
	r.headers = append(r.headers, name+strings.Join(parts, between)+g.bend(5, ";", "; ", " "))
}

// decorate gives a request headers that it can do without.
func (g *source) decorate(r *request) {
	add := func(lines ...string) { r.headers = append(r.headers, lines...) }
	if g.chance(30) {
		add(among(g,
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "User-Agent:", "User-Agent: "+strings.Repeat("u", 600),
			"User-Agent: "+strings.Repeat("v", 5000), "User-Agent: caf\xe9 \xff", "User-Agent: 日本語", "User-Agent: a\tb", "USER-AGENT: odd",
			"User-Agent: curl/8.5.0"))
	}
	fromElsewhere := map[string]int{"password": 50, "active": 20}[r.kind] // the app's own routes, which are few
	if g.chance(max(12, fromElsewhere)) {
		g.sites(r)
	}
	if g.chance(map[bool]int{true: 45, false: 8}[g.profile.header != ""]) {
		g.forwarded(r)
	}
	if g.chance(18) {
		add(among(g,
			"Accept: text/html", "Accept: */*;q=0.1", "Accept-Encoding: gzip, br", "Accept-Encoding: gzip", "Accept-Language: de", "Accept-Charset: utf-16",
			"If-None-Match: *", `If-None-Match: "x"`, "If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT", "If-Match: \"x\"", "Range: bytes=0-3", "Range: bytes=-1",
			"X-HTTP-Method-Override: DELETE", "X-Method-Override: GET", "X-Original-URL: /healthz", "X-Rewrite-URL: /healthz", "X-Forwarded-Prefix: /x",
			"X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "X-Real-IP: 198.51.100.9", "Cf-Connecting-Ip: 198.51.100.8", "True-Client-IP: 198.51.100.7",
			"Upgrade-Insecure-Requests: 1", "DNT: 1", "X-Empty:", "X-Long: "+strings.Repeat("x", 8000), "Cache-Control: no-cache", "Pragma: no-cache",
			"Access-Control-Request-Method: POST", "TE: trailers", "Keep-Alive: timeout=5", "Via: 1.1 proxy", "Max-Forwards: 0", "From: a@example.com",
			"Referer: https://evil.example/", "X-Requested-With: XMLHttpRequest", "X-Odd~!#$&'*+.^_`|: x", "x_under_score: y", "Early-Data: 1", "Content-Language: de", "Content-Length-X: 3",
			"X-Bytes: \x80\xff", "Prefer: return=minimal", "Accept: application/problem+xml"))
	}
	if g.chance(4) {
		add(among(g, "Connection: close", "Connection: keep-alive", "Connection: Close, TE", "Connection: x"))
	}
	if g.chance(2) {
		add(many("X-Many-%d: y", 60)...)
	}
	if g.chance(8) && !strings.Contains(r.target, "?") {
		r.target += among(g, "?", "?a=b", "?access_token=x&username=alice", "?a=%zz", "?a;b", "?user=bob", "?%00", "?a=b?c", "??", "?é", "?"+strings.Repeat("q", 3000))
	}
	if g.chance(2) {
		r.headers[0] = among(g, "Host: APP.example.com", "Host: app.example.com:443", "host: app.example.com", "Host: other.example.com", "Host: [::1]:80", "Host:app.example.com", "Host: app.example.com ")
	}
	if g.chance(1) {
		r.version = "HTTP/1.0"
	}
	if g.chance(50) { // the first is Host
		g.Shuffle(len(r.headers)-1, func(i, j int) { r.headers[i+1], r.headers[j+1] = r.headers[j+1], r.headers[i+1] })
	}
}

// sites tells where the page is that sends a request.
func (g *source) sites(r *request) {
	if g.chance(60) {
		r.headers = append(r.headers, "Sec-Fetch-Site: "+among(g, "same-origin", "same-origin", "none", "same-site", "cross-site", "", "Same-Origin", "x", "same-origin, cross-site"))
		if g.chance(10) {
			r.headers = append(r.headers, "Sec-Fetch-Site: "+among(g, "same-origin", "cross-site"))
		}
	}
	if g.chance(60) {
		origins := append([]string{"http://" + host, "https://" + host, "https://evil.example", "null", "", "https://" + strings.ToUpper(host), "https://" + host + ":443", "http://" + host + ".evil.example", "x", "https://" + host + ", https://evil.example", "http://[", "\xff"}, g.profile.origins...)
		r.headers = append(r.headers, "Origin: "+among(g, origins...))
		if g.chance(10) {
			r.headers = append(r.headers, "Origin: "+among(g, origins...))
		}
	}
}

// forwarded tells whom a proxy speaks for.
func (g *source) forwarded(r *request) {
	hop := func() string {
		return among(g, "203.0.113.7", "203.0.113.7", "198.51.100.1", "10.0.0.1", "10.9.9.9", "127.0.0.1", "127.0.0.2", "127.0.0.2", "2001:db8::1", "[2001:db8::2]:443", "192.0.2.1:1234", "::ffff:192.0.2.9",
			"unknown", "", "garbage", "300.1.1.1", "fe80::1%eth0", "10.0.0.1:x", "0x7f.1", "192.0.2.1:99999", "_hidden", "2400:cb00::1", "1.2.3.4 5.6.7.8", "\xff")
	}
	chain := func() string {
		list := []string{hop()}
		for g.chance(50) {
			list = append(list, hop())
		}
		return strings.Join(list, among(g, ", ", ",", " ,\t", ", "))
	}
	node := func() string {
		h := hop()
		if strings.ContainsAny(h, ":[") || g.chance(20) {
			h = `"` + h + `"`
		}
		return among(g, "for=", "For=", "for=", "by=1.1.1.1;for=", "for = ", "proto=https; for=") + h + g.bend(20, ";proto=https", ";by=10.0.0.1", ";", `;x="a,b"`, `;x="a\"b"`, `"`)
	}
	nodes := func() string {
		list := []string{node()}
		for g.chance(50) {
			list = append(list, node())
		}
		return strings.Join(list, ", ")
	}
	for range among(g, 1, 1, 1, 2, 3) {
		name, value := "X-Forwarded-For", chain()
		if g.profile.header == "Forwarded" != g.chance(10) {
			name, value = "Forwarded", nodes()
		}
		if g.chance(10) {
			name = strings.ToLower(name)
		}
		r.headers = append(r.headers, name+": "+value)
	}
}
