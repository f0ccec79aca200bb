package promauth_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/sallyport-go/sallyport/internal/exercise"
	"github.com/sallyport-go/sallyport/internal/words"
)

type dashboard struct {
	Templating struct {
		List []struct{ Query any }
	}
	Panels []struct {
		Title   string
		Type    string
		Targets []struct{ Expr, LegendFormat string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile("../docs/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// exported returns the labels of each metric as PromQL has them, by name; the label of
// a target, which Prometheus adds, among them.
func exported(t *testing.T, r *prometheus.Registry) map[string][]string {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]string)
	for _, f := range families {
		labels := []string{"job", "instance"}
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		if f.GetType() != dto.MetricType_HISTOGRAM {
			out[f.GetName()] = labels
			continue
		}
		for _, part := range []string{"_count", "_sum"} {
			out[f.GetName()+part] = labels
		}
		out[f.GetName()+"_bucket"] = append(slices.Clone(labels), "le")
	}
	return out
}

// expectKnown checks that selectors ask for metrics, labels and values that there are.
func expectKnown(t *testing.T, where string, known map[string][]string, selectors []*selector) {
	t.Helper()
	modes := make(words.Set)
	for _, m := range words.Modes() {
		modes[string(m)] = struct{}{}
	}
	values := map[string]words.Set{
		"outcome": words.Outcomes(), "cached": {"true": {}, "false": {}}, "route": words.Routes(), "event": words.Events(),
		"cause": words.Causes(), "call": words.Calls(), "mode": modes,
	}
	for _, s := range selectors {
		labels, ok := known[s.metric]
		if !ok {
			t.Errorf("%s: there is no metric %s", where, s.metric)
			continue
		}
		for name, value := range s.matchers {
			if !slices.Contains(labels, name) {
				t.Errorf("%s: %s has no label %s", where, s.metric, name)
			}
			for v := range strings.SplitSeq(value, "|") {
				if set, ok := values[name]; ok && set.Of(v) != v {
					t.Errorf("%s: %s is never %q", where, name, v)
				}
			}
		}
		for _, name := range s.kept {
			if !slices.Contains(labels, name) {
				t.Errorf("%s: %s has no label %s", where, s.metric, name)
			}
		}
	}
}

var legend = regexp.MustCompile(`\{\{ *([a-z_]+) *\}\}`)

// Each expression of the dashboard parses, and asks for metrics, labels and values that
// there are; each metric is on it.
func TestDashboard(t *testing.T) {
	exercised(t, func(r *prometheus.Registry, _ *exercise.Canaries, _ [][]byte) {
		known, d := exported(t, r), readDashboard(t)
		shown := make(map[string]bool)
		n := 0
		for _, p := range d.Panels {
			if (p.Type == "row") != (len(p.Targets) == 0) {
				t.Errorf("%s: %d expressions", p.Title, len(p.Targets))
			}
			for _, target := range p.Targets {
				n++
				// As Grafana fills them in. $job, in quotes, stays.
				expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
				selectors, err := readPromQL(expr)
				if err != nil {
					t.Errorf("%s: %s: %v", p.Title, target.Expr, err)
					continue
				}
				expectKnown(t, p.Title, known, selectors)
				for _, s := range selectors {
					shown[s.metric] = true
					if s.matchers["job"] != "$job" {
						t.Errorf("%s: %s is not of the job that was chosen", p.Title, s.metric)
					}
					for _, m := range legend.FindAllStringSubmatch(target.LegendFormat, -1) {
						if !slices.Contains(s.kept, m[1]) {
							t.Errorf("%s: the legend has a label %s that the expression drops", p.Title, m[1])
						}
					}
				}
			}
		}
		if n < 20 {
			t.Errorf("%d expressions", n)
		}
		for _, v := range d.Templating.List {
			query, ok := v.Query.(map[string]any)
			if !ok {
				continue // a choice of data sources
			}
			text, _ := query["query"].(string)
			m := regexp.MustCompile(`^label_values\(([a-z_]+), (job|instance)\)$`).FindStringSubmatch(text)
			if m == nil || known[m[1]] == nil {
				t.Errorf("the variable's query is %q", text)
			}
		}
		for metric := range known {
			base := strings.TrimSuffix(strings.TrimSuffix(metric, "_sum"), "_count") // a quantile shows it as well
			if !shown[metric] && !shown[base+"_bucket"] {
				t.Errorf("no panel shows %s", metric)
			}
		}
	})
}
