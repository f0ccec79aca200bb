package apptest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/examples/internal/metrics"
)

// Metrics are served when they are asked for, and count what was done.
func servedMetrics(t *testing.T, run Server) {
	page := func(s *server) (int, string) {
		t.Helper()
		res, err := http.Get(s.url + metrics.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	if status, text := page(start(t, run, nil)); status != http.StatusNotFound {
		t.Errorf("not asked for: got %d %s", status, text)
	}
	s := start(t, run, map[string]string{"METRICS": "true"})
	b := s.browser(t)
	b.signIn("alice")
	b.get(mePath)
	b.get(mePath)
	status, text := page(s)
	if status != http.StatusOK {
		t.Fatalf("got %d %s", status, text)
	}
	for _, line := range []string{
		`sallyport_events_total{cause="",event="signed_in"} 1`,
		`sallyport_answers_total{outcome="ok",route="/login"} 1`,
		`sallyport_guard_total{cached="false",outcome="ok"} 1`,
		`sallyport_guard_total{cached="true",outcome="ok"} 1`,
		`sallyport_mode{mode="normal"} 1`,
		`sallyport_feed_age_seconds`,
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%s is not in\n%s", line, text)
		}
	}
}
