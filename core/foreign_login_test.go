package core_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

var foreignSecret = []byte(rand.Text() + rand.Text())

func acceptForeign(c *core.Config) { c.Foreign.Keys = []core.Key{{Secret: foreignSecret}} }

func mintForeign(t *testing.T, secret []byte, claims jwt.MapClaims) string {
	t.Helper()
	tok, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func foreignClaims(user, jti string) jwt.MapClaims {
	m := jwt.MapClaims{"sub": user, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	if jti != "" {
		m["jti"] = jti
	}
	return m
}

type foreignRequest struct {
	bearer  string
	cookies map[string][]string
	body    string
}

func (foreignRequest) Context() context.Context { return context.Background() }
func (foreignRequest) Method() string           { return "POST" }
func (foreignRequest) Host() string             { return "example.com" }
func (r foreignRequest) Header(name string) string {
	switch name {
	case "Authorization":
		if r.bearer != "" {
			return "Bearer " + r.bearer
		}
	case "Content-Type":
		return "application/json"
	}
	return ""
}
func (r foreignRequest) Cookies(n string) []string  { return r.cookies[n] }
func (foreignRequest) Param(string) string          { return "" }
func (foreignRequest) Peer() netip.Addr             { return netip.Addr{} }
func (r foreignRequest) Body(int64) ([]byte, error) { return []byte(r.body), nil }

func watchLogin(t *testing.T, h *house, r foreignRequest, token string) (core.Response, bool) {
	t.Helper()
	w, refusal := h.WatchLogin(r)
	if refusal != nil {
		t.Fatal(refusal.Status)
	}
	return loginAnswer(w, token)
}

func loginAnswer(w *core.LoginWatch, token string) (core.Response, bool) {
	b, _ := json.Marshal(map[string]string{"access_token": token})
	return w.Answer(core.Response{Status: 200, Header: http.Header{}, Body: b})
}

func onForeign(t *testing.T, test func(t *testing.T, h *house, store *tap), changes ...func(*core.Config)) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store, append([]func(*core.Config){acceptForeign}, changes...)...)
		settle(h)
		test(t, h, store)
	})
}

// Each foreign token that is signed out is revoked, not one of them.
func TestForeignSignOutTwoForeign(t *testing.T) {
	onForeign(t, func(t *testing.T, h *house, _ *tap) {
		a, b := mintForeign(t, foreignSecret, foreignClaims("alice", "a")), mintForeign(t, foreignSecret, foreignClaims("alice", "b"))
		n, err := h.SignOut(t.Context(), a, b)
		t.Log(n, err)
		for name, tok := range map[string]string{"a": a, "b": b} {
			if _, err := h.Verify(t.Context(), tok); !errors.Is(err, core.ErrTokenRevoked) {
				t.Errorf("%s: %v, want revoked", name, err)
			}
		}
	})
}

// Signing out everywhere with a foreign token revokes the token as well, alone or beside a session.
func TestForeignSignOutAllForeign(t *testing.T) {
	onForeign(t, func(t *testing.T, h *house, _ *tap) {
		a := mintForeign(t, foreignSecret, foreignClaims("alice", "a"))
		p := h.signIn("alice")
		n, err := h.SignOutAll(t.Context(), a, p.RefreshToken)
		t.Log(n, err)
		if _, err := h.Verify(t.Context(), a); !errors.Is(err, core.ErrTokenRevoked) {
			t.Errorf("%v, want revoked", err)
		}
		b := mintForeign(t, foreignSecret, foreignClaims("alice", "b"))
		n, err = h.SignOutAll(t.Context(), b)
		t.Log(n, err)
		if _, err := h.Verify(t.Context(), b); !errors.Is(err, core.ErrTokenRevoked) {
			t.Errorf("%v, want revoked", err)
		}
	})
}

// P25: a watched login right after the user's sessions were revoked works.
func TestForeignLoginWatchedAfterRevokeAll(t *testing.T) {
	onForeign(t, func(t *testing.T, h *house, _ *tap) {
		if _, err := h.RevokeAll(t.Context(), "alice", core.ReasonSignedOutAll); err != nil {
			t.Fatal(err)
		}
		elapse(5 * time.Second)
		out, refused := watchLogin(t, h, foreignRequest{}, mintForeign(t, foreignSecret, foreignClaims("alice", "a")))
		if refused {
			t.Errorf("got %d %s", out.Status, out.Body)
		}
	})
}

// A revoked token that a login answers with gets no refresh cookie.
func TestForeignLoginWatchedRevoked(t *testing.T) {
	for _, iat := range []bool{true, false} {
		t.Run("", func(t *testing.T) {
			onForeign(t, func(t *testing.T, h *house, _ *tap) {
				c := foreignClaims("alice", "a")
				if !iat {
					delete(c, "iat")
				}
				tok := mintForeign(t, foreignSecret, c)
				if n, err := h.RevokeToken(t.Context(), tok); n != 1 || err != nil {
					t.Fatal(n, err)
				}
				if iat {
					elapse(5 * time.Second)
				} else {
					elapse(30 * time.Minute)
				}
				out, refused := watchLogin(t, h, foreignRequest{}, tok)
				if out.Header.Get("Set-Cookie") != "" {
					t.Errorf("iat %v: %d %v %v", iat, out.Status, refused, out.Header)
				}
			}, func(c *core.Config) { c.Leeway = 10 * time.Second })
		})
	}
}

// An answer without headers is an answer.
func TestForeignLoginNilHeader(t *testing.T) {
	onForeign(t, func(t *testing.T, h *house, _ *tap) {
		w, _ := h.WatchLogin(foreignRequest{})
		b, _ := json.Marshal(map[string]string{"access_token": h.signIn("alice").AccessToken})
		defer func() {
			if r := recover(); r != nil {
				t.Error("panic", r)
			}
		}()
		w.Answer(core.Response{Status: 200, Body: b})
	})
}

// Two users' tokens may have the same "jti".
func TestForeignSameJTI(t *testing.T) {
	onForeign(t, func(t *testing.T, h *house, store *tap) {
		a, b := mintForeign(t, foreignSecret, foreignClaims("alice", "1")), mintForeign(t, foreignSecret, foreignClaims("bob", "1"))
		if n, err := h.SignOut(t.Context(), a); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if _, err := h.Verify(t.Context(), b); err != nil {
			t.Errorf("bob: %v", err)
		}
	})
}

// Strict lets nobody in without the store, not even a token that can't be revoked.
func TestForeignStrictNameless(t *testing.T) {
	onForeign(t, func(t *testing.T, h *house, store *tap) {
		tok := mintForeign(t, foreignSecret, foreignClaims("alice", ""))
		store.set(func(call string, do func() error) error { return errBroken })
		d := h.Guard(core.Strict()).Check(foreignRequest{bearer: tok})
		if d.Refusal == nil {
			t.Errorf("let in %v", d.Principal)
		}
		store.set(nil)
	})
}

// A key has one algorithm, in all rings, and a "kid" is of one key.
func TestForeignConfig(t *testing.T) {
	long := []byte(rand.Text() + rand.Text() + rand.Text())
	other := []byte(rand.Text() + rand.Text() + rand.Text())
	for name, keys := range map[string][]core.Key{
		"two algorithms": {{Secret: long}, {Secret: long, Algorithm: core.HS512}},
		"same id":        {{ID: "k", Secret: long}, {ID: "k", Secret: other}},
	} {
		_, err := core.NewStill(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: testSecret("x")}}, Foreign: core.Foreign{Keys: keys}}, time.Now)
		t.Logf("foreign %s: %v", name, err)
		if err == nil {
			t.Error(name)
		}
		_, err = core.NewStill(core.Config{Store: memstore.New(), Keys: keys}, time.Now)
		t.Logf("own %s: %v", name, err)
	}
	_, err := core.NewStill(core.Config{Store: memstore.New(), Keys: []core.Key{{ID: "1", Secret: long}}, Foreign: core.Foreign{Type: "at+jwt", Issuer: "f", Keys: []core.Key{{ID: "1", Secret: other}}}}, time.Now)
	if err == nil {
		t.Error("foreign key that can never verify")
	}
	_, err = core.NewStill(core.Config{Store: memstore.New(), Keys: []core.Key{{ID: "1", Secret: long}}, Foreign: core.Foreign{Keys: []core.Key{{Algorithm: core.HS512, Secret: long}}}}, time.Now)
	if err == nil {
		t.Error("own key with another algorithm")
	}
}

// A date of 0 is none.
func TestForeignZeroDates(t *testing.T) {
	onForeign(t, func(t *testing.T, h *house, store *tap) {
		for _, m := range []string{"nbf", "auth_time", "iat"} {
			c := foreignClaims("alice", "a")
			c[m] = 0
			if _, err := h.Verify(t.Context(), mintForeign(t, foreignSecret, c)); err != nil {
				t.Errorf("%s 0: %v", m, err)
			}
		}
	})
}

// The app's claims that Foreign.Identity reads are in the tokens of the session.
func TestForeignLoginClaims(t *testing.T) {
	onForeign(t, func(t *testing.T, h *house, store *tap) {
		c := foreignClaims("alice", "a")
		c["tenant"] = "acme"
		out, refused := watchLogin(t, h, foreignRequest{}, mintForeign(t, foreignSecret, c))
		if refused {
			t.Fatal(out.Status)
		}
		ck := (&http.Response{Header: out.Header}).Cookies()[0]
		p, err := h.Refresh(t.Context(), core.RefreshRequest{Token: ck.Value})
		if err != nil {
			t.Fatal(err)
		}
		who, err := h.Verify(t.Context(), p.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		got, err := core.ClaimsOf[tenantClaims](who)
		if err != nil || got.Tenant != "acme" {
			t.Errorf("%+v %v", got, err)
		}
	}, func(c *core.Config) {
		c.Foreign.Identity = func(raw []byte) (core.Identity, error) {
			x, err := core.DecodeClaims[map[string]any](raw)
			return core.Identity{UserID: x["sub"].(string), Claims: map[string]any{"tenant": x["tenant"]}}, err
		}
	})
}

// What can't be revoked does not keep the session beside it alive.
func TestForeignCeilingLogout(t *testing.T) {
	onForeign(t, func(t *testing.T, h *house, store *tap) {
		for i := range 256 {
			if n, err := h.SignOut(t.Context(), mintForeign(t, foreignSecret, foreignClaims("alice", time.Duration(i).String()))); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
		p := h.signIn("alice")
		n, err := h.SignOut(t.Context(), mintForeign(t, foreignSecret, foreignClaims("alice", "one more")), p.RefreshToken)
		t.Log(n, err)
		h.expectCount("alice", 0)
	})
}

// A revocation whose reply was lost is counted and audited.
func TestForeignLostReply(t *testing.T) {
	onForeign(t, func(t *testing.T, h *house, store *tap) {
		tok := mintForeign(t, foreignSecret, foreignClaims("alice", "a"))
		once := true
		store.set(func(call string, do func() error) error {
			err := do()
			if call == "commit" && once {
				once = false
				// somebody else commits before the second look
				l, _ := store.Store.Load(t.Context(), "alice")
				id := core.ID{1, 2, 3}
				if _, err := store.Store.Commit(t.Context(), "alice", core.Change{ID: id, If: l.Version, At: l.At, Foreign: l.Foreign, KeepUntil: time.Now().Add(time.Hour * 3)}); err != nil {
					t.Error(err)
				}
				return errBroken
			}
			return err
		})
		n, err := h.RevokeToken(t.Context(), tok)
		store.set(nil)
		if n != 1 || err != nil {
			t.Errorf("%d %v", n, err)
		}
		if _, err := h.Verify(t.Context(), tok); !errors.Is(err, core.ErrTokenRevoked) {
			t.Errorf("%v, want revoked", err)
		}
		h.trail.expect(t, "", "access_token_revoked")
	})
}

// A sign-in is as fresh as the foreign token says.
func TestForeignLoginFresh(t *testing.T) {
	onForeign(t, func(t *testing.T, h *house, store *tap) {
		c := foreignClaims("alice", "a")
		c["auth_time"] = time.Now().Add(-8 * time.Hour).Unix()
		tok := mintForeign(t, foreignSecret, c)
		fresh := h.Guard(core.Fresh(time.Minute))
		if d := fresh.Check(foreignRequest{bearer: tok}); d.Refusal == nil {
			t.Error("the foreign token is fresh")
		}
		out, _ := watchLogin(t, h, foreignRequest{}, tok)
		ck := (&http.Response{Header: out.Header}).Cookies()[0]
		p, err := h.Refresh(t.Context(), core.RefreshRequest{Token: ck.Value})
		if err != nil {
			t.Fatal(err)
		}
		if d := fresh.Check(foreignRequest{bearer: p.AccessToken}); d.Refusal == nil {
			t.Errorf("signed in 8 hours ago, and fresh: AuthTime %v", d.Principal.AuthTime)
		}
	})
}

// A login that the user's new password overtakes is refused, and so is one of a
// user who is disabled meanwhile.
func TestForeignLoginOvertaken(t *testing.T) {
	onForeign(t, func(t *testing.T, h *house, _ *tap) {
		w, _ := h.WatchLogin(foreignRequest{})
		token := mintForeign(t, foreignSecret, foreignClaims("alice", "a"))
		elapse(time.Second)
		if _, err := h.RevokeAll(t.Context(), "alice", core.ReasonPasswordChanged); err != nil {
			t.Fatal(err)
		}
		out, refused := loginAnswer(w, token)
		if !refused || out.Status != 401 || out.Header.Get("Set-Cookie") != "" {
			t.Errorf("got %d %s", out.Status, out.Body)
		}
		h.expectCount("alice", 0)
	})
	onForeign(t, func(t *testing.T, h *house, _ *tap) {
		if _, err := h.RevokeAll(t.Context(), "alice", core.ReasonUserInactive); err != nil {
			t.Fatal(err)
		}
		out, refused := watchLogin(t, h, foreignRequest{}, mintForeign(t, foreignSecret, foreignClaims("alice", "a")))
		if !refused || out.Status != 401 {
			t.Errorf("got %d %s", out.Status, out.Body)
		}
	}, func(c *core.Config) {
		c.Active = func(context.Context, string) (bool, error) { return false, nil }
	})
}

// A watched login that is refused brings no refresh cookie.
func TestForeignLoginWatchedRefused(t *testing.T) {
	onForeign(t, func(t *testing.T, h *house, _ *tap) {
		w, refusal := h.WatchLogin(foreignRequest{})
		if refusal != nil {
			t.Fatal(refusal.Status)
		}
		p, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}, Client: core.Client{DeviceID: "no ID", Signed: true}})
		if err != nil {
			t.Fatal(err)
		}
		out, refused := loginAnswer(w, p.AccessToken)
		if set := out.Header["Set-Cookie"]; !refused || len(set) > 0 {
			t.Errorf("%d, refused %v, with %q", out.Status, refused, set)
		}
	})
}
