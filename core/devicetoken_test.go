package core

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func TestDeviceTokenGolden(t *testing.T) {
	r := tokenSecrets(t, Secret{Value: tokenSecret(32, 1)})
	raw, err := hex.DecodeString("01" + "e615d392" + "0102030405060708090a0b0c0d0e0f10" +
		"fffae9c16aece50d29f0391349a3781653d08c6d23c390d9d0a811846ba73317") // computed with other software
	if err != nil {
		t.Fatal(err)
	}
	want := "spdt_" + base64JWK(raw)
	got, err := r.mintDevice(tokenID(1), tokenTime)
	if err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if len(want) != 76 {
		t.Errorf("%d characters, want 76", len(want))
	}
	if id, err := r.openDevice(want); err != nil || id != tokenID(1) {
		t.Errorf("got %v, %v", id, err)
	}
}

func TestHostileDeviceTokens(t *testing.T) {
	r := tokenSecrets(t, Secret{Value: tokenSecret(32, 1)})
	tok, err := r.mintDevice(tokenID(1), tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := tokenSecrets(t, Secret{Value: tokenSecret(32, 2)}).mintDevice(tokenID(1), tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	zero, err := r.seal(deviceKind, make([]byte, 16), tokenTime)
	if err != nil {
		t.Fatal(err)
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
		{"too short", tok[:len(tok)-1], errSealedForm},
		{"too long", tok + "A", errSealedForm},
		{"padding", tok + "=", errSealedForm},
		{"line break", tok[:20] + "\n" + tok[21:], errSealedForm},
		{"spare bits", tok[:len(tok)-1] + string(tok[len(tok)-1]+1), errSealedForm},
		{"16 MB", "spdt_" + strings.Repeat("A", 16<<20), errSealedForm},
		{"zeros", "spdt_" + strings.Repeat("A", 71), errSealedVersion},
		{"another secret's", foreign, errSealedSecret},
		{"another device", tok[:14] + "_" + tok[15:], errSealedMAC},
		{"authentic, but zero", zero, errSealedBody},
	} {
		if id, err := r.openDevice(c.token); !errors.Is(err, c.want) || !id.IsZero() {
			t.Errorf("%s: got %v, %v, want %v", c.name, id, err, c.want)
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
	if tok, err := r.mintDevice(ID{}, tokenTime); tok != "" || err == nil {
		t.Errorf("zero: got %q, %v", tok, err)
	}
}
