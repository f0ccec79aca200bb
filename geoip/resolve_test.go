package geoip_test

import (
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/geoip"
)

// at is the place of an address.
func at(t testing.TB, r *geoip.Resolver, addr string) core.Place {
	t.Helper()
	place, err := r.Resolve(t.Context(), netip.MustParseAddr(addr))
	if err != nil {
		t.Fatal(addr, err)
	}
	return place
}

func location(country, city string) core.Place {
	return core.Place{Location: core.Location{Country: country, City: city}}
}

// What a record says is what the place has; what is broken, strange or too much in it
// is as if it were not there.
func TestFields(t *testing.T) {
	located := func(latitude, longitude, radius float64) core.Place {
		return core.Place{Latitude: latitude, Longitude: longitude, Located: true, Radius: radius}
	}
	here := func(latitude, longitude, radius mmdbtype.DataType) m {
		record := m{"latitude": latitude, "longitude": longitude}
		if radius != nil {
			record["accuracy_radius"] = radius
		}
		return m{"location": record}
	}
	named := func(name s) m { return m{"city": m{"names": m{"en": name}}} }
	coded := func(code mmdbtype.DataType) m { return m{"country": m{"iso_code": code}} }
	nan, inf := f(math.NaN()), f(math.Inf(1))

	for _, tt := range []struct {
		name string
		has  m
		want core.Place
	}{
		{"all of it", town("Berlin", "DE"), core.Place{Location: core.Location{Country: "DE", City: "Berlin"}, Latitude: 52.5, Longitude: -13.25, Located: true, Radius: 20}},
		{"a network", network(64496), core.Place{ASN: 64496}},
		{"the network of Enterprise", m{"traits": network(64496)}, core.Place{ASN: 64496}},
		{"the largest network", network(math.MaxUint32), core.Place{ASN: math.MaxUint32}},
		{"an empty record", m{}, core.Place{}},

		{"a country alone", coded(s("FR")), location("FR", "")},
		{"lower case", coded(s("fr")), location("FR", "")},
		{"three letters", coded(s("FRA")), core.Place{}},
		{"one letter", coded(s("F")), core.Place{}},
		{"a digit", coded(s("A1")), core.Place{}},
		{"two bytes of one letter", coded(s("é")), core.Place{}},
		{"what is a letter but for its case bit", coded(s("\x01A")), core.Place{}},
		{"what is next to the letters", coded(s("[`")), core.Place{}},
		{"a country that is a number", coded(u4(49)), core.Place{}},
		{"a country that is no map", m{"country": s("DE"), "city": m{"names": m{"en": s("Berlin")}}}, location("", "Berlin")},
		{"where the holder of the address is registered", m{"registered_country": m{"iso_code": s("US")}}, core.Place{}},

		{"64 bytes", named(s(strings.Repeat("a", 64))), location("", strings.Repeat("a", 64))},
		{"65 bytes", named(s(strings.Repeat("a", 65))), location("", strings.Repeat("a", 64))},
		{"cut before a letter, not within", named(s(strings.Repeat("a", 63) + "é")), location("", strings.Repeat("a", 63))},
		{"a letter of four bytes that fits", named(s(strings.Repeat("a", 60) + "𝔅b")), location("", strings.Repeat("a", 60)+"𝔅")},
		{"cut at a space", named(s(strings.Repeat("a", 63) + " bc")), location("", strings.Repeat("a", 63))},
		{"control characters", named("New\x00 \r\nYork\x7f\u0085"), location("", "New York")},
		{"lines and directions", named("Ber\u2028\u202elin\u2066\u200f"), location("", "Berlin")},
		{"no UTF-8", named("Ber\xfflin\xc3"), location("", "Berlin")},
		{"nothing but spaces", named(" \t "), core.Place{}},
		{"other letters", named("Saint-Étienne 東京 O’Fallon"), location("", "Saint-Étienne 東京 O’Fallon")},
		{"a name that is a number", m{"city": m{"names": m{"en": u4(1)}}}, core.Place{}},
		{"names that are none", m{"city": m{"names": s("Berlin")}}, core.Place{}},
		{"no English name", m{"city": m{"names": m{"fr": s("Londres")}}}, core.Place{}},

		{"0, 0", here(f(0), f(0), u2(1)), located(0, 0, 1)},
		{"the corners", here(f(-90), f(180), nil), located(-90, 180, 0)},
		{"too far north", here(f(90.001), f(0), u2(1)), core.Place{}},
		{"too far south", here(f(-90.001), f(0), u2(1)), core.Place{}},
		{"too far east", here(f(0), f(180.001), u2(1)), core.Place{}},
		{"too far west", here(f(0), f(-180.001), u2(1)), core.Place{}},
		{"a latitude that is no number", here(nan, f(0), u2(1)), core.Place{}},
		{"a longitude that is no number", here(f(0), nan, u2(1)), core.Place{}},
		{"infinity", here(inf, -inf, u2(1)), core.Place{}},
		{"a latitude alone", m{"location": m{"latitude": f(1)}}, core.Place{}},
		{"a longitude alone", m{"location": m{"longitude": f(1)}}, core.Place{}},
		{"a latitude of text", here(s("1"), f(0), u2(1)), core.Place{}},
		{"short floats", here(mmdbtype.Float32(1.5), mmdbtype.Float32(2.5), nil), located(1.5, 2.5, 0)},
		{"a radius beyond the Earth", here(f(1), f(2), u2(65535)), located(1, 2, 20_038)},
		{"a radius in another number", here(f(1), f(2), mmdbtype.Uint64(50)), located(1, 2, 50)},
		{"a radius below 0", here(f(1), f(2), mmdbtype.Int32(-1)), located(1, 2, 0)},
		{"a radius of text", here(f(1), f(2), s("5")), located(1, 2, 0)},
		{"a radius of nothing", m{"location": m{"accuracy_radius": u2(5)}}, core.Place{}},

		{"a network beyond 32 bits", m{"autonomous_system_number": mmdbtype.Uint64(1 << 32)}, core.Place{}},
		{"a network of text", m{"autonomous_system_number": s("64496")}, core.Place{}},
		{"traits that are none", m{"traits": mmdbtype.Slice{s("x")}}, core.Place{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := open(t, geoip.Options{Unverified: true}, write(t, made(t, "Test-Enterprise", records{"192.0.2.0/24": tt.has})))
			if diff := cmp.Diff(tt.want, at(t, r, "192.0.2.7")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// An address is looked up as what it is; one that no database has is nowhere.
func TestAddresses(t *testing.T) {
	v6 := write(t, made(t, "GeoLite2-City", records{"192.0.2.0/24": town("Berlin", "DE"), "2001:db8::/32": town("Paris", "FR")}))
	b, err := content(mmdbwriter.Options{DatabaseType: "GeoLite2-ASN", IPVersion: 4}, records{"192.0.2.0/24": network(64496)})
	if err != nil {
		t.Fatal(err)
	}
	r := open(t, geoip.Options{}, v6, write(t, b))
	for _, tt := range []struct {
		addr netip.Addr
		city string
		asn  uint32
	}{
		{netip.MustParseAddr("192.0.2.1"), "Berlin", 64496},
		{netip.MustParseAddr("::ffff:192.0.2.1"), "Berlin", 64496},
		{netip.MustParseAddr("::ffff:192.0.2.1%eth0"), "Berlin", 64496},
		{netip.MustParseAddr("2001:db8::1"), "Paris", 0},
		{netip.MustParseAddr("2001:db8::1%eth0"), "Paris", 0},
		{netip.MustParseAddr("192.0.3.1"), "", 0},
		{netip.MustParseAddr("10.1.2.3"), "", 0},
		{netip.MustParseAddr("127.0.0.1"), "", 0},
		{netip.MustParseAddr("0.0.0.0"), "", 0},
		{netip.MustParseAddr("255.255.255.255"), "", 0},
		{netip.MustParseAddr("::1"), "", 0},
		{netip.MustParseAddr("::"), "", 0},
		{netip.MustParseAddr("fe80::1%eth0"), "", 0},
		{netip.MustParseAddr("fd00::1"), "", 0},
		{netip.Addr{}, "", 0},
	} {
		place, err := r.Resolve(t.Context(), tt.addr)
		if err != nil || place.City != tt.city || place.ASN != tt.asn {
			t.Errorf("%s: got %+v, %v, want %q and %d", tt.addr, place, err, tt.city, tt.asn)
		}
		if tt.city == "" && place != (core.Place{}) {
			t.Errorf("%s: got %+v, want nothing", tt.addr, place)
		}
	}
}

// The first file that knows a place has all of it, and the first that knows a network.
func TestSeveralFiles(t *testing.T) {
	offices := write(t, made(t, "Offices-City", records{"10.1.0.0/16": town("Our office", "DE"), "192.0.2.0/25": {"city": m{"names": m{"en": s("The lab")}}}}))
	cities := write(t, made(t, "GeoLite2-City", records{"192.0.2.0/24": town("Paris", "FR"), "198.51.100.0/24": m{}}))
	networks := write(t, made(t, "GeoLite2-ASN", records{"192.0.2.0/24": network(64496), "198.51.100.0/24": network(64497)}))
	more := write(t, made(t, "GeoIP2-Enterprise", records{"192.0.2.0/24": {"country": m{"iso_code": s("IT")}, "traits": network(64498)}, "198.51.100.0/24": {"country": m{"iso_code": s("IT")}}}))
	paris := core.Place{Location: core.Location{Country: "FR", City: "Paris"}, Latitude: 52.5, Longitude: -13.25, Located: true, Radius: 20, ASN: 64496}
	office := paris
	office.Location, office.ASN = core.Location{Country: "DE", City: "Our office"}, 0
	lab := location("", "The lab")
	lab.ASN = 64496
	italy := location("IT", "")
	italy.ASN = 64497
	r := open(t, geoip.Options{}, offices, cities, networks, more)
	for addr, want := range map[string]core.Place{"10.1.2.3": office, "192.0.2.1": lab, "192.0.2.200": paris, "198.51.100.1": italy} {
		if diff := cmp.Diff(want, at(t, r, addr)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", addr, diff)
		}
	}
}

// A city has its name in the language that was asked for, else its English one.
func TestLanguage(t *testing.T) {
	file := write(t, made(t, "GeoLite2-City", records{
		"192.0.2.0/24":    {"city": m{"names": m{"en": s("Munich"), "de": s("München")}}},
		"198.51.100.0/24": {"city": m{"names": m{"en": s("Lindau")}}},
		"203.0.113.0/24":  {"city": m{"names": m{"en": s("Ulm"), "de": s("\x00")}}},
	}))
	for language, want := range map[string][]string{"": {"Munich", "Lindau", "Ulm"}, "en": {"Munich", "Lindau", "Ulm"}, "de": {"München", "Lindau", "Ulm"}} {
		r := open(t, geoip.Options{Language: language}, file)
		got := []string{at(t, r, "192.0.2.1").City, at(t, r, "198.51.100.1").City, at(t, r, "203.0.113.1").City}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: -want +got:\n%s", language, diff)
		}
	}
	if _, err := geoip.OpenWith(geoip.Options{Language: "german"}, file); err == nil || !strings.Contains(err.Error(), `"german"`) {
		t.Errorf("got %v, want an error that names the language", err)
	}
}

// A closed resolver says so, and can be closed again.
func TestClose(t *testing.T) {
	r := open(t, geoip.Options{}, write(t, made(t, "GeoLite2-City", records{"192.0.2.0/24": town("Berlin", "DE")})))
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	place, err := r.Resolve(t.Context(), netip.MustParseAddr("192.0.2.1"))
	if !errors.Is(err, geoip.ErrClosed) || place != (core.Place{}) {
		t.Errorf("got %+v, %v, want ErrClosed", place, err)
	}
	if err := r.Reload(); !errors.Is(err, geoip.ErrClosed) {
		t.Errorf("Reload: got %v, want ErrClosed", err)
	}
	if got := r.Databases(); got != nil {
		t.Errorf("got %v, want none", got)
	}
}
