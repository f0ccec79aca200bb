package adaptertest

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/sallyport-go/sallyport/core"
)

var requestCases = []testCase{
	{
		"request/method",
		"Method is the request's method.",
		methods,
	},
	{
		"request/host",
		"Host is what the Host header says, its port included, whatever X-Forwarded-Host or Forwarded say.",
		hosts,
	},
	{
		"request/header",
		"Header returns all lines of a header in their order, joined by \", \", in whatever letter case they were sent or are asked for; \"\" if there are none.",
		headers,
	},
	{
		"request/header-bytes",
		"A header's value is the bytes that were sent, without the white space around it: nothing is decoded, unquoted, split or made UTF-8.",
		headerBytes,
	},
	{
		"request/header-borrowed",
		"BorrowHeader, where a Request has it, returns what Header returns.",
		headersBorrowed,
	},
	{
		"request/peer",
		"Peer is the address at the other end of the connection, whatever headers say.",
		peers,
	},
	{
		"request/strings-stay",
		"Strings and bodies that a Request returned stay as they are after the handler has returned, whatever the connection carries then.",
		stringsStay,
	},
}

func methods(k *kit) {
	p := k.probe(App{})
	for _, m := range probeMethods {
		p.show(wire(m, probePath, "Content-Length: 0", "X-HTTP-Method-Override: TRACE"), func(r core.Request) {
			k.equal(m+": Method", r.Method(), m)
		})
	}
}

func hosts(k *kit) {
	p := k.probe(App{})
	for _, host := range []string{"kit.example", "kit.example:8443", "127.0.0.1:80", "[::1]:8080", "xn--bcher-kva.example", "localhost"} {
		raw := wire("GET", probePath, "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example", "Host: "+host)
		p.show(raw, func(r core.Request) { k.equal("Host", r.Host(), host) })
	}
}

func headers(k *kit) {
	p := k.probe(App{})
	for _, tt := range []struct {
		rule  string
		lines []string
		name  string
		want  string
	}{
		{"one line", []string{"X-Kit: a"}, "X-Kit", "a"},
		{"none", nil, "X-Kit", ""},
		{"an empty one", []string{"X-Kit:"}, "X-Kit", ""},
		{"several lines, others between", []string{"X-Kit: c", "X-Other: -", "X-Kit: a", "X-Kit: b"}, "X-Kit", "c, a, b"},
		{"the same line twice", []string{"X-Kit: a", "X-Kit: a"}, "X-Kit", "a, a"},
		{"an empty line among several", []string{"X-Kit: a", "X-Kit:", "X-Kit: b"}, "X-Kit", "a, , b"},
		{"commas inside stay", []string{"X-Kit: a,b,  c", "X-Kit: d"}, "X-Kit", "a,b,  c, d"},
		{"sent in any case", []string{"x-kit: a", "X-KIT: b", "X-Kit: c"}, "X-Kit", "a, b, c"},
		{"asked for in lower case", []string{"X-Kit: a", "X-Kit: b"}, "x-kit", "a, b"},
		{"asked for in upper case", []string{"X-Kit: a", "x-kit: b"}, "X-KIT", "a, b"},
		{"a name that begins alike", []string{"X-Kit-Long: a", "X-Ki: b"}, "X-Kit", ""},

		// What core reads, and frameworks like to treat apart.
		{"a token twice is two tokens", []string{"Authorization: Bearer a", "Authorization: Bearer b"}, "Authorization", "Bearer a, Bearer b"},
		{"Origin", []string{"Origin: https://a.example", "Origin: https://b.example"}, "Origin", "https://a.example, https://b.example"},
		{"Sec-Fetch-Site", []string{"Sec-Fetch-Site: same-origin", "sec-fetch-site: cross-site"}, "Sec-Fetch-Site", "same-origin, cross-site"},
		{"X-Forwarded-For", []string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2, 192.0.2.3"}, "X-Forwarded-For", "192.0.2.1, 192.0.2.2, 192.0.2.3"},
		{"Forwarded", []string{`Forwarded: for="[2001:db8::1]:80"`, "Forwarded: for=192.0.2.2"}, "Forwarded", `for="[2001:db8::1]:80", for=192.0.2.2`},
		{"User-Agent", []string{"user-agent: Kit/1 (a; b) x"}, "User-Agent", "Kit/1 (a; b) x"},
		{"no User-Agent", nil, "User-Agent", ""},
		{"Content-Type", []string{"content-type: Application/JSON; charset=utf-8"}, "Content-Type", "Application/JSON; charset=utf-8"},
		{"no Content-Type", nil, "Content-Type", ""},
	} {
		p.show(wireBody("POST", probePath, "", tt.lines...), func(r core.Request) {
			k.equal(fmt.Sprintf("%s: Header(%q)", tt.rule, tt.name), r.Header(tt.name), tt.want)
		})
	}
}

func headerBytes(k *kit) {
	p := k.probe(App{})
	for _, value := range []string{
		"caf\xe9", "café", "\xff\xfe\x80", `"quoted"`, `a\b`, "a%20b", "a+b", "a\tb", "a  b", "a;b=c", "=?utf-8?q?a?=", strings.Repeat("long ", 400) + ".",
	} {
		p.show(wire("GET", probePath, "X-Kit: "+value), func(r core.Request) { k.equal("Header", r.Header("X-Kit"), value) })
		p.show(wire("GET", probePath, "X-Kit: \t"+value+" \t"), func(r core.Request) {
			k.equal("white space around it: Header", r.Header("X-Kit"), value)
		})
	}
}

func peers(k *kit) {
	p := k.probe(App{})
	// A machine may have no second address: then the first has to do.
	for _, local := range []string{"127.0.0.1", "127.0.0.9"} {
		conn, err := p.dialFrom(&net.TCPAddr{IP: net.ParseIP(local)})
		if err != nil && local != "127.0.0.1" {
			continue
		} else if err != nil {
			k.fatalf("dialing the server: %v", err)
		}
		p.conn = conn
		want := netip.MustParseAddr(local)
		for _, lines := range [][]string{
			nil,
			{"X-Forwarded-For: 192.0.2.1"},
			{"X-Forwarded-For: 192.0.2.1, 192.0.2.2", "X-Real-IP: 192.0.2.3", "Forwarded: for=192.0.2.4"},
			{"CF-Connecting-IP: 192.0.2.1", "True-Client-IP: 192.0.2.2", "X-Client-IP: 192.0.2.3"},
			{"X-Forwarded-For: ::1", "X-Real-IP: ::1"},
		} {
			p.show(wire("GET", probePath, lines...), func(r core.Request) {
				if got := r.Peer(); got.Unmap() != want {
					k.errorf("%v: Peer: got %v, want %v", lines, got, want)
				}
			})
		}
	}
}

func headersBorrowed(k *kit) {
	p := k.probe(App{})
	for _, lines := range [][]string{
		nil,
		{"Authorization: Bearer a"},
		{"Authorization:"},
		{"Authorization: \t Bearer a \t"},
		{"authorization: bearer  a"},
		{"AUTHORIZATION: Basic a, b"},
		{"Authorization: Bearer a", "Authorization: Bearer b"},
		{"Authorization: Bearer a", "authorization:", "AUTHORIZATION: Bearer b"},
		{"Authorization: Bearer \xff\xc3", "X-Authorization: Bearer c"},
		{"Authorization: " + strings.Repeat("a", 3000)},
	} {
		p.show(wire("GET", probePath, lines...), func(r core.Request) {
			b, ok := r.(core.HeaderBorrower)
			if !ok {
				k.skip("its Request has no BorrowHeader")
			}
			for _, name := range []string{"Authorization", "authorization", "X-Authorization", "User-Agent"} {
				k.equal(fmt.Sprintf("%s of %q", name, lines), strings.Clone(b.BorrowHeader(name)), r.Header(name))
			}
		})
	}
}

// kept is what a route kept of a request: each with what it was then, and is to be.
type kept struct {
	what  string
	value string
	body  []byte // instead of value
	want  string
}

func stringsStay(k *kit) {
	p := k.probe(App{})
	var all []kept
	keep := func(what, value, want string) { all = append(all, kept{what: what, value: value, want: want}) }
	for i := range 200 {
		mark := fmt.Sprintf("%04d", i)
		lines := []string{
			"Host: " + mark + ".example", "User-Agent: agent " + mark, "X-Kit: one " + mark, "X-Kit: two " + mark,
			"Cookie: a=" + mark + "; b=first" + mark, "Cookie: b=second" + mark,
		}
		look := func(r core.Request) {
			keep("Host", r.Host(), mark+".example")
			keep("Header of one line", r.Header("User-Agent"), "agent "+mark)
			keep("Header of two lines", r.Header("X-Kit"), "one "+mark+", two "+mark)
			for j, c := range r.Cookies("b") {
				keep("Cookies", c, []string{"first", "second"}[j%2]+mark)
			}
		}
		p.show(wire("GET", fmt.Sprintf(usersPath, "user"+mark), lines...), func(r core.Request) {
			look(r)
			keep("Method", r.Method(), "GET")
			keep("Param", r.Param("user"), "user"+mark)
		})
		method := []string{"POST", "PUT", "PATCH", "DELETE"}[i%4]
		p.show(wireBody(method, probePath, "body "+mark, lines...), func(r core.Request) {
			look(r)
			keep("Method", r.Method(), method)
			body, err := r.Body(100)
			if err != nil {
				k.errorf("Body: got error %v", err)
			}
			all = append(all, kept{what: "Body", body: body, want: "body " + mark})
		})
	}
	for _, s := range all {
		if s.body != nil {
			s.value = string(s.body)
		}
		k.equal(s.what+", afterwards", s.value, s.want)
	}
}
