package core

import (
	"encoding/base32"
	"errors"
	"fmt"
	"io"
)

// ID is 128 random bits: it names a session, a commit, an access token or a
// device that the server named. The zero ID names nothing.
//
// Its text form is 26 lower-case letters and digits (RFC 4648 section 6, no
// padding), safe in a path, a file name and a case-blind column.
type ID [16]byte

var (
	idText   = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	errBadID = errors.New("sallyport: not an id: want 26 characters of a-z and 2-7")
)

// ParseID reads the text form. It accepts exactly what [ID.String] writes.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 26 {
		return ID{}, errBadID
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return ID{}, errBadID // the decoder would skip line breaks
		}
	}
	if _, err := idText.Decode(id[:], []byte(s)); err != nil || id.String() != s {
		return ID{}, errBadID // the decoder ignores the two spare bits
	}
	return id, nil
}

// String returns the text form.
func (id ID) String() string {
	var b [26]byte
	idText.Encode(b[:], id[:])
	return string(b[:])
}

// IsZero reports whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText writes the text form, and nothing for the zero ID.
func (id ID) MarshalText() ([]byte, error) {
	if id.IsZero() {
		return []byte{}, nil
	}
	return []byte(id.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*id = ID{}
		return nil
	}
	parsed, err := ParseID(string(b))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// newID draws an ID from random. A source that fails, or that answers nothing
// but zeros, is an error: an id that can be guessed is worse than none.
func newID(random io.Reader) (ID, error) {
	var id ID
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return ID{}, fmt.Errorf("sallyport: random source: %w", err)
	}
	if id.IsZero() {
		return ID{}, errors.New("sallyport: random source answers only zeros")
	}
	return id, nil
}
