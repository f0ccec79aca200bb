package redisstore_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// A ledger that was written before sign-ins were kept goes on: it has none until a change
// brings some, and loses nothing.
func TestLedgerWithoutSignIns(t *testing.T) {
	client := mini(t)
	store := open(t, client)
	at := time.Date(2026, 11, 22, 10, 0, 0, 1e6, time.UTC)
	var want core.Ledger
	commit := func(c core.Change) {
		t.Helper()
		c.ID, c.If, c.At, c.KeepUntil = newID(), want.Version, at, at.AddDate(100, 0, 0)
		if _, err := store.Commit(t.Context(), "alice", c); err != nil {
			t.Fatal(err)
		}
		want = c.Apply(want)
		if got, err := store.Load(t.Context(), "alice"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	for _, revoked := range []time.Time{at, {}} {
		want = core.Ledger{}
		client.FlushAll(t.Context())
		store = open(t, client)
		commit(core.Change{RevokedAt: revoked, Put: []core.Session{{ID: newID()}}})
		key := client.Keys(t.Context(), "*:u:alice").Val()[0]
		now := client.Get(t.Context(), key).Val()
		before := now[:16] + strings.Replace(now[16:], "  \n", "\n", 1)
		if len(before) != len(now)-2 {
			t.Fatalf("got a ledger %q, want one whose header ends with two spaces", now)
		}
		client.Set(t.Context(), key, before, 0)
		if got, err := store.Load(t.Context(), "alice"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		commit(core.Change{})
		client.Set(t.Context(), key, before, 0)
		want.Version, want.At = core.ID([]byte(before[:16])), at
		commit(core.Change{ReusedAt: at.Add(-time.Hour), SignIns: []time.Time{at, at.Add(-time.Hour)}})
		commit(core.Change{RevokedAt: at.Add(time.Hour)})
	}
}
