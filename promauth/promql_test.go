package promauth_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A strict reader of that part of PromQL which the dashboard is written in: sums and
// the like by labels, rates, quantiles, arithmetic and comparisons. What it does not
// know is an error.

// selector is one choice of series, and what is asked of it.
type selector struct {
	metric   string
	matchers map[string]string // by label, as a regular expression or a value
	kept     []string          // labels that an aggregation around it keeps
}

type promql struct {
	tokens    []string
	selectors []*selector
}

var token = regexp.MustCompile(`^(?:[a-zA-Z_:][a-zA-Z0-9_:]*|[0-9]+(?:ms|[smhdwy])|[0-9]*\.?[0-9]+|"(?:[^"\\]|\\.)*"|=~|!~|!=|==|>=|<=|[-+*/<>=(){}\[\],])`)

var (
	identifier = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	duration   = regexp.MustCompile(`^[0-9]+(?:ms|[smhdwy])$`)

	aggregations = []string{"sum", "max", "min", "avg", "count"}
	overRanges   = []string{"rate", "increase"}
	operators    = []string{"+", "-", "*", "/", ">", "<", ">=", "<=", "==", "!="}
)

// readPromQL returns the selectors of an expression.
func readPromQL(expr string) (out []*selector, err error) {
	p := &promql{}
	for rest := strings.TrimSpace(expr); rest != ""; rest = strings.TrimSpace(rest) {
		t := token.FindString(rest)
		if t == "" {
			return nil, fmt.Errorf("%q is no PromQL", rest)
		}
		p.tokens, rest = append(p.tokens, t), rest[len(t):]
	}
	defer func() {
		if wrong, ok := recover().(promqlError); ok {
			err = wrong
		}
	}()
	p.expression()
	if len(p.tokens) > 0 {
		p.fail("goes on with %q", p.tokens[0])
	}
	return p.selectors, nil
}

type promqlError struct{ error }

func (p *promql) fail(format string, args ...any) { panic(promqlError{fmt.Errorf(format, args...)}) }

func (p *promql) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *promql) next() string {
	t := p.peek()
	if t == "" {
		p.fail("ends too early")
	}
	p.tokens = p.tokens[1:]
	return t
}

func (p *promql) expect(want string) {
	if t := p.next(); t != want {
		p.fail("has %q where %q is wanted", t, want)
	}
}

func (p *promql) expression() {
	p.operand()
	for slices.Contains(operators, p.peek()) {
		p.next()
		p.operand()
	}
}

// operand reads one value for each series: what yields a range is an error.
func (p *promql) operand() {
	t := p.next()
	_, number := strconv.ParseFloat(t, 64)
	switch {
	case t == "(":
		p.expression()
		p.expect(")")
	case number == nil:
	case slices.Contains(aggregations, t):
		p.aggregation()
	case slices.Contains(overRanges, t):
		p.expect("(")
		p.selector(p.next(), true)
		p.expect(")")
	case t == "histogram_quantile":
		p.quantile()
	default:
		p.selector(t, false)
	}
}

// aggregation reads what follows "sum" and the like.
func (p *promql) aggregation() {
	var by []string
	if p.peek() == "by" {
		p.next()
		for p.expect("("); ; p.expect(",") {
			by = append(by, p.label())
			if p.peek() == ")" {
				break
			}
		}
		p.next()
	}
	first := len(p.selectors)
	p.expect("(")
	p.expression()
	p.expect(")")
	for _, s := range p.selectors[first:] {
		s.kept = append(s.kept, by...)
	}
}

// quantile reads what follows "histogram_quantile": buckets, which keep their bound.
func (p *promql) quantile() {
	p.expect("(")
	if q, err := strconv.ParseFloat(p.next(), 64); err != nil || q <= 0 || q >= 1 {
		p.fail("asks for a quantile of %v", q)
	}
	p.expect(",")
	first := len(p.selectors)
	p.expression()
	p.expect(")")
	for _, s := range p.selectors[first:] {
		if !strings.HasSuffix(s.metric, "_bucket") || !slices.Contains(s.kept, "le") {
			p.fail("has a quantile of %s by %q", s.metric, s.kept)
		}
	}
}

func (p *promql) label() string {
	t := p.next()
	if !identifier.MatchString(t) {
		p.fail("has %q as a label", t)
	}
	return t
}

// selector reads what follows the name of a metric.
func (p *promql) selector(metric string, overRange bool) {
	s := &selector{metric: metric, matchers: make(map[string]string)}
	if !identifier.MatchString(metric) {
		p.fail("has %q as a metric", metric)
	}
	p.selectors = append(p.selectors, s)
	if p.peek() == "{" {
		p.next()
		for p.peek() != "}" {
			name, op := p.label(), p.next()
			value, err := strconv.Unquote(p.next())
			if !slices.Contains([]string{"=", "!=", "=~", "!~"}, op) || err != nil {
				p.fail("has a matcher %s%s%s", name, op, value)
			}
			if _, err := regexp.Compile(value); strings.HasSuffix(op, "~") && err != nil {
				p.fail("%v", err)
			}
			s.matchers[name] = value
			if p.peek() == "," {
				p.next()
			} else if p.peek() != "}" {
				p.fail("has %q between matchers", p.peek())
			}
		}
		p.next()
	}
	if (p.peek() == "[") != overRange {
		p.fail("takes %s over a range: %v; want %v", metric, !overRange, overRange)
	}
	if overRange {
		p.next()
		if d := p.next(); !duration.MatchString(d) {
			p.fail("has %q as a range", d)
		}
		p.expect("]")
	}
}

// The reader takes what Prometheus takes, and none of what it refuses.
func TestReadPromQL(t *testing.T) {
	for _, good := range []string{
		`a`, `a{}`, `a{b="c"}`, `a{b="c", d=~"e|f"} > 0`, `sum(a) / sum(b)`, `sum by (b, c) (rate(a{b="c"}[5m])) * 2`,
		`histogram_quantile(0.99, sum by (le) (rate(a_bucket[5m])))`, `(a + 1) / (b - 0.5)`,
	} {
		if _, err := readPromQL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		``, `a{`, `a{b}`, `a{b="c"`, `a{b=c}`, `a{b="c" d="e"}`, `a{b=~"("}`, `sum(a`, `sum a)`, `sum by b (a)`, `sum by () (a)`, `rate(a)`, `sum(a[5m])`,
		`rate(a[5])`, `a b`, `a +`, `/ a`, `rat(a[5m])`, `histogram_quantile(a_bucket)`, `histogram_quantile(0.5, sum(rate(a_bucket[5m])))`,
		`histogram_quantile(0.5, sum by (le) (rate(a[5m])))`, `a;`, `$job`,
	} {
		if got, err := readPromQL(bad); err == nil {
			t.Errorf("%q is taken: %+v", bad, got)
		}
	}
	got, err := readPromQL(`sum by (c) (rate(a{b="x|y"}[5m])) / d`)
	if err != nil || len(got) != 2 || got[0].metric != "a" || got[0].matchers["b"] != "x|y" || !slices.Equal(got[0].kept, []string{"c"}) || got[1].metric != "d" {
		t.Errorf("read %+v, %v", got, err)
	}
}
