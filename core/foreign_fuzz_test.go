package core

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Nothing panics, and what is accepted golang-jwt accepts too, with the same
// keys and settings, and reads the same in it (P1, P4, P5, P9).
func FuzzForeignToken(f *testing.F) {
	keys := []Key{foreignKey(HS256, "hs"), foreignKey(HS512, "hs5"), foreignKey(EdDSA, "ed"), foreignKey(ES256, "")}
	v := foreignVerifierOf(f, Foreign{Issuer: "https://old.example", Audience: "shop", Keys: keys}, time.Second)
	other := jwt.NewParser(
		jwt.WithValidMethods([]string{"HS256", "HS512", "ES256", "EdDSA"}), jwt.WithStrictDecoding(), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithIssuer("https://old.example"), jwt.WithAudience("shop"), jwt.WithLeeway(time.Second), jwt.WithTimeFunc(func() time.Time { return tokenTime }),
	)
	keyOf := func(t *jwt.Token) (any, error) {
		for _, k := range v.keys {
			if string(k.alg) == t.Method.Alg() && (k.id == "" || t.Header["kid"] == k.id) {
				return k.verifier, nil
			}
		}
		return nil, errForeignKey
	}

	// A header and a payload, signed by one of the keys that sign the same way
	// every time; or a token as it stands.
	const signing = 3
	for i, k := range v.keys {
		header := `{"alg":"` + string(k.alg) + `","kid":"` + k.id + `"}`
		f.Add(header, foreignPayload, byte(i%signing))
		f.Add(strings.TrimSuffix(header, "}")+`,"typ":"JWT","x5t":""}`, foreignSub(f, `"aud":"shop"`, `"aud":["a","shop"]`), byte(i%signing))
		f.Add(forge(f, k, header, foreignPayload), "", byte(0xff))
	}
	for _, header := range []string{`{"alg":"none"}`, `{"alg":"HS256","kid":"hs","crit":["exp"]}`, `{"alg":"HS256","Alg":"none","kid":"hs"}`, `{"alg":"HS256","kid":"hs","kid":"ed"}`, `{"alg":"HS256","kid":null}`} {
		f.Add(header, foreignPayload, byte(0))
	}
	for _, payload := range []string{
		foreignSub(f, `"exp":1772604367`, `"exp":1772604367.5`), foreignSub(f, `"exp":1772604367`, `"exp":1e400`), foreignSub(f, `"iat":1772600767`, `"iat":-1`),
		foreignSub(f, `"nbf":1772600767`, `"nbf":1.772600768e9`), foreignSub(f, `"jti":"t-1"`, `"jti":null`), foreignWith(`"EXP":9,"ſub":"root"`), foreignWith(`"sub":"root"`), foreignWith(`"z":{"a":1,"\u0061":2}`),
	} {
		f.Add(`{"alg":"HS256","kid":"hs"}`, payload, byte(0))
	}
	f.Fuzz(func(t *testing.T, header, payload string, how byte) {
		tok := header
		if how < signing {
			tok = forge(t, v.keys[how], header, payload)
		}
		k, err := v.verify(tok, tokenTime)
		if err != nil {
			return
		}
		claims := jwt.MapClaims{}
		if _, err := other.ParseWithClaims(tok, claims, keyOf); err != nil {
			t.Fatalf("%q, %q: accepted, though golang-jwt says %v", header, payload, err)
		}
		expires, _ := claims.GetExpirationTime()
		subject, _ := claims.GetSubject()
		if p := k.principal; subject != p.UserID || !expires.Equal(p.ExpiresAt) || claims["jti"] != nil && claims["jti"] != p.TokenID {
			t.Errorf("%q: another meaning to golang-jwt: %v, %+v", payload, claims, p)
		}
		if !json.Valid(k.principal.claims) || !k.foreign() || !k.timely(tokenTime) || k.nameless() != (k.principal.TokenID == "") {
			t.Errorf("%q: kept as %+v", payload, k)
		}
	})
}
