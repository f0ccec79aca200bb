package core

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The oracle is a second way of reading, slow and from the left: regular
// expressions, and package net.

var (
	oraclePort = `(?::(\d+|_` + oracleToken + `))?`
	oracleHop4 = regexp.MustCompile(`^([0-9.]+)` + oraclePort + `$`)
	oracleHop6 = regexp.MustCompile(`(?s)^([0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(?:%` + oracleToken + `)?$`)
	oracleHop  = regexp.MustCompile(`(?s)^\[([0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(?:%` + oracleToken + `)?\]` + oraclePort + `$`)
	oracleTail = regexp.MustCompile(`:0*(\d+)$`)

	oracleToken  = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
	oracleQuoted = `"(?:[^"\\]|\\.)*"`
	oraclePair   = `[ \t]*(?:` + oracleToken + `=(?:[^",;]*|` + oracleQuoted + `))?[ \t]*`
	// Values that lack their quotes are let through.
	oracleElement = `(?:` + oraclePair + `)(?:;` + oraclePair + `)*`
	wellFormed    = regexp.MustCompile(`(?s)^` + oracleElement + `(?:,` + oracleElement + `)*$`)
)

func oracleAddr(hop string) net.IP {
	for _, form := range []*regexp.Regexp{oracleHop4, oracleHop6, oracleHop} {
		m := form.FindStringSubmatch(hop)
		if m == nil {
			continue
		}
		if form != oracleHop6 && m[2] != "" && m[2][0] != '_' {
			n := oracleTail.FindStringSubmatch(":" + m[2])[1]
			if len(n) > 5 || len(n) == 5 && n > "65535" {
				return nil
			}
		}
		return net.ParseIP(m[1])
	}
	return nil
}

// oracleSplit splits at sep outside of quoted strings, from the left.
func oracleSplit(s string, sep byte) (parts []string) {
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts, from = append(parts, s[from:i]), i+1
		}
	}
	return append(parts, s[from:])
}

func oracleNode(element string) string {
	var nodes []string
	for _, pair := range oracleSplit(element, ';') {
		name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		if strings.ToLower(name) == "for" {
			nodes = append(nodes, value)
		}
	}
	if len(nodes) != 1 {
		return ""
	}
	if inside, quoted := strings.CutPrefix(nodes[0], `"`); quoted {
		return strings.TrimSuffix(inside, `"`)
	}
	return nodes[0]
}

// oracleHops returns the hops of a header. Of Forwarded, only those elements
// count that are well-formed together with all that are right of them.
func oracleHops(sent string, standard bool) []string {
	if !standard {
		hops := strings.Split(sent, ",")
		for i := range hops {
			hops[i] = strings.Trim(hops[i], " \t")
		}
		return hops
	}
	// From the left, nothing says where an attacker's part ends: the longest
	// well-formed part that begins behind a comma is taken.
	for !wellFormed.MatchString(sent) {
		var found bool
		if _, sent, found = strings.Cut(sent, ","); !found {
			return nil
		}
	}
	hops := oracleSplit(sent, ',')
	for i := range hops {
		hops[i] = oracleNode(hops[i])
	}
	return hops
}

func oracle(peer netip.Addr, sent string, standard bool, trusted ...string) netip.Addr {
	believed := func(ip net.IP) bool {
		return slices.ContainsFunc(trusted, func(text string) bool {
			_, network, err := net.ParseCIDR(text)
			return err == nil && network.Contains(ip)
		})
	}
	if !peer.IsValid() {
		return peer
	}
	client := net.IP(peer.WithZone("").AsSlice())
	hops := oracleHops(sent, standard)
	for i := len(hops) - 1; i >= 0 && believed(client); i-- {
		ip := oracleAddr(hops[i])
		if ip == nil {
			break
		}
		client = ip
	}
	addr, _ := netip.AddrFromSlice(client)
	return addr.Unmap()
}

// chain draws how a request travelled: who sent it, by which machines it went,
// and what each wrote. An honest machine adds whom it got the request from; what
// another sends is anything. It returns the last machine, what arrived of the
// header, and the client: the last who is no proxy of ours.
func chain(t *rapid.T, p proxies) (peer netip.Addr, sent string, want netip.Addr) {
	trusted := rapid.SampledFrom([]string{"10.0.0.2", "172.16.5.5", "2001:db8:a::7"})
	other := rapid.SampledFrom([]string{"203.0.113.9", "198.51.100.7", "2001:db8:b::1", "fe80::1", "11.0.0.0"})
	machines := rapid.SliceOfN(rapid.OneOf(trusted, trusted, other), 0, 5).Draw(t, "machines")
	peer = netip.MustParseAddr(other.Draw(t, "client"))
	sent, want = lies(p.standard).Draw(t, "sent"), peer
	for _, m := range machines {
		if !p.believes(netip.MustParseAddr(m)) {
			sent, want = lies(p.standard).Draw(t, "sent"), netip.MustParseAddr(m)
		} else if wrote := element(t, peer, p.standard); sent == "" {
			sent = wrote
		} else {
			sent += rapid.SampledFrom([]string{", ", ",", " ,\t"}).Draw(t, "comma") + wrote
		}
		peer = netip.MustParseAddr(m)
	}
	return peer, sent, want
}

// lies are what a header may say that nobody vouches for.
func lies(standard bool) *rapid.Generator[string] {
	pieces := []string{"192.0.2.66", "10.0.0.9", ", ", ",", " ", "\t", ";", "unknown", `"`, `\`, `\"`, "[", "]", ":80", "\x00", "\xff", "=", "é"}
	if standard {
		pieces = append(pieces, "for=", `for="`, `="`, `",`, "For=192.0.2.66", `for="192.0.2.66", `, `;x="`, `";x="`, `";for=192.0.2.66`, `, for="10.0.0.9"`)
	}
	return rapid.OneOf(
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12), func(p []string) string { return strings.Join(p, "") }),
	)
}

// element draws what an honest proxy writes of whom it got a request from.
func element(t *rapid.T, from netip.Addr, standard bool) string {
	node := from.String()
	switch form := rapid.IntRange(0, 3).Draw(t, "form"); {
	case form == 1 && from.Is4():
		node = "::ffff:" + node
	case form >= 2 && from.Is4():
		node += ":" + strconv.Itoa(rapid.IntRange(0, 65535).Draw(t, "port"))
	case form == 1:
		node += "%eth0"
	case form == 2:
		node = "[" + node + "]"
	case form == 3:
		node = "[" + node + "]:1"
	}
	if !standard {
		return node
	}
	pairs := []string{rapid.SampledFrom([]string{"for=", "FOR=", "For="}).Draw(t, "name")}
	if strings.ContainsAny(node, ":[%") || rapid.Bool().Draw(t, "quoted") {
		node = `"` + node + `"`
	}
	pairs[0] += node
	for i := range rapid.IntRange(0, 3).Draw(t, "more") {
		// A proxy may quote what the client sent, as a Host: any text, escaped.
		text := lies(true).Draw(t, "text")
		value := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
		if text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789.") == "" && rapid.Bool().Draw(t, "bare") {
			value = text
		}
		pairs = append(pairs, "x"+strconv.Itoa(i)+"="+value)
	}
	return strings.Join(rapid.Permutation(pairs).Draw(t, "pairs"), rapid.SampledFrom([]string{";", "; ", " ;"}).Draw(t, "semicolon"))
}

// Whatever is written to the left, and by whatever machines a request came, the
// client is the last who is no proxy of ours; that one a proxy of ours vouched
// for, or it is the peer (P35).
func TestClientAddrChains(t *testing.T) {
	for _, standard := range []bool{false, true} {
		t.Run(headerName(standard), func(t *testing.T) {
			some, none := mustProxies(t, standard, ours...), mustProxies(t, standard)
			rapid.Check(t, func(t *rapid.T) {
				peer, sent, want := chain(t, some)
				if got := some.client(peer, says(standard, sent)); got != want {
					t.Fatalf("peer %v, header %q\ngot %v, want %v", peer, sent, got, want)
				}
				if got := none.client(peer, says(standard, sent)); got != peer {
					t.Fatalf("nobody is trusted, peer %v, header %q: got %v", peer, sent, got)
				}
			})
		})
	}
}

// What one reads from the right is what the oracle reads from the left. And if
// right alone, which trusted machines wrote, leads to somebody untrusted, then
// nothing that is put to the left of it leads elsewhere (P35).
func FuzzClientAddr(f *testing.F) {
	for standard, cases := range map[bool][]addrCase{false: xffCases, true: forwardedCases} {
		for _, c := range cases {
			if len(c.sent) < 1000 {
				f.Add("", c.sent, standard)
				f.Add(`for="evil, for=192.0.2.66;x="`, c.sent, standard)
				f.Add(c.sent, `for="203.0.113.9:80";x="\\\"", for=10.0.0.2`, standard)
			}
		}
	}
	peer := netip.MustParseAddr("10.0.0.1")
	all := map[bool]proxies{false: mustProxies(f, false, ours...), true: mustProxies(f, true, ours...)}
	f.Fuzz(func(t *testing.T, left, right string, standard bool) {
		if len(left)+len(right) > 1000 { // the oracle is quadratic
			return
		}
		p := all[standard]
		for _, sent := range []string{left, right, left + ", " + right, left + right} {
			got := p.client(peer, says(standard, sent))
			if want := oracle(peer, sent, standard, ours...); got != want {
				t.Errorf("%q: got %v, the oracle says %v", sent, got, want)
			}
			if got != plain(got) {
				t.Errorf("%q: got %v in a form of its own", sent, got)
			}
		}
		alone := p.client(peer, says(standard, right))
		if p.believes(alone) || standard && !wellFormed.MatchString(right) {
			return
		}
		if got := p.client(peer, says(standard, left+", "+right)); got != alone {
			t.Errorf("%q leads to %v, behind %q to %v", right, alone, left, got)
		}
	})
}
