// Package adaptertest proves an adapter: the law of [core.Request],
// [core.Response] and [core.Guard] as a table of cases, each with the rule that
// it checks, over real connections. An adapter's test is
//
//	func TestAdapter(t *testing.T) {
//		adaptertest.Run(t, adaptertest.Adapter{Serve: serve})
//	}
//
// where serve puts an [App] on the framework as the framework's users would; the
// one of nethttpauth, in its conformance_test.go, shows how little that takes.
// It is worth running with the race detector.
//
// [RunIdentity] is a test of its own: many users over a few connections, none of
// whom may ever see, or be kept as, another.
package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// Adapter is what the kit has to be given of an adapter.
type Adapter struct {
	// Serve serves an app on a free port of 127.0.0.1 and returns its URL,
	// such as "http://127.0.0.1:40123". The framework is set up as the
	// adapter's documentation tells its users to. close ends the server and its
	// connections; nobody uses the app afterwards.
	Serve func(app App) (url string, close func(), err error)
}

// App is an app in no framework's terms. Paths of its own begin with "/" and
// have no parameters.
type App struct {
	Groups  []Group
	Guarded []Guarded
	SignIns []SignIn
	StepUps []StepUp
	Watched []Watched

	// A middleware of the app's own does these before anything else, at every
	// request: it sets a header, each value on a line of its own, and
	// replaces the request's context by what Context makes of it. Both may be
	// nil.
	Header  http.Header
	Context func(context.Context) context.Context
}

// Group is to be mounted with the adapter's Mount.
type Group struct {
	Prefix string
	Routes []core.Route
}

// Guarded is a route of the app's own behind the adapter's Require, or its
// Optional, with Rules. With a nil Auth no guard stands before it.
//
// It answers, through the adapter's Write, what Handle makes of the request's
// context, in the framework's usual place, and of the adapter's Principal.
type Guarded struct {
	Method   string
	Path     string
	Auth     *core.Auth
	Optional bool
	Rules    []core.Rule
	Handle   func(ctx context.Context, p *core.Principal) core.Response
}

// SignIn is a login route of the app's own. It hands Form to the adapter's
// SignIn, and answers, through the adapter's Write, what Answer makes of the
// outcome.
type SignIn struct {
	Method string
	Path   string
	Auth   *core.Auth
	Form   core.SignInForm
	Answer func(p core.Pair, err error) core.Response
}

// StepUp is a route of the app's own that takes a second factor. It hands what Form
// returns to the adapter's StepUp, and answers, through the adapter's Write, what Answer
// makes of the outcome.
type StepUp struct {
	Method string
	Path   string
	Auth   *core.Auth
	Form   func() core.StepUpForm
	Answer func(p core.Pair, err error) core.Response
}

// Watched is a login route of the app's own behind the adapter's Watch. It reads
// the request's body and answers what Handle makes of it, both by the
// framework's own means, not by Write: it adds each value of the header, sets
// the status, and writes the body in pieces of at most 1000 bytes. It does not
// flush.
type Watched struct {
	Method string
	Path   string
	Auth   *core.Auth
	Handle func(ctx context.Context, body []byte) core.Response
}

// patience is how long one case may take. Nothing waits that long unless an
// adapter is broken.
const patience = time.Minute

// Failure is a rule that an adapter broke.
type Failure struct {
	Case string   // the name of the case, as in go test -run
	Rule string   // what every adapter has to hold to
	Seen []string // what was seen instead
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%s: broke the rule\n    %s\n  %s", f.Case, f.Rule, strings.Join(f.Seen, "\n  "))
}

// testCase is one rule. Its name is that of its subtest.
type testCase struct {
	name string
	rule string
	run  func(k *kit)
}

func cases() []testCase {
	return slices.Concat(
		requestCases, cookieCases, paramCases, bodyCases, contextCases,
		responseCases, guardCases, mountCases, signInCases, stepUpCases, watchCases,
	)
}

// Run runs every case as a subtest, one after another, each on a server of its
// own. A case about what a framework may leave out is skipped where it does.
func Run(t *testing.T, a Adapter) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			k := run(c, a)
			if f := k.failure(c); f != nil {
				t.Error(f)
			} else if k.skipped != "" {
				t.Skip(k.skipped)
			}
		})
	}
}

// Check runs every case without a [testing.T], as a test of a kit or of a
// deliberately broken adapter needs it. It returns nil, or all failures joined,
// each a *[Failure].
func Check(a Adapter) error { return check(a, cases()) }

func check(a Adapter, cases []testCase) error {
	var failures []error
	for _, c := range cases {
		if f := run(c, a).failure(c); f != nil {
			failures = append(failures, f)
		}
	}
	return errors.Join(failures...)
}

func run(c testCase, a Adapter) *kit {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	k := &kit{ctx: ctx, adapter: a}
	defer k.clean()
	k.guarded(func() { c.run(k) })
	return k
}

func (k *kit) failure(c testCase) *Failure {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.seen) == 0 {
		return nil
	}
	return &Failure{Case: c.name, Rule: c.rule, Seen: k.seen}
}
