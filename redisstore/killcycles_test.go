package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// P18: a revocation that was acknowledged is in Redis after kill -9 at any moment, for a
// process that knew nothing of it, and nobody else is signed out.
//
// That takes appendfsync always. Redis writes its log before it answers, and what is
// written outlives the process, if not the machine; but with everysec it puts the write
// off for up to 2 s while the disk is busy with an fsync, and answers all the same. What
// is lost then is counted, in full runs, and not asserted.
func TestProofKillCycles(t *testing.T) {
	long(t)
	cycles := 3
	policies := []string{"always"}
	if proof() {
		cycles = 200
		policies = []string{"always", "everysec"}
	}
	for _, policy := range policies {
		t.Run("appendfsync "+policy, func(t *testing.T) {
			k := &killing{t: t, server: redistest.Start(t, "--appendonly", "yes", "--appendfsync", policy), keys: newKeys()}
			for range cycles {
				k.cycle()
			}
			t.Logf("%d cycles: %d revocations acknowledged, %d lost; %d cut short; %d sessions left alone, %d of them lost",
				cycles, k.acknowledged, k.lost, k.cutShort, k.leftAlone, k.signedOut)
			if k.acknowledged < cycles || k.cutShort == 0 {
				t.Error("the server was not killed while sessions were revoked")
			}
			if policy == "always" && k.lost+k.signedOut > 0 {
				t.Errorf("%d revocations and %d sessions were lost, as %s", k.lost, k.signedOut, k.example)
			}
		})
	}
}

type killing struct {
	t      *testing.T
	server *redistest.Server
	keys   []core.Key
	users  int

	acknowledged, lost   int // revocations
	cutShort             int // revocations that were tried and not acknowledged
	leftAlone, signedOut int // sessions that nobody revoked
	example              string
}

// open starts a process that knows nothing.
func (k *killing) open() (s *site, closed func()) {
	client := redis.NewClient(&redis.Options{Addr: k.server.Addr, MaxRetries: -1, DialerRetries: 1})
	s = openSite(k.t, k.keys, openAt(k.t, client, redisstore.Options{}))
	return s, func() {
		s.Close()
		client.Close()
	}
}

// cycle has sessions revoked, one after the other by each of a few, until the server is
// killed, and looks what became of it.
func (k *killing) cycle() {
	k.t.Helper()
	const each, workers = 16, 4
	before, closed := k.open()
	pairs := make([]core.Pair, each*workers)
	for i := range pairs {
		k.users++
		pairs[i] = before.signIn(fmt.Sprint("user", k.users))
	}
	outcomes := make([]atomic.Pointer[error], len(pairs)) // nil: not tried
	var all sync.WaitGroup
	started, acknowledged := make(chan struct{}), make(chan bool, len(pairs))
	for w := range workers {
		all.Go(func() {
			<-started
			for i := w * each; i < (w+1)*each; i++ {
				outcomes[i].Store(new(error)) // tried
				err := before.Revoke(k.t.Context(), pairs[i].UserID, pairs[i].Session.ID, core.ReasonRevoked)
				outcomes[i].Store(&err)
				if err != nil {
					return // the server is gone
				}
				acknowledged <- true
			}
		})
	}
	close(started)
	for range 1 + rand.N(len(pairs)/2) {
		<-acknowledged
	}
	<-time.After(rand.N(2 * time.Millisecond)) // the moment is any
	k.server.Kill()
	all.Wait()
	closed() // before the server is back: nothing is to be told to it again
	if err := k.server.Restart(k.t); err != nil {
		k.t.Fatal(err)
	}

	after, closed := k.open()
	defer closed()
	for i := range pairs {
		tried := outcomes[i].Load()
		guard, refresh := k.look(after, pairs[i])
		switch {
		case tried == nil:
			k.leftAlone++
			if guard != nil || refresh != nil {
				k.signedOut++
				k.example = fmt.Sprintf("a session that nobody revoked: guard %v, refresh %v", guard, refresh)
			}
		case *tried == nil:
			k.acknowledged++
			if !errors.Is(guard, core.ErrTokenRevoked) || !errors.Is(refresh, core.ErrSessionEnded) {
				k.lost++
				k.example = fmt.Sprintf("a revocation that was acknowledged: guard %v, refresh %v", guard, refresh)
			}
		case errors.Is(*tried, core.ErrStoreUnavailable):
			k.cutShort++
		default:
			k.t.Errorf("revoke: %v", *tried)
		}
	}
}

// look returns what a guard and a refresh make of a session, once the store answers.
func (k *killing) look(s *site, pair core.Pair) (guard, refresh error) {
	k.t.Helper()
	redistest.Eventually(k.t, func(ctx context.Context) error {
		if _, guard = s.Verify(ctx, pair.AccessToken); errors.Is(guard, core.ErrStoreUnavailable) {
			return guard
		}
		if _, refresh = s.Refresh(ctx, core.RefreshRequest{Token: pair.RefreshToken}); errors.Is(refresh, core.ErrStoreUnavailable) {
			return refresh
		}
		return nil
	})
	return guard, refresh
}
