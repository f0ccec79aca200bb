package sqlstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// Texts of any length that an app may hand in are kept whole.
func TestLongTexts(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		long := strings.Repeat("\U0010ffff", 255)
		s := session(base.Add(time.Hour))
		s.IP, s.Location.Country, s.Location.City = long, long+"x", long+long
		c := core.Change{ID: newID(), At: base, KeepUntil: base.Add(time.Hour), Put: []core.Session{s}}
		commit(t, d, "alice", c)
		if got := load(t, d, "alice").Sessions[0]; got.IP != s.IP || got.Location != s.Location {
			t.Errorf("got an address of %d bytes, a country of %d and a city of %d", len(got.IP), len(got.Location.Country), len(got.Location.City))
		}
		end := core.Change{ID: newID(), If: c.ID, At: base, KeepUntil: base.Add(time.Hour), End: []core.Ended{{ID: s.ID, Reason: core.Reason(long + "x")}}}
		if _, err := d.Commit(t.Context(), "alice", end); err != nil {
			t.Errorf("a long reason: %v", err)
		}
	})
}

// Readers beside a writer are answered.
func TestReadsBusySQLite(t *testing.T) {
	long(t)
	for _, options := range []string{
		"cache=shared", "_pragma=busy_timeout(0)&_pragma=journal_mode(DELETE)", "_pragma=journal_mode(DELETE)&_txlock=exclusive",
		"_pragma=journal_mode(DELETE)", "_txlock=exclusive",
	} {
		t.Run(options, func(t *testing.T) {
			d := migrated(t, sqltest.SQLite(t).With(options))
			a, b := open(t, d, sqlstore.Options{}), open(t, d, sqlstore.Options{})
			over, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			for i, s := range []core.Store{a, b} {
				go func() {
					defer func() { done <- struct{}{} }()
					user := []string{"alice", "bob"}[i]
					for n := 0; n < 150; n++ {
						l, err := s.Load(t.Context(), user)
						if err == nil {
							_, err = s.Commit(t.Context(), user, raised(user, l, n+1))
						}
						if err != nil && over.Err() == nil {
							t.Errorf("writer: %d: %v", n, err)
							return
						}
					}
				}()
			}
			go func() {
				<-done
				<-done
				stop()
			}()
			defer func() { <-over.Done() }()
			var from core.Cursor
			reads := 0
			for over.Err() == nil && !t.Failed() {
				reads++
				l, err := a.Load(t.Context(), "bob")
				if err != nil {
					t.Errorf("reader: %d: %v", reads, err)
				}
				if _, err := tally(l); err != nil {
					t.Fatal(err)
				}
				batch, err := b.Tail(t.Context(), from, 0)
				if err != nil {
					t.Errorf("tail: %d: %v", reads, err)
				}
				from = batch.Next
			}
			t.Log(reads)
		})
	}
}
