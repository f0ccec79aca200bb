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
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// Signed headers that a token must not have (P1, P3).
func TestOddHeaders(t *testing.T) {
	rsaKey := tokenKey(RS256)
	rsaKey.ID = "rsa"
	r := tokenRing(t, Key{ID: "hs", Secret: tokenSecret(64, 1)}, Key{ID: "hs5", Algorithm: HS512, Secret: tokenSecret(64, 2)}, rsaKey)
	key := r.keys[0]
	payload := string(encoded(t, tokenClaims()))
	for _, c := range []struct {
		header string
		want   error // nil: accepted
	}{
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt"}`, nil},
		{`{"typ":"at+jwt","kid":"hs","alg":"HS256"}`, nil},
		{` { "typ" : "at+jwt", "kid" : "h\u0073", "alg" : "HS256" } `, nil},

		{`{"alg":"none","kid":"hs","typ":"at+jwt"}`, errTokenAlgorithm},
		{`{"alg":"None","kid":"hs","typ":"at+jwt"}`, errTokenAlgorithm},
		{`{"alg":"","kid":"hs","typ":"at+jwt"}`, errTokenAlgorithm},
		{`{"alg":"hs256","kid":"hs","typ":"at+jwt"}`, errTokenAlgorithm},
		{`{"alg":"HS512","kid":"hs","typ":"at+jwt"}`, errTokenAlgorithm},
		{`{"alg":"HS256","kid":"hs5","typ":"at+jwt"}`, errTokenAlgorithm},
		{`{"alg":"RS256","kid":"hs","typ":"at+jwt"}`, errTokenAlgorithm},
		{`{"alg":"HS256","kid":"rsa","typ":"at+jwt"}`, errTokenAlgorithm},
		{`{"alg":"PS256","kid":"rsa","typ":"at+jwt"}`, errTokenAlgorithm},
		{`{"alg":"HS256 ","kid":"hs","typ":"at+jwt"}`, errTokenAlgorithm},
		{`{"alg":"HS512","kid":"hs5","typ":"at+jwt"}`, errTokenSignature},
		{`{"alg":"RS256","kid":"rsa","typ":"at+jwt"}`, errTokenSignature},
		{`{"alg":null,"kid":"hs","typ":"at+jwt"}`, errTokenHeader},
		{`{"alg":["HS256"],"kid":"hs","typ":"at+jwt"}`, errTokenHeader},
		{`{"alg":{"alg":"HS256"},"kid":"hs","typ":"at+jwt"}`, errTokenHeader},
		{`{"alg":256,"kid":"hs","typ":"at+jwt"}`, errTokenHeader},
		{`{"alg":true,"kid":"hs","typ":"at+jwt"}`, errTokenHeader},
		{`{"kid":"hs","typ":"at+jwt"}`, errTokenHeader},
		{`{"alg":"HS256","typ":"at+jwt"}`, errTokenHeader},
		{`{"alg":"HS256","kid":"hs"}`, errTokenHeader},
		{`{}`, errTokenHeader},

		{`{"alg":"HS256","kid":"unknown","typ":"at+jwt"}`, errTokenKey},
		{`{"alg":"HS256","kid":"","typ":"at+jwt"}`, errTokenKey},
		{`{"alg":"HS256","kid":"HS","typ":"at+jwt"}`, errTokenKey},
		{`{"alg":"HS256","kid":"hs\u0000","typ":"at+jwt"}`, errTokenKey},
		{`{"alg":"HS256","kid":"../../../dev/null","typ":"at+jwt"}`, errTokenKey},
		{`{"alg":"HS256","kid":"/proc/sys/kernel/randomize_va_space","typ":"at+jwt"}`, errTokenKey},
		{`{"alg":"HS256","kid":"hs' UNION SELECT 'x","typ":"at+jwt"}`, errTokenKey},
		{`{"alg":"HS256","kid":"|/usr/bin/id","typ":"at+jwt"}`, errTokenKey},
		{`{"alg":"HS256","kid":"http://127.0.0.1/jwks.json","typ":"at+jwt"}`, errTokenKey},
		{`{"alg":"HS256","kid":0,"typ":"at+jwt"}`, errTokenHeader},
		{`{"alg":"HS256","kid":["hs"],"typ":"at+jwt"}`, errTokenHeader},
		{`{"alg":"HS256","kid":null,"typ":"at+jwt"}`, errTokenHeader},

		{`{"alg":"HS256","kid":"hs","typ":"JWT"}`, errTokenType},
		{`{"alg":"HS256","kid":"hs","typ":"AT+JWT"}`, errTokenType},
		{`{"alg":"HS256","kid":"hs","typ":"application/at+jwt"}`, errTokenType},
		{`{"alg":"HS256","kid":"hs","typ":"dpop+jwt"}`, errTokenType},
		{`{"alg":"HS256","kid":"hs","typ":""}`, errTokenType},
		{`{"alg":"HS256","kid":"hs","typ":null}`, errTokenHeader},
		{`{"alg":"HS256","kid":"hs","typ":["at+jwt"]}`, errTokenHeader},

		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","crit":["exp"]}`, errTokenParameter},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","crit":[]}`, errTokenParameter},
		{`{"crit":["b64"],"b64":false,"alg":"HS256","kid":"hs","typ":"at+jwt"}`, errTokenParameter},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","b64":true}`, errTokenParameter},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","zip":"DEF"}`, errTokenParameter},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","cty":"JWT"}`, errTokenParameter},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","jku":"https://evil.example/jwks.json"}`, errTokenParameter},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","jwk":{"kty":"oct","k":"AA"}}`, errTokenParameter},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","x5u":"file:///etc/passwd"}`, errTokenParameter},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","x5c":["AA"]}`, errTokenParameter},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","x5t":"AA"}`, errTokenParameter},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","enc":"A256GCM"}`, errTokenParameter},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","x":1}`, errTokenParameter},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","ALG":"none"}`, errTokenParameter},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","Kid":"rsa"}`, errTokenParameter},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","":""}`, errTokenParameter},

		{`{"alg":"HS256","kid":"hs","typ":"at+jwt","alg":"HS256"}`, errTokenHeader},
		{`{"alg":"none","alg":"HS256","kid":"hs","typ":"at+jwt"}`, errTokenHeader},
		{`{"alg":"HS256","\u0061lg":"none","kid":"hs","typ":"at+jwt"}`, errTokenHeader},
		{`{"alg":"HS256","kid":"rsa","kid":"hs","typ":"at+jwt"}`, errTokenHeader},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt"} {}`, errTokenHeader},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt"}x`, errTokenHeader},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt"`, errTokenHeader},
		{`{"alg":"HS256","kid":"hs","typ":"at+jwt",}`, errTokenHeader},
		{`{'alg':'HS256','kid':'hs','typ':'at+jwt'}`, errTokenHeader},
		{`{"alg":"HS256","kid":"` + "hs\xff" + `","typ":"at+jwt"}`, errTokenHeader},
		{`{"alg":"HS256","kid":"\ud800","typ":"at+jwt"}`, errTokenHeader},
		{"\xef\xbb\xbf" + `{"alg":"HS256","kid":"hs","typ":"at+jwt"}`, errTokenHeader},
		{`[{"alg":"HS256","kid":"hs","typ":"at+jwt"}]`, errTokenHeader},
		{`"HS256"`, errTokenHeader},
		{`null`, errTokenHeader},
		{``, errTokenHeader},
		{strings.Repeat(" ", 300) + `{"alg":"HS256","kid":"hs","typ":"at+jwt"}`, errTokenHeader},
		{strings.Repeat("[", 200), errTokenHeader},
	} {
		got, err := tokenVerifier(r).verify(forge(t, key, c.header, payload), tokenTime)
		refusedFor(t, c.header, got, err, c.want)
	}
}

// refusedFor checks that a token was refused for its reason, or accepted.
func refusedFor(t *testing.T, name string, got *accessClaims, err, want error) {
	t.Helper()
	switch {
	case want == nil:
		if err != nil || got == nil {
			t.Errorf("%s: got %v, want it accepted", name, err)
		}
	case !errors.Is(err, ErrTokenInvalid) || !errors.Is(err, want):
		t.Errorf("%s: got %v, want %v", name, err, want)
	case got != nil:
		t.Errorf("%s: refused, but claims came back", name)
	}
}

// Signed payloads that a token must not have (P4, P5).
func TestOddPayloads(t *testing.T) {
	r := tokenRing(t, tokenKey(HS256))
	key := r.keys[0]
	header := `{"alg":"HS256","kid":"` + key.id + `","typ":"at+jwt"}`
	good := string(encoded(t, tokenClaims()))
	sub := func(old, new string) string {
		if strings.Count(good, old) != 1 {
			t.Fatalf("%q is not once in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	with := func(member string) string { return strings.TrimSuffix(good, "}") + "," + member + "}" }
	nested := forge(t, key, header, good)

	for _, c := range []struct {
		payload string
		want    error
	}{
		{good, nil},
		{with(`"zzz":1`), nil},
		{with(`"Sub-title":1`), nil},
		{strings.ReplaceAll(good, ",", " ,\n"), nil}, // white space is not a spelling: the signature covers it

		// time
		{sub(`"exp":1772604367,`, ``), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":null`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":"1772604367"`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":1772604367.0`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":1772604367.5`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":1.772604367e9`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":1e400`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":1e18`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":-1`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":-0`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":0`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":253402300799`), nil},
		{sub(`"exp":1772604367`, `"exp":253402300800`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":9223372036854775808`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":18446744073709551616`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":`+strings.Repeat("9", 400)), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":[1772604367]`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":{"exp":1772604367}`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":true`), errTokenClaim},
		{sub(`"exp":1772604367`, `"exp":01772604367`), errTokenPayload},
		{sub(`"exp":1772604367`, `"exp":+1772604367`), errTokenPayload},
		{sub(`"exp":1772604367`, `"exp":NaN`), errTokenPayload},
		{sub(`"exp":1772604367`, `"exp":Infinity`), errTokenPayload},
		{sub(`"exp":1772604367`, `"exp":0x69A7BD4F`), errTokenPayload},
		{sub(`"iat":1772600767,`, ``), errTokenClaim},
		{sub(`"iat":1772600767`, `"iat":"1772600767"`), errTokenClaim},
		{sub(`"iat":1772600767`, `"iat":1772600767.25`), errTokenClaim},
		{sub(`"iat":1772600767`, `"iat":0`), errTokenClaim},
		{sub(`"iat":1772600767`, `"iat":1772600768`), errTokenFuture},
		{sub(`"iat":1772600767`, `"iat":253402300799`), errTokenFuture},
		{sub(`"auth_time":1772600707,`, ``), errTokenClaim},
		{sub(`"auth_time":1772600707`, `"auth_time":false`), errTokenClaim},
		{with(`"nbf":1`), errTokenClaim},
		{with(`"nbf":9999999999`), errTokenClaim},

		// twice, or nearly
		{with(`"exp":9999999999`), errTokenPayload},
		{with(`"exp":1772604367`), errTokenPayload},
		{with(`"\u0065xp":9999999999`), errTokenPayload},
		{with(`"sub":"root"`), errTokenPayload},
		{with(`"zzz":1,"zzz":1`), errTokenPayload},
		{with(`"zzz":{"a":1,"a":1}`), errTokenPayload},
		{with(`"zzz":[{"a":{"b":1,"\u0062":1}}]`), errTokenPayload},
		{with(`"EXP":9999999999`), errTokenClaim},
		{with(`"Exp":9999999999`), errTokenClaim},
		{with(`"Sub":"root"`), errTokenClaim},
		{with(`"ſub":"root"`), errTokenClaim},
		{with(`"is\u017f":"x"`), errTokenClaim},
		{with(`"role\u0073":1`), errTokenPayload},
		{with(`"s-u_b":"root"`), errTokenClaim},
		{with(`"authTime":1`), errTokenClaim},
		{with(`"auth-time":1`), errTokenClaim},
		{with(`"Scope":"all"`), errTokenClaim},
		{with(`"ROLES":["root"]`), errTokenClaim},
		{with(`"cnf":{"jkt":"x"}`), errTokenClaim},
		{with(`"client_id":"x"`), errTokenClaim},
		{with(`"alg":"none"`), errTokenClaim},
		{sub(`"exp":1772604367`, `"\u0065xp":1772604367`), errTokenClaim}, // the app's, and taken
		{sub(`"exp"`, `"EXP"`), errTokenClaim},
		{sub(`"sub"`, `"SUB"`), errTokenClaim},

		// who and where
		{sub(`"iss":"https://auth.example"`, `"iss":"https://auth.example/"`), errTokenIssuer},
		{sub(`"iss":"https://auth.example"`, `"iss":"HTTPS://auth.example"`), errTokenIssuer},
		{sub(`"iss":"https://auth.example"`, `"iss":["https://auth.example"]`), errTokenClaim},
		{sub(`"iss":"https://auth.example"`, `"iss":""`), errTokenClaim},
		{sub(`"iss":"https://auth.example",`, ``), errTokenClaim},
		{sub(`"aud":"api"`, `"aud":"api2"`), errTokenAudience},
		{sub(`"aud":"api"`, `"aud":["api"]`), errTokenClaim},
		{sub(`"aud":"api"`, `"aud":["api","other"]`), errTokenClaim},
		{sub(`"aud":"api"`, `"aud":null`), errTokenClaim},
		{sub(`"aud":"api",`, ``), errTokenClaim},
		{sub(`"sub":"alice"`, `"sub":""`), errTokenClaim},
		{sub(`"sub":"alice"`, `"sub":1`), errTokenClaim},
		{sub(`"sub":"alice"`, `"sub":"a\u0000b"`), errTokenClaim},
		{sub(`"sub":"alice"`, `"sub":"a\nb"`), errTokenClaim},
		{sub(`"sub":"alice"`, `"sub":"`+strings.Repeat("a", 256)+`"`), errTokenClaim},
		{sub(`"sub":"alice"`, `"sub":"`+"\xff"+`"`), errTokenPayload},
		{sub(`"sub":"alice"`, `"sub":"\ud800"`), errTokenPayload},
		{sub(`"jti":"aebagbafaydqqcikbmga2dqpca"`, `"jti":"AEBAGBAFAYDQQCIKBMGA2DQPCA"`), errTokenClaim},
		{sub(`"jti":"aebagbafaydqqcikbmga2dqpca"`, `"jti":"aebagbafaydqqcikbmga2dqpcb"`), errTokenClaim},
		{sub(`"jti":"aebagbafaydqqcikbmga2dqpca"`, `"jti":"aaaaaaaaaaaaaaaaaaaaaaaaaa"`), errTokenClaim},
		{sub(`"jti":"aebagbafaydqqcikbmga2dqpca",`, ``), errTokenClaim},
		{sub(`"sid":"mvtgo2djnjvwy3lon5yhc4ttoq"`, `"sid":"mvtgo2djnjvwy3lon5yhc4tto"`), errTokenClaim},
		{sub(`"sid":"mvtgo2djnjvwy3lon5yhc4ttoq"`, `"sid":""`), errTokenClaim},
		{sub(`"sid":"mvtgo2djnjvwy3lon5yhc4ttoq",`, ``), errTokenClaim},
		{sub(`"ser":7`, `"ser":0`), errTokenClaim},
		{sub(`"ser":7`, `"ser":-7`), errTokenClaim},
		{sub(`"ser":7`, `"ser":"7"`), errTokenClaim},
		{sub(`"ser":7`, `"ser":9223372036854775806`), nil},
		{sub(`"ser":7`, `"ser":9223372036854775807`), errTokenClaim},
		{sub(`"ser":7,`, ``), errTokenClaim},
		{sub(`"did":"d-1"`, `"did":7`), errTokenClaim},
		{sub(`"did":"d-1"`, `"did":""`), errTokenClaim},
		{sub(`"ct":"web"`, `"ct":null`), errTokenClaim},
		{sub(`"dtp":"desktop"`, `"dtp":["desktop"]`), errTokenClaim},

		// what is allowed
		{sub(`"scope":"orders:read orders:write"`, `"scope":["orders:read"]`), errTokenClaim},
		{sub(`"scope":"orders:read orders:write"`, `"scope":""`), errTokenClaim},
		{sub(`"scope":"orders:read orders:write"`, `"scope":" orders:read"`), errTokenClaim},
		{sub(`"scope":"orders:read orders:write"`, `"scope":"a  b"`), errTokenClaim},
		{sub(`"scope":"orders:read orders:write"`, `"scope":"a\tb"`), errTokenClaim},
		{sub(`"scope":"orders:read orders:write"`, `"scope":"a\"b"`), errTokenClaim},
		{sub(`"roles":["admin"]`, `"roles":"admin"`), errTokenClaim},
		{sub(`"roles":["admin"]`, `"roles":[]`), errTokenClaim},
		{sub(`"roles":["admin"]`, `"roles":["admin",7]`), errTokenClaim},
		{sub(`"roles":["admin"]`, `"roles":["admin",""]`), errTokenClaim},
		{sub(`"roles":["admin"]`, `"roles":[["admin"]]`), errTokenClaim},
		{sub(`"roles":["admin"]`, `"roles":null`), errTokenClaim},
		{sub(`"amr":["pwd","otp"]`, `"amr":{"pwd":1}`), errTokenClaim},

		// JSON
		{good + `{}`, errTokenPayload},
		{good + `,`, errTokenPayload},
		{good + "\x00", errTokenPayload},
		{good[:len(good)-1], errTokenPayload},
		{strings.Replace(good, `"aud"`, `aud`, 1), errTokenPayload},
		{strings.Replace(good, `}}`, `,}}`, 1), errTokenPayload},
		{"\xef\xbb\xbf" + good, errTokenPayload},
		{"/**/" + good, errTokenPayload},
		{`[` + good + `]`, errTokenPayload},
		{`"` + nested + `"`, errTokenPayload},
		{nested, errTokenPayload}, // a JWT in a JWT
		{`null`, errTokenPayload},
		{``, errTokenPayload},
		{`{}`, errTokenClaim},
		{with(`"zzz":` + strings.Repeat(`[`, 20) + strings.Repeat(`]`, 20)), errTokenClaim},
		{with(`"zzz":1e400`), errTokenClaim},
		{with(`"zzz":"` + strings.Repeat("z", claimsMax) + `"`), errTokenClaim},
	} {
		name := c.payload
		if len(name) > 600 {
			name = name[:600] + "..."
		}
		got, err := tokenVerifier(r).verify(forge(t, key, header, c.payload), tokenTime)
		refusedFor(t, name, got, err, c.want)
	}
}

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
// is refused.
func TestOneSpelling(t *testing.T) {
	for _, alg := range tokenAlgorithms {
		r := tokenRing(t, tokenKey(alg))
		v := tokenVerifier(r)
		c := tokenClaims()
		tok, err := r.mint(c, tokenTime)
		if err != nil {
			t.Fatal(err)
		}
		step := 1
		if r.keys[0].public != nil {
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
			for _, c := range []byte{tok[i] ^ 1, tok[i] ^ 0x20, '+', '/', '=', '.', tok[i] | 0x80} {
				if c != tok[i] {
					refuse("replace by "+string(c), i, tok[:i]+string(c)+tok[i+1:])
				}
			}
		}
		// The spare bits of the last character of each part.
		for i, c := range tok {
			if i+1 < len(tok) && tok[i+1] != '.' || c == '.' {
				continue
			}
			for _, other := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
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
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		if len(s)%4 < 2 {
			t.Fatalf("%d characters have no spare bits", len(s))
		}
		last := strings.IndexByte(alphabet, s[len(s)-1])
		return s[:len(s)-1] + alphabet[last+1:last+2]
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

// Generated hostile tokens: none is accepted, and every valid one is (P1).
// SALLYPORT_PROOF runs a million.
func TestProofForgedTokens(t *testing.T) {
	n := 30_000
	if os.Getenv("SALLYPORT_PROOF") != "" {
		n = 1_000_000
	}
	var keys []Key
	for _, alg := range []Algorithm{HS256, HS384, HS512, EdDSA} {
		k := tokenKey(alg)
		k.ID = strings.ToLower(string(alg))
		keys = append(keys, k)
	}
	r := tokenRing(t, keys...)
	v := tokenVerifier(r)
	rnd := rand.New(rand.NewPCG(3, 4))
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	payloads := []string{string(encoded(t, tokenClaims())), `{}`, ``, `null`}
	valid := map[string]bool{}
	var minted []string
	for _, k := range r.keys {
		for serial := range uint64(8) {
			c := tokenClaims()
			c.Serial = serial + 1
			c.Roles = append(c.Roles, k.id)
			tok := forge(t, k, `{"alg":"`+string(k.alg)+`","kid":"`+k.id+`","typ":"at+jwt"}`, string(encoded(t, c)))
			valid[tok], minted = true, append(minted, tok)
		}
	}
	junk := []byte("AZaz09-_.=+/ \r\n\x00\"{}%é")
	var reasons [16]int
	for i := range n {
		var tok string
		switch rnd.IntN(5) {
		case 0: // parts of several tokens
			a, b := strings.Split(pick(minted...), "."), strings.Split(pick(minted...), ".")
			a[rnd.IntN(3)] = b[rnd.IntN(3)]
			tok = strings.Join(a, ".")
		case 1: // a damaged token
			b := []byte(pick(minted...))
			for range 1 + rnd.IntN(3) {
				at := rnd.IntN(len(b))
				switch rnd.IntN(4) {
				case 0:
					b[at] = junk[rnd.IntN(len(junk))]
				case 1:
					b = slices.Insert(b, at, junk[rnd.IntN(len(junk))])
				case 2:
					b = slices.Delete(b, at, at+1)
				default:
					b[at] ^= 1 << rnd.IntN(8)
				}
			}
			tok = string(b)
		case 2: // signed with a key that is no secret
			alg := Algorithm(pick("HS256", "HS384", "HS512"))
			s := base64JWK([]byte(`{"alg":"`+string(alg)+`","kid":"`+pick("hs256", "hs384", "hs512", "eddsa", "", "x")+`","typ":"at+jwt"}`)) + "." + base64JWK([]byte(pick(payloads...)))
			secret := [][]byte{nil, {0}, r.jwks(), []byte("secret"), make([]byte, 64)}[rnd.IntN(5)]
			sig, err := algorithms[alg].method.Sign(s, secret)
			if err != nil {
				t.Fatal(err)
			}
			tok = s + "." + base64JWK(sig)
		case 3: // another header over a payload that was signed
			parts := strings.Split(pick(minted...), ".")
			parts[0] = base64JWK([]byte(`{"alg":"` + pick("none", "HS256", "HS512", "EdDSA", "RS256", "ES256") + `",` + pick("", `"crit":["exp"],`, `"jwk":{},`, `"b64":false,`) + `"kid":"` + pick("hs256", "hs384", "eddsa", "../x") + `","typ":"` + pick("at+jwt", "JWT") + `"}`))
			parts[2] = pick(parts[2], "", "AA")
			tok = strings.Join(parts, ".")
		default: // signed by a key of the ring, and odd
			k := r.keys[rnd.IntN(len(r.keys))]
			header := `{"alg":"` + string(k.alg) + `","kid":"` + k.id + `","typ":"` + pick("at+jwt", "at+jwt", "JWT") + `"` + pick("", "", `,"crit":["exp"]`, `,"alg":"none"`, `,"zip":"DEF"`) + `}`
			payload := strings.TrimSuffix(payloads[0], "}") + pick(`,"EXP":1}`, `,"exp":99999999999}`, `,"nbf":1}`, `}}`, ``, `,"zzz":1,"zzz":2}`)
			tok = forge(t, k, header, payload)
		}
		_, err := v.verify(tok, tokenTime)
		if accepted := err == nil; accepted != valid[tok] {
			t.Fatalf("%d: accepted %v, want %v: %q: %v", i, accepted, valid[tok], tok, err)
		}
		for at, reason := range []error{errTokenForm, errTokenHeader, errTokenParameter, errTokenType, errTokenKey, errTokenAlgorithm, errTokenSignature, errTokenPayload, errTokenClaim} {
			if errors.Is(err, reason) {
				reasons[at]++
			}
		}
	}
	for at, count := range reasons[:9] {
		if count == 0 {
			t.Errorf("reason %d was never met: the generator is too tame", at)
		}
	}
	for _, tok := range minted {
		if _, err := v.verify(tok, tokenTime); err != nil {
			t.Errorf("valid, but: %v", err)
		}
	}
}
