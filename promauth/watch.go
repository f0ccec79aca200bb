package promauth

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/internal/words"
)

// Watch registers what Auth.Health says, read at each scrape: it asks nobody and takes
// no time. It is called once, after core.New, and fails if an Auth is watched already.
func (m *Observer) Watch(auth *core.Auth) error {
	if err := m.registerer.Register(health{auth}); err != nil {
		return errors.Join(errors.New("promauth: the gauges can't be registered"), err)
	}
	return nil
}

// health exports the Health of an Auth.
type health struct{ auth *core.Auth }

var (
	feedAge  = prometheus.NewDesc("sallyport_feed_age_seconds", "Age of the last successful read of the feed of revocations; absent before the first.", nil, nil)
	mode     = prometheus.NewDesc("sallyport_mode", "1 for the mode that the Auth is in, 0 for the others.", []string{"mode"}, nil)
	queued   = prometheus.NewDesc("sallyport_revocations_queued", "Revocations that wait for the store.", nil, nil)
	apart    = prometheus.NewDesc("sallyport_users_apart", "Users of whom something was decided in memory.", nil, nil)
	outages  = prometheus.NewDesc("sallyport_outages_total", "How often the store has stopped answering.", nil, nil)
	degraded = prometheus.NewDesc("sallyport_degraded", "1 if something is not as it should be.", nil, nil)
)

func (health) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{feedAge, mode, queued, apart, outages, degraded} {
		out <- d
	}
}

func (h health) Collect(out chan<- prometheus.Metric) {
	now := h.auth.Health()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if now.FeedAge >= 0 {
		gauge(feedAge, now.FeedAge.Seconds())
	}
	for _, m := range words.Modes() {
		gauge(mode, oneIf(m == now.Mode), string(m))
	}
	gauge(queued, float64(now.Queued))
	gauge(apart, float64(now.Apart))
	gauge(degraded, oneIf(now.Degraded))
	out <- prometheus.MustNewConstMetric(outages, prometheus.CounterValue, float64(now.Outages))
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
