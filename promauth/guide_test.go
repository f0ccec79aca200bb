package promauth_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-go/sallyport/internal/exercise"
)

// The guide's code is that of the example, which runs; its table has the metrics that
// there are, with their labels; its alerts ask for nothing else.
func TestGuide(t *testing.T) {
	page, err := os.ReadFile("../docs/guide/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_new_test.go")
	if err != nil {
		t.Fatal(err)
	}
	unindented := regexp.MustCompile(`(?m)^\t`).ReplaceAllString(string(example), "")
	blocks := 0
	for _, m := range regexp.MustCompile("(?ms)^```go\n(.*?)^```").FindAllStringSubmatch(string(page), -1) {
		if strings.Contains(m[1], "promauth.") {
			if blocks++; !strings.Contains(unindented, m[1]) {
				t.Errorf("example_new_test.go does not have\n%s", m[1])
			}
		}
	}
	if blocks != 1 {
		t.Errorf("%d blocks", blocks)
	}
	exercised(t, func(r *prometheus.Registry, _ *exercise.Canaries, _ [][]byte) {
		known := exported(t, r)
		told := make(map[string][]string)
		for _, m := range regexp.MustCompile("(?m)^\\| `(sallyport_[a-z_]+)` \\| ([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
			told[m[1]] = append(told[m[1]], regexp.MustCompile("[a-z_]+").FindAllString(m[2], -1)...)
			slices.Sort(told[m[1]])
			if strings.HasSuffix(m[1], "_seconds") && known[m[1]] == nil {
				told[m[1]+"_count"] = told[m[1]]
				delete(told, m[1])
			}
			if told[m[1]] == nil && known[m[1]] != nil {
				told[m[1]] = []string{}
			}
		}
		want := make(map[string][]string)
		for name, labels := range known {
			if !strings.HasSuffix(name, "_bucket") && !strings.HasSuffix(name, "_sum") {
				want[name] = slices.Sorted(slices.Values(labels[2:])) // without those of a target
			}
		}
		if !maps.EqualFunc(told, want, slices.Equal) {
			t.Errorf("the table tells of %v, want %v", told, want)
		}
		alerts := regexp.MustCompile("(?ms)^```promql\n(.*?)^```").FindAllStringSubmatch(string(page), -1)
		if len(alerts) < 8 {
			t.Errorf("%d alerts", len(alerts))
		}
		for _, m := range alerts {
			selectors, err := readPromQL(m[1])
			if err != nil {
				t.Errorf("%s: %v", m[1], err)
			}
			expectKnown(t, m[1], known, selectors)
		}
	})
}
