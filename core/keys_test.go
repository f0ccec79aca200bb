package core

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"
)

// remoteSigner is a Signer that lives elsewhere: not one of the standard
// library's types.
type remoteSigner struct {
	crypto.Signer
	spoil func(sig []byte, err error) ([]byte, error)
}

func (s remoteSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	sig, err := s.Signer.Sign(random, digest, opts)
	if s.spoil != nil {
		return s.spoil(sig, err)
	}
	return sig, err
}

// publicSigner has a public key and nothing else.
type publicSigner struct{ public crypto.PublicKey }

func (s publicSigner) Public() crypto.PublicKey { return s.public }
func (s publicSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("never")
}

type nilSigner struct{ publicSigner }

func rsaPublic(n *big.Int, e int) *rsa.PublicKey { return &rsa.PublicKey{N: n, E: e} }

func base64Int(t *testing.T, s string) *big.Int {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return new(big.Int).SetBytes(b)
}

func ecdsaPublic(t *testing.T, x, y string) *ecdsa.PublicKey {
	t.Helper()
	point := append([]byte{4}, base64Int(t, x).FillBytes(make([]byte, 32))...)
	k, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(point, base64Int(t, y).FillBytes(make([]byte, 32))...))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Every key that P7 names is refused at construction, by its rule.
func TestWeakKeys(t *testing.T) {
	signers := tokenSigners()
	rsaKey := signers[RS256].(*rsa.PrivateKey)
	ecKey := signers[ES256].(*ecdsa.PrivateKey)
	edKey := signers[EdDSA].(ed25519.PrivateKey)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	otherEC, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	odd := func(bits uint) *big.Int { // the shape of a modulus; a number of bits is all that is looked at
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return n.SetBit(n.Add(n, big.NewInt(0x1234567)), 0, 1)
	}
	fromHex := func(s string) ed25519.PublicKey {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	//lint:ignore SA1019 there is no other way to make a point that is not on the curve
	offCurve := &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}
	halves := *otherEC
	halves.PublicKey = ecKey.PublicKey
	identity := append([]byte{1}, make([]byte, 31)...)
	signBit := bytes.Clone(identity)
	signBit[31] |= 0x80
	good := tokenSecret(64, 1)

	for _, c := range []struct {
		rule string
		key  Key
		want string // part of the error
	}{
		{"something to sign with", Key{}, "no Secret, no Signer and no Public"},
		{"an empty secret", Key{Secret: []byte{}}, "it is empty"},
		{"HS256: 32 bytes", Key{Secret: good[:31]}, "31 bytes are too few: at least 32"},
		{"HS384: 48 bytes", Key{Algorithm: HS384, Secret: good[:47]}, "at least 48"},
		{"HS512: 64 bytes", Key{Algorithm: HS512, Secret: good[:63]}, "at least 64"},
		{"all bytes equal", Key{Secret: bytes.Repeat([]byte{0xa7}, 32)}, "it repeats itself"},
		{"all zero", Key{Secret: make([]byte, 64)}, "it repeats itself"},
		{"an example of RFC 7515", Key{Secret: base64Int(t, "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow").Bytes()}, "published example"},
		{"jwt.io's", Key{Secret: []byte("a-string-secret-at-least-256-bits-long")}, "easily guessed"},
		{"a PEM public key as a secret", Key{Secret: []byte("-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n")}, "PEM text"},
		{"RSA 1024", Key{Public: rsaPublic(odd(1024), 65537)}, "1024 bits is weak"},
		{"RSA 2047", Key{Public: rsaPublic(odd(2047), 65537)}, "2047 bits is weak"},
		{"RSA 8193", Key{Public: rsaPublic(odd(8193), 65537)}, "at most 8192"},
		{"RSA, even modulus", Key{Public: rsaPublic(new(big.Int).Lsh(big.NewInt(3), 2047), 65537)}, "modulus is even"},
		{"RSA, e = 1", Key{Public: rsaPublic(rsaKey.N, 1)}, "exponent"},
		{"RSA, e = 3", Key{Public: rsaPublic(rsaKey.N, 3)}, "exponent"},
		{"RSA, even e", Key{Public: rsaPublic(rsaKey.N, 65538)}, "exponent"},
		{"RSA, negative e", Key{Public: rsaPublic(rsaKey.N, -65537)}, "exponent"},
		{"RSA, e beyond crypto/rsa", Key{Public: rsaPublic(rsaKey.N, 1<<31+1)}, "exponent"},
		{"RSA, empty", Key{Public: &rsa.PublicKey{}}, "RSA key is empty"},
		{"RSA, nil", Key{Public: (*rsa.PublicKey)(nil)}, "RSA key is empty"},
		{"RSA of RFC 7515", Key{Public: rsaPublic(base64Int(t, "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"), 65537)}, "published"},
		{"P-384", Key{Signer: p384}, "another curve"},
		{"P-384 for ES256", Key{Algorithm: ES256, Signer: p384}, "another curve"},
		{"a point that is not on the curve", Key{Public: offCurve}, "not a point"},
		{"a point without coordinates", Key{Public: &ecdsa.PublicKey{Curve: elliptic.P256()}}, "malformed"},
		{"ECDSA, empty", Key{Public: &ecdsa.PublicKey{}}, "ECDSA key is empty"},
		{"ECDSA, nil public key", Key{Public: (*ecdsa.PublicKey)(nil)}, "ECDSA key is empty"},
		{"ECDSA, nil", Key{Signer: (*ecdsa.PrivateKey)(nil)}, "malformed"},
		{"RSA, nil private key", Key{Signer: (*rsa.PrivateKey)(nil)}, "malformed"},
		{"a nil Signer of a type unknown here", Key{Signer: (*nilSigner)(nil)}, "malformed"},
		{"ECDSA, no private half", Key{Signer: &ecdsa.PrivateKey{PublicKey: ecKey.PublicKey}}, "malformed"},
		{"ECDSA, another's private half", Key{Signer: &halves}, "makes no signature"},
		{"RSA, no private half", Key{Signer: &rsa.PrivateKey{PublicKey: rsaKey.PublicKey}}, "makes no signature"},
		{"P-256 of RFC 7515", Key{Public: ecdsaPublic(t, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")}, "published"},
		{"Ed25519 of RFC 8037", Key{Public: ed25519.PublicKey(base64Int(t, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").Bytes())}, "published"},
		{"Ed25519, short", Key{Public: ed25519.PublicKey(make([]byte, 31))}, "has 32 bytes, not 31"},
		{"Ed25519, short private key", Key{Signer: edKey[:32]}, "has 64 bytes, not 32"},
		{"Ed25519, the neutral point", Key{Public: ed25519.PublicKey(identity)}, "small order"},
		{"Ed25519, the neutral point with a sign", Key{Public: ed25519.PublicKey(signBit)}, "small order"},
		{"Ed25519, order 8", Key{Public: fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85")}, "small order"},
		{"a private key as Public", Key{Public: ecKey}, "no public key that is known"},
		{"a public key by value", Key{Public: rsaKey.PublicKey}, "no public key that is known"},
		{"HS256 with a Signer", Key{Algorithm: HS256, Signer: edKey}, "can't be used with HS256"},
		{"RS256 with a Secret", Key{Algorithm: RS256, Secret: good}, "can't be used with RS256"},
		{"ES256 with RSA", Key{Algorithm: ES256, Signer: rsaKey}, "can't be used with ES256"},
		{"EdDSA with ECDSA", Key{Algorithm: EdDSA, Signer: ecKey}, "can't be used with EdDSA"},
		{"RS256 with Ed25519", Key{Algorithm: RS256, Signer: edKey}, "can't be used with RS256"},
		{"none", Key{Algorithm: "none", Secret: good}, "algorithm is unknown"},
		{"None", Key{Algorithm: "None", Secret: good}, "algorithm is unknown"},
		{"hs256", Key{Algorithm: "hs256", Secret: good}, "algorithm is unknown"},
		{"RS512", Key{Algorithm: "RS512", Signer: rsaKey}, "algorithm is unknown"},
		{"a Secret beside a Signer", Key{Secret: good, Signer: edKey}, "a Secret beside"},
		{"a Secret beside a Public", Key{Secret: good, Public: edKey.Public()}, "a Secret beside"},
		{"a Signer of another Public", Key{Signer: ecKey, Public: &otherEC.PublicKey}, "belongs to another key"},
		{"a Signer beside a broken Public", Key{Signer: ecKey, Public: "x"}, "its Public: string is no public key"},
		{"a Signer without a public key", Key{Signer: publicSigner{nil}}, "no public key that is known"},
		{"an id with a slash", Key{ID: "../k", Secret: good}, "the id is not"},
		{"an id with a space", Key{ID: "k 1", Secret: good}, "the id is not"},
		{"an id with a quote", Key{ID: `k"`, Secret: good}, "the id is not"},
		{"an id that is not ASCII", Key{ID: "schlüssel", Secret: good}, "the id is not"},
		{"a long id", Key{ID: strings.Repeat("k", 129), Secret: good}, "the id is not"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, err := newKeyRing([]Key{{ID: "good", Secret: tokenSecret(32, 77)}, c.key}, tokenTime)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			if !strings.HasPrefix(err.Error(), "sallyport: Config.Keys[1]") {
				t.Errorf("does not name the key: %v", err)
			}
			if n := len(c.key.Secret); n > 8 && strings.Contains(err.Error(), string(c.key.Secret[n-8:])) {
				t.Errorf("shows the secret: %v", err)
			}
		})
	}
}

func TestKeyRingMistakes(t *testing.T) {
	rsaKey := tokenSigners()[RS256]
	public := Key{Public: rsaKey.Public()}
	soon := tokenTime.Add(time.Second)
	for _, c := range []struct {
		rule string
		keys []Key
		want []string
	}{
		{"no key", nil, []string{"there is none"}},
		{"none can sign", []Key{public}, []string{"none signs yet"}},
		{"none signs yet", []Key{{Secret: tokenSecret(32, 1), SignFrom: soon}}, []string{"none signs yet"}},
		{"one id twice", []Key{{ID: "a", Secret: tokenSecret(32, 1)}, {ID: "a", Secret: tokenSecret(32, 2)}}, []string{"Config.Keys[1] (a): another key has the same id"}},
		{"one key twice", []Key{{Secret: tokenSecret(32, 1)}, {Secret: tokenSecret(32, 1)}}, []string{"Config.Keys[1]: another key has the same id"}},
		{"one key, two algorithms", []Key{{ID: "a", Signer: rsaKey}, {ID: "b", Algorithm: PS256, Signer: rsaKey}}, []string{"(b): the same key is in the list with another algorithm"}},
		{"one secret, two algorithms", []Key{{ID: "a", Secret: tokenSecret(64, 1)}, {ID: "b", Algorithm: HS512, Secret: tokenSecret(64, 1)}}, []string{"another algorithm"}},
		{"all at once", []Key{{Secret: []byte("x")}, {}, {ID: "ok", Secret: tokenSecret(32, 1)}, {ID: "?", Signer: rsaKey}}, []string{"Keys[0]: its Secret: 1 bytes", "Keys[1]: no Secret", "Keys[3]: the id"}},
	} {
		_, err := newKeyRing(c.keys, tokenTime)
		if err == nil {
			t.Errorf("%s: no error", c.rule)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want %q in it", c.rule, err, want)
			}
		}
	}

	// A key may be known by two ids: that is how an id is changed.
	r := tokenRing(t, Key{ID: "new", Signer: rsaKey}, Key{ID: "old", Public: rsaKey.Public()})
	if r.byID("new") == nil || r.byID("old") == nil || r.byID("") != nil {
		t.Error("renamed key: not found by both ids")
	}
}

func TestKeyDefaults(t *testing.T) {
	for alg, signer := range tokenSigners() {
		want := alg
		if alg == PS256 {
			want = RS256 // RSA keys are unless they are told
		}
		for _, k := range []Key{{Signer: signer}, {Public: signer.Public()}, {Signer: signer, Public: signer.Public()}} {
			r := tokenRing(t, Key{Secret: tokenSecret(32, 1), ID: "signs"}, k)
			if got := r.keys[1]; got.alg != want || len(got.id) != 43 {
				t.Errorf("%s: got %s with id %q, want %s with a thumbprint", alg, got.alg, got.id, want)
			}
		}
	}
	k := tokenRing(t, Key{Secret: tokenSecret(32, 1)}).keys[0]
	if k.alg != HS256 {
		t.Errorf("Secret: got %s, want HS256", k.alg)
	}
	if want := "hegETDe4k4Q"; k.id != want { // computed with another implementation of RFC 5869
		t.Errorf("derived id: got %s, want %s", k.id, want)
	}
}

// The ring keeps nothing that the app can change afterwards.
func TestKeyRingCopies(t *testing.T) {
	secret := tokenSecret(32, 3)
	n := new(big.Int).Set(tokenSigners()[RS256].Public().(*rsa.PublicKey).N)
	public := rsaPublic(n, 65537)
	r := tokenRing(t, Key{Secret: secret}, Key{Public: public})
	tok, err := r.mint(tokenClaims(), tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	signer := tokenRing(t, Key{Signer: tokenSigners()[RS256]})
	signed, err := signer.mint(tokenClaims(), tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	clear(secret)
	n.SetInt64(15)
	public.E = 3
	for _, tok := range []string{tok, signed} {
		if _, err := tokenVerifier(r).verify(tok, tokenTime); err != nil {
			t.Error(err)
		}
	}
}

// Rotation (P40): published before it signs, the old key verifies until it is
// removed, and then never.
func TestKeyRotation(t *testing.T) {
	start := tokenTime
	day := 24 * time.Hour
	oldKey := Key{ID: "old", Signer: otherEd25519(1)}
	newKey := Key{ID: "new", Signer: otherEd25519(2), SignFrom: start.Add(2 * day)}
	mint := func(r *keyRing, now time.Time) string {
		t.Helper()
		c := tokenClaims()
		c.IssuedAt, c.ExpiresAt = now, now.Add(day)
		tok, err := r.mint(c, now)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	kid := func(tok string) string {
		h, _, _ := tokenParts(t, tok)
		var header struct{ Kid string }
		if err := json.Unmarshal([]byte(h), &header); err != nil {
			t.Fatal(err)
		}
		return header.Kid
	}

	before := tokenRing(t, oldKey)
	both := tokenRing(t, oldKey, newKey)
	published := string(both.jwks())
	if !strings.Contains(published, `"kid":"old"`) || !strings.Contains(published, `"kid":"new"`) {
		t.Error("a key that signs later is not published yet")
	}
	for hour := range 96 { // four days of a deployment that has both
		now := start.Add(time.Duration(hour) * time.Hour)
		want := "old"
		if !now.Before(newKey.SignFrom) {
			want = "new"
		}
		tok := mint(both, now)
		if got := kid(tok); got != want {
			t.Fatalf("after %dh: %s signs, want %s", hour, got, want)
		}
		if _, err := tokenVerifier(both).verify(tok, now); err != nil {
			t.Fatalf("after %dh: %v", hour, err)
		}
	}
	if k := both.signing(newKey.SignFrom.Add(-1)); k.id != "old" {
		t.Errorf("a nanosecond too early: %s", k.id)
	}

	now := start.Add(2 * day)
	byOld, byNew := mint(before, now), mint(both, now)
	if _, err := tokenVerifier(both).verify(byOld, now); err != nil {
		t.Errorf("the old key's token while it is in the ring: %v", err)
	}
	if _, err := tokenVerifier(before).verify(byNew, now); !errors.Is(err, errTokenKey) {
		t.Errorf("the new key's token where it is unknown: got %v, want %v", err, errTokenKey)
	}
	after, err := newKeyRing([]Key{newKey}, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokenVerifier(after).verify(byOld, now); !errors.Is(err, errTokenKey) {
		t.Errorf("the old key's token once it is removed: got %v, want %v", err, errTokenKey)
	}
	if _, err := tokenVerifier(after).verify(byNew, now); err != nil {
		t.Error(err)
	}

	// The clock may run backwards: then nothing is signed, and nothing panics.
	if tok, err := after.mint(tokenClaims(), now.Add(-1)); err == nil {
		t.Errorf("signed before SignFrom: %s", tok)
	}
	// Of two with the same SignFrom the earlier signs; a public key never does.
	r := tokenRing(t, Key{ID: "p", Public: otherEd25519(1).Public()}, Key{ID: "a", Secret: tokenSecret(32, 1)}, Key{ID: "b", Secret: tokenSecret(32, 2)})
	if got := r.signing(now).id; got != "a" {
		t.Errorf("got %s, want a", got)
	}
}

// A Signer elsewhere works for every algorithm, and what it does wrong is found
// before anybody gets a token.
func TestSigners(t *testing.T) {
	for alg, signer := range tokenSigners() {
		r := tokenRing(t, Key{Algorithm: alg, Signer: remoteSigner{Signer: signer}})
		tok, err := r.mint(tokenClaims(), tokenTime)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if _, err := tokenVerifier(tokenRing(t, Key{Algorithm: alg, Signer: signer})).verify(tok, tokenTime); err != nil {
			t.Errorf("%s: %v", alg, err)
		}

		down := errors.New("KMS is down")
		for name, spoil := range map[string]func([]byte, error) ([]byte, error){
			"fails":         func([]byte, error) ([]byte, error) { return nil, down },
			"answers empty": func([]byte, error) ([]byte, error) { return nil, nil },
			"cuts":          func(sig []byte, err error) ([]byte, error) { return sig[:len(sig)-1], err },
			"adds":          func(sig []byte, err error) ([]byte, error) { return append(bytes.Clone(sig), 0), err },
			"flips a bit":   func(sig []byte, err error) ([]byte, error) { sig[len(sig)-1] ^= 1; return sig, err },
		} {
			r := tokenRing(t, Key{Algorithm: alg, Signer: remoteSigner{signer, spoil}})
			tok, err := r.mint(tokenClaims(), tokenTime)
			if err == nil || tok != "" {
				t.Errorf("%s, a Signer that %s: no error", alg, name)
			}
			if name == "fails" && !errors.Is(err, down) {
				t.Errorf("%s: got %v, want the Signer's error in it", alg, err)
			}
		}
	}
}

func TestFixedSize(t *testing.T) {
	n := elliptic.P256().Params().N
	half := new(big.Int).Rsh(n, 1)
	der := func(r, s *big.Int) []byte {
		b, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	one := big.NewInt(1)
	for _, c := range []struct {
		name string
		der  []byte
		want *big.Int // s
	}{
		{"small numbers are padded", der(one, one), one},
		{"half of the order stays", der(one, half), half},
		{"more than half is turned", der(one, new(big.Int).Add(half, one)), half},
		{"s = 0", der(one, new(big.Int)), nil},
		{"r = 0", der(new(big.Int), one), nil},
		{"r < 0", der(big.NewInt(-1), one), nil},
		{"s = n", der(one, n), nil},
		{"r = n", der(n, one), nil},
		{"trailing bytes", append(der(one, one), 0), nil},
		{"nothing", nil, nil},
		{"not ASN.1", bytes.Repeat([]byte{1}, 64), nil},
	} {
		got, err := fixedSize(c.der)
		if c.want == nil {
			if err == nil {
				t.Errorf("%s: no error", c.name)
			}
			continue
		}
		want := make([]byte, 64)
		want[31] = 1
		c.want.FillBytes(want[32:])
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, %v, want %x", c.name, got, err, want)
		}
	}
}

// No way of printing a Key or a Secret shows what must stay secret.
func TestKeysDoNotPrint(t *testing.T) {
	material := []byte("k7GvQz1mX0pWc9Rt4Yb8Ln2Jd6Hs3Fa5")
	config := struct {
		Keys    []Key
		KeyPtr  *Key
		Secrets []Secret
	}{
		Keys:    []Key{{ID: "one", Secret: material}, {Signer: ed25519.NewKeyFromSeed(material)}},
		KeyPtr:  &Key{Secret: material},
		Secrets: []Secret{{Value: material}},
	}
	var out []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o"} {
		out = append(out, fmt.Sprintf(verb, config), fmt.Sprintf(verb, &config), fmt.Sprintf(verb, config.Keys[0]), fmt.Sprintf(verb, config.Secrets[0]))
	}
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, string(b))
	for _, s := range out {
		for _, form := range []string{
			string(material), string(material[:6]), hex.EncodeToString(material[:6]), strings.ToUpper(hex.EncodeToString(material[:6])),
			base64.StdEncoding.EncodeToString(material[:6]), fmt.Sprint(material[:6])[1:20], fmt.Sprintf("%#v", material[:3])[7:20],
		} {
			if strings.Contains(s, form) {
				t.Errorf("%q shows %q", s, form)
			}
		}
	}
	if got, want := fmt.Sprintf("%+v", Key{ID: "one", Algorithm: HS256, Secret: material}), "[key one HS256]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
