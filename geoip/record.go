package geoip

import (
	"errors"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oschwald/maxminddb-golang/v2"
	"github.com/sallyport-go/sallyport/core"
)

// Where a record has what.
var (
	countryPath   = []any{"country", "iso_code"}
	latitudePath  = []any{"location", "latitude"}
	longitudePath = []any{"location", "longitude"}
	radiusPath    = []any{"location", "accuracy_radius"}
	networkPath   = []any{"autonomous_system_number"}
	traitsPath    = []any{"traits", "autonomous_system_number"} // of Enterprise
)

// namePaths is where to look for a city's name, the wanted language first.
func namePaths(language string) [][]any {
	english := []any{"city", "names", "en"}
	if language == "" {
		return [][]any{english}
	}
	return [][]any{{"city", "names", language}, english}
}

const (
	cityBytes = 64     // what a city's name may take
	farthest  = 20_038 // km, from a place to the one on the other side of the Earth
)

// record is what a database has of an address, read field by field: one that is not of
// its type is as if it were not there.
type record struct {
	result maxminddb.Result
	err    error // the damage that was found

	// What a field is read into.
	text    string
	decimal float64
	whole   uint32
}

// where fills in all of a place but its network.
//
// The country is the one where the address is. There is no falling back to
// registered_country, where its holder has an office: a wrong country looks like a
// journey, and none like nothing.
func (r *record) where(place *core.Place, names [][]any) {
	place.Country = country(r.string(countryPath))
	for _, path := range names {
		if place.City == "" {
			place.City = city(r.string(path))
		}
	}
	latitude, longitude := r.number(latitudePath), r.number(longitudePath)
	if math.Abs(latitude) <= 90 && math.Abs(longitude) <= 180 { // NaN is not
		place.Latitude, place.Longitude, place.Located = latitude, longitude, true
		place.Radius = min(float64(r.integer(radiusPath)), farthest)
	}
}

// network returns the autonomous system; 0: unknown.
func (r *record) network() uint32 {
	if asn := r.integer(networkPath); asn != 0 {
		return asn
	}
	return r.integer(traitsPath)
}

func (r *record) string(path []any) string {
	r.text = ""
	r.read(path, &r.text)
	return r.text
}

// number returns NaN if there is none.
func (r *record) number(path []any) float64 {
	r.decimal = math.NaN()
	r.read(path, &r.decimal)
	return r.decimal
}

func (r *record) integer(path []any) uint32 {
	r.whole = 0
	r.read(path, &r.whole)
	return r.whole
}

// read leaves what into points to as it is if there is nothing of its type.
func (r *record) read(path []any, into any) {
	err := r.result.DecodePath(into, path...)
	if damaged := (maxminddb.InvalidDatabaseError{}); errors.As(err, &damaged) && r.err == nil {
		r.err = err
	}
}

// country returns a code of ISO 3166-1 alpha-2, or "" for what can't be one.
func country(code string) string {
	if len(code) != 2 || !letter(code[0]) || !letter(code[1]) {
		return ""
	}
	return strings.ToUpper(code)
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// city returns a name without what is no text or changes how text is shown, cut to
// cityBytes.
func city(name string) string {
	name = strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.In(c, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(name, "")))
	if len(name) <= cityBytes {
		return name
	}
	end := cityBytes
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return strings.Clone(strings.TrimSpace(name[:end])) // not to keep the rest
}
