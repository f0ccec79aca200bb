package geoip_test

import (
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/geoip"
)

// generation is a database of cities and one of networks that belong together.
func generation(t testing.TB, name s, asn uint32) (city, networks []byte) {
	t.Helper()
	return made(t, "GeoLite2-City", records{"192.0.2.0/24": town(name, "DE")}), made(t, "GeoLite2-ASN", records{"192.0.2.0/24": network(asn)})
}

// Reload has what the files hold now, however they came to hold it.
func TestReload(t *testing.T) {
	first, networks := generation(t, "First", 1)
	file := write(t, first)
	r := open(t, geoip.Options{}, file, write(t, networks))
	second, _ := generation(t, "Second", 1)
	third, _ := generation(t, "Third", 1)

	replace(t, file, second)
	if got := at(t, r, "192.0.2.1"); got.City != "First" {
		t.Errorf("before Reload: got %+v, want First", got)
	}
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := at(t, r, "192.0.2.1"); got.City != "Second" || got.ASN != 1 {
		t.Errorf("replaced by a rename: got %+v, want Second and 1", got)
	}
	if err := os.WriteFile(file, third, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := at(t, r, "192.0.2.1"); got.City != "Third" {
		t.Errorf("written to: got %+v, want Third", got)
	}
}

// A Reload that meets a broken file changes nothing, of the sound files either.
func TestReloadKeeps(t *testing.T) {
	city, networks := generation(t, "First", 1)
	cityFile, networksFile := write(t, city), write(t, networks)
	r := open(t, geoip.Options{}, cityFile, networksFile)
	newer, other := generation(t, "Second", 2)
	replace(t, cityFile, newer)
	for name, b := range map[string][]byte{"cut off": other[:len(other)-20], "empty": nil, "of another kind": made(t, "GeoIP2-Domain", nil)} {
		// In place: what is in use must not be a view of the file.
		if err := os.WriteFile(networksFile, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := r.Reload(); err == nil || !strings.Contains(err.Error(), networksFile) {
			t.Errorf("%s: got %v, want an error that names %s", name, err, networksFile)
		}
		if got := at(t, r, "192.0.2.1"); got.City != "First" || got.ASN != 1 {
			t.Errorf("%s: got %+v, want First and 1", name, got)
		}
	}
	if err := os.Remove(networksFile); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(); err == nil {
		t.Error("away: no error")
	}
	if got := at(t, r, "192.0.2.1"); got.City != "First" || got.ASN != 1 {
		t.Errorf("away: got %+v, want First and 1", got)
	}
	if err := os.WriteFile(networksFile, other, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(); err != nil {
		t.Error(err)
	}
	if got := at(t, r, "192.0.2.1"); got.City != "Second" || got.ASN != 2 {
		t.Errorf("whole again: got %+v, want Second and 2", got)
	}
}

// Lookups while files are reloaded see one generation of all files or the other, and
// never one that was not yet there when they began. The race detector watches.
func TestReloadWhileResolving(t *testing.T) {
	const rounds = 100
	type pair struct{ city, networks []byte }
	var generations [2]pair
	generations[0].city, generations[0].networks = generation(t, "Even", 100)
	generations[1].city, generations[1].networks = generation(t, "Odd", 101)
	want := map[core.Place]bool{}
	for _, g := range generations {
		want[at(t, open(t, geoip.Options{}, write(t, g.city), write(t, g.networks)), "192.0.2.1")] = true
	}
	cityFile, networksFile := write(t, generations[0].city), write(t, generations[0].networks)
	r := open(t, geoip.Options{}, cityFile, networksFile)

	done := make(chan struct{})
	var lookups sync.WaitGroup
	for range 2 {
		lookups.Go(func() {
			addr := netip.MustParseAddr("192.0.2.1")
			for {
				select {
				case <-done:
					return
				default:
				}
				place, err := r.Resolve(t.Context(), addr)
				if err != nil || !want[place] {
					t.Errorf("got %+v, %v, want one of %+v", place, err, want)
					return
				}
				r.Databases()
			}
		})
	}
	for n := range rounds {
		g := generations[(n+1)%2]
		replace(t, cityFile, g.city)
		replace(t, networksFile, g.networks)
		if err := r.Reload(); err != nil {
			t.Error(err)
		}
		if got := at(t, r, "192.0.2.1"); got.City != [...]string{"Odd", "Even"}[n%2] {
			t.Errorf("after Reload %d: got %+v", n, got)
		}
	}
	close(done)
	lookups.Wait()
}

// Reload and Close may come at any time, from anybody.
func TestCloseWhileReloading(t *testing.T) {
	city, networks := generation(t, "First", 1)
	r := open(t, geoip.Options{}, write(t, city), write(t, networks))
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			for r.Reload() == nil {
			}
		})
		calls.Go(func() {
			for {
				if _, err := r.Resolve(t.Context(), netip.MustParseAddr("192.0.2.1")); err != nil {
					return
				}
			}
		})
	}
	calls.Go(func() { r.Close() })
	calls.Go(func() { r.Close() })
	calls.Wait()
	if r.Databases() != nil {
		t.Error("a Reload has brought databases back after Close")
	}
}
