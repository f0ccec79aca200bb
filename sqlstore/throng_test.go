package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
)

// throng is many who write, read, sweep and purge at once, over two stores, and what
// they saw.
type throng struct {
	stores []*sqlstore.Store
	times  int // each writes
	clock  atomic.Int64

	mu   sync.Mutex
	seen []sighting
	told []string // the revocations that were committed
}

// sighting is that a user's ledger was at a version at some moment between two.
type sighting struct {
	user        string
	from, to    int64
	version     core.ID
	made        bool // by this call, out of before
	before      core.ID
	revocations []string
}

// Whose ledger lasts, whose is forgotten now and then, and whose is over at once, so that
// it may be swept at any time.
var (
	lasting   = []string{"alice", "bob", "carol"}
	forgotten = []string{"dave", "erin"}
	dying     = []string{"frank", "grace"}
)

func (c *throng) note(s sighting) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, s)
	c.told = append(c.told, s.revocations...)
}

// write loads and commits, now and then on what has been for a while.
func (c *throng) write(ctx context.Context, n int) error {
	rnd := rand.New(rand.NewPCG(uint64(n), rand.Uint64()))
	s := c.stores[n%len(c.stores)]
	users := slices.Concat(lasting, forgotten, dying)
	known := map[string]core.Ledger{}
	for i := range c.times {
		user := users[rnd.IntN(len(users))]
		l, remembered := known[user]
		if !remembered || rnd.IntN(3) > 0 {
			from := c.clock.Add(1)
			var err error
			if l, err = s.Load(ctx, user); err != nil {
				return fmt.Errorf("Load: %w", err)
			}
			c.note(sighting{user: user, from: from, to: c.clock.Add(1), version: l.Version})
		}
		at, err := tally(l)
		if err != nil {
			return fmt.Errorf("%s: %w", user, err)
		}
		change := raised(user, l, at+1)
		change.Publish = nil
		var told []string
		for range rnd.IntN(4) { // none, now and then
			told = append(told, fmt.Sprint(user, " ", n, " ", i, " ", len(told)))
			change.Publish = append(change.Publish, core.Revocation{UserID: user, JTI: told[len(told)-1], Until: base.Add(time.Hour)})
		}
		switch {
		case slices.Contains(dying, user):
			change.KeepUntil = base.Add(-time.Minute)
		case slices.Contains(forgotten, user) && rnd.IntN(3) == 0:
			change = core.Change{ID: change.ID, If: change.If, At: base, Forget: true, Publish: change.Publish}
		}
		from := c.clock.Add(1)
		stands, err := s.Commit(ctx, user, change)
		saw := sighting{user: user, from: from, to: c.clock.Add(1)}
		switch {
		case err == nil:
			saw.version, saw.made, saw.before, saw.revocations = change.ID, true, l.Version, told
			if l = change.Apply(l); l.Version.IsZero() {
				saw.version = core.ID{}
			}
		case errors.Is(err, core.ErrConflict):
			if _, torn := tally(stands); torn != nil {
				return fmt.Errorf("%s: %w", user, torn)
			}
			saw.version, l = stands.Version, stands
		default:
			return fmt.Errorf("Commit: %w", err)
		}
		c.note(saw)
		known[user] = l
	}
	return nil
}

// clean sweeps and purges until others are done.
func (c *throng) clean(over context.Context, s *sqlstore.Store) error {
	for over.Err() == nil {
		if _, err := s.Sweep(context.WithoutCancel(over), base, 50); err != nil {
			return fmt.Errorf("Sweep: %w", err)
		}
		if _, err := s.Purge(context.WithoutCancel(over), base); err != nil {
			return fmt.Errorf("Purge: %w", err)
		}
	}
	return nil
}

// follow reads the feed all along, and to its end when others are done.
func (c *throng) follow(over context.Context, s *sqlstore.Store, from core.Cursor) (events []core.Revocation, err error) {
	for {
		last := over.Err() != nil
		wait := 50 * time.Millisecond
		if last {
			wait = 0
		}
		b, err := s.Tail(context.WithoutCancel(over), from, wait)
		if err != nil || b.Reset {
			return nil, fmt.Errorf("Tail: Reset %t, %w", b.Reset, err)
		}
		events, from = append(events, b.Events...), b.Next
		if last {
			return events, nil
		}
	}
}

// run lets all go at once, and checks what was seen. extra is a store beside them.
func (c *throng) run(t *testing.T, writers int, extra *sqlstore.Store) {
	t.Helper()
	from := tail(t, extra, "").Next
	over, stop := context.WithCancel(t.Context())
	var beside, crowding sync.WaitGroup
	var events []core.Revocation
	beside.Go(func() {
		if err := c.clean(over, extra); err != nil {
			t.Error(err)
		}
	})
	beside.Go(func() {
		var err error
		if events, err = c.follow(over, extra, from); err != nil {
			t.Error(err)
		}
	})
	for n := range writers {
		crowding.Go(func() {
			if err := c.write(t.Context(), n); err != nil {
				t.Errorf("writer %d: %v", n, err)
			}
		})
	}
	crowding.Wait()
	stop()
	beside.Wait()
	if t.Failed() {
		return
	}
	order := map[string][]string{}
	for _, user := range lasting {
		order[user] = c.chain(t, user)
	}
	got := map[string][]string{}
	var all []string
	for _, r := range events {
		all = append(all, r.JTI)
		got[r.UserID] = append(got[r.UserID], r.JTI)
	}
	for _, user := range lasting {
		if !slices.Equal(got[user], order[user]) {
			t.Errorf("%s: the feed has %d revocations, not in the order of their %d", user, len(got[user]), len(order[user]))
		}
	}
	slices.Sort(all)
	slices.Sort(c.told)
	if !slices.Equal(all, c.told) {
		missing := slices.DeleteFunc(slices.Clone(c.told), func(r string) bool { return slices.Contains(all, r) })
		t.Errorf("who followed the feed got %d revocations, want %d once each; missing: %q; a read of all has %d", len(all), len(c.told), missing, len(tail(t, extra, "").Events))
	}
	t.Logf("%d sightings, %d revocations", len(c.seen), len(c.told))
}

// chain checks that the versions of a user were one after another, and that each was
// seen while it stood. It returns the revocations in that order.
func (c *throng) chain(t *testing.T, user string) (told []string) {
	after := map[core.ID]sighting{} // what was made out of a version
	made := map[core.ID]sighting{{}: {}}
	for _, s := range c.seen {
		if s.user != user || !s.made {
			continue
		}
		if _, twice := after[s.before]; twice {
			t.Errorf("%s: two changes were made out of %v", user, s.before)
		}
		after[s.before], made[s.version] = s, s
	}
	for _, s := range c.seen {
		if s.user != user {
			continue
		}
		version := s.version
		if s.made {
			version = s.before
		}
		if by, was := made[version]; !was || by.from > s.to {
			t.Errorf("%s: version %v was seen before it was made", user, version)
		}
		if next, moved := after[version]; moved && next.to < s.from {
			t.Errorf("%s: version %v was seen when it had been followed by another", user, version)
		}
	}
	n := 0
	for s, more := after[core.ID{}]; more; s, more = after[s.version] {
		told = append(told, s.revocations...)
		n++
	}
	if n != len(after) {
		t.Errorf("%s: %d of %d changes are in one line", user, n, len(after))
	}
	return told
}

// crowded are settings under which a throng has to see no difference.
var crowded = map[string][]string{
	"sqlite": {"", "_txlock=exclusive", "cache=shared", "_pragma=busy_timeout(0)", "_pragma=wal_autocheckpoint(1)"},
	"mariadb": {
		"tx_isolation='SERIALIZABLE'", "", "tx_isolation='READ-COMMITTED'", "innodb_lock_wait_timeout=1",
		"tx_isolation='SERIALIZABLE'&innodb_lock_wait_timeout=1&interpolateParams=true",
	},
	"postgres": {
		"default_transaction_isolation=serializable", "", "lock_timeout=10",
		"default_query_exec_mode=simple_protocol&default_transaction_isolation=serializable",
	},
}

// Many who write at once over two stores see one register for each user, and who
// follows the feed gets each revocation once and in order, while all is swept and purged.
func TestThrongProof(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		for i, options := range crowded[engine] {
			if !proof() && i > 1 {
				break
			}
			t.Run(options, func(t *testing.T) {
				d := newDesk(t, engine).With(options)
				c := throng{stores: []*sqlstore.Store{open(t, d, sqlstore.Options{}), open(t, d, sqlstore.Options{})}, times: 8}
				if proof() {
					c.times = 200
				}
				c.run(t, 16, open(t, d, sqlstore.Options{PollInterval: time.Millisecond}))
			})
		}
	})
}
