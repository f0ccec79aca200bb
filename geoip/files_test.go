package geoip_test

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/sallyport-go/sallyport/geoip"
)

// A shorter way to write records down.
type (
	m  = mmdbtype.Map
	s  = mmdbtype.String
	f  = mmdbtype.Float64
	u2 = mmdbtype.Uint16
	u4 = mmdbtype.Uint32
)

// records are what a database has, by network.
type records map[string]m

// content makes a database of a kind. It has no aliases of the IPv4 networks, so that
// an address in one is found as what it is alone.
func content(o mmdbwriter.Options, has records) ([]byte, error) {
	o.Description = map[string]string{"en": "a test"}
	o.BuildEpoch = 1_700_000_000
	o.IncludeReservedNetworks = true
	o.DisableIPv4Aliasing = true
	tree, err := mmdbwriter.New(o)
	if err != nil {
		return nil, err
	}
	for network, record := range has {
		_, ipNet, err := net.ParseCIDR(network)
		if err != nil {
			return nil, err
		}
		if err := tree.Insert(ipNet, record); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	_, err = tree.WriteTo(&b)
	return b.Bytes(), err
}

// made is [content] of a type, in English and German.
func made(t testing.TB, databaseType string, has records) []byte {
	t.Helper()
	b, err := content(mmdbwriter.Options{DatabaseType: databaseType, Languages: []string{"en", "de"}}, has)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// write puts a file in a folder of its own and returns its path.
func write(t testing.TB, b []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "test.mmdb")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// replace puts a file in the place of another, by a rename.
func replace(t testing.TB, file string, b []byte) {
	t.Helper()
	if err := os.Rename(write(t, b), file); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, o geoip.Options, files ...string) *geoip.Resolver {
	t.Helper()
	r, err := geoip.OpenWith(o, files...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// town is a whole record of a database of cities.
func town(name s, country s) m {
	return m{
		"city":     m{"geoname_id": u4(1), "names": m{"en": name}},
		"country":  m{"iso_code": country, "names": m{"en": s("Somewhere")}},
		"location": m{"latitude": f(52.5), "longitude": f(-13.25), "accuracy_radius": u2(20), "time_zone": s("Europe/Berlin")},
	}
}

func network(asn uint32) m {
	return m{"autonomous_system_number": u4(asn), "autonomous_system_organization": s("Example")}
}
