package geoip_test

import (
	"math"
	"net/netip"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/maxmind/mmdbwriter"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/geoip"
)

// seeds are small databases of each record size and address family.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	var all [][]byte
	for _, o := range []mmdbwriter.Options{{RecordSize: 24, IPVersion: 4}, {RecordSize: 28}, {RecordSize: 32, IPVersion: 4}} {
		o.DatabaseType, o.Languages = "Test-Enterprise", []string{"en", "de"}
		record := town("Berlin", "DE")
		record["traits"] = network(64496)
		b, err := content(o, records{"192.0.2.0/24": record, "203.0.113.0/25": network(64497)})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

var probes = []netip.Addr{
	netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("8.8.8.8"),
	netip.MustParseAddr("2001:db8::1"), netip.IPv6Unspecified(), netip.MustParseAddr("255.255.255.255"),
}

// probe opens a content and looks up a few addresses. Errors are fine, panics are not,
// nor a place that breaks the word of Resolve, nor damage in what was verified.
func probe(t testing.TB, content []byte) {
	t.Helper()
	for _, verify := range []bool{false, true} {
		r, err := geoip.FromBytes(content, verify)
		if err != nil {
			continue
		}
		for _, addr := range probes {
			place, err := r.Resolve(t.Context(), addr)
			if err != nil && (verify || place != (core.Place{})) {
				t.Errorf("%s, verified: %v: got %+v and %v", addr, verify, place, err)
			}
			if !sound(place) {
				t.Errorf("%s: got %+v", addr, place)
			}
		}
		r.Databases()
	}
}

// sound reports whether a place is as Resolve says it is.
func sound(p core.Place) bool {
	code := p.Country == "" || len(p.Country) == 2
	for _, c := range p.Country {
		code = code && 'A' <= c && c <= 'Z'
	}
	name := len(p.City) <= 64 && utf8.ValidString(p.City)
	for _, c := range p.City {
		name = name && !unicode.IsControl(c)
	}
	if !p.Located {
		return code && name && p.Latitude == 0 && p.Longitude == 0 && p.Radius == 0
	}
	return code && name && math.Abs(p.Latitude) <= 90 && math.Abs(p.Longitude) <= 180 && p.Radius >= 0 && p.Radius <= 20_038
}

// Whatever a file holds, opening it and asking it fails at worst.
func FuzzOpen(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
		f.Add(b[:len(b)/2])
		f.Add(b[len(b)/2:])
	}
	f.Add([]byte("\xab\xcd\xefMaxMind.com"))
	f.Fuzz(func(t *testing.T, content []byte) { probe(t, content) })
}

// The same for each byte of a database that is another, one at a time.
func TestEveryByte(t *testing.T) {
	for _, b := range seeds(t) {
		for i, was := range b {
			for _, is := range []byte{was ^ 1, was ^ 0x80, 0, 0xff, was + 0x20} {
				b[i] = is
				probe(t, b)
			}
			b[i] = was
		}
	}
}
