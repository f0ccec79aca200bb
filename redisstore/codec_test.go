package redisstore

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// at is a time of the values below.
func at(n int) time.Time { return time.Date(2026, 3, 4, 5, 6, 7, n*int(time.Millisecond), time.UTC) }

// whole has something in every field.
func whole() core.Session {
	return core.Session{
		ID: core.ID{1}, CreatedAt: at(1), LastSeenAt: at(2), ExpiresAt: at(3), RefreshExpiresAt: at(4), AbsoluteExpiresAt: at(5),
		Gen: 6, Serial: 7, MinSerial: 8, MovedAt: at(9), SeenAt: at(10), RetireAt: at(11), LateReplays: []time.Time{at(12), at(0)},
		Access:  core.AccessRecord{JTI: core.ID{13}, IssuedAt: at(14), ExpiresAt: at(15), Until: at(16)},
		Revoked: []core.RevokedToken{{JTI: "seventeen", Until: at(18)}},
		Device:  core.Device{ID: "19", Signed: true, Name: "tw\u00e9nty", Type: "phone", ClientType: "app", Browser: "b", OS: "o"},
		IP:      "2001:db8::21", UserAgent: "agent", Location: core.Location{Country: "DE", City: "c"},
		Risk:     core.Risk{Score: 22, Reasons: []core.RiskReason{{Code: "x", Points: -23, Detail: "d"}}},
		AuthTime: at(24), AMR: []string{"pwd"}, Scopes: []string{"a", "b"}, Roles: []string{"r"}, Claims: []byte(`{"k":1}`),
	}
}

// packed are the values of a database, by name, each with how it is read.
func packed() map[string]struct {
	value []byte
	read  func(text string) (any, error)
	want  any
} {
	type row = struct {
		value []byte
		read  func(text string) (any, error)
		want  any
	}
	s := whole()
	devices := []core.KnownDevice{{Device: s.Device, FirstSeenAt: at(25), LastSeenAt: at(26), IP: "192.0.2.1", Location: s.Location}}
	pending := []core.Pending{{Session: s, ExpiresAt: at(27), Attempts: 28}}
	networks := []core.KnownNetwork{
		{Prefix: "203.0.113.0/24", ASN: 34, Location: s.Location, LastSeenAt: at(35)},
		{Prefix: "2001:db8:36::/48", ASN: 1<<32 - 1},
		{Prefix: "sealed\t37"},
	}
	revocations := []core.Revocation{
		{UserID: "\u00fcser", Session: core.ID{29}, MinSerial: core.AllSerials, From: at(30), Until: at(31)},
		{UserID: "u", JTI: "thirty-two", Until: at(33)},
	}
	return map[string]row{
		"session": {writeSession(&s), func(text string) (any, error) {
			got := core.Session{ID: s.ID}
			err := unpack(text, func(c *codec) { c.session(&got) })
			return got, err
		}, s},
		"devices":     {writeList(devices, (*codec).knownDevice), func(text string) (any, error) { return readList(text, (*codec).knownDevice) }, devices},
		"networks":    {writeList(networks, (*codec).knownNetwork), func(text string) (any, error) { return readList(text, (*codec).knownNetwork) }, networks},
		"pending":     {writeList(pending, (*codec).pending), func(text string) (any, error) { return readList(text, (*codec).pending) }, pending},
		"foreign":     {writeList(s.Revoked, (*codec).revokedToken), func(text string) (any, error) { return readList(text, (*codec).revokedToken) }, s.Revoked},
		"revocations": {writeList(revocations, (*codec).revocation), func(text string) (any, error) { return readList(text, (*codec).revocation) }, revocations},
	}
}

// What an earlier version has written is read for ever. A new format gets a file of
// its own, and those before stay.
func TestFormats(t *testing.T) {
	if os.Getenv("SALLYPORT_WRITE_FORMAT") != "" {
		var b strings.Builder
		for name, row := range packed() {
			b.WriteString(name + " " + hex.EncodeToString(row.value) + "\n")
		}
		if err := os.WriteFile(fmt.Sprintf("testdata/format%d.txt", format), []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n := 1; n <= format; n++ {
		file := fmt.Sprintf("testdata/format%d.txt", n)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rows := packed()
		if n == 1 {
			delete(rows, "networks") // there were none
		}
		for line := range strings.Lines(string(text)) {
			name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
			value, err := hex.DecodeString(digits)
			if err != nil {
				t.Fatal(err)
			}
			want := rows[name].want
			if n == 1 && name == "revocations" { // it did not say whose they are
				nobody := slices.Clone(want.([]core.Revocation))
				for i := range nobody {
					nobody[i].UserID = ""
				}
				want = nobody
			}
			got, err := rows[name].read(string(value))
			if err != nil || value[0] != byte(n) || !reflect.DeepEqual(got, want) {
				t.Errorf("format %d, %s: got %+v, %v, want %+v", n, name, got, err, want)
			}
			delete(rows, name)
		}
		for name := range rows {
			t.Errorf("%s is not in %s", name, file)
		}
	}
}

// What is packed is the caller's: it is not written to, not even with the same.
func TestPackingOnlyReads(t *testing.T) {
	s := whole()
	s.CreatedAt = s.CreatedAt.In(time.FixedZone("here", 3600)).Add(time.Microsecond)
	before := s.Clone()
	writeSession(&s)
	if !reflect.DeepEqual(s, before) {
		t.Errorf("got %+v, want %+v", s, before)
	}
}

// A value that is cut short, has more behind it, or is of another format is an
// error: never a part of what was written.
func TestBrokenValues(t *testing.T) {
	for name, row := range packed() {
		value := string(row.value)
		for i := range len(value) {
			if got, err := row.read(value[:i]); !errors.Is(err, errPacked) {
				t.Fatalf("%s: %d of %d bytes: got %v, %v, want an error", name, i, len(value), got, err)
			}
		}
		for _, wrong := range []string{value + "\x00", "\x00" + value[1:], string(rune(format+1)) + value[1:]} {
			if got, err := row.read(wrong); !errors.Is(err, errPacked) {
				t.Errorf("%s: got %v, %v, want an error", name, got, err)
			}
		}
	}
	header := string(make([]byte, 16))
	good := header + "12 34\n"
	for _, text := range []string{
		"\n",
		header,
		header + "12 34",
		header + "12\n",
		header + " 34\n",
		header + "x \n",
		header + "12 x\n",
		header + "12 34 \n",
		header + "12 34 x \n",
		header + "12 34  ?\n",
		header + "12 34  a,\n",
		header + "12 34  a b\n",
		good + "\x01",
		good + "\x01d\x00\x00\x00",
		good + "\x01d\x00\x00\x00\x02\x01",
		good + "\x01d\xff\xff\xff\xff\x01",
		good + "\x01d\x00\x00\x00\x01\x01",
		good + "\x01s\x00\x00\x00\x00",
		good + "\x02sx\x00\x00\x00\x01\x01",
		good + "\x01?\x00\x00\x00\x01\x01",
		good + "\x00\x00\x00\x00\x00",
	} {
		if l, err := readLedger(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, l)
		}
	}
}

// A ledger that was written before sign-ins were kept has none, and any other as many
// as there were.
func TestHeaders(t *testing.T) {
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	for text, want := range map[string]core.Ledger{
		"12 34\n":         {At: at(12), RevokedAt: at(34)},
		"12 \n":           {At: at(12)},
		"12   \n":         {At: at(12)},
		"12 34 56 \n":     {At: at(12), RevokedAt: at(34), ReusedAt: at(56)},
		"12  56 10\n":     {At: at(12), ReusedAt: at(56), SignIns: []time.Time{start.Add(36 * time.Millisecond)}},
		"12   -1,0,1,z\n": {At: at(12), SignIns: []time.Time{start.Add(-1e6), start.Add(-1e6), start.Add(-2e6), start.Add(-37e6)}},
	} {
		got, err := readLedger(string(make([]byte, 16)) + text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
		if packed := timesText(want.SignIns); packed != "" && !strings.HasSuffix(text, " "+packed+"\n") {
			t.Errorf("%q: got %q packed", text, packed)
		}
	}
}

// What a user who has signed in once, in one network, takes more for it.
func TestSmallValues(t *testing.T) {
	for _, year := range []int{2026, 2100} {
		if n := len(" ") + len(" "+timesText([]time.Time{time.Date(year, 11, 22, 10, 0, 0, 0, time.UTC)})); n > 10 {
			t.Errorf("%d: a sign-in takes %d bytes, want at most 10", year, n)
		}
	}
	for prefix, most := range map[string]int{"203.0.113.0/24": 17, "2001:db8:1::/48": 20} {
		network := core.KnownNetwork{Prefix: prefix, ASN: 3320, LastSeenAt: at(0)}
		if n := len(writeList([]core.KnownNetwork{network}, (*codec).knownNetwork)); n > most {
			t.Errorf("%s takes %d bytes, want at most %d", prefix, n, most)
		}
	}
}

// A prefix comes back as it was, whatever it looks like.
func FuzzPrefix(f *testing.F) {
	for _, text := range []string{
		"", "203.0.113.0/24", "203.0.113.1/24", "203.0.113.0/25", "203.0.113.0/024", "2001:db8:1::/48", "2001:DB8:1::/48", "2001:db8:1:0::/48",
		"2001:db8:1::1/48", "2001:db8:1::/47", "::ffff:203.0.113.0/48", "::/48", "0.0.0.0/24", "203.0.113.0", "sealed\t1:a:b",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want := core.KnownNetwork{Prefix: text}
		var got core.KnownNetwork
		if err := unpack(string(pack(func(c *codec) { c.knownNetwork(&want) })), func(c *codec) { c.knownNetwork(&got) }); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got.Prefix, err, text)
		}
	})
}

// No value in the database makes a panic or takes more than it is long.
func FuzzReadLedger(f *testing.F) {
	for _, row := range packed() {
		f.Add(string(row.value))
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, row := range packed() {
			_, _ = row.read(value)
		}
		_, _ = readLedger(value)
	})
}
