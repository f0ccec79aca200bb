package apptest

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// atlas is a database that knows where here and there are.
func atlas(t *testing.T) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test-City", Description: map[string]string{"en": "a test"}, Languages: []string{"en"}, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for network, at := range map[string]struct {
		country, city string
		lat, lon      mmdbtype.Float64
	}{"192.0.2.0/24": {"IS", "Reykjavik", 64.1, -21.9}, "198.51.100.0/24": {"NZ", "Wellington", -41.3, 174.8}} {
		_, n, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		record := mmdbtype.Map{
			"country":  mmdbtype.Map{"iso_code": mmdbtype.String(at.country)},
			"city":     mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(at.city)}},
			"location": mmdbtype.Map{"latitude": at.lat, "longitude": at.lon},
		}
		if err := tree.Insert(n, record); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "city.mmdb")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// With a database of places a sign-in on the other side of the Earth says where it is,
// and that nobody gets there in that time.
func riskOfPlaces(t *testing.T, run Server) {
	s := start(t, with(run, behindProxy), map[string]string{"GEOIP_FILE": atlas(t)})
	s.browser(t).signIn("alice", firefox, here)
	b := s.browser(t)
	b.signIn("alice", safari, there)
	if got, want := b.judged(), `["Safari on iPhone","198.51.100.20",100,"high","new_device,new_network,impossible_travel,new_country"]
["Firefox on Linux","192.0.2.10",0,"low",""]
`; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for i, want := range []string{"Wellington", "Reykjavik"} {
		place, _ := b.get("/api/v1/auth/sessions")["sessions"].([]any)[i].(map[string]any)["location"].(map[string]any)
		if place["city"] != want {
			t.Errorf("session %d is in %v, want %s", i, place, want)
		}
	}
}

// A file that can't be used stops the start with a line for each.
func noPlaces(t *testing.T, run Server) {
	broken := filepath.Join(t.TempDir(), "broken.mmdb")
	if err := os.WriteFile(broken, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := call(t, run, nil, map[string]string{"ADDR": "127.0.0.1:0", "GEOIP_FILE": atlas(t) + "," + broken + ",/no/such/file.mmdb"})
	if err == nil || out != "" {
		t.Fatalf("got %q, %v, want an error", out, err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "GEOIP_FILE: ") || !strings.Contains(lines[0], broken) || !strings.HasPrefix(lines[1], "GEOIP_FILE: ") || !strings.Contains(lines[1], "/no/such/file.mmdb") {
		t.Errorf("got %v, want a line for each of the two", err)
	}
}
