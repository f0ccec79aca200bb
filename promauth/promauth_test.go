package promauth_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/internal/exercise"
	"github.com/sallyport-go/sallyport/internal/words"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/promauth"
)

func newObserver(t testing.TB, r prometheus.Registerer) *promauth.Observer {
	t.Helper()
	m, err := promauth.New(r)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// scrape is what Prometheus would be told.
func scrape(t testing.TB, r *prometheus.Registry) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// exercised takes an Auth through everything and hands over what was scraped while the
// store was away, and after.
func exercised(t *testing.T, do func(r *prometheus.Registry, c *exercise.Canaries, scrapes [][]byte)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := prometheus.NewPedanticRegistry()
		m := newObserver(t, r)
		var scrapes [][]byte
		c := exercise.Run(t, m, m.Watch, func(core.Mode) { scrapes = append(scrapes, scrape(t, r)) })
		do(r, c, scrapes)
	})
}

// P29: no token, no password, no name of a user, a session, a device or an address is in
// a scrape, whatever happened.
func TestNoNamesInMetrics(t *testing.T) {
	exercised(t, func(r *prometheus.Registry, c *exercise.Canaries, scrapes [][]byte) {
		for _, text := range append(scrapes, scrape(t, r)) {
			found, of := c.In(text)
			if len(found) > 0 {
				t.Errorf("a scrape has %q", found)
			}
			if of < 1000 {
				t.Errorf("%d canaries, want at least 1,000", of)
			}
		}
	})
}

// What happened is counted, by the names and labels that the guide tells.
func TestCounts(t *testing.T) {
	exercised(t, func(r *prometheus.Registry, _ *exercise.Canaries, scrapes [][]byte) {
		const n = exercise.Users
		for _, want := range []struct {
			line string
			of   []byte
		}{
			{fmt.Sprintf(`sallyport_guard_total{cached="false",outcome="anonymous"} %d`, n), scrapes[1]},
			{fmt.Sprintf(`sallyport_guard_total{cached="true",outcome="FRESH_SIGN_IN_REQUIRED"} %d`, n), scrapes[1]},
			{fmt.Sprintf(`sallyport_answers_total{outcome="INVALID_CREDENTIALS",route="/login"} %d`, n), scrapes[1]},
			{fmt.Sprintf(`sallyport_answers_total{outcome="INTERNAL",route="/login"} %d`, n), scrapes[1]},
			{fmt.Sprintf(`sallyport_answers_total{outcome="ok",route="/users/{user}/tokens"} %d`, n), scrapes[1]},
			{fmt.Sprintf(`sallyport_answers_total{outcome="FORBIDDEN",route="/users/{user}/tokens"} %d`, n), scrapes[1]},
			{fmt.Sprintf(`sallyport_answer_seconds_count{route="/users/{user}/tokens"} %d`, 2*n), scrapes[1]},
			{`sallyport_answers_total{outcome="STORE_UNAVAILABLE",route="/refresh"} 5`, scrapes[1]},
			{fmt.Sprintf(`sallyport_events_total{cause="reuse",event="session_ended"} %d`, n), scrapes[1]},
			{fmt.Sprintf(`sallyport_events_total{cause="other",event="session_ended"} %d`, n), scrapes[1]},
			{`sallyport_store_seconds_count{call="load",outcome="failed"} `, scrapes[0]},
			{`sallyport_store_seconds_count{call="load_many",outcome="ok"} `, scrapes[0]},
			{`sallyport_store_seconds_count{call="sweep",outcome="ok"} `, scrapes[0]},
			{`sallyport_feed_age_seconds 10`, scrapes[0]},
			{`sallyport_mode{mode="degraded"} 1`, scrapes[0]},
			{`sallyport_mode{mode="normal"} 0`, scrapes[0]},
			{`sallyport_revocations_queued 1`, scrapes[0]},
			{`sallyport_degraded 1`, scrapes[0]},
			{`sallyport_outages_total 1`, scrapes[0]},
			{`sallyport_mode{mode="degraded"} 0`, scrapes[1]},
			{`sallyport_mode{mode="normal"} 1`, scrapes[1]},
			{`sallyport_revocations_queued 0`, scrapes[1]},
			{`sallyport_users_apart 0`, scrapes[1]},
			{`sallyport_degraded 0`, scrapes[1]},
			{`sallyport_outages_total 1`, scrapes[1]},
		} {
			if !bytes.Contains(want.of, []byte("\n"+want.line)) {
				name, _, _ := strings.Cut(want.line, "{")
				var lines []string
				for line := range strings.Lines(string(want.of)) {
					if strings.HasPrefix(line, name) && !strings.Contains(line, "_bucket") {
						lines = append(lines, line)
					}
				}
				t.Errorf("no %s in\n%s", want.line, strings.Join(lines, ""))
			}
		}
	})
}

// Names and help are as Prometheus has them.
func TestNamesAreConventional(t *testing.T) {
	exercised(t, func(r *prometheus.Registry, _ *exercise.Canaries, _ [][]byte) {
		problems, err := testutil.GatherAndLint(r)
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
		if err != nil {
			t.Error(err)
		}
	})
}

// Words that nobody knows make no series: the number of them is bounded whatever an
// Observer is told.
func TestSeriesAreBounded(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m := newObserver(t, r)
	known := func(s words.Set) []string { return append(slices.Collect(maps.Keys(s)), words.Other) }
	most := map[string]int{
		"sallyport_guard_total":    len(known(words.Outcomes())) * 2,
		"sallyport_answers_total":  len(known(words.Routes())) * len(known(words.Outcomes())),
		"sallyport_answer_seconds": len(known(words.Routes())),
		"sallyport_events_total":   len(known(words.Events())) * len(known(words.Causes())),
		"sallyport_store_seconds":  len(known(words.Calls())) * len(known(words.Results())),
	}
	tell := func(route, outcome, event, cause, call, result string) {
		m.Guarded(outcome, true)
		m.Guarded(outcome, false)
		m.Answered(route, outcome, time.Second)
		m.Audited(core.EventName(event), cause)
		m.Stored(call, result, time.Second)
	}
	for range 2000 {
		w := rand.Text()
		tell(w, w, w, w, w, w)
		tell("/login", w, "limited", w, "load", w)
		tell(w, "ok", w, "refresh", w, "ok")
	}
	for name := range most {
		n, err := testutil.GatherAndCount(r, name)
		if err != nil || n > 150 {
			t.Errorf("%s has %d series (%v) after words that nobody knows", name, n, err)
		}
	}
	for _, route := range known(words.Routes()) {
		for _, outcome := range known(words.Outcomes()) {
			tell(route, outcome, "", "", "", "")
		}
	}
	for _, event := range known(words.Events()) {
		for _, cause := range known(words.Causes()) {
			tell("", "", event, cause, "", "")
		}
	}
	for _, call := range known(words.Calls()) {
		for _, result := range known(words.Results()) {
			tell("", "", "", "", call, result)
		}
	}
	for name, want := range most {
		if n, err := testutil.GatherAndCount(r, name); n != want || err != nil {
			t.Errorf("%s has %d series (%v) at most, want %d", name, n, err, want)
		}
	}
}

// A reason of the app's own is a cause if the app has named it.
func TestReasonsOfTheApp(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m, err := promauth.NewWith(r, promauth.Options{Reasons: []core.Reason{"moved_away"}})
	if err != nil {
		t.Fatal(err)
	}
	m.Audited(core.EventSessionEnded, "moved_away")
	m.Audited(core.EventSessionEnded, "another")
	text := string(scrape(t, r))
	for _, want := range []string{`{cause="moved_away",event="session_ended"} 1`, `{cause="other",event="session_ended"} 1`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
}

// What an alert waits for is there before it comes: an increase begins at zero.
func TestZeroesBeforeAnything(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	newObserver(t, r)
	text := string(scrape(t, r))
	for _, want := range []string{
		`sallyport_guard_total{cached="true",outcome="TOKEN_REVOKED"} 0`,
		`sallyport_answers_total{outcome="INTERNAL",route="/refresh"} 0`,
		`sallyport_answers_total{outcome="STORE_UNAVAILABLE",route="/login"} 0`,
		`sallyport_events_total{cause="REFRESH_TOKEN_REUSED",event="refresh_reused"} 0`,
		`sallyport_events_total{cause="login_account",event="limited"} 0`,
		`sallyport_store_seconds_count{call="commit",outcome="failed"} 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
}

// A second Observer, or a second Auth, on one registerer is a mistake that New and Watch
// tell; registerers with a label apart are not.
func TestTwoOfThem(t *testing.T) {
	r := prometheus.NewRegistry()
	secret := make([]byte, 32)
	rand.Read(secret)
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: secret}}})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	for _, name := range []string{"staff", "customers"} {
		own := prometheus.WrapRegistererWith(prometheus.Labels{"auth": name}, r)
		m := newObserver(t, own)
		if err := m.Watch(auth); err != nil {
			t.Error(err)
		}
		if err := m.Watch(auth); err == nil {
			t.Error("an Auth is watched twice")
		}
		if _, err := promauth.New(own); err == nil {
			t.Error("two Observers on one registerer")
		}
	}
	scrape(t, r)

	// One that fails leaves nothing behind.
	r = prometheus.NewRegistry()
	taken := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sallyport_events_total", Help: "Audited events, each with its reason or cause.",
	}, []string{"event", "cause"})
	r.MustRegister(taken)
	if _, err := promauth.New(r); err == nil {
		t.Error("a name that is taken")
	}
	r.Unregister(taken)
	newObserver(t, r)
}

// guarded is an Auth at rest, a guard and a request that it lets in.
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
	signIn := func() core.Pair {
		pair, err := auth.SignIn(context.Background(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	signIn()
	return auth.Guard(), bearer{auth: "Bearer " + signIn().AccessToken}
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

// A known token costs no allocation when it is counted, nor does any outcome that
// guards have.
func TestGuardAllocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that nothing else is at work
		r := prometheus.NewPedanticRegistry()
		m := newObserver(t, r)
		guard, request := guarded(t, m)
		guard.Check(request)
		synctest.Wait()
		if n := testing.AllocsPerRun(1000, func() { guard.Check(request) }); n != 0 {
			t.Errorf("%v allocations, want none", n)
		}
		if want := `sallyport_guard_total{cached="true",outcome="ok"} 1001`; !bytes.Contains(scrape(t, r), []byte(want)) {
			t.Errorf("no %s", want)
		}
		for outcome := range words.Outcomes() {
			m.Guarded(outcome, false)
			if n := testing.AllocsPerRun(1000, func() { m.Guarded(outcome, false) }); n != 0 {
				t.Errorf("%s: %v allocations, want none", outcome, n)
			}
		}
	})
}

// Counting a decision looks nothing up by its labels: that would take several times as
// long.
func TestGuardedIsResolved(t *testing.T) {
	m := newObserver(t, prometheus.NewRegistry())
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "x_total", Help: "x"}, []string{"outcome", "cached"})
	fastest := func(do func()) time.Duration {
		best := time.Hour
		for range 50 {
			began := time.Now()
			for range 2000 {
				do()
			}
			best = min(best, time.Since(began))
		}
		return best
	}
	resolved := fastest(func() { m.Guarded("ok", true) })
	looked := fastest(func() { vec.WithLabelValues("ok", "true").Inc() })
	if looked < 2*resolved {
		t.Errorf("2,000 decisions took %v, and %v if looked up", resolved, looked)
	}
	t.Logf("a decision takes %v, looked up %v", resolved/2000, looked/2000)
}

func BenchmarkGuardCheck(b *testing.B) {
	for _, c := range []struct {
		name     string
		observer core.Observer
	}{
		{"nobody", nil},
		{"NoObserver", core.NoObserver{}},
		{"promauth", newObserver(b, prometheus.NewRegistry())},
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

func BenchmarkObserver(b *testing.B) {
	m := newObserver(b, prometheus.NewRegistry())
	for name, do := range map[string]func(){
		"Guarded":  func() { m.Guarded("ok", true) },
		"Answered": func() { m.Answered("/refresh", "ok", time.Millisecond) },
		"Audited":  func() { m.Audited(core.EventRefreshed, "") },
		"Stored":   func() { m.Stored("commit", "ok", time.Millisecond) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do()
			}
		})
	}
}
