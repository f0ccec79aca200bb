package core

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// Health is how an Auth is at a moment.
type Health struct {
	// Degraded says that something is not as it should be: the mode is not
	// ModeNormal, revocations wait for the store, the feed was not read for longer than
	// Config.MaxStaleness, or not yet, or it has more revocations than
	// Config.MaxRevocations. In the last three cases guards ask the store, for each
	// token once in MaxStaleness.
	Degraded bool
	// FeedAge is how old the last successful read of the feed is, and so how far this
	// process may lag behind revocations that others make; negative if there was none.
	FeedAge time.Duration
	// Mode is how the Auth goes on while its store does not answer, and Since since when.
	Mode  Mode
	Since time.Time
	// Outages is how often the store has stopped answering.
	Outages int
	// Queued is how many revocations wait for the store, and Apart of how many users
	// something was decided in memory.
	Queued int
	Apart  int
}

// Health returns how the Auth is. It does not ask the store.
func (a *Auth) Health() Health {
	age := a.feed.age(a.now())
	now := a.outage.now.Load()
	h := Health{
		FeedAge: age,
		Mode:    now.mode,
		Since:   now.since,
		Outages: int(a.outage.lost.Load()),
		Queued:  a.feed.queued(),
		Apart:   int(a.apart.count.Load()),
	}
	h.Degraded = now.mode != ModeNormal || h.Queued+h.Apart > 0 ||
		age < 0 || age > a.config.MaxStaleness || a.feed.overflowed()
	return h
}

// Finding is something that Check found unsound, and what to do about it.
type Finding struct {
	Subject string // keys, store, feed, clock, cookie, limiter, resolver
	Problem string
	Remedy  string
}

// String returns the finding as one line.
func (f Finding) String() string { return f.Subject + ": " + f.Problem + "; " + f.Remedy }

// Check looks whether keys, store and settings are sound and returns what is
// not. It writes to the store under a user id of its own, removes it again, and
// reads the whole feed: it is for a start or an operator, [Auth.Health] for a
// probe.
func (a *Auth) Check(ctx context.Context) []Finding {
	var out []Finding
	found := func(subject, remedy, problem string, args ...any) {
		out = append(out, Finding{Subject: subject, Problem: fmt.Sprintf(problem, args...), Remedy: remedy})
	}
	if a.ring.signing(a.now()) == nil {
		found("keys", "configure one that signs", "none has begun to sign")
	}
	if err := a.checkStore(ctx); err != nil {
		found("store", "see that it runs, and that this process may read and write it", "%v", err)
	}
	if checker, ok := a.config.Store.(Checker); ok {
		call, cancel := a.detached(ctx)
		out = append(out, checker.Check(call, a.now())...)
		cancel()
	}
	switch h := a.Health(); {
	case h.FeedAge < 0:
		found("feed", "check again in a moment; then see whether the store answers", "it was not read yet")
	case h.FeedAge > a.config.MaxStaleness:
		found("feed", "see whether the store answers", "it was last read %v ago", h.FeedAge)
	case h.Mode != ModeNormal:
		found("store", "see whether it answers, and what its log says", "it has been away since %v; the mode is %s", h.Since.Format(time.RFC3339), h.Mode)
	case h.Queued > 0:
		found("store", "see whether it takes writes", "%d revocations wait for it", h.Queued)
	case h.Degraded:
		found("feed", "raise MaxRevocations", "there are more revocations than may be held in memory")
	}
	if ahead := time.Duration(a.skew.Load()); ahead > max(a.policy.grace, time.Second) {
		found("clock", "set the clocks of all processes by NTP; Forget mends a ledger that is far ahead", "a ledger was written %v ahead of this clock", ahead)
	}
	if err := a.checkLimiter(ctx); err != nil {
		found("limiter", "see whether it answers; until then each process counts on its own", "%v", err)
	}
	if err := a.checkResolver(ctx); err != nil {
		found("resolver", "see that its files are there and can be read; until then no place is known", "%v", err)
	}
	if a.config.Cookie.Insecure {
		found("cookie", "leave Cookie.Insecure out wherever TLS is", "cookies travel without TLS")
	}
	return out
}

// checkLimiter asks the limiter how things stand.
func (a *Auth) checkLimiter(ctx context.Context) error {
	limiter := a.config.Limiter
	if limiter == nil || a.config.Limits.Off {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, limiterTimeout)
	defer cancel()
	_, err := outside(ctx, a.limits.asked, func(ctx context.Context) (Allowance, error) {
		return limiter.Take(ctx, "check", Rate{1, time.Minute}, 0)
	})
	return err
}

// checkResolver asks the resolver about an address of nobody (RFC 5737).
func (a *Auth) checkResolver(ctx context.Context) error {
	view := a.survey(ctx)
	view.place("192.0.2.1")
	return view.failed
}

// checkStore takes the store through one life of a ledger.
func (a *Auth) checkStore(ctx context.Context) error {
	ctx, cancel := a.detached(ctx)
	defer cancel()
	var ids [3]ID
	for i := range ids {
		var err error
		if ids[i], err = newID(a.config.Random); err != nil {
			return err
		}
	}
	user, now := "sallyport-check-"+ids[0].String(), ledgerTime(a.now())
	feed, err := a.config.Store.Tail(ctx, "", 0)
	if err != nil {
		return fmt.Errorf("reading the feed: %w", err)
	}
	made := Change{
		ID: ids[1], At: now, KeepUntil: now.Add(time.Minute),
		Put:     []Session{{ID: ids[0], CreatedAt: now, ExpiresAt: now.Add(time.Minute), Claims: []byte(`{}`)}},
		Publish: []Revocation{{Session: ids[0], MinSerial: AllSerials, Until: now.Add(time.Minute)}},
	}
	if _, err := a.config.Store.Commit(ctx, user, made); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	l, err := a.config.Store.Load(ctx, user)
	switch {
	case err != nil:
		return fmt.Errorf("loading: %w", err)
	case l.Version != made.ID || len(l.Sessions) != 1 || !bytes.Equal(l.Sessions[0].Claims, made.Put[0].Claims):
		return fmt.Errorf("what was committed does not come back")
	}
	batch, err := a.config.Store.Tail(ctx, feed.Next, 0)
	if err != nil {
		return fmt.Errorf("reading the feed: %w", err)
	}
	arrived := false
	for _, e := range batch.Events {
		arrived = arrived || e.Session == ids[0]
	}
	if !arrived {
		return fmt.Errorf("a committed revocation is not in the feed")
	}
	if _, err := a.config.Store.Commit(ctx, user, Change{ID: ids[2], If: made.ID, At: now, Forget: true}); err != nil {
		return fmt.Errorf("forgetting: %w", err)
	}
	return nil
}
