// Package geoip tells where network addresses seem to be, from MaxMind databases: it is
// a [core.Resolver].
//
//	places, err := geoip.Open("GeoLite2-City.mmdb", "GeoLite2-ASN.mmdb")
//	...
//	go places.Follow(ctx, time.Hour)
//	auth, err := core.New(core.Config{Resolver: places, ...})
//
// No database comes with it. How to get one, how exact it is and what it means for
// privacy: docs/guide/places.md.
//
// # What is read
//
//	country.iso_code                                 Country
//	city.names, in a language, else in English       City
//	location.latitude, .longitude                    Latitude, Longitude, Located
//	location.accuracy_radius                         Radius
//	autonomous_system_number, in traits as well      ASN
//
// A country is where an address is used. registered_country, where its holder has an
// office, is never taken for it: a wrong country looks like a journey, an unknown one
// like nothing.
//
// Nothing in a database is trusted: see [Resolver.Resolve] for what a value can be.
//
// # In memory
//
// Files are read whole, some 70 MB for the cities and networks of GeoLite2, and twice
// that during a reload; how much more the garbage collector then lets pile up, GOGC and
// GOMEMLIMIT say. They are not mapped, since who writes into a mapped file, instead of
// replacing it, ends the process or has it read nonsense. So files may be replaced,
// written to or deleted at any time, nothing has to be closed while it is in use, and
// what was verified stays as it was.
//
// A lookup in two files takes a few microseconds and asks nobody: no address leaves the
// process.
package geoip
