package geoip_test

import (
	"net/netip"
	"testing"

	"github.com/sallyport-go/sallyport/geoip"
)

// resolver has a place and a network for an address.
func resolver(t testing.TB) *geoip.Resolver {
	t.Helper()
	city, networks := generation(t, "Berlin", 64496)
	return open(t, geoip.Options{}, write(t, city), write(t, networks))
}

// A lookup in two files takes twelve allocations: one for each of the eight fields that
// are read, one for each file, and the two texts. One of an unknown address takes none.
func TestResolveAllocations(t *testing.T) {
	r := resolver(t)
	for addr, want := range map[string]float64{"192.0.2.1": 12, "::ffff:192.0.2.1": 12, "192.0.3.1": 0, "10.0.0.1": 0} {
		addr := netip.MustParseAddr(addr)
		if got := testing.AllocsPerRun(100, func() { r.Resolve(t.Context(), addr) }); got != want {
			t.Errorf("%s: got %v allocations, want %v", addr, got, want)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	r := resolver(b)
	for name, text := range map[string]string{"Known": "192.0.2.1", "Unknown": "192.0.3.1"} {
		addr := netip.MustParseAddr(text)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := r.Resolve(b.Context(), addr); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func BenchmarkReload(b *testing.B) {
	r := resolver(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Reload(); err != nil {
			b.Fatal(err)
		}
	}
}
