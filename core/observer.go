package core

import (
	"context"
	"errors"
	"time"
)

// Observer is told what an Auth does, to count and time it: packages promauth and
// otelauth have one. What it is told is of small sets of words, fit for labels, and
// names no user, session, address or token, unless the app has put one into an Error of
// its own or a Reason. It is called on the path of every request by many goroutines: it
// must neither block nor panic. Embed [NoObserver] to implement a part of it, and to go
// on compiling when it grows.
type Observer interface {
	// Guarded is told each decision of a guard. outcome is "ok", "anonymous", or the
	// Code of the refusal; cached says that the token had been verified before.
	Guarded(outcome string, cached bool)
	// Answered is told each answer of a route: its path in its group, such as
	// "/login"; "ok" or the Code of the refusal; and how long it took.
	Answered(route, outcome string, took time.Duration)
	// Audited is told of each event: its name, and its Reason or else its Cause.
	Audited(name EventName, cause string)
	// Stored is told each call on the store: load, commit, tail, load_many or sweep;
	// ok, conflict, not_durable or failed; and how long it took. A tail waits. Not told
	// are those of [Auth.Check], and one that was cut short by [Auth.Close].
	Stored(call, outcome string, took time.Duration)
}

// NoObserver is an [Observer] that does nothing.
type NoObserver struct{}

func (NoObserver) Guarded(string, bool)                   {}
func (NoObserver) Answered(string, string, time.Duration) {}
func (NoObserver) Audited(EventName, string)              {}
func (NoObserver) Stored(string, string, time.Duration)   {}

var _ Observer = NoObserver{}

const outcomeOK = "ok"

// outcome says what an answer is: "ok", or the Code of the refusal.
func (r *Response) outcome() string {
	if r.code != "" {
		return r.code
	}
	return outcomeOK
}

// observe tells of a decision.
func (g *Guard) observe(outcome string, cached bool) {
	if o := g.auth.config.Observer; o != nil {
		o.Guarded(outcome, cached)
	}
}

// observed has the Observer told what routes answer.
func (a *Auth) observed(routes []Route) []Route {
	o := a.config.Observer
	if o == nil {
		return routes
	}
	for i, r := range routes {
		routes[i].Serve = func(request Request) Response {
			began := a.now()
			out := r.Serve(request)
			o.Answered(r.Path, out.outcome(), a.now().Sub(began))
			return out
		}
	}
	return routes
}

// begins is the time before a call on the store, if somebody is told how long it took.
func (b *breaker) begins() time.Time {
	if b.observer == nil {
		return time.Time{}
	}
	return b.now()
}

// observe tells of a call on the store that has ended.
func (b *breaker) observe(ctx context.Context, call string, began time.Time, err error) {
	if b.observer == nil || err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	outcome := "failed"
	switch {
	case err == nil:
		outcome = outcomeOK
	case errors.Is(err, ErrConflict):
		outcome = "conflict"
	case errors.Is(err, ErrNotDurable):
		outcome = "not_durable"
	}
	b.observer.Stored(call, outcome, b.now().Sub(began))
}
