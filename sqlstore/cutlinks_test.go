package sqlstore_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// troubles are what happens to a link when something is sent over it.
var troubles = map[string]func(p *sqltest.Proxy, matches func() bool) (happened func() bool){
	"the reply is cut": func(p *sqltest.Proxy, matches func() bool) func() bool {
		cut := p.CutReply(func([]byte) bool { return matches() })
		return func() bool {
			select {
			case <-cut:
				return true
			default:
				return false
			}
		}
	},
	"it falls silent": func(p *sqltest.Proxy, matches func() bool) func() bool {
		var silent atomic.Bool
		p.CutReply(func([]byte) bool {
			if matches() {
				p.DropReplies()
				silent.Store(true)
			}
			return false
		})
		return silent.Load
	},
}

// open transactions of a database.
var openTransactions = map[string]string{
	"postgres": "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND (state LIKE 'idle in transaction%' OR state = 'active')",
	"mariadb":  "SELECT COUNT(*) FROM information_schema.innodb_trx x JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id WHERE p.db = DATABASE() AND p.id <> CONNECTION_ID()",
}

// Wherever a link breaks or falls silent in the middle of a commit, success is said of
// what took place, it took place whole, and no transaction is left open.
func TestCutLinksProof(t *testing.T) {
	long(t)
	for _, engine := range []string{"mariadb", "postgres"} {
		for trouble, make := range troubles {
			t.Run(engine+", "+trouble, func(t *testing.T) {
				t.Parallel()
				d := newDesk(t, engine)
				commit(t, d, "somebody", change("somebody", core.ID{}))
				p, far := sqltest.StartProxy(t, d.Database)
				s := open(t, far, sqlstore.Options{Timeout: 150 * time.Millisecond})
				patient := open(t, far, sqlstore.Options{})
				load(t, patient, "somebody")
				tried := 0
				for i := 0; ; i++ {
					user := newID().String()
					n, kind := i, i%3 // a first commit, one more, and the last
					if proof() {
						n = i / 3
					}
					at, l := 0, core.Ledger{}
					if kind != 0 {
						commit(t, d, user, raised(user, l, 1))
						at, l = 1, load(t, d, user)
					}
					from := tail(t, d, "").Next
					c := raised(user, l, at+1)
					if kind == 2 {
						c = core.Change{ID: newID(), If: l.Version, At: base, Forget: true, Publish: c.Publish}
					}
					var sent atomic.Int32
					happened := make(p, func() bool { return int(sent.Add(1)) == n+1 })
					_, err := s.Commit(t.Context(), user, c)
					hit := happened()
					p.Heal()
					d.settled(t)
					moved := func() int {
						l := load(t, d, user)
						now, torn := tally(l)
						events := len(tail(t, d, from).Events)
						if kind == 2 && l.Version.IsZero() {
							now = at + 1
						}
						if torn != nil || now != at+events || events > 1 {
							t.Errorf("message %d: the ledger moved from %d to %d, the feed by %d, %v", n, at, now, events, torn)
						}
						return events
					}
					if moved := moved(); err == nil && moved != 1 || errors.Is(err, core.ErrConflict) {
						t.Errorf("message %d: got error %v, and %d changes took place", n, err, moved)
					}
					if kind != 2 {
						commit(t, patient, user, c)
						if moved := moved(); moved != 1 {
							t.Errorf("message %d: sent again: %d changes took place", n, moved)
						}
					}
					if !hit && n > 60 {
						break
					}
					if tried++; t.Failed() {
						return
					}
				}
				t.Logf("%d commits", tried)
			})
		}
	}
}

// settled returns when no transaction is open in the database.
func (d desk) settled(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for ask[int](t, d, openTransactions[d.Engine]) > 0 {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("a transaction stays open")
		}
	}
}
