package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// Whatever Redis answers other than it should, every call of a store is an error: what
// was not understood did not happen, and is no conflict.
func TestStrangeReplies(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	client := newClient(t, proxy.Addr(), func(o *redis.Options) { o.MaxRetries = -1 })
	s := openAt(t, client, redisstore.Options{Timeout: 50 * time.Millisecond, Buckets: 1})
	change := func() core.Change {
		return core.Change{ID: newID(), At: time.Now(), KeepUntil: time.Now().Add(time.Hour)}
	}
	var b core.Batch
	redistest.Eventually(t, func(context.Context) (err error) { // its patience is short
		b, err = s.Tail(t.Context(), "", 0)
		return err
	})
	calls := map[string]struct {
		reads bool // with GET
		do    func() error
	}{
		"Load":                {true, func() error { _, err := s.Load(t.Context(), "alice"); return err }},
		"LoadMany":            {true, func() error { _, err := s.LoadMany(t.Context(), []string{"alice", "bob"}); return err }},
		"Commit":              {false, func() error { _, err := s.Commit(t.Context(), newID().String(), change()); return err }},
		"Tail":                {false, func() error { _, err := s.Tail(t.Context(), b.Next, 0); return err }},
		"Tail from the start": {false, func() error { _, err := s.Tail(t.Context(), "", 0); return err }},
	}
	for _, ill := range slices.Concat(redistest.Refusals(), redistest.Nonsense(), redistest.Silences()) {
		for name, call := range calls {
			if call.reads && slices.Contains(ill.Honest, "get") {
				continue
			}
			proxy.Misbehave(ill)
			err := call.do()
			proxy.Heal()
			if err == nil || errors.Is(err, core.ErrConflict) {
				t.Errorf("%s, %s: got error %v", ill.Name, name, err)
			}
			redistest.Eventually(t, func(context.Context) error { return call.do() })
		}
	}
}

// The same of a store that waits for replicas: that there are too few says nothing of a
// change that may not have taken place.
func TestStrangeRepliesBeforeWait(t *testing.T) {
	server := redistest.Start(t, "--hz", "500") // how often it looks whether WAIT has waited enough
	proxy := redistest.StartProxy(t, server.Addr)
	client := newClient(t, proxy.Addr(), func(o *redis.Options) { o.MaxRetries = -1 })
	s := openAt(t, client, redisstore.Options{Timeout: 100 * time.Millisecond, Replicas: 1, ReplicaTimeout: time.Millisecond})
	commit := func() error {
		_, err := s.Commit(t.Context(), newID().String(), core.Change{ID: newID(), At: time.Now(), KeepUntil: time.Now().Add(time.Hour)})
		return err
	}
	for _, ill := range slices.Concat(redistest.Refusals(), redistest.Nonsense(), redistest.Silences()) {
		redistest.Eventually(t, func(context.Context) error { // its patience is short
			if err := commit(); !errors.Is(err, core.ErrNotDurable) {
				return fmt.Errorf("without a replica: %w", err)
			}
			return nil
		})
		proxy.Misbehave(ill, "wait")
		err := commit()
		proxy.Heal()
		if err == nil || errors.Is(err, core.ErrConflict) || errors.Is(err, core.ErrNotDurable) {
			t.Errorf("%s: got error %v", ill.Name, err)
		}
	}
}
