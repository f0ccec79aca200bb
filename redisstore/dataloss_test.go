package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// P18, D1: whatever Redis loses, a session that a living process knows to have ended
// opens nothing: at once in that process, and after it has read the feed in one that
// knows nothing. What was not revoked goes on unless it was lost.
func TestProofDataLoss(t *testing.T) {
	long(t)
	rounds := map[string]int{"flushed": 1, "restarted empty": 1, "evicted": 1, "failed over": 2}
	if proof() {
		rounds = map[string]int{"flushed": 20, "restarted empty": 20, "evicted": 10, "failed over": 25}
	}
	t.Run("flushed", func(t *testing.T) {
		server := redistest.Start(t)
		client := server.Client(t)
		lose(t, rounds["flushed"], client, func(int) { server.Do(t, "FLUSHALL") })
	})
	t.Run("restarted empty", func(t *testing.T) {
		server := redistest.Start(t)
		client := server.Client(t)
		lose(t, rounds["restarted empty"], client, func(int) {
			server.Kill()
			if err := server.Restart(t); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("evicted", func(t *testing.T) {
		server := redistest.Start(t, "--maxmemory", "12mb", "--maxmemory-policy", "allkeys-lru")
		client := server.Client(t)
		lose(t, rounds["evicted"], client, func(round int) {
			pipe, big := client.Pipeline(), string(make([]byte, 20_000))
			for i := range 1000 { // more than there is room for
				pipe.Set(context.Background(), fmt.Sprint("filler:", round, ":", i), big, 0)
			}
			if _, err := pipe.Exec(context.Background()); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("failed over", func(t *testing.T) {
		for range rounds["failed over"] {
			pair := redistest.StartPair(t)
			cut := func() { pair.CutLink(t) } // what follows is acknowledged, and lost
			loseAfter(t, pair.Client(t), cut, func(int) { pair.Promote(t) })
		}
	})
}

func lose(t *testing.T, rounds int, client redis.UniversalClient, strike func(round int)) {
	for round := range rounds {
		loseAfter(t, client, func() {}, func(int) { strike(round) })
	}
}

// loseAfter has sessions begin, cut and revoked, and then strikes.
func loseAfter(t *testing.T, client redis.UniversalClient, cut func(), strike func(int)) {
	t.Helper()
	open := func(keys []core.Key) *site {
		store, err := redisstore.New(client, redisstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return openSite(t, keys, store)
	}
	keys := newKeys()
	knows := open(keys)
	defer knows.Close()
	const users = 20
	var dead, token, alive []core.Pair
	for i := range users {
		user := fmt.Sprint("user", i)
		dead, token, alive = append(dead, knows.signIn(user)), append(token, knows.signIn(user)), append(alive, knows.signIn(user))
	}
	knows.becomes(core.ModeNormal)
	cut()
	for i := range users {
		if err := knows.Revoke(t.Context(), dead[i].UserID, dead[i].Session.ID, core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		if _, err := knows.RevokeToken(t.Context(), token[i].AccessToken); err != nil {
			t.Fatal(err)
		}
	}
	strike(0)
	refused := func(who string, s *site) {
		t.Helper()
		for i := range users {
			if _, err := s.Verify(t.Context(), dead[i].AccessToken); !errors.Is(err, core.ErrTokenRevoked) && !errors.Is(err, core.ErrStoreUnavailable) {
				t.Errorf("%s: a token of a session that was revoked: %v", who, err)
			}
			if _, err := s.Verify(t.Context(), token[i].AccessToken); !errors.Is(err, core.ErrTokenRevoked) && !errors.Is(err, core.ErrStoreUnavailable) {
				t.Errorf("%s: a token that was revoked: %v", who, err)
			}
			if _, err := s.Refresh(t.Context(), core.RefreshRequest{Token: dead[i].RefreshToken}); !errors.Is(err, core.ErrSessionEnded) && !errors.Is(err, core.ErrStoreUnavailable) {
				t.Errorf("%s: a refresh of a session that was revoked: %v", who, err)
			}
		}
	}
	refused("who knows, at once", knows)
	knows.becomes(core.ModeNormal)
	// The feed was read since: told what it lacks, the store vouches for it to all.
	read := time.Now()
	redistest.Eventually(t, func(context.Context) error {
		if h := knows.Health(); h.Degraded || h.FeedAge > time.Since(read) {
			return errors.New("the feed was not read since")
		}
		return nil
	})
	refused("who knows", knows)
	fresh := open(keys)
	defer fresh.Close()
	fresh.becomes(core.ModeNormal)
	refused("who knew nothing", fresh)
	gone := 0
	for i := range users {
		_, err := fresh.Refresh(t.Context(), core.RefreshRequest{Token: alive[i].RefreshToken})
		switch {
		case errors.Is(err, core.ErrSessionEnded):
			gone++
		case err != nil:
			t.Errorf("a session that nobody ended: %v", err)
		}
	}
	t.Logf("%d sessions and %d tokens revoked, 0 revived; %d of %d others lost", users, users, gone, users)
}
