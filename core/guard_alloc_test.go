package core_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/core"
)

// issuedElsewhere returns a foreign token, see withForeign.
func issuedElsewhere(t *testing.T, now time.Time, claims jwt.MapClaims) string {
	t.Helper()
	claims["iat"], claims["exp"], claims["auth_time"] = now.Unix(), now.Add(time.Hour).Unix(), now.Unix()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(testSecret("foreign"))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func withForeign(c *core.Config) {
	c.Foreign.Keys = []core.Key{{Secret: testSecret("foreign")}}
}

// A known token costs no allocation and no call on the store: with rules that
// are kept and without, however long it is, and when it has to be looked up,
// since it is to be retired or somebody else is in doubt.
func TestGuardAllocations(t *testing.T) {
	store := newTap()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	h := still(t, store, func() time.Time { return now }, withForeign, func(c *core.Config) { c.RetireAccess = time.Hour })
	h.signIn("the first of all")
	now = now.Add(2 * time.Minute)
	own := h.signInAs([]string{"a", "b"}, []string{"c", "d"})
	retiring := h.signInAs([]string{"a", "b"}, []string{"c", "d"})
	h.refresh(retiring)
	long := issuedElsewhere(t, now, jwt.MapClaims{"sub": "bob", "jti": "1", "scope": "a b", "roles": []string{"c", "d"}, "filler": strings.Repeat("x", 5900)})
	if n := len(long); n < 8000 || n > 8<<10 {
		t.Fatalf("the long token has %d bytes", n)
	}
	h.ReadFeed(t.Context())
	calls := store.counting()
	for _, doubts := range []bool{false, true} {
		if doubts {
			if n, err := h.RevokeAll(t.Context(), "carol", core.ReasonRevoked); n != 0 || err != nil {
				t.Fatal(n, err)
			}
		}
		for name, token := range map[string]string{"a token": own.AccessToken, "one to be retired": retiring.AccessToken, "a foreign one of 8 KiB": long} {
			for _, rules := range [][]core.Rule{nil, {core.Scope("a", "b"), core.Role("x", "d"), core.Fresh(time.Hour)}} {
				for _, guard := range []*core.Guard{h.Guard(rules...), h.OptionalGuard(rules...)} {
					request := bearing(token)
					check := func() {
						if d := guard.Check(request); d.Principal == nil {
							t.Fatalf("%s: %s", name, d.Refusal.Body)
						}
					}
					check()
					h.FlushUses(context.Background())
					calls()
					if n := testing.AllocsPerRun(1000, check); n != 0 {
						t.Errorf("%s, %d rules, doubts %v: %v allocations, want none", name, len(rules), doubts, n)
					}
					if n := calls(); len(n) != 0 {
						t.Errorf("%s, %d rules, doubts %v: asked the store: %v", name, len(rules), doubts, n)
					}
				}
			}
		}
	}
}
