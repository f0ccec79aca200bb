package core

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Secret protects refresh tokens and device tokens. To replace one, add its
// successor with a MintFrom by which every process knows it, and remove the old
// one when no token of it is of use any more.
type Secret struct {
	// Value is at least 32 random bytes. It is not used itself: keys for each
	// purpose are derived from it with HKDF-SHA256 (RFC 5869).
	Value []byte
	// MintFrom is when the secret begins to make tokens; zero: it always has.
	// It verifies tokens from the start. Of those that have begun, the one with
	// the latest MintFrom makes them; of two with the same, the earlier in the
	// list.
	MintFrom time.Time
}

// Format writes nothing of the secret, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, "[secret]") }

// MarshalText writes nothing of the secret, so that a logged or marshalled
// Config does not show it.
func (s Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// A sealed token is text that only this ring can have made:
//
//	prefix | base64url( version 1 | secret id 4 | body | HMAC-SHA-256 32 )
//
// The MAC covers the prefix and all bytes before it. Its key belongs to one
// purpose, so that no kind of token passes for another. There is one spelling
// of a token: base64url without padding and with zero spare bits (RFC 4648
// sections 3.5 and 5).
const (
	sealVersion  = 1
	secretIDSize = 4
	macSize      = sha256.Size
	sealOverhead = 1 + secretIDSize + macSize
	sealBodyMax  = idSize + uvarintMax + userIDMax // the longest body, a refresh token's
	idSize       = len(ID{})
	uvarintMax   = 10
)

// sealedKind is what a sealed token is for. A prefix tells a secret scanner
// what it found.
type sealedKind struct {
	index            int
	prefix, purpose  string
	bodyMin, bodyMax int // bytes
}

var (
	refreshKind = &sealedKind{0, "sprt_", "sallyport v1 refresh token", idSize + 1 + 1, sealBodyMax}
	deviceKind  = &sealedKind{1, "spdt_", "sallyport v1 device token", 1 + 1, 1 + textCap}
	pendingKind = &sealedKind{2, "sppt_", "sallyport v1 pending sign-in", idSize + len(accountTag{}) + 1, idSize + len(accountTag{}) + userIDMax}
	sealedKinds = [...]*sealedKind{refreshKind, deviceKind, pendingKind}
)

// Why a sealed token was refused.
var (
	errSealedForm    = errors.New("not a token of this kind, or damaged")
	errSealedVersion = errors.New("a version that is not known here")
	errSealedSecret  = errors.New("of a secret that is not in the ring")
	errSealedMAC     = errors.New("not authentic")
	errSealedBody    = errors.New("authentic, but not a token that is ever made")
	errNoSecret      = errors.New("sallyport: no secret has begun to make tokens")
)

// secretRing makes and opens sealed tokens. It never changes and is safe for
// concurrent use.
type secretRing struct {
	list []*ringSecret // in the order of Config.Secrets
	byID map[[secretIDSize]byte]*ringSecret
}

type ringSecret struct {
	id   [secretIDSize]byte
	from time.Time
	keys [len(sealedKinds)][]byte
}

// newSecretRing reports every mistake at once. Without secrets the HMAC keys
// serve, from their SignFrom.
func newSecretRing(secrets []Secret, keys []Key, now time.Time) (*secretRing, error) {
	name := func(i int) string { return fmt.Sprintf("Config.Secrets[%d]", i) }
	if len(secrets) == 0 {
		var from []int
		for i, k := range keys {
			if len(k.Secret) > 0 {
				secrets = append(secrets, Secret{Value: k.Secret, MintFrom: k.SignFrom})
				from = append(from, i)
			}
		}
		if len(secrets) == 0 {
			return nil, errors.New("sallyport: Config.Secrets: there is none, and no HMAC key that could serve")
		}
		name = func(i int) string { return fmt.Sprintf("Config.Secrets: Config.Keys[%d] as a secret", from[i]) }
	}
	r := &secretRing{byID: make(map[[secretIDSize]byte]*ringSecret, len(secrets))}
	var wrong []error
	for i, s := range secrets {
		if reason := weakness(s.Value, 32); reason != "" {
			wrong = append(wrong, fmt.Errorf("sallyport: %s: %s", name(i), reason))
			continue
		}
		k := &ringSecret{from: s.MintFrom.Round(0)}
		copy(k.id[:], derive(s.Value, "sallyport v1 secret id", secretIDSize))
		for _, kind := range sealedKinds {
			k.keys[kind.index] = derive(s.Value, kind.purpose, sha256.Size)
		}
		if r.byID[k.id] != nil {
			wrong = append(wrong, fmt.Errorf("sallyport: %s: it is in the list twice, or shares its derived id with another", name(i)))
			continue
		}
		r.list = append(r.list, k)
		r.byID[k.id] = k
	}
	if len(wrong) == 0 && r.minting(now) == nil {
		wrong = append(wrong, errors.New("sallyport: Config.Secrets: none makes tokens yet; the oldest needs no MintFrom"))
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return r, nil
}

// derive returns n bytes for one purpose (RFC 5869). Purposes never repeat.
func derive(secret []byte, purpose string, n int) []byte {
	b, err := hkdf.Key(sha256.New, secret, nil, purpose, n)
	if err != nil {
		panic("sallyport: hkdf: " + err.Error()) // n is far below 255 hashes
	}
	return b
}

// minting returns the secret that makes tokens at a time, or nil.
func (r *secretRing) minting(now time.Time) *ringSecret {
	var best *ringSecret
	for _, s := range r.list {
		if !s.from.After(now) && (best == nil || s.from.After(best.from)) {
			best = s
		}
	}
	return best
}

func (s *ringSecret) mac(kind *sealedKind, raw []byte) []byte {
	h := hmac.New(sha256.New, s.keys[kind.index])
	io.WriteString(h, kind.prefix)
	h.Write(raw)
	return h.Sum(nil)
}

// seal makes a token. Its caller keeps to the kind's sizes.
func (r *secretRing) seal(kind *sealedKind, body []byte, now time.Time) (string, error) {
	s := r.minting(now)
	if s == nil {
		return "", errNoSecret
	}
	raw := make([]byte, 0, sealOverhead+len(body))
	raw = append(raw, sealVersion)
	raw = append(raw, s.id[:]...)
	raw = append(raw, body...)
	raw = append(raw, s.mac(kind, raw)...)
	return kind.prefix + strictBase64.EncodeToString(raw), nil
}

// open returns the body of an authentic token, which its caller has yet to
// read. What it costs is bounded whatever s is.
func (r *secretRing) open(kind *sealedKind, s string) ([]byte, error) {
	text, ok := strings.CutPrefix(s, kind.prefix)
	if !ok ||
		len(text) < strictBase64.EncodedLen(sealOverhead+kind.bodyMin) ||
		len(text) > strictBase64.EncodedLen(sealOverhead+kind.bodyMax) ||
		!inBase64(text) {
		return nil, errSealedForm
	}
	raw, err := strictBase64.DecodeString(text)
	if err != nil {
		return nil, errSealedForm
	}
	if raw[0] != sealVersion {
		return nil, errSealedVersion
	}
	secret := r.byID[[secretIDSize]byte(raw[1:])]
	if secret == nil {
		return nil, errSealedSecret
	}
	signed, mac := raw[:len(raw)-macSize], raw[len(raw)-macSize:]
	if !hmac.Equal(mac, secret.mac(kind, signed)) {
		return nil, errSealedMAC
	}
	return signed[1+secretIDSize:], nil
}

// strictBase64 refuses padding and spare bits (RFC 4648 sections 3.2 and 3.5).
// It skips line breaks all the same: see inBase64.
var strictBase64 = base64.RawURLEncoding.Strict()

// inBase64 reports whether s is nothing but A-Z a-z 0-9 - _.
func inBase64(s string) bool {
	for i := range len(s) {
		if !base64Alphabet[s[i]] {
			return false
		}
	}
	return true
}

var base64Alphabet = func() (in [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		in[c] = true
	}
	return in
}()
