package core

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// countingMethod counts what a key verifies.
type countingMethod struct {
	jwt.SigningMethod
	calls, bytes int
}

func (m *countingMethod) Verify(text string, sig []byte, key any) error {
	m.calls++
	m.bytes += len(text) + len(sig)
	return m.SigningMethod.Verify(text, sig, key)
}

// What a token costs is bounded, whatever it is (P8): at most one signature is
// verified, of at most as many bytes as a token may have, and none for what
// could not have a good one; of a token that is too long nothing is copied.
func TestHostileCost(t *testing.T) {
	const calls = 64
	for _, alg := range tokenAlgorithms {
		r := tokenRing(t, tokenKey(alg))
		key := r.keys[0]
		v := tokenVerifier(r)
		f := newForger(t, r, key, 1)
		method := &countingMethod{SigningMethod: key.method}
		head, payload, sig := parts(f.token)
		long := strings.Repeat("A", 16<<20)
		fill := func(before, after string) string {
			return before + strings.Repeat("A", accessTokenMax-len(before)-len(after)) + after
		}
		for _, c := range []struct {
			name   string
			token  string
			verify int    // signatures
			most   uint64 // bytes allocated
		}{
			{"16 MB", long, 0, 1 << 10},
			{"16 MB of dots", strings.Repeat(".", 16<<20), 0, 1 << 10},
			{"16 MB of line breaks", strings.Repeat("\n", 16<<20), 0, 1 << 10},
			{"16 MB of header", long + "." + payload + "." + sig, 0, 1 << 10},
			{"16 MB of payload", head + "." + long + "." + sig, 0, 1 << 10},
			{"16 MB of signature", head + "." + payload + "." + long, 0, 1 << 10},
			{"16 MB after a good token", f.token + long, 0, 1 << 10},
			{"a byte too long, and signed", f.signed(object(f.header()), f.padded(accessTokenMax+4)), 0, 1 << 10},
			{"nothing but dots", strings.Repeat(".", accessTokenMax), 0, 1 << 10},
			{"not base64url at the end", fill(head+"."+payload+".", "="), 0, 1 << 10},
			{"the longest header", fill("", "."+payload+"."+sig), 0, 1 << 10},
			{"a header that nests", base64JWK([]byte(strings.Repeat(`[`, accessHeaderMax))) + "." + payload + "." + sig, 0, 8 << 10},
			{"a header of many names", base64JWK([]byte(`{"a`+strings.Repeat(`":0,"a`, 40)+`":0}`)) + "." + payload + "." + sig, 0, 8 << 10},
			{"the longest signature", fill(head+"."+payload+".", ""), 0, 1 << 10},
			{"the longest payload, bad signature", fill(head+".", "."+strings.Repeat("A", len(sig))), 1, 32 << 10},
			{"a payload that nests, signed", f.signed(object(f.header()), strings.Repeat("[", 4000)), 1, 128 << 10},
			{"a payload of objects that nest, signed", f.signed(object(f.header()), strings.Repeat(`{"a":`, 1000)), 1, 256 << 10},
			{"a payload of many names, signed", f.signed(object(f.header()), manyNames(5000)), 1, 256 << 10},
			{"a payload of one long number, signed", f.signed(object(f.header()), `{"exp":`+strings.Repeat("9", 5000)+"}"), 1, 64 << 10},
		} {
			look := func() {
				if _, err := v.verify(c.token, tokenTime); !errors.Is(err, ErrTokenInvalid) {
					t.Fatalf("%s, %s: got %v, want it refused", alg, c.name, err)
				}
			}
			key.method = method
			method.calls, method.bytes = 0, 0
			look()
			key.method = method.SigningMethod
			if method.calls != c.verify || method.bytes > accessTokenMax {
				t.Errorf("%s, %s: verified %d signatures over %d bytes, want %d over %d at most", alg, c.name, method.calls, method.bytes, c.verify, accessTokenMax)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range calls {
				look()
			}
			runtime.ReadMemStats(&after)
			if got := (after.TotalAlloc - before.TotalAlloc) / calls; got > c.most {
				t.Errorf("%s, %s: allocated %d bytes, want %d at most", alg, c.name, got, c.most)
			}
		}
	}
}

// manyNames returns a JSON object of n bytes or less, with as many names as
// there is room for.
func manyNames(n int) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	var b strings.Builder
	for i := 0; b.Len() < n-12; i++ {
		b.WriteString(`,"` + digits[i/36%36:i/36%36+1] + digits[i%36:i%36+1] + `":0`)
	}
	return "{" + b.String()[1:] + "}"
}
