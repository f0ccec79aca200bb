package core_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// P2: of a token one spelling passes, and none after it was revoked, alone or
// with its session, in this process or another, until it would have expired. It
// is the token that is revoked, not its text: what the key's holder signs again
// under the same jti is revoked with it.
func TestProofRevokedInEverySpelling(t *testing.T) {
	step := proofOr(1, 17)
	for _, key := range spellingKeys(t) {
		for _, by := range []string{"session", "token"} {
			t.Run(string(key.Algorithm)+" by "+by, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := memstore.New()
					config := func(c *core.Config) {
						c.Keys, c.Secrets, c.Leeway = []core.Key{key}, []core.Secret{{Value: testSecret("spelling")}}, time.Minute
					}
					here := open(t, store, config)
					there := open(t, store, config, func(c *core.Config) { c.Foreign.Keys = c.Keys }) // and the key's foreign tokens, too
					settle(here)
					bystander := here.signIn("bob")
					pair := here.signIn("alice")
					for range 200 { // until there is room for another form of an RSA signature
						if _, ok := rsaBeyond(key, signatureOf(t, pair.AccessToken)); ok || rsaPublic(key) == nil {
							break
						}
						pair = here.signIn("alice")
					}
					sibling := here.refresh(pair)
					token := pair.AccessToken
					spelled, resigned := spellings(t, key, token, step), resignings(t, key, token)

					present := func(when string, h *house, revoked bool) {
						t.Helper()
						want := error(nil)
						if revoked {
							want = core.ErrTokenRevoked
						}
						for _, same := range append([]string{token}, resigned...) {
							if p, err := h.Verify(t.Context(), same); !errors.Is(err, want) || (p == nil) != revoked {
								t.Errorf("%s, %s: got %v, want %v", when, same, err, want)
							}
						}
						for _, s := range spelled {
							if p, err := h.Verify(t.Context(), s.token); err == nil || p != nil || !revoked && !errors.Is(err, core.ErrTokenInvalid) {
								t.Errorf("%s, %s: got %v, want it refused: %q", when, s.how, err, s.token)
							}
						}
						h.expectVerify(bystander, nil) // so it is not the time
						if by == "session" {
							h.expectVerify(sibling, want)
						} else {
							h.expectVerify(sibling, nil)
						}
					}
					present("before, here", here, false)
					present("before, there", there, false)
					if by == "session" {
						if err := here.Revoke(t.Context(), "alice", pair.Session.ID, core.ReasonRevoked); err != nil {
							t.Fatal(err)
						}
					} else if n, err := here.RevokeToken(t.Context(), token); n != 1 || err != nil {
						t.Fatalf("revoked %d, %v", n, err)
					}
					present("at once", here, true)
					elapse(2 * time.Second) // MaxStaleness
					present("soon, here", here, true)
					present("soon, there", there, true)
					p, err := here.Verify(t.Context(), bystander.AccessToken)
					if err != nil {
						t.Fatal(err)
					}
					elapse(time.Until(p.ExpiresAt.Add(time.Minute)) - time.Millisecond)
					present("at the last moment, here", here, true)
					present("at the last moment, there", there, true)
					t.Logf("%d other spellings and %d other signatures, 7 times each", len(spelled), len(resigned))
				})
			})
		}
	}
}

// spellingKeys are new ones, of every algorithm.
func spellingKeys(t *testing.T) []core.Key {
	t.Helper()
	var keys []core.Key
	for _, alg := range []core.Algorithm{core.HS256, core.HS384, core.HS512} {
		keys = append(keys, core.Key{Algorithm: alg, Secret: []byte(rand.Text() + rand.Text() + rand.Text())})
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	for err == nil && rsaKey.N.Bit(2046) != 0 { // room above n: see rsaBeyond
		rsaKey, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return append(
		keys, core.Key{Algorithm: core.RS256, Signer: rsaKey}, core.Key{Algorithm: core.PS256, Signer: rsaKey},
		core.Key{Algorithm: core.ES256, Signer: ecKey}, core.Key{Algorithm: core.EdDSA, Signer: edKey},
	)
}

// spelling is another text of a token.
type spelling struct{ how, token string }

// spellings returns what somebody may make of a token without the key. Where
// there is one for every place in it, each step-th place is taken.
func spellings(t *testing.T, key core.Key, token string, step int) []spelling {
	t.Helper()
	var list []spelling
	add := func(other, how string, args ...any) {
		if other != token && other != "" {
			list = append(list, spelling{fmt.Sprintf(how, args...), other})
		}
	}
	for i := 0; i <= len(token); i += step {
		for _, s := range []string{"\r", "\n", "\r\n", " ", "\t", "=", ".", "\x00", "\u00a0", "\u200b", "%0A", "A"} {
			add(token[:i]+s+token[i:], "%q inserted at %d", s, i)
		}
		if i == len(token) {
			break
		}
		c := token[i]
		for bit := range 8 {
			add(token[:i]+string([]byte{c ^ 1<<bit})+token[i+1:], "bit %d flipped at %d", bit, i)
		}
		add(token[:i]+fmt.Sprintf("%%%02X", c)+token[i+1:], "%%-encoded at %d", i)
		add(token[:i]+string(rune(c)+0xfee0)+token[i+1:], "full width at %d", i)
		add(token[:i], "cut at %d", i)
		add(token[:i]+token[i+1:], "left out at %d", i)
		add(token[:i+1]+token[i:], "twice at %d", i)
	}
	parts := strings.Split(token, ".")
	with := func(at int, part string) string {
		other := slices.Clone(parts)
		other[at] = part
		return strings.Join(other, ".")
	}
	for at, part := range parts {
		for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
			add(with(at, part[:len(part)-1]+string(c)), "last character of part %d as %c", at, c)
		}
		for _, pad := range []string{"=", "==", "===", "\n", "\r\n", "\x00"} {
			add(with(at, part+pad), "%q after part %d", pad, at)
		}
		add(with(at, strings.NewReplacer("-", "+", "_", "/").Replace(part)), "standard alphabet in part %d", at)
		add(with(at, strings.ToLower(part)), "lower case in part %d", at)
		add(with(at, hex.EncodeToString(unbase64(t, part))), "part %d in hex", at)
	}
	for at := range 2 {
		loose := string(unbase64(t, parts[at]))
		add(with(at, base64.RawURLEncoding.EncodeToString([]byte(loose+" "))), "a space in part %d", at)
		add(with(at, base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(loose, `"a`, `"\u0061`, 1)))), "an escape in part %d", at)
	}
	for _, sig := range otherSignatures(t, key, unbase64(t, parts[2])) {
		add(with(2, base64.RawURLEncoding.EncodeToString([]byte(sig.token))), "%s", sig.how)
	}
	for _, whole := range []string{
		"Bearer " + token, `"` + token + `"`, token + ".", "." + token, token + token, token + "." + token, token + "," + token, token + " " + token, token + "#", token + ";", token + "." + parts[2],
		strings.ReplaceAll(token, ".", "%2E"), strings.ToUpper(token), strings.Join(parts[:2], ".") + ".", strings.Join(parts[:2], "."), base64.RawURLEncoding.EncodeToString([]byte(token)),
		`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, "\ufeff" + token,
	} {
		add(whole, "%.20s...", whole)
	}
	return list
}

// otherSignatures returns other forms of a signature, among them those that
// mean the same to who reads them carelessly.
func otherSignatures(t *testing.T, key core.Key, sig []byte) []spelling {
	t.Helper()
	half := len(sig) / 2
	a, b := sig[:half:half], sig[half:]
	list := []spelling{
		{"signature with a leading zero", "\x00" + string(sig)},
		{"signature with a zero after it", string(sig) + "\x00"},
		{"signature without its first byte", string(sig[1:])},
		{"signature without its last byte", string(sig[:len(sig)-1])},
		{"half a signature", string(a)},
		{"signature with its halves exchanged", string(b) + string(a)},
		{"signature twice", string(sig) + string(sig)},
	}
	add := func(how string, sig []byte) { list = append(list, spelling{how, string(sig)}) }
	switch public := publicOf(key).(type) {
	case *ecdsa.PublicKey:
		n := elliptic.P256().Params().N
		r, s := new(big.Int).SetBytes(a), new(big.Int).SetBytes(b)
		turned := new(big.Int).Sub(n, s)
		add("(r, n-s)", slices.Concat(a, turned.FillBytes(make([]byte, 32))))
		for _, size := range []int{33, 48, 66} {
			add(fmt.Sprintf("r and s of %d bytes", size), slices.Concat(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))))
		}
		for how, s := range map[string]*big.Int{"ASN.1 of (r, s)": s, "ASN.1 of (r, n-s)": turned} {
			der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
			if err != nil {
				t.Fatal(err)
			}
			add(how, der)
		}
	case ed25519.PublicKey:
		order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10) // RFC 8032 section 5.1
		s := new(big.Int).SetBytes(reversed(b))
		for k := int64(1); k < 15; k++ {
			add(fmt.Sprintf("S + %d L", k), slices.Concat(a, reversed(s.Add(s, order).FillBytes(make([]byte, 32)))))
		}
	case *rsa.PublicKey:
		s := new(big.Int).SetBytes(sig)
		for k := range int64(4) {
			s.Add(s, public.N)
			add(fmt.Sprintf("s + %d n", k+1), s.Bytes())
		}
		add("n - s", new(big.Int).Sub(public.N, new(big.Int).SetBytes(sig)).FillBytes(make([]byte, len(sig))))
		beyond, ok := rsaBeyond(key, sig)
		if !ok {
			t.Error("no room for s + n in as many bytes: too few sign-ins")
		}
		add("s + n in as many bytes", beyond)
	}
	return list
}

// rsaBeyond returns s + n, if it has no more bytes than n.
func rsaBeyond(key core.Key, sig []byte) ([]byte, bool) {
	public := rsaPublic(key)
	if public == nil {
		return nil, false
	}
	s := new(big.Int).SetBytes(sig)
	s.Add(s, public.N)
	return s.Bytes(), s.BitLen() <= 8*len(sig)
}

func publicOf(key core.Key) crypto.PublicKey {
	if key.Signer == nil {
		return nil
	}
	return key.Signer.Public()
}

func rsaPublic(key core.Key) *rsa.PublicKey {
	public, _ := publicOf(key).(*rsa.PublicKey)
	return public
}

// resignings returns tokens that say the same and that the key's holder signed:
// with another signature where the algorithm has more than one, and with JSON
// that is written in another way.
func resignings(t *testing.T, key core.Key, token string) []string {
	t.Helper()
	parts := strings.Split(token, ".")
	header, payload := string(unbase64(t, parts[0])), string(unbase64(t, parts[1]))
	var list []string
	for _, text := range [][2]string{
		{header, payload}, {header + " ", payload}, {strings.Replace(header, `"a`, `"\u0061`, 1), payload}, {header, strings.ReplaceAll(payload, ",", " ,\n")}, {header, strings.Replace(payload, `"alice"`, `"\u0061lice"`, 1)},
	} {
		signed := base64.RawURLEncoding.EncodeToString([]byte(text[0])) + "." + base64.RawURLEncoding.EncodeToString([]byte(text[1]))
		if other := signed + "." + base64.RawURLEncoding.EncodeToString(signText(t, key, signed)); other != token {
			list = append(list, other)
		}
	}
	return list
}

// signText signs as RFC 7518 section 3 says, with nothing of the library's.
func signText(t *testing.T, key core.Key, text string) (sig []byte) {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	var err error
	switch key.Algorithm {
	case core.HS256, core.HS384, core.HS512:
		h := hmac.New(sha256.New, key.Secret)
		if key.Algorithm == core.HS384 {
			h = hmac.New(sha512.New384, key.Secret)
		} else if key.Algorithm == core.HS512 {
			h = hmac.New(sha512.New, key.Secret)
		}
		h.Write([]byte(text))
		return h.Sum(nil)
	case core.RS256:
		sig, err = key.Signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	case core.PS256:
		sig, err = key.Signer.Sign(rand.Reader, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	case core.EdDSA:
		sig, err = key.Signer.Sign(rand.Reader, []byte(text), crypto.Hash(0))
	case core.ES256:
		var r, s *big.Int
		r, s, err = ecdsa.Sign(rand.Reader, key.Signer.(*ecdsa.PrivateKey), sum[:])
		if err == nil {
			if turned := new(big.Int).Sub(elliptic.P256().Params().N, s); turned.Cmp(s) < 0 {
				s = turned
			}
			sig = slices.Concat(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32)))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func signatureOf(t *testing.T, token string) []byte {
	t.Helper()
	return unbase64(t, token[strings.LastIndexByte(token, '.')+1:])
}

func unbase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func reversed(b []byte) []byte {
	b = bytes.Clone(b)
	slices.Reverse(b)
	return b
}
