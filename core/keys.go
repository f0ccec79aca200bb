package core

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithm is how a key signs: a name of RFC 7518 section 3.1 or RFC 8037
// section 3.1.
type Algorithm string

const (
	HS256 Algorithm = "HS256" // HMAC with SHA-256, a secret of at least 32 bytes
	HS384 Algorithm = "HS384" // HMAC with SHA-384, at least 48 bytes
	HS512 Algorithm = "HS512" // HMAC with SHA-512, at least 64 bytes
	RS256 Algorithm = "RS256" // RSASSA-PKCS1-v1_5 with SHA-256, 2048 to 8192 bits
	PS256 Algorithm = "PS256" // RSASSA-PSS with SHA-256, 2048 to 8192 bits
	ES256 Algorithm = "ES256" // ECDSA on P-256 with SHA-256
	EdDSA Algorithm = "EdDSA" // Ed25519
)

// Key signs and verifies access tokens with one algorithm. It is exactly one of
// a Secret, a Signer and a Public.
//
// To replace a key, add its successor with a SignFrom by which everybody who
// verifies tokens has seen it, and remove the old one when its last token has
// expired: its last access token, and if it serves as one of [Config.Secrets] the
// last refresh token as well. A key that is not in the list verifies nothing.
type Key struct {
	// ID is the "kid" of the key's tokens: 1-128 of A-Z a-z 0-9 . _ ~ -.
	// "": the RFC 7638 thumbprint of a public key, or 64 bits derived from a
	// Secret with HKDF-SHA256.
	ID string
	// Algorithm is the only one that the key is used with. "": HS256 for a
	// Secret, RS256 for RSA, ES256 for P-256, EdDSA for Ed25519.
	Algorithm Algorithm

	// Secret is an HMAC key, shared with everybody who verifies.
	Secret []byte
	// Signer is a private key: *rsa.PrivateKey, *ecdsa.PrivateKey,
	// ed25519.PrivateKey, or one that lives elsewhere. It must be safe for
	// concurrent use and bound its own time.
	Signer crypto.Signer
	// Public is a key that verifies and never signs. Beside a Signer it is
	// what the Signer must belong to.
	Public crypto.PublicKey

	// SignFrom is when the key begins to sign; zero: it always has. Of those
	// that have begun, the one with the latest SignFrom signs; of two with the
	// same, the earlier in the list. A key verifies, and is published, from
	// the start.
	SignFrom time.Time
}

// Format writes the key's id and algorithm, whatever the verb, and nothing of
// what it signs with.
func (k Key) Format(f fmt.State, _ rune) {
	io.WriteString(f, strings.TrimRight("[key "+k.ID+" "+string(k.Algorithm), " ")+"]")
}

// MarshalText writes what Format writes, so that a logged or marshalled Config
// does not show the key.
func (k Key) MarshalText() ([]byte, error) { return fmt.Append(nil, k), nil }

// algorithms are golang-jwt's, and the bytes that an HMAC key needs: as many
// as the hash has (RFC 7518 section 3.2).
var algorithms = map[Algorithm]struct {
	method jwt.SigningMethod
	secret int
}{
	HS256: {jwt.SigningMethodHS256, 32},
	HS384: {jwt.SigningMethodHS384, 48},
	HS512: {jwt.SigningMethodHS512, 64},
	RS256: {jwt.SigningMethodRS256, 0},
	// golang-jwt's own takes a salt of any length. RFC 7518 section 3.5: as
	// long as the hash.
	PS256: {&jwt.SigningMethodRSAPSS{SigningMethodRSA: jwt.SigningMethodPS256.SigningMethodRSA, Options: pssOptions}, 0},
	ES256: {jwt.SigningMethodES256, 0},
	EdDSA: {jwt.SigningMethodEdDSA, 0},
}

var pssOptions = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}

// keyRing signs and verifies. It never changes and is safe for concurrent use.
type keyRing struct {
	keys     []*ringKey // in the order of Config.Keys
	ids      map[string]*ringKey
	headers  map[string]*ringKey // by what the key's tokens begin with
	document []byte
}

// ringKey is a Key that was checked. It shares no memory with the app's.
type ringKey struct {
	id        string
	alg       Algorithm
	header    string // base64url of the JOSE header that it writes
	method    jwt.SigningMethod
	verifier  any           // what method verifies with
	signer    crypto.Signer // nil: HMAC, or it only verifies
	probed    bool          // the signer is in this process and was tried
	signature int           // bytes in one
	public    *publicKey    // nil: HMAC
	from      time.Time
}

// newKeyRing reports every mistake at once. Its errors name a key by its place
// and id and show nothing else of it.
func newKeyRing(keys []Key, now time.Time) (*keyRing, error) {
	if len(keys) == 0 {
		return nil, errors.New("sallyport: Config.Keys: there is none")
	}
	r := &keyRing{ids: make(map[string]*ringKey), headers: make(map[string]*ringKey)}
	used := make(map[string]Algorithm) // by material
	var wrong []error
	var published []string
	for i, k := range keys {
		mistake := func(err error) {
			name := fmt.Sprintf("Config.Keys[%d]", i)
			if validKeyID(k.ID) {
				name += " (" + k.ID + ")"
			}
			wrong = append(wrong, fmt.Errorf("sallyport: %s: %w", name, err))
		}
		key, material, err := k.read()
		if err != nil {
			mistake(err)
			continue
		}
		if alg, ok := used[material]; ok && alg != key.alg {
			mistake(errors.New("the same key is in the list with another algorithm (RFC 8725 section 3.1)"))
		}
		used[material] = key.alg
		if r.ids[key.id] != nil {
			mistake(errors.New("another key has the same id"))
			continue
		}
		r.keys = append(r.keys, key)
		r.ids[key.id] = key
		r.headers[key.header] = key
		if key.public != nil {
			published = append(published, key.public.jwk(key.id, key.alg))
		}
	}
	if len(wrong) == 0 && r.signing(now) == nil {
		wrong = append(wrong, errors.New("sallyport: Config.Keys: none signs yet; the oldest with a Secret or a Signer needs no SignFrom"))
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	r.document = []byte(`{"keys":[` + strings.Join(published, ",") + `]}`)
	return r, nil
}

// signing returns the key that signs at a time, or nil.
func (r *keyRing) signing(now time.Time) *ringKey {
	var best *ringKey
	for _, k := range r.keys {
		if k.signs() && !k.from.After(now) && (best == nil || k.from.After(best.from)) {
			best = k
		}
	}
	return best
}

// byID returns the key with an id, or nil.
func (r *keyRing) byID(id string) *ringKey { return r.ids[id] }

// jwks returns the public keys as a JWK Set (RFC 7517 section 5), in the order
// of the configuration, the same bytes every time. HMAC keys are not in it. The
// result is not to be changed.
func (r *keyRing) jwks() []byte { return r.document }

// read checks a key. The material tells whether two keys are the same.
func (k *Key) read() (key *ringKey, material string, err error) {
	defer func() {
		if recover() != nil { // as the standard library does on a key that was put together by hand
			err = errors.New("the key is malformed")
		}
	}()
	if k.ID != "" && !validKeyID(k.ID) {
		return nil, "", errors.New("the id is not 1-128 of A-Z a-z 0-9 . _ ~ -")
	}
	if _, ok := algorithms[k.Algorithm]; !ok && k.Algorithm != "" {
		return nil, "", errors.New("the algorithm is unknown: want HS256, HS384, HS512, RS256, PS256, ES256 or EdDSA")
	}
	key = &ringKey{id: k.ID, alg: k.Algorithm, from: k.SignFrom.Round(0)}
	switch {
	case k.Secret != nil && (k.Signer != nil || k.Public != nil):
		return nil, "", errors.New("a Secret beside a Signer or a Public")
	case k.Secret != nil:
		material, err = key.readSecret(k.Secret)
	case k.Signer != nil:
		material, err = key.readSigner(k.Signer, k.Public)
	case k.Public != nil:
		material, err = key.readPublic(k.Public)
	default:
		err = errors.New("no Secret, no Signer and no Public")
	}
	if err != nil {
		return nil, "", err
	}
	if key.id == "" {
		key.id = material
	}
	key.method = algorithms[key.alg].method
	key.header = base64JWK([]byte(`{"alg":"` + string(key.alg) + `","kid":"` + key.id + `","typ":"` + accessTokenType + `"}`))
	return key, material, key.probe()
}

func (k *ringKey) readSecret(secret []byte) (string, error) {
	if k.alg == "" {
		k.alg = HS256
	}
	least := algorithms[k.alg].secret
	if least == 0 {
		return "", fmt.Errorf("a Secret can't be used with %s", k.alg)
	}
	if reason := weakness(secret, least); reason != "" {
		return "", fmt.Errorf("its Secret: %s", reason)
	}
	k.verifier, k.signature = append([]byte(nil), secret...), least
	return base64JWK(derive(secret, "sallyport v1 key id", 8)), nil
}

func (k *ringKey) readPublic(key crypto.PublicKey) (string, error) {
	public, err := readPublicKey(key)
	if err != nil {
		return "", err
	}
	if k.alg == "" {
		k.alg = public.standard
	}
	if k.alg != public.standard && !(k.alg == PS256 && public.standard == RS256) {
		return "", fmt.Errorf("%T can't be used with %s", public.key, k.alg)
	}
	thumbprint := public.thumbprint()
	if where, ok := publishedKeys[thumbprint]; ok {
		return "", errors.New("its private half is published: " + where)
	}
	k.public, k.verifier, k.signature = &public, public.key, public.signature
	return thumbprint, nil
}

func (k *ringKey) readSigner(signer crypto.Signer, want crypto.PublicKey) (string, error) {
	if private, ok := signer.(ed25519.PrivateKey); ok && len(private) != ed25519.PrivateKeySize {
		return "", fmt.Errorf("an Ed25519 private key has %d bytes, not %d: see ed25519.NewKeyFromSeed", ed25519.PrivateKeySize, len(private))
	}
	material, err := k.readPublic(signer.Public())
	if err != nil {
		return "", err
	}
	if want != nil {
		if other, err := readPublicKey(want); err != nil {
			return "", fmt.Errorf("its Public: %w", err)
		} else if other.members != k.public.members {
			return "", errors.New("the Signer belongs to another key than Public")
		}
	}
	k.signer = signer
	return material, nil
}

// probe signs something with a private key that is in this process, since its
// halves may not belong together. A Signer elsewhere is not disturbed: what it
// makes is verified every time.
func (k *ringKey) probe() error {
	switch k.signer.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
		if _, err := k.sign("probe"); err != nil {
			return errors.New("the Signer makes no signature that its public key verifies")
		}
		k.probed = true
	}
	return nil
}

func validKeyID(id string) bool {
	for i := range len(id) {
		if c := id[i]; !base64Alphabet[c] && c != '.' && c != '~' {
			return false
		}
	}
	return len(id) >= 1 && len(id) <= 128
}

func (k *ringKey) signs() bool { return k.public == nil || k.signer != nil }

// sign returns the signature of text in the form of RFC 7518 section 3. An
// error of the Signer comes back as it is.
func (k *ringKey) sign(text string) ([]byte, error) {
	if k.public == nil {
		return k.method.Sign(text, k.verifier)
	}
	if k.signer == nil {
		return nil, errors.New("sallyport: a public key can't sign")
	}
	var sig []byte
	var err error
	if digest := sha256.Sum256([]byte(text)); k.alg == EdDSA {
		sig, err = k.signer.Sign(rand.Reader, []byte(text), crypto.Hash(0))
	} else if k.alg == PS256 {
		sig, err = k.signer.Sign(rand.Reader, digest[:], pssOptions)
	} else {
		sig, err = k.signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	}
	if err == nil && k.alg == ES256 {
		sig, err = fixedSize(sig)
	}
	if err != nil {
		return nil, fmt.Errorf("sallyport: key %s does not sign: %w", k.id, err)
	}
	if !k.probed {
		if err := k.verify(text, sig); err != nil {
			return nil, fmt.Errorf("sallyport: key %s: what its Signer makes does not verify: %w", k.id, err)
		}
	}
	return sig, nil
}

// verify reports whether sig is the signature of text by this key and its one
// algorithm. There is one spelling of a signature: of the two that ECDSA has,
// (r, s) and (r, n-s), that with the smaller s.
func (k *ringKey) verify(text string, sig []byte) error {
	if len(sig) != k.signature {
		return jwt.ErrSignatureInvalid
	}
	if k.alg == ES256 && bytes.Compare(sig[32:], p256HalfOrder[:]) > 0 {
		return jwt.ErrSignatureInvalid
	}
	return k.method.Verify(text, sig, k.verifier)
}

// fixedSize turns an ASN.1 ECDSA signature into r and s of 32 bytes each (RFC
// 7518 section 3.4), with the smaller of the two s that verify.
func fixedSize(der []byte) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &sig)
	n := elliptic.P256().Params().N
	if err != nil || len(rest) > 0 || sig.R.Sign() <= 0 || sig.S.Sign() <= 0 || sig.R.Cmp(n) >= 0 || sig.S.Cmp(n) >= 0 {
		return nil, errors.New("not an ASN.1 ECDSA signature on P-256")
	}
	out := make([]byte, 64)
	sig.R.FillBytes(out[:32])
	sig.S.FillBytes(out[32:])
	if bytes.Compare(out[32:], p256HalfOrder[:]) > 0 {
		sig.S.Sub(n, sig.S).FillBytes(out[32:])
	}
	return out, nil
}

var p256HalfOrder = func() (half [32]byte) {
	new(big.Int).Rsh(elliptic.P256().Params().N, 1).FillBytes(half[:])
	return half
}()
