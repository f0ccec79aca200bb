package agent

import (
	"strings"

	"github.com/mileusna/useragent"
)

// signs is what the words of a User-Agent say.
type signs struct {
	crawler, program, app, browser, system ranked

	bot     bool   // a word says so
	botName string // that word, "" if it is no name
	product string // the first product with a version that is not an engine
	elseOS  string // the system, for want of a better source

	mobile, tablet, other, webView, cfNetwork, safari, webKit, trident, onlyIOS bool
}

// ranked is the family found that stands first in its table.
type ranked struct {
	name string
	kind string
	rank int
}

func (r *ranked) offer(table map[string]ranked, word string) {
	if found, ok := table[word]; ok && (r.name == "" || found.rank < r.rank) {
		*r = found
	}
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

	r := s.device(lib, native)
	mobileApp := native && (r.os == android || r.os == iOS || r.os == harmonyOS)
	switch {
	case s.crawler.name != "":
		return reading{browser: s.crawler.name, kind: Bot, settled: true}
	case s.program.name != "":
		return reading{browser: s.program.name, os: r.os, kind: s.program.kind, settled: true}
	case s.bot:
		return reading{browser: s.botsName(ua, lib, native), kind: Bot, settled: true}
	case s.app.name != "":
		r.browser, r.own = s.app.name, true
	case lib.URL != "" && !mobileApp:
		return reading{browser: s.botsName(ua, lib, native), kind: Bot, settled: true}
	case s.browser.name != "":
		r.browser = s.browser.name
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
	at := 0
	for w := range words(ua) {
		first := at == 0
		at++
		s.crawler.offer(crawlers, w.lower)
		s.system.offer(systems, w.lower)
		if first || !native && !w.comment && w.versioned() {
			s.program.offer(programs, w.lower)
		}
		if first || !native && w.names() {
			s.app.offer(apps, w.lower)
			s.browser.offer(browsers, w.lower)
		}
		if s.elseOS == "" {
			s.elseOS = otherwise[w.lower]
		}
		if isBot(w.lower) {
			if s.bot = true; s.botName == "" && len(w.lower) > len("crawler") {
				s.botName = name(w.text)
			}
		}
		if s.product == "" && !w.comment && w.before != '/' && strings.HasPrefix(w.after, "/") && w.versioned() && !engines[w.lower] {
			s.product = name(w.text)
		}
		s.mark(w)
	}
	return s
}

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
	case "trident":
		s.trident = true
	case "xbox", "nintendo", "playstation", "crkey", "bravia", "roku", "netcast", "viera", "oculusbrowser", "quest", "watch", "tesla":
		s.other = true
	default:
		s.other = s.other || w.comment && (strings.HasSuffix(w.lower, "tv") || strings.HasPrefix(w.lower, "appletv") || isFireTV(w.text))
	}
}

// device tells the system and the size of the screen.
func (s *signs) device(lib useragent.UserAgent, native bool) reading {
	r := reading{os: lib.OS}
	switch {
	case s.system.name != "":
		r.os = s.system.name
	case r.os == "" && s.cfNetwork: // Apple's, and Darwin says no more
	case r.os == "":
		r.os = s.elseOS
	}
	r.mobile = s.mobile || native || lib.Name == useragent.OperaMini
	if r.os == macOS && (s.onlyIOS || s.mobile) { // an iPad that asks for pages as a Mac gets them
		r.os, s.tablet = iOS, true
	}
	if s.tablet || native && r.os != android && r.os != iOS && r.os != harmonyOS {
		r.mobile = false
	}
	if s.other || s.system.kind == Unknown {
		r.kind = Unknown
	}
	return r
}

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
