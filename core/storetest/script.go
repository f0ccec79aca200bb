package storetest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// The calls on a store.
const (
	callLoad     = "Load"
	callLoadMany = "LoadMany"
	callCommit   = "Commit"
	callTail     = "Tail"
	callSweep    = "Sweep"
)

// step is one call on every store, and what it has to come to.
type step struct {
	n     int
	call  string
	users []string // whom it is about

	// Of Commit. With anew the change is decided on whatever the store has: all of that is over.
	change                 core.Change
	anew, conflict, either bool // either: it may be ErrConflict or not

	// Of Tail: which cursor it reads from (a number of those that were kept, or one of
	// the constants), what position that is, and as which number Next is kept; -1: as none.
	from, position, keep int
	wait                 time.Duration

	before time.Time // of Sweep
	limit  int
}

const (
	fromStart   = -1 - iota // the zero cursor
	fromLast                // where the last read of this kind ended
	fromUnknown             // a cursor of another feed
)

func (s *step) String() string {
	line := fmt.Sprintf("step %d: %s", s.n, s.call)
	c := &s.change
	switch s.call {
	case callLoad:
		return line + " of " + short(s.users[0])
	case callLoadMany:
		return fmt.Sprintf("%s of %d users", line, len(s.users))
	case callSweep:
		return fmt.Sprintf("%s before %s, %d at a time", line, show(s.before), s.limit)
	case callTail:
		from := "a cursor that was kept"
		switch s.from {
		case fromStart:
			from = "the zero cursor"
		case fromLast:
			from = "the last cursor"
		case fromUnknown:
			from = "a cursor of another feed"
		}
		return fmt.Sprintf("%s from %s, after %d revocations, with wait %s", line, from, s.position, s.wait)
	}
	line = fmt.Sprintf("%s of %s: %s on %s", line, short(s.users[0]), brief(c.ID), brief(c.If))
	if c.Forget {
		line += ", forget"
	} else {
		line = fmt.Sprintf("%s, put %s, end %d, devices %s, networks %s, sign-ins %s, pending %s, foreign %s", line,
			briefs(c.Put), len(c.End), size(c.Devices), size(c.Networks), size(c.SignIns), size(c.Pending), size(c.Foreign))
	}
	line = fmt.Sprintf("%s, publish %d", line, len(c.Publish))
	switch {
	case s.either:
		line += "; may conflict"
	case s.conflict:
		line += "; has to conflict"
	}
	return line
}

func brief(id core.ID) string {
	if id.IsZero() {
		return "nothing"
	}
	return id.String()[:6]
}

func briefs(list []core.Session) string {
	var ids []string
	for i := range min(len(list), 4) {
		ids = append(ids, brief(list[i].ID))
	}
	if more := len(list) - 4; more > 0 {
		ids = append(ids, fmt.Sprint("and ", more, " more"))
	}
	return "[" + strings.Join(ids, " ") + "]"
}

func size[T any](list []T) string {
	if list == nil {
		return "nil"
	}
	return fmt.Sprint(len(list))
}

// script makes up what happens. It draws from its seed alone.
type script struct {
	*rand.Rand
	n      int // steps so far
	now    time.Time
	busy   []string // users to whom most happens
	round  int      // through all users
	last   string   // the user of the last commit
	marks  []int    // the positions of the cursors that were kept
	at     int      // the position of the last cursor
	drawn  int      // steps that were drawn
	ending bool     // there are no more of these
	due    []step   // come first
}

// begins is when every history does: when nothing is over by the clock of any server.
var begins = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

func newScript(seed uint64) script {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	s := script{Rand: rand.New(rand.NewChaCha8(key)), now: begins}
	s.busy = slices.Clone(alike[0])
	s.due = []step{ // a store is empty at first
		{call: callLoadMany, users: names, keep: -1},
		{call: callTail, from: fromStart, keep: 0},
		{call: callTail, from: fromLast, keep: -1},
	}
	return s
}

// odds reports true n times in a hundred.
func (s *script) odds(n int) bool { return s.IntN(100) < n }

func anyOf[T any](s *script, list []T) T { return list[s.IntN(len(list))] }

func (s *script) id() (id core.ID) {
	binary.LittleEndian.PutUint64(id[:], s.Uint64())
	binary.LittleEndian.PutUint64(id[8:], s.Uint64())
	return id
}

// user is one of a few to whom most happens; who these are changes. Nobody is left out.
func (s *script) user() string {
	if s.odds(10) {
		s.busy[s.IntN(len(s.busy))] = anyOf(s, anyOf(s, alike))
	}
	if s.odds(25) {
		s.round++
		return names[s.round%len(names)]
	}
	return anyOf(s, s.busy)
}

// next returns the next step, with what it comes to in the past.
func (p *past) next() (step, bool) {
	if p.drawn == p.Steps && !p.ending {
		p.ending, p.due = true, p.end()
	}
	var s step
	switch {
	case len(p.due) > 0:
		s, p.due = p.due[0], p.due[1:]
	case p.ending:
		return s, false
	default:
		p.drawn++
		p.now = p.now.Add(time.Duration(p.Int64N(10*60_000)) * time.Millisecond)
		s = p.draws()
	}
	p.n++
	s.n = p.n
	switch s.call {
	case callCommit:
		p.applies(&s)
		p.last = s.users[0]
	case callTail:
		p.tails++
		p.reads(&s)
	case callSweep:
		p.sweep(s.before)
	}
	p.note(&s)
	return s, true
}

// draws returns a step that is drawn.
func (p *past) draws() step {
	s := step{keep: -1}
	switch n := p.IntN(1000); {
	case n < 700:
		s.call = callCommit
		p.change(&s)
	case n < 740:
		s.call, s.users = callLoad, []string{p.user()}
	case n < 820:
		s.call = callLoadMany
		s.users = p.neighbours()
	case n < 993 || p.feed == nil:
		s.call = callTail
		p.place(&s)
	default:
		s.call, s.users = callSweep, names
		s.limit = anyOf(&p.script, []int{7, 100, 1000})
		s.before = p.now.Add(-time.Duration(p.IntN(180)) * time.Minute)
		if s.before.Before(p.swept) {
			s.before = p.swept
		}
	}
	return s
}

// end are the steps at the end: everything that can be asked.
func (p *past) end() []step {
	steps := []step{
		{call: callLoadMany, users: names, keep: -1},
		{call: callTail, from: fromLast, keep: -1},
		{call: callTail, from: fromStart, keep: -1},
		{call: callTail, from: fromUnknown, keep: -1},
	}
	for i := range p.marks {
		steps = append(steps, step{call: callTail, from: i, keep: -1})
	}
	for _, user := range names {
		steps = append(steps, step{call: callLoad, users: []string{user}, keep: -1})
	}
	return steps
}

// neighbours are users whose names are like that of the last one who was changed, or any.
func (p *past) neighbours() []string {
	if p.odds(70) {
		for _, group := range alike {
			if slices.Contains(group, p.last) {
				return group
			}
		}
	}
	users := make([]string, p.IntN(30)) // of nobody, now and then; some twice
	for i := range users {
		users[i] = p.user()
	}
	return users
}

// place chooses the cursor of a step.
func (p *past) place(s *step) {
	switch n := p.IntN(100); {
	case n < 60 || len(p.marks) == 0:
		s.from = fromLast
	case n < 92:
		s.from = p.IntN(len(p.marks))
	case n < 96:
		s.from = fromStart
	default:
		s.from = fromUnknown
	}
	const kept = 32
	if p.odds(25) {
		s.keep = p.IntN(kept)
	}
	if s.keep > len(p.marks) {
		s.keep = len(p.marks)
	}
}

// reads has a step read the feed. It may wait only where something is to come at once.
func (p *past) reads(s *step) {
	s.position = p.at
	switch {
	case s.from >= 0:
		s.position = p.marks[s.from]
	case s.from != fromLast:
		s.position = 0
	}
	if s.from == fromStart || len(p.notOver(p.feed[s.position:])) > 0 && s.from != fromUnknown {
		s.wait = time.Hour
	}
	end := len(p.feed)
	if s.from == fromLast {
		p.at = end
	}
	switch {
	case s.keep == len(p.marks):
		p.marks = append(p.marks, end)
	case s.keep >= 0:
		p.marks[s.keep] = end
	}
}
