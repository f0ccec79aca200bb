package otelauth

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/metric"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/internal/words"
)

// Watch has the provider read what Auth.Health says, whenever it collects: it asks
// nobody and takes no time. It is called once, after core.New.
func (m *Observer) Watch(auth *core.Auth) error {
	var errs []error
	gauge := func(name, unit, help string) metric.Int64ObservableGauge {
		g, err := m.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(help))
		errs = append(errs, err)
		return g
	}
	age, err := m.meter.Float64ObservableGauge("sallyport.feed.age", metric.WithUnit("s"), metric.WithDescription("Age of the last successful read of the feed of revocations; absent before the first."))
	errs = append(errs, err)
	outages, err := m.meter.Int64ObservableCounter("sallyport.outages", metric.WithUnit("{outage}"), metric.WithDescription("How often the store has stopped answering."))
	errs = append(errs, err)
	mode := gauge("sallyport.mode", "1", "1 for the mode that the Auth is in, 0 for the others.")
	queued := gauge("sallyport.revocations.queued", "{revocation}", "Revocations that wait for the store.")
	apart := gauge("sallyport.users.apart", "{user}", "Users of whom something was decided in memory.")
	degraded := gauge("sallyport.degraded", "1", "1 if something is not as it should be.")
	if err := errors.Join(errs...); err != nil {
		return errors.Join(errors.New("otelauth: the gauges can't be had"), err)
	}
	modes := make(map[core.Mode][]metric.ObserveOption)
	for _, m := range words.Modes() {
		modes[m] = []metric.ObserveOption{metric.WithAttributes(modeKey.String(string(m)))}
	}
	_, err = m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		now := auth.Health()
		if now.FeedAge >= 0 {
			o.ObserveFloat64(age, now.FeedAge.Seconds())
		}
		for m, labels := range modes {
			o.ObserveInt64(mode, oneIf(m == now.Mode), labels...)
		}
		o.ObserveInt64(queued, int64(now.Queued))
		o.ObserveInt64(apart, int64(now.Apart))
		o.ObserveInt64(degraded, oneIf(now.Degraded))
		o.ObserveInt64(outages, int64(now.Outages))
		return nil
	}, age, mode, queued, apart, degraded, outages)
	return err
}

func oneIf(is bool) int64 {
	if is {
		return 1
	}
	return 0
}
