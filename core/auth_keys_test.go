package core_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// P40: a new key is known everywhere before it signs, an old one verifies until
// it is removed, and then never. The same for secrets. Nobody is signed out.
func TestRotationOfKeysAndSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		begin := time.Now()
		switchAt := begin.Add(30 * time.Minute)
		oldKey, newKey := core.Key{ID: "old", Secret: testSecret("old key")}, core.Key{ID: "new", Secret: testSecret("new key"), SignFrom: switchAt}
		oldSecret, newSecret := core.Secret{Value: testSecret("old secret")}, core.Secret{Value: testSecret("new secret"), MintFrom: switchAt}
		with := func(keys []core.Key, secrets []core.Secret) func(*core.Config) {
			return func(c *core.Config) { c.Keys, c.Secrets = keys, secrets }
		}
		// Three generations of processes on one store: before the change, with
		// both (the new ones announced), and after the old ones were removed.
		before := open(t, store, with([]core.Key{oldKey}, []core.Secret{oldSecret}))
		both := open(t, store, with([]core.Key{oldKey, newKey}, []core.Secret{oldSecret, newSecret}))
		newKey.SignFrom, newSecret.MintFrom = time.Time{}, time.Time{}
		after := open(t, store, with([]core.Key{newKey}, []core.Secret{newSecret}))

		// Announced, not yet in use: what the one makes the other reads.
		first := before.signIn("alice")
		both.expectVerify(first, nil)
		elapse(switchAt.Sub(begin) - time.Millisecond)
		second := both.refresh(first)
		before.expectVerify(second, nil)
		before.expectRefresh(second, nil)
		after.expectVerify(second, core.ErrTokenInvalid)

		// In use from its time on; the old ones still verify.
		elapse(time.Millisecond)
		third := both.signIn("bob")
		both.expectVerify(first, nil)
		both.expectVerify(second, nil)
		both.expectVerify(third, nil)
		after.expectVerify(third, nil)
		before.expectVerify(third, core.ErrTokenInvalid)
		before.expectRefresh(third, core.ErrRefreshTokenInvalid)
		elapse(11 * time.Second)
		fourth := both.refresh(second) // the session goes on across both
		both.expectVerify(fourth, nil)
		after.expectVerify(fourth, nil)
		if fourth.Session.ID != first.Session.ID {
			t.Error("another session")
		}

		// Removed: never again, in no process that knows no more of them.
		after.expectVerify(first, core.ErrTokenInvalid)
		after.expectRefresh(second, core.ErrRefreshTokenInvalid)
		elapse(11 * time.Second)
		after.expectVerify(after.refresh(fourth), nil)
		after.trail.take()
		after.expectRefresh(first, core.ErrRefreshTokenInvalid)
		after.trail.expect(t, "not authentic any more", "refresh_refused")
		after.expectCount("alice", 1) // and it ended nothing
	})
}

// Services that verify on their own get the public keys, and a copy of them.
func TestJWKS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, signer, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		h := open(t, newTap(), func(c *core.Config) {
			c.Keys = append(c.Keys, core.Key{ID: "next", Signer: signer, SignFrom: time.Now().Add(time.Hour)})
		})
		var set struct {
			Keys []struct {
				Kid string `json:"kid"`
				Kty string `json:"kty"`
			} `json:"keys"`
		}
		document := h.JWKS()
		if err := json.Unmarshal(document, &set); err != nil || len(set.Keys) != 1 || set.Keys[0].Kid != "next" || set.Keys[0].Kty != "OKP" {
			t.Errorf("%s, %v", document, err)
		}
		clear(document)
		if bytes.Equal(h.JWKS(), document) {
			t.Error("a caller may change the document")
		}
	})
}
