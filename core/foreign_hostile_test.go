package core

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// otherS returns a token with the other of the two s that verify.
func otherS(t testing.TB, tok string) string {
	t.Helper()
	header, payload, sig64 := tokenParts(t, tok)
	sig, err := strictBase64.DecodeString(sig64)
	if err != nil || len(sig) != 64 {
		t.Fatal(len(sig), err)
	}
	new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:])).FillBytes(sig[32:])
	return base64JWK([]byte(header)) + "." + base64JWK([]byte(payload)) + "." + base64JWK(sig)
}

// Whoever signs with ECDSA may choose either s. Both spellings are one token:
// what is revoked is its "jti" (P2).
func TestForeignBothS(t *testing.T) {
	v := foreignVerifierOf(t, Foreign{Keys: []Key{foreignKey(ES256, "")}}, 0)
	low := forge(t, v.keys[0], `{"alg":"ES256"}`, foreignPayload)
	high := otherS(t, low)
	if low == high {
		t.Fatal("one spelling")
	}
	a, err := v.verify(low, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	b, err := v.verify(high, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	if a.jti != b.jti || a.principal.UserID != b.principal.UserID || a.nameless() {
		t.Errorf("got %+v and %+v", a, b)
	}
	if _, err := tokenVerifier(tokenRing(t, Key{ID: "k", Signer: tokenSigners()[ES256]})).verify(
		otherS(t, forge(t, v.keys[0], `{"alg":"ES256","kid":"k","typ":"at+jwt"}`, string(encoded(t, tokenClaims())))), tokenTime); !errors.Is(err, errTokenSignature) {
		t.Errorf("a token of our own: got %v, want one spelling", err)
	}
}

// A token of this Auth never passes for a foreign one, nor the other way round,
// though they share every key, and though a key was removed.
func TestForeignIsNotOwn(t *testing.T) {
	var keys []Key
	for _, alg := range tokenAlgorithms {
		keys = append(keys, foreignKey(alg, strings.ToLower(string(alg))))
	}
	ring := tokenRing(t, keys...)
	own := tokenVerifier(ring)
	newest := tokenVerifier(tokenRing(t, Key{ID: "newest", Secret: tokenSecret(32, 99)})) // the others were removed
	unnamed := slices.Clone(keys)
	for i := range unnamed {
		unnamed[i].ID = ""
	}
	for name, f := range map[string]Foreign{
		"the same keys":                          {Keys: keys},
		"the same keys without ids":              {Keys: unnamed},
		"the type of ours with another issuer":   {Keys: keys, Type: "at+jwt", Issuer: "https://old.example"},
		"and without ids":                        {Keys: unnamed, Type: "at+jwt", Issuer: "https://old.example"},
		"the type of ours spelt in another case": {Keys: unnamed, Type: "AT+JWT", Issuer: "https://old.example"},
		"our issuer and audience":                {Keys: unnamed, Issuer: "https://auth.example", Audience: "api"},
		"a type of its own":                      {Keys: unnamed, Type: "JWT"},
	} {
		v := foreignVerifierOf(t, f, 0)
		typ, iss := f.Type, f.Issuer
		if typ == "" {
			typ = "JWT"
		}
		if iss == "" {
			iss = "https://auth.example"
		}
		for _, key := range ring.keys {
			minted := forge(t, key, `{"alg":"`+string(key.alg)+`","kid":"`+key.id+`","typ":"at+jwt"}`, string(encoded(t, tokenClaims())))
			if _, err := own.verify(minted, tokenTime); err != nil {
				t.Fatal(err)
			}
			if !own.owns(minted) || newest.owns(minted) {
				t.Errorf("%s: owned %v by a ring that has its key, %v by one that has not", key.alg, own.owns(minted), newest.owns(minted))
			}
			if k, err := v.verify(minted, tokenTime); err == nil || k != nil {
				t.Errorf("%s, %s: a token of ours passes for a foreign one", name, key.alg)
			}
			// What somebody else signs with the same key says all that ours say.
			payload := strings.Replace(string(encoded(t, tokenClaims())), "https://auth.example", iss, 1)
			other := forge(t, key, `{"alg":"`+string(key.alg)+`","kid":"`+key.id+`","typ":"`+typ+`"}`, payload)
			if typ != "at+jwt" {
				if k, err := v.verify(other, tokenTime); err != nil || !k.foreign() {
					t.Errorf("%s, %s: got %v, want it accepted", name, key.alg, err)
				}
			}
			if c, err := own.verify(other, tokenTime); err == nil || c != nil {
				t.Errorf("%s, %s: a foreign token passes for one of ours", name, key.alg)
			}
		}
	}
}

// foreignForger makes tokens, most of them hostile, for one Config.
type foreignForger struct {
	t      testing.TB
	rnd    *rand.Rand
	v      *foreignVerifier
	own    *keyRing           // an Auth with the same keys
	signed map[signing]string // what was signed before: RSA takes its time
	wrong  []string           // public keys and such, as HMAC secrets
}

type signing struct {
	key             *ringKey
	header, payload string
}

// forged is a token and what is to become of it.
type forged struct {
	tok    string
	good   bool
	expiry int64 // of a good one
}

const foreignExpiry = 1772604367

func (f *foreignForger) pick(list ...string) string { return list[f.rnd.IntN(len(list))] }

// key returns one of the seven that have an ID.
func (f *foreignForger) key() *ringKey { return f.v.keys[f.rnd.IntN(len(tokenAlgorithms))] }

// header returns a good header for a key with members after it.
func (f *foreignForger) header(k *ringKey, more string) string {
	return `{"alg":"` + string(k.alg) + `","kid":"` + k.id + `"` + more + `}`
}

func (f *foreignForger) sign(k *ringKey, header, payload string) string {
	s := signing{k, header, payload}
	if f.signed[s] == "" {
		f.signed[s] = forge(f.t, k, header, payload)
	}
	return f.signed[s]
}

// valid returns a good token.
func (f *foreignForger) valid() string {
	k := f.key()
	return f.sign(k, f.header(k, f.pick(``, `,"typ":"JWT"`, `,"x5t":"AA"`)), foreignPayload)
}

// signedBut signs a payload, good or not.
func (f *foreignForger) signedBut(payload string, good bool) forged {
	k := f.key()
	return forged{f.sign(k, f.header(k, ""), payload), good, foreignExpiry}
}

func (f *foreignForger) badHeader(header string) forged {
	return forged{tok: f.sign(f.key(), header, foreignPayload)}
}

// member replaces a member of the payload.
func (f *foreignForger) member(name, value string) string {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(foreignPayload), &members); err != nil {
		f.t.Fatal(err)
	}
	return foreignSub(f.t, `"`+name+`":`+string(members[name]), `"`+name+`":`+value)
}

var foreignForgeries = map[string]func(f *foreignForger) forged{
	"valid": func(f *foreignForger) forged { return forged{f.valid(), true, foreignExpiry} },
	"the other s": func(f *foreignForger) forged {
		k := f.v.keys[slices.Index(tokenAlgorithms, ES256)]
		return forged{otherS(f.t, f.sign(k, f.header(k, ""), foreignPayload)), true, foreignExpiry}
	},
	"another key's alg": func(f *foreignForger) forged {
		k, other := f.key(), f.key()
		header := `{"alg":"` + string(other.alg) + `","kid":"` + f.pick(k.id, other.id, "none", "") + `"}`
		return forged{tok: f.sign(k, header, foreignPayload), good: k == other && header == f.header(k, ""), expiry: foreignExpiry}
	},
	"HMAC with what is public": func(f *foreignForger) forged {
		alg := []Algorithm{HS256, HS384, HS512}[f.rnd.IntN(3)]
		text := base64JWK([]byte(`{"alg":"`+string(alg)+`","kid":"`+f.pick("rs256", "ps256", "es256", "eddsa", "hs256", "hs384", "hs512", "")+`"}`)) + "." + base64JWK([]byte(foreignPayload))
		sig, err := algorithms[alg].method.Sign(text, []byte(f.pick(f.wrong...)))
		if err != nil {
			f.t.Fatal(err)
		}
		return forged{tok: text + "." + base64JWK(sig)}
	},
	"none": func(f *foreignForger) forged {
		parts := strings.Split(f.valid(), ".")
		parts[0] = base64JWK([]byte(`{"alg":"` + f.pick("none", "None", "NONE", "nOnE", "", "HS256 ", "hs256", "RS384", "ES384", "ES256K", "RS1", "A128GCM", "dir") + `","kid":"` + f.key().id + `"}`))
		parts[2] = f.pick("", "AA", parts[2])
		return forged{tok: strings.Join(parts, ".")}
	},
	"kid": func(f *foreignForger) forged {
		// The last key has no ID.
		k := f.key()
		kid := f.pick(``, `,"kid":""`, `,"kid":"x"`, `,"kid":"`+strings.ToUpper(k.id)+`"`, `,"kid":"`+k.id+` "`, `,"kid":"../`+k.id+`"`, `,"kid":1`, `,"kid":["`+k.id+`"]`, `,"kid":{}`)
		return f.badHeader(`{"alg":"` + string(k.alg) + `"` + kid + `}`)
	},
	"any kid": func(f *foreignForger) forged {
		k := f.v.keys[len(tokenAlgorithms)]
		kid := f.pick(``, `,"kid":""`, `,"kid":"x"`, `,"kid":"hs256"`, `,"kid":"rs256"`, `,"kid":"http://127.0.0.1/key"`)
		return forged{f.sign(k, `{"alg":"HS256"`+kid+`}`, foreignPayload), true, foreignExpiry}
	},
	"a parameter": func(f *foreignForger) forged {
		k := f.key()
		return f.badHeader(f.header(k, ","+f.pick(
			`"crit":["exp"]`, `"crit":[]`, `"crit":["b64"],"b64":false`, `"b64":true`, `"b64":false`, `"zip":"DEF"`, `"cty":"JWT"`,
			`"jwk":{"kty":"oct","k":"AA"}`, `"jku":"https://evil.example/jwks.json"`, `"x5u":"file:///etc/passwd"`, `"x5c":["AA"]`,
			`"enc":"A256GCM"`, `"epk":{}`, `"p2c":1`, `"x":1`, `"":1`, `"Alg":"none"`, `"ALG":"HS256"`, `"KID":"x"`, `"Typ":"JWT"`, `"x5t#s256":"AA"`)))
	},
	"a harmless parameter": func(f *foreignForger) forged {
		k := f.key()
		more := f.pick(`,"x5t":"AA"`, `,"x5t#S256":"AA"`, `,"typ":"JWT","x5t":"https://evil.example"`, `,"typ":"jwt"`)
		return forged{f.sign(k, f.header(k, more), foreignPayload), true, foreignExpiry}
	},
	"a header twice": func(f *foreignForger) forged {
		k := f.key()
		return f.badHeader(f.header(k, ","+f.pick(`"alg":"`+string(k.alg)+`"`, `"alg":"none"`, `"kid":"`+k.id+`"`, `"\u0061lg":"none"`, `"typ":"JWT","typ":"JWT"`, `"x5t":"","x5t":""`)))
	},
	"typ": func(f *foreignForger) forged {
		return f.badHeader(f.header(f.key(), `,"typ":`+f.pick(`"at+jwt"`, `"AT+JWT"`, `"application/at+jwt"`, `""`, `"JWS"`, `"JOSE"`, `"dpop+jwt"`, `"JWT\u0000"`, `" JWT"`, `["JWT"]`, `{}`, `1`, `true`)))
	},
	"a header that is none": func(f *foreignForger) forged {
		good := f.header(f.key(), "")
		return f.badHeader(f.pick(good+"{}", good+"x", good[:len(good)-1], `[`+good+`]`, `"`+base64JWK([]byte(good))+`"`, `null`, ``, `{}`, "\xef\xbb\xbf"+good,
			strings.ReplaceAll(good, `"`, `'`), `{"kid":"`+f.key().id+`"}`, strings.Repeat(" ", foreignHeaderMax)+good, `{"alg":null,"kid":"hs256"}`, `{"alg":["HS256"],"kid":"hs256"}`))
	},
	"a claim twice": func(f *foreignForger) forged {
		return f.signedBut(foreignWith(f.pick(
			`"exp":9999999999`, `"exp":1772604367`, `"\u0065xp":9999999999`, `"sub":"root"`, `"\u0073ub":"root"`, `"jti":"t-2"`, `"iat":1`, `"aud":"x"`,
			`"roles":["root"]`, `"scope":"root"`, `"zzz":1,"zzz":1`, `"zzz":{"a":1,"a":1}`, `"zzz":[{"a":{"b":1,"\u0062":1}}]`)), false)
	},
	"a claim in another case": func(f *foreignForger) forged {
		return f.signedBut(foreignWith(f.pick(
			`"EXP":9999999999`, `"Exp":1`, `"SUB":"root"`, `"Sub":"root"`, `"ſub":"root"`, `"s\u0075B":"root"`, `"JTI":"t-2"`, `"Jti":""`, `"Iat":9999999999`, `"NBF":9999999999`,
			`"AUD":"x"`, `"ISS":"x"`, `"Scope":"root"`, `"ROLES":["root"]`, `"AMR":7`, `"authTime":1`, `"AUTH_TIME":-1`, `"exp ":1`, `" sub":"root"`)), true)
	},
	"a claim in no other case": func(f *foreignForger) forged {
		name := f.pick("exp", "sub")
		return f.signedBut(foreignSub(f.t, `"`+name+`"`, f.pick(`"`+strings.ToUpper(name)+`"`, `"`+strings.ToUpper(name[:1])+name[1:]+`"`, `" `+name+`"`, `"`+name+`\u0000"`)), false)
	},
	"exp": func(f *foreignForger) forged {
		return f.signedBut(f.member("exp", f.pick(`"1772604367"`, `""`, `null`, `0`, `-0`, `0.5`, `-1`, `-1772604367`, `1e-400`, `NaN`, `Infinity`, `-Infinity`, `1e400`, `1e18`, `253402300800`,
			`9223372036854775808`, strings.Repeat("9", 400), `01772604367`, `+1772604367`, `0x69A7BD4F`, `1772604367.`, `1_772_604_367`, `[1772604367]`, `{"exp":1772604367}`, `true`, `false`)), false)
	},
	"exp as it may be": func(f *foreignForger) forged {
		forms := map[string]int64{
			`1772604367.999`: 1772604367, `1.772604367e9`: 1772604367, `17726043670E-1`: 1772604367, `1772604367.0`: 1772604367, `253402214399`: 253402214399,
			`253402300799.0`: 253402214399, `1772604368`: 1772604368, `18e8`: 1800000000,
		}
		form := f.pick(`1772604367.999`, `1.772604367e9`, `17726043670E-1`, `1772604367.0`, `253402214399`, `253402300799.0`, `1772604368`, `18e8`)
		out := f.signedBut(f.member("exp", form), true)
		out.expiry = forms[form]
		return out
	},
	"iat, nbf, auth_time": func(f *foreignForger) forged {
		name := f.pick("iat", "nbf", "auth_time")
		return f.signedBut(f.member(name, f.pick(`"1772600767"`, `""`, `-1`, `-1772600767`, `NaN`, `Infinity`, `1e400`, `1e18`, `253402300800`, `9223372036854775808`, strings.Repeat("9", 400), `[]`, `{}`, `true`, `01`)), false)
	},
	"not yet": func(f *foreignForger) forged {
		return f.signedBut(f.member(f.pick("iat", "nbf"), f.pick(`1772600768`, `1772600768.0`, `1.8e9`, `253402300799`)), false)
	},
	"iat, nbf, auth_time as they may be": func(f *foreignForger) forged {
		name := f.pick("iat", "nbf", "auth_time")
		return f.signedBut(f.member(name, f.pick(`null`, `1`, `1772600767.5`, `1.772600767e9`, `1772600766`)), true)
	},
	"aud": func(f *foreignForger) forged {
		return f.signedBut(f.member("aud", f.pick(`"shop "`, `"Shop"`, `"shops"`, `"sho"`, `""`, `null`, `[]`, `["Shop"]`, `["other"]`, `["sh","op"]`, `[["shop"]]`, `[null]`, `{"0":"shop"}`, `7`, `true`, `["shop",7]`)), false)
	},
	"aud as it may be": func(f *foreignForger) forged {
		return f.signedBut(f.member("aud", f.pick(`["shop"]`, `["other","shop"]`, `["shop","shop"]`, `"\u0073hop"`)), true)
	},
	"iss": func(f *foreignForger) forged {
		return f.signedBut(f.member("iss", f.pick(`"https://auth.example"`, `"https://old.example/"`, `"https://OLD.example"`, `""`, `null`, `["https://old.example"]`, `7`, `{}`)), false)
	},
	"sub": func(f *foreignForger) forged {
		return f.signedBut(f.member("sub", f.pick(`""`, `null`, `7`, `["alice"]`, `{"sub":"alice"}`, `"a\u0000"`, `"a\nb"`, `"\ud800"`, "\"\xff\"", `"`+strings.Repeat("a", 256)+`"`)), false)
	},
	"jti": func(f *foreignForger) forged {
		return f.signedBut(f.member("jti", f.pick(`""`, `7`, `["t-1"]`, `"a\u0000"`, `"a\u007f"`, `"a\nb"`, `"`+strings.Repeat("a", foreignNameMax+1)+`"`)), false)
	},
	"jti as it may be": func(f *foreignForger) forged {
		return f.signedBut(f.member("jti", f.pick(`null`, `"t-2"`, `"Zoë"`, `"`+strings.Repeat("a", foreignNameMax)+`"`)), true)
	},
	"a payload that is none": func(f *foreignForger) forged {
		nested := f.valid()
		return f.signedBut(f.pick(foreignPayload+"{}", foreignPayload+",", foreignPayload+"\x00", foreignPayload[:len(foreignPayload)-1], "["+foreignPayload+"]", `"`+nested+`"`, nested,
			base64JWK([]byte(foreignPayload)), `null`, ``, `{}`, `[]`, "\xef\xbb\xbf"+foreignPayload, "/**/"+foreignPayload, foreignWith(`"z":"`+"\xff"+`"`), foreignWith(`"z":"\ud800"`), foreignWith(`"z":01`),
			foreignWith(`"z":NaN`), foreignWith(`z:1`), foreignWith(`"z":1,`), strings.Repeat("[", 4000)), false)
	},
	"more in the payload": func(f *foreignForger) forged {
		return f.signedBut(f.pick(foreignWith(`"z":{"exp":1,"sub":"root"}`), foreignWith(`"z":`+strings.Repeat("[", 900)+strings.Repeat("]", 900)), foreignWith(`"sid":"x","ser":-1,"alg":"none","crit":["exp"]`),
			foreignWith(`"z":1e400`), strings.ReplaceAll(foreignPayload, ",", " ,\n"), foreignPayload+" \t"), true)
	},
	"another serialization": func(f *foreignForger) forged {
		tok := f.valid()
		p := strings.Split(tok, ".")
		return forged{tok: f.pick(`{"protected":"`+p[0]+`","payload":"`+p[1]+`","signature":"`+p[2]+`"}`, tok+"."+p[2], p[0]+"..AA."+p[1]+"."+p[2], p[0]+"."+p[1], p[0]+"."+p[1]+".", p[0]+".."+p[2], "."+p[1]+"."+p[2],
			tok+tok, tok+","+tok, "Bearer "+tok, `"`+tok+`"`, " "+tok, tok+" ", tok+"\n", base64JWK([]byte(tok)), strings.ToLower(tok), "", ".", "..", "...")}
	},
	"oversize": func(f *foreignForger) forged {
		k := f.key()
		switch f.rnd.IntN(3) {
		case 0:
			return f.badHeader(f.header(k, `,"x5t":"`+strings.Repeat("a", foreignHeaderMax)+`"`))
		case 1:
			return f.signedBut(foreignWith(`"z":"`+strings.Repeat("z", accessTokenMax)+`"`), false)
		}
		return forged{tok: f.valid() + strings.Repeat("A", accessTokenMax)}
	},
	"as long as may be": func(f *foreignForger) forged {
		k := f.key()
		header := f.header(k, "")
		room := accessTokenMax - strictBase64.EncodedLen(len(header)) - 2 - strictBase64.EncodedLen(k.signature)
		more := strictBase64.DecodedLen(room) - len(foreignWith(`"z":""`))
		tok := f.sign(k, header, foreignWith(`"z":"`+strings.Repeat("z", more)+`"`))
		return forged{tok, len(tok) <= accessTokenMax, foreignExpiry}
	},
	"truncated": func(f *foreignForger) forged {
		tok := f.valid()
		return forged{tok: tok[:f.rnd.IntN(len(tok))]}
	},
	"parts of several": func(f *foreignForger) forged {
		a := strings.Split(f.valid(), ".")
		b := strings.Split(f.sign(f.v.keys[len(tokenAlgorithms)], `{"alg":"HS256"}`, f.pick(foreignPayload, f.member("sub", `"bob"`))), ".")
		at := f.rnd.IntN(3)
		a[at] = b[at]
		if at == 1 && b[1] == base64JWK([]byte(foreignPayload)) {
			return forged{strings.Join(a, "."), true, foreignExpiry} // the payload that it had
		}
		return forged{tok: strings.Join(a, ".")}
	},
	"bits turned": func(f *foreignForger) forged {
		b := []byte(f.valid())
		for _, at := range f.rnd.Perm(len(b))[:1+f.rnd.IntN(3)] {
			b[at] ^= 1 << f.rnd.IntN(8)
		}
		return forged{tok: string(b)}
	},
	"bits of the signature turned": func(f *foreignForger) forged {
		text, sig64, _ := strings.Cut(f.valid(), ".")
		payload, sig64, _ := strings.Cut(sig64, ".")
		sig, err := strictBase64.DecodeString(sig64)
		if err != nil {
			f.t.Fatal(err)
		}
		sig[f.rnd.IntN(len(sig))] ^= 1 << f.rnd.IntN(8)
		switch f.rnd.IntN(4) {
		case 0:
			sig = sig[:f.rnd.IntN(len(sig))]
		case 1:
			sig = append(sig, 0)
		case 2:
			sig = make([]byte, len(sig)) // CVE-2022-21449
		}
		return forged{tok: text + "." + payload + "." + base64JWK(sig)}
	},
	"another spelling": func(f *foreignForger) forged {
		tok := f.valid()
		at := f.rnd.IntN(len(tok))
		return forged{tok: tok[:at] + f.pick("\r", "\n", "\r\n", " ", "\t", "=", ".", "\x00", "%", "A", "\u00a0", "+", "/") + tok[at:]}
	},
	"signed in another spelling": func(f *foreignForger) forged {
		k := f.v.keys[f.rnd.IntN(3)] // HMAC
		header, payload := base64.StdEncoding.EncodeToString([]byte(f.header(k, ` `+f.pick("", " ", "  ")))), base64JWK([]byte(foreignPayload))
		text := f.pick(header+"="+"."+payload, header+"\n."+payload, strings.TrimRight(header, "=")+"."+payload+"=", strings.TrimRight(header, "=")+"."+payload[:8]+"\r\n"+payload[8:])
		sig, err := k.sign(text)
		if err != nil {
			f.t.Fatal(err)
		}
		return forged{tok: text + "." + base64JWK(sig)}
	},
	"our own": func(f *foreignForger) forged {
		k := f.own.keys[f.rnd.IntN(len(f.own.keys))]
		tok := f.sign(k, `{"alg":"`+string(k.alg)+`","kid":"`+k.id+`","typ":"at+jwt"}`, string(encoded(f.t, tokenClaims())))
		return forged{tok: tok}
	},
	"another's key": func(f *foreignForger) forged {
		k := &ringKey{id: "hs256", alg: HS256, method: algorithms[HS256].method, verifier: tokenSecret(32, byte(100+f.rnd.IntN(100))), signature: 32}
		return forged{tok: forge(f.t, k, f.header(k, ""), f.pick(foreignPayload, f.member("sub", `"root"`)))}
	},
}

// Generated tokens, most of them hostile, over all algorithms: every good one
// is accepted and says what it says, and no other is (P1, P4, P5). In full:
// 200,000.
func TestProofForeignForgeries(t *testing.T) {
	n := 4_000
	if os.Getenv("SALLYPORT_PROOF") != "" {
		n = 200_000
	}
	var keys []Key
	for _, alg := range tokenAlgorithms {
		keys = append(keys, foreignKey(alg, strings.ToLower(string(alg))))
	}
	ring := tokenRing(t, keys...)
	der, err := x509.MarshalPKIXPublicKey(tokenSigners()[RS256].Public())
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	f := &foreignForger{
		t: t, rnd: rand.New(rand.NewPCG(5, 6)), own: ring, signed: make(map[signing]string),
		v: foreignVerifierOf(t, Foreign{
			Issuer: "https://old.example", Audience: "shop",
			Keys: append(slices.Clone(keys), Key{Secret: tokenSecret(32, 77)}),
		}, 0),
		wrong: []string{
			string(text), string(bytes.TrimSpace(text)), string(der), base64.StdEncoding.EncodeToString(der), string(ring.jwks()), "", "\x00", "secret",
			string(tokenSigners()[RS256].Public().(*rsa.PublicKey).N.Bytes()), string(tokenSecret(32, 1)),
		},
	}
	names := make([]string, 0, len(foreignForgeries))
	for name := range foreignForgeries {
		names = append(names, name)
	}
	slices.Sort(names) // the same tokens every time
	reasons := map[error]int{}
	for _, reason := range []error{
		errTokenLong, errTokenForm, errTokenHeader, errForeignParameter, errForeignType, errForeignKey, errTokenSignature,
		errTokenPayload, errTokenClaim, errTokenIssuer, errTokenAudience, errForeignIdentity, errForeignFuture,
	} {
		reasons[reason] = 0
	}
	good, accepted := 0, 0
	made := map[string]int{}
	for i := range n {
		name := names[i%len(names)]
		c := foreignForgeries[name](f)
		made[name]++
		k, err := f.v.verify(c.tok, tokenTime)
		if c.good {
			good++
		}
		if err == nil {
			accepted++
			if !c.good {
				t.Fatalf("%s: accepted: %q", name, c.tok)
			}
			if k.principal.UserID != "alice" || k.principal.ExpiresAt.Unix() != c.expiry || !k.until.Equal(time.Unix(c.expiry, 0)) || !slices.Equal(k.principal.Roles, []string{"admin"}) {
				t.Fatalf("%s: accepted as %+v: %q", name, k.principal, c.tok)
			}
			continue
		}
		if c.good || k != nil || !errors.Is(err, ErrTokenInvalid) {
			t.Fatalf("%s: got %+v, %v, want accepted %v: %q", name, k, err, c.good, c.tok)
		}
		for reason := range reasons {
			if errors.Is(err, reason) {
				reasons[reason]++
			}
		}
	}
	if accepted != good || good == 0 || good == n {
		t.Errorf("accepted %d of %d, want %d", accepted, n, good)
	}
	for reason, count := range reasons {
		if count == 0 {
			t.Errorf("never refused for %q: the generators are too tame", reason)
		}
	}
	t.Logf("%d tokens of %d kinds, %d accepted, %d signatures made", n, len(made), accepted, len(f.signed))
}
