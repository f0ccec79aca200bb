package core

import (
	"context"
	"time"
)

// NewStill returns an Auth that does nothing in the background and goes by a
// clock of the test's.
func NewStill(c Config, now func() time.Time) (*Auth, error) { return newAuth(c, now) }

// FlushUses writes the signs of life that are queued.
func (a *Auth) FlushUses(ctx context.Context) { a.flushUses(ctx) }

// DropUses forgets the signs of life that are queued.
func (a *Auth) DropUses() {
	for {
		select {
		case <-a.uses.queue:
		default:
			return
		}
	}
}

// VerifyAlone is Verify, with a load of its own: it waits for no other caller.
func (a *Auth) VerifyAlone(ctx context.Context, token string) (*Principal, error) {
	p, _, err := a.admit(ctx, token, a.now(), true)
	return p, err
}

// TakeIn has the feed take revocations in, as if it had read them.
func (a *Auth) TakeIn(events []Revocation) { a.feed.enforce(events, a.now()) }

// Record audits an event.
func (a *Auth) Record(ctx context.Context, name EventName, e Event) { a.audit(ctx, name, e) }

// LogEvent is the default sink.
func LogEvent(ctx context.Context, e Event) { logEvent(ctx, e) }
