package core_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// issuer is an app that has always made its own tokens.
type issuer struct {
	t      *testing.T
	method jwt.SigningMethod
	key    any
}

func newIssuer(t *testing.T) *issuer {
	return &issuer{t, jwt.SigningMethodHS256, []byte(rand.Text() + rand.Text())}
}

// foreign has an Auth accept the tokens.
func (i *issuer) foreign(c *core.Config) {
	switch key := i.key.(type) {
	case []byte:
		c.Foreign.Keys = append(c.Foreign.Keys, core.Key{Secret: key})
	case *ecdsa.PrivateKey:
		c.Foreign.Keys = append(c.Foreign.Keys, core.Key{Public: key.Public()})
	}
}

// issue makes a token that is good for an hour from now, with other claims.
func (i *issuer) issue(user, jti string, more jwt.MapClaims) string {
	i.t.Helper()
	now := time.Now()
	claims := jwt.MapClaims{"sub": user, "jti": jti, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	for name, v := range more {
		claims[name] = v
	}
	for name, v := range claims {
		if v == nil || v == "" {
			delete(claims, name)
		}
	}
	token, err := jwt.NewWithClaims(i.method, claims).SignedString(i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	return token
}

// expectToken checks what Verify says of a token.
func (h *house) expectToken(what, token string, want error) {
	h.t.Helper()
	if _, err := h.Verify(h.t.Context(), token); !errors.Is(err, want) {
		h.t.Errorf("%s: verify: %v, want %v", what, err, want)
	}
}

// posted is a request to a route, with a token in its header.
type posted struct {
	token, refresh, body string
}

func (posted) Context() context.Context { return context.Background() }
func (posted) Method() string           { return "POST" }
func (posted) Host() string             { return "app.example" }
func (c posted) Header(name string) string {
	switch {
	case name == "Authorization" && c.token != "":
		return "Bearer " + c.token
	case name == "Content-Type":
		return "application/json"
	}
	return ""
}

func (c posted) Cookies(name string) []string {
	if name != "__Secure-refresh_token" || c.refresh == "" {
		return nil
	}
	return []string{c.refresh}
}
func (posted) Param(string) string          { return "" }
func (posted) Peer() netip.Addr             { return netip.Addr{} }
func (c posted) Body(int64) ([]byte, error) { return []byte(c.body), nil }

// postTo calls the route of a path and returns the code of a refusal, or "", and
// how many it revoked.
func postTo(t *testing.T, routes []core.Route, path string, c posted) (status int, code string, revoked int) {
	t.Helper()
	for _, r := range routes {
		if r.Path != path {
			continue
		}
		out := r.Serve(c)
		var body struct {
			Code    string
			Revoked int
		}
		if err := json.Unmarshal(out.Body, &body); err != nil {
			t.Fatalf("%s: %s", path, out.Body)
		}
		return out.Status, body.Code, body.Revoked
	}
	t.Fatalf("no route %s", path)
	return 0, "", 0
}

// A7: a guard accepts both kinds side by side.
func TestForeignBesideOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, old := t.Context(), newIssuer(t)
		h := open(t, newTap(), old.foreign)
		settle(h)
		now := time.Now()
		token := old.issue("alice", "t-1", jwt.MapClaims{
			"scope": "orders:read", "roles": []string{"clerk"}, "amr": []string{"pwd"}, "auth_time": now.Add(-time.Minute).Unix(), "tenant": "acme", "limits": []uint64{1<<63 + 1},
		})
		for range 3 { // the first is verified, the others are known
			p, err := h.Verify(ctx, token)
			if err != nil {
				t.Fatal(err)
			}
			if p.UserID != "alice" || p.TokenID != "t-1" || !p.SessionID.IsZero() || p.DeviceID != "" || p.ClientType != "" ||
				!slices.Equal(p.Scopes, []string{"orders:read"}) || !slices.Equal(p.Roles, []string{"clerk"}) || !slices.Equal(p.AMR, []string{"pwd"}) ||
				!p.AuthTime.Equal(now.Add(-time.Minute)) || !p.IssuedAt.Equal(now) || !p.ExpiresAt.Equal(now.Add(time.Hour)) {
				t.Errorf("got %+v", p)
			}
			claims, err := core.ClaimsOf[tenantClaims](p)
			if err != nil || claims.Tenant != "acme" || !slices.Equal(claims.Limits, []uint64{1<<63 + 1}) {
				t.Errorf("claims: %+v, %v", claims, err)
			}
			all, err := core.ClaimsOf[map[string]any](p)
			if err != nil || all["sub"] != "alice" || all["jti"] != "t-1" || len(all) != 10 {
				t.Errorf("all that it says: %v, %v", all, err)
			}
		}
		h.expectVerify(h.signIn("alice"), nil)
		h.expectToken("another's key", newIssuer(t).issue("alice", "t-1", nil), core.ErrTokenInvalid)
		h.expectToken("expired", old.issue("alice", "t-2", jwt.MapClaims{"exp": now.Unix()}), core.ErrTokenExpired)
		h.expectToken("nobody", old.issue("", "t-3", nil), core.ErrTokenInvalid)

		for _, c := range []struct {
			name  string
			rules []core.Rule
			token string
			code  string // "": let in
		}{
			{"no rule", nil, token, ""},
			{"its scope", []core.Rule{core.Scope("orders:read")}, token, ""},
			{"another scope", []core.Rule{core.Scope("orders:write")}, token, "FORBIDDEN"},
			{"its role", []core.Rule{core.Role("clerk")}, token, ""},
			{"another role", []core.Rule{core.Role("admin")}, token, "FORBIDDEN"},
			{"fresh: auth_time within the limit", []core.Rule{core.Fresh(time.Minute)}, token, ""},
			{"fresh: auth_time before it", []core.Rule{core.Fresh(59 * time.Second)}, token, "FRESH_SIGN_IN_REQUIRED"},
			{"fresh: no auth_time", []core.Rule{core.Fresh(time.Hour)}, old.issue("alice", "t-4", nil), "FRESH_SIGN_IN_REQUIRED"},
			{"fresh: iat is no auth_time", []core.Rule{core.Fresh(365 * 24 * time.Hour)}, old.issue("alice", "t-5", nil), "FRESH_SIGN_IN_REQUIRED"},
			{"strict", []core.Rule{core.Strict()}, token, ""},
			{"damaged", nil, token[:len(token)-4] + "AAAA", "TOKEN_INVALID"},
		} {
			d := h.Guard(c.rules...).Check(posted{token: c.token})
			if c.code == "" {
				if d.Refusal != nil || d.Principal.UserID != "alice" {
					t.Errorf("%s: got %+v", c.name, d)
				}
				continue
			}
			if d.Refusal == nil || !strings.Contains(string(d.Refusal.Body), c.code) {
				t.Errorf("%s: got %+v, want %s", c.name, d, c.code)
			}
		}
	})
}

// P17: a foreign token that was revoked passes nowhere any more, whoever
// revoked it, and nothing else does.
func TestForeignRevoked(t *testing.T) {
	admin := func(h *house) []core.Route {
		return h.AdminRoutes(core.Allow(func(context.Context, *core.Principal) (bool, error) { return true, nil }))
	}
	route := func(t *testing.T, routes []core.Route, path string, c posted) (int, error) {
		status, code, n := postTo(t, routes, path, c)
		if status != 200 {
			return n, fmt.Errorf("%d %s", status, code)
		}
		return n, nil
	}
	for _, c := range []struct {
		name    string
		revoke  func(h *house, token string) (int, error)
		session bool // the user's session ends as well
	}{
		{"RevokeToken", func(h *house, token string) (int, error) { return h.RevokeToken(h.t.Context(), token) }, false},
		{"SignOut", func(h *house, token string) (int, error) { return h.SignOut(h.t.Context(), token) }, false},
		{"logout", func(h *house, token string) (int, error) {
			return route(h.t, h.Routes(), "/logout", posted{token: token})
		}, false},
		{"logout-all", func(h *house, token string) (int, error) {
			return route(h.t, h.Routes(), "/logout-all", posted{token: token})
		}, true},
		{"admin", func(h *house, token string) (int, error) {
			root := h.signIn("root").AccessToken
			return route(h.t, admin(h), "/tokens/revoke", posted{token: root, body: `{"token":"` + token + `"}`})
		}, false},
	} {
		for _, jti := range []string{"t-1", strings.Repeat("j", 255), "Zoë's"} {
			t.Run(c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					old, mem := newIssuer(t), memstore.New()
					here, there := open(t, &tap{Store: mem}, old.foreign), open(t, &tap{Store: mem}, old.foreign)
					settle(here)
					token, other, bob := old.issue("alice", jti, nil), old.issue("alice", "t-2", nil), old.issue("bob", "t-3", nil)
					session := here.signIn("alice")
					for _, h := range []*house{here, there} {
						h.expectToken("before", token, nil)
					}
					here.trail.take()
					n, err := c.revoke(here, token)
					want := 1
					if c.session {
						want = 2 // the session and the token
					}
					if err != nil || n != want {
						t.Fatalf("revoked %d, %v, want %d", n, err, want)
					}
					if events := here.trail.take(); !slices.Contains(events, "access_token_revoked") {
						t.Errorf("audited %q", events)
					}
					here.expectToken("here, at once", token, core.ErrTokenRevoked)
					if d := here.Guard().Check(posted{token: token}); d.Refusal == nil || !strings.Contains(string(d.Refusal.Body), "TOKEN_REVOKED") {
						t.Errorf("the guard: %+v", d)
					}
					elapse(2 * time.Second)
					there.expectToken("there, within MaxStaleness", token, core.ErrTokenRevoked)
					third := open(t, &tap{Store: mem}, old.foreign)
					elapse(time.Second)
					third.expectToken("in a process that began later", token, core.ErrTokenRevoked)
					for _, h := range []*house{here, there, third} {
						h.expectToken("another token of the user", other, nil)
						h.expectToken("another user's", bob, nil)
						want := error(nil)
						if c.session {
							want = core.ErrTokenRevoked
						}
						h.expectVerify(session, want)
					}
					if n, err := here.RevokeToken(t.Context(), token); n != 0 || err != nil {
						t.Errorf("again: %d, %v, want 0", n, err)
					}
				})
			})
		}
	}
}

// What the feed can't vouch for is looked up in the ledger, and what the store
// does not answer is not let in.
func TestForeignRevocationIsInTheLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, store := newIssuer(t), newTap()
		h := open(t, store, old.foreign)
		settle(h)
		bad, good := old.issue("alice", "t-1", nil), old.issue("alice", "t-2", nil)
		if n, err := h.RevokeToken(t.Context(), bad); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		h.refresh(h.signIn("alice")) // what else happens to the user keeps it
		if n, err := h.RevokeAll(t.Context(), "alice", core.ReasonPasswordChanged); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		fail := func(calls ...string) {
			store.set(func(call string, do func() error) error {
				if slices.Contains(calls, call) {
					return errBroken
				}
				return do()
			})
		}
		fail("tail")
		blind := open(t, store, old.foreign)
		elapse(time.Minute)
		blind.expectToken("revoked", bad, core.ErrTokenRevoked)
		blind.expectToken("good", good, nil)
		fail("tail", "load")
		elapse(time.Minute)
		blind.expectToken("shown revoked before, without the store", bad, core.ErrTokenRevoked)
		blind.expectToken("good, without the store", good, core.ErrStoreUnavailable)
		// The process that revoked it knows it all the same.
		h.expectToken("where it was revoked", bad, core.ErrTokenRevoked)
		store.set(nil)
		elapse(time.Minute)
		blind.expectToken("revoked, and the feed is back", bad, core.ErrTokenRevoked)
		blind.expectToken("good, and the feed is back", good, nil)
	})
}

// A token issued before the feed's epoch began is looked up in the ledger.
func TestForeignOlderThanTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, store := newIssuer(t), newTap()
		before, undated := old.issue("alice", "t-1", nil), old.issue("alice", "t-2", jwt.MapClaims{"iat": nil})
		elapse(time.Minute)
		h := open(t, store, old.foreign)
		settle(h)
		after := old.issue("alice", "t-3", nil)
		for _, c := range []struct {
			name, token string
			loads       int
		}{{"issued before", before, 1}, {"issued nobody knows when", undated, 1}, {"issued after", after, 0}} {
			calls := store.counting()
			h.expectToken(c.name, c.token, nil)
			if n := calls()["load"]; n != c.loads {
				t.Errorf("%s: at first %d loads, want %d", c.name, n, c.loads)
			}
			for range 10 {
				elapse(time.Minute)
				for range 10 {
					h.expectToken(c.name, c.token, nil)
				}
			}
			n := calls()
			delete(n, "tail") // the feed's
			if len(n) > 0 {
				t.Errorf("%s: known, but it cost %v", c.name, n)
			}
		}
	})
}

// Strict misses nothing that was acknowledged anywhere.
func TestForeignStrict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, mem := newIssuer(t), memstore.New()
		store := &tap{Store: mem}
		here, there := open(t, store, old.foreign), open(t, &tap{Store: mem}, old.foreign)
		settle(here)
		token := old.issue("alice", "t-1", nil)
		strict, lax := here.Guard(core.Strict()), here.Guard()
		check := func(what string, g *core.Guard, want string) {
			t.Helper()
			d := g.Check(posted{token: token})
			if want == "" && d.Refusal != nil || want != "" && (d.Refusal == nil || !strings.Contains(string(d.Refusal.Body), want)) {
				t.Errorf("%s: got %+v, want %q", what, d, want)
			}
		}
		check("good", strict, "")
		calls := store.counting()
		check("known", strict, "")
		if n := calls()["load"]; n != 1 {
			t.Errorf("%d loads, want 1", n)
		}
		store.set(func(call string, do func() error) error { // no news comes here
			if call == "tail" {
				return errBroken
			}
			return do()
		})
		elapse(time.Second) // the read that was under way is over, and its lease is not
		if n, err := there.RevokeToken(t.Context(), token); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		check("within MaxStaleness", lax, "")
		check("at once", strict, "TOKEN_REVOKED")
		store.set(func(string, func() error) error { return errBroken })
		token = old.issue("alice", "t-2", nil)
		check("without the store", strict, "STORE_UNAVAILABLE")
	})
}

// A token without a name can't be revoked, and nobody is told that it was.
func TestForeignNameless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := newIssuer(t)
		h := open(t, newTap(), old.foreign)
		settle(h)
		token := old.issue("alice", "", nil)
		h.trail.take()
		if n, err := h.RevokeToken(t.Context(), token); n != 0 || !errors.Is(err, core.ErrTokenNotFound) {
			t.Errorf("RevokeToken: %d, %v", n, err)
		}
		if n, err := h.SignOut(t.Context(), token); n != 0 || err != nil {
			t.Errorf("SignOut: %d, %v, want 0", n, err)
		}
		if status, _, n := postTo(t, h.Routes(), "/logout", posted{token: token}); status != 200 || n != 0 {
			t.Errorf("logout: %d, revoked %d", status, n)
		}
		h.trail.expect(t, "nothing happened")
		h.expectToken("nameless", token, nil)
		h.expectToken("one that is named as nothing is", old.issue("alice", "t-1", nil), nil)
	})
}

// P19: the revocation is enforced until no such token verifies, and then it is
// gone from the ledger.
func TestForeignRevocationOutlivesToken(t *testing.T) {
	for _, leeway := range []time.Duration{0, 30 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			old, store := newIssuer(t), newTap()
			h := open(t, store, old.foreign, func(c *core.Config) { c.Leeway = leeway })
			settle(h)
			token, spent := old.issue("alice", "t-1", nil), old.issue("alice", "t-2", nil)
			for _, tok := range []string{token, spent} {
				h.expectToken("before", tok, nil)
			}
			if n, err := h.RevokeToken(t.Context(), token); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			elapse(time.Hour + leeway - time.Millisecond)
			h.expectToken("a moment before it is over", token, core.ErrTokenRevoked)
			other := open(t, store, old.foreign, func(c *core.Config) { c.Leeway = leeway })
			elapse(0)
			other.expectToken("a moment before it is over, elsewhere", token, core.ErrTokenRevoked)
			other.expectToken("a moment before it is over, one that was not revoked", spent, nil)
			elapse(time.Millisecond)
			h.expectToken("it is over", token, core.ErrTokenExpired)
			if n, err := h.RevokeToken(t.Context(), spent); n != 0 || err != nil {
				t.Errorf("revoked when it is over: %d, %v, want 0", n, err)
			}
			elapse(2 * time.Minute)
			h.signIn("alice")
			if l := store.ledger(t, "alice"); len(l.Foreign) > 0 {
				t.Errorf("leeway %v: still in the ledger: %+v", leeway, l.Foreign)
			}
		})
	}
}

// A foreign token has no session: nothing that ends sessions, or looks for one,
// concerns it.
func TestForeignHasNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, old := t.Context(), newIssuer(t)
		h := open(t, newTap(), old.foreign)
		settle(h)
		token := old.issue("alice", "t-1", nil)
		session := h.signIn("alice")
		h.expectToken("good", token, nil)
		if user, s, err := h.Find(ctx, token); user != "" || !s.ID.IsZero() || !errors.Is(err, core.ErrTokenNotFound) {
			t.Errorf("Find: %q, %v", user, err)
		}
		admin := h.AdminRoutes(core.Allow(func(context.Context, *core.Principal) (bool, error) { return true, nil }))
		if status, code, _ := postTo(t, admin, "/tokens/lookup", posted{token: session.AccessToken, body: `{"token":"` + token + `"}`}); status != 404 || code != "TOKEN_NOT_FOUND" {
			t.Errorf("lookup: %d %s", status, code)
		}
		if n, err := h.RevokeAll(ctx, "alice", core.ReasonRevokedByAdmin); n != 1 || err != nil {
			t.Errorf("RevokeAll: %d, %v", n, err)
		}
		if err := h.Revoke(ctx, "alice", core.ID{}, core.ReasonRevoked); !errors.Is(err, core.ErrSessionNotFound) {
			t.Errorf("Revoke of no session: %v", err)
		}
		h.expectVerify(session, core.ErrTokenRevoked)
		elapse(5 * time.Second)
		h.expectToken("after RevokeAll", token, nil)
		if _, err := h.Refresh(ctx, core.RefreshRequest{Token: token}); !errors.Is(err, core.ErrRefreshTokenInvalid) {
			t.Errorf("as a refresh token: %v", err)
		}
		h.expectCount("alice", 0)
	})
}

// A user has room for 256 revoked foreign tokens. One more is refused, and not
// called revoked; when one has expired there is room again.
func TestForeignCeiling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, store := newIssuer(t), newTap()
		h := open(t, store, old.foreign)
		settle(h)
		short := old.issue("alice", "short", jwt.MapClaims{"exp": time.Now().Add(time.Minute).Unix()})
		revoke := func(token string, want int, wantErr error) {
			t.Helper()
			if n, err := h.RevokeToken(t.Context(), token); n != want || !errors.Is(err, wantErr) {
				t.Fatalf("got %d, %v, want %d, %v", n, err, want, wantErr)
			}
		}
		revoke(short, 1, nil)
		var revoked []string
		for i := range 255 {
			revoked = append(revoked, old.issue("alice", fmt.Sprint("t-", i), nil))
			revoke(revoked[i], 1, nil)
		}
		more := old.issue("alice", "one more", nil)
		h.trail.take()
		revoke(more, 0, core.ErrInternal)
		if status, code, _ := postTo(t, h.Routes(), "/logout", posted{token: more}); status != 500 || code != "INTERNAL" {
			t.Errorf("logout: %d %s", status, code)
		}
		h.trail.expect(t, "no room", "failed")
		h.expectToken("no room", more, nil)
		revoke(revoked[0], 0, nil)
		revoke(old.issue("bob", "bob's", nil), 1, nil) // each user has room
		elapse(3 * time.Minute)
		revoke(more, 1, nil)
		h.expectToken("room again", more, core.ErrTokenRevoked)
		for _, token := range revoked {
			h.expectToken("one of many", token, core.ErrTokenRevoked)
		}
		if n := len(store.ledger(t, "alice").Foreign); n != 256 {
			t.Errorf("%d in the ledger, want 256", n)
		}
	})
}

// P2: what is revoked is revoked in both spellings of an ECDSA signature.
func TestForeignRevokedInBothSpellings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		old := &issuer{t, jwt.SigningMethodES256, key}
		h := open(t, newTap(), old.foreign)
		settle(h)
		token := old.issue("alice", "t-1", nil)
		cut := strings.LastIndexByte(token, '.') + 1
		sig, err := base64.RawURLEncoding.DecodeString(token[cut:])
		if err != nil {
			t.Fatal(err)
		}
		new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:])).FillBytes(sig[32:])
		twin := token[:cut] + base64.RawURLEncoding.EncodeToString(sig)
		h.expectToken("one", token, nil)
		h.expectToken("the other", twin, nil)
		if n, err := h.RevokeToken(t.Context(), token); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		h.expectToken("one", token, core.ErrTokenRevoked)
		h.expectToken("the other", twin, core.ErrTokenRevoked)
		if n, err := h.RevokeToken(t.Context(), twin); n != 0 || err != nil {
			t.Errorf("the other: %d, %v, want 0", n, err)
		}
	})
}

// A token of this Auth that was revoked, or whose key was removed, does not come
// back as a foreign one, whatever Foreign says.
func TestForeignRevivesNoOwnToken(t *testing.T) {
	oldKey, newKey := core.Key{ID: "old", Secret: testSecret("key")}, core.Key{ID: "new", Secret: testSecret("new key")}
	unnamed := core.Key{Secret: oldKey.Secret}
	for name, foreign := range map[string]core.Foreign{
		"its key":                    {Keys: []core.Key{oldKey}},
		"its key without an id":      {Keys: []core.Key{unnamed}},
		"its type, of another":       {Keys: []core.Key{unnamed}, Type: "at+jwt", Issuer: "https://old.example"},
		"its issuer and audience":    {Keys: []core.Key{unnamed}, Issuer: "sallyport", Audience: "sallyport"},
		"whoever the payload says":   {Keys: []core.Key{unnamed}, Identity: func([]byte) (core.Identity, error) { return core.Identity{UserID: "alice"}, nil }},
		"a type that is nearly that": {Keys: []core.Key{unnamed}, Type: "AT+JWT", Issuer: "https://old.example"},
	} {
		synctest.Test(t, func(t *testing.T) {
			store := newTap()
			with := func(keys ...core.Key) func(*core.Config) {
				return func(c *core.Config) {
					c.Keys, c.Foreign = keys, foreign
					c.Secrets = []core.Secret{{Value: testSecret("secret")}}
				}
			}
			h := open(t, store, with(oldKey))
			settle(h)
			ended, revoked, live := h.signIn("alice"), h.signIn("alice"), h.signIn("alice")
			if err := h.Revoke(t.Context(), "alice", ended.Session.ID, core.ReasonRevoked); err != nil {
				t.Fatal(err)
			}
			if n, err := h.RevokeToken(t.Context(), revoked.AccessToken); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			both, after := open(t, store, with(oldKey, newKey)), open(t, store, with(newKey))
			elapse(3 * time.Second)
			for _, c := range []struct {
				where string
				h     *house
				dead  error
				live  error
			}{{"here", h, core.ErrTokenRevoked, nil}, {"with a newer key", both, core.ErrTokenRevoked, nil}, {"its key removed", after, core.ErrTokenInvalid, core.ErrTokenInvalid}} {
				c.h.expectToken(name+", "+c.where+", session ended", ended.AccessToken, c.dead)
				c.h.expectToken(name+", "+c.where+", revoked", revoked.AccessToken, c.dead)
				c.h.expectToken(name+", "+c.where+", live", live.AccessToken, c.live)
			}
		})
	}
}
