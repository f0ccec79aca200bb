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
	"crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"hash"
	"math/big"
	"slices"
	"strings"
)

var hmacAlgorithms = []Algorithm{HS256, HS384, HS512}

// withSignature returns the valid token with another signature.
func (f *forger) withSignature(sig []byte) string {
	head, payload, _ := parts(f.token)
	return head + "." + payload + "." + base64JWK(sig)
}

// signature returns the bytes of the valid token's.
func (f *forger) signature() []byte {
	_, _, text := parts(f.token)
	sig, err := strictBase64.DecodeString(text)
	if err != nil {
		f.t.Fatal(err)
	}
	return sig
}

// newText returns what is signed of a good token that was not signed yet.
func (f *forger) newText() string { return f.text(f.header()) }

// signatureGenerators make tokens that are good but for the signature.
var signatureGenerators = []generator{
	{name: "by another key with the same kid", weight: 2, make: func(f *forger) (string, error) {
		return forge(f.t, f.thief, object(f.header()), f.payload), errTokenSignature
	}},
	{name: "by another key of the ring", make: func(f *forger) (string, error) {
		other, text := f.another(), f.newText()
		if f.below(2) == 0 { // named, but not the one
			text = base64JWK([]byte(object([]member{{"alg", quoted(string(other.alg))}, {"kid", quoted(other.id)}, {"typ", quoted(accessTokenType)}}))) + "." + base64JWK([]byte(f.payload))
			return f.signedText(text), errTokenSignature
		}
		return text + "." + base64JWK(signature(f.t, other, text)), errTokenSignature
	}},
	{name: "HMAC with a guessed secret", make: func(f *forger) (string, error) {
		secret := draw(
			f, nil, []byte{0}, make([]byte, 32), make([]byte, 64), []byte("secret"), []byte("your-256-bit-secret"), []byte("a-string-secret-at-least-256-bits-long"), []byte("changeme"), []byte("HS256"),
			[]byte(f.key.id), []byte(f.claims.Issuer), []byte(f.claims.Subject), []byte("null"), []byte("undefined"), f.ring.jwks(), []byte(f.token), []byte("."), bytes.Repeat([]byte{0xff}, 32),
		)
		text := f.newText()
		return text + "." + base64JWK(mac(f.t, draw(f, hmacAlgorithms...), secret, text)), errTokenSignature
	}},
	{name: "the signature of something else", weight: 2, make: func(f *forger) (string, error) {
		head, payload, text := f.key.header, base64JWK([]byte(f.payload)), f.newText()
		sum := sha256.Sum256([]byte(text))
		signed := draw(
			f, head, payload, head+payload, head+".", "."+payload, payload+"."+head, text+".", "."+text, text+"\n", text+"=", text+"\x00", f.payload, object(f.header())+"."+f.payload, object(f.header())+f.payload, "",
			head+"."+f.payload, text[:len(text)-1], text+"A", string(sum[:]), fmt.Sprintf("%x", sum), base64.StdEncoding.EncodeToString([]byte(object(f.header())))+"."+base64.StdEncoding.EncodeToString([]byte(f.payload)), f.token,
		)
		if signed == text { // standard and URL alphabet and all else may agree
			signed += "."
		}
		return text + "." + f.sign(signed), errTokenSignature
	}},
	{name: "a signature of another length", weight: 2, make: func(f *forger) (string, error) {
		sig := f.signature()
		n := len(sig)
		some := make([]byte, 1+f.rnd.IntN(40))
		for i := range some {
			some[i] = byte(f.rnd.Uint32())
		}
		return f.withSignature(draw(
			f, nil, sig[:n-1], sig[1:], sig[:n/2], sig[n/2:], sig[:1], sig[:f.rnd.IntN(n)], sig[f.rnd.IntN(n-1)+1:], append([]byte{0}, sig...), append(bytes.Clone(sig), 0), slices.Concat(sig, sig), slices.Concat(sig, some),
			slices.Concat(some, sig), slices.Concat(sig, make([]byte, len(some))), slices.Concat(make([]byte, len(some)), sig), []byte(base64JWK(sig)), []byte(fmt.Sprintf("%x", sig)),
		)), errTokenSignature
	}},
	{name: "a signature of the right length and no sense", make: func(f *forger) (string, error) {
		n := f.key.signature
		b := make([]byte, n)
		switch f.below(6) {
		case 0: // all equal
			fill := byte(f.rnd.Uint32())
			for i := range b {
				b[i] = fill
			}
		case 1: // small
			b[n-1-f.rnd.IntN(4)] = byte(1 + f.rnd.IntN(255))
		case 2: // small, little-endian
			b[f.rnd.IntN(4)] = byte(1 + f.rnd.IntN(255))
		case 3: // turned round
			b = f.signature()
			slices.Reverse(b)
		case 4: // the other way round
			b = f.signature()
			for i := range b {
				b[i] ^= 0xff
			}
		default:
			for i := range b {
				b[i] = byte(f.rnd.Uint32())
			}
		}
		if f.below(2) == 0 {
			return f.newText() + "." + base64JWK(b), errTokenSignature
		}
		return f.withSignature(b), errTokenSignature
	}},

	{name: "HMAC cut short or filled up", only: hmacAlgorithms, make: func(f *forger) (string, error) {
		sig := f.signature()
		n := len(sig)
		keep := f.below(n)
		switch f.below(3) {
		case 0: // RFC 2104 section 5
			return f.withSignature(sig[:keep]), errTokenSignature
		case 1:
			rest := make([]byte, n-keep)
			rest[0] = ^sig[keep]
			return f.withSignature(append(sig[:keep:keep], rest...)), errTokenSignature
		}
		rest := make([]byte, keep)
		if keep > 0 {
			rest[keep-1] = ^sig[keep-1]
		} else {
			sig[n-1] ^= 1
		}
		return f.withSignature(append(rest, sig[keep:]...)), errTokenSignature
	}},
	{name: "HMAC by another hash, or a hash that is no HMAC", only: hmacAlgorithms, make: func(f *forger) (string, error) {
		text, secret := f.newText(), f.key.verifier.([]byte)
		hashes := map[Algorithm]func() hash.Hash{HS256: sha256.New, HS384: sha512.New384, HS512: sha512.New}
		plain := func(alg Algorithm, parts ...[]byte) []byte {
			h := hashes[alg]()
			for _, p := range parts {
				h.Write(p)
			}
			return h.Sum(nil)
		}
		other := hmacAlgorithms[(slices.Index(hmacAlgorithms, f.key.alg)+1+f.below(2))%3]
		own := f.key.alg
		sig := draw(
			f, mac(f.t, other, secret, text), plain(own, secret, []byte(text)), plain(own, []byte(text), secret), plain(own, secret, []byte(text), secret), plain(own, []byte(text)),
			mac(f.t, own, []byte(text), string(secret)), mac(f.t, own, []byte(base64JWK(secret)), text), mac(f.t, own, []byte(fmt.Sprintf("%x", secret)), text), mac(f.t, own, secret[:len(secret)-1], text),
			mac(f.t, own, append(bytes.Clone(secret), 1), text), mac(f.t, own, plain(own, secret), text), plain(own, mac(f.t, own, secret, text)), secret,
		)
		if n := f.key.signature; len(sig) > n && f.below(2) == 0 {
			sig = sig[:n]
		} else if len(sig) < n {
			sig = append(sig, make([]byte, n-len(sig))...)
		}
		return text + "." + base64JWK(sig), errTokenSignature
	}},

	{name: "ES256 (r, n-s)", weight: 3, only: []Algorithm{ES256}, make: func(f *forger) (string, error) {
		text := f.newText()
		sig := signature(f.t, f.key, text)
		s := new(big.Int).SetBytes(sig[32:])
		s.Sub(elliptic.P256().Params().N, s).FillBytes(sig[32:])
		sum := sha256.Sum256([]byte(text))
		if !ecdsa.Verify(f.key.verifier.(*ecdsa.PublicKey), sum[:], new(big.Int).SetBytes(sig[:32]), s) {
			f.t.Fatal("(r, n-s) is no signature: the generator is wrong")
		}
		return text + "." + base64JWK(sig), errTokenSignature
	}},
	{name: "ES256 with r or s out of range", weight: 2, only: []Algorithm{ES256}, make: func(f *forger) (string, error) {
		sig := f.signature()
		params := elliptic.P256().Params()
		one := big.NewInt(1)
		value := func() []byte {
			return draw(
				f, new(big.Int), params.N, params.P, one, new(big.Int).Add(params.N, one), new(big.Int).Sub(params.N, one), new(big.Int).Sub(params.P, params.N), new(big.Int).Sub(new(big.Int).Lsh(one, 256), one),
				new(big.Int).Lsh(one, 255), new(big.Int).Rsh(params.N, 1), params.Gx,
			).FillBytes(make([]byte, 32))
		}
		switch f.below(3) {
		case 0:
			copy(sig, value())
		case 1:
			copy(sig[32:], value())
		default:
			copy(sig, value())
			copy(sig[32:], value())
			return f.newText() + "." + base64JWK(sig), errTokenSignature // CVE-2022-21449
		}
		return f.withSignature(sig), errTokenSignature
	}},
	{name: "ES256 in another form: ASN.1, more zeros, turned round", weight: 2, only: []Algorithm{ES256}, make: func(f *forger) (string, error) {
		sig := f.signature()
		r, s := sig[:32:32], sig[32:]
		der := func(s *big.Int) []byte {
			b, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(r), s})
			if err != nil {
				f.t.Fatal(err)
			}
			return b
		}
		number := new(big.Int).SetBytes(s)
		zeros := make([]byte, draw(f, 1, 2, 16, 32, 34))
		little := slices.Concat(r, s)
		slices.Reverse(little[:32])
		slices.Reverse(little[32:])
		return f.withSignature(draw(
			f, der(number), der(new(big.Int).Sub(elliptic.P256().Params().N, number)), der(new(big.Int).Neg(number)), slices.Concat(zeros, r, zeros, s), slices.Concat(r, zeros, s), slices.Concat(zeros, r, s), slices.Concat(r, s, zeros),
			slices.Concat(s, r), little, slices.Concat(r, r), slices.Concat(s, s), bytes.TrimLeft(sig, "\x00")[1:], append([]byte{4}, sig...), r, s, append(der(number), 0), []byte(base64JWK(der(number))),
		)), errTokenSignature
	}},

	{name: "RSA s + n, leading zeros, none", weight: 2, only: []Algorithm{RS256, PS256}, make: func(f *forger) (string, error) {
		sig := f.signature()
		n := f.key.verifier.(*rsa.PublicKey).N
		if f.below(3) == 0 {
			return f.withSignature(draw(f, append([]byte{0}, sig...), append(make([]byte, 1+f.rnd.IntN(64)), sig...), append([]byte{0}, sig[:len(sig)-1]...), append(sig[1:], 0), sig[1:], n.Bytes(), new(big.Int).Sub(n, big.NewInt(1)).Bytes())), errTokenSignature
		}
		text := f.newText()
		s := new(big.Int).SetBytes(signature(f.t, f.key, text))
		if s.Add(s, n); f.below(2) == 0 { // a multiple, as far as there is room
			s.Add(s, new(big.Int).Mul(n, big.NewInt(f.rnd.Int64N(300))))
		}
		return text + "." + base64JWK(s.Bytes()), errTokenSignature // one byte more, or none
	}},
	{name: "RSA s + n in as many bytes, or n - s", only: []Algorithm{RS256, PS256}, make: func(f *forger) (string, error) {
		n := f.key.verifier.(*rsa.PublicKey).N
		text, s := "", new(big.Int)
		for range 8 { // there is room for few if n is large
			text = f.key.header + "." + base64JWK([]byte(f.payload+strings.Repeat(" ", f.rnd.IntN(999))))
			s.SetBytes(signature(f.t, f.key, text))
			if sum := new(big.Int).Add(s, n); sum.BitLen() <= 8*f.key.signature {
				return text + "." + base64JWK(sum.FillBytes(make([]byte, f.key.signature))), errTokenSignature
			}
		}
		return text + "." + base64JWK(s.Sub(n, s).FillBytes(make([]byte, f.key.signature))), errTokenSignature
	}},
	{name: "RSA with other padding or another hash", weight: 2, only: []Algorithm{RS256, PS256}, make: func(f *forger) (string, error) {
		key, text := f.key.signer.(*rsa.PrivateKey), f.newText()
		return text + "." + base64JWK(f.otherPadding(key, []byte(text))), errTokenSignature
	}},

	{name: "Ed25519 S + kL", weight: 3, only: []Algorithm{EdDSA}, make: func(f *forger) (string, error) {
		text := f.newText()
		sig := signature(f.t, f.key, text)
		slices.Reverse(sig[32:])
		s := new(big.Int).SetBytes(sig[32:])
		s.Add(s, new(big.Int).Mul(ed25519Order, big.NewInt(int64(1+f.below(14))))).FillBytes(sig[32:])
		slices.Reverse(sig[32:])
		return text + "." + base64JWK(sig), errTokenSignature
	}},
	{name: "Ed25519 in another mode or another form", weight: 2, only: []Algorithm{EdDSA}, make: func(f *forger) (string, error) {
		key, text := f.key.signer.(ed25519.PrivateKey), f.newText()
		sum := sha512.Sum512([]byte(text))
		sign := func(message []byte, o *ed25519.Options) []byte {
			sig, err := key.Sign(nil, message, o)
			if err != nil {
				f.t.Fatal(err)
			}
			return sig
		}
		sig := sign([]byte(text), &ed25519.Options{})
		r, s := sig[:32:32], sig[32:]
		turned, neutral := bytes.Clone(s), append([]byte{1}, make([]byte, 31)...)
		slices.Reverse(turned)
		sign128 := bytes.Clone(r)
		sign128[31] ^= 0x80
		return text + "." + base64JWK(draw(
			f, sign(sum[:], &ed25519.Options{Hash: crypto.SHA512}), sign(sum[:], &ed25519.Options{Hash: crypto.SHA512, Context: "x"}), sign([]byte(text), &ed25519.Options{Context: "x"}), sign(sum[:], &ed25519.Options{}),
			slices.Concat(s, r), slices.Concat(r, turned), slices.Concat(neutral, make([]byte, 32)), slices.Concat(neutral, s), slices.Concat(r, make([]byte, 32)), slices.Concat(sign128, s), slices.Concat(r, r),
			slices.Concat(f.key.verifier.(ed25519.PublicKey), s), slices.Concat(make([]byte, 32), make([]byte, 32)), slices.Concat(key.Public().(ed25519.PublicKey), make([]byte, 32)),
		)), errTokenSignature
	}},
}

// ed25519Order is L of RFC 8032 section 5.1.
var ed25519Order, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

// otherPadding signs with an RSA key as its algorithm does not.
func (f *forger) otherPadding(key *rsa.PrivateKey, text []byte) []byte {
	sum256, sum384, sum512 := sha256.Sum256(text), sha512.Sum384(text), sha512.Sum512(text)
	pss := func(h crypto.Hash, sum []byte, salt int) ([]byte, error) {
		return rsa.SignPSS(rand.Reader, key, h, sum, &rsa.PSSOptions{SaltLength: salt})
	}
	pkcs := func(h crypto.Hash, sum []byte) ([]byte, error) { return rsa.SignPKCS1v15(rand.Reader, key, h, sum) }
	// raw exponentiates 0, kind, filler, 0, body.
	raw := func(kind byte, filler int, body []byte) ([]byte, error) {
		em := make([]byte, key.Size())
		em[1] = kind
		for i := range filler {
			em[2+i] = 0xff
		}
		copy(em[3+filler:], body)
		return new(big.Int).Exp(new(big.Int).SetBytes(em), key.D, key.N).FillBytes(make([]byte, key.Size())), nil
	}
	info, bare := asn1SHA256(true, sum256[:]), asn1SHA256(false, sum256[:])
	full := key.Size() - 3 - len(info)
	list := []func() ([]byte, error){
		func() ([]byte, error) { return pss(crypto.SHA256, sum256[:], 0) },
		func() ([]byte, error) { return pss(crypto.SHA256, sum256[:], draw(f, 1, 20, 31, 33, 64)) },
		func() ([]byte, error) { return pss(crypto.SHA256, sum256[:], rsa.PSSSaltLengthAuto) },
		func() ([]byte, error) { return pss(crypto.SHA384, sum384[:], 32) },
		func() ([]byte, error) { return pss(crypto.SHA512, sum512[:], rsa.PSSSaltLengthEqualsHash) },
		func() ([]byte, error) { return pkcs(crypto.SHA384, sum384[:]) },
		func() ([]byte, error) { return pkcs(crypto.SHA512, sum512[:]) },
		func() ([]byte, error) { return pkcs(0, sum256[:]) },
		func() ([]byte, error) { return raw(1, key.Size()-3-len(bare), bare) }, // DigestInfo without parameters
		func() ([]byte, error) { return raw(1, 8, info) },                      // and zeros after it, CVE-2006-4339
		func() ([]byte, error) { return raw(2, full, info) },
		func() ([]byte, error) { return raw(0, full, info) },
		func() ([]byte, error) { return raw(1, 0, info) },
		func() ([]byte, error) { return raw(1, key.Size()-3-32, sum256[:]) },
	}
	if f.key.alg == RS256 {
		list = append(list, func() ([]byte, error) { return pss(crypto.SHA256, sum256[:], rsa.PSSSaltLengthEqualsHash) })
	} else {
		list = append(list, func() ([]byte, error) { return pkcs(crypto.SHA256, sum256[:]) })
	}
	sig, err := draw(f, list...)()
	if err != nil {
		f.t.Fatal(err)
	}
	return sig
}

// asn1SHA256 returns a DigestInfo (RFC 8017 section 9.2), with its NULL or
// without.
func asn1SHA256(null bool, sum []byte) []byte {
	oid := []byte{6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1}
	if null {
		oid = append(oid, 5, 0)
	}
	out := slices.Concat([]byte{0x30, byte(len(oid))}, oid, []byte{4, 32}, sum)
	return append([]byte{0x30, byte(len(out))}, out...)
}
