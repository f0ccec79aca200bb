package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// A sealed value is the text
//
//	sealed TAB 1 : KEY ID : base64url( nonce 12 | ciphertext | tag 16 )
//
// AES-256-GCM with a random nonce (NIST SP 800-38D section 8.2.2). Its additional
// data are the text up to the last colon and with it, NUL, the field, NUL, the
// user id; its key is HKDF-SHA256 (RFC 5869) of the secret, without salt, for
// purpose and the user id. There is one spelling: base64url without padding and
// with zero spare bits.
const (
	// Prefix begins every sealed value. Its tab is why no client can send one:
	// core takes control characters out of a User-Agent, refuses them in a
	// device's name, and finds addresses itself.
	Prefix = "sealed\t"

	format   = "1"
	purpose  = "sallyport v1 sealed " // then the user id
	overhead = 12 + 16                // what sealing adds, before base64url
)

// user seals and opens the values of one user. It is of one call: no key is kept
// for longer.
type user struct {
	sealer *Sealer
	id     string
	aeads  []cipher.AEAD // by key, made when first needed
	data   []byte        // reused
	raw    []byte        // reused
	plain  []byte        // reused
}

func (s *Sealer) of(userID string) *user { return &user{sealer: s, id: userID} }

// aead returns the user's own use of a key.
func (u *user) aead(i int) cipher.AEAD {
	if u.aeads == nil {
		u.aeads = make([]cipher.AEAD, len(u.sealer.keys))
	}
	if u.aeads[i] == nil {
		u.aeads[i] = u.sealer.keys[i].of(u.id)
	}
	return u.aeads[i]
}

// newAEAD derives a user's own key from a secret's pseudorandom key.
func newAEAD(prk []byte, userID string) cipher.AEAD {
	secret, err := hkdf.Expand(sha256.New, prk, purpose+userID, 32)
	if err != nil {
		panic("sealed: hkdf: " + err.Error()) // 32 bytes are one hash
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic("sealed: aes: " + err.Error()) // 32 bytes are a key
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("sealed: gcm: " + err.Error()) // AES has blocks of 16 bytes
	}
	return aead
}

// bind returns what a value is bound to besides its key.
func (u *user) bind(head string, field Field) []byte {
	u.data = append(append(append(u.data[:0], head...), 0), field...)
	u.data = append(append(u.data, 0), u.id...)
	return u.data
}

// seal replaces a text. Nothing stays nothing.
func (u *user) seal(field Field, text *string) {
	if *text == "" {
		return
	}
	head := Prefix + format + ":" + u.sealer.keys[0].id + ":"
	u.plain = append(u.plain[:0], *text...)
	u.raw = u.aead(0).Seal(u.raw[:0], nil, u.plain, u.bind(head, field))
	out := make([]byte, 0, len(head)+strictBase64.EncodedLen(len(u.raw)))
	*text = string(strictBase64.AppendEncode(append(out, head...), u.raw))
}

// open returns what was sealed. A text without the prefix comes back as it is.
func (u *user) open(field Field, text string) (string, error) {
	rest, ok := strings.CutPrefix(text, Prefix)
	if !ok {
		return text, nil
	}
	version, rest, _ := strings.Cut(rest, ":")
	id, body, ok := strings.Cut(rest, ":")
	switch {
	case !ok || !validID(id):
		return "", fmt.Errorf("%w: %s: it is cut off or damaged", ErrSealed, field)
	case version != format:
		return "", fmt.Errorf("%w: %s, key %q: its format is not known here", ErrSealed, field, id)
	}
	for i, k := range u.sealer.keys {
		if k.id != id {
			continue
		}
		if !u.decode(body) || len(u.raw) <= overhead {
			return "", fmt.Errorf("%w: %s, key %q: it is cut off or damaged", ErrSealed, field, id)
		}
		plain, err := u.aead(i).Open(u.plain[:0], nil, u.raw, u.bind(text[:len(text)-len(body)], field))
		if err != nil {
			return "", fmt.Errorf("%w: %s, key %q: it was changed, or is of another user, field or secret", ErrSealed, field, id)
		}
		u.plain = plain
		return string(plain), nil
	}
	return "", fmt.Errorf("%w: %s, key %q: there is no such key", ErrSealed, field, id)
}

// decode reads base64url into u.raw.
func (u *user) decode(body string) bool {
	if strings.ContainsAny(body, "\r\n") {
		return false
	}
	var err error
	u.raw, err = strictBase64.AppendDecode(u.raw[:0], []byte(body))
	return err == nil
}

// strictBase64 refuses padding and spare bits (RFC 4648 sections 3.2 and 3.5). It
// skips line breaks all the same: see decode.
var strictBase64 = base64.RawURLEncoding.Strict()
