package geoip

import "io/fs"

// ReadWhole reads a file as Open does.
func ReadWhole(f fs.File) ([]byte, error) {
	content, _, err := readWhole(f)
	return content, err
}

// FromBytes is what a Resolver of one file with this content would be.
func FromBytes(content []byte, verify bool) (*Resolver, error) {
	d, err := newDatabase("fuzz.mmdb", content, verify)
	if err != nil {
		return nil, err
	}
	r := &Resolver{names: namePaths("de"), closed: make(chan struct{})}
	r.databases.Store(&[]*database{d})
	return r, nil
}
