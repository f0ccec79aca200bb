package core

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// The layout never changes by accident. The MACs were computed with other software.
func TestPendingTokenGolden(t *testing.T) {
	r := tokenSecrets(t, Secret{Value: tokenSecret(32, 1)})
	for _, c := range []struct {
		token               pendingToken
		version, secret, id string // hexadecimal
		account, user       string
		mac                 string
		size                int
	}{
		{
			token:   pendingToken{tokenID(101), accountTag{1, 2, 3, 4, 5, 6, 7, 8}, "alice"},
			version: "01", secret: "e615d392", id: "65666768696a6b6c6d6e6f7071727374",
			account: "0102030405060708", user: "616c696365",
			mac:  "0c28a1c98181b7add172cf94ab45dde07e71be3016ed2390b3b0824cfcbdb2d5",
			size: 93,
		},
		{
			token:   pendingToken{ID: tokenID(101), User: "zoë"},
			version: "01", secret: "e615d392", id: "65666768696a6b6c6d6e6f7071727374",
			account: "0000000000000000", user: "7a6fc3ab",
			mac:  "56a23e4701224950d5b9e371690000741a1fa2052bb984ac3134c6f1db4f40be",
			size: 92,
		},
	} {
		raw, err := hex.DecodeString(c.version + c.secret + c.id + c.account + c.user + c.mac)
		if err != nil {
			t.Fatal(err)
		}
		want := "sppt_" + base64JWK(raw)
		got, err := r.mintPending(c.token, tokenTime)
		if err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
		if len(want) != c.size {
			t.Errorf("%d characters, want %d", len(want), c.size)
		}
		if back, err := r.openPending(want); err != nil || back != c.token {
			t.Errorf("got %+v, %v, want %+v", back, err, c.token)
		}
	}
}

func TestPendingTokenRoundTrip(t *testing.T) {
	r := tokenSecrets(t, Secret{Value: tokenSecret(32, 1)})
	for _, user := range []string{"a", "Bob", "bob ", "bób", "a:b", "*", "{x}", "sppt_", strings.Repeat("é", 127), strings.Repeat("u", 255)} {
		want := pendingToken{tokenID(7), accountTag{7}, user}
		tok, err := r.mintPending(want, tokenTime)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.openPending(tok); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

// No token of one kind is one of another, whatever its prefix is made to say (P6).
func TestPendingTokenIsNoOther(t *testing.T) {
	r := tokenSecrets(t, Secret{Value: tokenSecret(32, 1)})
	pending, err := r.mintPending(pendingToken{ID: tokenID(1), User: "alice"}, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	refresh, err := r.mintRefresh(refreshToken{tokenID(1), 1, "alice"}, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	device, err := r.mintDevice(deviceToken{ID: "alice's own device", Signed: false}, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	for _, tok := range []string{pending, refresh, device} {
		for _, as := range []string{"sprt_", "spdt_", "sppt_"} {
			tok := as + tok[len(as):]
			_, err := r.openPending(tok)
			if (err == nil) != (tok == pending) {
				t.Errorf("%s as a pending token: %v", tok, err)
			}
			if _, err := r.openRefresh(tok); (err == nil) != (tok == refresh) {
				t.Errorf("%s as a refresh token: %v", tok, err)
			}
			if _, err := r.openDevice(tok); (err == nil) != (tok == device) {
				t.Errorf("%s as a device token: %v", tok, err)
			}
		}
	}
}

func TestHostilePendingTokens(t *testing.T) {
	r := tokenSecrets(t, Secret{Value: tokenSecret(32, 1)})
	other := tokenSecrets(t, Secret{Value: tokenSecret(32, 2)})
	good := pendingToken{ID: tokenID(1), User: "alice"}
	tok, err := r.mintPending(good, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.mintPending(good, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	// sealed signs any body with the good secret, so that only the body is at fault.
	sealed := func(version byte, id []byte, user string) string {
		b := append([]byte{version}, r.list[0].id[:]...)
		b = append(append(b, id...), make([]byte, len(accountTag{}))...)
		b = append(b, user...)
		return "sppt_" + base64JWK(append(b, r.list[0].mac(pendingKind, b)...))
	}
	one := tokenID(1)
	for _, c := range []struct {
		name, token string
		want        error
	}{
		{"nothing", "", errSealedForm},
		{"the prefix", "sppt_", errSealedForm},
		{"no prefix", tok[5:], errSealedForm},
		{"padding", tok + "=", errSealedForm},
		{"space after", tok + " ", errSealedForm},
		{"line break", tok[:30] + "\n" + tok[30:], errSealedForm},
		{"16 MB", "sppt_" + strings.Repeat("A", 16<<20), errSealedForm},
		{"another secret's", foreign, errSealedSecret},
		{"version 2, authentic", sealed(2, one[:], "alice"), errSealedVersion},
		{"authentic", sealed(1, one[:], "alice"), nil},
		{"authentic, nothing waits", sealed(1, make([]byte, 16), "alice"), errSealedBody},
		{"authentic, no user", sealed(1, one[:], ""), errSealedForm},
		{"authentic, control character", sealed(1, one[:], "a\n"), errSealedBody},
		{"authentic, not UTF-8", sealed(1, one[:], "a\xff"), errSealedBody},
		{"authentic, user of 256 bytes", sealed(1, one[:], strings.Repeat("u", 256)), errSealedForm},
	} {
		got, err := r.openPending(c.token)
		if !errors.Is(err, c.want) || (err == nil) != (got == good) || err != nil && got != (pendingToken{}) {
			t.Errorf("%s: got %+v, %v, want %v", c.name, got, err, c.want)
		}
	}
	for i := range tok {
		for b := range 256 {
			if byte(b) == tok[i] {
				continue
			}
			if _, err := r.openPending(tok[:i] + string([]byte{byte(b)}) + tok[i+1:]); err == nil {
				t.Fatalf("%#x at %d is accepted", b, i)
			}
		}
	}
}

// Nothing that is not minted opens, and nothing panics (P1, P9).
func FuzzPendingToken(f *testing.F) {
	r := tokenSecrets(f, Secret{Value: tokenSecret(32, 1)})
	minted := map[string]pendingToken{}
	for _, user := range []string{"a", "alice", "zoë", strings.Repeat("u", 255)} {
		want := pendingToken{tokenID(byte(len(user))), accountTag{1}, user}
		tok, err := r.mintPending(want, tokenTime)
		if err != nil {
			f.Fatal(err)
		}
		minted[tok] = want
		f.Add(tok)
		f.Add("sprt_" + tok[5:])
		f.Add(tok[:len(tok)-1])
	}
	f.Add("")
	f.Add("sppt_" + strings.Repeat("A", 71))
	f.Fuzz(func(t *testing.T, tok string) {
		got, err := r.openPending(tok)
		if want, ok := minted[tok]; (err == nil) != ok || got != want {
			t.Errorf("%q: got %+v, %v", tok, got, err)
		}
	})
}
