package core

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// Nothing that is not minted is accepted, and nothing panics (P1, P9).
func FuzzAccessToken(f *testing.F) {
	r := tokenRing(f, tokenKey(HS256), Key{ID: "ed", Signer: otherEd25519(1)}, Key{ID: "hs512", Algorithm: HS512, Secret: tokenSecret(64, 4)})
	v := tokenVerifier(r)
	payload := string(encoded(f, tokenClaims()))
	minted := map[string]bool{}
	for _, k := range r.keys {
		tok := forge(f, k, `{"alg":"`+string(k.alg)+`","kid":"`+k.id+`","typ":"at+jwt"}`, payload)
		minted[tok] = true
		f.Add(tok)
		f.Add(tok[:len(tok)-1])
		f.Add(strings.Replace(tok, ".", "..", 1))
	}
	f.Add("")
	f.Add("..")
	f.Add(base64JWK([]byte(`{"alg":"none","kid":"ed","typ":"at+jwt"}`)) + "." + base64JWK([]byte(payload)) + ".")
	f.Fuzz(func(t *testing.T, tok string) {
		c, err := v.verify(tok, tokenTime)
		if (err == nil) != minted[tok] || (c == nil) != (err != nil) {
			t.Errorf("%q: %v", tok, err)
		}
	})
}

// Of signed headers only those are accepted that say alg, kid and typ, each
// once, and as the ring would say it.
func FuzzAccessHeader(f *testing.F) {
	r := tokenRing(f, Key{ID: "hs", Secret: tokenSecret(32, 1)}, Key{ID: "ed", Signer: otherEd25519(1)})
	v := tokenVerifier(r)
	payload := string(encoded(f, tokenClaims()))
	for _, s := range []string{
		`{"alg":"HS256","kid":"hs","typ":"at+jwt"}`, ` {"typ":"at+jwt","kid":"h\u0073","alg":"HS256"}`, `{"alg":"none","kid":"hs","typ":"at+jwt"}`,
		`{"alg":"HS256","kid":"hs","typ":"at+jwt","crit":["exp"]}`, `{"alg":"HS256","alg":"HS256","kid":"hs","typ":"at+jwt"}`,
		`{"alg":"EdDSA","kid":"ed","typ":"at+jwt"}`, `{"Alg":"HS256","kid":"hs","typ":"at+jwt"}`, `[]`, `{}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if _, err := v.verify(forge(t, r.keys[0], header, payload), tokenTime); err != nil {
			return
		}
		var members map[string]any
		if err := json.Unmarshal([]byte(header), &members); err != nil {
			t.Fatalf("%q: accepted, though %v", header, err)
		}
		if want := map[string]any{"alg": "HS256", "kid": "hs", "typ": "at+jwt"}; !reflect.DeepEqual(members, want) {
			t.Errorf("%q: accepted", header)
		}
	})
}

// A signed payload that is accepted says the same to a lax reader, and is
// minted again with the same meaning (P4, P5).
func FuzzAccessPayload(f *testing.F) {
	r := tokenRing(f, Key{ID: "hs", Secret: tokenSecret(32, 1)})
	v := tokenVerifier(r)
	good := string(encoded(f, tokenClaims()))
	f.Add(good)
	for _, member := range []string{`"EXP":9`, `"ſub":"root"`, `"exp":1e400`, `"zzz":{"exp":1}`, `"\u0073ub":"root"`, `"zzz":1,"zzz":2`, `"ZZZ":-0.0`} {
		f.Add(strings.TrimSuffix(good, "}") + "," + member + "}")
	}
	f.Add(strings.Replace(good, "1772604367", "1772604367.5", 1))
	f.Add(strings.Replace(good, "1772604367", "99999999999999999999", 1))
	f.Add(strings.ReplaceAll(good, ",", " ,\t"))
	header := `{"alg":"HS256","kid":"hs","typ":"at+jwt"}`
	f.Fuzz(func(t *testing.T, payload string) {
		tok := forge(t, r.keys[0], header, payload)
		if len(tok) > accessTokenMax {
			return
		}
		c, err := v.verify(tok, tokenTime)
		if err != nil {
			return
		}
		var lax struct { // encoding/json takes EXP for exp, and the last of two
			Sub, Iss, Aud, Jti, Sid string
			Exp, Iat                int64
			Ser                     uint64
		}
		if err := json.Unmarshal([]byte(payload), &lax); err != nil {
			t.Fatalf("%q: accepted, though %v", payload, err)
		}
		if lax.Sub != c.Subject || lax.Iss != c.Issuer || lax.Aud != c.Audience || lax.Jti != c.ID.String() || lax.Sid != c.Session.String() ||
			lax.Exp != c.ExpiresAt.Unix() || lax.Iat != c.IssuedAt.Unix() || lax.Ser != c.Serial {
			t.Errorf("%q: another meaning to encoding/json: %+v", payload, lax)
		}
		again, err := c.encode()
		if err != nil {
			if len(payload) > accessPayloadMax-20 {
				return // signed, by whomever, at a length that mint does not reach
			}
			t.Fatalf("%q: accepted, but not minted again: %v", payload, err)
		}
		var back accessClaims
		if err := back.decode(again); err != nil || !reflect.DeepEqual(&back, c) {
			t.Errorf("%q: another meaning the second time: %+v, %v", payload, back, err)
		}
	})
}

// What opens was minted: it is written the same again.
func FuzzRefreshToken(f *testing.F) {
	r := tokenSecrets(f, Secret{Value: tokenSecret(32, 1)})
	for _, c := range []refreshToken{{tokenID(1), 1, "alice"}, {tokenID(9), 1 << 40, strings.Repeat("é", 127)}} {
		tok, err := r.mintRefresh(c, tokenTime)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(tok, false)
		raw, err := strictBase64.DecodeString(tok[5:])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw[5:len(raw)-macSize]), true)
	}
	f.Add("", true)
	f.Add("sprt_", false)
	f.Fuzz(func(t *testing.T, s string, isBody bool) {
		if isBody { // the MAC is right, whatever it covers
			sealed, err := r.seal(refreshKind, []byte(s), tokenTime)
			if err != nil {
				t.Fatal(err)
			}
			s = sealed
		}
		got, err := r.openRefresh(s)
		if err != nil {
			if got != (refreshToken{}) {
				t.Errorf("%q: refused, but %+v", s, got)
			}
			return
		}
		if again, err := r.mintRefresh(got, tokenTime); err != nil || again != s {
			t.Errorf("%q: again %q, %v", s, again, err)
		}
	})
}

func FuzzDeviceToken(f *testing.F) {
	r := tokenSecrets(f, Secret{Value: tokenSecret(32, 1)})
	tok, err := r.mintDevice(tokenDevice(1), tokenTime)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tok, false)
	f.Add("\x01"+strings.Repeat("\x00", 16), true)
	f.Add("\x01"+strings.Repeat("x", 16), true)
	f.Add("\x00tablet", true)
	f.Add("", true)
	f.Fuzz(func(t *testing.T, s string, isBody bool) {
		if isBody {
			sealed, err := r.seal(deviceKind, []byte(s), tokenTime)
			if err != nil {
				t.Fatal(err)
			}
			s = sealed
		}
		d, err := r.openDevice(s)
		if err != nil {
			return
		}
		if again, err := r.mintDevice(d, tokenTime); err != nil || again != s {
			t.Errorf("%q: again %q, %v", s, again, err)
		}
	})
}

func FuzzParseID(f *testing.F) {
	f.Add(tokenID(1).String())
	f.Add(ID{}.String())
	f.Add("AEBAGBAFAYDQQCIKBMGA2DQPCA")
	f.Add("aebagbafaydqqcikbmga2dqpcb")
	f.Add("aebagbafaydqq\ncikbmga2dqpc")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err == nil && id.String() != s || err != nil && !id.IsZero() {
			t.Errorf("%q: %v, %v", s, id, err)
		}
	})
}

// Claims that are accepted keep their meaning and have one form, which a token
// carries byte for byte.
func FuzzAppClaims(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1}`, ` {"b":[1,{"d":1,"c":null}],"a":"\u0041\/"} `, `{"EXP":1}`, `{"a":1,"a":2}`, `{"a":1e400}`, `{"a":"\ud800"}`,
		`{"a":{"exp":1}}`, `[]`, `null`, "{\"a\":\"\xff\"}", `{"ſub":1}`, `{"a":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}`, `{"é":1,"😀":2,"":3}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		given := bytes.Clone(raw)
		form, err := checkAppClaims(raw)
		if !bytes.Equal(raw, given) {
			t.Fatalf("%q: changed what it was given", given)
		}
		if err != nil {
			if form != nil {
				t.Errorf("%q: refused, but %q", raw, form)
			}
			return
		}
		if again, err := checkAppClaims(form); err != nil || !bytes.Equal(again, form) {
			t.Fatalf("%q: %q, and then %q, %v", raw, form, again, err)
		}
		if len(form) > claimsMax || !utf8.Valid(form) {
			t.Errorf("%q: %d bytes", raw, len(form))
		}
		if len(raw) > 0 {
			var before, after map[string]any
			if err := json.Unmarshal(raw, &before); err != nil {
				t.Fatalf("%q: accepted, though %v", raw, err)
			}
			if form != nil {
				if err := json.Unmarshal(form, &after); err != nil {
					t.Fatal(err)
				}
			}
			if len(before) != len(after) || len(before) > 0 && !reflect.DeepEqual(before, after) {
				t.Errorf("%q: another meaning in %q", raw, form)
			}
			var lax struct{ Iss, Sub, Aud, Exp, Iat, Nbf, Jti, Sid, Ser, Scope, Roles, Did, Dtp, Ct, Amr any }
			if err := json.Unmarshal(raw, &lax); err != nil || !reflect.ValueOf(lax).IsZero() {
				t.Errorf("%q: encoding/json finds a claim of ours: %+v, %v", raw, lax, err)
			}
		}
		c := tokenClaims()
		c.App = form
		payload, err := c.encode()
		if err != nil {
			if len(form) < claimsMax-512 {
				t.Fatalf("%q: %v", form, err)
			}
			return
		}
		var back accessClaims
		if err := back.decode(payload); err != nil || !bytes.Equal(back.App, form) {
			t.Errorf("%q: came back as %q, %v", form, back.App, err)
		}
	})
}

func FuzzUserID(f *testing.F) {
	f.Add("bob")
	f.Add("a\x7f")
	f.Add("\u0085")
	f.Fuzz(func(t *testing.T, id string) {
		ok := len(id) >= 1 && len(id) <= 255 && utf8.ValidString(id) &&
			!strings.ContainsFunc(id, func(r rune) bool { return r < 0x20 || r >= 0x7f && r <= 0x9f })
		if err := checkUserID(id); (err == nil) != ok {
			t.Errorf("%q: %v", id, err)
		}
	})
}

// No HMAC secret makes weakness panic, or speak.
func FuzzWeakness(f *testing.F) {
	f.Add([]byte("a-string-secret-at-least-256-bits-long"))
	f.Add(tokenSecret(32, 1))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, secret []byte) {
		given := bytes.Clone(secret)
		reason := weakness(secret, 32)
		if !bytes.Equal(given, secret) {
			t.Error("changed what it was given")
		}
		if len(secret) < 32 && reason == "" {
			t.Errorf("%q is accepted", secret)
		}
	})
}
