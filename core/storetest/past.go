package storetest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// past is what has happened in a history so far, and so what a store has to answer. It is
// the plainest store there is: a map and a list.
type past struct {
	History
	script // what happens next

	users   map[string]*known
	feed    []core.Revocation // all that were ever published
	swept   time.Time         // what ended before may be gone
	lines   []string          // the last steps
	digest  hash.Hash
	written *json.Encoder // to digest

	commits, conflicts, sentAgain, forgotten, tails, sweeps int
}

// known is what is known of a user, and was.
type known struct {
	ledger core.Ledger
	keep   time.Time     // Change.KeepUntil
	sent   []core.Change // the last that were committed
	ended  []core.ID     // the last sessions that were
	lines  []string      // the last steps
}

// remembered is how many changes, sessions and steps of a user are remembered.
const remembered = 20

func remember[T any](list *[]T, v T) {
	if len(*list) == remembered {
		*list = slices.Delete(*list, 0, 1)
	}
	*list = append(*list, v)
}

func (p *past) of(user string) *known {
	u := p.users[user]
	if u == nil {
		u = &known{}
		p.users[user] = u
	}
	return u
}

// isOver reports whether all that is known of a user was over when it was last swept, so
// that a store may have it or not.
func (p *past) isOver(user string) bool {
	u := p.users[user]
	return u != nil && !u.ledger.Version.IsZero() && u.keep.Before(p.swept)
}

// live returns a ledger without the sessions that a store may have or not.
func (p *past) live(l core.Ledger) core.Ledger {
	l.Sessions = slices.DeleteFunc(slices.Clone(l.Sessions), func(s core.Session) bool { return s.ExpiresAt.Before(p.swept) })
	return l
}

// wrong returns what is wrong with a ledger of a user that a store answers with.
func (p *past) wrong(user string, got core.Ledger) []string {
	want := p.of(user).ledger
	if p.isOver(user) && got.Version.IsZero() {
		want = core.Ledger{}
	}
	got, want = sorted(p.live(got)), sorted(p.live(want))
	if reflect.DeepEqual(got, want) { // which takes less time
		return nil
	}
	return differences(got, want)
}

// notOver returns events without those that a store may have or not.
func (p *past) notOver(events []core.Revocation) []core.Revocation {
	return slices.DeleteFunc(slices.Clone(events), func(r core.Revocation) bool { return r.Until.Before(p.swept) })
}

// hasOver reports whether there may be something missing after a position of the feed.
func (p *past) hasOver(position int) bool {
	return slices.ContainsFunc(p.feed[position:], func(r core.Revocation) bool { return r.Until.Before(p.swept) })
}

// wrongEvents returns what is wrong with the events that a store answers with from a
// position of the feed on. Those of one user have an order.
func (p *past) wrongEvents(position int, events []core.Revocation) []string {
	byUser := func(events []core.Revocation) []core.Revocation {
		events = p.notOver(events)
		slices.SortStableFunc(events, func(a, b core.Revocation) int { return strings.Compare(a.UserID, b.UserID) })
		return events
	}
	got, want := byUser(events), byUser(p.feed[position:])
	if slices.Equal(got, want) {
		return nil
	}
	for i := range min(len(got), len(want)) {
		if d := differences(got[i], want[i]); len(d) > 0 {
			line := fmt.Sprintf("got %d revocations, want %d; number %d of them by users is one of %s, wanted is one of %s",
				len(got), len(want), i+1, short(got[i].UserID), short(want[i].UserID))
			return append([]string{line}, d...)
		}
	}
	if len(got) == len(want) {
		return nil
	}
	return []string{fmt.Sprintf("got %d revocations, want %d; those that both have are the same", len(got), len(want))}
}

// applies has a change take place, or not.
func (p *past) applies(s *step) {
	user, c := s.users[0], &s.change
	u := p.of(user)
	stands := u.ledger
	if s.anew {
		stands = core.Ledger{}
	}
	switch {
	case !stands.Version.IsZero() && stands.Version == c.ID:
		p.sentAgain++
		return
	case stands.Version != c.If:
		s.conflict = true
		p.conflicts++
		return
	}
	p.commits++
	u.ledger, u.keep = c.Apply(stands), c.KeepUntil
	p.feed = append(p.feed, c.Publish...)
	for _, e := range c.End {
		remember(&u.ended, e.ID)
	}
	if c.Forget {
		p.forgotten++
	}
	remember(&u.sent, *c)
}

// sweeps to a time.
func (p *past) sweep(before time.Time) {
	p.sweeps++
	p.swept = before
	for _, u := range p.users {
		u.ledger = p.live(u.ledger)
	}
}

// note writes a step down: for people, and into the digest.
func (p *past) note(s *step) {
	line := s.String()
	remember(&p.lines, line)
	switch s.call {
	case callCommit:
		remember(&p.of(s.users[0]).lines, line)
	case callSweep:
		for _, u := range p.users {
			remember(&u.lines, line)
		}
	}
	p.write(line, s.change)
	for _, user := range s.users {
		l := p.live(p.of(user).ledger)
		switch over := p.isOver(user); {
		case over:
			p.write(over)
		case len(s.users) == 1:
			p.write(l)
		default: // the whole was written when it was made
			p.write(l.Version, len(l.Sessions))
		}
	}
	if s.call == callTail {
		p.write(p.notOver(p.feed[s.position:]))
	}
}

func (p *past) write(values ...any) {
	for _, v := range values {
		if err := p.written.Encode(v); err != nil {
			panic("storetest: " + err.Error())
		}
	}
}

// trail are the last steps that changed a user, or the last of all, and at the end the
// one that failed.
func (p *past) trail(user string, s step) []string {
	lines, line := p.lines, s.String()
	if user != "" {
		lines = p.of(user).lines
	}
	lines = slices.Clone(lines)
	if n := len(lines); n == 0 || lines[n-1] != line {
		lines = append(lines, line)
	}
	return lines
}

func (p *past) seen() Seen {
	return Seen{
		History: p.History,
		Commits: p.commits, Conflicts: p.conflicts, SentAgain: p.sentAgain, Forgotten: p.forgotten,
		Revocations: len(p.feed), Tails: p.tails, Sweeps: p.sweeps,
		Digest: hex.EncodeToString(p.digest.Sum(nil)[:8]),
	}
}

func newPast(h History) *past {
	p := &past{History: h, script: newScript(h.Seed), users: map[string]*known{}, digest: sha256.New()}
	p.written = json.NewEncoder(p.digest)
	return p
}
