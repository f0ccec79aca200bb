package core

import (
	"net/netip"
	"strings"
	"testing"
)

// ours are the trusted proxies of most tests, with host bits and one that is
// written IPv4-mapped.
var ours = []string{"10.1.2.3/8", "::ffff:172.16.0.0/108", "2001:db8:a::/48"}

func parsePrefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

func mustProxies(tb testing.TB, standard bool, trusted ...string) proxies {
	tb.Helper()
	p, err := newProxies(parsePrefixes(trusted...), headerName(standard))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func headerName(standard bool) string {
	if standard {
		return "Forwarded"
	}
	return "X-Forwarded-For"
}

// says is a request that has a value for every header: the one asked for, and a
// lie in all others.
func says(standard bool, value string) func(string) string {
	return func(name string) string {
		if name == headerName(standard) {
			return value
		}
		return "192.0.2.66, for=192.0.2.66"
	}
}

type addrCase struct {
	rule string
	peer string
	sent string // what has arrived, lines joined
	want string // "": invalid
}

func (c addrCase) check(t *testing.T, standard bool) {
	t.Helper()
	var peer netip.Addr
	if c.peer != "" {
		peer = netip.MustParseAddr(c.peer)
	}
	var want netip.Addr
	if c.want != "" {
		want = netip.MustParseAddr(c.want)
	}
	if got := mustProxies(t, standard, ours...).client(peer, says(standard, c.sent)); got != want {
		t.Errorf("%s %s\npeer %s, %s: %q\ngot %v, want %v", headerName(standard), c.rule, c.peer, headerName(standard), c.sent, got, want)
	}
	if len(c.sent) > 10_000 { // the oracle is slow
		return
	}
	if got := oracle(peer, c.sent, standard, ours...); got != want {
		t.Errorf("%s %s: the oracle says %v of %q, the table %v", headerName(standard), c.rule, got, c.sent, want)
	}
}

// The spoof table of X-Forwarded-For (P35). 192.0.2.66 is always a lie.
var xffCases = []addrCase{
	{"an untrusted peer is the client", "198.51.100.7", "192.0.2.66", "198.51.100.7"},
	{"an untrusted peer may not name a proxy either", "198.51.100.7", "192.0.2.66, 10.0.0.2", "198.51.100.7"},
	{"a peer just outside of the prefix", "11.0.0.0", "192.0.2.66", "11.0.0.0"},
	{"no peer: nobody is believed", "", "192.0.2.66", ""},
	{"a peer's own form", "::ffff:198.51.100.7", "", "198.51.100.7"},
	{"a peer's zone", "fe80::1%eth0", "192.0.2.66", "fe80::1"},
	{"no header", "10.0.0.1", "", "10.0.0.1"},
	{"one proxy", "10.0.0.1", "203.0.113.9", "203.0.113.9"},
	{"one proxy, forged left part", "10.0.0.1", "192.0.2.66, 203.0.113.9", "203.0.113.9"},
	{"two proxies", "10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"},
	{"two proxies, forged left part", "10.0.0.1", "192.0.2.66, 203.0.113.9, 10.0.0.2", "203.0.113.9"},
	{"forged proxies left of the client", "10.0.0.1", "192.0.2.66, 10.0.0.9, 203.0.113.9, 10.0.0.2", "203.0.113.9"},
	{"three proxies of three prefixes", "10.0.0.1", "192.0.2.66,2001:db8:b::1,2001:db8:a::1,172.31.255.255", "2001:db8:b::1"},
	{"all hops trusted", "10.0.0.1", "10.0.0.4, 10.0.0.3, 10.0.0.2", "10.0.0.4"},
	{"the same hop twice", "10.0.0.1", "192.0.2.66, 203.0.113.9, 10.0.0.1, 10.0.0.1", "203.0.113.9"},
	{"a mapped peer is trusted", "::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"},
	{"a mapped prefix trusts", "172.16.0.1", "203.0.113.9", "203.0.113.9"},
	{"a mapped prefix ends", "172.32.0.0", "192.0.2.66", "172.32.0.0"},
	{"a trusted peer with a zone", "2001:db8:a::1%eth0", "203.0.113.9", "203.0.113.9"},
	{"an IPv6 prefix ends", "2001:db8:b::", "192.0.2.66", "2001:db8:b::"},
	{"a mapped hop", "10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"},
	{"a mapped hop in hexadecimal", "10.0.0.1", "::FFFF:cb00:7109", "203.0.113.9"},
	{"a mapped hop is trusted", "10.0.0.1", "192.0.2.66, 203.0.113.9, ::ffff:10.0.0.2", "203.0.113.9"},
	{"a hop's zone", "10.0.0.1", "fe80::1%eth0", "fe80::1"},
	{"a trusted hop with a zone", "10.0.0.1", "203.0.113.9, 2001:db8:a::1%eth0", "203.0.113.9"},
	{"a port", "10.0.0.1", "203.0.113.9:4711", "203.0.113.9"},
	{"a trusted hop's port", "10.0.0.1", "192.0.2.66, 203.0.113.9:1, 10.0.0.2:65535", "203.0.113.9"},
	{"brackets", "10.0.0.1", "[2001:db8::1]", "2001:db8::1"},
	{"brackets and a port", "10.0.0.1", "[2001:db8::1]:80, [2001:db8:a::1]:80", "2001:db8::1"},
	{"brackets, zone and a port", "10.0.0.1", "[fe80::1%eth0]:80", "fe80::1"},
	{"bare IPv6 has no port", "10.0.0.1", "2001:db8::1:80", "2001:db8::1:80"},
	{"spaces and tabs", "10.0.0.1", "192.0.2.66\t ,\t 203.0.113.9 \t,10.0.0.2\t", "203.0.113.9"},
	{"upper case", "10.0.0.1", "2001:DB8::ABCD", "2001:db8::abcd"},
	{"an empty hop ends it", "10.0.0.1", "192.0.2.66, , 10.0.0.2", "10.0.0.2"},
	{"an empty last hop ends it", "10.0.0.1", "192.0.2.66,", "10.0.0.1"},
	{"an empty line ends it", "10.0.0.1", "192.0.2.66, \t", "10.0.0.1"},
	{"only commas", "10.0.0.1", ",,,", "10.0.0.1"},
	{"unknown ends it", "10.0.0.1", "192.0.2.66, unknown, 10.0.0.2", "10.0.0.2"},
	{"a name is no address", "10.0.0.1", "192.0.2.66, localhost", "10.0.0.1"},
	{"two addresses are none", "10.0.0.1", "192.0.2.66, 203.0.113.9 203.0.113.10", "10.0.0.1"},
	{"a semicolon parts nothing", "10.0.0.1", "192.0.2.66; 203.0.113.9", "10.0.0.1"},
	{"octal", "10.0.0.1", "192.0.2.66, 0300.0.2.1", "10.0.0.1"},
	{"short forms", "10.0.0.1", "192.0.2.66, 127.1", "10.0.0.1"},
	{"a number", "10.0.0.1", "192.0.2.66, 3405803785", "10.0.0.1"},
	{"beyond 255", "10.0.0.1", "192.0.2.66, 203.0.113.256", "10.0.0.1"},
	{"a prefix is no address", "10.0.0.1", "192.0.2.66, 203.0.113.9/32", "10.0.0.1"},
	{"IPv4 has no zone", "10.0.0.1", "192.0.2.66, 203.0.113.9%eth0", "10.0.0.1"},
	{"an empty zone", "10.0.0.1", "192.0.2.66, fe80::1%", "10.0.0.1"},
	{"an empty port", "10.0.0.1", "192.0.2.66, 203.0.113.9:", "10.0.0.1"},
	{"a port beyond 65535", "10.0.0.1", "192.0.2.66, 203.0.113.9:65536", "10.0.0.1"},
	{"a signed port", "10.0.0.1", "192.0.2.66, 203.0.113.9:+80", "10.0.0.1"},
	{"a named port", "10.0.0.1", "192.0.2.66, [2001:db8::1]:http", "10.0.0.1"},
	{"two ports", "10.0.0.1", "192.0.2.66, 203.0.113.9:80:80", "10.0.0.1"},
	{"only a port", "10.0.0.1", "192.0.2.66, :80", "10.0.0.1"},
	{"an open bracket", "10.0.0.1", "192.0.2.66, [2001:db8::1", "10.0.0.1"},
	{"a stray bracket", "10.0.0.1", "192.0.2.66, 2001:db8::1]", "10.0.0.1"},
	{"IPv4 in brackets", "10.0.0.1", "192.0.2.66, [203.0.113.9]:80", "10.0.0.1"},
	{"text behind brackets", "10.0.0.1", "192.0.2.66, [2001:db8::1]80", "10.0.0.1"},
	{"empty brackets", "10.0.0.1", "192.0.2.66, []", "10.0.0.1"},
	{"quotes are not of this header", "10.0.0.1", `192.0.2.66, "203.0.113.9"`, "10.0.0.1"},
	{"a quote hides no comma", "10.0.0.1", `"192.0.2.66, 203.0.113.9, 10.0.0.2`, "203.0.113.9"},
	{"Forwarded in the wrong header", "10.0.0.1", "for=192.0.2.66", "10.0.0.1"},
	{"control bytes", "10.0.0.1", "192.0.2.66, 203.0.113.9\x00", "10.0.0.1"},
	{"a line break", "10.0.0.1", "192.0.2.66, 203.0.113.9\r\n", "10.0.0.1"},
	{"control bytes left of the client", "10.0.0.1", "\x00\xff\r\n, 203.0.113.9", "203.0.113.9"},
	{"digits of another script", "10.0.0.1", "192.0.2.66, 203.0.113.٩", "10.0.0.1"},
	{"very long, forged", "10.0.0.1", strings.Repeat("192.0.2.66, ", 10_000) + "203.0.113.9, 10.0.0.2", "203.0.113.9"},
	{"very long junk", "10.0.0.1", strings.Repeat("1", 100_000), "10.0.0.1"},
	{"very many trusted hops", "10.0.0.1", "203.0.113.9" + strings.Repeat(", 10.0.0.2", 10_000), "203.0.113.9"},
}

// The spoof table of Forwarded (P35).
var forwardedCases = []addrCase{
	{"an untrusted peer is the client", "198.51.100.7", "for=192.0.2.66", "198.51.100.7"},
	{"no peer: nobody is believed", "", "for=192.0.2.66", ""},
	{"no header", "10.0.0.1", "", "10.0.0.1"},
	{"one proxy", "10.0.0.1", "for=203.0.113.9", "203.0.113.9"},
	{"one proxy, forged left part", "10.0.0.1", "for=192.0.2.66, for=203.0.113.9", "203.0.113.9"},
	{"two proxies", "10.0.0.1", "for=192.0.2.66,for=203.0.113.9,for=10.0.0.2", "203.0.113.9"},
	{"all hops trusted", "10.0.0.1", "for=10.0.0.3, for=10.0.0.2", "10.0.0.3"},
	{"only for says who", "10.0.0.1", "for=203.0.113.9;by=10.0.0.1;proto=http;host=example.com", "203.0.113.9"},
	{"for need not be first", "10.0.0.1", "for=192.0.2.66, proto=https;by=_x;for=203.0.113.9", "203.0.113.9"},
	{"upper case", "10.0.0.1", "FOR=192.0.2.66, Proto=http;FoR=203.0.113.9", "203.0.113.9"},
	{"spaces and tabs", "10.0.0.1", "for=192.0.2.66 ,\tfor=203.0.113.9\t ; proto=http \t", "203.0.113.9"},
	{"empty pairs", "10.0.0.1", "for=192.0.2.66, ;;for=203.0.113.9; ;", "203.0.113.9"},
	{"quoted", "10.0.0.1", `for="192.0.2.66", for="203.0.113.9"`, "203.0.113.9"},
	{"quoted IPv6", "10.0.0.1", `for="[2001:db8::1]"`, "2001:db8::1"},
	{"quoted IPv6 and a port", "10.0.0.1", `for="[2001:DB8::1]:4711", For="[2001:db8:a::1]:1";by="[2001:db8:a::2]"`, "2001:db8::1"},
	{"quoted IPv6 without brackets", "10.0.0.1", `for="2001:db8::1"`, "2001:db8::1"},
	{"quoted IPv4 and a port", "10.0.0.1", `for="203.0.113.9:80"`, "203.0.113.9"},
	{"an obfuscated port", "10.0.0.1", `for="203.0.113.9:_p.1-x"`, "203.0.113.9"},
	{"a mapped hop is trusted", "10.0.0.1", `for=203.0.113.9, for="[::ffff:10.0.0.2]"`, "203.0.113.9"},
	{"forgotten quotes", "10.0.0.1", `for=192.0.2.66, for=[2001:db8::1]:80;host=example.com:80`, "2001:db8::1"},
	{"a quoted comma", "10.0.0.1", `for=203.0.113.9;host="a,for=192.0.2.66"`, "203.0.113.9"},
	{"a quoted semicolon", "10.0.0.1", `for=203.0.113.9;host="a;for=192.0.2.66"`, "203.0.113.9"},
	{"an escaped quote", "10.0.0.1", `for=203.0.113.9;host="a\", for=192.0.2.66;x=\""`, "203.0.113.9"},
	{"an escaped backslash", "10.0.0.1", `for=192.0.2.66, for=203.0.113.9;host="a\\"`, "203.0.113.9"},
	{"many escapes", "10.0.0.1", `for=203.0.113.9;host="\\\"=\"\\\\\"", for=10.0.0.2`, "203.0.113.9"},
	{"an equals sign in quotes", "10.0.0.1", `for=203.0.113.9;host="a="`, "203.0.113.9"},
	{"a quote left open on the left", "10.0.0.1", `for="evil, for=192.0.2.66, for=203.0.113.9`, "203.0.113.9"},
	{"a quote left open, then quotes", "10.0.0.1", `for="evil, for=192.0.2.66, for="203.0.113.9"`, "203.0.113.9"},
	{"a quote left open, two proxies", "10.0.0.1", `for="evil, for="203.0.113.9:1", for="10.0.0.2";host="x"`, "203.0.113.9"},
	{"an open quote behind an equals sign", "10.0.0.1", `for=192.0.2.66;x=", for="203.0.113.9"`, "203.0.113.9"},
	{"an open quote and a backslash", "10.0.0.1", `for=192.0.2.66;x="\, for="203.0.113.9"`, "203.0.113.9"},
	{"a backslash at the end", "10.0.0.1", `for=192.0.2.66\, for="203.0.113.9"`, "203.0.113.9"},
	{"control bytes left of the client", "10.0.0.1", "for=\x00\"\r\n\xff, for=203.0.113.9", "203.0.113.9"},
	{"no for ends it", "10.0.0.1", "for=192.0.2.66, proto=http, for=10.0.0.2", "10.0.0.2"},
	{"an empty element ends it", "10.0.0.1", "for=192.0.2.66, , for=10.0.0.2", "10.0.0.2"},
	{"an empty line ends it", "10.0.0.1", "for=192.0.2.66, ", "10.0.0.1"},
	{"an empty node ends it", "10.0.0.1", "for=192.0.2.66, for=", "10.0.0.1"},
	{"empty quotes end it", "10.0.0.1", `for=192.0.2.66, for=""`, "10.0.0.1"},
	{"unknown ends it", "10.0.0.1", "for=192.0.2.66, for=unknown, for=10.0.0.2", "10.0.0.2"},
	{"an obfuscated port of nothing", "10.0.0.1", `for=192.0.2.66, for="203.0.113.9:_"`, "10.0.0.1"},
	{"an obfuscated node ends it", "10.0.0.1", "for=192.0.2.66, for=_gazonk", "10.0.0.1"},
	{"for twice", "10.0.0.1", "for=192.0.2.66;for=203.0.113.9", "10.0.0.1"},
	{"for twice, once empty", "10.0.0.1", "for=192.0.2.66;for=", "10.0.0.1"},
	{"for twice, alike", "10.0.0.1", `for=192.0.2.66;proto=http;FOR="192.0.2.66"`, "10.0.0.1"},
	{"for twice in the second", "10.0.0.1", "for=192.0.2.66;for=203.0.113.9, for=10.0.0.2", "10.0.0.2"},
	{"a look-alike", "10.0.0.1", "fоr=192.0.2.66, forr=192.0.2.66", "10.0.0.1"},
	{"a space before the equals sign", "10.0.0.1", "for =192.0.2.66;for=192.0.2.66", "10.0.0.1"},
	{"a space behind the equals sign", "10.0.0.1", "for= 192.0.2.66", "10.0.0.1"},
	{"a space in quotes", "10.0.0.1", `for=" 192.0.2.66"`, "10.0.0.1"},
	{"no name", "10.0.0.1", "=x;for=192.0.2.66", "10.0.0.1"},
	{"no equals sign", "10.0.0.1", "for=192.0.2.66;secret", "10.0.0.1"},
	{"X-Forwarded-For in the wrong header", "10.0.0.1", "192.0.2.66", "10.0.0.1"},
	{"a backslash in a quoted node", "10.0.0.1", `for=192.0.2.66, for="203.0.113.\9"`, "10.0.0.1"},
	{"a quote in a quoted node", "10.0.0.1", `for=192.0.2.66, for="\"203.0.113.9"`, "10.0.0.1"},
	{"text behind quotes", "10.0.0.1", `for="192.0.2.66"x`, "10.0.0.1"},
	{"text behind quotes of another pair", "10.0.0.1", `for=192.0.2.66;x="a"b`, "10.0.0.1"},
	{"a quote in quotes, not escaped", "10.0.0.1", `for=192.0.2.66;x="a"b"`, "10.0.0.1"},
	{"a closing quote that is escaped", "10.0.0.1", `for=192.0.2.66;x="a\"`, "10.0.0.1"},
	{"a quoted pair", "10.0.0.1", `"for=192.0.2.66"`, "10.0.0.1"},
	{"a quoted equals sign", "10.0.0.1", `for"="192.0.2.66`, "10.0.0.1"},
	{"only a quoted equals sign", "10.0.0.1", `"="`, "10.0.0.1"},
	{"junk in a zone", "10.0.0.1", `for=192.0.2.66, for="[fe80::1%a\"b]"`, "10.0.0.1"},
	{"junk in an obfuscated port", "10.0.0.1", `for=192.0.2.66, for="203.0.113.9:_a b"`, "10.0.0.1"},
	{"text before quotes", "10.0.0.1", `for=x"192.0.2.66"`, "10.0.0.1"},
	{"a value before quotes", "10.0.0.1", `for=192.0.2.66;x=y="z"`, "10.0.0.1"},
	{"two quoted strings", "10.0.0.1", `for="192.0.2.66""192.0.2.66"`, "10.0.0.1"},
	{"a quote that never opened", "10.0.0.1", `for=192.0.2.66, for=203.0.113.9"`, "10.0.0.1"},
	{"a quote that never closed", "10.0.0.1", `for=192.0.2.66, for="203.0.113.9`, "10.0.0.1"},
	{"a lone quote", "10.0.0.1", `"`, "10.0.0.1"},
	{"a quote and an equals sign", "10.0.0.1", `="`, "10.0.0.1"},
	{"two quotes", "10.0.0.1", `""`, "10.0.0.1"},
	{"control bytes", "10.0.0.1", "for=192.0.2.66, for=\"203.0.113.9\x00\"", "10.0.0.1"},
	{"very long, forged", "10.0.0.1", strings.Repeat(`for="192.0.2.66";x="\", `, 10_000) + `for="203.0.113.9:1";by="a"`, "203.0.113.9"},
	{"very many escapes", "10.0.0.1", `for=203.0.113.9;x="` + strings.Repeat(`\"`, 50_000) + `"`, "203.0.113.9"},
	{"very many open quotes", "10.0.0.1", strings.Repeat(`"`, 100_000), "10.0.0.1"},
}

func TestClientAddr(t *testing.T) {
	for _, c := range xffCases {
		c.check(t, false)
	}
	for _, c := range forwardedCases {
		c.check(t, true)
	}
}

// Only a trusted peer's headers are looked at, and of them only one (P35).
func TestClientAddrHeaders(t *testing.T) {
	for _, c := range []struct {
		rule    string
		trusted []string
		peer    string
		asks    bool
	}{
		{"nobody is trusted", nil, "10.0.0.1", false},
		{"nobody is trusted, not even this host", nil, "127.0.0.1", false},
		{"an untrusted peer", ours, "198.51.100.7", false},
		{"no IPv6 prefix has an IPv4 peer in it", []string{"2000::/3", "::1/128"}, "10.0.0.1", false},
		{"a trusted peer", ours, "10.0.0.1", true},
	} {
		for _, standard := range []bool{false, true} {
			var asked []string
			got := mustProxies(t, standard, c.trusted...).client(netip.MustParseAddr(c.peer), func(name string) string {
				asked = append(asked, name)
				return ""
			})
			if got.String() != c.peer {
				t.Errorf("%s: got %v, want the peer %s", c.rule, got, c.peer)
			}
			want := ""
			if c.asks {
				want = headerName(standard)
			}
			if s := strings.Join(asked, " "); s != want {
				t.Errorf("%s: headers asked for: %q, want %q", c.rule, s, want)
			}
		}
	}
}

func TestNewProxies(t *testing.T) {
	for _, c := range []struct{ rule, trusted, want string }{
		{"nobody", "", ""},
		{"a host", "10.0.0.1/32 2001:db8::1/128", ""},
		{"wide, but not everybody", "0.0.0.0/1 8000::/1 ::/97 ::fffe:0:0/96", ""},
		{"mapped", "::ffff:10.0.0.0/104 ::ffff:0.0.0.0/97", ""},
		{"all of IPv4", "0.0.0.0/0", "0.0.0.0/0 would believe everybody"},
		{"all of IPv4, by host bits", "10.0.0.1/0", "10.0.0.1/0 would believe everybody"},
		{"all of IPv6", "::/0", "::/0 would believe everybody"},
		{"all of IPv4, mapped", "::ffff:10.0.0.1/96", "::ffff:10.0.0.1/96 would believe everybody"},
		{"all of IPv4 and some", "::ffff:0.0.0.0/90", "::ffff:0.0.0.0/90 would believe everybody"},
		{"all of IPv4 in half of IPv6", "::/1", "::/1 would believe everybody"},
		{"no prefix", "-", "number 1 is no prefix"},
		{"all mistakes at once", "0.0.0.0/0 10.0.0.0/8 - ::/0", "0.0.0.0/0 would believe everybody|number 3 is no prefix|::/0 would believe everybody"},
	} {
		var trusted []netip.Prefix
		for _, text := range strings.Fields(c.trusted) {
			prefix, _ := netip.ParsePrefix(text)
			trusted = append(trusted, prefix)
		}
		_, err := newProxies(trusted, "")
		if (err == nil) != (c.want == "") {
			t.Errorf("%s: got %v, want %q", c.rule, err, c.want)
		}
		if err == nil {
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		for i, want := range strings.Split(c.want, "|") {
			if i >= len(lines) || !strings.HasPrefix(lines[i], "sallyport: Config.TrustedProxies: "+want) {
				t.Errorf("%s: mistake %d: got %q, want %q", c.rule, i+1, lines, want)
			}
		}
	}
	for header, want := range map[string]string{
		"": "X-Forwarded-For", "X-Forwarded-For": "X-Forwarded-For", "x-forwarded-for": "X-Forwarded-For",
		"Forwarded": "Forwarded", "forwarded": "Forwarded", "X-Real-IP": "", "Forwarded ": "",
	} {
		asked := ""
		p, err := newProxies(parsePrefixes("10.0.0.0/8"), header)
		if (err == nil) != (want != "") {
			t.Errorf("header %q: got %v", header, err)
		}
		p.client(netip.MustParseAddr("10.0.0.1"), func(name string) string { asked = name; return "" })
		if err == nil && asked != want {
			t.Errorf("header %q: asked for %q, want %q", header, asked, want)
		}
	}
	if _, err := newProxies(make([]netip.Prefix, 2), "Via"); strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v, want three mistakes", err)
	}
	trusted := parsePrefixes("10.0.0.0/8")
	p, err := newProxies(trusted, "")
	trusted[0] = netip.MustParsePrefix("198.51.100.0/24")
	if err != nil || p.believes(netip.MustParseAddr("198.51.100.7")) {
		t.Errorf("who is trusted changed with the slice, or %v", err)
	}
}

// addrRequest is a request of which only peer and headers are asked.
type addrRequest struct {
	Request
	peer netip.Addr
	sent string
}

func (r *addrRequest) Peer() netip.Addr     { return r.peer }
func (r *addrRequest) Header(string) string { return r.sent }

// addrCosts are what most requests are like; none of them allocates.
var addrCosts = []struct {
	name     string
	trusted  []string
	standard bool
	peer     string
	sent     string
}{
	{"nobody is trusted", nil, false, "198.51.100.7", "192.0.2.66, 203.0.113.9"},
	{"untrusted peer", ours, false, "198.51.100.7", "192.0.2.66, 203.0.113.9"},
	{"one hop", ours, false, "10.0.0.1", "192.0.2.66, 203.0.113.9"},
	{"three hops", ours, false, "10.0.0.1", "192.0.2.66, [2001:db8::1]:80, 10.0.0.3, 10.0.0.2:80"},
	{"one element", ours, true, "10.0.0.1", `for=192.0.2.66, for="203.0.113.9:80";proto=https`},
}

func TestClientAddrAllocates(t *testing.T) {
	for _, c := range addrCosts {
		p := mustProxies(t, c.standard, c.trusted...)
		var r Request = &addrRequest{peer: netip.MustParseAddr(c.peer), sent: c.sent}
		if got := testing.AllocsPerRun(100, func() { p.client(r.Peer(), r.Header) }); got != 0 {
			t.Errorf("%s: got %v allocations, want none", c.name, got)
		}
	}
}

func BenchmarkClientAddr(b *testing.B) {
	for _, c := range addrCosts {
		p := mustProxies(b, c.standard, c.trusted...)
		var r Request = &addrRequest{peer: netip.MustParseAddr(c.peer), sent: c.sent}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.client(r.Peer(), r.Header)
			}
		})
	}
}
