// Package limitertest proves a [core.Limiter]: the law of its comments as a table of
// cases, each with the rule that it checks. A limiter's test is
//
//	func TestLimiter(t *testing.T) {
//		limitertest.Run(t, func(t testing.TB) core.Limiter { return open(t) })
//	}
//
// and is worth running on the real server, with the race detector. Nothing in it depends
// on how fast a machine is: rates are of months, but for a limiter that is an [Advancer].
package limitertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// patience is how long one case may take, and so by how much the times that a limiter
// tells may be less than they are by the rate.
const patience = time.Minute

// Advancer is a limiter whose time a test can move. Without it the cases of the group
// "time" are skipped. One in memory is such in testing/synctest:
//
//	type advancing struct{ core.Limiter }
//
//	func (advancing) Advance(d time.Duration) { <-time.After(d) }
type Advancer interface {
	core.Limiter
	// Advance returns when so much time has passed for the limiter, the first one when
	// about as much has. From then on no other time passes.
	Advance(time.Duration)
}

// Failure is a rule that a limiter broke.
type Failure struct {
	Case string   // the name of the case, as in go test -run
	Rule string   // what every limiter has to hold to
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
	return slices.Concat(countCases, answerCases, keyCases, raceCases, mistakeCases, timeCases)
}

// Run runs every case as a subtest, one after another, each on a limiter of its own. It
// may be one and the same: a case makes up its keys. What has to be closed is closed in
// t.Cleanup.
func Run(t *testing.T, newLimiter func(t testing.TB) core.Limiter) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			k := run(c, newLimiter(t))
			if k.skipped != "" {
				t.Skip(k.skipped)
			}
			if f := k.failure(c); f != nil {
				t.Error(f)
			}
		})
	}
}

// Check runs every case without a [testing.T], as testing/synctest and a test of a
// deliberately broken limiter need it. It returns nil, or all failures joined, each a
// *[Failure].
func Check(newLimiter func() core.Limiter) error {
	var failures []error
	for _, c := range cases() {
		if f := run(c, newLimiter()).failure(c); f != nil {
			failures = append(failures, f)
		}
	}
	return errors.Join(failures...)
}

func run(c testCase, limiter core.Limiter) *kit {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	k := &kit{ctx: ctx, limiter: limiter}
	if clock, ok := limiter.(Advancer); ok {
		k.ctx, k.clock = context.Background(), clock
	}
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
