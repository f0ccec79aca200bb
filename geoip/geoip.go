package geoip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// ErrClosed is returned by a Resolver after [Resolver.Close].
var ErrClosed = errors.New("geoip: the resolver is closed")

// Resolver finds places in MaxMind databases. All of its methods may be called by
// many goroutines at once.
type Resolver struct {
	files   []string
	options Options
	names   [][]any // paths to the names of a city

	databases atomic.Pointer[[]*database] // nil: closed. What it points to is never changed
	reloading sync.Mutex                  // held by what replaces them
	closed    chan struct{}
}

var _ core.Resolver = (*Resolver)(nil)

// Options say how databases are read. The zero value is the recommended setting.
type Options struct {
	// Language is the one of city names, as the databases call it: de, pt-BR or
	// zh-CN, for example. A city without a name in it has its English one. "": English.
	// One that no file has is an error.
	Language string
	// Unverified leaves out the look at every record of a file before it is used.
	// That look takes seconds for a database of cities, and some tens of MB meanwhile;
	// without it damage shows when an address is resolved, as an error.
	Unverified bool
	// OnReload is told each time that [Resolver.Follow] has read the files again: nil
	// if they are in use now, else why the old ones still are. nil: slog.Default, level
	// Info or Warn.
	OnReload func(err error)
}

// Open reads one or more MaxMind databases with the recommended settings, see
// [OpenWith].
func Open(files ...string) (*Resolver, error) { return OpenWith(Options{}, files...) }

// OpenWith reads one or more MaxMind databases into memory: those of cities,
// countries, networks (ASN, ISP) or all of it (Enterprise), of MaxMind or in its
// format. An address is looked up in all of them. The first that knows a place has
// it, and the first that knows an autonomous system has that.
//
// The error names each file that is missing, damaged, cut off or of another kind.
func OpenWith(o Options, files ...string) (*Resolver, error) {
	if len(files) == 0 {
		return nil, errors.New("geoip: no database file")
	}
	r := &Resolver{files: slices.Clone(files), options: o, names: namePaths(o.Language), closed: make(chan struct{})}
	databases, err := r.read()
	if err != nil {
		return nil, err
	}
	r.databases.Store(&databases)
	return r, nil
}

// Resolve returns where an address seems to be: the zero Place and no error for one
// that no database has, such as a private or an invalid one. An IPv4 address mapped to
// IPv6 (RFC 4291, section 2.5.5.2) is taken as the IPv4 address.
//
// Country is two upper-case letters or empty; City is at most 64 bytes of UTF-8
// without control characters; Latitude and Longitude are in range, or else not Located;
// Radius is at most 20,038, half around the Earth. A value that is something else in a
// database counts as not there.
//
// It fails with [ErrClosed], and for a damaged record, which is found only if
// [Options].Unverified let it in. It does not look at ctx: it waits for nothing.
func (r *Resolver) Resolve(_ context.Context, addr netip.Addr) (core.Place, error) {
	databases := r.databases.Load()
	if databases == nil {
		return core.Place{}, ErrClosed
	}
	var place core.Place
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return place, nil
	}
	for _, d := range *databases {
		if err := d.add(&place, addr, r.names); err != nil {
			return core.Place{}, err
		}
	}
	return place, nil
}

// Reload reads the files again, whether they changed or not, and puts them in use all
// at once; calls of Resolve that are under way go on with what they had. If one file
// can't be read, as in [OpenWith], the old ones all stay in use. Until it returns, old
// and new are both in memory.
func (r *Resolver) Reload() error {
	r.reloading.Lock()
	defer r.reloading.Unlock()
	if r.databases.Load() == nil {
		return ErrClosed
	}
	databases, err := r.read()
	if err != nil {
		return err
	}
	r.databases.Store(&databases)
	return nil
}

// read reads all files, and reports everything that is wrong with them.
func (r *Resolver) read() ([]*database, error) {
	var wrong []error
	databases := make([]*database, 0, len(r.files))
	speaks := r.options.Language == ""
	for _, file := range r.files {
		d, err := readDatabase(file, !r.options.Unverified)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		databases = append(databases, d)
		speaks = speaks || slices.Contains(d.reader.Metadata.Languages, r.options.Language)
	}
	if len(wrong) == 0 && !speaks {
		wrong = append(wrong, fmt.Errorf("geoip: no database has names in the language %q: %q", r.options.Language, r.files))
	}
	return databases, errors.Join(wrong...)
}

// Database is a file that is in use.
type Database struct {
	File  string    // as it was given
	Type  string    // what the file says it is, such as GeoLite2-City
	Built time.Time // when its maker made it
}

// Databases returns what is in use, in the order of [OpenWith]; nil after Close.
func (r *Resolver) Databases() []Database {
	databases := r.databases.Load()
	if databases == nil {
		return nil
	}
	var used []Database
	for _, d := range *databases {
		used = append(used, Database{File: d.file, Type: d.reader.Metadata.DatabaseType, Built: d.reader.Metadata.BuildTime().UTC()})
	}
	return used
}

// Close ends each [Resolver.Follow] and lets go of the databases, when no Resolve reads
// them any more. It waits for a Reload that is under way. It may be called twice, and
// returns nil.
func (r *Resolver) Close() error {
	r.reloading.Lock()
	defer r.reloading.Unlock()
	if r.databases.Swap(nil) != nil {
		close(r.closed)
	}
	return nil
}
