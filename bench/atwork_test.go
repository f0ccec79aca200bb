package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// atWork is an Auth whose feed vouches for tokens, and people who have signed in.
// Its HS256 key is that of all contestants, and they get the same tokens.
type atWork struct {
	*core.Auth
	key    []byte
	store  *counted
	people []person
}

type person struct {
	user    string
	session core.ID
	token   string
}

// counted counts how often a ledger is loaded.
type counted struct {
	*memstore.Store
	loads atomic.Int64
}

func (s *counted) Load(ctx context.Context, userID string) (core.Ledger, error) {
	s.loads.Add(1)
	return s.Store.Load(ctx, userID)
}

// newAtWork returns an Auth with so many people, after another process has revoked
// so many sessions and the feed has brought them.
func newAtWork(tb testing.TB, people, revoked int) *atWork {
	tb.Helper()
	w := &atWork{key: []byte(rand.Text() + rand.Text()), store: &counted{Store: memstore.NewWith(memstore.Options{MaxRevocations: 2_000_000})}}
	began := time.Now().UTC().Truncate(time.Millisecond)
	// The feed can't vouch for what was issued before it began, give or take.
	w.publish(tb, began.Add(-10*time.Minute), core.Revocation{Session: randomID(), MinSerial: core.AllSerials, Until: began.Add(time.Hour)})
	var err error
	w.Auth, err = core.New(core.Config{
		Limits:         core.Limits{Off: true},
		Store:          w.store,
		Keys:           []core.Key{{Secret: w.key}},
		Audit:          func(context.Context, core.Event) {},
		MaxRevocations: 2_000_000,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { w.Close() })
	for i := range people {
		w.people = append(w.people, w.signIn(tb, fmt.Sprint("user-", i)))
	}
	last := w.signIn(tb, "the last to be revoked")
	events := make([]core.Revocation, revoked, revoked+1)
	for i := range events {
		events[i] = core.Revocation{Session: randomID(), MinSerial: core.AllSerials, Until: began.Add(time.Hour)}
	}
	w.publish(tb, began, append(events, core.Revocation{Session: last.session, MinSerial: core.AllSerials, Until: began.Add(time.Hour)})...)
	await(tb, "the feed to bring all revocations", func() bool {
		_, err := w.Verify(tb.Context(), last.token)
		return err != nil
	})
	return w
}

// publish appends revocations to the feed, as another process would.
func (w *atWork) publish(tb testing.TB, at time.Time, events ...core.Revocation) {
	tb.Helper()
	c := core.Change{ID: randomID(), At: at, KeepUntil: at.Add(2 * time.Hour), Publish: events}
	if _, err := w.store.Commit(tb.Context(), "another-"+c.ID.String(), c); err != nil {
		tb.Fatal(err)
	}
}

func (w *atWork) signIn(tb testing.TB, user string) person {
	tb.Helper()
	pair, err := w.SignIn(tb.Context(), core.SignInRequest{
		Identity: core.Identity{UserID: user, Scopes: []string{"orders:read", "orders:write"}, Roles: []string{"clerk"}},
		Client:   core.Client{DeviceID: "d1", DeviceName: "laptop", IP: "192.0.2.1", UserAgent: "Mozilla/5.0"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return person{user, pair.Session.ID, pair.AccessToken}
}

func (w *atWork) tokens() []string {
	tokens := make([]string, len(w.people))
	for i, p := range w.people {
		tokens[i] = p.token
	}
	return tokens
}

// await returns once something holds that happens in the background.
func await(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("waited in vain for %s", what)
		}
	}
}

func randomID() core.ID {
	var id core.ID
	rand.Read(id[:])
	return id
}
