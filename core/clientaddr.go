package core

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// proxies are those who are believed about whom they speak for. The zero value:
// nobody is. It is safe for concurrent use.
type proxies struct {
	trusted  []netip.Prefix // none of IPv4-mapped addresses
	standard bool           // Forwarded is read (RFC 7239), not X-Forwarded-For
}

// everyIPv4 is IPv4 as IPv6 has it (RFC 4291 section 2.5.5.2).
var everyIPv4 = netip.MustParsePrefix("::ffff:0:0/96")

// newProxies takes Config.TrustedProxies as they are now, and
// Config.ForwardedHeader, and reports every mistake in them.
func newProxies(trusted []netip.Prefix, header string) (proxies, error) {
	p := proxies{standard: strings.EqualFold(header, "Forwarded")}
	var wrong []error
	if !p.standard && header != "" && !strings.EqualFold(header, "X-Forwarded-For") {
		wrong = append(wrong, fmt.Errorf("sallyport: Config.ForwardedHeader: %q is neither X-Forwarded-For nor Forwarded", header))
	}
	for i, t := range trusted {
		switch {
		case !t.IsValid():
			wrong = append(wrong, fmt.Errorf("sallyport: Config.TrustedProxies: number %d is no prefix", i+1))
		case t.Bits() == 0, t.Bits() <= everyIPv4.Bits() && t.Overlaps(everyIPv4):
			wrong = append(wrong, fmt.Errorf("sallyport: Config.TrustedProxies: %v would believe everybody; name the proxies alone", t))
		default:
			if t.Addr().Is4In6() {
				t = netip.PrefixFrom(t.Addr().Unmap(), t.Bits()-everyIPv4.Bits())
			}
			p.trusted = append(p.trusted, t.Masked())
		}
	}
	return p, errors.Join(wrong...)
}

// client returns the client's address, without a zone and never IPv4-mapped: the
// peer's, or the last one that trusted proxies vouch for. header returns all
// lines of a header, joined by ", "; it is asked for one header at most, and
// only if the peer is trusted. A peer that is the zero Addr is the result.
//
// Each proxy writes at the right of what it got. The walk goes from there
// through trusted hops, and ends at one that is empty or no address. What is
// left of it may be anybody's, so nothing is read from the left.
func (p proxies) client(peer netip.Addr, header func(name string) string) netip.Addr {
	client := plain(peer)
	if !p.believes(client) {
		return client
	}
	name, cut := "X-Forwarded-For", cutHop
	if p.standard {
		name, cut = "Forwarded", cutElement
	}
	for rest, hop := header(name), ""; p.believes(client); {
		rest, hop = cut(rest)
		addr, ok := hopAddr(hop)
		if !ok {
			break
		}
		client = addr
	}
	return client
}

func (p proxies) believes(addr netip.Addr) bool {
	for _, t := range p.trusted {
		if t.Contains(addr) {
			return true
		}
	}
	return false
}

// plain is the one form in which addresses are compared and stored.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// hopAddr reads a hop: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] or
// [2001:db8::1]:80. The port may be obfuscated (RFC 7239 section 6.3), IPv6 may
// have a zone.
func hopAddr(hop string) (addr netip.Addr, ok bool) {
	host, port := hop, ""
	ported := strings.Count(hop, ":") == 1
	if inside, bracketed := strings.CutPrefix(hop, "["); bracketed {
		if host, port, ok = strings.Cut(inside, "]"); !ok || !strings.Contains(host, ":") {
			return netip.Addr{}, false
		}
		if port, ported = strings.CutPrefix(port, ":"); !ported && port != "" {
			return netip.Addr{}, false
		}
	} else if ported {
		host, port, _ = strings.Cut(hop, ":")
	}
	if ported && (len(port) < 2 || port[0] != '_' || !isToken(port)) {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return netip.Addr{}, false
		}
	}
	host, zone, zoned := strings.Cut(host, "%")
	addr, err := netip.ParseAddr(host)
	return addr.Unmap(), err == nil && (!zoned || addr.Is6() && isToken(zone))
}

// cutHop cuts the last hop off an X-Forwarded-For header.
func cutHop(header string) (rest, hop string) {
	i := strings.LastIndexByte(header, ',')
	return header[:max(i, 0)], strings.Trim(header[i+1:], " \t")
}

// cutElement cuts the last element off a Forwarded header and returns its node.
// "": it has none, more than one, or is malformed. Of values that are not quoted
// more is accepted than RFC 7239 section 4 does: proxies forget the quotes.
func cutElement(header string) (rest, node string) {
	end := len(header) // of a pair
	for i := end - 1; ; i-- {
		switch {
		case i >= 0 && header[i] == '"':
			open := opening(header[:i])
			if open < 0 || strings.Trim(header[i+1:end], " \t") != "" {
				return "", ""
			}
			i = open
			continue
		case i >= 0 && header[i] != ';' && header[i] != ',':
			continue
		}
		if pair := strings.Trim(header[i+1:end], " \t"); pair != "" {
			name, value, ok := strings.Cut(pair, "=")
			text, quoted := strings.CutPrefix(value, `"`)
			if quoted {
				text = text[:len(text)-1]
			} else if strings.Contains(value, `"`) {
				ok = false
			}
			if !ok || !isToken(name) {
				return "", ""
			}
			if strings.EqualFold(name, "for") {
				if node != "" || text == "" {
					return "", ""
				}
				node = text
			}
		}
		if i < 0 || header[i] == ',' {
			return header[:max(i, 0)], node
		}
		end = i
	}
}

// opening returns where the quoted string begins whose closing quote follows s.
// -1: nowhere. A quote inside of it is escaped and its opening quote never is:
// so what is left of it has no say.
func opening(s string) int {
	if escapes(s) {
		return -1
	}
	i := strings.LastIndexByte(s, '"')
	for i > 0 && escapes(s[:i]) {
		i = strings.LastIndexByte(s[:i], '"')
	}
	if i <= 0 || s[i-1] != '=' {
		return -1
	}
	return i
}

// escapes reports whether what follows s is escaped.
func escapes(s string) bool {
	return (len(s)-len(strings.TrimRight(s, `\`)))%2 != 0
}

// isToken reports whether s is a token (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.Contains("!#$%&'*+-.^_`|~", s[i:i+1]) {
			return false
		}
	}
	return s != ""
}
