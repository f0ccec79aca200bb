package sealed

import (
	"slices"

	"github.com/sallyport-go/sallyport/core"
)

// eachOf calls do with every personal text of a session. Fields of sessions, known
// devices, known networks, pending sign-ins and events are named in this file alone.
func eachOf(s *core.Session, do func(Field, *string)) {
	do(IP, &s.IP)
	do(UserAgent, &s.UserAgent)
	do(DeviceName, &s.Device.Name)
	do(Browser, &s.Device.Browser) // of a program that nobody knows, what it says of itself
	do(Country, &s.Location.Country)
	do(City, &s.Location.City)
	eachOfRisk(&s.Risk, do)
}

// eachOfRisk is eachOf for a risk: sentences name places and devices.
func eachOfRisk(r *core.Risk, do func(Field, *string)) {
	for i := range r.Reasons {
		do(RiskDetail, &r.Reasons[i].Detail)
	}
}

// eachOfDevice is eachOf for a known device.
func eachOfDevice(d *core.KnownDevice, do func(Field, *string)) {
	do(IP, &d.IP)
	do(DeviceName, &d.Name)
	do(Browser, &d.Browser)
	do(Country, &d.Location.Country)
	do(City, &d.Location.City)
}

// eachOfNetwork is eachOf for a known network. Its ASN is that of many people.
func eachOfNetwork(n *core.KnownNetwork, do func(Field, *string)) {
	do(Network, &n.Prefix)
	do(Country, &n.Location.Country)
	do(City, &n.Location.City)
}

// eachOfEvent is eachOf for an event.
func eachOfEvent(e *core.Event, do func(Field, *string)) {
	do(IP, &e.IP)
	do(UserAgent, &e.UserAgent)
	eachOfRisk(&e.Risk, do)
}

// each calls do with every personal text in what a ledger is made of.
func each(sessions []core.Session, devices []core.KnownDevice, networks []core.KnownNetwork, pending []core.Pending, do func(Field, *string)) {
	for i := range sessions {
		eachOf(&sessions[i], do)
	}
	for i := range devices {
		eachOfDevice(&devices[i], do)
	}
	for i := range networks {
		eachOfNetwork(&networks[i], do)
	}
	for i := range pending {
		eachOf(&pending[i].Session, do)
	}
}

// sealChange returns c sealed, in memory of its own as far as it differs. Lists that
// are empty stay empty, and those that are nil stay nil.
func (s *Sealer) sealChange(userID string, c core.Change) core.Change {
	c.Put, c.Devices, c.Networks, c.Pending = slices.Clone(c.Put), slices.Clone(c.Devices), slices.Clone(c.Networks), slices.Clone(c.Pending)
	for i := range c.Put {
		c.Put[i].Risk.Reasons = slices.Clone(c.Put[i].Risk.Reasons)
	}
	for i := range c.Pending {
		risk := &c.Pending[i].Session.Risk
		risk.Reasons = slices.Clone(risk.Reasons)
	}
	each(c.Put, c.Devices, c.Networks, c.Pending, s.of(userID).seal)
	return c
}

// openLedger opens l where it is.
func (s *Sealer) openLedger(userID string, l *core.Ledger) error {
	var (
		u     = s.of(userID)
		first error
	)
	each(l.Sessions, l.Devices, l.Networks, l.Pending, func(field Field, text *string) {
		if first != nil {
			return
		}
		*text, first = u.open(field, *text)
	})
	return first
}
