package core

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func tokenSecrets(t testing.TB, secrets ...Secret) *secretRing {
	t.Helper()
	r, err := newSecretRing(secrets, nil, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSecretRingMistakes(t *testing.T) {
	good := Secret{Value: tokenSecret(32, 1)}
	soon := tokenTime.Add(time.Nanosecond)
	for _, c := range []struct {
		rule    string
		secrets []Secret
		keys    []Key
		want    string // "" accepted
	}{
		{"one", []Secret{good}, nil, ""},
		{"none", nil, nil, "there is none"},
		{"none, and nothing is derived from a public key", nil, []Key{{Signer: otherEd25519(1)}, {Public: otherEd25519(2).Public()}}, "no HMAC key that could serve"},
		{"the HMAC key serves", nil, []Key{{Signer: otherEd25519(1)}, {Secret: tokenSecret(32, 1)}}, ""},
		{"a weak HMAC key does not", nil, []Key{{Signer: otherEd25519(1)}, {Secret: []byte("secret")}}, "Config.Keys[1] as a secret: 6 bytes are too few"},
		{"HMAC keys do not serve beside secrets", []Secret{good}, []Key{{Secret: []byte("secret")}}, ""},
		{"short", []Secret{good, {Value: tokenSecret(31, 2)}}, nil, "Config.Secrets[1]: 31 bytes are too few"},
		{"empty", []Secret{{}}, nil, "Config.Secrets[0]: it is empty"},
		{"weak", []Secret{{Value: bytes.Repeat([]byte("changeme"), 8)}}, nil, "repeats itself"},
		{"twice", []Secret{good, good}, nil, "Config.Secrets[1]: it is in the list twice"},
		{"none has begun", []Secret{{Value: tokenSecret(32, 1), MintFrom: soon}}, nil, "none makes tokens yet"},
		{"no HMAC key has begun", nil, []Key{{Secret: tokenSecret(32, 1), SignFrom: soon}}, "none makes tokens yet"},
		{"one has", []Secret{{Value: tokenSecret(32, 1), MintFrom: soon}, good, {Value: tokenSecret(32, 2)}}, nil, "twice"},
		{"begins now", []Secret{{Value: tokenSecret(32, 1), MintFrom: tokenTime}}, nil, ""},
	} {
		_, err := newSecretRing(c.secrets, c.keys, tokenTime)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.rule, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q in it", c.rule, err, c.want)
		}
	}
	_, err := newSecretRing([]Secret{{}, {Value: []byte("x")}, good}, nil, tokenTime)
	if err == nil || !strings.Contains(err.Error(), "Secrets[0]") || !strings.Contains(err.Error(), "Secrets[1]") {
		t.Errorf("not every mistake at once: %v", err)
	}
}

// A new secret verifies everywhere before it mints; an old one verifies until
// it is removed, and then never (P40).
func TestSecretRotation(t *testing.T) {
	hour := time.Hour
	start := tokenTime
	first := Secret{Value: tokenSecret(32, 1)}
	second := Secret{Value: tokenSecret(32, 2), MintFrom: start.Add(48 * hour)}
	third := Secret{Value: tokenSecret(48, 3), MintFrom: start.Add(72 * hour)}
	ring := tokenSecrets(t, first, third, second)
	position := refreshToken{tokenID(1), 3, "alice"}
	var tokens []string
	for h := range 96 {
		now := start.Add(time.Duration(h) * hour)
		want := ring.list[0]
		if h >= 48 {
			want = ring.list[2]
		}
		if h >= 72 {
			want = ring.list[1]
		}
		tok, err := ring.mintRefresh(position, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := ring.minting(now); got != want {
			t.Fatalf("after %dh: secret %x, want %x", h, got.id, want.id)
		}
		if len(tokens) == 0 || tokens[len(tokens)-1] != tok {
			tokens = append(tokens, tok)
		}
	}
	if len(tokens) != 3 {
		t.Fatalf("%d different tokens, want 3", len(tokens))
	}
	if got := ring.minting(second.MintFrom.Add(-1)); got != ring.list[0] {
		t.Error("a nanosecond too early")
	}
	for i, c := range []struct {
		secrets []Secret
		opens   [3]bool
	}{
		{[]Secret{first}, [3]bool{true, false, false}},
		{[]Secret{first, second}, [3]bool{true, true, false}},
		{[]Secret{first, second, third}, [3]bool{true, true, true}},
		{[]Secret{{Value: second.Value}, third}, [3]bool{false, true, true}},
		{[]Secret{{Value: third.Value}}, [3]bool{false, false, true}},
	} {
		r := tokenSecrets(t, c.secrets...)
		for j, tok := range tokens {
			got, err := r.openRefresh(tok)
			if c.opens[j] && (err != nil || got != position) {
				t.Errorf("ring %d, token %d: got %+v, %v", i, j, got, err)
			}
			if !c.opens[j] && !errors.Is(err, errSealedSecret) {
				t.Errorf("ring %d, token %d: got %v, want %v", i, j, err, errSealedSecret)
			}
		}
	}

	// A clock that runs backwards makes an error, no token.
	late := tokenSecrets(t, Secret{Value: tokenSecret(32, 1), MintFrom: tokenTime})
	if tok, err := late.mintRefresh(position, tokenTime.Add(-1)); tok != "" || !errors.Is(err, errNoSecret) {
		t.Errorf("refresh: got %q, %v", tok, err)
	}
	if tok, err := late.mintDevice(tokenDevice(1), tokenTime.Add(-1)); tok != "" || !errors.Is(err, errNoSecret) {
		t.Errorf("device: got %q, %v", tok, err)
	}
	// Of two with the same MintFrom the earlier mints.
	if r := tokenSecrets(t, Secret{Value: tokenSecret(32, 2)}, Secret{Value: tokenSecret(32, 1)}); r.minting(tokenTime) != r.list[0] {
		t.Error("the later of two mints")
	}
}

// An HMAC key that serves as a secret does so from its SignFrom, and what is
// derived from it is the same as from a Secret.
func TestKeyAsSecret(t *testing.T) {
	from := tokenTime.Add(time.Hour)
	keys := []Key{{Secret: tokenSecret(32, 1)}, {Signer: otherEd25519(1)}, {Algorithm: HS512, Secret: tokenSecret(64, 2), SignFrom: from}}
	r, err := newSecretRing(nil, keys, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	same := tokenSecrets(t, Secret{Value: tokenSecret(32, 1)}, Secret{Value: tokenSecret(64, 2), MintFrom: from})
	for _, now := range []time.Time{tokenTime, from.Add(-1), from, from.Add(time.Hour)} {
		a, err1 := r.mintDevice(tokenDevice(1), now)
		b, err2 := same.mintDevice(tokenDevice(1), now)
		if err1 != nil || err2 != nil || a != b {
			t.Errorf("%v: got %s, want %s, %v, %v", now, a, b, err1, err2)
		}
	}
}

// No two purposes share a key, and none is the secret itself.
func TestDerivedKeysDiffer(t *testing.T) {
	secret := tokenSecret(32, 1)
	r := tokenSecrets(t, Secret{Value: secret})
	derived := append(r.list[0].keys[:], r.list[0].id[:], derive(secret, "sallyport v1 key id", 8), secret)
	for i, a := range derived {
		for j, b := range derived[:i] {
			if n := min(len(a), len(b)); bytes.Equal(a[:n], b[:n]) {
				t.Errorf("%d and %d are the same", i, j)
			}
		}
	}
	prefixes := map[string]bool{}
	for i, kind := range sealedKinds {
		if kind.index != i || prefixes[kind.prefix] || prefixes[kind.purpose] || kind.bodyMax > sealBodyMax {
			t.Errorf("kind %d: %+v", i, kind)
		}
		prefixes[kind.prefix], prefixes[kind.purpose] = true, true
	}
}

func TestSecretsDoNotShareMemory(t *testing.T) {
	value := tokenSecret(32, 1)
	r := tokenSecrets(t, Secret{Value: value})
	tok, err := r.mintDevice(tokenDevice(1), tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	clear(value)
	if _, err := r.openDevice(tok); err != nil {
		t.Error(err)
	}
}
