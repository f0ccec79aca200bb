package core

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

// Tokens that no key of the ring signed (P1).
func TestForgedSignatures(t *testing.T) {
	rsaKey := tokenKey(RS256)
	rsaKey.ID = "rsa"
	ecKey := tokenKey(ES256)
	ecKey.ID = "ec"
	r := tokenRing(t, Key{ID: "hs", Secret: tokenSecret(32, 1)}, rsaKey, ecKey)
	v := tokenVerifier(r)
	payload := string(encoded(t, tokenClaims()))
	text := func(alg, kid string) string {
		return base64JWK([]byte(`{"alg":"`+alg+`","kid":"`+kid+`","typ":"at+jwt"}`)) + "." + base64JWK([]byte(payload))
	}

	// The public key, in every form in which it goes round, as an HMAC secret.
	public := tokenSigners()[RS256].Public().(*rsa.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	pemText := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	pkcs1 := x509.MarshalPKCS1PublicKey(public)
	for form, secret := range map[string][]byte{
		"PEM": pemText, "PEM without the last line's end": bytes.TrimSpace(pemText), "DER": der,
		"PKCS #1": pkcs1, "PKCS #1 PEM": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}),
		"base64 of DER": []byte(base64.StdEncoding.EncodeToString(der)),
		"modulus":       public.N.Bytes(), "JWKS": r.jwks(), "JWK": []byte(r.byID("rsa").public.jwk("rsa", RS256)), "empty": {},
	} {
		for _, alg := range []Algorithm{HS256, HS384, HS512} {
			for _, kid := range []string{"rsa", "hs"} {
				s := text(string(alg), kid)
				sig, err := algorithms[alg].method.Sign(s, secret)
				if err != nil {
					t.Fatal(err)
				}
				want := errTokenAlgorithm
				if alg == HS256 && kid == "hs" {
					want = errTokenSignature
				}
				got, err := v.verify(s+"."+base64JWK(sig), tokenTime)
				refusedFor(t, fmt.Sprintf("%s as a secret, %s, %s", form, alg, kid), got, err, want)
			}
		}
	}

	n := elliptic.P256().Params().N
	rs := func(r, s *big.Int, size int) []byte {
		b := make([]byte, 2*size)
		r.FillBytes(b[:size])
		s.FillBytes(b[size:])
		return b
	}
	one := big.NewInt(1)
	for _, c := range []struct {
		name, text string
		sig        []byte
	}{
		{"HS256, empty", text("HS256", "hs"), nil},
		{"HS256, zeros", text("HS256", "hs"), make([]byte, 32)},
		{"HS256, of nothing", text("HS256", "hs"), make([]byte, 31)},
		{"RS256, empty", text("RS256", "rsa"), nil},
		{"RS256, zeros", text("RS256", "rsa"), make([]byte, 256)},
		{"RS256, one", text("RS256", "rsa"), append(make([]byte, 255), 1)},
		{"RS256, the modulus", text("RS256", "rsa"), public.N.Bytes()},
		{"ES256, empty", text("ES256", "ec"), nil},
		{"ES256, zeros", text("ES256", "ec"), make([]byte, 64)}, // CVE-2022-21449
		{"ES256, r = 0", text("ES256", "ec"), rs(new(big.Int), one, 32)},
		{"ES256, s = 0", text("ES256", "ec"), rs(one, new(big.Int), 32)},
		{"ES256, n and n", text("ES256", "ec"), rs(n, n, 32)},
		{"ES256, 1 and 1", text("ES256", "ec"), rs(one, one, 32)},
		{"ES256, 63 bytes", text("ES256", "ec"), make([]byte, 63)},
		{"ES256, of P-384's size", text("ES256", "ec"), rs(one, one, 48)},
		{"ES256, ASN.1", text("ES256", "ec"), []byte{0x30, 6, 2, 1, 1, 2, 1, 1}},
	} {
		got, err := v.verify(c.text+"."+base64JWK(c.sig), tokenTime)
		refusedFor(t, c.name, got, err, errTokenSignature)
	}

	// A good ES256 signature in its other forms.
	tok := forge(t, r.byID("ec"), `{"alg":"ES256","kid":"ec","typ":"at+jwt"}`, payload)
	_, _, sig64 := tokenParts(t, tok)
	sig, err := strictBase64.DecodeString(sig64)
	if err != nil {
		t.Fatal(err)
	}
	bigR, bigS := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	turned := rs(bigR, new(big.Int).Sub(n, bigS), 32)
	if r.byID("ec").method.Verify(text("ES256", "ec"), turned, r.byID("ec").verifier) != nil {
		t.Error("(r, n-s) is no signature: the test is wrong")
	}
	for name, other := range map[string][]byte{
		"(r, n-s)": turned, "padded to 48": rs(bigR, bigS, 48), "a byte more": append(bytes.Clone(sig), 0), "a byte less": sig[:63],
	} {
		got, err := v.verify(text("ES256", "ec")+"."+base64JWK(other), tokenTime)
		refusedFor(t, name, got, err, errTokenSignature)
	}
}

// Every token has one spelling (P2): whatever is done to a character of it, it
// is refused. SALLYPORT_PROOF does it to each.
func TestProofOneSpelling(t *testing.T) {
	for _, alg := range tokenAlgorithms {
		r := tokenRing(t, tokenKey(alg))
		v := tokenVerifier(r)
		c := tokenClaims()
		tok, err := r.mint(c, tokenTime)
		if err != nil {
			t.Fatal(err)
		}
		step := 1
		if r.keys[0].public != nil && !proof() {
			step = 7 // a prime: each place within a group of four comes round
		}
		refuse := func(what string, at int, tok string) {
			t.Helper()
			if _, err := v.verify(tok, tokenTime); !errors.Is(err, ErrTokenInvalid) {
				t.Fatalf("%s: %s at %d: got %v", alg, what, at, err)
			}
		}
		for i := 0; i <= len(tok); i += step {
			for _, s := range []string{"\r", "\n", "\r\n", " ", "\t", "=", ".", "\x00", "%", "A", "\u00a0"} {
				refuse("insert "+s, i, tok[:i]+s+tok[i:])
			}
			if i == len(tok) {
				break
			}
			refuse("delete", i, tok[:i]+tok[i+1:])
			refuse("double", i, tok[:i+1]+tok[i:])
			refuse("cut", i, tok[:i])
			for _, c := range []byte{'+', '/', '=', '.', tok[i] ^ 1, tok[i] ^ 2, tok[i] ^ 4, tok[i] ^ 8, tok[i] ^ 0x10, tok[i] ^ 0x20, tok[i] ^ 0x40, tok[i] ^ 0x80} {
				if c != tok[i] {
					refuse(fmt.Sprintf("replace by %q", c), i, tok[:i]+string([]byte{c})+tok[i+1:])
				}
			}
		}
		// The spare bits of the last character of each part.
		for i, c := range tok {
			if i+1 < len(tok) && tok[i+1] != '.' || c == '.' {
				continue
			}
			for _, other := range base64Letters {
				if other != c {
					refuse("last character", i, tok[:i]+string(other)+tok[i+1:])
				}
			}
		}
		header, rest, _ := strings.Cut(tok, ".")
		payload, sig, _ := strings.Cut(rest, ".")
		for i, other := range []string{
			"", ".", "..", "...", header, header + "." + payload, header + "." + payload + ".", "." + payload + "." + sig,
			header + ".." + sig, tok + ".", "." + tok, tok + "." + sig, header + "." + tok, "Bearer " + tok, tok + "=", tok + "==",
			strings.ToUpper(tok), strings.ToLower(tok), tok + tok, `"` + tok + `"`, " " + tok, tok + "\n",
			base64JWK([]byte(tok)), header + "." + payload + "." + sig + "A", header + "." + payload + ".A" + sig,
		} {
			refuse("reshaped", i, other)
		}
		if _, err := v.verify(tok, tokenTime); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// There is one spelling even for who has the key: the text that is signed has
// no line breaks, no padding, no spare bits.
func TestSignedSpellings(t *testing.T) {
	r := tokenRing(t, Key{ID: "k", Secret: tokenSecret(32, 1)})
	key := r.keys[0]
	header, payload := key.header, base64JWK(encoded(t, tokenClaims()))
	spare := func(s string) string { // the last character with a spare bit set
		if len(s)%4 < 2 {
			t.Fatalf("%d characters have no spare bits", len(s))
		}
		last := strings.IndexByte(base64Letters, s[len(s)-1])
		return s[:len(s)-1] + base64Letters[last+1:last+2]
	}
	withSpare := func(json string) string { // spaces until there are spare bits, and room for padding
		for len(json)%3 == 0 {
			json += " "
		}
		return base64JWK([]byte(json))
	}
	oddHeader, oddPayload := withSpare(`{"alg":"HS256","kid":"k","typ":"at+jwt"} `), withSpare(string(encoded(t, tokenClaims())))
	pad := func(s string) string { return s + "=="[:4-len(s)%4] }
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"as it is", header + "." + payload, nil},
		{"another good header", oddHeader + "." + payload, nil},
		{"line break in the header", header[:8] + "\n" + header[8:] + "." + payload, errTokenForm},
		{"carriage return in the header", header[:8] + "\r" + header[8:] + "." + payload, errTokenForm},
		{"line break after the header", header + "\n." + payload, errTokenForm},
		{"line break in the payload", header + "." + payload[:8] + "\r\n" + payload[8:], errTokenForm},
		{"line break before the payload", header + ".\n" + payload, errTokenForm},
		{"line break after the payload", header + "." + payload + "\n", errTokenForm},
		{"padding after the header", pad(oddHeader) + "." + payload, errTokenForm},
		{"padding after the payload", header + "." + pad(oddPayload), errTokenForm},
		{"standard base64", header + "." + payload[:len(payload)-4] + "+/+/", errTokenForm},
		{"spare bits in the header", spare(oddHeader) + "." + payload, errTokenHeader},
		{"spare bits in the payload", header + "." + spare(oddPayload), errTokenPayload},
		{"a character over in the header", base64JWK([]byte(`{"alg":"HS256","kid":"k","typ":"at+jwt"}`)) + "A." + payload, errTokenHeader},
	} {
		sig, err := key.sign(c.text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tokenVerifier(r).verify(c.text+"."+base64JWK(sig), tokenTime)
		refusedFor(t, c.name, got, err, c.want)
	}
	good := header + "." + payload
	sig, err := key.sign(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"\r", "\n", " ", "=", "."} {
		text := base64JWK(sig)
		for _, spoilt := range []string{s + text, text + s, text[:9] + s + text[9:], text[:9] + s + text[10:]} {
			got, err := tokenVerifier(r).verify(good+"."+spoilt, tokenTime)
			refusedFor(t, fmt.Sprintf("%q in the signature", s), got, err, errTokenForm)
		}
	}
}

// A token of the ring's key and algorithm is accepted by that key alone.
func TestOtherKey(t *testing.T) {
	for _, alg := range tokenAlgorithms {
		k := tokenKey(alg)
		k.ID = "k"
		tok, err := tokenRing(t, k).mint(tokenClaims(), tokenTime)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range tokenAlgorithms {
			k := tokenKey(other)
			k.ID = "k"
			if other == alg {
				if k.Secret == nil {
					continue
				}
				k.Secret = tokenSecret(len(k.Secret), 55)
			}
			want := errTokenAlgorithm
			if other == alg {
				want = errTokenSignature
			}
			got, err := tokenVerifier(tokenRing(t, k)).verify(tok, tokenTime)
			refusedFor(t, string(alg)+" by "+string(other), got, err, want)
		}
	}
}
