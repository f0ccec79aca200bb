package redisstore

import (
	"net/netip"
	"slices"

	"github.com/sallyport-go/sallyport/core"
)

// words are packed as their number: what devices mostly are. One that is not here is
// packed as text. Words are added at the end and never taken out.
var words = []string{
	"", "web", "phone", "desktop", "tablet", "bot", "tool", "unknown",
	"Chrome", "Safari", "Firefox", "Edge", "Opera", "Samsung Internet", "Brave", "WebView",
	"Windows", "macOS", "Linux", "Android", "iOS", "ChromeOS", "HarmonyOS",
}

// word packs a word of the list as its number from 1 on, and any other as 0 and text.
func (c *codec) word(v *string) {
	if c.format < 3 {
		c.text(v)
		return
	}
	n := uint64(slices.Index(words, *v) + 1)
	switch c.uint(&n); {
	case n == 0:
		c.text(v)
	case n > uint64(len(words)):
		c.fail()
	case c.reading:
		*v = words[n-1]
	}
}

// The ways in which the id of a device is packed.
const (
	deviceText   = iota // the client's word
	deviceSigned        // the server's, as text
	deviceID            // the server's, as the 16 bytes of an ID
)

// device packs a device.
func (c *codec) device(d *core.Device) {
	if c.format < 3 {
		c.bool(&d.Signed)
		c.text(&d.ID)
	} else {
		c.deviceID(d)
	}
	c.text(&d.Name)
	for _, word := range []*string{&d.Type, &d.ClientType, &d.Browser, &d.OS} {
		c.word(word)
	}
}

func (c *codec) deviceID(d *core.Device) {
	how := uint64(deviceText)
	id, err := core.ParseID(d.ID)
	switch {
	case d.Signed && err == nil && id.String() == d.ID:
		how = deviceID
	case d.Signed:
		how = deviceSigned
	}
	switch c.uint(&how); how {
	case deviceText, deviceSigned:
		c.text(&d.ID)
	case deviceID:
		c.id(&id)
		if c.reading {
			d.ID = id.String()
		}
	default:
		c.fail()
	}
	if c.reading {
		d.Signed = how != deviceText
	}
}

// address packs an address that is written as netip does as its bytes behind their
// number, and anything else as 0 and text.
func (c *codec) address(v *string) {
	if c.format < 3 {
		c.text(v)
		return
	}
	var b []byte
	if addr, err := netip.ParseAddr(*v); err == nil && !c.reading && addr.Zone() == "" && addr.String() == *v {
		b = addr.AsSlice()
	}
	n := uint64(len(b))
	switch c.uint(&n); {
	case n == 0:
		c.text(v)
	case n != 4 && n != 16:
		c.fail()
	case !c.reading:
		c.buf = append(c.buf, b...)
	default:
		if addr, ok := netip.AddrFromSlice(c.bytes(n)); ok {
			*v = addr.String()
		}
	}
}
