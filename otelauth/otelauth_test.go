package otelauth_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/internal/exercise"
	"github.com/sallyport-go/sallyport/internal/words"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/otelauth"
)

func newObserver(t testing.TB) (*otelauth.Observer, *sdk.ManualReader) {
	t.Helper()
	reader := sdk.NewManualReader()
	m, err := otelauth.New(sdk.NewMeterProvider(sdk.WithReader(reader), sdk.WithCardinalityLimit(0)))
	if err != nil {
		t.Fatal(err)
	}
	return m, reader
}

func collect(t testing.TB, reader *sdk.ManualReader) metricdata.ResourceMetrics {
	t.Helper()
	var out metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// lines returns what was collected, a line for each series: name, attributes, value.
func lines(collected metricdata.ResourceMetrics) []string {
	var out []string
	add := func(name string, attributes attribute.Set, value any) {
		out = append(out, strings.TrimSpace(fmt.Sprint(name, " ", attributes.Encoded(attribute.DefaultEncoder()), " ", value)))
	}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Gauge[int64]:
				for _, p := range d.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range d.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					add(m.Name, p.Attributes, p.Count)
				}
			default:
				out = append(out, fmt.Sprintf("%s is a %T", m.Name, d))
			}
		}
	}
	slices.Sort(out)
	return out
}

// exercised takes an Auth through everything and hands over what was collected while
// the store was away, and after.
func exercised(t *testing.T, do func(c *exercise.Canaries, collected []metricdata.ResourceMetrics)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, reader := newObserver(t)
		var collected []metricdata.ResourceMetrics
		c := exercise.Run(t, m, m.Watch, func(core.Mode) { collected = append(collected, collect(t, reader)) })
		do(c, collected)
	})
}

// P29: no token, no password, no name of a user, a session, a device or an address is in
// what is exported, whatever happened.
func TestNoNamesInMetrics(t *testing.T) {
	exercised(t, func(c *exercise.Canaries, collected []metricdata.ResourceMetrics) {
		for _, rm := range collected {
			text, err := json.Marshal(rm)
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, strings.Join(lines(rm), "\n")...)
			found, of := c.In(text)
			if len(found) > 0 {
				t.Errorf("exported: %q", found)
			}
			if of < 1000 {
				t.Errorf("%d canaries, want at least 1,000", of)
			}
		}
	})
}

// What happened is counted, by the names and attributes that the guide tells.
func TestCounts(t *testing.T) {
	exercised(t, func(_ *exercise.Canaries, collected []metricdata.ResourceMetrics) {
		const n = exercise.Users
		away, after := lines(collected[0]), lines(collected[1])
		for _, want := range []struct {
			line string
			of   []string
		}{
			{fmt.Sprintf("sallyport.guard.decisions sallyport.cached=false,sallyport.outcome=anonymous %d", n), after},
			{fmt.Sprintf("sallyport.guard.decisions sallyport.cached=true,sallyport.outcome=FRESH_SIGN_IN_REQUIRED %d", n), after},
			{fmt.Sprintf("sallyport.answers sallyport.outcome=INVALID_CREDENTIALS,sallyport.route=/login %d", n), after},
			{fmt.Sprintf("sallyport.answers sallyport.outcome=FORBIDDEN,sallyport.route=/users/{user}/tokens %d", n), after},
			{fmt.Sprintf("sallyport.answer.duration sallyport.route=/users/{user}/tokens %d", 2*n), after},
			{"sallyport.answers sallyport.outcome=STORE_UNAVAILABLE,sallyport.route=/refresh 5", after},
			{fmt.Sprintf("sallyport.events sallyport.cause=reuse,sallyport.event=session_ended %d", n), after},
			{fmt.Sprintf("sallyport.events sallyport.cause=other,sallyport.event=session_ended %d", n), after},
			{"sallyport.store.duration sallyport.call=load,sallyport.outcome=failed ", away},
			{"sallyport.store.duration sallyport.call=load_many,sallyport.outcome=ok ", away},
			{"sallyport.feed.age  10", away},
			{"sallyport.mode sallyport.mode=degraded 1", away},
			{"sallyport.mode sallyport.mode=normal 0", away},
			{"sallyport.revocations.queued  1", away},
			{"sallyport.degraded  1", away},
			{"sallyport.outages  1", away},
			{"sallyport.mode sallyport.mode=degraded 0", after},
			{"sallyport.mode sallyport.mode=normal 1", after},
			{"sallyport.revocations.queued  0", after},
			{"sallyport.users.apart  0", after},
			{"sallyport.degraded  0", after},
			{"sallyport.outages  1", after},
		} {
			if !slices.ContainsFunc(want.of, func(line string) bool { return strings.HasPrefix(line, want.line) }) {
				name, _, _ := strings.Cut(want.line, " ")
				t.Errorf("no %q in\n%s", want.line, strings.Join(slices.DeleteFunc(slices.Clone(want.of), func(line string) bool {
					return !strings.HasPrefix(line, name+" ")
				}), "\n"))
			}
		}
	})
}

// The instruments have units, and kinds that fit: what only grows is monotonic.
func TestInstruments(t *testing.T) {
	exercised(t, func(_ *exercise.Canaries, collected []metricdata.ResourceMetrics) {
		want := map[string]string{
			"sallyport.guard.decisions":    "{decision} sum",
			"sallyport.answers":            "{answer} sum",
			"sallyport.answer.duration":    "s histogram",
			"sallyport.events":             "{event} sum",
			"sallyport.store.duration":     "s histogram",
			"sallyport.feed.age":           "s gauge",
			"sallyport.mode":               "1 gauge",
			"sallyport.revocations.queued": "{revocation} gauge",
			"sallyport.users.apart":        "{user} gauge",
			"sallyport.outages":            "{outage} sum",
			"sallyport.degraded":           "1 gauge",
		}
		for _, scope := range collected[1].ScopeMetrics {
			if scope.Scope.Name != "github.com/sallyport-go/sallyport/otelauth" {
				t.Errorf("the scope is %q", scope.Scope.Name)
			}
			for _, m := range scope.Metrics {
				kind := "gauge"
				switch d := m.Data.(type) {
				case metricdata.Sum[int64]:
					kind = "sum"
					if !d.IsMonotonic {
						t.Errorf("%s is not monotonic", m.Name)
					}
				case metricdata.Histogram[float64]:
					kind = "histogram"
				}
				if got := m.Unit + " " + kind; got != want[m.Name] || m.Description == "" {
					t.Errorf("%s, %q: got %q, want %q", m.Name, m.Description, got, want[m.Name])
				}
				delete(want, m.Name)
			}
		}
		if len(want) > 0 {
			t.Errorf("not there: %v", want)
		}
	})
}

// Words that nobody knows make no series; a reason that the app has named does.
func TestSeriesAreBounded(t *testing.T) {
	m, reader := newObserver(t)
	before := len(lines(collect(t, reader)))
	for range 2000 {
		w := rand.Text()
		m.Guarded(w, true)
		m.Answered(w, w, time.Second)
		m.Answered("/login", w, time.Second)
		m.Audited(core.EventName(w), w)
		m.Audited(core.EventSessionEnded, w)
		m.Stored(w, w, time.Second)
		m.Stored("load", w, time.Second)
	}
	// One of each of the seven, and the durations of two routes.
	if n := len(lines(collect(t, reader))) - before; n != 9 {
		t.Errorf("%d series more, want 9", n)
	}

	reader = sdk.NewManualReader()
	m, err := otelauth.NewWith(sdk.NewMeterProvider(sdk.WithReader(reader)), otelauth.Options{Reasons: []core.Reason{"moved_away"}})
	if err != nil {
		t.Fatal(err)
	}
	m.Audited(core.EventSessionEnded, "moved_away")
	if want := "sallyport.events sallyport.cause=moved_away,sallyport.event=session_ended 1"; !slices.Contains(lines(collect(t, reader)), want) {
		t.Errorf("no %q", want)
	}
}

// What an alert waits for is there before it comes.
func TestZeroesBeforeAnything(t *testing.T) {
	_, reader := newObserver(t)
	got := lines(collect(t, reader))
	for _, want := range []string{
		"sallyport.guard.decisions sallyport.cached=true,sallyport.outcome=TOKEN_REVOKED 0",
		"sallyport.answers sallyport.outcome=INTERNAL,sallyport.route=/refresh 0",
		"sallyport.events sallyport.cause=REFRESH_TOKEN_REUSED,sallyport.event=refresh_reused 0",
		"sallyport.events sallyport.cause=login_account,sallyport.event=limited 0",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %q", want)
		}
	}
}

// bearer is a request with an Authorization header.
type bearer struct{ auth string }

func (bearer) Context() context.Context { return context.Background() }
func (bearer) Method() string           { return http.MethodGet }
func (bearer) Host() string             { return "example.com" }
func (b bearer) Header(name string) string {
	if name == "Authorization" {
		return b.auth
	}
	return ""
}
func (bearer) Cookies(string) []string    { return nil }
func (bearer) Param(string) string        { return "" }
func (bearer) Peer() netip.Addr           { return netip.Addr{} }
func (bearer) Body(int64) ([]byte, error) { return nil, nil }

// guarded is a guard and a request that it lets in.
func guarded(t testing.TB, o core.Observer) (guard *core.Guard, request core.Request) {
	t.Helper()
	secret := make([]byte, 32)
	rand.Read(secret)
	auth, err := core.New(core.Config{
		Store: memstore.New(), Keys: []core.Key{{Secret: secret}}, Observer: o, TouchInterval: time.Hour,
		Audit: func(context.Context, core.Event) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	pair, err := auth.SignIn(context.Background(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		t.Fatal(err)
	}
	return auth.Guard(), bearer{auth: "Bearer " + pair.AccessToken}
}

// A known token costs no allocation when it is counted.
func TestGuardAllocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that nothing else is at work
		m, reader := newObserver(t)
		guard, request := guarded(t, m)
		guard.Check(request)
		synctest.Wait()
		if n := testing.AllocsPerRun(1000, func() { guard.Check(request) }); n != 0 {
			t.Errorf("%v allocations, want none", n)
		}
		if want := "sallyport.guard.decisions sallyport.cached=true,sallyport.outcome=ok 1001"; !slices.Contains(lines(collect(t, reader)), want) {
			t.Errorf("no %q", want)
		}
		for outcome := range words.Outcomes() {
			if n := testing.AllocsPerRun(1000, func() { m.Guarded(outcome, false) }); n != 0 {
				t.Errorf("%s: %v allocations, want none", outcome, n)
			}
		}
	})
}

func BenchmarkGuardCheck(b *testing.B) {
	m, _ := newObserver(b)
	without, err := otelauth.New(noop.NewMeterProvider())
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		observer core.Observer
	}{
		{"nobody", nil},
		{"otelauth without a provider", without},
		{"otelauth", m},
	} {
		b.Run(c.name, func(b *testing.B) {
			guard, request := guarded(b, c.observer)
			guard.Check(request)
			b.ReportAllocs()
			for b.Loop() {
				guard.Check(request)
			}
		})
	}
}
