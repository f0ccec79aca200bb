package core

import (
	"context"
	"math"
	"net/netip"
)

// Place is where a network address seems to be. The zero value: nothing is known.
type Place struct {
	Location
	// Latitude and Longitude are degrees, north and east. They mean something only
	// if Located: 0, 0 is a place.
	Latitude, Longitude float64
	Located             bool
	// Radius is how far off the place may be, in kilometres; 0: not said.
	Radius float64
	// ASN is the autonomous system that the address belongs to (RFC 4893); 0: unknown.
	// Two addresses of one are of one network, as a mobile carrier's or a VPN's are.
	ASN uint32
}

// located reports whether the coordinates can be a place's: no number that is none.
func (p *Place) located() bool {
	return p.Located && math.Abs(p.Latitude) <= 90 && math.Abs(p.Longitude) <= 180 && !math.IsNaN(p.Radius)
}

// Resolver finds where an address seems to be: package geoip has one.
type Resolver interface {
	// Resolve returns the zero Place and no error for an address that it does not
	// know. It is called by many goroutines, about a few addresses for each sign-in,
	// with a context that ends after RiskPolicy.Timeout; an Auth that gets no answer
	// by then goes on without one.
	Resolve(ctx context.Context, addr netip.Addr) (Place, error)
}
