package sqlstore_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
)

// A feed that another process begins in the middle of a commit, wherever that is, has
// the revocations of both.
func TestFeedBegunMeanwhile(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		if engine == "sqlite" {
			t.Skip("nobody else writes in the middle of a commit")
		}
		f := newFrail(t, engine)
		d := desk{f.database, f.sound, f.database.Open(t)}
		for _, publishes := range []bool{false, true} {
			for n := 0; ; n++ {
				d.empty(t)
				from := tail(t, f.sound, "").Next
				tail(t, f.Store, "") // it learns that there is no feed
				beside := raised("bob", core.Ledger{}, 1)
				if !publishes {
					beside.Publish = nil
				}
				var other sync.WaitGroup
				at := ""
				f.driver.fail(func(i int, call string) *fault {
					if i != n {
						return nil
					}
					at, _, _ = strings.Cut(call, "(")
					return &fault{wait: func() {
						done := make(chan struct{})
						other.Go(func() {
							defer close(done)
							if _, err := f.sound.Commit(t.Context(), "bob", beside); err != nil {
								t.Errorf("%s: bob: %v", at, err)
							}
						})
						soon(done)
					}}
				})
				c := raised("alice", core.Ledger{}, 1)
				if _, err := f.Commit(t.Context(), "alice", c); err != nil {
					t.Errorf("%s: alice: %v", at, err)
				}
				f.driver.fail(nil)
				other.Wait()
				want := len(c.Publish)
				if at != "" {
					want += len(beside.Publish)
				}
				for _, cursor := range []core.Cursor{"", from} {
					if b := tail(t, f.sound, cursor); len(b.Events) != want {
						t.Errorf("%s: bob publishes: %t: from the start: %t: the feed has %d revocations, want %d", at, publishes, cursor == "", len(b.Events), want)
					}
				}
				if at == "" || t.Failed() {
					break
				}
			}
		}
	})
}

// Many who commit first, over two stores, begin one feed.
func TestFeedBegunAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		rounds := 3
		if proof() {
			rounds = 200
		}
		stores := []*sqlstore.Store{open(t, d.Database, sqlstore.Options{}), open(t, d.Database, sqlstore.Options{})}
		for range rounds {
			d.empty(t)
			from := tail(t, stores[0], "").Next
			tail(t, stores[1], "") // it learns that there is no feed
			start := make(chan struct{})
			var all sync.WaitGroup
			want := 0
			for i := range 12 {
				c := raised("x", core.Ledger{}, 1)
				if i%3 == 0 {
					c.Publish = nil
				}
				want += len(c.Publish)
				all.Go(func() {
					<-start
					user := newID().String()
					for j := range c.Publish {
						c.Publish[j].UserID = user
					}
					if _, err := stores[i%2].Commit(t.Context(), user, c); err != nil {
						t.Error(err)
					}
				})
			}
			close(start)
			all.Wait()
			if b := tail(t, d, from); len(b.Events) != want || b.Reset {
				t.Errorf("got %d revocations and Reset %t, want %d", len(b.Events), b.Reset, want)
			}
		}
	})
}

// empty removes all rows.
func (d desk) empty(t testing.TB) {
	t.Helper()
	for _, table := range []string{"sessions", "session_ledgers", "session_devices", "session_feed", "session_buckets"} {
		d.do(t, "DELETE FROM user_"+table)
	}
}
