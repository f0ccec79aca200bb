package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/core"
)

// History is a run of calls on a store that is made up from a seed: commits of every kind,
// sent again, too late or for users who are unknown, ledgers loaded, the feed read from
// all its cursors, what is over swept, by users whose names are easily taken for one
// another. Of one seed and one number of steps it is the same in every process and on
// every day, so that stores which no one program can have are held to the same.
type History struct {
	Seed  uint64
	Steps int // beside those at the beginning and the end that ask for everything
}

// Same takes all stores through one history and fails the test where one of them answers
// otherwise than the law of [core.Store] has it: by [core.Change.Apply], and with every
// revocation once and in order. It reports the first such answer of each store, and logs
// how much was asked and a digest of it all, which is the same wherever the history is.
//
// The stores are empty at first and nobody else uses them. Times in a history are those of
// the year 2100 and later, so that nothing is over by the clock of a server. A store that
// is no [core.Sweeper] may keep what is over.
func Same(t testing.TB, h History, stores map[string]core.Store) {
	t.Helper()
	seen, err := CheckSame(h, stores)
	if err != nil {
		t.Error(err)
		return
	}
	t.Logf("%s: %s", strings.Join(slices.Sorted(maps.Keys(stores)), ", "), seen)
}

// CheckSame is [Same] without a [testing.T]. Its error is nil, or the first differences
// of all stores that have one joined, each a *[Difference].
func CheckSame(h History, stores map[string]core.Store) (Seen, error) {
	p := newPast(h)
	var takers []*taker
	for _, name := range slices.Sorted(maps.Keys(stores)) {
		takers = append(takers, &taker{name: name, store: stores[name], past: p})
	}
	var differences []error
	for len(takers) > 0 {
		s, more := p.next()
		if !more {
			break
		}
		var same []*taker
		for i, t := range takers {
			other := takers[(i+1)%len(takers)].last
			if d := t.takes(s, other); d != nil {
				differences = append(differences, d)
				continue
			}
			same = append(same, t)
		}
		takers = same
	}
	return p.seen(), errors.Join(differences...)
}

// Seen is how much there was in a history.
type Seen struct {
	History
	Commits, Conflicts, SentAgain, Forgotten, Revocations, Tails, Sweeps int
	Digest                                                               string // of all steps and their answers
}

func (s Seen) String() string {
	return fmt.Sprintf("seed %d, %d steps: %d commits, %d sent again, %d conflicts, %d users forgotten, %d revocations, %d reads of the feed, %d sweeps; digest %s",
		s.Seed, s.Steps, s.Commits, s.SentAgain, s.Conflicts, s.Forgotten, s.Revocations, s.Tails, s.Sweeps, s.Digest)
}

// Difference is an answer of a store that is not the one it has to be.
type Difference struct {
	Store string
	History
	Step int      // from 1
	Call string   // Load, LoadMany, Commit, Tail or Sweep
	User string   // "" if it is about the feed
	Seen []string // what was wrong with it
	// Before are the last steps that had to do with the user, or the last of all if it
	// is about the feed, at most 20. The one that failed is at the end.
	Before []string
}

func (d *Difference) Error() string {
	about := ""
	if d.User != "" {
		about = " of " + short(d.User)
	}
	return fmt.Sprintf("%s, seed %d, step %d: %s%s:\n    %s\n  after\n    %s", d.Store, d.Seed, d.Step, d.Call, about,
		strings.Join(d.Seen, "\n    "), strings.Join(d.Before, "\n    "))
}

// taker is a store on its way through a history.
type taker struct {
	name  string
	store core.Store
	past  *past

	cursors []core.Cursor
	last    core.Cursor
	epoch   core.Epoch
}

// takes has the store take a step, and returns the first answer that differs. other is a
// cursor of another store, or the store's own if there is no other.
func (t *taker) takes(s step, other core.Cursor) *Difference {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var d *Difference
	switch s.call {
	case callLoad:
		d = t.load(ctx, s.users[0])
	case callLoadMany:
		d = t.loadMany(ctx, s.users)
	case callCommit:
		if d = t.commit(ctx, s); d == nil {
			d = t.load(ctx, s.users[0])
		}
	case callTail:
		d = t.tail(ctx, s, other)
	case callSweep:
		if d = t.sweep(ctx, s); d == nil {
			d = t.loadMany(ctx, s.users)
		}
	}
	if d != nil {
		d.Store, d.History, d.Step, d.Before = t.name, t.past.History, s.n, t.past.trail(d.User, s)
	}
	return d
}

// differs returns nil if nothing was seen.
func differs(call, user string, seen ...string) *Difference {
	if len(seen) == 0 {
		return nil
	}
	if more := len(seen) - 5; more > 0 {
		seen = append(seen[:5:5], fmt.Sprintf("and %d more", more))
	}
	return &Difference{Call: call, User: user, Seen: seen}
}

func failed(call, user string, err error) *Difference {
	return differs(call, user, fmt.Sprintf("got error %v, want none", err))
}

func (t *taker) load(ctx context.Context, user string) *Difference {
	l, err := t.store.Load(ctx, user)
	if err != nil {
		return failed(callLoad, user, err)
	}
	return differs(callLoad, user, t.past.wrong(user, l)...)
}

// loadMany loads users one by one from a store that can't do it otherwise.
func (t *taker) loadMany(ctx context.Context, users []string) *Difference {
	many, is := t.store.(core.ManyLoader)
	if !is {
		for _, user := range users {
			if d := t.load(ctx, user); d != nil {
				return d
			}
		}
		return nil
	}
	ledgers, err := many.LoadMany(ctx, users)
	if err != nil {
		return failed(callLoadMany, "", err)
	}
	for _, user := range users {
		l, found := ledgers[user]
		if found && l.Version.IsZero() {
			return differs(callLoadMany, user, "got a ledger, want none of a user of whom nothing is kept")
		}
		if seen := t.past.wrong(user, l); len(seen) > 0 {
			return differs(callLoadMany, user, seen...)
		}
	}
	for user := range ledgers {
		if !slices.Contains(users, user) {
			return differs(callLoadMany, user, "got a ledger of a user who was not asked for")
		}
	}
	return nil
}

func (t *taker) commit(ctx context.Context, s step) *Difference {
	user, c := s.users[0], s.change
	if s.anew {
		stands, err := t.store.Load(ctx, user)
		if err != nil {
			return failed(callLoad, user, err)
		}
		c.If = stands.Version
	}
	stands, err := t.store.Commit(ctx, user, c)
	conflict := errors.Is(err, core.ErrConflict)
	switch {
	case err != nil && !conflict:
		return failed(callCommit, user, err)
	case conflict != s.conflict && !s.either:
		return differs(callCommit, user, fmt.Sprintf("got error %v, want ErrConflict: %t", err, s.conflict))
	case conflict:
		return differs(callCommit, user, t.past.wrong(user, stands)...)
	}
	return nil
}

// sweep sweeps all, and what is over has to be gone then.
func (t *taker) sweep(ctx context.Context, s step) *Difference {
	sweeper, is := t.store.(core.Sweeper)
	if !is {
		return nil
	}
	for n := s.limit; n >= s.limit; {
		var err error
		if n, err = sweeper.Sweep(ctx, s.before, s.limit); err != nil {
			return failed(callSweep, "", err)
		}
	}
	for _, user := range s.users {
		l, err := t.store.Load(ctx, user)
		if err != nil {
			return failed(callLoad, user, err)
		}
		if t.past.isOver(user) && !l.Version.IsZero() {
			return differs(callSweep, user, "the ledger is over, and still there")
		}
		if over := len(l.Sessions) - len(t.past.live(l).Sessions); over > 0 {
			return differs(callSweep, user, fmt.Sprintf("%d sessions are over, and still there", over))
		}
	}
	b, err := t.store.Tail(ctx, "", 0)
	if err != nil {
		return failed(callTail, "", err)
	}
	if over := len(b.Events) - len(t.past.notOver(b.Events)); over > 0 {
		return differs(callSweep, "", fmt.Sprintf("%d revocations are over, and still there", over))
	}
	return nil
}

func (t *taker) tail(ctx context.Context, s step, other core.Cursor) *Difference {
	after := t.last
	switch {
	case s.from >= 0:
		after = t.cursors[s.from]
	case s.from == fromStart:
		after = ""
	case s.from == fromUnknown && (other == "" || other == t.last):
		after = "no such cursor"
	case s.from == fromUnknown:
		after = other
	}
	b, err := t.store.Tail(ctx, after, s.wait)
	if err != nil {
		return failed(callTail, "", err)
	}
	position := s.position
	if b.Reset { // where what is over may be missing, a store may say that it is
		position = 0
		missing := s.from == fromUnknown || s.from != fromStart && t.past.hasOver(s.position)
		if !missing {
			return differs(callTail, "", "got Reset, want the rest of the feed: nothing is missing")
		}
	} else if s.from == fromUnknown {
		return differs(callTail, "", fmt.Sprintf("after the cursor %q, which is not of this feed: got no Reset", after))
	}
	if seen := t.past.wrongEvents(position, b.Events); len(seen) > 0 {
		return differs(callTail, "", seen...)
	}
	if seen := t.wrongEpoch(b.Epoch); len(seen) > 0 {
		return differs(callTail, "", seen...)
	}
	if b.Next == "" {
		return differs(callTail, "", "got the zero cursor as Next")
	}
	if s.from == fromLast {
		t.last = b.Next
	}
	switch {
	case s.keep == len(t.cursors):
		t.cursors = append(t.cursors, b.Next)
	case s.keep >= 0:
		t.cursors[s.keep] = b.Next
	}
	return nil
}

// wrongEpoch returns what is wrong with an epoch: it begins with the first commit at the
// latest and then stays.
func (t *taker) wrongEpoch(got core.Epoch) []string {
	if t.epoch.ID.IsZero() {
		t.epoch = got
	}
	if t.epoch.ID.IsZero() && t.past.commits > 0 {
		return []string{"got no epoch after a commit"}
	}
	return differences(got, t.epoch)
}
