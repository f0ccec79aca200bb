package mail

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"github.com/sallyport-go/sallyport/core"
)

// wordMost is how much is shown of a text that may be somebody else's, in characters.
const wordMost = 60

// subject says what happened. It is of a few words of its own: nothing in it is
// anybody's else.
func subject(what core.EventName) string {
	switch what {
	case core.EventSignedIn:
		return "New sign-in to your account"
	case core.EventStepUpRequired:
		return "A sign-in to your account waits for a code"
	case core.EventRiskDenied:
		return "A sign-in to your account was refused"
	}
	return "Unusual use of your account"
}

// text is what a user reads of a notice: one line for each field. A client chose parts
// of it, and whoever signs in with a stolen password may write to its owner that way.
// So of those only what [word] leaves is shown.
func text(n core.Notice) string {
	var b strings.Builder
	field := func(name, value string) { fmt.Fprintf(&b, "%-9s%s\n", name+":", value) }
	s := &n.Session
	fmt.Fprintf(&b, "%s.\n\n", subject(n.Outcome))
	field("Account", word(n.UserID))
	field("Time", n.Time.UTC().Format("2 January 2006, 15:04 MST"))
	field("Device", word(s.Device.Name))
	field("Program", word(strings.TrimSpace(s.Device.Browser+" "+s.Device.OS)))
	field("Address", address(s.IP))
	if place := strings.Trim(s.Location.City+", "+s.Location.Country, ", "); place != "" {
		field("Place", word(place))
	}
	field("Score", fmt.Sprintf("%d of 100", s.Risk.Score))
	for _, r := range s.Risk.Reasons {
		field("Why", word(r.Detail))
	}
	b.WriteString("\nIf it was you, there is nothing to do. If not, change your password: that ends\nevery other session.\n")
	return b.String()
}

// word is a text without anything that a reader or a mail program takes for more than
// words: control and format characters, line ends, links, addresses, markup. What is
// left out is a space. A full stop stays before a space, as in St. John's.
func word(s string) string {
	runes := []rune(strings.ToValidUTF8(s, " "))
	kept := func(i int) bool {
		switch r := runes[i]; {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.Is(unicode.Mn, r), strings.ContainsRune("'(),-+_", r):
			return true
		case r == '.':
			return i+1 == len(runes) || runes[i+1] == ' '
		}
		return false
	}
	for i := range runes {
		if !kept(i) {
			runes[i] = ' '
		}
	}
	short := []rune(strings.Join(strings.Fields(string(runes)), " "))
	if len(short) > wordMost {
		short = append(short[:wordMost-1:wordMost-1], '…')
	}
	if len(short) == 0 {
		return "unknown"
	}
	return string(short)
}

func address(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return "unknown"
	}
	return addr.WithZone("").String()
}
