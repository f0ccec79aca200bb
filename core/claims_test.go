package core

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode"
)

func TestCheckAppClaims(t *testing.T) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}` }
	sized := func(n int) string { return `{"a":"` + strings.Repeat("x", n-len(`{"a":""}`)) + `"}` }
	for _, c := range []struct {
		raw, want string
		err       error
	}{
		{``, ``, nil},
		{`{}`, ``, nil},
		{" {\n} ", ``, nil},
		{`{"a":1}`, `{"a":1}`, nil},
		{` { "b" : [ 1 , { "d" : 1, "c" : null } ] , "a" : true } `, `{"a":true,"b":[1,{"c":null,"d":1}]}`, nil},
		{`{"a":"\u0041\/\u00e9\u2028<&>"}`, `{"a":"A/é` + "\u2028" + `<&>"}`, nil},
		{`{"a":9007199254740993,"b":18446744073709551615,"c":1.50,"d":1E3,"e":-0}`, `{"a":9007199254740993,"b":18446744073709551615,"c":1.50,"d":1E3,"e":-0}`, nil},
		{`{"":1}`, `{"":1}`, nil},
		{`{"Role":1,"role":2}`, `{"Role":1,"role":2}`, nil},
		{`{"a":{"exp":1,"sub":"x"}}`, `{"a":{"exp":1,"sub":"x"}}`, nil},
		{`{"a":[{"iss":1}]}`, `{"a":[{"iss":1}]}`, nil},
		{`{"subject":1,"su":1,"exp2":1,"expé":1,"tenant_id":1,"email":1}`, `{"email":1,"exp2":1,"expé":1,"su":1,"subject":1,"tenant_id":1}`, nil},
		{`{"a":"exp","b":"sub"}`, `{"a":"exp","b":"sub"}`, nil},
		{deep(claimsDepthMax), deep(claimsDepthMax), nil},
		{sized(claimsMax), sized(claimsMax), nil},
		{`{"a":1.7976931348623157e308}`, `{"a":1.7976931348623157e308}`, nil},
		{`{"a":1e-400}`, `{"a":1e-400}`, nil},

		{`null`, ``, errClaimsSyntax},
		{`[]`, ``, errClaimsSyntax},
		{`"a"`, ``, errClaimsSyntax},
		{`1`, ``, errClaimsSyntax},
		{` `, ``, errClaimsSyntax},
		{`{"a":1}{}`, ``, errClaimsSyntax},
		{`{"a":1},"exp":{"b":2}`, ``, errClaimsSyntax},
		{`{"a":1`, ``, errClaimsSyntax},
		{`{"a":1,}`, ``, errClaimsSyntax},
		{`{"a":01}`, ``, errClaimsSyntax},
		{`{"a":NaN}`, ``, errClaimsSyntax},
		{`{a:1}`, ``, errClaimsSyntax},
		{`{"a":1,"a":1}`, ``, errClaimsSyntax},
		{`{"a":1,"\u0061":1}`, ``, errClaimsSyntax},
		{`{"a":{"b":1,"b":1}}`, ``, errClaimsSyntax},
		{`{"a":[{"b":1,"b":1}]}`, ``, errClaimsSyntax},
		{"{\"a\":\"\xff\"}", ``, errClaimsSyntax},
		{`{"a":"\ud800"}`, ``, errClaimsSyntax},
		{"{\"a\":\"\n\"}", ``, errClaimsSyntax},
		{deep(claimsDepthMax + 1), ``, errClaimsDepth},
		{deep(11_000), ``, errClaimsSyntax},
		{sized(claimsMax + 1), ``, errClaimsSize},
		{`{"a":1e400}`, ``, errClaimsNumber},
		{`{"a":[-1e309]}`, ``, errClaimsNumber},
	} {
		name := c.raw[:min(len(c.raw), 80)]
		got, err := checkAppClaims([]byte(c.raw))
		if string(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s:\n got %s, %v\nwant %s, %v", name, got, err, c.want, c.err)
		}
		if err != nil {
			continue
		}
		if again, err := checkAppClaims(got); string(again) != string(got) || err != nil {
			t.Errorf("%s: the second time %s, %v", name, again, err)
		}
	}
}

// An app has none of our names, however a reader spells them (P4).
func TestTakenClaims(t *testing.T) {
	c := tokenClaims()
	c.App = nil
	var ours map[string]any
	if err := json.Unmarshal(encoded(t, c), &ours); err != nil {
		t.Fatal(err)
	}
	names := []string{
		"nbf", "acr", "azp", "nonce", "cnf", "client_id", "act", "may_act",
		"typ", "cty", "crit", "alg", "kid", "jku", "jwk", "x5u", "x5c", "x5t", "b64", "zip",
	}
	for name := range ours {
		names = append(names, name)
	}
	if len(names) != 20+15 {
		t.Errorf("%d names", len(names))
	}
	for _, name := range names {
		for _, s := range []string{
			name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:], name[:1] + strings.ToUpper(name[1:]),
			strings.ReplaceAll(name, "_", ""), strings.ReplaceAll(name, "_", "-"), "_" + name, name + "-", name[:1] + "_" + name[1:],
			strings.ReplaceAll(name, "s", "ſ"), strings.ReplaceAll(name, "k", "\u212a"), strings.Repeat("_", 200) + name,
		} {
			raw, err := json.Marshal(map[string]int{s: 1})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := checkAppClaims(raw); !errors.Is(err, errClaimsTaken) {
				t.Errorf("%s: got %s, %v", raw, got, err)
			}
		}
		// encoding/json finds a field by the rules of Unicode.
		if !claimTaken(strings.Map(func(r rune) rune { return unicode.SimpleFold(r) }, name)) {
			t.Errorf("%s folded is not taken", name)
		}
	}
	for r := range rune(unicode.MaxRune) { // the two that claimTaken knows are all
		if f := unicode.SimpleFold(r); r >= 0x80 && f < 0x80 && r != 'ſ' && r != '\u212a' {
			t.Errorf("%U folds to ASCII", r)
		}
	}
	for name := range takenClaims {
		if len(name) > takenMax {
			t.Errorf("%s is longer than takenMax", name)
		}
	}
}

func TestEncodeClaims(t *testing.T) {
	type tenant struct {
		ID   int64  `json:"id"`
		Name string `json:"name,omitempty"`
	}
	type claims struct {
		Tenant tenant            `json:"tenant"`
		Flags  []string          `json:"flags"`
		More   map[string]string `json:"more,omitempty"`
	}
	v := claims{tenant{math.MaxInt64, "<Zoë> & co"}, []string{"b", "a"}, map[string]string{"z": "1", "a": "2"}}
	raw, err := EncodeClaims(v)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"flags":["b","a"],"more":{"a":"2","z":"1"},"tenant":{"id":9223372036854775807,"name":"<Zoë> & co"}}`; string(raw) != want {
		t.Errorf("\n got %s\nwant %s", raw, want)
	}
	got, err := DecodeClaims[claims](raw)
	if err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("got %+v, %v", got, err)
	}

	// The same after a token, and after the next: byte for byte.
	r := tokenRing(t, tokenKey(HS256))
	for app, i := raw, 0; i < 3; i++ {
		c := tokenClaims()
		c.App = app
		tok, err := r.mint(c, tokenTime)
		if err != nil {
			t.Fatal(err)
		}
		back, err := tokenVerifier(r).verify(tok, tokenTime)
		if err != nil {
			t.Fatal(err)
		}
		if string(back.App) != string(raw) {
			t.Errorf("round %d: got %s", i, back.App)
		}
		app = back.App
	}

	for _, nothing := range []any{nil, struct{}{}, map[string]int{}, (map[string]int)(nil), json.RawMessage(`{}`)} {
		if got, err := EncodeClaims(nothing); got != nil || err != nil {
			t.Errorf("%#v: got %s, %v", nothing, got, err)
		}
	}
	if got, err := EncodeClaims(json.RawMessage(`{"a": 1}`)); string(got) != `{"a":1}` || err != nil {
		t.Errorf("raw: got %s, %v", got, err)
	}
	for _, bad := range []any{1, "x", []byte(`{"a":1}`), []int{1}, (*claims)(nil), make(chan int), math.NaN(), map[string]any{"f": math.Inf(1)}, struct{ Sub string }{"root"}, map[string]int{"exp": 1}} {
		if got, err := EncodeClaims(bad); got != nil || err == nil || !strings.HasPrefix(err.Error(), "sallyport: claims: ") {
			t.Errorf("%#v: got %s, %v", bad, got, err)
		}
	}
}

func TestDecodeClaims(t *testing.T) {
	type claims struct {
		Plan  string `json:"plan"`
		Seats int    `json:"seats"`
	}
	for _, c := range []struct {
		raw  string
		want claims
		ok   bool
	}{
		{``, claims{}, true},
		{`{"plan":"gold","seats":3}`, claims{"gold", 3}, true},
		{`{"plan":"gold","new":{"in":"the next version"}}`, claims{"gold", 0}, true},
		{`{"Plan":"gold","SEATS":3}`, claims{}, true}, // names match exactly
		{`{"seats":"3"}`, claims{}, false},
		{`{"seats":3.5}`, claims{}, false},
		{`{"seats":99999999999999999999}`, claims{}, false},
		{`{"plan":1}`, claims{}, false},
		{`{"plan":"a","plan":"b"}`, claims{}, false},
		{`{"plan":"a"`, claims{}, false},
		{`[]`, claims{}, false},
	} {
		got, err := DecodeClaims[claims]([]byte(c.raw))
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%s: got %+v, %v", c.raw, got, err)
		}
	}
}
