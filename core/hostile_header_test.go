package core

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// odd returns a token of the key's with another header.
func (f *forger) odd(header []member) string { return f.signed(object(header), f.payload) }

// headerGenerators make tokens with a header that none may have. All are signed
// by the key, as far as its algorithm goes, so that it is the header alone for
// which they are refused.
var headerGenerators = []generator{
	{name: "alg none in any case, with and without a signature", make: func(f *forger) (string, error) {
		alg := []byte("none")
		for i, upper := 0, f.below(16); i < 4; i++ {
			alg[i] -= byte(upper>>i&1) * 0x20
		}
		value := draw(f, quoted(string(alg)), `"`+f.escaped(string(alg))+`"`, quoted(string(alg)+" "), `""`)
		text := f.text(put(f.header(), "alg", value))
		switch f.below(3) {
		case 0:
			return text + ".", errTokenAlgorithm
		case 1:
			return text, errTokenForm
		}
		return f.signedText(text), errTokenAlgorithm
	}},
	{name: "alg of another algorithm, signed with the key's own", make: func(f *forger) (string, error) {
		own := string(f.key.alg)
		for {
			alg := draw(
				f, "HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA", "RS384", "RS512", "PS384", "PS512", "ES384", "ES512", "ES256K", "Ed25519", "HS1",
				"A128KW", "dir", strings.ToLower(own), own+" ", own+"\x00", own[:len(own)-1], strings.Repeat(own, 2), "http://www.w3.org/2001/04/xmldsig-more#"+strings.ToLower(own),
			)
			if alg != own {
				return f.odd(put(f.header(), "alg", quoted(alg))), errTokenAlgorithm
			}
		}
	}},
	{name: "signed with another algorithm, by its name or by the key's", make: func(f *forger) (string, error) {
		alg, sign := f.otherMethod()
		if f.below(2) == 0 {
			text := f.text(f.header())
			return text + "." + base64JWK(sign(text)), errTokenSignature
		}
		text := f.text(put(f.header(), "alg", quoted(string(alg))))
		return text + "." + base64JWK(sign(text)), errTokenAlgorithm
	}},
	{name: "a public key as the secret of HMAC", make: func(f *forger) (string, error) {
		target := f.key
		for target.public == nil {
			target = f.another()
		}
		secret := draw(f, publicForms(f.t, f.ring, target)...)
		alg := draw(f, HS256, HS384, HS512)
		h, why := put(f.header(), "alg", quoted(string(alg))), errTokenAlgorithm
		switch f.below(3) {
		case 0: // under the name of the public key
			h = put(h, "kid", quoted(target.id))
		case 1: // of a key of HMAC
			h, why = put(h, "kid", quoted(keyName(alg))), errTokenSignature
		default: // under the algorithm of the public key
			h, why = []member{{"alg", quoted(string(target.alg))}, {"kid", quoted(target.id)}, h[2]}, errTokenSignature
		}
		text := f.text(h)
		return text + "." + base64JWK(mac(f.t, alg, secret, text)), why
	}},
	{name: "kid of no key, of another key, a path, SQL, a URL", make: func(f *forger) (string, error) {
		id := f.key.id
		kid := draw(
			f, "unknown", "", f.another().id, "/dev/null", "../../../../dev/null", "/proc/sys/kernel/randomize_va_space", strings.ToUpper(id), id+"\x00", id+"\x00.pem",
			id+" ", " "+id, id+"\n", id[:len(id)-1], id+"x", id+"/", "./"+id, id+"#", id+","+id, "' OR '1'='1", "x' UNION SELECT 'x", "x'; DROP TABLE keys; --",
			"|/usr/bin/id", "$(id)", "`id`", "${jndi:ldap://127.0.0.1/x}", "{{"+id+"}}", f.url+"/jwks.json", "file:///dev/null", "*", "%s%n", ".", "..", "\ufeff"+id,
			strings.ReplaceAll(id, "-", "%2D"), strings.ReplaceAll(id, "-", "\u2010"), strings.Repeat(id, 20), id+"2", "0", "null", "undefined",
		)
		h := put(f.header(), "kid", quoted(kid))
		for _, k := range f.ring.keys {
			if kid == k.id {
				return f.odd(h), errTokenAlgorithm
			}
		}
		return f.odd(h), errTokenKey
	}},
	{name: "kid that leads to a secret: a file, a row, itself", make: func(f *forger) (string, error) {
		from := draw(
			f, [2]string{"/dev/null"}, [2]string{"../../../../../../../dev/null"}, [2]string{"/proc/sys/kernel/randomize_va_space", "2\n"}, [2]string{"/proc/sys/kernel/ostype", "Linux\n"},
			[2]string{"/proc/sys/kernel/ostype", "Linux"}, [2]string{"x' UNION SELECT 'secret", "secret"}, [2]string{"-1 UNION SELECT 1", "1"}, [2]string{}, [2]string{"none"}, [2]string{"0", "0"}, [2]string{"secret", "secret"},
			[2]string{"null", "null"}, [2]string{f.url}, [2]string{"data:,secret", "secret"}, [2]string{"echo secret|", "secret\n"},
		)
		alg := draw(f, hmacAlgorithms...)
		text := f.text([]member{{"alg", quoted(string(alg))}, {"kid", quoted(from[0])}, {"typ", quoted(accessTokenType)}})
		return text + "." + base64JWK(mac(f.t, alg, []byte(from[1]), text)), errTokenKey
	}},
	{name: "kid that is very long", make: func(f *forger) (string, error) {
		kid := draw(f, f.key.id+strings.Repeat("0", accessHeaderMax), strings.Repeat(f.key.id, 40+f.rnd.IntN(100)), strings.Repeat("../", 200)+f.key.id, strings.Repeat(" ", 300)+f.key.id)
		return f.odd(put(f.header(), "kid", quoted(kid))), errTokenHeader
	}},
	{name: "alg, kid or typ missing or no string", make: func(f *forger) (string, error) {
		h := f.header()
		m := draw(f, h...)
		value := draw(f, "", "null", "0", "1", "-1", "1e400", "true", "false", "[]", "{}", "["+m.value+"]", `{"`+m.name+`":`+m.value+"}", `[[`+m.value+"]]")
		if value == "" {
			return f.odd(drop(h, m.name)), errTokenHeader
		}
		return f.odd(put(h, m.name, value)), errTokenHeader
	}},
	{name: "a key, a certificate or a URL of one in the header", weight: 2, make: func(f *forger) (string, error) {
		jwk := `{"kty":"oct","k":"` + base64JWK(tokenSecret(64, 55)) + `"}`
		if f.thief.public != nil {
			jwk = "{" + f.thief.public.members + "}"
		}
		der, _ := base64.StdEncoding.DecodeString(f.cert)
		print1, print256 := sha1.Sum(der), sha256.Sum256(der)
		m := draw(
			f, member{"jwk", jwk}, member{"jku", quoted(f.url + "/jwks.json")}, member{"x5u", quoted(f.url + "/cert.pem")}, member{"x5c", `["` + f.cert + `"]`},
			member{"x5t", quoted(base64JWK(print1[:]))}, member{"x5t#S256", quoted(base64JWK(print256[:]))}, member{"jwks", `{"keys":[` + jwk + `]}`},
			member{"jku", `"file:///dev/null"`}, member{"jku", quoted("data:application/json," + jwk)}, member{"x5u", `"file:///etc/passwd"`},
			member{"jwk", `{}`}, member{"jku", `null`}, member{"x5c", `[]`}, member{"x5u", `7`}, member{"jwk", quoted(jwk)},
		)
		h, why := f.with(f.header(), m.name, m.value), errTokenParameter
		if f.below(2) == 0 {
			h = drop(h, "kid")
		}
		header := object(h)
		if len(header) > accessHeaderMax {
			why = errTokenHeader
		}
		key := draw(f, f.thief, f.key)
		return forge(f.t, key, header, f.payload), why
	}},
	{name: "crit", make: func(f *forger) (string, error) {
		value := draw(f, `["exp"]`, `["alg"]`, `["kid","typ"]`, `["b64"]`, `["x"]`, `["http://example.invalid/UNDEFINED"]`, `[]`, `[""]`, `["x","x"]`, `["crit"]`, `null`, `"exp"`, `{"exp":true}`, `true`, `1`)
		h := f.with(f.header(), "crit", value)
		if more := draw(f, "", "x", "exp", "b64"); more != "" {
			h = f.with(h, more, draw(f, "true", "1", quoted("x")))
		}
		return f.odd(h), errTokenParameter
	}},
	{name: "b64, over a payload that is encoded or not, or detached", make: func(f *forger) (string, error) {
		h := f.with(f.header(), "b64", draw(f, "false", "true", "null", "0", `"false"`))
		if f.below(2) == 0 {
			h = f.with(h, "crit", `["b64"]`)
		}
		head := base64JWK([]byte(object(h))) + "."
		switch f.below(4) {
		case 0: // RFC 7797
			return f.signedText(head + f.payload), errTokenForm
		case 1: // RFC 7515 appendix F
			return head + "." + f.sign(head+base64JWK([]byte(f.payload))), errTokenParameter
		case 2: // a payload that is base64url as it stands
			text := head + strings.Repeat("payload", 1+f.rnd.IntN(99))
			return f.signedText(text), errTokenParameter
		}
		return f.odd(h), errTokenParameter
	}},
	{name: "zip", make: func(f *forger) (string, error) {
		h := f.with(f.header(), "zip", draw(f, `"DEF"`, `"def"`, `"GZIP"`, `""`, "null", "true"))
		if f.below(2) == 0 {
			return f.odd(h), errTokenParameter
		}
		return f.signed(object(h), deflated(f.t, f.payload)), errTokenParameter
	}},
	{name: "a parameter that is not one of the three", make: func(f *forger) (string, error) {
		m := draw(
			f, member{"cty", `"JWT"`}, member{"enc", `"A256GCM"`}, member{"epk", `{}`}, member{"apu", `"AA"`}, member{"p2s", `"AA"`}, member{"p2c", "2147483647"},
			member{"iv", `""`}, member{"tag", `""`}, member{"iss", quoted(f.claims.Issuer)}, member{"sub", `"root"`}, member{"aud", `"api"`}, member{"exp", "9999999999"},
			member{"nonce", `"x"`}, member{"url", quoted(f.url)}, member{"ppt", `"x"`}, member{"x", "null"}, member{"", `""`}, member{"alg.", `"none"`}, member{"__proto__", `{"alg":"none"}`},
		)
		return f.odd(f.with(f.header(), m.name, m.value)), errTokenParameter
	}},
	{name: "typ of another kind or in another case", make: func(f *forger) (string, error) {
		typ := draw(
			f, "JWT", "jwt", "Jwt", "AT+JWT", "at+JWT", "At+jwt", "application/at+jwt", "", "at+jwt ", " at+jwt", "at+jwt\x00", "at jwt", "at%2Bjwt", "atjwt", "at+jw", "at+jwts",
			"JOSE", "JOSE+JSON", "dpop+jwt", "logout+jwt", "id+jwt", "rt+jwt", "secevent+jwt", "at+jwt;x=1", "AT+jwt", "\u0430t+jwt",
		)
		return f.odd(put(f.header(), "typ", quoted(typ))), errTokenType
	}},
	{name: "a header parameter twice", make: func(f *forger) (string, error) {
		h := f.header()
		m := draw(f, h...)
		value := draw(f, m.value, m.value, `"none"`, `"JWT"`, quoted(f.another().id), quoted(string(f.another().alg)), "null")
		name := m.name
		if f.below(2) == 0 {
			name = f.escaped(name)
		}
		return f.odd(f.with(h, name, value)), errTokenHeader
	}},
	{name: "a header parameter in another case, beside ours or in its place", make: func(f *forger) (string, error) {
		h := f.header()
		m := draw(f, h...)
		other := f.recased(m.name)
		if f.below(2) == 0 {
			return f.odd(rename(h, m.name, other)), errTokenParameter
		}
		return f.odd(f.with(h, other, draw(f, m.value, `"none"`, quoted(f.another().id), "null"))), errTokenParameter
	}},
	{name: "a header that is no JSON object, or not strictly", make: func(f *forger) (string, error) {
		return f.signed(draw(f, f.notJSON(f.header(), "kid")...), f.payload), errTokenHeader
	}},
	{name: "a header that is too long or too deep", make: func(f *forger) (string, error) {
		good := object(f.header())
		n := 1 + f.rnd.IntN(2000)
		return f.signed(draw(
			f, good+strings.Repeat(" ", accessHeaderMax-len(good)+n), strings.Repeat("\n", n+accessHeaderMax)+good, strings.Repeat("[", n), strings.Repeat(`{"alg":`, n/7+1),
			strings.Repeat("[", n)+strings.Repeat("]", n), `{"alg":`+strings.Repeat("[", n)+strings.Repeat("]", n)+"}",
		), f.payload), errTokenHeader
	}},
}

// notJSON returns what is not one JSON object that is valid by RFC 7493, though
// much of it is made of a good one and of bad values for one of its members.
func (f *forger) notJSON(list []member, name string) []string {
	good := object(list)
	var utf16le []byte
	for _, u := range utf16.Encode([]rune(good)) {
		utf16le = append(utf16le, byte(u), byte(u>>8))
	}
	end, cut := good[:len(good)-1], f.rnd.IntN(len(good))
	out := []string{
		"\xef\xbb\xbf" + good, good + "{}", good + good, good + "x", good + "\x00", good + ",", good + "]", end, good[:cut], good[cut+1:], "[" + good + "]", quoted(good),
		"null", "true", "0", `""`, "[]", "", " ", "/**/" + good, good + "//", strings.ReplaceAll(good, `"`, "'"), end + ",}", "{," + good[1:], "{" + good + "}",
		strings.Replace(good, `":`, `"=`, 1), strings.Replace(good, `{"`, `{`, 1), strings.Replace(good, `":`, `" `, 1), strings.Replace(good, ",", ";", 1), string(utf16le),
		"\u00a0" + good, "\f" + good,
	}
	for _, bad := range append([]string{
		`"`, "NaN", "undefined", "Infinity", "01", "+1", ".5", "1.", "1e", "0x10", "1_0", "`x`", "'x'", "x", "[", "{", "[,]", `{"a"}`, `["a",]`, "",
	}, notTexts...) {
		out = append(out, object(put(list, name, bad)))
	}
	return out
}

// notTexts are no strings of JSON, or not of UTF-8.
var notTexts = []string{
	"\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xe2\x82\"", "\"a\x80b\"", `"\ud800"`, `"\udc00\ud800"`, `"\ud800a"`, "\"\n\"", "\"\x00\"", `"\x41"`, `"\u12"`, `"\'"`,
}

// otherMethod returns an algorithm that is not the key's, with what makes a good
// signature by it: with the same secret or private key, where one will do, or
// with that of its own key.
func (f *forger) otherMethod() (Algorithm, func(text string) []byte) {
	k := *f.another()
	switch {
	case f.key.public == nil && k.public == nil: // any secret will do
		k.verifier = f.key.verifier
	case k.alg == RS256 && f.key.alg == PS256, k.alg == PS256 && f.key.alg == RS256:
		k.signer, k.verifier = f.key.signer, f.key.verifier
	}
	return k.alg, func(text string) []byte { return signature(f.t, &k, text) }
}

// publicForms returns a public key in every form in which it goes round.
func publicForms(t testing.TB, ring *keyRing, key *ringKey) [][]byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.verifier)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	forms := [][]byte{
		block, bytes.TrimSpace(block), bytes.ReplaceAll(block, []byte("\n"), []byte("\r\n")), bytes.ReplaceAll(block, []byte("\n"), nil), der,
		[]byte(base64.StdEncoding.EncodeToString(der)), []byte(fmt.Sprintf("%x", der)), []byte(key.public.jwk(key.id, key.alg)), []byte("{" + key.public.members + "}"),
		ring.jwks(), []byte(key.public.thumbprint()), []byte(key.id), nil,
	}
	for _, m := range strings.Split(key.public.members, `"`) { // n, x and y, as text and as bytes
		if raw, err := base64.RawURLEncoding.DecodeString(m); err == nil && len(m) > 8 {
			forms = append(forms, []byte(m), raw, append([]byte{0}, raw...))
		}
	}
	return forms
}

func deflated(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// certificate returns a self-signed certificate of a key, base64 of its DER. One
// of HMAC gets the certificate of another.
func certificate(t testing.TB, key *ringKey) string {
	t.Helper()
	signer := key.signer
	if signer == nil {
		signer = thiefSigners()[EdDSA]
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: tokenTime.Add(-time.Hour), NotAfter: tokenTime.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}
