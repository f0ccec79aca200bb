package core

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The format never changes by accident. The signature was computed with other
// software.
func TestAccessTokenGolden(t *testing.T) {
	r := tokenRing(t, Key{ID: "k1", Secret: tokenSecret(32, 1)})
	tok, err := r.mint(tokenClaims(), tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	header, payload, signature := tokenParts(t, tok)
	if want := `{"alg":"HS256","kid":"k1","typ":"at+jwt"}`; header != want {
		t.Errorf("header\n got %s\nwant %s", header, want)
	}
	if want := `{"iss":"https://auth.example","aud":"api","sub":"alice","iat":1772600767,"exp":1772604367,"auth_time":1772600707,` +
		`"jti":"aebagbafaydqqcikbmga2dqpca","sid":"mvtgo2djnjvwy3lon5yhc4ttoq","ser":7,"did":"d-1","dtp":"desktop","ct":"web",` +
		`"scope":"orders:read orders:write","roles":["admin"],"amr":["pwd","otp"],"plan":"gold","tenant":{"id":42,"name":"Zoë"}}`; payload != want {
		t.Errorf("payload\n got %s\nwant %s", payload, want)
	}
	sig, err := strictBase64.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(sig), "f6f29c89de270aeb331b9201beb04fe202543384b160ac197e3bbb3b2729a7c4"; got != want {
		t.Errorf("signature\n got %s\nwant %s", got, want)
	}
}

// What is optional is left out.
func TestAccessTokenLeast(t *testing.T) {
	c := tokenClaims()
	c.Device, c.DeviceType, c.ClientType, c.Scopes, c.Roles, c.AMR, c.App = "", "", "", nil, nil, nil, nil
	want := `{"iss":"https://auth.example","aud":"api","sub":"alice","iat":1772600767,"exp":1772604367,"auth_time":1772600707,` +
		`"jti":"aebagbafaydqqcikbmga2dqpca","sid":"mvtgo2djnjvwy3lon5yhc4ttoq","ser":7}`
	if got := string(encoded(t, c)); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	got := new(accessClaims)
	if err := got.decode([]byte(want)); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// What is minted is verified by every algorithm, and says what it said.
func TestAccessTokenRoundTrip(t *testing.T) {
	for _, alg := range tokenAlgorithms {
		r := tokenRing(t, tokenKey(alg))
		want := tokenClaims()
		minted := tokenClaims()
		minted.IssuedAt = tokenTime.In(time.FixedZone("", 3600)) // half a second more, elsewhere
		minted.ExpiresAt = minted.ExpiresAt.Add(999 * time.Millisecond)
		tok, err := r.mint(minted, tokenTime)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		got, err := tokenVerifier(r).verify(tok, tokenTime)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", alg, got, want)
		}
	}
}

// Properties of any claims: either mint refuses, or verify returns what was
// minted and its payload is written the same again.
func TestAccessTokenAnyClaims(t *testing.T) {
	r := tokenRing(t, tokenKey(HS256))
	rnd := rand.New(rand.NewPCG(1, 2))
	pool := []string{"a", "é", "😀", `"`, `\`, "<&>", "\u2028", "0", " ", "/", "\x00", "\n", "\xff", "ſ", "\u0301"}
	word := func(most int) string {
		var b strings.Builder
		for range rnd.IntN(most) {
			b.WriteString(pool[min(rnd.IntN(len(pool)*2), len(pool)-1)])
		}
		return b.String()
	}
	words := func(most int) (list []string) {
		for range rnd.IntN(most) {
			list = append(list, word(4))
		}
		return list
	}
	minted := 0
	for i := range 20_000 {
		c := tokenClaims()
		c.Subject, c.Device, c.DeviceType, c.ClientType = "u"+word(3), word(3), word(3), word(3)
		c.Scopes, c.Roles, c.AMR = nil, words(3), words(3)
		if i%4 == 0 {
			c.Scopes = words(3)
		}
		c.Serial = rnd.Uint64() >> rnd.IntN(64)
		c.IssuedAt = time.Unix(rnd.Int64N(secondsMax*11/10), 0).UTC()
		c.ExpiresAt = c.IssuedAt.Add(time.Hour)
		app, _ := json.Marshal(map[string]any{"x" + word(2): word(6), "y": words(3)})
		c.App, _ = checkAppClaims(app)
		tok, err := r.mint(c, tokenTime)
		if err != nil {
			continue
		}
		minted++
		got, err := tokenVerifier(r).verify(tok, c.IssuedAt)
		if err != nil {
			t.Fatalf("%+v: minted, then %v", c, err)
		}
		if !reflect.DeepEqual(got, c) {
			t.Fatalf("\n got %+v\nwant %+v", got, c)
		}
		if again, err := r.mint(got, tokenTime); err != nil || again != tok {
			t.Fatalf("%+v: another token the second time: %v", c, err)
		}
	}
	if minted < 2000 {
		t.Errorf("only %d of 20000 were minted: the test is too wild", minted)
	}
}

func TestMintRefuses(t *testing.T) {
	r := tokenRing(t, tokenKey(HS256))
	for name, spoil := range map[string]func(*accessClaims){
		"no issuer":           func(c *accessClaims) { c.Issuer = "" },
		"no audience":         func(c *accessClaims) { c.Audience = "" },
		"no subject":          func(c *accessClaims) { c.Subject = "" },
		"long subject":        func(c *accessClaims) { c.Subject = strings.Repeat("u", 256) },
		"control character":   func(c *accessClaims) { c.Subject = "a\nb" },
		"no iat":              func(c *accessClaims) { c.IssuedAt = time.Time{} },
		"no exp":              func(c *accessClaims) { c.ExpiresAt = time.Time{} },
		"exp beyond 9999":     func(c *accessClaims) { c.ExpiresAt = time.Unix(secondsMax+1, 0) },
		"auth_time at 0":      func(c *accessClaims) { c.AuthTime = time.Unix(0, 0) },
		"no jti":              func(c *accessClaims) { c.ID = ID{} },
		"no sid":              func(c *accessClaims) { c.Session = ID{} },
		"no serial":           func(c *accessClaims) { c.Serial = 0 },
		"serial of no token":  func(c *accessClaims) { c.Serial = AllSerials },
		"two scopes in one":   func(c *accessClaims) { c.Scopes = []string{"a b"} },
		"empty scope":         func(c *accessClaims) { c.Scopes = []string{""} },
		"scope with a quote":  func(c *accessClaims) { c.Scopes = []string{`"`} },
		"scope with a letter": func(c *accessClaims) { c.Scopes = []string{"é"} },
		"empty role":          func(c *accessClaims) { c.Roles = []string{"a", ""} },
		"empty amr":           func(c *accessClaims) { c.AMR = []string{""} },
		"bad UTF-8":           func(c *accessClaims) { c.Device = "\xff" },
		"bad UTF-8 in a list": func(c *accessClaims) { c.Roles = []string{"\xc3"} },
		"claims that are not": func(c *accessClaims) { c.App = []byte(`[]`) },
		"claims that inject":  func(c *accessClaims) { c.App = []byte(`{"a":1},"exp":{"b":2}`) },
		"a claim of ours":     func(c *accessClaims) { c.App = []byte(`{"exp":1}`) },
		"too much":            func(c *accessClaims) { c.Roles = []string{strings.Repeat("r", accessPayloadMax)} },
	} {
		c := tokenClaims()
		spoil(c)
		if tok, err := r.mint(c, tokenTime); err == nil || tok != "" {
			t.Errorf("%s: minted %q, %v", name, tok, err)
		} else if !strings.HasPrefix(err.Error(), "sallyport: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A payload of the greatest size makes a token that is looked at, whatever the
// key; and size does not end a session: it is the same at every serial.
func TestAccessTokenSize(t *testing.T) {
	worst := strictBase64.EncodedLen(accessPayloadMax) + strictBase64.EncodedLen(rsaBitsMax/8) + 2 +
		strictBase64.EncodedLen(len(`{"alg":"HS256","kid":"","typ":"at+jwt"}`)+128)
	if worst > accessTokenMax {
		t.Errorf("a token may be %d bytes long, more than %d", worst, accessTokenMax)
	}
	r := tokenRing(t, Key{ID: strings.Repeat("k", 128), Secret: tokenSecret(32, 1)})
	c := tokenClaims()
	c.Serial = 1
	c.Device = ""
	c.Device = strings.Repeat("d", accessPayloadMax-len(encoded(t, c))-len(`"did":"",`)-18)
	for _, serial := range []uint64{1, 9, 10, 1e9, AllSerials - 1} {
		c.Serial = serial
		tok, err := r.mint(c, tokenTime)
		if err != nil {
			t.Fatalf("serial %d: %v", serial, err)
		}
		if _, err := tokenVerifier(r).verify(tok, tokenTime); err != nil {
			t.Errorf("serial %d: %v", serial, err)
		}
		c.Device += "d"
		if _, err := r.mint(c, tokenTime); err == nil {
			t.Errorf("serial %d: one byte more was minted", serial)
		}
		c.Device = c.Device[1:]
	}
}

// "exp" and "iat" to the nanosecond, with and without leeway (P5).
func TestAccessTokenClock(t *testing.T) {
	r := tokenRing(t, tokenKey(HS256))
	c := tokenClaims()
	tok, err := r.mint(c, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	near := []time.Duration{-2 * time.Minute, -60*time.Second - 1, -60 * time.Second, -time.Second - 1, -time.Second, -1, 0, 1, time.Second - 1, time.Second, 59 * time.Second, 60*time.Second - 1, 60 * time.Second, 2 * time.Minute}
	for _, leeway := range []time.Duration{0, time.Millisecond, time.Second, 60 * time.Second} {
		v := tokenVerifier(r)
		v.leeway = leeway
		for _, d := range near {
			_, err := v.verify(tok, c.IssuedAt.Add(d))
			if future := d < -leeway; future != errors.Is(err, errTokenFuture) || future != errors.Is(err, ErrTokenInvalid) {
				t.Errorf("leeway %v, iat%+v: got %v", leeway, d, err)
			}
			got, err := v.verify(tok, c.ExpiresAt.Add(d))
			expired := d >= leeway
			if expired != errors.Is(err, ErrTokenExpired) || (err == nil) == expired {
				t.Errorf("leeway %v, exp%+v: got %v", leeway, d, err)
			}
			if !reflect.DeepEqual(got, c) {
				t.Errorf("leeway %v, exp%+v: the claims did not come back", leeway, d)
			}
		}
	}
	// Expired says authentic: a token that is anything else is invalid.
	late := c.ExpiresAt.Add(time.Hour)
	for name, v := range map[string]accessVerifier{
		"another issuer":   {ring: r, issuer: "x", audience: "api"},
		"another audience": {ring: r, issuer: "https://auth.example", audience: "x"},
		"another key":      tokenVerifier(tokenRing(t, Key{ID: r.keys[0].id, Secret: tokenSecret(32, 5)})),
	} {
		if got, err := v.verify(tok, late); !errors.Is(err, ErrTokenInvalid) || got != nil {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

// Parsing a header finds the same key as knowing it by heart.
func TestHeaderByHeart(t *testing.T) {
	var keys []Key
	for _, alg := range tokenAlgorithms {
		keys = append(keys, tokenKey(alg))
	}
	r := tokenRing(t, keys...)
	parsed := &keyRing{keys: r.keys, ids: r.ids}
	for _, k := range r.keys {
		got, err := parsed.keyFor(k.header)
		known, _ := r.keyFor(k.header)
		if err != nil || got != k || known != k {
			t.Errorf("%s: got %v, %v", k.alg, got, err)
		}
	}
}

// leastTime is what a call takes when nothing disturbs it: the least of some.
func leastTime(call func()) time.Duration {
	least := time.Hour
	for range 50 {
		start := time.Now()
		call()
		least = min(least, time.Since(start))
	}
	return least
}

// A refused token is in no error (P29).
func TestTokenErrorsSayNothing(t *testing.T) {
	r := tokenRing(t, tokenKey(HS256))
	key := r.keys[0]
	marker := "MARKER" + strings.Repeat("q", 10)
	header := func(s string) string { return `{"alg":"HS256","kid":"` + key.id + `","typ":"at+jwt"` + s + `}` }
	good := string(encoded(t, tokenClaims()))
	for _, tok := range []string{
		marker, marker + "." + marker + "." + marker, marker + "\n",
		forge(t, key, header(`,"`+marker+`":1`), good),
		forge(t, key, header(`,"typ":"`+marker+`"`), good),
		forge(t, key, `{"alg":"HS256","kid":"`+marker+`","typ":"at+jwt"}`, good),
		forge(t, key, header(``), strings.Replace(good, `"alice"`, `"`+marker+"\\n"+`"`, 1)),
		forge(t, key, header(``), strings.Replace(good, `"api"`, `"`+marker+`"`, 1)),
		forge(t, key, header(``), strings.Replace(good, `"plan"`, `"`+marker+`":1,"`+marker+`"`, 1)),
	} {
		_, err := tokenVerifier(r).verify(tok, tokenTime)
		if err == nil {
			t.Errorf("%q was accepted", tok)
		} else if strings.Contains(err.Error(), "MARKER") || strings.Contains(err.Error(), base64JWK([]byte("MARKER"))) {
			t.Errorf("shows the token: %v", err)
		}
	}
}
