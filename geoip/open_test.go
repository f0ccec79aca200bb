package geoip_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/geoip"
)

// A file that is no database of places or networks is named, once, with what is wrong.
func TestOpenErrors(t *testing.T) {
	city := made(t, "GeoLite2-City", records{"192.0.2.0/24": town("Berlin", "DE")})
	missing := filepath.Join(t.TempDir(), "missing.mmdb")
	torn := bytes.Clone(city)
	copy(torn[len(torn)/4:len(torn)/2], make([]byte, len(torn)/4)) // the tree leads nowhere
	for _, tt := range []struct {
		name, file, want string
	}{
		{"missing", missing, "no such file"},
		{"a folder", t.TempDir(), "not a regular file"},
		{"empty", write(t, nil), "not a whole MaxMind database"},
		{"text", write(t, []byte("<html>Your licence key is wrong</html>")), "not a whole MaxMind database"},
		{"an archive", write(t, bytes.Repeat([]byte{0x1f, 0x8b, 0, 0xab}, 1000)), "not a whole MaxMind database"},
		{"torn", write(t, torn), "damaged"},
		{"of domains", write(t, made(t, "GeoIP2-Domain", nil)), `"GeoIP2-Domain"`},
		{"of addresses of proxies", write(t, made(t, "GeoIP2-Anonymous-IP", nil)), `"GeoIP2-Anonymous-IP"`},
		{"of something with a city's name in it", write(t, made(t, "Velocity", nil)), `"Velocity"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := geoip.Open(tt.file)
			if err == nil || r != nil {
				t.Fatalf("got %v, %v, want an error", r, err)
			}
			if text := err.Error(); !strings.HasPrefix(text, "geoip: ") || strings.Count(text, tt.file) != 1 || !strings.Contains(text, tt.want) {
				t.Errorf("got %q, want it to name %s once, and say %q", text, tt.file, tt.want)
			}
		})
	}
	if _, err := geoip.Open(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	if _, err := geoip.Open(); err == nil {
		t.Error("no file, and no error")
	}
	other := filepath.Join(t.TempDir(), "other.mmdb")
	if _, err := geoip.Open(missing, write(t, city), other); err == nil || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), other) {
		t.Errorf("got %v, want both of the missing files named", err)
	}
}

// A file that ends too early is none, wherever it ends.
func TestCutOff(t *testing.T) {
	whole := made(t, "GeoLite2-City", records{"192.0.2.0/24": town("Berlin", "DE")})
	for n := range len(whole) {
		if r, err := geoip.FromBytes(whole[:n], false); err == nil || r != nil {
			t.Errorf("the first %d of %d bytes: no error", n, len(whole))
		}
	}
	if _, err := geoip.FromBytes(whole, false); err != nil {
		t.Error(err)
	}
}

// meddled is a file that somebody writes to when it is half read.
type meddled struct {
	*os.File
	meddle func()
}

func (f meddled) Read(p []byte) (int, error) {
	if f.meddle(); len(p) > 1 {
		p = p[:len(p)/2]
	}
	return f.File.Read(p)
}

// A file that changes while it is read is refused, were the result a whole database.
func TestChangesWhileRead(t *testing.T) {
	whole := made(t, "GeoLite2-City", records{"192.0.2.0/24": town("Berlin", "DE")})
	for name, meddle := range map[string]func(file string) error{
		"not at all":   func(string) error { return nil },
		"cut off":      func(file string) error { return os.Truncate(file, 10) },
		"cut to none":  func(file string) error { return os.Truncate(file, 0) },
		"lengthened":   func(file string) error { return os.Truncate(file, int64(len(whole))+1) },
		"written over": func(file string) error { return os.Chtimes(file, time.Time{}, time.Unix(1_700_000_000, 0)) },
	} {
		file := write(t, whole)
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b, err := geoip.ReadWhole(meddled{f, func() {
			if err := meddle(file); err != nil {
				t.Error(err)
			}
		}})
		if sound := name == "not at all"; sound != (err == nil) || sound != bytes.Equal(b, whole) {
			t.Errorf("%s: got %d bytes of %d, %v", name, len(b), len(whole), err)
		}
	}
}

// What others than MaxMind make is read as well.
func TestTypes(t *testing.T) {
	for _, kind := range []string{
		"GeoLite2-City", "GeoLite2-Country", "GeoLite2-ASN", "GeoIP2-City-Europe", "GeoIP2-Country", "GeoIP2-Enterprise",
		"GeoIP2-ISP", "DBIP-City-Lite", "DBIP-ASN-Lite (compat=GeoLite2-ASN)", "DBIP-Location (compat=City)",
	} {
		if _, err := geoip.Open(write(t, made(t, kind, records{"192.0.2.0/24": town("Berlin", "DE")}))); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// Damage that nobody looked for is an error of Resolve that names the file, and no place.
func TestUnverified(t *testing.T) {
	networks := write(t, made(t, "GeoLite2-ASN", records{"192.0.2.0/24": network(64496)}))
	damaged := made(t, "GeoLite2-City", records{"192.0.2.0/24": town("Berlin", "DE")})
	at := bytes.Index(damaged, []byte("\x48iso_code")) // a key in the record: make it longer than the file
	if at < 0 {
		t.Fatal("the record is not where it was")
	}
	damaged[at] = 0x5f
	file := write(t, damaged)
	if _, err := geoip.Open(networks, file); err == nil {
		t.Error("verified: no error")
	}
	r := open(t, geoip.Options{Unverified: true}, networks, file)
	place, err := r.Resolve(t.Context(), netip.MustParseAddr("192.0.2.1"))
	if err == nil || !strings.Contains(err.Error(), file) || place != (core.Place{}) {
		t.Errorf("got %+v, %v, want an error that names %s", place, err, file)
	}
	if _, err := r.Resolve(t.Context(), netip.MustParseAddr("192.0.3.1")); err != nil {
		t.Errorf("an address without a record: %v", err)
	}
}

// Databases tells what is in use.
func TestDatabases(t *testing.T) {
	b, err := content(mmdbwriter.Options{DatabaseType: "GeoLite2-ASN"}, records{"192.0.2.0/24": network(64496)})
	if err != nil {
		t.Fatal(err)
	}
	city, asn := write(t, made(t, "GeoLite2-City", nil)), write(t, b)
	built := time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC)
	want := []geoip.Database{{File: city, Type: "GeoLite2-City", Built: built}, {File: asn, Type: "GeoLite2-ASN", Built: built}}
	if diff := cmp.Diff(want, open(t, geoip.Options{}, city, asn).Databases()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
