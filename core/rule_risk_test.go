package core

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

// at is a place on the equator, so many kilometres east of 0, 0.
func at(km float64, country, city string) Place {
	return Place{
		Location:  Location{country, city},
		Longitude: km / earthRadius * 180 / math.Pi,
		Located:   true,
	}
}

// familiar is a sign-in in the afternoon that is like all before it.
func familiar() Evidence {
	laptop := Device{ID: "laptop", Signed: true, Browser: "Firefox", OS: "Linux"}
	home := at(0, "DE", "Berlin")
	e := Evidence{
		Now:    time.Date(2026, 3, 4, 15, 0, 0, 0, time.UTC),
		Device: laptop,
		IP:     "192.0.2.7",
		Place:  home,
	}
	e.Past = []Sighting{{laptop, e.Now.Add(-1000 * time.Hour), e.Now.Add(-time.Hour), "192.0.2.1", home}}
	e.Networks = []KnownNetwork{{Prefix: "192.0.2.0/24", Location: home.Location, LastSeenAt: e.Past[0].LastSeenAt}}
	for i := range hoursNeeded {
		e.SignIns = append(e.SignIns, e.Now.AddDate(0, 0, -i-1))
	}
	return e
}

// points returns what a score is made of, and checks that it is.
func points(t interface {
	Helper()
	Errorf(string, ...any)
}, r Risk,
) map[string]int {
	t.Helper()
	sum, all := 0, make(map[string]int)
	for _, reason := range r.Reasons {
		if all[reason.Code] != 0 {
			t.Errorf("%s is there twice: %v", reason.Code, r.Reasons)
		}
		all[reason.Code] = reason.Points
		sum += reason.Points
	}
	if r.Score != min(sum, 100) {
		t.Errorf("score %d of points that are %d: %v", r.Score, sum, r.Reasons)
	}
	return all
}

// The lines of the table at Score, each at its bounds.
func TestScoreTable(t *testing.T) {
	// abroad puts the last sighting so far away and so long ago, on another device.
	abroad := func(km float64, country string, ago time.Duration) func(*Evidence) {
		return func(e *Evidence) {
			e.IP, e.Past[0].Device.ID = "198.51.100.1", "other"
			e.Past[0].Place, e.Past[0].LastSeenAt = at(km, country, "Berlin"), e.Now.Add(-ago)
		}
	}
	signedInAt := func(d time.Duration) func(*Evidence) {
		return func(e *Evidence) {
			for i := range e.SignIns {
				e.SignIns[i] = e.SignIns[i].Add(d)
			}
		}
	}
	devices := func(n int, first time.Duration) func(*Evidence) {
		return func(e *Evidence) {
			e.Device.ID = "new"
			for i := range n {
				s := e.Past[0]
				s.Device.ID, s.FirstSeenAt = fmt.Sprint("d", i), e.Now.Add(-first)
				e.Past = append(e.Past, s)
			}
		}
	}
	type list = map[string]int
	elsewhere := list{RiskNewDevice: 25, RiskNewNetwork: 10}
	travelled := list{RiskNewDevice: 25, RiskNewNetwork: 10, RiskImpossibleTravel: 40}
	for _, c := range []struct {
		rule   string
		change func(*Evidence)
		want   list
	}{
		{"what is as ever is nothing", func(*Evidence) {}, nil},

		{"a device that is not known", func(e *Evidence) { e.Device.ID = "phone" }, list{RiskNewDevice: 25}},
		{"the same word, and not from the server", func(e *Evidence) { e.Device.Signed = false }, list{RiskNewDevice: 25}},
		{"the name of a device is nothing", func(e *Evidence) { e.Device.Name, e.Device.Type = "Mine", "tablet" }, nil},
		{"another browser", func(e *Evidence) { e.Device.Browser = "Chrome" }, list{RiskBrowserChanged: 10}},
		{"a browser that is not known now", func(e *Evidence) { e.Device.Browser = "" }, nil},
		{"a browser that was not known then", func(e *Evidence) { e.Past[0].Device.Browser = "" }, nil},
		{"another system", func(e *Evidence) { e.Device.OS = "Windows" }, list{RiskOSChanged: 15}},
		{"a system that is not known now", func(e *Evidence) { e.Device.OS = "" }, nil},
		{"a system that was not known then", func(e *Evidence) { e.Past[0].Device.OS = "" }, nil},
		{"both are others", func(e *Evidence) { e.Device.Browser, e.Device.OS = "Chrome", "Windows" }, list{RiskBrowserChanged: 10, RiskOSChanged: 15}},
		{"a new device has no browser of before", func(e *Evidence) { e.Device.ID, e.Device.Browser = "phone", "Chrome" }, list{RiskNewDevice: 25}},
		{"the browser of the last time counts", func(e *Evidence) {
			older := e.Past[0]
			older.Device.Browser, older.LastSeenAt = "Chrome", e.Now.Add(-2*time.Hour)
			e.Past = append([]Sighting{older}, e.Past...)
		}, nil},

		{"four devices of the last day", devices(4, manyTime-time.Millisecond), list{RiskNewDevice: 25, RiskManyDevices: 15}},
		{"four of a day ago", devices(4, manyTime), list{RiskNewDevice: 25}},
		{"three of the last day", devices(3, 0), list{RiskNewDevice: 25}},
		{"four, on one that is known", func(e *Evidence) { devices(4, 0)(e); e.Device.ID = "laptop" }, nil},
		{"one device on which four sessions began", func(e *Evidence) {
			devices(4, 0)(e)
			for i := range e.Past {
				e.Past[i].Device.ID = "laptop"
			}
		}, list{RiskNewDevice: 25}},
		{"four old devices on which sessions began today", func(e *Evidence) {
			devices(4, time.Hour)(e)
			for _, s := range slices.Clone(e.Past) {
				s.FirstSeenAt = e.Now.Add(-1000 * time.Hour)
				e.Past = append(e.Past, s)
			}
		}, list{RiskNewDevice: 25}},
		{"four of which nobody knows since when", func(e *Evidence) {
			devices(4, 0)(e)
			for i := range e.Past {
				e.Past[i].FirstSeenAt = time.Time{}
			}
		}, list{RiskNewDevice: 25}},

		{"the next /24", func(e *Evidence) { e.IP = "192.0.3.0" }, list{RiskNewNetwork: 10}},
		{"the end of the /24", func(e *Evidence) { e.IP = "192.0.2.255" }, nil},
		{"IPv4 written as IPv6", func(e *Evidence) { e.IP = "::ffff:192.0.2.200" }, nil},
		{"IPv4 written as IPv6, of the next /24", func(e *Evidence) { e.IP = "::ffff:192.0.3.0" }, list{RiskNewNetwork: 10}},
		{"the end of the /48", func(e *Evidence) { e.Past[0].IP, e.IP = "2001:db8:1::1", "2001:db8:1:ffff::9" }, nil},
		{"the next /48", func(e *Evidence) { e.Past[0].IP, e.IP = "2001:db8:1::1", "2001:db8:2::1" }, list{RiskNewNetwork: 10}},
		{"a network that only the list has", func(e *Evidence) { e.Past[0].IP = "203.0.113.1" }, nil},
		{"a network that only the past has", func(e *Evidence) { e.Networks = nil }, nil},
		{"a zone is no other network", func(e *Evidence) { e.Past[0].IP, e.IP = "fe80::1%eth0", "fe80::2%wlan0" }, nil},
		{"no address", func(e *Evidence) { e.IP = "" }, nil},
		{"no address at all", func(e *Evidence) { e.IP = "unix socket" }, nil},
		{"another network of an AS that the list has", func(e *Evidence) { e.IP, e.Place.ASN, e.Networks[0].ASN = "203.0.113.1", 64500, 64500 }, nil},
		{"another network of an AS that the past has", func(e *Evidence) { e.IP, e.Place.ASN, e.Past[0].Place.ASN = "203.0.113.1", 64500, 64500 }, nil},
		{"another AS", func(e *Evidence) { e.IP, e.Place.ASN, e.Networks[0].ASN = "203.0.113.1", 64501, 64500 }, list{RiskNewNetwork: 10}},
		{"two of which no AS is known", func(e *Evidence) { e.IP = "203.0.113.1" }, list{RiskNewNetwork: 10}},

		{"another country", func(e *Evidence) { e.Place.Location = Location{"FR", "Paris"} }, list{RiskNewCountry: 25}},
		{"another city", func(e *Evidence) { e.Place.City = "Hamburg" }, list{RiskNewCity: 5}},
		{"a city that is not known now", func(e *Evidence) { e.Place.City = "" }, nil},
		{"a city that was not known then", func(e *Evidence) { e.Past[0].Place.City, e.Networks[0].Location.City = "", "" }, nil},
		{"a country that is not known now", func(e *Evidence) { e.Place.Location = Location{} }, nil},
		{"countries that were not known then", func(e *Evidence) { e.Past[0].Place.Location, e.Networks[0].Location = Location{}, Location{} }, nil},
		{"a country that only the networks have", func(e *Evidence) {
			e.Networks[0].Location = Location{"FR", "Paris"}
			e.Place.Location = Location{"FR", "Paris"}
		}, nil},
		{"one city of two that are known", func(e *Evidence) {
			e.Networks = append(e.Networks, KnownNetwork{Location: Location{"DE", "Hamburg"}}, KnownNetwork{Location: Location{"FR", "Paris"}})
			e.Place.City = "Hamburg"
		}, nil},

		{"1,000 km in an hour", abroad(999.9, "FR", time.Hour), elsewhere},
		{"a little farther in an hour", abroad(1000.1, "FR", time.Hour), travelled},
		{"the same in a little longer", abroad(1000.1, "FR", time.Hour+time.Second), elsewhere},
		{"10,000 km in ten hours", abroad(9999, "FR", 10*time.Hour), elsewhere},
		{"10,000 km in less", abroad(10001, "FR", 10*time.Hour), travelled},
		{"300 km in no time", abroad(299.9, "FR", 0), elsewhere},
		{"a little farther in no time", abroad(300.1, "FR", 0), travelled},
		{"1,000 km within a country in no time", abroad(999.9, "DE", 0), list{RiskNewDevice: 25, RiskNewNetwork: 10}},
		{"a little farther within a country", abroad(1000.1, "DE", 0), travelled},
		{"from the future", abroad(1000.1, "FR", -time.Hour), travelled},
		{"both places may be off, just enough", func(e *Evidence) {
			abroad(1000, "FR", 0)(e)
			e.Past[0].Place.Radius, e.Place.Radius = 350.1, 350
		}, elsewhere},
		{"both places may be off, not enough", func(e *Evidence) {
			abroad(1000, "FR", 0)(e)
			e.Past[0].Place.Radius, e.Place.Radius = 349.9, 350
		}, travelled},
		{"a radius below zero is none", func(e *Evidence) {
			abroad(299.9, "FR", 0)(e)
			e.Past[0].Place.Radius, e.Place.Radius = -500, -500
		}, elsewhere},
		{"the last place is not known", func(e *Evidence) { abroad(5000, "FR", 0)(e); e.Past[0].Place.Located = false }, elsewhere},
		{"this place is not known", func(e *Evidence) { abroad(5000, "FR", 0)(e); e.Place.Located = false }, elsewhere},
		{"in a network that is known", func(e *Evidence) { abroad(5000, "FR", 0)(e); e.IP = "192.0.2.9" }, list{RiskNewDevice: 25}},
		{"on a device that the server named", func(e *Evidence) { abroad(5000, "FR", 0)(e); e.Past[0].Device.ID = "laptop" }, list{RiskNewNetwork: 10}},
		{"on one that named itself", func(e *Evidence) {
			abroad(5000, "FR", 0)(e)
			e.Past[0].Device, e.Device.Signed = e.Device, false
			e.Past[0].Device.Signed = false
		}, list{RiskNewNetwork: 10, RiskImpossibleTravel: 40}},
		{"on one whose browser has changed", func(e *Evidence) {
			abroad(5000, "FR", 0)(e)
			e.Past[0].Device.ID, e.Device.Browser = "laptop", "Chrome"
		}, list{RiskNewNetwork: 10, RiskBrowserChanged: 10, RiskImpossibleTravel: 40}},
		{"on one whose system has changed", func(e *Evidence) {
			abroad(5000, "FR", 0)(e)
			e.Past[0].Device.ID, e.Device.OS = "laptop", "Windows"
		}, list{RiskNewNetwork: 10, RiskOSChanged: 15, RiskImpossibleTravel: 40}},
		{"the place of the last time counts, not of another", func(e *Evidence) {
			abroad(5000, "FR", time.Minute)(e)
			near := e.Past[0]
			near.Place, near.LastSeenAt = at(10, "DE", "Berlin"), e.Now
			e.Past = append(e.Past, near)
		}, elsewhere},
		{"one that is not placed is passed over", func(e *Evidence) {
			abroad(5000, "FR", time.Minute)(e)
			near := e.Past[0]
			near.Place, near.LastSeenAt = Place{}, e.Now
			e.Past = append([]Sighting{near}, e.Past...)
		}, travelled},

		{"one failure", func(e *Evidence) { e.Failures = 1 }, list{RiskFailedAttempts: 5}},
		{"five failures", func(e *Evidence) { e.Failures = 5 }, list{RiskFailedAttempts: 25}},
		{"six failures", func(e *Evidence) { e.Failures = 6 }, list{RiskFailedAttempts: 30}},
		{"very many failures", func(e *Evidence) { e.Failures = math.MaxInt }, list{RiskFailedAttempts: 30}},
		{"less than none", func(e *Evidence) { e.Failures = math.MinInt }, nil},

		{"two hours later than ever", signedInAt(-2 * time.Hour), nil},
		{"a little more than two hours later", signedInAt(-2*time.Hour - time.Millisecond), list{RiskUnusualHour: 5}},
		{"two hours earlier than ever", signedInAt(2*time.Hour - 24*time.Hour), nil},
		{"a little more than two hours earlier", signedInAt(2*time.Hour + time.Millisecond - 24*time.Hour), list{RiskUnusualHour: 5}},
		{"an hour after midnight, always an hour before", func(e *Evidence) {
			e.Now = time.Date(2026, 3, 4, 1, 0, 0, 0, time.UTC)
			for i := range e.SignIns {
				e.SignIns[i] = time.Date(2026, 2, 1+i, 23, 0, 0, 0, time.UTC)
			}
		}, nil},
		{"an hour and more after midnight, always an hour before", func(e *Evidence) {
			e.Now = time.Date(2026, 3, 4, 1, 0, 1, 0, time.UTC)
			for i := range e.SignIns {
				e.SignIns[i] = time.Date(2026, 2, 1+i, 23, 0, 0, 0, time.UTC)
			}
		}, list{RiskUnusualHour: 5}},
		{"once of eight at this hour", func(e *Evidence) {
			signedInAt(-6 * time.Hour)(e)
			e.SignIns[3] = e.SignIns[3].Add(6 * time.Hour)
		}, nil},
		{"seven sign-ins say nothing", func(e *Evidence) { signedInAt(-6 * time.Hour)(e); e.SignIns = e.SignIns[1:] }, nil},
		{"the hour is the world's, not a zone's", func(e *Evidence) { e.Now = e.Now.In(time.FixedZone("far", 9*3600)) }, nil},

		{"a spent token, not quite 72 hours ago", func(e *Evidence) { e.ReusedAt = e.Now.Add(time.Millisecond - 72*time.Hour) }, list{RiskRefreshReused: 25}},
		{"a spent token, 72 hours ago", func(e *Evidence) { e.ReusedAt = e.Now.Add(-72 * time.Hour) }, nil},
		{"a late replay, not quite a day ago", func(e *Evidence) { e.ReplayedAt = e.Now.Add(time.Millisecond - 24*time.Hour) }, list{RiskRefreshReplayed: 10}},
		{"a late replay, a day ago", func(e *Evidence) { e.ReplayedAt = e.Now.Add(-24 * time.Hour) }, nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			e := familiar()
			c.change(&e)
			risk := Score(e)
			got := points(t, risk)
			if len(got) != len(c.want) {
				t.Fatalf("got %v, want %v", risk.Reasons, c.want)
			}
			for code, n := range c.want {
				if got[code] != n {
					t.Errorf("%s: %d points, want %d", code, got[code], n)
				}
			}

			// Whoever has no past is scored by nothing that is compared with it.
			e.Past = nil
			for code := range points(t, Score(e)) {
				if code != RiskFailedAttempts && code != RiskRefreshReused && code != RiskRefreshReplayed {
					t.Errorf("the first sign-in is scored by %s", code)
				}
			}
		})
	}
}

// All at once is more than 100, and says so in full.
func TestScoreOfEverything(t *testing.T) {
	e := familiar()
	e.Failures, e.ReusedAt, e.ReplayedAt = 6, e.Now, e.Now
	e.Device.ID, e.IP, e.Place = "phone", "198.51.100.1", at(9000, "FR", "Paris")
	for i := range e.SignIns {
		e.SignIns[i] = e.SignIns[i].Add(6 * time.Hour)
	}
	for i := range manyDevices {
		s := e.Past[0]
		s.Device.ID, s.FirstSeenAt = fmt.Sprint("d", i), e.Now
		e.Past = append(e.Past, s)
	}
	risk := Score(e)
	sum := 0
	for _, n := range points(t, risk) {
		sum += n
	}
	if risk.Score != 100 || sum != 185 {
		t.Errorf("score %d of %d points, want 100 of 185: %v", risk.Score, sum, risk.Reasons)
	}
}

// What a Resolver may say, and must not lead to a decision.
func TestScoreOfAbsurdPlaces(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	odd := []float64{nan, inf, -inf, math.MaxFloat64, -math.MaxFloat64, 90.001, -91, 180.001, 1e6}
	var places []Place
	for _, x := range odd {
		if math.Abs(x) != 90.001 && x != -91 {
			places = append(places, Place{Longitude: x, Located: true})
		}
		places = append(places, Place{Latitude: x, Located: true}, Place{Latitude: x, Longitude: x, Radius: x, Located: true})
	}
	places = append(places, Place{Radius: nan, Located: true}, Place{Radius: inf, Located: true})
	for _, p := range places {
		p.Country = "FR"
		far := at(15000, "DE", "")
		for name, e := range map[string]Evidence{
			"now":  {IP: "198.51.100.1", Place: p, Past: []Sighting{{Place: far}}},
			"then": {IP: "198.51.100.1", Place: far, Past: []Sighting{{Place: p}}},
		} {
			got := points(t, Score(e))
			if got[RiskImpossibleTravel] != 0 || got[RiskNewCountry] != 25 {
				t.Errorf("%s at %+v: %v", name, p, got)
			}
		}
		// One that is nowhere does not hide the one before it.
		e := Evidence{IP: "198.51.100.1", Place: at(0, "DE", ""), Past: []Sighting{
			{Place: p, LastSeenAt: ruleTime}, {Place: far, LastSeenAt: ruleTime.Add(-time.Second)},
		}}
		if e.Now = ruleTime; !math.IsInf(p.Radius, 1) && points(t, Score(e))[RiskImpossibleTravel] != 40 {
			t.Errorf("after %+v: %v", p, Score(e))
		}
	}
	for _, p := range []Place{{Latitude: 90, Located: true}, {Latitude: -90, Longitude: 180, Located: true}, {Longitude: -180, Located: true}} {
		e := Evidence{IP: "198.51.100.1", Place: p, Past: []Sighting{{Place: at(5000, "DE", "")}}}
		if points(t, Score(e))[RiskImpossibleTravel] != 40 {
			t.Errorf("at %+v: %v", p, Score(e))
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b Place
		km   float64
	}{
		{"nowhere", Place{}, Place{}, 0},
		{"Berlin to New York", Place{Latitude: 52.52, Longitude: 13.405}, Place{Latitude: 40.7128, Longitude: -74.006}, 6385},
		{"across the date line", Place{Longitude: 179.5}, Place{Longitude: -179.5}, 111},
		{"antipodes", Place{Latitude: 90}, Place{Latitude: -90}, math.Pi * earthRadius},
	} {
		if got := distance(c.a, c.b); math.Abs(got-c.km) > 1 {
			t.Errorf("%s: %.1f km, want %.1f", c.name, got, c.km)
		}
	}
}
