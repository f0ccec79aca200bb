// Package promauth counts and times what a core.Auth does, for Prometheus.
//
//	metrics, err := promauth.New(prometheus.DefaultRegisterer)
//	config.Observer = metrics
//	auth, err := core.New(config)
//	err = metrics.Watch(auth)
//
// The metrics, and what to alert on, are in docs/guide/metrics.md; docs/grafana.json
// is a dashboard of them. No label names a user, a session, an address or a token: each
// is one of a known set of words, and whatever else there may be is "other".
package promauth

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/internal/words"
)

// Options of an Observer. The zero Options are the recommended ones.
type Options struct {
	// Reasons are those of the app's own with which it ends sessions, beside the
	// constants of core: the label "cause" of sallyport_events_total has them. Keep
	// them few, and free of names. Others are "other".
	Reasons []core.Reason
}

// Observer is a core.Observer that counts and times for Prometheus. It is safe for
// concurrent use. One is for one Auth; for several in a process make one each, on
// registerers that prometheus.WrapRegistererWith has given a label.
type Observer struct {
	registerer prometheus.Registerer

	guards  *prometheus.CounterVec
	guarded map[string]*[2]prometheus.Counter // by outcome; not cached, cached; never written
	ok      *[2]prometheus.Counter            // of them, what nearly all are
	answers *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	events  *prometheus.CounterVec
	stored  *prometheus.HistogramVec

	outcomes, routes, names, causes, calls, results words.Set
}

var _ core.Observer = (*Observer)(nil)

// New returns an Observer whose metrics are registered. It fails if one of their names
// is taken; then none of them is registered.
func New(r prometheus.Registerer) (*Observer, error) { return NewWith(r, Options{}) }

// NewWith is New, with options.
func NewWith(r prometheus.Registerer, o Options) (*Observer, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &Observer{
		registerer: r,
		guards:     counter("sallyport_guard_total", "Decisions of guards: ok, anonymous, or the code of the refusal; cached: the token had been verified before.", "outcome", "cached"),
		answers:    counter("sallyport_answers_total", "Answers of the auth, admin and key routes: ok, or the code of the refusal.", "route", "outcome"),
		seconds:    histogram("sallyport_answer_seconds", "How long the routes took to answer.", answerBuckets, "route"),
		events:     counter("sallyport_events_total", "Audited events, each with its reason or cause.", "event", "cause"),
		stored:     histogram("sallyport_store_seconds", "How long calls on the store took, and how they ended; a tail waits.", storeBuckets, "call", "outcome"),
		guarded:    make(map[string]*[2]prometheus.Counter),
		outcomes:   words.Outcomes(),
		routes:     words.Routes(),
		names:      words.Events(),
		causes:     words.Causes(o.Reasons...),
		calls:      words.Calls(),
		results:    words.Results(),
	}
	var done []prometheus.Collector
	for _, c := range []prometheus.Collector{m.guards, m.answers, m.seconds, m.events, m.stored} {
		if err := r.Register(c); err != nil {
			for _, c := range done {
				r.Unregister(c)
			}
			return nil, errors.Join(errors.New("promauth: the metrics can't be registered"), err)
		}
		done = append(done, c)
	}
	m.zero()
	return m, nil
}

// A sign-in takes some 50 ms by itself, since a password is hashed; a refresh on a
// store nearby less than one.
var (
	answerBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
	storeBuckets  = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 3}
)

// zero makes what alerts wait for, so that the first one is an increase.
func (m *Observer) zero() {
	for _, outcome := range words.Guarded() {
		var pair [2]prometheus.Counter
		for i, cached := range []string{"false", "true"} {
			pair[i] = m.guards.WithLabelValues(outcome, cached)
		}
		m.guarded[outcome] = &pair
	}
	m.ok = m.guarded["ok"]
	for route := range m.routes {
		for _, outcome := range append(words.Failed(), "ok") {
			m.answers.WithLabelValues(route, outcome)
		}
	}
	for event, causes := range words.Alarms() {
		for _, cause := range causes {
			m.events.WithLabelValues(string(event), cause)
		}
	}
	for _, call := range []string{"load", "commit", "tail"} {
		m.stored.WithLabelValues(call, "failed")
	}
}

// Guarded implements core.Observer. It allocates nothing.
func (m *Observer) Guarded(outcome string, cached bool) {
	pair := m.ok
	if outcome != "ok" {
		pair = m.guarded[outcome]
	}
	switch {
	case pair == nil: // one that guards seldom have
		m.guards.WithLabelValues(m.outcomes.Of(outcome), strconv.FormatBool(cached)).Inc()
	case cached:
		pair[1].Inc()
	default:
		pair[0].Inc()
	}
}

// Answered implements core.Observer.
func (m *Observer) Answered(route, outcome string, took time.Duration) {
	route = m.routes.Of(route)
	m.answers.WithLabelValues(route, m.outcomes.Of(outcome)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// Audited implements core.Observer.
func (m *Observer) Audited(name core.EventName, cause string) {
	m.events.WithLabelValues(m.names.Of(string(name)), m.causes.Of(cause)).Inc()
}

// Stored implements core.Observer.
func (m *Observer) Stored(call, outcome string, took time.Duration) {
	m.stored.WithLabelValues(m.calls.Of(call), m.results.Of(outcome)).Observe(took.Seconds())
}
