package core

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// tokenDevice is a device that the server named.
func tokenDevice(b byte) deviceToken { return deviceToken{ID: tokenID(b).String(), Signed: true} }

func TestDeviceTokenGolden(t *testing.T) {
	r := tokenSecrets(t, Secret{Value: tokenSecret(32, 1)})
	for _, c := range []struct {
		device deviceToken
		raw    string // the MACs were computed with other software
		length int
	}{
		{
			tokenDevice(1), "01" + "e615d392" + "010102030405060708090a0b0c0d0e0f10" +
				"c8f97a75d8856f25cb00ad31a795da1bcf0f8c05a48774975616ecea82885113", 77,
		},
		{
			deviceToken{ID: "tablet"}, "01" + "e615d392" + "007461626c6574" +
				"2325e60e7a565a19ae99251a571033ae820b30d0e03892941d6a0f7b94d5a897", 64,
		},
	} {
		raw, err := hex.DecodeString(c.raw)
		if err != nil {
			t.Fatal(err)
		}
		want := "spdt_" + base64JWK(raw)
		got, err := r.mintDevice(c.device, tokenTime)
		if err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
		if len(want) != c.length {
			t.Errorf("%d characters, want %d", len(want), c.length)
		}
		if d, err := r.openDevice(want); err != nil || d != c.device {
			t.Errorf("got %v, %v", d, err)
		}
	}
}

func TestHostileDeviceTokens(t *testing.T) {
	r := tokenSecrets(t, Secret{Value: tokenSecret(32, 1)})
	tok, err := r.mintDevice(tokenDevice(1), tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := tokenSecrets(t, Secret{Value: tokenSecret(32, 2)}).mintDevice(tokenDevice(1), tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	word, err := r.mintDevice(deviceToken{ID: "tablet"}, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(body string) string {
		tok, err := r.seal(deviceKind, []byte(body), tokenTime)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	for _, c := range []struct {
		name, token string
		want        error
	}{
		{"nothing", "", errSealedForm},
		{"the prefix", "spdt_", errSealedForm},
		{"no prefix", tok[5:], errSealedForm},
		{"the refresh prefix", "sprt_" + tok[5:], errSealedForm},
		{"a bare id", tokenID(1).String(), errSealedForm},
		{"too short", tok[:len(tok)-1], errSealedMAC},
		{"too long", tok + "A", errSealedForm},
		{"padding", tok + "=", errSealedForm},
		{"line break", tok[:20] + "\n" + tok[21:], errSealedForm},
		{"spare bits", word[:len(word)-1] + string(word[len(word)-1]+1), errSealedForm},
		{"16 MB", "spdt_" + strings.Repeat("A", 16<<20), errSealedForm},
		{"zeros", "spdt_" + strings.Repeat("A", 71), errSealedVersion},
		{"another secret's", foreign, errSealedSecret},
		{"another device", tok[:14] + "_" + tok[15:], errSealedMAC},
		{"authentic, but zero", sealed("\x01" + strings.Repeat("\x00", 16)), errSealedBody},
		{"authentic, but cut", sealed("\x01" + strings.Repeat("x", 15)), errSealedBody},
		{"authentic, but of another kind", sealed("\x02" + strings.Repeat("x", 16)), errSealedBody},
		{"authentic, but a control character", sealed("\x00a\nb"), errSealedBody},
		{"authentic, but nameless", sealed("\x00"), errSealedForm},
		{"authentic, but too long a word", sealed("\x00" + strings.Repeat("x", 129)), errSealedForm},
	} {
		if d, err := r.openDevice(c.token); !errors.Is(err, c.want) || d != (deviceToken{}) {
			t.Errorf("%s: got %v, %v, want %v", c.name, d, err, c.want)
		}
	}
	for i := range tok {
		for c := range 256 {
			if byte(c) != tok[i] {
				if _, err := r.openDevice(tok[:i] + string([]byte{byte(c)}) + tok[i+1:]); err == nil {
					t.Fatalf("%#x at %d was accepted", c, i)
				}
			}
		}
	}
	for _, d := range []deviceToken{{}, {Signed: true}, {ID: ID{}.String(), Signed: true}, {ID: "tablet", Signed: true}, {ID: strings.Repeat("x", 129)}, {ID: "a\x00"}} {
		if tok, err := r.mintDevice(d, tokenTime); tok != "" || err == nil {
			t.Errorf("%+v: got %q, %v", d, tok, err)
		}
	}
}
