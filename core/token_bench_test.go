package core

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// bareClaims are accessClaims as an app would write them for golang-jwt.
type bareClaims struct {
	jwt.RegisteredClaims
	Session    string   `json:"sid"`
	Serial     uint64   `json:"ser"`
	AuthTime   int64    `json:"auth_time"`
	Device     string   `json:"did"`
	DeviceType string   `json:"dtp"`
	ClientType string   `json:"ct"`
	Scope      string   `json:"scope"`
	Roles      []string `json:"roles"`
	AMR        []string `json:"amr"`
	Plan       string   `json:"plan"`
	Tenant     struct {
		ID   int    `json:"id"`
		Name string `json:"name"`
	} `json:"tenant"`
}

// bareVerify is golang-jwt with its least: one algorithm, one key.
func bareVerify(k *ringKey) func(string) error {
	p := jwt.NewParser(jwt.WithValidMethods([]string{string(k.alg)}), jwt.WithTimeFunc(func() time.Time { return tokenTime }))
	key := func(*jwt.Token) (any, error) { return k.verifier, nil }
	return func(tok string) error {
		var c bareClaims
		_, err := p.ParseWithClaims(tok, &c, key)
		return err
	}
}

// BenchmarkVerify sets verify against bare golang-jwt on the same token, in
// turns, and reports the ratio of the medians ("x"; 1.2 is the most that is
// wanted).
func BenchmarkVerify(b *testing.B) {
	for _, alg := range tokenAlgorithms {
		for _, app := range []string{"", " and claims of the app"} {
			r := tokenRing(b, tokenKey(alg))
			c := tokenClaims()
			if app == "" {
				c.App = nil
			}
			tok, err := r.mint(c, tokenTime)
			if err != nil {
				b.Fatal(err)
			}
			v, bare := tokenVerifier(r), bareVerify(r.keys[0])
			b.Run(string(alg)+app, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := v.verify(tok, tokenTime); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				b.ReportMetric(inTurns(b, func() error { _, err := v.verify(tok, tokenTime); return err }, func() error { return bare(tok) }), "x")
			})
		}
	}
}

// inTurns returns the median time of f over that of g.
func inTurns(b *testing.B, f, g func() error) float64 {
	b.Helper()
	time1 := func(f func() error) time.Duration {
		start := time.Now()
		for range 20 {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start)
	}
	var fs, gs []time.Duration
	for range 201 {
		fs, gs = append(fs, time1(f)), append(gs, time1(g))
	}
	slices.Sort(fs)
	slices.Sort(gs)
	return float64(fs[100]) / float64(gs[100])
}

func BenchmarkBareGolangJWT(b *testing.B) {
	for _, alg := range tokenAlgorithms {
		r := tokenRing(b, tokenKey(alg))
		tok, err := r.mint(tokenClaims(), tokenTime)
		if err != nil {
			b.Fatal(err)
		}
		verify := bareVerify(r.keys[0])
		b.Run(string(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := verify(tok); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMint(b *testing.B) {
	for _, alg := range tokenAlgorithms {
		r := tokenRing(b, tokenKey(alg))
		b.Run(string(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.mint(tokenClaims(), tokenTime); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRefuse(b *testing.B) {
	r := tokenRing(b, tokenKey(HS256))
	v := tokenVerifier(r)
	tok, err := r.mint(tokenClaims(), tokenTime)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct{ name, token string }{
		{"16MB", strings.Repeat("A", 16<<20)},
		{"junk", strings.Repeat("?", 100)},
		{"signature", tok[:len(tok)-4] + "AAAA"},
		{"header", strings.Repeat("A", 300) + ".A.A"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.verify(c.token, tokenTime); !errors.Is(err, ErrTokenInvalid) {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRefreshToken(b *testing.B) {
	r := tokenSecrets(b, Secret{Value: tokenSecret(32, 1)})
	t := refreshToken{tokenID(1), 12, "alice"}
	tok, err := r.mintRefresh(t, tokenTime)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("mint", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.mintRefresh(t, tokenTime); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.openRefresh(tok); err != nil {
				b.Fatal(err)
			}
		}
	})
}
