// Package otelauth counts and times what a core.Auth does, for OpenTelemetry.
//
//	metrics, err := otelauth.New(otel.GetMeterProvider())
//	config.Observer = metrics
//	auth, err := core.New(config)
//	err = metrics.Watch(auth)
//
// The instruments, and what to alert on, are in docs/guide/metrics.md. No attribute
// names a user, a session, an address or a token: each is one of a known set of words,
// and whatever else there may be is "other".
package otelauth

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/internal/words"
)

// Options of an Observer. The zero Options are the recommended ones.
type Options struct {
	// Reasons are those of the app's own with which it ends sessions, beside the
	// constants of core: the attribute sallyport.cause of sallyport.events has them.
	// Keep them few, and free of names. Others are "other".
	Reasons []core.Reason
}

// Observer is a core.Observer that counts and times for OpenTelemetry. It is safe for
// concurrent use. One is for one Auth.
type Observer struct {
	meter metric.Meter

	// guarded are the decisions so far by outcome: of tokens not known, and known. The
	// map is never written. They are read when the provider collects, so that no
	// request pays for it.
	guarded map[string]*[2]atomic.Int64
	ok      *[2]atomic.Int64 // of them, what nearly all are

	answers metric.Int64Counter
	answer  metric.Float64Histogram
	events  metric.Int64Counter
	store   metric.Float64Histogram

	outcomes, routes, names, causes, calls, results words.Set
}

var _ core.Observer = (*Observer)(nil)

// New returns an Observer with instruments of a provider.
func New(p metric.MeterProvider) (*Observer, error) { return NewWith(p, Options{}) }

// NewWith is New, with options.
func NewWith(p metric.MeterProvider, o Options) (*Observer, error) {
	m := &Observer{
		meter:    p.Meter("github.com/sallyport-go/sallyport/otelauth"),
		guarded:  make(map[string]*[2]atomic.Int64),
		outcomes: words.Outcomes(),
		routes:   words.Routes(),
		names:    words.Events(),
		causes:   words.Causes(o.Reasons...),
		calls:    words.Calls(),
		results:  words.Results(),
	}
	var errs []error
	counter := func(name, unit, help string) metric.Int64Counter {
		c, err := m.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(help))
		errs = append(errs, err)
		return c
	}
	seconds := func(name, help string, bounds ...float64) metric.Float64Histogram {
		h, err := m.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(help), metric.WithExplicitBucketBoundaries(bounds...))
		errs = append(errs, err)
		return h
	}
	m.answers = counter("sallyport.answers", "{answer}", "Answers of the auth, admin and key routes: ok, or the code of the refusal.")
	m.answer = seconds("sallyport.answer.duration", "How long the routes took to answer.", .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5)
	m.events = counter("sallyport.events", "{event}", "Audited events, each with its reason or cause.")
	m.store = seconds("sallyport.store.duration", "How long calls on the store took, and how they ended; a tail waits.", .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 3)
	errs = append(errs, m.countGuards())
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(errors.New("otelauth: the instruments can't be had"), err)
	}
	m.zero()
	return m, nil
}

const (
	outcomeKey = attribute.Key("sallyport.outcome")
	cachedKey  = attribute.Key("sallyport.cached")
	routeKey   = attribute.Key("sallyport.route")
	eventKey   = attribute.Key("sallyport.event")
	causeKey   = attribute.Key("sallyport.cause")
	callKey    = attribute.Key("sallyport.call")
	modeKey    = attribute.Key("sallyport.mode")
)

// zero makes what alerts wait for, so that the first one is an increase.
func (m *Observer) zero() {
	ctx := context.Background()
	for route := range m.routes {
		for _, outcome := range append(words.Failed(), "ok") {
			m.answers.Add(ctx, 0, metric.WithAttributes(routeKey.String(route), outcomeKey.String(outcome)))
		}
	}
	for event, causes := range words.Alarms() {
		for _, cause := range causes {
			m.events.Add(ctx, 0, metric.WithAttributes(eventKey.String(string(event)), causeKey.String(cause)))
		}
	}
}

// countGuards makes the instrument of the decisions of guards.
func (m *Observer) countGuards() error {
	decisions, err := m.meter.Int64ObservableCounter("sallyport.guard.decisions", metric.WithUnit("{decision}"),
		metric.WithDescription("Decisions of guards: ok, anonymous, or the code of the refusal; cached: the token had been verified before."))
	if err != nil {
		return err
	}
	type series struct {
		count  *atomic.Int64
		labels []metric.ObserveOption
		zero   bool // it is there before anything is counted
	}
	var all []series
	for outcome := range m.outcomes {
		m.guarded[outcome] = new([2]atomic.Int64)
	}
	m.guarded[words.Other] = new([2]atomic.Int64)
	m.ok = m.guarded["ok"]
	for outcome, pair := range m.guarded {
		for i, cached := range []bool{false, true} {
			labels := []metric.ObserveOption{metric.WithAttributes(outcomeKey.String(outcome), cachedKey.Bool(cached))}
			all = append(all, series{&pair[i], labels, slices.Contains(words.Guarded(), outcome)})
		}
	}
	_, err = m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, s := range all {
			if n := s.count.Load(); n > 0 || s.zero {
				o.ObserveInt64(decisions, n, s.labels...)
			}
		}
		return nil
	}, decisions)
	return err
}

// Guarded implements core.Observer. It allocates nothing.
func (m *Observer) Guarded(outcome string, cached bool) {
	pair := m.ok
	if outcome != "ok" {
		if pair = m.guarded[outcome]; pair == nil {
			pair = m.guarded[words.Other]
		}
	}
	if cached {
		pair[1].Add(1)
		return
	}
	pair[0].Add(1)
}

// Answered implements core.Observer.
func (m *Observer) Answered(route, outcome string, took time.Duration) {
	ctx, where := context.Background(), routeKey.String(m.routes.Of(route))
	m.answers.Add(ctx, 1, metric.WithAttributes(where, outcomeKey.String(m.outcomes.Of(outcome))))
	m.answer.Record(ctx, took.Seconds(), metric.WithAttributes(where))
}

// Audited implements core.Observer.
func (m *Observer) Audited(name core.EventName, cause string) {
	m.events.Add(context.Background(), 1, metric.WithAttributes(eventKey.String(m.names.Of(string(name))), causeKey.String(m.causes.Of(cause))))
}

// Stored implements core.Observer.
func (m *Observer) Stored(call, outcome string, took time.Duration) {
	m.store.Record(context.Background(), took.Seconds(), metric.WithAttributes(callKey.String(m.calls.Of(call)), outcomeKey.String(m.results.Of(outcome))))
}
