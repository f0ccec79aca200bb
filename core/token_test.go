package core

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"go/parser"
	"go/token"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// tokenTime is when tokens are made in tests; it is in the middle of a second.
var tokenTime = time.Date(2026, 3, 4, 5, 6, 7, 500e6, time.UTC)

// tokenSecret is no secret: the squares of a counter. It differs by seed.
func tokenSecret(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*i*7+i*101) ^ seed*29
	}
	return b
}

// tokenSigners are made once: RSA takes its time.
var tokenSigners = sync.OnceValue(func() map[Algorithm]crypto.Signer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	pssKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return map[Algorithm]crypto.Signer{
		RS256: rsaKey, PS256: pssKey, ES256: ecKey, EdDSA: ed25519.NewKeyFromSeed(tokenSecret(32, 9)),
	}
})

var tokenAlgorithms = []Algorithm{HS256, HS384, HS512, RS256, PS256, ES256, EdDSA}

// tokenKey returns a signing key for an algorithm.
func tokenKey(alg Algorithm) Key {
	if least := algorithms[alg].secret; least > 0 {
		return Key{Algorithm: alg, Secret: tokenSecret(least, byte(least))}
	}
	return Key{Algorithm: alg, Signer: tokenSigners()[alg]}
}

func tokenRing(t testing.TB, keys ...Key) *keyRing {
	t.Helper()
	r, err := newKeyRing(keys, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tokenVerifier(r *keyRing) accessVerifier {
	return accessVerifier{ring: r, issuer: "https://auth.example", audience: "api"}
}

// tokenID is a fixed id.
func tokenID(b byte) (id ID) {
	for i := range id {
		id[i] = b + byte(i)
	}
	return id
}

// tokenClaims are what a verified token says, so with times as it has them.
func tokenClaims() *accessClaims {
	at := tokenTime.Truncate(time.Second)
	return &accessClaims{
		Issuer: "https://auth.example", Audience: "api", Subject: "alice",
		IssuedAt: at, ExpiresAt: at.Add(time.Hour), AuthTime: at.Add(-time.Minute),
		ID: tokenID(1), Session: tokenID(101), Serial: 7,
		Device: "d-1", DeviceType: "desktop", ClientType: "web",
		Scopes: []string{"orders:read", "orders:write"}, Roles: []string{"admin"}, AMR: []string{"pwd", "otp"},
		App: []byte(`{"plan":"gold","tenant":{"id":42,"name":"Zoë"}}`),
	}
}

// forge signs any header and payload.
func forge(t testing.TB, key *ringKey, header, payload string) string {
	t.Helper()
	text := base64JWK([]byte(header)) + "." + base64JWK([]byte(payload))
	sig, err := key.sign(text)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64JWK(sig)
}

// tokenParts returns the header and the payload of a token, and its signature as it stands.
func tokenParts(t testing.TB, tok string) (header, payload, signature string) {
	t.Helper()
	parts := strings.Split(tok, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	h, err1 := strictBase64.DecodeString(parts[0])
	p, err2 := strictBase64.DecodeString(parts[1])
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return string(h), string(p), parts[2]
}

// No kind of token passes for another, though all come from one secret (P6).
func TestTokenKinds(t *testing.T) {
	key := tokenKey(HS256)
	keys := tokenRing(t, key)
	secrets, err := newSecretRing(nil, []Key{key}, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	access, err := keys.mint(tokenClaims(), tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	refresh, err := secrets.mintRefresh(refreshToken{tokenID(1), 1, "alice"}, tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	device, err := secrets.mintDevice(tokenDevice(1), tokenTime)
	if err != nil {
		t.Fatal(err)
	}
	_, payload, _ := tokenParts(t, access)
	idToken := forge(t, keys.keys[0], `{"alg":"HS256","kid":"`+keys.keys[0].id+`","typ":"JWT"}`, payload)

	// A refresh token whose body has the size of a device token's does not
	// exist; one with the prefix exchanged is the nearest thing.
	swap := func(s, from, to string) string { return to + strings.TrimPrefix(s, from) }
	deviceSealed := func(prefix string) string {
		body := tokenID(1)
		raw := append([]byte{sealVersion}, secrets.list[0].id[:]...)
		raw = append(raw, body[:]...)
		return prefix + base64JWK(append(raw, secrets.list[0].mac(refreshKind, raw)...))
	}
	tokens := map[string]string{
		"access": access, "refresh": refresh, "device": device, "id token": idToken,
		"refresh under the device prefix":             swap(refresh, "sprt_", "spdt_"),
		"device under the refresh prefix":             swap(device, "spdt_", "sprt_"),
		"device without prefix":                       swap(device, "spdt_", ""),
		"refresh without prefix":                      swap(refresh, "sprt_", ""),
		"device id under the refresh MAC":             deviceSealed("spdt_"),
		"device id under the refresh MAC and prefix":  deviceSealed("sprt_"),
		"access without its signature, as sealed":     "sprt_" + access[:strings.LastIndex(access, ".")],
		"refresh as the payload of an access token":   keys.keys[0].header + "." + refresh[5:] + "." + access[strings.LastIndex(access, ".")+1:],
		"an HMAC of the signing key, not of its HKDF": "spdt_" + base64JWK(append(append([]byte{1}, secrets.list[0].id[:]...), make([]byte, 48)...)),
	}
	for name, tok := range tokens {
		if _, err := tokenVerifier(keys).verify(tok, tokenTime); (err == nil) != (name == "access") {
			t.Errorf("%s as an access token: %v", name, err)
		}
		if _, err := secrets.openRefresh(tok); (err == nil) != (name == "refresh") {
			t.Errorf("%s as a refresh token: %v", name, err)
		}
		if _, err := secrets.openDevice(tok); (err == nil) != (name == "device") {
			t.Errorf("%s as a device token: %v", name, err)
		}
	}
	if _, err := tokenVerifier(keys).verify(idToken, tokenTime); !errors.Is(err, errTokenType) {
		t.Errorf("id token: got %v, want %v", err, errTokenType)
	}
}

// What verifies tokens can't reach a file or the network: nothing that it
// imports can (P3).
func TestVerifierImports(t *testing.T) {
	for _, file := range []string{
		"accesstoken.go", "accessclaims.go", "claims.go", "keys.go", "jwk.go", "weakness.go", "secrets.go",
		"refreshtoken.go", "devicetoken.go", "userid.go", "id.go",
	} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			path := strings.Trim(imp.Path.Value, `"`)
			switch root, _, _ := strings.Cut(path, "/"); {
			case root == "os", root == "net", root == "syscall", root == "plugin", root == "unsafe", path == "io/fs", path == "crypto/x509", path == "crypto/tls":
				t.Errorf("%s imports %s", file, path)
			}
		}
	}
}

// The ring's own PS256 takes no salt but one of the hash's length (RFC 7518
// section 3.5), which golang-jwt's would.
func TestPSSSalt(t *testing.T) {
	key := tokenRing(t, tokenKey(PS256)).keys[0]
	digest := crypto.SHA256.New()
	digest.Write([]byte("text"))
	for _, c := range []struct {
		salt int
		ok   bool
	}{{rsa.PSSSaltLengthEqualsHash, true}, {32, true}, {20, false}, {rsa.PSSSaltLengthAuto, false}} {
		sig, err := rsa.SignPSS(rand.Reader, tokenSigners()[PS256].(*rsa.PrivateKey), crypto.SHA256, digest.Sum(nil), &rsa.PSSOptions{SaltLength: c.salt})
		if err != nil {
			t.Fatal(err)
		}
		if err := key.verify("text", sig); (err == nil) != c.ok {
			t.Errorf("salt %d: got %v, want ok %v", c.salt, err, c.ok)
		}
		if err := jwt.SigningMethodPS256.Verify("text", sig, key.verifier); err != nil {
			t.Errorf("salt %d: golang-jwt's own method refuses: %v", c.salt, err)
		}
	}
}
