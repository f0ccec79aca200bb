package agent

import (
	"strings"

	"github.com/mileusna/useragent"
)

// signs is what the words of a User-Agent say.
type signs struct {
	found [roles]ranked

	bot     bool   // a word says so
	botName string // that word, "" if it is no name
	product string // the first product with a version that is not an engine

	mobile, tablet, other, webView, cfNetwork, safari, webKit, trident, onlyIOS, compatible bool
}

// read tells what a User-Agent says alone.
func read(userAgent string) reading {
	ua := strings.TrimSpace(printable(userAgent[:min(len(userAgent), maxInput)]))
	if ua == "" {
		return reading{}
	}
	first, _, _ := strings.Cut(ua, "/")
	native := first != "Mozilla" && first != "Opera" && first != "Dalvik" // it names itself first
	lib := useragent.Parse(ua)
	s := look(ua, native)

	r := s.device(lib, first != "Mozilla")
	switch {
	case s.found[crawler].name != "":
		return reading{browser: s.found[crawler].name, kind: Bot, settled: true}
	case s.found[program].name != "":
		return reading{browser: s.found[program].name, os: r.os, kind: s.found[program].kind, settled: true}
	case s.bot:
		return reading{browser: s.botsName(ua, lib, native), kind: Bot, settled: true}
	case s.found[app].name != "":
		r.browser, r.own = s.found[app].name, true
	case lib.URL != "" && !(native && onPhones(r.os)), !native && s.compatible && r.os == "" && !s.trident:
		return reading{browser: s.botsName(ua, lib, native), kind: Bot, settled: true}
	case s.found[browser].name != "":
		r.browser = s.found[browser].name
	case native:
		r.browser, r.own = leading(ua), true
		if r.kind == "" && r.os == "" && !s.cfNetwork && r.browser != "" {
			r.kind = Tool
		}
	default:
		r.browser = s.browserOf(lib)
		if r.browser == headless {
			r.kind, r.settled = Bot, true
		}
	}
	return r
}

// look goes over the words of a User-Agent once.
func look(ua string, native bool) (s signs) {
	first := true
	for w := range words(ua) {
		isEngine := false
		for _, family := range vocabulary[w.lower] {
			counts := true
			switch family.as {
			case program:
				counts = first || family.kind == Tool && !native && !w.comment && w.versioned()
			case app, browser:
				counts = first || !native && w.names()
			case engine:
				isEngine = true
			}
			if counts {
				s.found[family.as].offer(family)
			}
		}
		if isBot(w.lower) {
			if s.bot = true; s.botName == "" && len(w.lower) > len("crawler") {
				s.botName = name(w.text)
			}
		}
		if s.product == "" && !isEngine && !w.comment && w.before != '/' && strings.HasPrefix(w.after, "/") && w.versioned() {
			s.product = name(w.text)
		}
		s.mark(w)
		first = false
	}
	return s
}

// offer keeps the family that says more.
func (r *ranked) offer(other ranked) {
	if r.name == "" || other.rank < r.rank {
		*r = other
	}
}

// mark notes what w says of the device and the engine.
func (s *signs) mark(w word) {
	switch w.lower {
	case "mobile", "phone", "iphone", "ipod":
		s.mobile = true
	case "tablet", "ipad", "ipados":
		s.tablet = true
	case "crios", "fxios", "edgios", "opios":
		s.onlyIOS = true
	case "wv":
		s.webView = s.webView || w.comment
	case "cfnetwork":
		s.cfNetwork = true
	case "safari":
		s.safari = true
	case "applewebkit":
		s.webKit = true
	case "trident", "msie":
		s.trident = true
	case "compatible":
		s.compatible = true
	case "crkey", "oculusbrowser":
		s.other = true
	case "xbox", "nintendo", "bravia", "netcast", "viera", "quest", "watch", "tesla":
		s.other = s.other || w.comment
	default:
		s.other = s.other || w.comment && (strings.HasSuffix(w.lower, "tv") || strings.HasPrefix(w.lower, "appletv") || isFireTV(w.text))
	}
}

// device tells the system and the size of the screen. Only what calls itself
// Mozilla says mobile; of the rest, what runs on a system for telephones is taken
// to be on one unless it says tablet.
func (s *signs) device(lib useragent.UserAgent, native bool) reading {
	r := reading{os: lib.OS}
	switch {
	case s.found[system].name != "":
		r.os = s.found[system].name
	case r.os == "":
		r.os = s.found[otherwise].name
	}
	r.mobile = s.mobile
	if r.os == macOS && (s.onlyIOS || s.mobile) { // an iPad that asks for pages as a Mac gets them
		r.os, s.tablet = iOS, true
	}
	if native {
		r.mobile = onPhones(r.os)
	}
	if s.tablet {
		r.mobile = false
	}
	if s.other || s.found[system].kind == Unknown {
		r.kind = Unknown
	}
	return r
}

func onPhones(os string) bool { return os == android || os == iOS || os == harmonyOS }

// browserOf names what calls itself Mozilla and is in no table here.
func (s *signs) browserOf(lib useragent.UserAgent) string {
	found := libraryNames[lib.Name]
	switch {
	case s.trident && found == "":
		return "Internet Explorer"
	case found != "" && found != chrome && found != safari:
		return found
	case s.product != "":
		return s.product
	case s.webView, lib.OS == useragent.IOS && s.webKit && !s.safari && !s.onlyIOS:
		return webView
	}
	return found
}

// botsName names a bot that is in no table here.
func (s *signs) botsName(ua string, lib useragent.UserAgent, native bool) string {
	switch {
	case s.botName != "":
		return s.botName
	case native:
		return leading(ua)
	case s.product != "":
		return s.product
	}
	return leading(lib.Name)
}

// isBot reports whether a word of lower case is what bots call themselves. Cubot
// makes telephones.
func isBot(w string) bool {
	return w != "cubot" && !strings.HasPrefix(w, "cubot_") &&
		(strings.HasSuffix(w, "bot") || strings.HasSuffix(w, "spider") || strings.HasSuffix(w, "crawler"))
}

// isFireTV reports whether a word is a model of Fire TV, such as AFTKA.
func isFireTV(w string) bool {
	return strings.HasPrefix(w, "AFT") && len(w) <= 8 && strings.ToUpper(w) == w
}
