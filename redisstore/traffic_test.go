package redisstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// traffic is two processes at work on one database, each with a client of its own:
// both commit for the same users and follow the feed. Each commit leaves in the
// ledger what it was decided on, so that it can be told which of them stand.
type traffic struct {
	t         *testing.T
	ctx       context.Context
	processes [2]*process
	users     []string
	before    core.Batch                // what there was when begin returned
	settled   atomic.Pointer[time.Time] // what is begun from here on is not lost
	end       func()                    // ends all work

	mu    sync.Mutex
	tries map[core.ID]*try
	torn  bool // a ledger was
}

// try is one commit. Its change, the session that it puts and the revocation that it
// publishes have the same id.
type try struct {
	user           string
	on             core.ID // the version that it was decided on
	n              uint64  // which one of the user's it is, from 1
	acked, settled bool
}

// process is one of them.
type process struct {
	store         *redisstore.Store
	acked         atomic.Int64
	commits, read longest
	failed        errorCounts

	// What it has from the feed.
	next   core.Cursor
	events []core.Revocation // since the last Reset
	ever   map[core.ID]bool  // sessions of all that it was told
	resets int
	told   time.Time // when the last Reset came
	reads  atomic.Int64
}

const (
	kept    = 8  // how many commits a ledger remembers
	buckets = 16 // of the database
)

// begin has two processes work until end is called, and returns when they do.
func begin(t *testing.T, client func(testing.TB) redis.UniversalClient) *traffic {
	t.Helper()
	tr := &traffic{t: t, tries: map[core.ID]*try{}}
	prefix := "test-" + rand.Text()
	for i := range buckets {
		tr.users = append(tr.users, fmt.Sprintf("user-%d", i))
	}
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	tr.ctx, tr.end = ctx, func() { cancel(); working.Wait() }
	t.Cleanup(tr.end)
	for i := range tr.processes {
		p := &process{ever: map[core.ID]bool{}}
		p.store = openAt(t, client(t), redisstore.Options{Prefix: prefix, Buckets: buckets, PollInterval: 10 * time.Millisecond, Timeout: time.Second})
		tr.processes[i] = p
		working.Go(func() { tr.follow(p) })
		for j := range 4 {
			working.Go(func() { tr.work(p, 3*i+j) })
		}
	}
	tr.flows()
	tr.before = tr.tail(tr.processes[0], "")
	return tr
}

// flows waits until both processes have committed and read for a while from now on.
func (tr *traffic) flows() {
	tr.t.Helper()
	for i, p := range tr.processes {
		acked, reads := p.acked.Load(), p.reads.Load()
		redistest.Eventually(tr.t, func(context.Context) error {
			if a, r := p.acked.Load()-acked, p.reads.Load()-reads; a < 40 || r < 10 {
				return fmt.Errorf("process %d: %d commits and %d reads, and errors %v", i, a, r, p.failed.all())
			}
			return nil
		})
	}
}

// pause lets a moment go by.
func (tr *traffic) pause() {
	moment := time.NewTimer(2 * time.Millisecond)
	defer moment.Stop()
	select {
	case <-moment.C:
	case <-tr.ctx.Done():
	}
}

// work commits for one user after another.
func (tr *traffic) work(p *process, from int) {
	for i := from; tr.ctx.Err() == nil; i++ {
		user := tr.users[i%len(tr.users)]
		stands, err := p.store.Load(tr.ctx, user)
		if err == nil {
			tr.whole(user, stands)
			err = tr.commit(p, user, stands)
		}
		if tr.ctx.Err() == nil {
			p.failed.count(err)
		}
		tr.pause()
	}
}

func (tr *traffic) commit(p *process, user string, stands core.Ledger) error {
	made := &try{user: user, on: stands.Version, n: 1, settled: tr.settled.Load() != nil}
	now := time.Now().UTC().Truncate(time.Millisecond)
	c := core.Change{ID: newID(), If: stands.Version, At: now, KeepUntil: now.Add(time.Hour)}
	for _, s := range stands.Sessions {
		made.n = max(made.n, s.Gen+1)
	}
	for _, s := range stands.Sessions {
		if s.Gen+kept == made.n {
			c.End = []core.Ended{{ID: s.ID}}
		}
	}
	c.Put = []core.Session{{ID: c.ID, Gen: made.n, UserAgent: stands.Version.String()}}
	c.Publish = []core.Revocation{{Session: c.ID, MinSerial: core.AllSerials, Until: now.Add(time.Hour)}}
	tr.mu.Lock()
	tr.tries[c.ID] = made
	tr.mu.Unlock()
	there, err := p.store.Commit(tr.ctx, user, c)
	switch {
	case err == nil:
		tr.mu.Lock()
		made.acked = true
		tr.mu.Unlock()
		p.acked.Add(1)
		p.commits.moment()
	case errors.Is(err, core.ErrConflict):
		tr.whole(user, there)
		err = nil
	}
	return err
}

// whole says that a ledger is as one commit after another left it.
func (tr *traffic) whole(user string, l core.Ledger) {
	sessions := slices.SortedFunc(slices.Values(l.Sessions), func(a, b core.Session) int { return int(a.Gen) - int(b.Gen) })
	tr.mu.Lock()
	defer tr.mu.Unlock()
	last, is := &try{}, len(sessions) <= kept
	var id core.ID
	for i, s := range sessions {
		made := tr.tries[s.ID]
		if made == nil {
			made, is = &try{}, false
		}
		is = is && made.user == user && made.n == s.Gen && s.UserAgent == made.on.String()
		if i > 0 || len(sessions) < kept { // it follows what is there, or is the first of all
			is = is && made.on == id && made.n == last.n+1
		}
		last, id = made, s.ID
	}
	if is = is && id == l.Version; !is && !tr.torn {
		tr.torn = true
		tr.t.Errorf("%s: version %v with sessions", user, l.Version)
		for _, s := range sessions {
			tr.t.Errorf("  %d: %v, decided on %s", s.Gen, s.ID, s.UserAgent)
		}
	}
}

// follow follows the feed.
func (tr *traffic) follow(p *process) {
	for tr.ctx.Err() == nil {
		if err := p.take(tr.ctx, 50*time.Millisecond); err != nil {
			if tr.ctx.Err() == nil {
				p.failed.count(err)
			}
			tr.pause()
		}
	}
}

// take reads the feed once.
func (p *process) take(ctx context.Context, wait time.Duration) error {
	b, err := p.store.Tail(ctx, p.next, wait)
	if err != nil {
		return err
	}
	p.next = b.Next
	if b.Reset {
		p.resets, p.told = p.resets+1, time.Now()
		p.events = nil
	}
	p.events = append(p.events, b.Events...)
	for _, e := range b.Events {
		p.ever[e.Session] = true
	}
	p.reads.Add(1)
	p.read.moment()
	return nil
}

// settle says that from here on nothing may be lost.
func (tr *traffic) settle() {
	now := time.Now()
	tr.settled.Store(&now)
}

// outcome is what has become of all commits.
type outcome struct {
	acked, lost int // lost: acknowledged, and they do not stand
	twice       int // of these, decided on what another was, too, that was acknowledged
	forNothing  int // how often a process was told that something is lost when nothing was that it knew
}

// finish ends all work and checks what stands against what was seen.
func (tr *traffic) finish() (o outcome) {
	t := tr.t
	t.Helper()
	tr.end()
	stands := tr.standing()
	acked := map[string]map[core.ID]int{} // of a user, on a version
	for _, made := range tr.tries {
		if made.acked {
			if acked[made.user] == nil {
				acked[made.user] = map[core.ID]int{}
			}
			acked[made.user][made.on]++
		}
	}
	for id, made := range tr.tries {
		if !made.acked {
			continue
		}
		o.acked++
		if !stands[id] {
			o.lost++
			if acked[made.user][made.on] > 1 {
				o.twice++
			}
			if made.settled {
				t.Errorf("%s: commit %d was acknowledged when all was settled, and is lost", made.user, made.n)
			}
		}
	}
	for i, p := range tr.processes {
		for n := -1; n != len(p.events); {
			n = len(p.events)
			redistest.Eventually(t, func(ctx context.Context) error { return p.take(ctx, 0) })
		}
		tr.sameFeed(fmt.Sprintf("what process %d has", i), p.events, stands)
		lost := false // that it had been told of
		for id := range p.ever {
			lost = lost || !stands[id]
		}
		if lost && p.resets == 0 {
			t.Errorf("process %d was not told that something it knows is lost", i)
		}
		if !lost {
			o.forNothing += p.resets
		}
		t.Logf("process %d: %d commits, at most %v between two; %d reads, at most %v between two; errors %v",
			i, p.acked.Load(), p.commits.most, p.reads.Load(), p.read.most, p.failed.all())
		if p.resets > 0 {
			t.Logf("process %d: %d resets, the last %v after the new master was there", i, p.resets, p.told.Sub(*tr.settled.Load()).Round(time.Millisecond))
		}
	}
	b := tr.tail(tr.processes[0], tr.before.Next)
	if !b.Reset {
		b.Events = append(tr.before.Events, b.Events...)
	}
	tr.sameFeed("what follows a cursor from before", b.Events, stands)
	t.Logf("%d acknowledged, %d of them lost, %d of these on a version that another succeeded on", o.acked, o.lost, o.twice)
	return o
}

// standing returns which commits stand: those that the ledgers go back to, which are
// those of the feed.
func (tr *traffic) standing() map[core.ID]bool {
	tr.t.Helper()
	stands := map[core.ID]bool{}
	for _, user := range tr.users {
		var l core.Ledger
		redistest.Eventually(tr.t, func(ctx context.Context) (err error) {
			l, err = tr.processes[0].store.Load(ctx, user)
			return err
		})
		tr.whole(user, l)
		for id := l.Version; !id.IsZero(); id = tr.tries[id].on {
			stands[id] = true
		}
	}
	tr.sameFeed("the feed", tr.tail(tr.processes[1], "").Events, stands)
	return stands
}

func (tr *traffic) tail(p *process, after core.Cursor) (b core.Batch) {
	tr.t.Helper()
	redistest.Eventually(tr.t, func(ctx context.Context) (err error) {
		b, err = p.store.Tail(ctx, after, 0)
		return err
	})
	return b
}

// sameFeed says that revocations are those of the commits that stand, those of each
// user in their order, each once.
func (tr *traffic) sameFeed(what string, events []core.Revocation, stands map[core.ID]bool) {
	tr.t.Helper()
	n := map[string]uint64{}
	for _, e := range events {
		made := tr.tries[e.Session]
		if made == nil || !stands[e.Session] {
			tr.t.Errorf("%s: %v does not stand", what, e.Session)
			return
		}
		if n[made.user]++; made.n != n[made.user] {
			tr.t.Errorf("%s: %s: got revocation %d, want %d", what, made.user, made.n, n[made.user])
			return
		}
	}
	if len(events) != len(stands) {
		tr.t.Errorf("%s: got %d revocations, want %d", what, len(events), len(stands))
	}
}

// longest is the longest time between two moments.
type longest struct {
	mu   sync.Mutex
	last time.Time
	most time.Duration
}

func (l *longest) moment() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !l.last.IsZero() {
		l.most = max(l.most, now.Sub(l.last).Round(time.Millisecond))
	}
	l.last = now
}

// errorCounts counts errors by their first words.
type errorCounts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *errorCounts) count(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	text := err.Error()
	c.of[text[:min(len(text), 40)]]++
}

func (c *errorCounts) all() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.of)
}
