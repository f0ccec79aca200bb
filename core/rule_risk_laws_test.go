package core

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// builtInCodes are those that Score says.
var builtInCodes = []string{
	RiskNewDevice, RiskNewNetwork, RiskNewCountry, RiskNewCity, RiskImpossibleTravel, RiskBrowserChanged, RiskOSChanged,
	RiskFailedAttempts, RiskUnusualHour, RiskRefreshReused, RiskRefreshReplayed, RiskManyDevices,
}

// anyEvidence draws what an Auth, a Resolver or an app may come up with: few words, so
// that they meet, and some that are garbage.
func anyEvidence(t *rapid.T) Evidence {
	n := 0
	label := func() string { n++; return strconv.Itoa(n) }
	word := func(words ...string) string { return rapid.SampledFrom(words).Draw(t, label()) }
	number := func() float64 {
		odd := []float64{0, 1, -10, 52, 90, -120, 180, 1e9, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64}
		return rapid.SampledFrom(odd).Draw(t, label())
	}
	long := strings.Repeat("München ", 300)
	place := func() Place {
		return Place{
			Location: Location{word("", "DE", "DE", "FR", "US", "\x00", long), word("", "Berlin", "Paris", "a\nb", long)},
			Latitude: number(), Longitude: number(), Radius: number(),
			Located: rapid.Bool().Draw(t, label()),
			ASN:     rapid.Uint32Range(0, 2).Draw(t, label()),
		}
	}
	device := func() Device {
		return Device{
			ID: word("", "a", "b", "c", "d", "e", "f"), Signed: rapid.Bool().Draw(t, label()),
			Browser: word("", "Chrome", "Firefox", long, "x\x1b[31m"), OS: word("", "Windows", "Android", "\xff"),
		}
	}
	ip := func() string {
		return word("", "192.0.2.1", "192.0.2.99", "::ffff:192.0.2.5", "198.51.100.1", "2001:db8::1", "2001:db8:1::1", "fe80::1%eth0", "no address", "\xff")
	}
	now := ruleTime
	moment := func() time.Time {
		if rapid.IntRange(0, 9).Draw(t, label()) == 0 {
			return rapid.SampledFrom([]time.Time{{}, now.AddDate(500, 0, 0), now.AddDate(-500, 0, 0)}).Draw(t, label())
		}
		return now.Add(-time.Duration(rapid.IntRange(-1, 80).Draw(t, label())) * time.Hour)
	}
	e := Evidence{Now: now, Device: device(), IP: ip(), Place: place(), ReusedAt: moment(), ReplayedAt: moment()}
	e.Failures = rapid.IntRange(-1, 8).Draw(t, "failures")
	for range rapid.IntRange(0, 6).Draw(t, "past") {
		e.Past = append(e.Past, Sighting{device(), moment(), moment(), ip(), place()})
	}
	for range rapid.IntRange(0, 4).Draw(t, "networks") {
		p := place()
		e.Networks = append(e.Networks, KnownNetwork{networkOf(ip()), p.ASN, p.Location, moment()})
	}
	for range rapid.SampledFrom([]int{0, 7, 8, 12}).Draw(t, "sign-ins") {
		e.SignIns = append(e.SignIns, moment())
	}
	return e
}

// clone returns a copy that shares no list.
func (e Evidence) clone() Evidence {
	e.Past, e.Networks, e.SignIns = slices.Clone(e.Past), slices.Clone(e.Networks), slices.Clone(e.SignIns)
	return e
}

// P36: a score is 0 to 100 and the sum of its points, and each of them has a code that
// is documented and a sentence that can be shown.
func TestProofScoreExplainsItself(t *testing.T) {
	prove(t, func(t *rapid.T) {
		e := anyEvidence(t)
		r := Score(e)
		points(t, r)
		if r.Score < 0 || r.Score > 100 {
			t.Errorf("score %d", r.Score)
		}
		for _, reason := range r.Reasons {
			switch {
			case !slices.Contains(builtInCodes, reason.Code):
				t.Errorf("%q is no code", reason.Code)
			case reason.Points <= 0:
				t.Errorf("%s: %d points", reason.Code, reason.Points)
			case reason.Detail == "", len(reason.Detail) > 200, !utf8.ValidString(reason.Detail), strings.ContainsFunc(reason.Detail, unicode.IsControl):
				t.Errorf("%s says %q", reason.Code, reason.Detail)
			case len(e.Past) == 0 && !slices.Contains([]string{RiskFailedAttempts, RiskRefreshReused, RiskRefreshReplayed}, reason.Code):
				t.Errorf("the first sign-in is scored by %s", reason.Code)
			}
		}
	})
}

// P36: the same evidence has the same score, in whatever order its lists are, and is
// not written to.
func TestProofScoreIsDeterministic(t *testing.T) {
	asNumbers := cmp.Comparer(func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) })
	prove(t, func(t *rapid.T) {
		e := anyEvidence(t)
		before := e.clone()
		want := Score(e)
		if d := cmp.Diff(before, e, asNumbers); d != "" {
			t.Fatalf("the evidence has changed:\n%s", d)
		}
		o := e.clone()
		o.Past = rapid.Permutation(e.Past).Draw(t, "past, in another order")
		o.Networks = rapid.Permutation(e.Networks).Draw(t, "networks, in another order")
		o.SignIns = rapid.Permutation(e.SignIns).Draw(t, "sign-ins, in another order")
		if d := cmp.Diff(want, Score(o)); d != "" {
			t.Errorf("in another order (-one +other):\n%s", d)
		}
	})
}

// adverse are signals that an evidence gets beside those that it has.
var adverse = map[string]func(e *Evidence){
	"a failure":       func(e *Evidence) { e.Failures++ },
	"a spent token":   func(e *Evidence) { e.ReusedAt = e.Now },
	"a late replay":   func(e *Evidence) { e.ReplayedAt = e.Now },
	"a new device":    func(e *Evidence) { e.Device.ID = "nobody's" },
	"a new network":   func(e *Evidence) { e.IP, e.Place.ASN = "203.0.113.1", 0 },
	"a new country":   func(e *Evidence) { e.Place.Country, e.Place.City = "NZ", "Wellington" },
	"a new city":      func(e *Evidence) { e.Place.City = "Nowhere" },
	"another browser": func(e *Evidence) { e.Device.Browser = "Lynx" },
	"another system":  func(e *Evidence) { e.Device.OS = "Plan 9" },
	"a place that is exact": func(e *Evidence) {
		if e.Place.located() {
			e.Place.Radius = 0
		}
	},
	"new devices": func(e *Evidence) {
		for i := range manyDevices {
			e.Past = append(e.Past, Sighting{Device: Device{ID: fmt.Sprint("new", i)}, FirstSeenAt: e.Now})
		}
	},
	"no sign-in about this hour": func(e *Evidence) {
		for i := range e.SignIns {
			e.SignIns[i] = e.Now.Add(-6 * time.Hour)
		}
	},
	"a journey from the other side": func(e *Evidence) {
		if len(e.Past) > 0 && e.Place.located() {
			last := slices.MaxFunc(e.Past, func(a, b Sighting) int { return a.LastSeenAt.Compare(b.LastSeenAt) })
			there := Place{Latitude: -e.Place.Latitude, Longitude: e.Place.Longitude - math.Copysign(180, e.Place.Longitude), Located: true}
			e.Past = append(e.Past, Sighting{Device: Device{ID: last.Device.ID + "x"}, LastSeenAt: latest(last.LastSeenAt, e.Now), Place: there})
		}
	},
}

// P36: a signal more never makes a score less.
func TestProofScoreIsMonotone(t *testing.T) {
	var names []string
	for name := range adverse {
		names = append(names, name)
	}
	slices.Sort(names)
	prove(t, func(t *rapid.T) {
		e := anyEvidence(t)
		was := Score(e)
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 1, 5).Draw(t, "signals") {
			e = e.clone()
			adverse[name](&e)
			is := Score(e)
			if is.Score < was.Score {
				t.Fatalf("%s: %d, before %d\nbefore %v\nafter %v", name, is.Score, was.Score, was.Reasons, is.Reasons)
			}
			was = is
		}
	})
}

// The table at Score is what it does.
func TestScoreDocumentation(t *testing.T) {
	source, err := os.ReadFile("rule_risk.go")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]int)
	for _, line := range regexp.MustCompile(`(?m)^//\t(\w+) +(\d+)  `).FindAllStringSubmatch(string(source), -1) {
		documented[line[1]], _ = strconv.Atoi(line[2])
	}
	got := make(map[string]int)
	for _, names := range [][]string{
		{"a failure", "a spent token", "a late replay", "another browser", "another system", "a new network", "a new city", "no sign-in about this hour"},
		{"a new device", "new devices", "a new network", "a new country", "a journey from the other side"},
	} {
		e := familiar()
		for _, name := range names {
			adverse[name](&e)
		}
		for code, n := range points(t, Score(e)) {
			got[code] = n
		}
	}
	if d := cmp.Diff(documented, got); d != "" || len(documented) != len(builtInCodes) {
		t.Errorf("points (-documented +scored):\n%s", d)
	}
}
