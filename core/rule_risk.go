package core

import (
	"cmp"
	"iter"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a signal is called. Codes are stored and shown, so they never change.
const (
	RiskNewDevice        = "new_device"
	RiskNewNetwork       = "new_network"
	RiskNewCountry       = "new_country"
	RiskNewCity          = "new_city"
	RiskImpossibleTravel = "impossible_travel"
	RiskBrowserChanged   = "browser_changed"
	RiskOSChanged        = "os_changed"
	RiskFailedAttempts   = "failed_attempts"
	RiskUnusualHour      = "unusual_hour"
	RiskRefreshReused    = "refresh_reused"
	RiskRefreshReplayed  = "refresh_replayed"
	RiskManyDevices      = "many_devices"

	// Those of a session that goes on.
	RiskDeviceUnsaid        = "device_unsaid" // a refresh named no device
	RiskRefreshReplayedLate = "refresh_replayed_late"
)

const (
	travelSpeed   = 1000.0 // km/h: faster than airliners, with the way to them
	travelFar     = 300.0  // km: nearer, addresses are placed too badly
	travelInland  = 1000.0 // km: the same within one country
	reusedLately  = 72 * time.Hour
	manyDevices   = 4 // that were first seen within manyTime
	manyTime      = 24 * time.Hour
	hoursNeeded   = 8 // sign-ins, before an hour can be unusual
	hoursAround   = 2 * time.Hour
	failurePoints = 5 // each
	failuresMost  = 30
	earthRadius   = 6371.0 // km
)

// Score scores by what is the rule here: the sum of these points, at most 100.
//
//	new_device         25  a device that the user was not seen on
//	new_network        10  neither the /24 (IPv6: /48) nor the ASN is known
//	new_country        25  countries are known, and not this one
//	new_city            5  the country is, and not this city
//	impossible_travel  40  farther from the last place than an airliner flies in the time
//	browser_changed    10  on a known device
//	os_changed         15  on a known device
//	failed_attempts     5  each, at most 30: of this account in the last minutes
//	unusual_hour        5  none of the last sign-ins, of 8 or more, was within two hours of it
//	refresh_reused     25  a spent refresh token came back within 72 hours
//	refresh_replayed   10  one was forgiven, late, within 24 hours
//	many_devices       15  four others were first seen within 24 hours
//
// Without a past only failed_attempts and the two of refresh tokens count. Travel does
// not count in a network that is known, nor on a known device that the server named
// while its browser and system are what they were; nor below 300 km, within one
// country below 1,000, besides what both places may be off. It is deterministic, the
// order of the lists means nothing, and no signal makes it less.
func Score(e Evidence) Risk {
	var r Risk
	if n := min(max(e.Failures, 0), failuresMost/failurePoints); n > 0 {
		r.add(RiskFailedAttempts, n*failurePoints, "sign-ins to this account have failed in the last minutes")
	}
	if lately(e.ReusedAt, e.Now, reusedLately) {
		r.add(RiskRefreshReused, 25, "a spent refresh token of this user came back in the last days")
	}
	if lately(e.ReplayedAt, e.Now, lateReplayDay) {
		r.add(RiskRefreshReplayed, 10, "an older refresh token of this user was presented late in the last day")
	}
	if len(e.Past) == 0 {
		return r
	}
	same := e.device(&r)
	e.place(&r, same)
	if e.oddHour() {
		r.add(RiskUnusualHour, 5, "the user does not sign in at this hour")
	}
	return r
}

// add adds a signal, as far as there is room below 100.
func (r *Risk) add(code string, points int, detail string) {
	r.Score = min(r.Score+points, 100)
	r.Reasons = append(r.Reasons, RiskReason{code, points, cutText(detail, reasonCap)})
}

// addOnce is add, unless the signal is there.
func (r *Risk) addOnce(code string, points int, detail string) {
	if !slices.ContainsFunc(r.Reasons, func(o RiskReason) bool { return o.Code == code }) {
		r.Reasons = slices.Clone(r.Reasons)
		r.add(code, points, detail)
	}
}

// crosses reports whether a score has reached a threshold since another.
func (r Risk) crosses(threshold int, was Risk) bool {
	return reaches(r.Score, threshold) && !reaches(was.Score, threshold)
}

// raised returns the higher of two scores, r if they are the same.
func (r Risk) raised(o Risk) Risk {
	if o.Score > r.Score {
		return o
	}
	return r
}

func lately(t, now time.Time, within time.Duration) bool { return !t.IsZero() && now.Sub(t) < within }

// device adds what is unusual about the device, and reports whether it is one that the
// server named, as it was when it was seen last.
func (e *Evidence) device(r *Risk) (same bool) {
	var last Sighting
	known := false
	for _, s := range e.Past {
		if s.Device.ID == e.Device.ID && s.Device.Signed == e.Device.Signed && (!known || last.before(s)) {
			last, known = s, true
		}
	}
	if !known {
		r.add(RiskNewDevice, 25, "a device that the user was not seen on before")
		others := make(map[deviceKey]time.Time) // a session on an old device is younger than it
		for _, s := range e.Past {
			key := deviceKey{s.Device.ID, s.Device.Signed}
			others[key] = firstSet(others[key], s.FirstSeenAt)
		}
		maps.DeleteFunc(others, func(_ deviceKey, first time.Time) bool { return !lately(first, e.Now, manyTime) })
		if len(others) >= manyDevices {
			r.add(RiskManyDevices, 15, "many new devices within a day")
		}
		return false
	}
	was := last.Device
	same = e.Device.Signed
	if differ(was.Browser, e.Device.Browser) {
		r.add(RiskBrowserChanged, 10, "this device had another browser: "+was.Browser)
		same = false
	}
	if differ(was.OS, e.Device.OS) {
		r.add(RiskOSChanged, 15, "this device had another system: "+was.OS)
		same = false
	}
	return same
}

// before reports whether s was seen before o. Of two at the same time it is always the
// same one.
func (s Sighting) before(o Sighting) bool {
	text := func(s *Sighting) string {
		d, l := &s.Device, &s.Place.Location
		return strings.Join([]string{s.IP, d.ID, d.Browser, d.OS, d.Type, l.Country, l.City}, "\x00")
	}
	p, q := &s.Place, &o.Place
	return cmp.Or(
		s.LastSeenAt.Compare(o.LastSeenAt), cmp.Compare(text(&s), text(&o)),
		cmp.Compare(p.Latitude, q.Latitude), cmp.Compare(p.Longitude, q.Longitude), cmp.Compare(p.Radius, q.Radius),
	) < 0
}

// differ reports whether two words differ and both are known.
func differ(a, b string) bool { return a != "" && b != "" && a != b }

// place adds what is unusual about where it comes from.
func (e *Evidence) place(r *Risk, sameDevice bool) {
	if !e.knownNetwork() {
		r.add(RiskNewNetwork, 10, "a network that the user was not seen in before")
		if km, took, ok := e.travel(); ok && !sameDevice {
			r.add(RiskImpossibleTravel, 40, strconv.Itoa(int(km))+" km from the last place, "+spell(took)+" ago")
		}
	}
	if e.Place.Country == "" {
		return
	}
	countries, cities := false, false // are known
	for was := range e.locations() {
		switch {
		case was.Country == "":
		case was.Country != e.Place.Country:
			countries = true
		case e.Place.City == "" || was.City == "" || was.City == e.Place.City:
			return
		default:
			cities = true
		}
	}
	switch {
	case cities:
		r.add(RiskNewCity, 5, "a city that the user was not seen in before: "+e.Place.City)
	case countries:
		r.add(RiskNewCountry, 25, "a country that the user was not seen in before: "+e.Place.Country)
	}
}

// knownNetwork reports whether the user was seen in this network. What is not known
// is nothing new.
func (e *Evidence) knownNetwork() bool {
	prefix := networkOf(e.IP)
	if prefix == "" {
		return true
	}
	asn := e.Place.ASN
	return slices.ContainsFunc(e.Networks, func(n KnownNetwork) bool { return n.Prefix == prefix || asn != 0 && n.ASN == asn }) ||
		slices.ContainsFunc(e.Past, func(s Sighting) bool { return networkOf(s.IP) == prefix || asn != 0 && s.Place.ASN == asn })
}

// locations returns where the user was seen.
func (e *Evidence) locations() iter.Seq[Location] {
	return func(yield func(Location) bool) {
		for _, s := range e.Past {
			if !yield(s.Place.Location) {
				return
			}
		}
		for _, n := range e.Networks {
			if !yield(n.Location) {
				return
			}
		}
	}
}

// networkOf returns the network that an address is of, as text; "": it is none.
func networkOf(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	bits := 24
	if addr = plain(addr); addr.Is6() {
		bits = 48
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// travel returns how far the last place is, and how long ago the user was there, if
// nobody comes from there in that time.
func (e *Evidence) travel() (km float64, took time.Duration, impossible bool) {
	var last Sighting
	for _, s := range e.Past {
		if s.Place.located() && (!last.Place.Located || last.before(s)) {
			last = s
		}
	}
	if !last.Place.Located || !e.Place.located() {
		return 0, 0, false
	}
	was, took := last.Place, max(0, e.Now.Sub(last.LastSeenAt))
	km = distance(was, e.Place) - max(0, was.Radius) - max(0, e.Place.Radius)
	far := travelFar
	if was.Country == e.Place.Country {
		far = travelInland
	}
	return km, took, km > far && km > travelSpeed*took.Hours()
}

// spell returns a time in words, coarsely.
func spell(d time.Duration) string {
	if d < 2*time.Hour {
		return strconv.Itoa(int(d.Minutes())) + " min"
	}
	return strconv.Itoa(int(d.Hours())) + " h"
}

// distance returns the kilometres between two places, by the haversine formula.
func distance(a, b Place) float64 {
	rad := func(degrees float64) float64 { return degrees * math.Pi / 180 }
	half := func(angle float64) float64 { s := math.Sin(angle / 2); return s * s }
	h := half(rad(b.Latitude-a.Latitude)) + math.Cos(rad(a.Latitude))*math.Cos(rad(b.Latitude))*half(rad(b.Longitude-a.Longitude))
	return 2 * earthRadius * math.Asin(math.Sqrt(min(max(h, 0), 1)))
}

// oddHour reports whether the user signs in, but never about this hour of the day.
func (e *Evidence) oddHour() bool {
	if len(e.SignIns) < hoursNeeded {
		return false
	}
	const day = 24 * time.Hour
	return !slices.ContainsFunc(e.SignIns, func(t time.Time) bool {
		apart := e.Now.Sub(t).Abs() % day
		return min(apart, day-apart) <= hoursAround
	})
}
