package core

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"
)

// register is a store of one ledger, whose commits end as the test says.
type registerStore struct {
	ledger Ledger
	next   func(c Change) (Ledger, error)
}

func (r *registerStore) Load(context.Context, string) (Ledger, error) { return r.ledger.Clone(), nil }

func (r *registerStore) Commit(_ context.Context, _ string, c Change) (Ledger, error) {
	return r.next(c)
}

func (r *registerStore) Tail(ctx context.Context, _ Cursor, _ time.Duration) (Batch, error) {
	return Batch{}, nil
}

// A session that began apart, was stored by a try whose reply was lost, and has ended
// since, does not begin again, however many tries fail.
func TestRejoinTriedTwice(t *testing.T) {
	store := &registerStore{}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	a, err := newAuth(Config{Store: store, Keys: []Key{{Secret: secret}}, ServeFromMemory: true, Audit: func(context.Context, Event) {}}, func() time.Time { return ruleTime })
	if err != nil {
		t.Fatal(err)
	}
	w := &lone{p: rulePolicy()}
	w.signIn(1, ruleTime)
	u := &apartUser{userID: "alice", ledger: w.l, done: w.apart, any: true}
	a.apart.users = map[string]*apartUser{"alice": u}
	a.apart.count.Store(1)
	lost := errors.New("lost")

	store.next = func(c Change) (Ledger, error) { store.ledger = c.Apply(store.ledger); return Ledger{}, lost }
	if _, err := a.rejoinUser(t.Context(), u); err == nil {
		t.Fatal("no error")
	}
	_, end := endSessions(store.ledger, only(ruleID(1)), ReasonRevoked, ruleTime) // by another process
	end.ID = ruleID(250)
	store.ledger = end.Apply(store.ledger)

	store.next = func(Change) (Ledger, error) { return Ledger{}, lost } // it did not take place
	_, _ = a.rejoinUser(t.Context(), u)
	store.next = func(c Change) (Ledger, error) { store.ledger = c.Apply(store.ledger); return store.ledger, nil }
	if _, err := a.rejoinUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	if store.ledger.session(ruleID(1), ruleTime) != nil {
		t.Error("the session that was revoked is back")
	}
}
