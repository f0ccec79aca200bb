package core_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// The store goes away and comes back. Meanwhile access tokens go on and refreshes have
// to wait, and a revocation counts here and is written when the store is back.
func Example_outage() {
	store := &plug{Store: memstore.New()} // yours is redisstore, or another that is elsewhere
	modes := make(chan core.ModeChange, 10)
	auth, err := core.New(core.Config{
		Store:  store,
		Keys:   []core.Key{{Secret: exampleSecret}},
		Audit:  func(context.Context, core.Event) {}, // it has these changes as well: mode_changed
		OnMode: func(c core.ModeChange) { modes <- c },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	next := func() {
		change := <-modes
		fmt.Println("from", change.From, "to", change.To)
	}

	ctx := context.Background()
	phone := signInAlice(ctx, auth)
	laptop := signInAlice(ctx, auth)
	for auth.Health().FeedAge < 0 { // a process that knows of no revocation lets nobody in
		runtime.Gosched()
	}
	if _, err := auth.Verify(ctx, laptop.AccessToken); err != nil { // the laptop is at work
		log.Fatal(err)
	}

	store.pulled.Store(true)
	next()
	_, err = auth.Verify(ctx, laptop.AccessToken)
	fmt.Println("the laptop's access token is good:", err == nil)
	_, err = auth.Refresh(ctx, core.RefreshRequest{Token: laptop.RefreshToken})
	fmt.Println("its refresh has to wait:", errors.Is(err, core.ErrStoreUnavailable))
	err = auth.Revoke(ctx, "alice", phone.Session.ID, core.ReasonRevoked)
	fmt.Println("the phone's session is revoked, but not durably:", errors.Is(err, core.ErrNotDurable))
	_, err = auth.Verify(ctx, phone.AccessToken)
	fmt.Println("the phone is out here:", errors.Is(err, core.ErrTokenRevoked))
	fmt.Println("waiting to be written:", auth.Health().Queued)

	store.pulled.Store(false)
	next()
	fmt.Println("waiting to be written:", auth.Health().Queued)
	n, err := auth.Count(ctx, "alice")
	fmt.Println("sessions in the store:", n, err)

	// Output:
	// from normal to degraded
	// the laptop's access token is good: true
	// its refresh has to wait: true
	// the phone's session is revoked, but not durably: true
	// the phone is out here: true
	// waiting to be written: 1
	// from degraded to normal
	// waiting to be written: 0
	// sessions in the store: 1 <nil>
}

func signInAlice(ctx context.Context, auth *core.Auth) core.Pair {
	pair, err := auth.SignIn(ctx, core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		log.Fatal(err)
	}
	return pair
}

// plug is what a store hangs on.
type plug struct {
	core.Store
	pulled atomic.Bool
}

var errPulled = errors.New("no connection")

func (p *plug) Load(ctx context.Context, userID string) (core.Ledger, error) {
	if p.pulled.Load() {
		return core.Ledger{}, errPulled
	}
	return p.Store.Load(ctx, userID)
}

func (p *plug) Commit(ctx context.Context, userID string, c core.Change) (core.Ledger, error) {
	if p.pulled.Load() {
		return core.Ledger{}, errPulled
	}
	return p.Store.Commit(ctx, userID, c)
}

func (p *plug) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	if p.pulled.Load() {
		return core.Batch{}, errPulled
	}
	return p.Store.Tail(ctx, after, wait)
}
