package core

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"
)

// The thumbprints are those that the RFCs print.
func TestThumbprints(t *testing.T) {
	for _, c := range []struct {
		source string
		key    crypto.PublicKey
		want   string
	}{
		{"RFC 7638 section 3.1", rsaPublic(base64Int(t, "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"), 65537), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		{"RFC 8037 appendix A.3", ed25519.PublicKey(base64Int(t, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").Bytes()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
	} {
		p, err := readPublicKey(c.key)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.thumbprint(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.source, got, c.want)
		}
	}
}

// The JWKS holds what a stranger needs to verify, and no more.
func TestJWKS(t *testing.T) {
	if got, want := string(tokenRing(t, tokenKey(HS256), tokenKey(HS512)).jwks()), `{"keys":[]}`; got != want {
		t.Errorf("HMAC keys: got %s, want %s", got, want)
	}

	edKey := ed25519.NewKeyFromSeed(tokenSecret(32, 9))
	golden := `{"keys":[{"alg":"EdDSA","kid":"2026-03","use":"sig","crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(edKey[32:]) + `"}]}`
	if got := string(tokenRing(t, Key{ID: "2026-03", Signer: edKey}).jwks()); got != golden {
		t.Errorf("got  %s\nwant %s", got, golden)
	}

	var keys []Key
	for _, alg := range tokenAlgorithms {
		keys = append(keys, tokenKey(alg))
	}
	keys = append(keys, Key{ID: "later", Signer: otherEd25519(1), SignFrom: tokenTime.Add(time.Hour)})
	keys = append(keys, Key{ID: "before", Public: otherEd25519(2).Public()})
	r := tokenRing(t, keys...)
	if again := tokenRing(t, keys...).jwks(); !bytes.Equal(r.jwks(), again) {
		t.Error("not the same bytes twice")
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(r.jwks(), &set); err != nil {
		t.Fatal(err)
	}
	wantIDs := []string{}
	for _, k := range r.keys {
		if k.public != nil {
			wantIDs = append(wantIDs, k.id)
		}
	}
	if len(set.Keys) != len(wantIDs) || len(wantIDs) != 6 {
		t.Fatalf("got %d keys, want %d", len(set.Keys), len(wantIDs))
	}
	for i, jwk := range set.Keys {
		id := jwk["kid"]
		if id != wantIDs[i] {
			t.Errorf("key %d: got %s, want %s: the order of the configuration", i, id, wantIDs[i])
		}
		k := r.byID(id)
		// Rebuilt from its JWK alone, the key verifies what the ring signs.
		rebuilt := Key{ID: id, Algorithm: Algorithm(jwk["alg"]), Public: fromJWK(t, jwk)}
		stranger := tokenRing(t, tokenKey(HS256), rebuilt)
		if k.signer != nil {
			tok := forge(t, k, `{"alg":"`+string(k.alg)+`","kid":"`+id+`","typ":"at+jwt"}`, string(encoded(t, tokenClaims())))
			if _, err := tokenVerifier(stranger).verify(tok, tokenTime); err != nil {
				t.Errorf("%s: %v", k.alg, err)
			}
		}
		if jwk["use"] != "sig" || jwk["alg"] != string(k.alg) {
			t.Errorf("%s: got %v", k.alg, jwk)
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k", "oth"} {
			if _, ok := jwk[private]; ok {
				t.Errorf("%s: has the private member %q", k.alg, private)
			}
		}
	}
}

func otherEd25519(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(tokenSecret(32, 100+seed))
}

func encoded(t testing.TB, c *accessClaims) []byte {
	t.Helper()
	b, err := c.encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func fromJWK(t *testing.T, jwk map[string]string) crypto.PublicKey {
	t.Helper()
	switch jwk["kty"] {
	case "RSA":
		return rsaPublic(base64Int(t, jwk["n"]), int(base64Int(t, jwk["e"]).Int64()))
	case "EC":
		if len(jwk["x"]) != 43 || len(jwk["y"]) != 43 {
			t.Errorf("coordinates are not of full length (RFC 7518 section 6.2.1.2): %v", jwk)
		}
		return ecdsaPublic(t, jwk["x"], jwk["y"])
	case "OKP":
		x, err := base64.RawURLEncoding.DecodeString(jwk["x"])
		if err != nil {
			t.Fatal(err)
		}
		return ed25519.PublicKey(x)
	}
	t.Fatalf("kty: %v", jwk)
	return nil
}
