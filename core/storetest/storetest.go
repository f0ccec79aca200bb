// Package storetest proves a [core.Store]: the law of its comments as a table
// of cases, each with the rule that it checks. A store's test is
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t testing.TB) core.Store { return open(t) })
//	}
//
// and is worth running on the real server, with the race detector.
//
// [Same] takes it through a long history beside others, which all have to give the same
// answers:
//
//	storetest.Same(t, storetest.History{Seed: 1, Steps: 1500}, map[string]core.Store{
//		"memory": memstore.New(), "mine": open(t),
//	})
package storetest

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

// patience is how long one case may take. Nothing waits that long unless a
// store is broken: a correct one, however slow, is asked for a few hundred
// round trips at most.
const patience = time.Minute

// Failure is a rule that a store broke.
type Failure struct {
	Case string   // the name of the case, as in go test -run
	Rule string   // what every store has to hold to
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
		ledgerCases, valueCases, versionCases, feedCases, waitCases,
		contextCases, concurrentCases, readerCases, sweepCases, loadManyCases,
	)
}

// Run runs every case as a subtest, one after another, each on a store of its
// own. That store may hold what earlier cases left in it (a case makes up its
// users, or forgets what is known of them, and passes over the revocations of
// others), but nobody else may use it meanwhile. What has to be closed is
// closed in t.Cleanup.
//
// A case for an interface that the store does not have is skipped.
func Run(t *testing.T, newStore func(t testing.TB) core.Store) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			k := run(c, newStore(t))
			if k.skipped != "" {
				t.Skip(k.skipped)
			}
			if f := k.failure(c); f != nil {
				t.Error(f)
			}
		})
	}
}

// Check runs every case without a [testing.T], as a test of a kit or of a
// deliberately broken store needs it. It returns nil, or all failures joined,
// each a *[Failure]. Each case gets a store as it does from [Run]; done, unless
// nil, is called after the case.
func Check(newStore func() (store core.Store, done func())) error {
	var failures []error
	for _, c := range cases() {
		store, done := newStore()
		if f := run(c, store).failure(c); f != nil {
			failures = append(failures, f)
		}
		if done != nil {
			done()
		}
	}
	return errors.Join(failures...)
}

func run(c testCase, store core.Store) *kit {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	k := newKit(ctx, store)
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
