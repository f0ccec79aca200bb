// Package metrics is what the examples tell Prometheus, when they are asked to.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/promauth"
)

// Path is where they are served.
const Path = "/metrics"

// Metrics are those of one server. A nil *Metrics measures nothing.
type Metrics struct {
	registry *prometheus.Registry
	observer *promauth.Observer
}

// New returns the metrics of a server, nil unless they are wanted.
func New(wanted bool) (*Metrics, error) {
	if !wanted {
		return nil, nil
	}
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector())
	var err error
	m.observer, err = promauth.New(m.registry)
	return m, err
}

// Observer is for core.Config.
func (m *Metrics) Observer() core.Observer {
	if m == nil {
		return nil
	}
	return m.observer
}

// Watch adds how auth is.
func (m *Metrics) Watch(auth *core.Auth) error {
	if m == nil {
		return nil
	}
	return m.observer.Watch(auth)
}

// Handler serves them, at Path. nil: there are none.
func (m *Metrics) Handler() http.Handler {
	if m == nil {
		return nil
	}
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
