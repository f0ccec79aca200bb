package sealed_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/sealed"
	"github.com/sallyport-go/sallyport/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newKey returns a key with a random secret.
func newKey(id string) sealed.Key {
	k := sealed.Key{ID: id, Secret: make([]byte, 32)}
	rand.Read(k.Secret)
	return k
}

func newSealer(t testing.TB, keys ...sealed.Key) *sealed.Sealer {
	t.Helper()
	s, err := sealed.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// seal returns one value, as an event has it.
func seal(s *sealed.Sealer, userID string, field sealed.Field, text string) string {
	if field == sealed.UserAgent {
		return s.Event(core.Event{UserID: userID, UserAgent: text}).UserAgent
	}
	return s.Event(core.Event{UserID: userID, IP: text}).IP
}

func TestNew(t *testing.T) {
	good := newKey("a")
	with := func(id string, secret []byte) sealed.Key { return sealed.Key{ID: id, Secret: secret} }
	for _, tt := range []struct {
		name  string
		keys  []sealed.Key
		wrong []string // what is said, one line each
	}{
		{"one", []sealed.Key{good}, nil},
		{"ids of every form", []sealed.Key{newKey("0"), newKey("a-z_0123456789xy"), newKey("-"), newKey("_")}, nil},
		{"none", nil, []string{"there is no key"}},
		{"no id", []sealed.Key{newKey("")}, []string{"key 0: its id is to be"}},
		{"long id", []sealed.Key{newKey("a-z_0123456789xyz")}, []string{"key 0: its id is to be"}},
		{"capitals", []sealed.Key{newKey("A")}, []string{"key 0: its id is to be"}},
		{"colon", []sealed.Key{newKey("a:b")}, []string{"key 0: its id is to be"}},
		{"no secret", []sealed.Key{with("a", nil)}, []string{"key 0: 0 bytes are too few"}},
		{"31 bytes", []sealed.Key{with("a", good.Secret[:31])}, []string{"key 0: 31 bytes are too few"}},
		{"zeros", []sealed.Key{with("a", make([]byte, 32))}, []string{"key 0: all bytes of its secret are equal"}},
		{"one id for two", []sealed.Key{good, newKey("b"), newKey("a")}, []string{"key 2: its id is that of key 0"}},
		{"one secret for two", []sealed.Key{good, with("b", good.Secret)}, []string{"key 1: its secret is that of key 0"}},
		{
			"all at once",
			[]sealed.Key{with("A", nil), good, with("a", bytes.Repeat([]byte("x"), 64)), with("c", good.Secret)},
			[]string{"key 0: its id", "key 0: 0 bytes", "key 2: all bytes", "key 2: its id is that of key 1", "key 3: its secret is that of key 1"},
		},
	} {
		_, err := sealed.New(tt.keys...)
		var lines []string
		if err != nil {
			lines = strings.Split(err.Error(), "\n")
		}
		same := len(lines) == len(tt.wrong)
		for i := range min(len(lines), len(tt.wrong)) {
			same = same && strings.HasPrefix(lines[i], "sealed: "+tt.wrong[i])
		}
		if !same {
			t.Errorf("%s: got %q, want %q", tt.name, lines, tt.wrong)
		}
	}
}

// The caller's secrets are the caller's: New keeps nothing of them.
func TestSecretIsNotKept(t *testing.T) {
	k := newKey("a")
	s := newSealer(t, k)
	value := seal(s, "alice", sealed.IP, "192.0.2.7")
	clear(k.Secret)
	if got, err := s.Open("alice", sealed.IP, value); got != "192.0.2.7" || err != nil {
		t.Errorf("after the secret was cleared: got %q, %v", got, err)
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	k := newKey("a")
	s := newSealer(t, k)
	prk, err := hkdf.Extract(sha256.New, k.Secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	store := s.Store(memstore.New())
	var text strings.Builder
	for _, v := range []any{k, &k, []sealed.Key{k}, s, *s, []any{s}, store, core.Config{Store: store}} {
		fmt.Fprintf(&text, "%v %+v %#v %s %x %d\n", v, v, v, v, v, v)
		if b, err := json.Marshal(v); err == nil {
			text.Write(b)
		}
	}
	for _, secret := range [][]byte{k.Secret, prk} {
		for _, form := range []string{
			string(secret), fmt.Sprintf("%x", secret), base64.StdEncoding.EncodeToString(secret),
			strings.Trim(fmt.Sprint(secret), "[]"), strings.Trim(fmt.Sprintf("%#v", secret), "[]byte{}"),
		} {
			if strings.Contains(text.String(), form) {
				t.Errorf("a secret is printed: %.40q", form)
			}
		}
	}
}

// Golden values: what was sealed by the first version opens for ever.
var golden = []struct {
	user  string
	field sealed.Field
	plain string
	value string
}{
	{"alice", sealed.IP, "192.0.2.7", "sealed\t1:golden_1:AQEBAQEBAQEBAQEBG8lOhTAvYNnvqs_aN6HY86J6iyEpMwRjiA"},
	{"böb ", sealed.UserAgent, "Mozilla/5.0 (X11; Linux x86_64)", "sealed\t1:golden_1:AgICAgICAgICAgICAj4OMZh_BZYr3K_74bujFjLJ4exq-LQwr80RJ-fUitR7EO1jiaqbDgLFkQfB6NQ"},
	{"alice", sealed.DeviceName, "Telefon von Zoë ☃", "sealed\t1:golden_1:AwMDAwMDAwMDAwMD2h9Nq4SNjyIQzQI5xC8yiQNR8CYE0UWDuHUfevk6L4tTAH2z"},
}

// goldenKey has a secret that everybody knows.
func goldenKey() sealed.Key {
	sum := sha256.Sum256([]byte("the golden values of package sealed"))
	return sealed.Key{ID: "golden_1", Secret: sum[:]}
}

// written is the documented form, written a second time from the primitives.
func written(k sealed.Key, user string, field sealed.Field, plain string, nonce []byte) (string, error) {
	secret, err := hkdf.Key(sha256.New, k.Secret, nil, "sallyport v1 sealed "+user, 32)
	if err != nil {
		return "", err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return "", err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return "", err
	}
	head := "sealed\t1:" + k.ID + ":"
	raw := gcm.Seal(bytes.Clone(nonce), nonce, []byte(plain), []byte(head+"\x00"+string(field)+"\x00"+user))
	return head + base64.RawURLEncoding.EncodeToString(raw), nil
}

func TestGolden(t *testing.T) {
	s := newSealer(t, newKey("new"), goldenKey())
	for i, g := range golden {
		got, err := s.Open(g.user, g.field, g.value)
		if got != g.plain || err != nil {
			t.Errorf("%q: got %q, %v, want %q", g.value, got, err, g.plain)
		}
		nonce := bytes.Repeat([]byte{byte(i + 1)}, 12)
		want, err := written(goldenKey(), g.user, g.field, g.plain, nonce)
		if g.value != want || err != nil {
			t.Errorf("the form has changed: got %q, want %q, %v", want, g.value, err)
		}
	}
}

// A value is one line of text, with the prefix and the key's id, of the length
// that is documented, and never the same twice.
func TestForm(t *testing.T) {
	s := newSealer(t, newKey("2026-01"), newKey("2025-01"))
	seen := map[string]bool{}
	for n := range 600 {
		plain := strings.Repeat("x", n)
		value := seal(s, "alice", sealed.UserAgent, plain)
		if n == 0 {
			if value != "" {
				t.Errorf("nothing became %q", value)
			}
			continue
		}
		head, _ := strings.CutPrefix(value, "sealed\t1:2026-01:")
		if head == value || strings.ContainsFunc(head, func(c rune) bool { return c > unicode.MaxASCII || unicode.IsControl(c) || unicode.IsSpace(c) }) {
			t.Errorf("got %q", value)
		}
		if want := 10 + len("2026-01") + (4*(n+28)+2)/3; len(value) != want {
			t.Errorf("%d bytes take %d, want %d", n, len(value), want)
		}
		if seen[value] || seal(s, "alice", sealed.UserAgent, plain) == value {
			t.Error("a value came twice")
		}
		seen[value] = true
		if got, err := s.Open("alice", sealed.UserAgent, value); got != plain || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, plain)
		}
	}
}

// refuses wants a value not to open, and the error to say nothing of it.
func refuses(t *testing.T, s *sealed.Sealer, what, user string, field sealed.Field, value string, secret ...string) {
	t.Helper()
	got, err := s.Open(user, field, value)
	if !errors.Is(err, sealed.ErrSealed) || got != "" {
		t.Errorf("%s: got %q, %v, want ErrSealed", what, got, err)
		return
	}
	_, body, _ := strings.Cut(strings.TrimPrefix(value, "sealed\t1:"), ":")
	for _, no := range append(secret, body, user) {
		if len(no) > 4 && strings.Contains(err.Error(), no) {
			t.Errorf("%s: the error %q tells %q", what, err, no)
		}
	}
}

// A value opens for its user and its field alone.
func TestMovedValues(t *testing.T) {
	s := newSealer(t, newKey("a"))
	users := []string{"", "alice", "Alice", "alice ", "alic", "bob", "ip\x00alice", strings.Repeat("u", 255)}
	fields := []sealed.Field{sealed.IP, sealed.UserAgent, sealed.DeviceName, sealed.Country, sealed.City, sealed.RiskDetail, "", "ip\x00", "IP"}
	opened := 0
	for _, of := range users {
		for _, as := range fields[:2] {
			value := seal(s, of, as, "192.0.2.7")
			for _, user := range users {
				for _, field := range fields {
					if user != of || field != as {
						refuses(t, s, fmt.Sprintf("%q of %q as %q of %q", as, of, field, user), user, field, value, "192.0.2.7")
					} else if got, err := s.Open(user, field, value); got == "192.0.2.7" && err == nil {
						opened++
					}
				}
			}
		}
	}
	if want := 2 * len(users); opened != want {
		t.Errorf("%d values opened, want %d", opened, want)
	}
}

// A value of which one byte is another does not open. Without its prefix it is
// plain text, and stays it.
func TestTamperedValues(t *testing.T) {
	other := newKey("b")
	s := newSealer(t, newKey("a"), other)
	value := seal(s, "alice", sealed.IP, "192.0.2.7")
	tried := 0
	try := func(what, changed string) {
		t.Helper()
		tried++
		if strings.HasPrefix(changed, sealed.Prefix) {
			refuses(t, s, what, "alice", sealed.IP, changed, "192.0.2.7")
		} else if got, err := s.Open("alice", sealed.IP, changed); got != changed || err != nil {
			t.Errorf("%s: got %q, %v, want it as it is", what, got, err)
		}
	}
	for i := range len(value) {
		for b := range 256 {
			if byte(b) != value[i] {
				try(fmt.Sprintf("byte %d is %q", i, byte(b)), value[:i]+string([]byte{byte(b)})+value[i+1:])
			}
		}
		try(fmt.Sprintf("%d bytes of it", i), value[:i])
		try(fmt.Sprintf("without byte %d", i), value[:i]+value[i+1:])
		for _, more := range []string{"A", "=", "\n", "\r\n", "\x00", ":"} {
			try(fmt.Sprintf("%q before byte %d", more, i), value[:i]+more+value[i:])
		}
	}
	for _, more := range []string{"A", "AA", "AAAA", "=", "\n", "\r\n", " ", ":", "\x00", value} {
		try(fmt.Sprintf("%q behind", more), value+more)
	}
	foreign := newSealer(t, sealed.Key{ID: "a", Secret: other.Secret})
	refuses(t, s, "another secret", "alice", sealed.IP, seal(foreign, "alice", sealed.IP, "192.0.2.7"))
	unknown := newSealer(t, newKey("c"))
	value = seal(unknown, "alice", sealed.IP, "192.0.2.7")
	refuses(t, s, "another key", "alice", sealed.IP, value)
	if _, err := s.Open("alice", sealed.IP, value); !strings.Contains(err.Error(), `key "c"`) {
		t.Errorf("got error %q, want one that names key c", err)
	}
	t.Logf("%d changed values", tried)
}

// Of an event nothing personal can be read, and the rest is as it was. A text that is
// added to core stands in neither list.
func TestEvent(t *testing.T) {
	fields := map[string]sealed.Field{"IP": sealed.IP, "UserAgent": sealed.UserAgent, "Risk.Reasons.Detail": sealed.RiskDetail}
	open := []string{"Name", "UserID", "Reason", "DeviceID", "TokenHash", "Mode", "Cause", "By", "Risk.Reasons.Code"}
	s := newSealer(t, newKey("a"))
	var e core.Event
	fill(reflect.ValueOf(&e).Elem())
	given := fmt.Sprintf("%#v", e)
	got := s.Event(e)
	if after := fmt.Sprintf("%#v", e); after != given {
		t.Errorf("the caller's event was written to: got %s, want %s", after, given)
	}
	plain, found := []string(nil), map[string]bool{}
	visit(reflect.ValueOf(e), "", func(path, text string) { plain, found[path] = append(plain, text), true })
	if got, want := slices.Sorted(maps.Keys(found)), slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Keys(fields)), open))); !slices.Equal(got, want) {
		t.Fatalf("the texts of an event (-listed +found):\n%s", cmp.Diff(want, got))
	}
	visit(reflect.ValueOf(got), "", func(path, text string) {
		want := plain[0]
		plain = plain[1:]
		field, personal := fields[path]
		if !personal {
			if text != want {
				t.Errorf("%s: got %q, want it as it was: %q", path, text, want)
			}
			return
		}
		opened, err := s.Open(e.UserID, field, text)
		if !strings.HasPrefix(text, sealed.Prefix) || opened != want || err != nil {
			t.Errorf("%s: got %q, which opens as %q, %v, want it sealed", path, text, opened, err)
		}
	})
	if got.Time != e.Time || got.Session != e.Session || got.Risk.Score != e.Risk.Score || got.NotDurable != e.NotDurable || got.Err != e.Err {
		t.Errorf("got %+v, want all else as it was: %+v", got, e)
	}
	empty := core.Event{Name: core.EventFailed}
	if diff := cmp.Diff(empty, s.Event(empty)); diff != "" {
		t.Errorf("an event without any (-want +got):\n%s", diff)
	}
}
