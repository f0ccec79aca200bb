package core

import (
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// foreignVerifierOf returns what verifies tokens by a Config.
func foreignVerifierOf(t testing.TB, f Foreign, leeway time.Duration) *foreignVerifier {
	t.Helper()
	c := Config{Issuer: "https://auth.example", Leeway: leeway, Foreign: f}
	v, err := c.settleForeign()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// foreignKey returns a key of an algorithm with an id, or with none.
func foreignKey(alg Algorithm, id string) Key {
	k := tokenKey(alg)
	k.ID = id
	return k
}

// foreignPayload is good at tokenTime; tests change a member of it.
const foreignPayload = `{"iss":"https://old.example","aud":"shop","sub":"alice","iat":1772600767,"nbf":1772600767,"exp":1772604367,"auth_time":1772600707,"jti":"t-1","scope":"orders:read orders:write","roles":["admin"],"amr":["pwd"],"tenant":"acme"}`

// foreignSub replaces what is once in foreignPayload.
func foreignSub(t testing.TB, old, new string) string {
	t.Helper()
	if strings.Count(foreignPayload, old) != 1 {
		t.Fatalf("%q is not once in %s", old, foreignPayload)
	}
	return strings.Replace(foreignPayload, old, new, 1)
}

// foreignWith adds members to foreignPayload.
func foreignWith(members string) string {
	return strings.TrimSuffix(foreignPayload, "}") + "," + members + "}"
}

// refusedForeign checks that a token was refused for its reason, or accepted.
func refusedForeign(t *testing.T, name string, got *known, err, want error) {
	t.Helper()
	if len(name) > 300 {
		name = name[:300] + "..."
	}
	switch {
	case want == nil:
		if err != nil || got == nil {
			t.Errorf("%s: got %v, want it accepted", name, err)
		}
	case !errors.Is(err, ErrTokenInvalid) || !errors.Is(err, want):
		t.Errorf("%s: got %v, want %v", name, err, want)
	case got != nil:
		t.Errorf("%s: refused, but a principal came back", name)
	}
}

// What other software signs is accepted, by every algorithm, and says who it is.
func TestForeignRoundTrip(t *testing.T) {
	methods := map[Algorithm]jwt.SigningMethod{
		HS256: jwt.SigningMethodHS256, HS384: jwt.SigningMethodHS384, HS512: jwt.SigningMethodHS512,
		RS256: jwt.SigningMethodRS256, PS256: jwt.SigningMethodPS256, ES256: jwt.SigningMethodES256, EdDSA: jwt.SigningMethodEdDSA,
	}
	at := tokenTime.Truncate(time.Second)
	for _, alg := range tokenAlgorithms {
		for _, id := range []string{"", "k-1"} {
			key := foreignKey(alg, id)
			tok := jwt.NewWithClaims(methods[alg], jwt.MapClaims{
				"sub": "alice", "jti": "t-1", "iat": at.Unix(), "nbf": at.Add(-time.Minute).Unix(), "exp": at.Add(time.Hour).Unix(),
				"auth_time": at.Add(-time.Hour).Unix(), "scope": "a  b", "roles": []string{"admin"}, "amr": []string{"pwd", "otp"}, "tenant": "acme",
			})
			if id != "" {
				tok.Header["kid"] = id
			}
			var private any = key.Secret
			verifies := key
			if key.Signer != nil {
				private = key.Signer
				verifies = Key{ID: id, Algorithm: alg, Public: key.Signer.Public()} // what an app has of another's key
			}
			text, err := tok.SignedString(private)
			if err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
			got, err := foreignVerifierOf(t, Foreign{Keys: []Key{verifies}}, 0).verify(text, tokenTime)
			if err != nil {
				t.Errorf("%s, id %q: %v", alg, id, err)
				continue
			}
			claims := got.principal.claims
			got.principal.claims = nil
			want := &Principal{
				UserID: "alice", TokenID: "t-1", Scopes: []string{"a", "b"}, Roles: []string{"admin"}, AMR: []string{"pwd", "otp"},
				AuthTime: at.Add(-time.Hour), IssuedAt: at, ExpiresAt: at.Add(time.Hour),
			}
			if !reflect.DeepEqual(got.principal, want) {
				t.Errorf("%s, id %q:\n got %+v\nwant %+v", alg, id, got.principal, want)
			}
			_, payload, _ := tokenParts(t, text)
			if string(claims) != payload {
				t.Errorf("%s: the payload came back as %s, want %s", alg, claims, payload)
			}
			if !got.foreign() || got.nameless() || got.serial != 0 || got.jti != jtiKey(foreignName("alice", "t-1")) {
				t.Errorf("%s: kept as %+v", alg, got)
			}
		}
	}
}

// A token needs no more than "alg", "exp" and who it is.
func TestForeignLeast(t *testing.T) {
	v := foreignVerifierOf(t, Foreign{Keys: []Key{foreignKey(HS256, "")}}, 0)
	k, err := v.verify(forge(t, v.keys[0], `{"alg":"HS256"}`, `{"sub":"alice","exp":1772604367}`), tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	p := k.principal
	if p.UserID != "alice" || p.TokenID != "" || !p.SessionID.IsZero() || !p.AuthTime.IsZero() || !p.IssuedAt.IsZero() || len(p.Scopes)+len(p.Roles)+len(p.AMR) > 0 {
		t.Errorf("got %+v", p)
	}
	if !k.foreign() || !k.nameless() || !k.from.IsZero() {
		t.Errorf("kept as %+v", k)
	}
}

// A key verifies its own algorithm, and the tokens that its ID says.
func TestForeignKid(t *testing.T) {
	named, unnamed := foreignKey(HS256, "k-1"), Key{Secret: tokenSecret(32, 77)}
	rsaKey := foreignKey(RS256, "k-1")
	v := foreignVerifierOf(t, Foreign{Keys: []Key{named, unnamed, rsaKey}}, 0)
	for _, c := range []struct {
		rule   string
		key    int
		header string
		want   error
	}{
		{"an ID: its kid", 0, `{"alg":"HS256","kid":"k-1"}`, nil},
		{"an ID: no other kid", 0, `{"alg":"HS256","kid":"k-2"}`, errTokenSignature}, // the key without an ID is tried
		{"an ID: a kid is needed", 0, `{"alg":"HS256"}`, errTokenSignature},
		{"an ID: to the letter", 0, `{"alg":"HS256","kid":"K-1"}`, errTokenSignature},
		{"an ID: to the letter", 0, `{"alg":"HS256","kid":"k-1 "}`, errTokenSignature},
		{"an ID: an empty kid is none of it", 0, `{"alg":"HS256","kid":""}`, errTokenSignature},
		{"no ID: no kid", 1, `{"alg":"HS256"}`, nil},
		{"no ID: any kid", 1, `{"alg":"HS256","kid":"2024-01"}`, nil},
		{"no ID: any kid, that of another key too", 1, `{"alg":"HS256","kid":"k-1"}`, nil},
		{"no ID: a kid that is nobody's path", 1, `{"alg":"HS256","kid":"../../../dev/null"}`, nil},
		{"two keys of one ID: by alg", 2, `{"alg":"RS256","kid":"k-1"}`, nil},
		{"two keys of one ID: by alg", 2, `{"alg":"HS256","kid":"k-1"}`, errTokenSignature},
		{"an ID: no other kid", 2, `{"alg":"RS256","kid":"k-2"}`, errForeignKey},
		{"an ID: a kid is needed", 2, `{"alg":"RS256"}`, errForeignKey},
		{"one algorithm", 2, `{"alg":"PS256","kid":"k-1"}`, errForeignKey},
		{"a kid is text", 1, `{"alg":"HS256","kid":1}`, errTokenHeader},
		{"a kid is text", 1, `{"alg":"HS256","kid":["k-1"]}`, errTokenHeader},
	} {
		got, err := v.verify(forge(t, v.keys[c.key], c.header, foreignPayload), tokenTime)
		refusedForeign(t, c.rule+": "+c.header, got, err, c.want)
	}
}

func TestForeignType(t *testing.T) {
	for _, c := range []struct {
		config string
		typ    string // as it stands in the header
		want   error
	}{
		{"", ``, nil},
		{"", `,"typ":"JWT"`, nil},
		{"", `,"typ":"jwt"`, nil}, // RFC 7515 section 4.1.9: compared as media types are
		{"", `,"typ":""`, errForeignType},
		{"", `,"typ":"at+jwt"`, errForeignType},
		{"", `,"typ":"AT+JWT"`, errForeignType},
		{"", `,"typ":"application/jwt"`, errForeignType},
		{"", `,"typ":"dpop+jwt"`, errForeignType},
		{"", `,"typ":"logout+jwt"`, errForeignType},
		{"", `,"typ":"JWT "`, errForeignType},
		{"", `,"typ":["JWT"]`, errTokenHeader},
		{"", `,"typ":1`, errTokenHeader},
		{"JWT", `,"typ":"JWT"`, nil},
		{"JWT", ``, errForeignType},
		{"JWT", `,"typ":"jwt"`, errForeignType},
		{"shop+jwt", `,"typ":"shop+jwt"`, nil},
		{"shop+jwt", `,"typ":"JWT"`, errForeignType},
		{"shop+jwt", ``, errForeignType},
		{"at+jwt", `,"typ":"at+jwt"`, nil},
		{"at+jwt", `,"typ":"JWT"`, errForeignType},
		{"at+jwt", ``, errForeignType},
	} {
		f := Foreign{Type: c.config, Keys: []Key{foreignKey(HS256, "")}}
		if c.config == "at+jwt" {
			f.Issuer = "https://old.example"
		}
		v := foreignVerifierOf(t, f, 0)
		got, err := v.verify(forge(t, v.keys[0], `{"alg":"HS256"`+c.typ+`}`, foreignPayload), tokenTime)
		refusedForeign(t, fmt.Sprintf("Type %q, %s", c.config, c.typ), got, err, c.want)
	}
}

func TestForeignIssuerAndAudience(t *testing.T) {
	iss, aud := `"iss":"https://old.example"`, `"aud":"shop"`
	for _, c := range []struct {
		rule             string
		issuer, audience string // of the Config
		payload          string
		want             error
	}{
		{"not looked at", "", "", foreignSub(t, iss, `"iss":""`), nil},
		{"not looked at", "", "", foreignSub(t, iss+",", ``), nil},
		{"not looked at", "", "", foreignSub(t, aud, `"aud":["a","b"]`), nil},
		{"not looked at", "", "", foreignSub(t, aud+",", ``), nil},
		{"the issuer", "https://old.example", "", foreignPayload, nil},
		{"to the letter", "https://old.example", "", foreignSub(t, iss, `"iss":"https://old.example/"`), errTokenIssuer},
		{"to the letter", "https://old.example", "", foreignSub(t, iss, `"iss":"HTTPS://old.example"`), errTokenIssuer},
		{"it is there", "https://old.example", "", foreignSub(t, iss+",", ``), errTokenIssuer},
		{"it is there", "https://old.example", "", foreignSub(t, iss, `"iss":null`), errTokenIssuer},
		{"it is there", "https://old.example", "", foreignSub(t, iss, `"iss":""`), errTokenIssuer},
		{"one", "https://old.example", "", foreignSub(t, iss, `"iss":["https://old.example"]`), errTokenPayload},
		{"one value", "", "shop", foreignPayload, nil},
		{"several values", "", "shop", foreignSub(t, aud, `"aud":["other","shop"]`), nil},
		{"another", "", "shop", foreignSub(t, aud, `"aud":"other"`), errTokenAudience},
		{"a part", "", "shop", foreignSub(t, aud, `"aud":"shop "`), errTokenAudience},
		{"a part", "", "shop", foreignSub(t, aud, `"aud":"shop other"`), errTokenAudience},
		{"to the letter", "", "shop", foreignSub(t, aud, `"aud":"Shop"`), errTokenAudience},
		{"others", "", "shop", foreignSub(t, aud, `"aud":["other","Shop"]`), errTokenAudience},
		{"none", "", "shop", foreignSub(t, aud+",", ``), errTokenAudience},
		{"none", "", "shop", foreignSub(t, aud, `"aud":null`), errTokenAudience},
		{"none", "", "shop", foreignSub(t, aud, `"aud":[]`), errTokenAudience},
		{"none", "", "shop", foreignSub(t, aud, `"aud":""`), errTokenAudience},
		{"no text", "", "shop", foreignSub(t, aud, `"aud":{"shop":"shop"}`), errTokenAudience},
		{"no text", "", "shop", foreignSub(t, aud, `"aud":[["shop"]]`), errTokenAudience},
		{"no text beside text", "", "shop", foreignSub(t, aud, `"aud":["shop",1]`), errTokenAudience},
	} {
		v := foreignVerifierOf(t, Foreign{Issuer: c.issuer, Audience: c.audience, Keys: []Key{foreignKey(HS256, "")}}, 0)
		got, err := v.verify(forge(t, v.keys[0], `{"alg":"HS256"}`, c.payload), tokenTime)
		refusedForeign(t, c.rule+": "+c.payload, got, err, c.want)
	}
}

// P5: max(iat, nbf) - leeway <= now < exp + leeway.
func TestForeignTimes(t *testing.T) {
	exp, iat, nbf := time.Unix(1772604367, 0), time.Unix(1772600767, 0), time.Unix(1772600700, 0)
	times := func(iat, nbf, exp string) string {
		return `{"sub":"alice"` + iat + nbf + `,"exp":` + exp + `}`
	}
	for _, leeway := range []time.Duration{0, time.Second, time.Minute} {
		v := foreignVerifierOf(t, Foreign{Keys: []Key{foreignKey(HS256, "")}}, leeway)
		for _, c := range []struct {
			payload string
			at      time.Time
			want    error
		}{
			{times("", "", "1772604367"), exp.Add(leeway - time.Nanosecond), nil},
			{times("", "", "1772604367"), exp.Add(leeway), ErrTokenExpired},
			{times("", "", "1772604367"), exp.Add(leeway + time.Hour), ErrTokenExpired},
			{times("", "", "1772604367"), time.Unix(1, 0), nil},
			{times("", "", "1772604367.999"), exp.Add(leeway - time.Nanosecond), nil},
			{times("", "", "1772604367.999"), exp.Add(leeway), ErrTokenExpired}, // to the second below
			{times("", "", "1.772604367e9"), exp.Add(leeway - time.Nanosecond), nil},
			{times("", "", "1.772604367e9"), exp.Add(leeway), ErrTokenExpired},
			{times(`,"iat":1772600767`, "", "1772604367"), iat.Add(-leeway), nil},
			{times(`,"iat":1772600767`, "", "1772604367"), iat.Add(-leeway - time.Nanosecond), errForeignFuture},
			{times(`,"iat":1772600767.5`, "", "1772604367"), iat.Add(-leeway), nil},
			{times("", `,"nbf":1772600700`, "1772604367"), nbf.Add(-leeway), nil},
			{times("", `,"nbf":1772600700`, "1772604367"), nbf.Add(-leeway - time.Nanosecond), errForeignFuture},
			{times(`,"iat":1772600767`, `,"nbf":1772600700`, "1772604367"), iat.Add(-leeway - time.Nanosecond), errForeignFuture},
			{times(`,"iat":1772600700`, `,"nbf":1772600767`, "1772604367"), iat.Add(-leeway - time.Nanosecond), errForeignFuture},
			{times(`,"iat":1772600700`, `,"nbf":1772600767`, "1772604367"), iat.Add(-leeway), nil},
		} {
			k, err := v.verify(forge(t, v.keys[0], `{"alg":"HS256"}`, c.payload), c.at)
			if errors.Is(c.want, ErrTokenExpired) {
				if !errors.Is(err, ErrTokenExpired) || k == nil {
					t.Errorf("leeway %v, %s at %v: got %v, want expired, and the principal", leeway, c.payload, c.at.Unix(), err)
				}
				continue
			}
			refusedForeign(t, fmt.Sprintf("leeway %v, %s at %v", leeway, c.payload, c.at), k, err, c.want)
		}
	}
}

// What Identity makes of the payload is who it is, and nothing else is.
func TestForeignIdentity(t *testing.T) {
	asGiven := errors.New("not an access token")
	custom := func(id Identity, err error) func([]byte) (Identity, error) {
		return func([]byte) (Identity, error) { return id, err }
	}
	sub, roles := `"sub":"alice"`, `"roles":["admin"]`
	for _, c := range []struct {
		rule     string
		payload  string
		identity func([]byte) (Identity, error)
		user     string // "": refused
	}{
		{"sub", foreignPayload, nil, "alice"},
		{"sub is needed", foreignSub(t, sub+",", ``), nil, ""},
		{"sub is needed", foreignSub(t, sub, `"sub":null`), nil, ""},
		{"sub is needed", foreignSub(t, sub, `"sub":""`), nil, ""},
		{"sub is text", foreignSub(t, sub, `"sub":17`), nil, ""},
		{"sub is text", foreignSub(t, sub, `"sub":["alice"]`), nil, ""},
		{"sub, letter case included", foreignSub(t, sub, `"Sub":"alice"`), nil, ""},
		{"a user id has no control characters", foreignSub(t, sub, `"sub":"a\u0000b"`), nil, ""},
		{"a user id has at most 255 bytes", foreignSub(t, sub, `"sub":"`+strings.Repeat("a", 256)+`"`), nil, ""},
		{"a user id has at most 255 bytes", foreignSub(t, sub, `"sub":"`+strings.Repeat("a", 255)+`"`), nil, strings.Repeat("a", 255)},
		{"roles is a list", foreignSub(t, roles, `"roles":"admin"`), nil, ""},
		{"a role is text", foreignSub(t, roles, `"roles":["admin",7]`), nil, ""},
		{"a role is not empty", foreignSub(t, roles, `"roles":[""]`), nil, ""},
		{"no roles", foreignSub(t, roles, `"roles":null`), nil, "alice"},
		{"a scope as OAuth has them", foreignSub(t, "orders:read", `a\"b`), nil, ""},
		{"what can be put into a token", foreignSub(t, roles, `"roles":["`+strings.Repeat("a", 2048)+`"]`), nil, ""},
		{"the app's", foreignPayload, custom(Identity{UserID: "u-17", Roles: []string{"r"}}, nil), "u-17"},
		{"the app's: sub need not be there", foreignSub(t, sub+",", ``), custom(Identity{UserID: "u-17"}, nil), "u-17"},
		{"the app's: it refuses", foreignPayload, custom(Identity{UserID: "u-17"}, asGiven), ""},
		{"the app's: it names nobody", foreignPayload, custom(Identity{}, nil), ""},
		{"the app's: it names nobody who can be", foreignPayload, custom(Identity{UserID: "a\nb"}, nil), ""},
		{"the app's: a scope that can't be", foreignPayload, custom(Identity{UserID: "u", Scopes: []string{"a b"}}, nil), ""},
	} {
		v := foreignVerifierOf(t, Foreign{Identity: c.identity, Keys: []Key{foreignKey(HS256, "")}}, 0)
		k, err := v.verify(forge(t, v.keys[0], `{"alg":"HS256"}`, c.payload), tokenTime)
		if c.user == "" {
			refusedForeign(t, c.rule+": "+c.payload, k, err, errForeignIdentity)
			continue
		}
		if err != nil || k.principal.UserID != c.user {
			t.Errorf("%s: got %+v, %v, want %s", c.rule, k, err, c.user)
		}
	}

	v := foreignVerifierOf(t, Foreign{Identity: custom(Identity{}, asGiven), Keys: []Key{foreignKey(HS256, "")}}, 0)
	if _, err := v.verify(forge(t, v.keys[0], `{"alg":"HS256"}`, foreignPayload), tokenTime); !errors.Is(err, asGiven) {
		t.Errorf("got %v, want the app's error in it", err)
	}
}

// Identity sees the payload byte for byte, and only one that was verified.
func TestForeignIdentityIsAsked(t *testing.T) {
	var asked []string
	v := foreignVerifierOf(t, Foreign{
		Issuer: "https://old.example", Audience: "shop", Keys: []Key{foreignKey(HS256, "k")},
		Identity: func(claims []byte) (Identity, error) {
			asked = append(asked, string(claims))
			return Identity{UserID: "u"}, nil
		},
	}, 0)
	header := `{"alg":"HS256","kid":"k"}`
	payload := foreignPayload + " \n"
	good := forge(t, v.keys[0], header, payload)
	other := foreignVerifierOf(t, Foreign{Keys: []Key{{ID: "k", Secret: tokenSecret(32, 9)}}}, 0)
	for _, tok := range []string{
		good[:len(good)-4] + "AAAA",
		forge(t, other.keys[0], header, foreignPayload),
		forge(t, v.keys[0], `{"alg":"HS256","kid":"k","crit":[]}`, foreignPayload),
		forge(t, v.keys[0], header, foreignSub(t, `"iss":"https://old.example"`, `"iss":"https://other.example"`)),
		forge(t, v.keys[0], header, foreignSub(t, `"aud":"shop"`, `"aud":"other"`)),
		forge(t, v.keys[0], header, foreignSub(t, `"exp":1772604367,`, ``)),
		forge(t, v.keys[0], header, foreignSub(t, `"jti":"t-1"`, `"jti":""`)),
	} {
		if _, err := v.verify(tok, tokenTime); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("%s: got %v", tok, err)
		}
	}
	if asked != nil {
		t.Errorf("asked about %q, which was not verified", asked)
	}
	if _, err := v.verify(good, tokenTime); err != nil {
		t.Error(err)
	}
	if !slices.Equal(asked, []string{payload}) {
		t.Errorf("asked about %q, want %q once", asked, payload)
	}
}

// P4: a payload that could be read in two ways is refused before Identity sees
// it, however lax that is.
func TestForeignPayloadIsOne(t *testing.T) {
	v := foreignVerifierOf(t, Foreign{
		Keys:     []Key{foreignKey(HS256, "")},
		Identity: func([]byte) (Identity, error) { return Identity{UserID: "u"}, nil },
	}, 0)
	for _, payload := range []string{
		foreignWith(`"exp":9999999999`), foreignWith(`"\u0065xp":9999999999`), foreignWith(`"sub":"root"`), foreignWith(`"uid":1,"uid":2`), foreignWith(`"z":[{"a":1,"\u0061":2}]`),
		foreignWith(`"z":"` + "\xff" + `"`), foreignWith("\"\xff\":1"), foreignWith(`"z":"\ud800"`),
		foreignPayload + `{}`, `[` + foreignPayload + `]`, foreignPayload[1:], `null`, ``,
	} {
		k, err := v.verify(forge(t, v.keys[0], `{"alg":"HS256"}`, payload), tokenTime)
		refusedForeign(t, payload, k, err, errTokenPayload)
	}
}

// Every mistake in the Config is found, and each is named.
func TestForeignConfig(t *testing.T) {
	good := foreignKey(HS256, "")
	sixteen := make([]Key, foreignKeysMax)
	for i := range sixteen {
		sixteen[i] = Key{Secret: []byte(rand.Text() + rand.Text())}
	}
	for _, c := range []struct {
		rule string
		f    Foreign
		want []string // parts of the error; none: it is good
	}{
		{"zero: there are none", Foreign{}, nil},
		{"one key", Foreign{Keys: []Key{good}}, nil},
		{"16 keys", Foreign{Keys: sixteen}, nil},
		{"17 keys", Foreign{Keys: append(slices.Clone(sixteen), good)}, []string{"Foreign.Keys: more than 16"}},
		{"a Type without keys", Foreign{Type: "JWT"}, []string{"Foreign.Keys: there is none"}},
		{"an Issuer without keys", Foreign{Issuer: "x"}, []string{"Foreign.Keys: there is none"}},
		{"an Audience without keys", Foreign{Audience: "x"}, []string{"Foreign.Keys: there is none"}},
		{"an Identity without keys", Foreign{Identity: standardIdentity}, []string{"Foreign.Keys: there is none"}},
		{"our type needs an issuer", Foreign{Type: "at+jwt", Keys: []Key{good}}, []string{"Foreign.Type"}},
		{"our type needs another issuer", Foreign{Type: "at+jwt", Issuer: "https://auth.example", Keys: []Key{good}}, []string{"Foreign.Type"}},
		{"our type in any letter case", Foreign{Type: "AT+jwt", Issuer: "https://auth.example", Keys: []Key{good}}, []string{"Foreign.Type"}},
		{"our type of another issuer", Foreign{Type: "at+jwt", Issuer: "https://old.example", Keys: []Key{good}}, nil},
		{"our issuer with another type", Foreign{Issuer: "https://auth.example", Keys: []Key{good}}, nil},
		{"an empty key", Foreign{Keys: []Key{{}}}, []string{"Foreign.Keys[0]: no Secret"}},
		{"a short secret (P7)", Foreign{Keys: []Key{{Secret: tokenSecret(31, 1)}}}, []string{"31 bytes are too few"}},
		{"a short secret for HS512 (P7)", Foreign{Keys: []Key{{Algorithm: HS512, Secret: tokenSecret(63, 1)}}}, []string{"at least 64"}},
		{"an equal-bytes secret (P7)", Foreign{Keys: []Key{{Secret: []byte(strings.Repeat("a", 32))}}}, []string{"repeats itself"}},
		{"an example of a secret (P7)", Foreign{Keys: []Key{{Secret: []byte("a-string-secret-at-least-256-bits-long")}}}, []string{"easily guessed"}},
		{"a public key as a secret (P7)", Foreign{Keys: []Key{{Secret: []byte("-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n")}}}, []string{"PEM text"}},
		{"a secret for RS256", Foreign{Keys: []Key{{Algorithm: RS256, Secret: tokenSecret(64, 1)}}}, []string{"can't be used with RS256"}},
		{"RSA for ES256", Foreign{Keys: []Key{{Algorithm: ES256, Public: tokenSigners()[RS256].Public()}}}, []string{"can't be used with ES256"}},
		{"none", Foreign{Keys: []Key{{Algorithm: "none", Secret: tokenSecret(64, 1)}}}, []string{"algorithm is unknown"}},
		{"an id that is no id", Foreign{Keys: []Key{{ID: "a b", Secret: tokenSecret(64, 1)}}}, []string{"the id is not"}},
		{
			"all at once",
			Foreign{Type: "at+jwt", Keys: []Key{{Secret: tokenSecret(31, 1)}, good, {Algorithm: "none"}}},
			[]string{"Foreign.Type", "Foreign.Keys[0]", "Foreign.Keys[2]"},
		},
	} {
		conf := Config{Issuer: "https://auth.example", Foreign: c.f}
		v, err := conf.settleForeign()
		if c.want == nil {
			if err != nil || (v == nil) != (c.f.Keys == nil) {
				t.Errorf("%s: got %v, %v", c.rule, v, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: nothing is wrong, want %q", c.rule, c.want)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got %q, want %q in it", c.rule, err, part)
			}
		}
		for _, k := range c.f.Keys {
			if len(k.Secret) > 0 && strings.Contains(err.Error(), string(k.Secret)) {
				t.Errorf("%s: the secret is in %q", c.rule, err)
			}
		}
	}
	if _, err := newAuth(Config{Foreign: Foreign{Type: "at+jwt", Issuer: "sallyport", Keys: []Key{good}}}, time.Now); err == nil || !strings.Contains(err.Error(), "Foreign.Type") {
		t.Errorf("the default issuer: got %v", err)
	}
}
