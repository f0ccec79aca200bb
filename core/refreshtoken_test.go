package core

import (
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"
)

// The layout never changes by accident: a token that is out there must open
// after an upgrade. The MACs were computed with other software.
func TestRefreshTokenGolden(t *testing.T) {
	r := tokenSecrets(t, Secret{Value: tokenSecret(32, 1)})
	for _, c := range []struct {
		token                                    refreshToken
		version, secret, session, gen, user, mac string // hexadecimal
		size                                     int
	}{
		{
			token:   refreshToken{tokenID(101), 1, "alice"},
			version: "01", secret: "e615d392", session: "65666768696a6b6c6d6e6f7071727374", gen: "01", user: "616c696365",
			mac:  "baa3aae6137395ec423d10a2dec6a93dbb87e661d137f7a6001c70ef199ab4d5",
			size: 84,
		},
		{
			token:   refreshToken{tokenID(101), 300, "zoë"},
			version: "01", secret: "e615d392", session: "65666768696a6b6c6d6e6f7071727374", gen: "ac02", user: "7a6fc3ab",
			mac:  "b0ee3c096b81664aed77c84dc2fc19db339f5e05ae0dbb254752e862d1253df1",
			size: 84,
		},
		{
			token:   refreshToken{tokenID(101), math.MaxUint64, "x"},
			version: "01", secret: "e615d392", session: "65666768696a6b6c6d6e6f7071727374", gen: "ffffffffffffffffff01", user: "78",
			mac:  "b63a579019c7fe3ea7382d10d3c0f4e457430527a39ce335da3798ee2ca5e515",
			size: 91,
		},
	} {
		raw, err := hex.DecodeString(c.version + c.secret + c.session + c.gen + c.user + c.mac)
		if err != nil {
			t.Fatal(err)
		}
		want := "sprt_" + base64JWK(raw)
		got, err := r.mintRefresh(c.token, tokenTime)
		if err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
		if len(want) != c.size {
			t.Errorf("%d characters, want %d", len(want), c.size)
		}
		back, err := r.openRefresh(want)
		if err != nil || back != c.token {
			t.Errorf("got %+v, %v, want %+v", back, err, c.token)
		}
	}
}

func TestRefreshTokenRoundTrip(t *testing.T) {
	r := tokenSecrets(t, Secret{Value: tokenSecret(32, 1)})
	least, most := math.MaxInt, 0
	for _, user := range []string{"a", "bob", "Bob", "bob ", "bób", "a:b", "*", "{x}", "sprt_", strings.Repeat("é", 127), strings.Repeat("u", 255)} {
		for gen := uint64(1); gen != 0; gen <<= 1 {
			for _, gen := range []uint64{gen, gen | 1, gen - 1, math.MaxUint64} {
				if gen == 0 {
					continue
				}
				want := refreshToken{tokenID(byte(gen)), gen, user}
				tok, err := r.mintRefresh(want, tokenTime)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := r.openRefresh(tok); err != nil || got != want {
					t.Fatalf("got %+v, %v, want %+v", got, err, want)
				}
				least, most = min(least, len(tok)), max(most, len(tok))
			}
		}
	}
	if least != 79 || most != 429 {
		t.Errorf("%d to %d characters, want 79 to 429 as documented", least, most)
	}
}

func TestMintRefreshRefuses(t *testing.T) {
	r := tokenSecrets(t, Secret{Value: tokenSecret(32, 1)})
	for _, bad := range []refreshToken{
		{},
		{ID{}, 1, "a"},
		{tokenID(1), 0, "a"},
		{tokenID(1), 1, ""},
		{tokenID(1), 1, strings.Repeat("u", 256)},
		{tokenID(1), 1, "a\x00"},
		{tokenID(1), 1, "\xff"},
	} {
		if tok, err := r.mintRefresh(bad, tokenTime); tok != "" || err == nil {
			t.Errorf("%+v: got %q, %v", bad, tok, err)
		}
	}
}

func TestHostileRefreshTokens(t *testing.T) {
	r := tokenSecrets(t, Secret{Value: tokenSecret(32, 1)})
	other := tokenSecrets(t, Secret{Value: tokenSecret(32, 2)})
	good := refreshToken{tokenID(1), 5, "alice"}
	tok, err := r.mintRefresh(good, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.mintRefresh(good, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimPrefix(tok, "sprt_")
	raw, err := strictBase64.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	id := func(s *secretRing) []byte { return s.list[0].id[:] }
	session := raw[5:21]
	// sealed signs any body with the good secret, so that only the body is at fault.
	sealed := func(version byte, parts ...[]byte) string {
		b := append([]byte{version}, id(r)...)
		for _, p := range parts {
			b = append(b, p...)
		}
		return "sprt_" + base64JWK(append(b, r.list[0].mac(refreshKind, b)...))
	}
	patched := func(at int, b ...byte) string {
		p := append([]byte(nil), raw...)
		copy(p[at:], b)
		return "sprt_" + base64JWK(p)
	}
	alice := []byte("alice")
	for _, c := range []struct {
		name, token string
		want        error
	}{
		{"nothing", "", errSealedForm},
		{"the prefix", "sprt_", errSealedForm},
		{"no prefix", text, errSealedForm},
		{"prefix in capitals", "SPRT_" + text, errSealedForm},
		{"prefix twice", "sprt_" + tok, errSealedVersion},
		{"another prefix", "spdt_" + text, errSealedForm},
		{"space before", " " + tok, errSealedForm},
		{"space after", tok + " ", errSealedForm},
		{"padding", tok + "=", errSealedForm},
		{"standard base64", "sprt_" + strings.NewReplacer("-", "+", "_", "/").Replace(text) + "+", errSealedForm},
		{"line break after", tok + "\n", errSealedForm},
		{"carriage return inside", tok[:40] + "\r" + tok[40:], errSealedForm},
		{"line break for a character", tok[:40] + "\n" + tok[41:], errSealedForm},
		{"NUL", tok[:40] + "\x00" + tok[41:], errSealedForm},
		{"a character too few", tok[:len(tok)-1], errSealedForm},
		{"a character too many", tok + "A", errSealedMAC},
		{"two characters too many", tok + "AA", errSealedForm},
		{"four characters too many", tok + "AAAA", errSealedMAC},
		{"below the shortest", "sprt_" + strings.Repeat("A", 73), errSealedForm},
		{"the shortest, of zeros", "sprt_" + strings.Repeat("A", 74), errSealedVersion},
		{"beyond the longest", "sprt_" + strings.Repeat("A", 425), errSealedForm},
		{"16 MB", "sprt_" + strings.Repeat("A", 16<<20), errSealedForm},

		{"another secret's", foreign, errSealedSecret},
		{"another secret's id", patched(1, id(other)...), errSealedSecret},
		{"version 0", patched(0, 0), errSealedVersion},
		{"version 2", patched(0, 2), errSealedVersion},
		{"version 2, authentic", sealed(2, session, []byte{5}, alice), errSealedVersion},
		{"another session", patched(5, 0xff), errSealedMAC},
		{"the next generation", patched(21, 6), errSealedMAC},
		{"another user", patched(22, 'b'), errSealedMAC},
		{"the first byte of the MAC", patched(len(raw)-32, raw[len(raw)-32]^1), errSealedMAC},
		{"the last byte of the MAC", patched(len(raw)-1, raw[len(raw)-1]^1), errSealedMAC},
		{"no MAC", patched(len(raw)-32, make([]byte, 32)...), errSealedMAC},

		{"authentic", sealed(1, session, []byte{5}, alice), nil},
		{"authentic, generation 0", sealed(1, session, []byte{0}, alice), errSealedBody},
		{"authentic, generation in a longer form", sealed(1, session, []byte{0x85, 0}, alice), errSealedBody},
		{"authentic, generation in the longest form", sealed(1, session, []byte{0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0}, alice), errSealedBody},
		{"authentic, generation beyond 64 bits", sealed(1, session, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2}, alice), errSealedBody},
		{"authentic, generation of 11 bytes", sealed(1, session, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}, alice), errSealedBody},
		{"authentic, generation cut off", sealed(1, session, []byte{0x80, 0x80}), errSealedBody},
		{"authentic, no user", sealed(1, session, []byte{0x80, 1}), errSealedBody},
		{"authentic, no session", sealed(1, make([]byte, 16), []byte{5}, alice), errSealedBody},
		{"authentic, user with a control character", sealed(1, session, []byte{5}, []byte("a\n")), errSealedBody},
		{"authentic, user not UTF-8", sealed(1, session, []byte{5}, []byte("a\xff")), errSealedBody},
		{"authentic, user of 256 bytes", sealed(1, session, []byte{5}, []byte(strings.Repeat("u", 256))), errSealedBody},
		{"authentic, user of 300 bytes", sealed(1, session, []byte{5}, []byte(strings.Repeat("u", 300))), errSealedForm},
	} {
		got, err := r.openRefresh(c.token)
		if c.want == nil {
			if err != nil || got != good {
				t.Errorf("%s: got %+v, %v", c.name, got, err)
			}
			continue
		}
		if !errors.Is(err, ErrRefreshTokenInvalid) || !errors.Is(err, c.want) || got != (refreshToken{}) {
			t.Errorf("%s: got %+v, %v, want %v", c.name, got, err, c.want)
		}
	}

	// One spelling: no character can be another.
	for i := range tok {
		for c := range 256 {
			if byte(c) == tok[i] {
				continue
			}
			if _, err := r.openRefresh(tok[:i] + string([]byte{byte(c)}) + tok[i+1:]); !errors.Is(err, ErrRefreshTokenInvalid) {
				t.Fatalf("%#x at %d: %v", c, i, err)
			}
		}
	}
}

func TestRefreshTokenCost(t *testing.T) {
	r := tokenSecrets(t, Secret{Value: tokenSecret(32, 1)})
	good, err := r.mintRefresh(refreshToken{tokenID(1), 1, "alice"}, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	huge := "sprt_" + strings.Repeat("A", 16<<20)
	if _, err := r.openRefresh(huge); err == nil {
		t.Fatal("accepted")
	}
	unit := leastTime(func() { r.openRefresh(good) })
	if took := leastTime(func() { r.openRefresh(huge) }); took > unit {
		t.Errorf("16 MB took %v, more than the %v of a good token", took, unit)
	}
}
