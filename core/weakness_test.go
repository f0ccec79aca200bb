package core

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
)

// What people type, and what everybody knows, is refused (P7).
func TestWeakness(t *testing.T) {
	published := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	counting := make([]byte, 32)
	for i := range counting {
		counting[i] = byte(i)
	}
	for _, c := range []struct{ secret, want string }{
		{"", "empty"},
		{"secret", "too few"},
		{strings.Repeat("x", 31), "too few"},
		{strings.Repeat("x", 32), "repeats"},
		{strings.Repeat("secret", 6), "repeats"},
		{strings.Repeat("changeme", 4), "repeats"},
		{strings.Repeat("deadbeef", 8), "repeats"},
		{strings.Repeat("0123456789abcdef", 2), "repeats"},
		{"k7GvQz1mX0pWc9Rtk7GvQz1mX0pWc9Rt", "repeats"},
		{"secretsecretsecretsecretsecretsecretsec", "repeats"},
		{string(counting), "guessed"},
		{"abcdefghijklmnopqrstuvwxyz123456", "guessed"},
		{"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", "guessed"},
		{"12345678901234567890123456789012", "repeats"},
		{"zyxwvutsrqponmlkjihgfedcba987654", "guessed"},
		{"aaaaaaaabbbbbbbbccccccccddddddddeeeeeeee", "guessed"},
		{"aXbaXbcXbaXbcXaXcXbXaXbXcXbXaXcXaXb", "guessed"}, // four letters
		{"qwertyuiopasdfghjklzxcvbnm123456", "guessed"},
		{"your-256-bit-secret-your-256-bit", "guessed"},
		{"your-256-bit-secret your-384-bit-secret", "guessed"},
		{"your-512-bit-secret-must-be-at-least-64-bytes", "guessed"},
		{"a-string-secret-at-least-256-bits-long", "guessed"},
		{"a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long", "guessed"},
		{"supersecretsupersecretsupersecre", "repeats"},
		{"my-super-secret-jwt-key-change-me", "guessed"},
		{"SuperSecretPassword1234567890!!!", "guessed"},
		{"change-me-to-a-long-random-string", "guessed"},
		{"CHANGE_THIS_SECRET_IN_PRODUCTION", "guessed"},
		{"please-change-this-secret-key-in-production", "guessed"},
		{"this-is-a-very-long-secret-key-for-jwt", "guessed"},
		{"thisisaverylongsecretkeyforhs256!", "guessed"},
		{"insecure-default-secret-key-for-dev", "guessed"},
		{"correct horse battery staple password", "guessed"},
		{"passwordpasswordPasswordpassword", "guessed"},
		{"secret\r\nsecret_secret-secret.secret", "guessed"},
		{string(published("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")), "published"},
		{"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", "published"},
		{"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\n", "published"},
		{string(published("hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg")), "published"},
		{"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg", "published"},
		{"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ", "PEM"},
		{"\n-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKx", "PEM"},
	} {
		if got := weakness([]byte(c.secret), 32); !strings.Contains(got, c.want) {
			t.Errorf("%q: got %q, want %q in it", c.secret, got, c.want)
		}
	}
}

// What is random passes, in whatever alphabet it comes: none is refused but
// by accident.
func TestWeaknessOfRandom(t *testing.T) {
	var seed [32]byte
	copy(seed[:], tokenSecret(32, 8))
	source := rand.NewChaCha8(seed)
	b := make([]byte, 32)
	const rounds = 3000
	for _, c := range []struct {
		name string
		make func() []byte
		most int // refused by accident
	}{
		{"bytes", func() []byte { return b }, 0},
		{"hexadecimal", func() []byte { return hex.AppendEncode(nil, b) }, 0},
		{"32 hexadecimal digits", func() []byte { return hex.AppendEncode(nil, b[:16]) }, 0},
		{"base64", func() []byte { return base64.StdEncoding.AppendEncode(nil, b) }, 0},
		{"base64 of 24 bytes", func() []byte { return base64.RawURLEncoding.AppendEncode(nil, b[:24]) }, 0},
		{"a name and hexadecimal", func() []byte { return hex.AppendEncode([]byte("production-secret-"), b) }, 0},
		{"32 digits", func() []byte {
			digits := make([]byte, 32)
			for i := range digits {
				digits[i] = '0' + b[i]%10
			}
			return digits
		}, 1},
	} {
		refused := 0
		for range rounds {
			source.Read(b)
			secret := c.make()
			if reason := weakness(secret, 32); reason != "" {
				refused++
				if refused > c.most {
					t.Errorf("%s: %q: %s", c.name, secret, reason)
					break
				}
			}
		}
	}
}

func TestRepeats(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "a": false, "aa": true, "ab": false, "abab": true, "ababa": true, "abcab": false, "abaaba": true, "aaab": false,
	} {
		if got := repeats([]byte(s)); got != want {
			t.Errorf("%q: got %v", s, got)
		}
	}
	if !repeats(bytes.Repeat([]byte{0}, 1<<10)) {
		t.Error("zeros")
	}
}
