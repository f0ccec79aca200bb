package storetest_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/storetest"
)

// broken is a store with one mistake that somebody makes one day.
type broken struct {
	name string
	how  func(b *bent)
	// caught are the cases that have to fail; also are those that may fail too,
	// since they lean on what is broken or depend on who comes first.
	caught []string
	also   []string
}

func TestBrokenStoresAreCaught(t *testing.T) {
	if os.Getenv("SALLYPORT_QUICK") != "" {
		t.Skip("it takes long")
	}
	caught := map[string]bool{}
	for _, s := range slices.Concat(
		brokenLedgers, brokenMemory, brokenValues, brokenVersions, brokenFeeds, brokenWaits, brokenContexts,
		brokenConcurrent, brokenSweeps, brokenLoadMany,
	) {
		for _, name := range s.caught {
			caught[name] = true
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // a case that waits in vain takes no time
				err := storetest.Check(func() (core.Store, func()) { return bend(s.how), nil })
				failed := failures(t, err)
				for _, name := range s.caught {
					if !slices.Contains(failed, name) {
						t.Errorf("case %s did not fail", name)
					}
				}
				for _, name := range failed {
					if !slices.Contains(s.caught, name) && !matches(s.also, name) {
						t.Errorf("case %s failed too", name)
					}
				}
				if t.Failed() {
					t.Log(err)
				}
			})
		})
	}

	// A case that nobody has seen failing proves nothing.
	none := func() (core.Store, func()) { return bend(func(*bent) {}), nil }
	if err := storetest.Check(none); err != nil {
		t.Errorf("a store that is not bent: %v", err)
	}
	for _, name := range storetest.CaseNames() {
		if !caught[name] {
			t.Errorf("no broken store is caught by %s", name)
		}
	}
}

// failures are the names of the cases that failed.
func failures(t *testing.T, err error) []string {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got error %v, want failures joined", err)
	}
	var names []string
	for _, err := range joined.Unwrap() {
		var f *storetest.Failure
		if !errors.As(err, &f) || f.Rule == "" || len(f.Seen) == 0 {
			t.Fatalf("got %T %v, want a Failure that says what was seen", err, err)
		}
		names = append(names, f.Case)
	}
	return names
}

// matches reports whether name is one of the names, or of a group like "feed/".
func matches(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return n == name || strings.HasSuffix(n, "/") && strings.HasPrefix(name, n)
	})
}
