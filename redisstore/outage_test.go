package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// impatient has an outage noticed soon.
func impatient(c *core.Config) { c.StoreTimeout = 400 * time.Millisecond }

// becomes waits until a process is in a mode, and all is told.
func (s *site) becomes(mode core.Mode) {
	s.t.Helper()
	redistest.Eventually(s.t, func(context.Context) error {
		if h := s.Health(); h.Mode != mode || mode == core.ModeNormal && h.Degraded {
			return errors.New("still " + string(h.Mode))
		}
		return nil
	})
}

// D3, D4, D8: Redis is stopped as by SIGSTOP: it takes connections and answers nothing.
// Once that is noticed no request waits for it: none is sent. When it goes on, so does
// everything, without a restart.
func TestFrozenServer(t *testing.T) {
	rounds := 1
	if proof() {
		rounds = 20
	}
	server := redistest.Start(t)
	client := server.Client(t)
	var sent atomic.Int64 // commands that concern a user
	client.AddHook(before(func(cmd redis.Cmder) {
		if text := cmd.String(); strings.Contains(text, ":u:alice") {
			sent.Add(1)
		}
	}))
	store, err := redisstore.New(client, redisstore.Options{Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s := openSite(t, newKeys(), store, impatient)
	defer s.Close()
	for range rounds {
		pair := s.signIn("alice")
		s.becomes(core.ModeNormal)
		if _, err := s.Verify(t.Context(), pair.AccessToken); err != nil {
			t.Fatal(err)
		}
		server.Freeze(t)
		froze := time.Now()
		s.becomes(core.ModeDegraded)
		noticed := time.Since(froze)
		const many = 1000
		sent.Store(0)
		begin := time.Now()
		for range many {
			if _, err := s.Verify(t.Context(), pair.AccessToken); err != nil {
				t.Fatal(err)
			}
		}
		guarded := time.Since(begin)
		begin = time.Now()
		for range many {
			if _, err := s.Refresh(t.Context(), core.RefreshRequest{Token: pair.RefreshToken}); !errors.Is(err, core.ErrStoreUnavailable) {
				t.Fatal(err)
			}
		}
		refreshes := time.Since(begin)
		if n := sent.Load(); n > 0 {
			t.Errorf("%d commands were sent for %d requests", n, 2*many)
		}
		server.Thaw(t)
		thawed := time.Now()
		s.becomes(core.ModeNormal)
		t.Logf("noticed after %v; a guarded request %v, a refresh %v; back after %v",
			noticed.Round(time.Millisecond), guarded/many, refreshes/many, time.Since(thawed).Round(time.Millisecond))
		if _, err := s.Refresh(t.Context(), core.RefreshRequest{Token: pair.RefreshToken}); err != nil {
			t.Error(err)
		}
	}
}
