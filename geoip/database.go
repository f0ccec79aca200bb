package geoip

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/oschwald/maxminddb-golang/v2"
	"github.com/sallyport-go/sallyport/core"
)

// database is a file in memory. A map of the file would spare that, but whoever writes
// into the file, instead of replacing it, would then end the process with SIGBUS.
type database struct {
	file   string
	info   fs.FileInfo // of what was read
	reader *maxminddb.Reader
}

// kinds are the words in the type of a database that has what a Place is made of:
// GeoLite2-City, GeoIP2-ISP, DBIP-Location (compat=City).
var kinds = []string{"City", "Country", "Enterprise", "ASN", "ISP"}

// maxBytes is the size of a file that can't be a database: the largest take 1 GB.
const maxBytes = math.MaxInt32

var errChanging = errors.New("it changed while it was read")

// readDatabase reads a file. Its errors name it.
func readDatabase(file string, verify bool) (*database, error) {
	content, info, err := readFile(file)
	if err == nil {
		var d *database
		if d, err = newDatabase(file, content, verify); err == nil {
			d.info = info
			return d, nil
		}
	}
	if named := (*fs.PathError)(nil); errors.As(err, &named) && named.Path == file {
		return nil, fmt.Errorf("geoip: %w", err)
	}
	return nil, fmt.Errorf("geoip: %s: %w", file, err)
}

// readFile reads a file as it is at one time, and tells what was read.
func readFile(file string) ([]byte, fs.FileInfo, error) {
	if info, err := os.Stat(file); err != nil {
		return nil, nil, err
	} else if !info.Mode().IsRegular() { // to open a pipe would wait for a writer
		return nil, nil, errors.New("not a regular file")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return readWhole(f)
}

func readWhole(f fs.File) ([]byte, fs.FileInfo, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Size() > maxBytes {
		return nil, nil, fmt.Errorf("%d bytes are too many for a database", info.Size())
	}
	content := make([]byte, info.Size())
	if _, err := io.ReadFull(f, content); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil, nil, errChanging
	} else if err != nil {
		return nil, nil, err
	}
	after, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !same(info, after) {
		return nil, nil, errChanging
	}
	return content, info, nil
}

// same reports whether two looks at a path saw the same file, unchanged.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// newDatabase makes a database of a file's content, which it keeps.
func newDatabase(file string, content []byte, verify bool) (*database, error) {
	// A few lookups for each sign-in don't need the reader's cache of 72 KiB.
	reader, err := maxminddb.OpenBytes(content, maxminddb.DisableStringCache())
	if err != nil {
		return nil, fmt.Errorf("not a whole MaxMind database: %w", err)
	}
	words := strings.FieldsFunc(reader.Metadata.DatabaseType, func(c rune) bool { return !unicode.IsLetter(c) })
	if !slices.ContainsFunc(kinds, func(kind string) bool { return slices.Contains(words, kind) }) {
		return nil, fmt.Errorf("its type is %q, which has neither places nor networks: want one of %s", reader.Metadata.DatabaseType, strings.Join(kinds, ", "))
	}
	if verify {
		if err := reader.Verify(); err != nil {
			return nil, fmt.Errorf("damaged: %w", err)
		}
	}
	return &database{file: file, reader: reader}, nil
}

// add adds to a place what it has not and the database has of an address. Its errors
// name the file.
func (d *database) add(place *core.Place, addr netip.Addr, names [][]any) error {
	if addr.Is6() && d.reader.Metadata.IPVersion == 4 {
		return nil
	}
	result := d.reader.Lookup(addr)
	if err := result.Err(); err != nil {
		return fmt.Errorf("geoip: %s: %w", d.file, err)
	}
	if !result.Found() {
		return nil
	}
	r := record{result: result}
	if place.Location == (core.Location{}) && !place.Located {
		r.where(place, names)
	}
	if place.ASN == 0 {
		place.ASN = r.network()
	}
	if r.err != nil {
		return fmt.Errorf("geoip: %s: %w", d.file, r.err)
	}
	return nil
}
