package sealed

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sallyport-go/sallyport/core"
)

// ErrSealed is the error of every call that met a sealed value which does not
// open: its key is not among those given to [New], or it was changed, cut, or
// moved from another user or field. The error names the key's id and the field,
// and nothing of the data. What is stored stays as it is.
var ErrSealed = errors.New("sealed: a value does not open")

// Key is one secret, and the name by which values tell that it sealed them.
type Key struct {
	// ID is 1-16 of [a-z0-9_-], such as "2026-01". It stands in each value in
	// the clear. Once used, it never names another secret.
	ID string
	// Secret is at least 32 random bytes, of no other use. It is not used
	// itself: each user's key is derived from it.
	Secret []byte
}

// Format writes nothing of the secret, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, "[key "+k.ID+"]") }

// MarshalText writes nothing of the secret.
func (k Key) MarshalText() ([]byte, error) { return []byte("[key " + k.ID + "]"), nil }

// Field is which kind of value it is: one kind does not open as another.
type Field string

const (
	IP         Field = "ip"      // of sessions, known devices and events
	Network    Field = "network" // of known networks: the prefix
	UserAgent  Field = "user_agent"
	DeviceName Field = "device_name"
	Browser    Field = "browser"
	Country    Field = "country"
	City       Field = "city"
	RiskDetail Field = "risk_detail" // of sessions and events
)

// Sealer seals and opens personal data. [New] makes one. It never changes and
// is safe for concurrent use.
type Sealer struct {
	keys []key // the first one seals
}

// key is a [Key] that does not print its secret, in whatever it is and by
// whatever verb: a function keeps it.
type key struct {
	id string
	of func(userID string) cipher.AEAD // the user's own
}

// New returns a Sealer that seals with the first key and opens with all of
// them. It reports every mistake at once, and does not keep the secrets.
func New(keys ...Key) (*Sealer, error) {
	var (
		s     Sealer
		wrong []error
	)
	mistake := func(i int, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("sealed: key %d: %s", i, fmt.Sprintf(format, args...)))
	}
	for i, k := range keys {
		if !validID(k.ID) {
			mistake(i, "its id is to be 1 to 16 of a-z, 0-9, _ and -")
		}
		switch {
		case len(k.Secret) < 32:
			mistake(i, "%d bytes are too few for a secret: at least 32", len(k.Secret))
		case bytes.Count(k.Secret, k.Secret[:1]) == len(k.Secret):
			mistake(i, "all bytes of its secret are equal")
		}
		for j, earlier := range keys[:i] {
			if k.ID == earlier.ID && validID(k.ID) {
				mistake(i, "its id is that of key %d", j)
			}
			if len(k.Secret) > 0 && bytes.Equal(k.Secret, earlier.Secret) {
				mistake(i, "its secret is that of key %d", j)
			}
		}
		prk, err := hkdf.Extract(sha256.New, k.Secret, nil)
		if err != nil {
			mistake(i, "%v", err)
		}
		s.keys = append(s.keys, key{k.ID, func(userID string) cipher.AEAD { return newAEAD(prk, userID) }})
	}
	if len(keys) == 0 {
		wrong = append(wrong, errors.New("sealed: there is no key"))
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return &s, nil
}

// validID reports whether id is 1-16 of [a-z0-9_-].
func validID(id string) bool {
	return id != "" && len(id) <= 16 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// Open returns the text of a value of a user, sealed in whatever record. A text
// that is not sealed comes back as it is. Every error is [ErrSealed].
func (s *Sealer) Open(userID string, field Field, text string) (string, error) {
	return s.of(userID).open(field, text)
}

// Event returns e with its IP, its UserAgent and the sentences of its Risk sealed for
// e.UserID, for an audit sink that keeps what it is given. Events of no user are sealed for the user
// "": all of them with one key, so that it counts together how often the key may
// be used, 2^32 times: a hundred a second for 16 months. Err is left as it is.
func (s *Sealer) Event(e core.Event) core.Event {
	e.Risk.Reasons = slices.Clone(e.Risk.Reasons)
	eachOfEvent(&e, s.of(e.UserID).seal)
	return e
}
