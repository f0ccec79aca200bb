// Package agent reads what a User-Agent (RFC 9110 section 10.1.5) and User-Agent
// Client Hints say of the program at the other end. Evidence, not proof: whoever
// sends them can send others.
//
// It compares families, never versions, and its functions are safe for
// concurrent use.
package agent

import "strings"

// What Agent.Kind can be.
const (
	Desktop = "desktop"
	Phone   = "phone"
	Tablet  = "tablet"
	Bot     = "bot"     // crawlers, link previews, browsers that no person drives
	Tool    = "tool"    // curl, HTTP libraries, what names itself and no system
	Unknown = "unknown" // with televisions, consoles, watches and headsets
)

const (
	maxInput = 512 // bytes of a header that are read
	maxName  = 64  // bytes of a result
)

// Agent is a program and what it runs on. Every field is printable ASCII of at
// most 64 bytes and shares no memory with what was parsed.
type Agent struct {
	Browser string // the family of browser, app, bot or tool, such as "Chrome"; "" if unknown
	OS      string // the family of system, such as "macOS"; an iPad's is "iOS"; "" if unknown, and for crawlers
	Kind    string // one of the constants, never ""
}

// Parse reads a User-Agent, and hints where they came with it. What a
// well-formed hint says goes before what the User-Agent says, except that a
// crawler, a tool and an app keep their own names. Of a User-Agent the first 512
// bytes count; a longer hint is none.
func Parse(userAgent string, h Hints) Agent {
	return read(userAgent).hinted(h).agent()
}

// Name tells a person which program it was: "Chrome on macOS", "Safari on
// iPhone", "curl". It is "" if nothing is known.
func (a Agent) Name() string {
	on := a.OS
	switch {
	case a.OS == iOS && a.Kind == Phone:
		on = "iPhone"
	case a.OS == iOS && a.Kind == Tablet:
		on = "iPad"
	}
	if a.Browser == "" || on == "" {
		return a.Browser + on
	}
	return a.Browser + " on " + on
}

// reading is what is known of an agent before its kind is settled.
type reading struct {
	browser string
	os      string
	kind    string // "": whatever the system and mobile make it
	mobile  bool   // made for a small screen
	own     bool   // the name is the program's own, and no brand says more
	settled bool   // a crawler or a tool, of which hints say nothing
}

func (r reading) agent() Agent {
	kind := r.kind
	if kind == "" {
		kind = kindOf(r.os, r.mobile)
	}
	return Agent{Browser: strings.Clone(r.browser), OS: strings.Clone(r.os), Kind: kind}
}

func kindOf(os string, mobile bool) string {
	switch os {
	case iOS, android, harmonyOS:
		if mobile {
			return Phone
		}
		return Tablet
	case windows, macOS, linux, chromeOS, "FreeBSD", "OpenBSD", "NetBSD":
		if mobile {
			return Phone
		}
		return Desktop
	case kaiOS, "BlackBerry", "Windows Phone":
		return Phone
	}
	if mobile {
		return Phone
	}
	return Unknown
}
