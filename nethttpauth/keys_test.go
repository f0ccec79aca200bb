package nethttpauth_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// published checks that an answer is a set of keys that anybody may keep for
// five minutes.
func (a answer) published(keys ...string) answer {
	a.t.Helper()
	if want := `{"keys":[` + strings.Join(keys, ",") + `]}`; a.status != 200 || a.body != want {
		a.t.Errorf("%s: got %d %s, want %s", a.asked, a.status, a.body, want)
	}
	a.is("Content-Type", "application/json")
	a.is("Cache-Control", "public, max-age=300")
	a.cookies()
	return a
}

const keysPath = "/.well-known/jwks.json"

// The keys are public: whoever asks, and whatever is wrong, they are the same.
func TestKeysForAnybody(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		p := s.signIn("alice")
		for name, part := range map[string]part{
			"nobody":               header("X-None", ""),
			"a user":               bearer(p.AccessToken),
			"a bad token":          bearer("x"),
			"a browser":            refreshCookie(p.Cookie),
			"another site":         header("Sec-Fetch-Site", "cross-site"),
			"another site, origin": header("Origin", "https://evil.example"),
		} {
			s.ask("GET", keysPath, "", part).of(name).published() // HMAC keys are never in it
		}
		s.store.down.Store(true)
		s.ask("GET", keysPath, "").of("store down").published()

		for _, method := range []string{"POST", "PUT", "DELETE"} {
			if a := s.ask(method, keysPath, ""); a.status != 405 {
				t.Errorf("%s: got %d, want 405", method, a.status)
			}
		}
	})
}

// A service that knows the document alone verifies what is signed now, and what
// will be: a key is published before it signs (RFC 7517 section 4 and 5).
func TestKeysVerify(t *testing.T) {
	first, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, next, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := first.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	begin, err := time.Parse(time.RFC3339, begins)
	if err != nil {
		t.Fatal(err)
	}
	onSite(t, func(c *core.Config) {
		c.Keys = []core.Key{
			{ID: "shared", Secret: testKey}, // others know it, and it still is no public key
			{ID: "now", Signer: first, SignFrom: begin},
			{ID: "next", Signer: next, SignFrom: begin.Add(10 * time.Minute)},
		}
	}, func(t *testing.T, s *site) {
		document := s.ask("GET", keysPath, "").published(
			fmt.Sprintf(`{"alg":"ES256","kid":"now","use":"sig","crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, encode(point[1:33]), encode(point[33:])),
			fmt.Sprintf(`{"alg":"EdDSA","kid":"next","use":"sig","crv":"Ed25519","kty":"OKP","x":"%s"}`, encode(public)),
		).body
		secret, err := first.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		for _, private := range [][]byte{testKey, secret, next.Seed()} {
			if strings.Contains(document, encode(private)) {
				t.Errorf("a private key is in the document: %s", document)
			}
		}

		now := s.signIn("alice").AccessToken
		verifies(t, document, now, "now")
		pass(10 * time.Minute)
		if later := s.ask("GET", keysPath, "").body; later != document {
			t.Errorf("the document changed: got %s, want %s", later, document)
		}
		verifies(t, document, s.signIn("alice").AccessToken, "next")
		verifies(t, document, now, "now") // and still is good
		s.do("GET", "/sessions", "", bearer(now)).ok()
	})
}

// verifies checks a token's signature by a set of keys, with no code of ours.
func verifies(t *testing.T, document, token, kid string) {
	t.Helper()
	var set struct {
		Keys []struct{ Alg, Kid, X, Y string }
	}
	if err := json.Unmarshal([]byte(document), &set); err != nil {
		t.Fatal(err)
	}
	decode := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	parts := strings.Split(token, ".")
	var h struct{ Alg, Kid, Typ string }
	if err := json.Unmarshal(decode(parts[0]), &h); err != nil {
		t.Fatal(err)
	}
	signed, sig, good := []byte(parts[0]+"."+parts[1]), decode(parts[2]), false
	for _, k := range set.Keys {
		if k.Kid != h.Kid || k.Alg != h.Alg {
			continue
		}
		switch k.Alg {
		case "ES256":
			key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, append(decode(k.X), decode(k.Y)...)...))
			if err != nil {
				t.Fatal(err)
			}
			digest := sha256.Sum256(signed)
			good = ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
		case "EdDSA":
			good = ed25519.Verify(decode(k.X), signed, sig)
		}
	}
	if !good || h.Kid != kid || h.Typ != "at+jwt" {
		t.Errorf("a token with the header %+v: verified %v, want kid %s", h, good, kid)
	}
}
