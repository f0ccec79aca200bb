package agent

import (
	"github.com/dunglas/httpsfv"
)

// Hints are the values of Sec-CH-UA, Sec-CH-UA-Mobile and Sec-CH-UA-Platform,
// structured fields (RFC 9651); "" is a header that was not sent. A value that is
// ill-formed, of another type or longer than 512 bytes is taken as not sent, and
// so is a brand or platform that has no family here: browsers invent brands so
// that nobody relies on a list of them.
type Hints struct {
	Brands   string // a list of strings
	Mobile   string // a boolean
	Platform string // a string
}

// hinted puts what hints say in the place of what r says.
func (r reading) hinted(h Hints) reading {
	if r.settled {
		return r
	}
	if os, ok := platforms[h.platform()]; ok {
		r.os = os
		if r.kind == Tool {
			r.kind = ""
		}
	}
	if mobile, ok := h.mobile(); ok {
		r.mobile = mobile
	}
	switch family := h.family(); family {
	case "":
	case chromium, webView:
		if !r.own && (r.browser == "" || r.browser == chrome) {
			r.browser = family
		}
	default:
		if !r.own {
			r.browser = family
		}
		if family == headless {
			r.kind = Bot
		}
	}
	return r
}

// family names the brand that says most, "" if none has a family here.
func (h Hints) family() string {
	list, err := httpsfv.UnmarshalList(fit(h.Brands))
	if err != nil {
		return ""
	}
	var best ranked
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		if !ok {
			return ""
		}
		brand, ok := item.Value.(string)
		if !ok {
			return ""
		}
		if family, ok := brands[brand]; ok {
			best.offer(family)
		}
	}
	return best.name
}

func (h Hints) mobile() (mobile, ok bool) {
	item, err := httpsfv.UnmarshalItem(fit(h.Mobile))
	if err != nil {
		return false, false
	}
	mobile, ok = item.Value.(bool)
	return mobile, ok
}

func (h Hints) platform() string {
	item, err := httpsfv.UnmarshalItem(fit(h.Platform))
	if err != nil {
		return ""
	}
	platform, _ := item.Value.(string)
	return platform
}

// fit is the field to parse, empty if the value is too long.
func fit(value string) []string {
	if len(value) > maxInput {
		return nil
	}
	return []string{value}
}
