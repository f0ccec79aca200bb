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
	if l, err := readLedger(good); err != nil || !l.At.Equal(time.UnixMilli(12)) || !l.RevokedAt.Equal(time.UnixMilli(34)) {
		t.Errorf("got %+v, %v", l, err)
	}
	for _, text := range []string{
		"\n",
		header,
		header + "12 34",
		header + "12\n",
		header + " 34\n",
		header + "x \n",
		header + "12 x\n",
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
