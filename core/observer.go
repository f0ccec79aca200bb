package core

import "time"

// Observer is told what an Auth does, to count and time it: packages promauth and
// otelauth have one. What it is told is of small sets of words, fit for labels, and
// names no user, session, address or token. It is called on the path of every request
// by many goroutines: it must neither block nor panic. Embed [NoObserver] to implement
// a part of it, and to go on compiling when it grows.
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
	// ok, conflict, not_durable or failed; and how long it took. A tail waits.
	Stored(call, outcome string, took time.Duration)
}

// NoObserver is an [Observer] that does nothing.
type NoObserver struct{}

func (NoObserver) Guarded(string, bool)                   {}
func (NoObserver) Answered(string, string, time.Duration) {}
func (NoObserver) Audited(EventName, string)              {}
func (NoObserver) Stored(string, string, time.Duration)   {}

var _ Observer = NoObserver{}
