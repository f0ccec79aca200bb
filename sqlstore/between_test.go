package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// deed is one call on a store, of which its answer is told.
type deed struct {
	name string
	do   func(ctx context.Context, s core.Store) string
}

// deeds are of alice, whose ledger is at a version, and may be swept.
func deeds(version core.ID) []deed {
	commits := func(name string, c core.Change) deed {
		return deed{name, func(ctx context.Context, s core.Store) string {
			stands, err := s.Commit(ctx, "alice", c)
			if err != nil && !errors.Is(err, core.ErrConflict) {
				return err.Error()
			}
			return fmt.Sprint(stands.Version, err)
		}}
	}
	at := core.Ledger{Version: version}
	return []deed{
		commits("a commit", raised("alice", at, 2)),
		commits("a first commit", raised("alice", core.Ledger{}, 2)),
		commits("a forget", core.Change{ID: newID(), If: version, At: base, Forget: true, Publish: []core.Revocation{revocation("alice")}}),
		commits("a forget of nobody", core.Change{ID: newID(), At: base, Forget: true, Publish: []core.Revocation{revocation("alice")}}),
		{"a sweep", func(ctx context.Context, s core.Store) string {
			_, err := s.(core.Sweeper).Sweep(ctx, base.Add(2*time.Minute), 1000)
			return fmt.Sprint(err)
		}},
	}
}

// What another process does in the middle of a call, wherever that is, comes to the same
// as before it or after it.
func TestInBetweenProof(t *testing.T) {
	long(t)
	for _, engine := range []string{"mariadb", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			f := newFrail(t, engine)
			d := desk{f.database, f.sound, f.database.Open(t)}
			tried := 0
			for i := range deeds(core.ID{}) {
				for j := range deeds(core.ID{}) {
					step := 3
					if proof() {
						step = 1
					}
					for n := (i + j) % step; ; n += step {
						d.empty(t)
						first := raised("alice", core.Ledger{}, 1)
						first.KeepUntil = base.Add(time.Minute) // it may be swept
						all := deeds(first.ID)
						one, other := all[i], all[j]
						commit(t, f.sound, "alice", first)
						load(t, f.Store, "alice")
						a, b := "", ""
						var beside sync.WaitGroup
						where := ""
						f.driver.fail(func(k int, call string) *fault {
							if k != n {
								return nil
							}
							where, _, _ = strings.Cut(call, "(")
							return &fault{wait: func() {
								done := make(chan struct{})
								beside.Go(func() {
									defer close(done)
									b = other.do(context.Background(), f.sound)
								})
								soon(done)
							}}
						})
						a = one.do(t.Context(), f.Store)
						f.driver.fail(nil)
						beside.Wait()
						if where == "" {
							break
						}
						tried++
						got := state(t, f.sound) + a + b
						var want []string
						for _, before := range []bool{true, false} {
							m := memstore.New()
							commit(t, m, "alice", first)
							var a, b string
							if before {
								b = other.do(t.Context(), m)
							}
							a = one.do(t.Context(), m)
							if !before {
								b = other.do(t.Context(), m)
							}
							want = append(want, state(t, m)+a+b)
						}
						if !slices.Contains(want, got) {
							t.Errorf("%s in the middle of %s, at %q:\ngot  %s\nwant %s\nor   %s", other.name, one.name, where, got, want[0], want[1])
						}
					}
				}
			}
			t.Logf("%d times", tried)
		})
	}
}

// state is what a store has of alice.
func state(t *testing.T, s core.Store) string {
	l := load(t, s, "alice")
	n, torn := tally(l)
	told := []string{}
	for _, r := range tail(t, s, "").Events {
		told = append(told, r.JTI+r.Session.String())
	}
	return fmt.Sprint(l.Version, " ", n, torn, " ", told, " ")
}
