package limitertest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/limitertest"
)

// broken is a limiter with one mistake that somebody makes one day.
type broken struct {
	name string
	how  func(b *bent)
	// caught are the cases that have to fail; also are those that may fail too, since
	// they lean on what is broken or depend on who comes first.
	caught []string
	also   []string
}

func TestBrokenLimitersAreCaught(t *testing.T) {
	caught := map[string]bool{}
	for _, l := range brokenLimiters {
		for _, name := range l.caught {
			caught[name] = true
		}
		t.Run(l.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				err := limitertest.Check(func() core.Limiter { return bend(l.how) })
				failed := failures(t, err)
				for _, name := range l.caught {
					if !slices.Contains(failed, name) {
						t.Errorf("case %s did not fail", name)
					}
				}
				for _, name := range failed {
					if !slices.Contains(l.caught, name) && !matches(l.also, name) {
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
	synctest.Test(t, func(t *testing.T) {
		if err := limitertest.Check(func() core.Limiter { return bend(func(*bent) {}) }); err != nil {
			t.Errorf("a limiter that is not bent: %v", err)
		}
	})
	for _, name := range limitertest.CaseNames() {
		if !caught[name] {
			t.Errorf("no broken limiter is caught by %s", name)
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
		var f *limitertest.Failure
		if !errors.As(err, &f) || f.Rule == "" || len(f.Seen) == 0 {
			t.Fatalf("got %T %v, want a Failure that says what was seen", err, err)
		}
		names = append(names, f.Case)
	}
	return names
}

// matches reports whether name is one of the names, or of a group like "time/".
func matches(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return n == name || strings.HasSuffix(n, "/") && strings.HasPrefix(name, n)
	})
}
