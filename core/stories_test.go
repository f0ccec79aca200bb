package core_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// Programs as they introduce themselves.
const (
	chromeOnWindows  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
	chromeOnLinux    = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"
	chromeOnAndroid  = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36"
	firefoxOnMac     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:144.0) Gecko/20100101 Firefox/144.0"
	safariOnIPhone   = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
	safariOnIPad     = "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
	scriptOfStuffers = "python-requests/2.32.3"
)

// atlas is a Resolver that knows some networks.
type atlas map[string]core.Place

func (a atlas) Resolve(_ context.Context, addr netip.Addr) (core.Place, error) {
	for prefix, place := range a {
		if netip.MustParsePrefix(prefix).Contains(addr) {
			return place, nil
		}
	}
	return core.Place{}, nil
}

func town(country, city string, latitude, longitude float64, asn uint32) core.Place {
	return core.Place{
		Location: core.Location{Country: country, City: city},
		Latitude: latitude, Longitude: longitude, Located: true, Radius: 20, ASN: asn,
	}
}

var globe = atlas{
	"192.0.2.0/24":    town("DE", "Potsdam", 52.40, 13.06, 64501),
	"198.51.100.0/24": town("DE", "Berlin", 52.52, 13.40, 64502),
	"198.18.1.0/24":   town("DE", "Berlin", 52.52, 13.40, 64503),
	"198.18.2.0/24":   town("DE", "Frankfurt", 50.11, 8.68, 64503),
	"198.18.3.0/24":   town("DE", "Munich", 48.14, 11.58, 64503),
	"203.0.113.0/24":  town("ES", "Palma", 39.57, 2.65, 64510),
	"198.19.1.0/24":   town("CH", "Zurich", 47.37, 8.54, 64520),
	"198.19.2.0/24":   town("SE", "Stockholm", 59.33, 18.06, 64520),
	"198.19.9.0/24":   town("BR", "São Paulo", -23.55, -46.63, 64530),
}

// Addresses in them.
const (
	atHome      = "192.0.2.17"
	inTheOffice = "198.51.100.40"
	onTheTrain  = "198.18.1.9"
	inTheHotel  = "203.0.113.77"
	vpnZurich   = "198.19.1.5"
	vpnSweden   = "198.19.2.5"
	farAway     = "198.19.9.66"
)

// gadget is what somebody signs in on: a browser with the server's device cookie.
type gadget struct {
	id        string
	userAgent string
}

func (g gadget) at(ip string) core.Client {
	return core.Client{DeviceID: g.id, Signed: true, IP: ip, UserAgent: g.userAgent}
}

// story is an Auth of which users tell.
type story struct {
	*house
	mu   sync.Mutex
	told []string // who was told of what
	last map[gadget]string
}

// tell tells a story.
func tell(t *testing.T, events func(s *story), changes ...func(*core.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &story{last: make(map[gadget]string)}
		s.house = open(t, memstore.New(), append([]func(*core.Config){func(c *core.Config) {
			c.Resolver, c.MaxStaleness = globe, time.Minute // days pass quickly
			c.Notify = func(_ context.Context, n core.Notice) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.told = append(s.told, n.UserID+": "+string(n.Outcome))
				return nil
			}
		}}, changes...)...)
		events(s)
		s.expectTold("at the end")
	})
}

// expectTold fails unless these notices were sent since the last call.
func (s *story) expectTold(what string, want ...string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.told, want) {
		s.t.Errorf("%s: told %q, want %q", what, s.told, want)
	}
	s.told = nil
}

// expectRisk fails unless the list of sessions shows the score in a band, for these
// reasons.
func (s *story) expectRisk(what string, p core.Pair, band string, codes ...string) core.Session {
	s.t.Helper()
	sessions, err := s.Sessions(s.t.Context(), p.UserID)
	if err != nil {
		s.t.Fatal(err)
	}
	i := slices.IndexFunc(sessions, func(o core.Session) bool { return o.ID == p.Session.ID })
	if i < 0 {
		s.t.Fatalf("%s: the session has ended", what)
	}
	var got []string
	for _, reason := range sessions[i].Risk.Reasons {
		got = append(got, reason.Code)
	}
	slices.Sort(got)
	slices.Sort(codes)
	score := sessions[i].Risk.Score
	is := "low"
	switch {
	case score >= 70:
		is = "high"
	case score >= 30:
		is = "medium"
	}
	if is != band || !slices.Equal(got, codes) {
		s.t.Errorf("%s: %d, %s, by %q, want %s by %q", what, score, is, got, band, codes)
	}
	return sessions[i]
}

// comes signs a user in on a gadget.
func (s *story) comes(user string, on gadget, ip string, changes ...func(*core.SignInRequest)) core.Pair {
	s.t.Helper()
	p, err := s.tries(user, on, ip, changes...)
	if err != nil {
		s.t.Fatalf("%s on %s: %v", user, on.id, err)
	}
	return p
}

func (s *story) tries(user string, on gadget, ip string, changes ...func(*core.SignInRequest)) (core.Pair, error) {
	r := core.SignInRequest{Identity: core.Identity{UserID: user}, Client: on.at(ip)}
	if before := s.last[on]; before != "" {
		r.Replaces = []string{before}
	}
	for _, change := range changes {
		change(&r)
	}
	p, err := s.SignIn(s.t.Context(), r)
	if err == nil && on.id != "" {
		s.last[on] = p.RefreshToken
	}
	return p, err
}

// goesOn refreshes a session.
func (s *story) goesOn(p core.Pair, on gadget, ip string) core.Pair {
	s.t.Helper()
	next, err := s.Refresh(s.t.Context(), core.RefreshRequest{Token: p.RefreshToken, DeviceID: on.id, Client: on.at(ip)})
	if err != nil {
		s.t.Fatalf("refresh on %s: %v", on.id, err)
	}
	s.last[on] = next.RefreshToken
	return next
}

func TestStoryOfACommuter(t *testing.T) {
	tell(t, func(s *story) {
		laptop, phone := gadget{"laptop", firefoxOnMac}, gadget{"phone", safariOnIPhone}
		s.expectRisk("at home", s.comes("carla", laptop, atHome), "low")
		s.expectRisk("her phone, at home", s.comes("carla", phone, atHome), "low", core.RiskNewDevice)
		elapse(30 * time.Minute)
		s.expectRisk("on the train", s.comes("carla", phone, onTheTrain), "low", core.RiskNewNetwork, core.RiskNewCity)
		elapse(30 * time.Minute)
		s.expectRisk("in the office", s.comes("carla", laptop, inTheOffice), "low", core.RiskNewNetwork)
		for range 4 { // from Tuesday on it is nothing
			elapse(23 * time.Hour)
			s.expectRisk("at home again", s.comes("carla", laptop, atHome), "low")
			elapse(30 * time.Minute)
			s.expectRisk("on the train again", s.comes("carla", phone, onTheTrain), "low")
			elapse(30 * time.Minute)
			s.expectRisk("in the office again", s.comes("carla", laptop, inTheOffice), "low")
		}
	})
}

func TestStoryOfAHoliday(t *testing.T) {
	tell(t, func(s *story) {
		laptop := gadget{"laptop", chromeOnWindows}
		s.comes("hugo", laptop, atHome)
		elapse(8 * time.Hour)
		there := s.expectRisk("in the hotel", s.comes("hugo", laptop, inTheHotel), "medium", core.RiskNewNetwork, core.RiskNewCountry)
		if want := (core.Location{Country: "ES", City: "Palma"}); there.Location != want {
			s.t.Errorf("in %v, want %v", there.Location, want)
		}
		s.expectTold("on the first evening", "hugo: signed_in")
		elapse(24 * time.Hour)
		s.expectRisk("in the hotel the next day", s.comes("hugo", laptop, inTheHotel), "low")
		elapse(8 * time.Hour)
		s.expectRisk("at home", s.comes("hugo", laptop, atHome), "low")
	})
}

func TestStoryOfAVPN(t *testing.T) {
	tell(t, func(s *story) {
		laptop := gadget{"laptop", chromeOnWindows}
		s.comes("vera", laptop, atHome)
		elapse(time.Minute)
		s.expectRisk("by VPN", s.comes("vera", laptop, vpnZurich), "medium", core.RiskNewNetwork, core.RiskNewCountry)
		s.expectTold("for the first time", "vera: signed_in")
		elapse(time.Minute)
		s.expectRisk("without it", s.comes("vera", laptop, atHome), "low")
		elapse(time.Minute)
		s.expectRisk("with it", s.comes("vera", laptop, vpnZurich), "low")
		elapse(time.Minute)
		p := s.comes("vera", laptop, vpnSweden)
		s.expectRisk("by another exit", p, "low", core.RiskNewCountry)
		elapse(time.Minute)
		s.expectRisk("by none, in the same session", s.goesOn(p, laptop, atHome), "low", core.RiskNewCountry)
		elapse(time.Minute)
		s.expectRisk("by both", s.comes("vera", laptop, vpnSweden), "low")
	})
}

func TestStoryOfANewPhone(t *testing.T) {
	tell(t, func(s *story) {
		old, bought := gadget{"old phone", safariOnIPhone}, gadget{"new phone", chromeOnAndroid}
		s.comes("nina", old, atHome)
		elapse(48 * time.Hour)
		s.expectRisk("in the shop", s.comes("nina", bought, onTheTrain), "medium", core.RiskNewDevice, core.RiskNewNetwork, core.RiskNewCity)
		s.expectTold("of the new phone", "nina: signed_in")
		elapse(time.Hour)
		s.expectRisk("at home", s.comes("nina", bought, atHome), "low")
		s.expectRisk("the one that her brother gets", s.comes("nina", gadget{"third", chromeOnAndroid}, atHome), "low", core.RiskNewDevice)
	})
}

// The thief has both cookies, and another computer. The victim's browser finds it out.
func TestStoryOfAStolenCookie(t *testing.T) {
	tell(t, func(s *story) {
		laptop, stolen := gadget{"laptop", chromeOnWindows}, gadget{"laptop", chromeOnLinux}
		mine := s.comes("sven", laptop, atHome)
		elapse(20 * time.Minute)
		thiefs := s.goesOn(mine, stolen, farAway)
		seen := s.expectRisk("far away", thiefs, "high",
			core.RiskNewNetwork, core.RiskNewCountry, core.RiskOSChanged, core.RiskImpossibleTravel)
		if seen.IP != farAway || seen.Location.City != "São Paulo" || seen.Device.OS != "Linux" || seen.UserAgent != chromeOnLinux {
			s.t.Errorf("the list shows %+v", seen)
		}
		s.expectTold("of the theft", "sven: risk_raised")
		elapse(time.Minute)
		s.expectRisk("and on", s.goesOn(thiefs, stolen, farAway), "high",
			core.RiskNewNetwork, core.RiskNewCountry, core.RiskOSChanged, core.RiskImpossibleTravel)
		s.expectTold("once is enough")
		elapse(time.Minute)
		s.expectRefresh(mine, core.ErrRefreshTokenReused)
		s.expectCount("sven", 0)
		elapse(time.Minute)
		s.last = map[gadget]string{}
		s.expectRisk("the victim again", s.comes("sven", laptop, atHome), "low", core.RiskRefreshReused)
		elapse(24 * time.Hour)
		// Even with the password nothing there is familiar by what the cookie opened.
		s.expectRisk("the thief, with the password", s.comes("sven", gadget{"other", chromeOnLinux}, farAway), "high",
			core.RiskNewDevice, core.RiskNewNetwork, core.RiskNewCountry, core.RiskRefreshReused)
		s.expectTold("of the thief", "sven: signed_in")
	})
}

func TestStoryOfCredentialStuffing(t *testing.T) {
	tried := func(r *core.SignInRequest) { r.Failures = 12 }
	tell(t, func(s *story) {
		laptop, script := gadget{"laptop", firefoxOnMac}, gadget{"", scriptOfStuffers}
		s.comes("cem", laptop, atHome)
		elapse(time.Hour)
		s.expectRisk("the password that fits", s.comes("cem", script, farAway, tried), "high",
			core.RiskFailedAttempts, core.RiskNewDevice, core.RiskNewNetwork, core.RiskNewCountry, core.RiskImpossibleTravel)
		s.expectTold("of it", "cem: signed_in")
	})
	tell(t, func(s *story) {
		laptop, script := gadget{"laptop", firefoxOnMac}, gadget{"", scriptOfStuffers}
		s.comes("cem", laptop, atHome)
		elapse(time.Hour)
		for range 3 { // it becomes no more familiar
			if _, err := s.tries("cem", script, farAway, tried); !errors.Is(err, core.ErrRiskDenied) {
				s.t.Errorf("the password that fits: %v", err)
			}
			s.expectTold("of it", "cem: risk_denied")
		}
		s.expectCount("cem", 1)
		s.expectRisk("the user, in the middle of it", s.comes("cem", laptop, atHome, tried), "medium", core.RiskFailedAttempts)
		s.expectTold("of the attempts", "cem: signed_in")
	}, func(c *core.Config) { c.Risk.Deny = 70 })
}

func TestStoryOfAFamilyBehindOneAddress(t *testing.T) {
	tell(t, func(s *story) {
		tablet := gadget{"tablet", safariOnIPad}
		for user, own := range map[string]gadget{
			"mum": {"mum's", firefoxOnMac}, "dad": {"dad's", chromeOnWindows}, "kid": {"kid's", chromeOnAndroid},
		} {
			s.expectRisk(user, s.comes(user, own, atHome), "low")
			elapse(time.Hour)
			s.expectRisk(user+" on the tablet", s.comes(user, tablet, atHome), "low", core.RiskNewDevice)
			elapse(time.Hour)
			s.expectRisk(user+" on the tablet again", s.comes(user, tablet, atHome), "low")
			s.expectRisk(user+" with clumsy fingers", s.comes(user, own, atHome, func(r *core.SignInRequest) { r.Failures = 3 }), "low", core.RiskFailedAttempts)
		}
	})
}

func TestStoryOfABrowserUpdate(t *testing.T) {
	tell(t, func(s *story) {
		for _, update := range [][2]string{
			{chromeOnWindows, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"},
			{firefoxOnMac, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0"},
			{safariOnIPhone, "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1"},
		} {
			was, is := gadget{"one", update[0]}, gadget{"one", update[1]}
			user := update[0]
			p := s.comes(user, was, atHome)
			elapse(time.Hour)
			p = s.goesOn(p, is, atHome)
			if seen := s.expectRisk("the session goes on", p, "low"); seen.UserAgent != update[1] {
				s.t.Errorf("the list shows %q", seen.UserAgent)
			}
			elapse(time.Hour)
			s.expectRisk("a new one begins", s.comes(user, is, atHome), "low")
		}
	})
}

func TestStoryOfANightShift(t *testing.T) {
	tell(t, func(s *story) {
		ward := gadget{"ward", chromeOnWindows}
		elapse(6 * time.Hour)
		for range 8 {
			s.expectRisk("in the morning", s.comes("noor", ward, inTheOffice), "low")
			elapse(24 * time.Hour)
		}
		elapse(16 * time.Hour)
		s.expectRisk("the first night", s.comes("noor", ward, inTheOffice), "low", core.RiskUnusualHour)
		elapse(25 * time.Hour)
		s.expectRisk("the second night", s.comes("noor", ward, inTheOffice), "low")
		elapse(7 * time.Hour)
		s.expectRisk("in the morning again", s.comes("noor", ward, inTheOffice), "low")
	})
}

func TestStoryOfACarriersNAT(t *testing.T) {
	tell(t, func(s *story) {
		phone := gadget{"phone", chromeOnAndroid}
		s.comes("nils", phone, "198.18.1.1")
		elapse(time.Minute)
		s.expectRisk("by way of Frankfurt", s.comes("nils", phone, "198.18.2.1"), "low", core.RiskNewCity)
		elapse(time.Minute)
		p := s.comes("nils", phone, "198.18.3.200")
		s.expectRisk("by way of Munich", p, "low", core.RiskNewCity)
		for _, ip := range []string{"198.18.1.7", "198.18.2.8", "198.18.1.99"} {
			elapse(time.Minute)
			p = s.goesOn(p, phone, ip)
			s.expectRisk("the session goes on", p, "low", core.RiskNewCity)
		}
		s.expectRisk("all of it is known", s.comes("nils", phone, "198.18.2.250"), "low")
		s.expectRisk("a new tablet there", s.comes("nils", gadget{"tablet", safariOnIPad}, "198.18.1.2"), "low", core.RiskNewDevice)
	})
}

// While the thief's session goes on, nothing there is familiar by it.
func TestStoryOfAPatientThief(t *testing.T) {
	tell(t, func(s *story) {
		laptop, stolen := gadget{"laptop", chromeOnWindows}, gadget{"laptop", chromeOnLinux}
		mine := s.comes("sven", laptop, atHome)
		elapse(20 * time.Minute)
		s.goesOn(mine, stolen, farAway)
		s.expectTold("of the theft", "sven: risk_raised")
		elapse(24 * time.Hour)
		s.expectRisk("the thief, with the password", s.comes("sven", gadget{"other", chromeOnLinux}, farAway), "medium",
			core.RiskNewDevice, core.RiskNewNetwork, core.RiskNewCountry)
		s.expectTold("of the thief", "sven: signed_in")
	})
}
