package core

import (
	"errors"
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
