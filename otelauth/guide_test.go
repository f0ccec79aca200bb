package otelauth_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/sallyport-go/sallyport/internal/exercise"
)

// The guide's code is that of the example, which runs; its table has the instruments
// that there are, with their attributes.
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
		if strings.Contains(m[1], "otelauth.") {
			if blocks++; !strings.Contains(unindented, m[1]) {
				t.Errorf("example_new_test.go does not have\n%s", m[1])
			}
		}
	}
	if blocks != 1 {
		t.Errorf("%d blocks", blocks)
	}
	told := make(map[string][]string)
	for _, m := range regexp.MustCompile("(?m)\\| `(sallyport\\.[a-z.]+)` \\| ([^|]*)\\|$").FindAllStringSubmatch(string(page), -1) {
		told[m[1]] = regexp.MustCompile("[a-z.]+").FindAllString(m[2], -1)
		slices.Sort(told[m[1]])
	}
	exercised(t, func(_ *exercise.Canaries, collected []metricdata.ResourceMetrics) {
		want := make(map[string][]string)
		for _, line := range lines(collected[0]) {
			name, rest, _ := strings.Cut(line, " ")
			labels, _, _ := strings.Cut(rest, " ")
			want[name] = []string{}
			for _, l := range regexp.MustCompile(`(?:^|,)([a-z.]+)=`).FindAllStringSubmatch(labels, -1) {
				want[name] = append(want[name], l[1])
			}
			slices.Sort(want[name])
		}
		if !maps.EqualFunc(told, want, slices.Equal) {
			t.Errorf("the table tells of %v, want %v", told, want)
		}
	})
}
