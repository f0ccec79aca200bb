package core

import "time"

type apart struct{}

func (a *apart) note(before *Ledger, c *Change) {}

type rejoinOutcome struct{ ended []Ended }

func (p *policy) rejoin(l Ledger, a *apart, spent bool, now time.Time) (rejoinOutcome, *Change) {
	return rejoinOutcome{}, nil
}
