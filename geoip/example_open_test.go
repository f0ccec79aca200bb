package geoip_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/geoip"
	"github.com/sallyport-go/sallyport/memstore"
)

// Two databases, followed while the app runs: yours come from a download, these are
// made here.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "places")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	cities, networks := filepath.Join(dir, "cities.mmdb"), filepath.Join(dir, "networks.mmdb")
	for file, made := range map[string]struct {
		kind string
		has  records
	}{
		cities:   {"Example-City", records{"192.0.2.0/24": town("Berlin", "DE")}},
		networks: {"Example-ASN", records{"192.0.2.0/24": network(64496)}},
	} {
		b, err := content(mmdbwriter.Options{DatabaseType: made.kind}, made.has)
		if err != nil {
			log.Panic(err)
		}
		if err := os.WriteFile(file, b, 0o600); err != nil {
			log.Panic(err)
		}
	}

	places, err := geoip.Open(cities, networks)
	if err != nil {
		log.Panic(err)
	}
	defer places.Close()
	ctx := context.Background()
	go places.Follow(ctx, time.Hour)

	secret := make([]byte, 32)
	rand.Read(secret)
	auth, err := core.New(core.Config{
		Store:    memstore.New(),
		Keys:     []core.Key{{Secret: secret}},
		Resolver: places,
	})
	if err != nil {
		log.Panic(err)
	}
	defer auth.Close()

	for _, addr := range []string{"192.0.2.7", "10.1.2.3"} {
		place, err := places.Resolve(ctx, netip.MustParseAddr(addr))
		if err != nil {
			log.Panic(err)
		}
		fmt.Printf("%s: %q in %q, network %d, within %.0f km of %.2f, %.2f: %t\n",
			addr, place.City, place.Country, place.ASN, place.Radius, place.Latitude, place.Longitude, place.Located)
	}

	// Output:
	// 192.0.2.7: "Berlin" in "DE", network 64496, within 20 km of 52.50, -13.25: true
	// 10.1.2.3: "" in "", network 0, within 0 km of 0.00, 0.00: false
}
