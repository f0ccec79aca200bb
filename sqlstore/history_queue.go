package sqlstore

import (
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// entry is one record that waits: what became of a session, an event, or that a user
// is to be forgotten.
type entry struct {
	kind entryKind
	seq  uint64
	at   time.Time // of the first thing that it tells
	user string

	session core.ID
	row     *core.Session // as it was last; nil: not told
	reason  core.Reason
	endedAt time.Time // zero: it goes on

	event *eventRow
}

type entryKind int

const (
	ofSession entryKind = iota
	ofEvent
	ofForget
	ofGap // an event of our own
)

func (e *entry) count() HistoryLost {
	switch e.kind {
	case ofSession:
		return HistoryLost{Sessions: 1}
	case ofEvent:
		return HistoryLost{Events: 1}
	case ofForget:
		return HistoryLost{Forgets: 1}
	}
	return HistoryLost{}
}

type waitingKey struct {
	user string
	id   core.ID
}

// queue is what waits, in its order. A session has one entry in waiting, unless its
// user was forgotten between two.
type queue struct {
	taken    []*entry // what is being written
	waiting  []*entry
	sessions map[waitingKey]*entry // the last of each in waiting
	fences   map[string]uint64     // of users that wait to be forgotten: the last time
	forgets  int                   // users that wait to be forgotten
}

func newQueue() queue {
	return queue{sessions: make(map[waitingKey]*entry), fences: make(map[string]uint64)}
}

func (q *queue) len() int {
	n := len(q.taken) + len(q.waiting)
	if len(q.taken) > 0 && q.taken[0].kind == ofGap {
		n--
	}
	return n
}

func (q *queue) oldest() time.Time {
	switch {
	case len(q.taken) > 0:
		return q.taken[0].at
	case len(q.waiting) > 0:
		return q.waiting[0].at
	}
	return time.Time{}
}

// find returns the entry that what becomes of a session can join.
func (q *queue) find(user string, id core.ID) *entry {
	if e := q.sessions[waitingKey{user, id}]; e != nil && e.seq > q.fences[user] {
		return e
	}
	return nil
}

func (q *queue) add(e *entry) {
	q.waiting = append(q.waiting, e)
	switch e.kind {
	case ofSession:
		q.sessions[waitingKey{e.user, e.session}] = e
	case ofForget:
		q.fences[e.user] = e.seq
		q.forgets++
	}
}

// take returns at most size entries that one transaction may write, the same ones
// until they are written.
func (q *queue) take(size int) []*entry {
	if len(q.taken) == 0 {
		n := min(historyBatch, len(q.waiting))
		q.taken = append(q.taken, q.waiting[:n]...)
		clear(q.waiting[:n])
		q.waiting = q.waiting[n:]
	}
	for _, e := range q.taken {
		if key := (waitingKey{e.user, e.session}); q.sessions[key] == e {
			delete(q.sessions, key)
		}
	}
	return q.taken[:min(size, len(q.taken))]
}

// written removes the first n of what was taken.
func (q *queue) written(n int) {
	for _, e := range q.taken[:n] {
		if e.kind == ofForget && q.fences[e.user] == e.seq {
			delete(q.fences, e.user)
		}
		if e.kind == ofForget {
			q.forgets--
		}
	}
	q.taken = append([]*entry(nil), q.taken[n:]...)
}

// drop empties the queue and returns what was in it.
func (q *queue) drop() HistoryLost {
	var n HistoryLost
	for _, e := range q.taken {
		n = n.plus(e.count())
	}
	for _, e := range q.waiting {
		n = n.plus(e.count())
	}
	*q = newQueue()
	return n
}

// tick is called with h.mu held.
func (h *History) tick() uint64 {
	h.clock++
	return h.clock
}

// admit adds an entry if there is room, or counts it as lost. h.mu is held.
func (h *History) admit(e *entry) {
	n, most := h.queue.len(), h.options.MaxQueued
	switch e.kind {
	case ofEvent:
		most -= most / 4
	case ofForget: // what it removes has no right to stay
		n = h.queue.forgets
	}
	if h.closed || n >= most {
		h.lose(e)
		return
	}
	e.seq = h.tick()
	h.queue.add(e)
	signal(h.wake)
}

// lose counts an entry as lost. h.mu is held.
func (h *History) lose(e *entry) {
	h.lost = h.lost.plus(e.count())
	if g := &h.gap; g.from.IsZero() || e.at.Before(g.from) {
		g.from = e.at
	}
	if e.at.After(h.gap.to) {
		h.gap.to = e.at
	}
	signal(h.loss)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// put takes note of a session as it is. h.mu is held.
func (h *History) put(user string, at time.Time, s *core.Session) {
	e := h.queue.find(user, s.ID)
	switch {
	case e == nil:
		h.admit(&entry{kind: ofSession, at: at, user: user, session: s.ID, row: s})
	case e.row == nil || !older(s, e.row):
		e.row = s
	}
}

// older reports whether s is an older state of a session than t: what the database is
// asked in overOlder.
func older(s, t *core.Session) bool {
	return s.Serial < t.Serial || s.Serial == t.Serial && s.LastSeenAt.Before(t.LastSeenAt)
}

// end takes note that a session has ended. h.mu is held.
func (h *History) end(user string, at time.Time, ended core.Ended) {
	e := h.queue.find(user, ended.ID)
	switch {
	case e == nil:
		h.admit(&entry{kind: ofSession, at: at, user: user, session: ended.ID, reason: ended.Reason, endedAt: at})
	case e.endedAt.IsZero():
		e.reason, e.endedAt = ended.Reason, at
	}
}

// forget takes note that a user is to be forgotten. h.mu is held.
func (h *History) forget(user string, at time.Time) {
	if f, flies := h.flights[user]; flies {
		f.forgotten++
		h.flights[user] = f
	}
	h.settled(user)
	h.admit(&entry{kind: ofForget, at: at, user: user})
}

// eventRow is a row of user_session_events.
type eventRow struct {
	at                                                         time.Time
	id                                                         core.ID // drawn by the writer
	name, user                                                 string
	session                                                    core.ID
	reason, device, address, userAgent, tokenHash, mode, error string
	cause, by                                                  string
	risk                                                       core.Risk
	notDurable                                                 bool
}

func eventFields(r *eventRow) []field {
	return []field{
		{"happened_at", &r.at},
		{"id", &r.id},
		{"name", &r.name},
		{"user_id", &r.user},
		{"session_id", &r.session},
		{"reason", &r.reason},
		{"device_id", &r.device},
		{"ip_address", &r.address},
		{"user_agent", &r.userAgent},
		{"token_hash", &r.tokenHash},
		{"mode", &r.mode},
		{"cause", &r.cause},
		{"by_user", &r.by},
		{"risk_score", &r.risk.Score},
		{"risk_reasons", &r.risk.Reasons},
		{"not_durable", &r.notDurable},
		{"error", &r.error},
	}
}

// cleanRisk is clean for a risk. It shares no memory with r.
func cleanRisk(r core.Risk) core.Risk {
	r.Reasons = mapped(r.Reasons, func(w core.RiskReason) core.RiskReason {
		return core.RiskReason{Code: clean(w.Code, 64), Points: w.Points, Detail: clean(w.Detail, 1024)}
	})
	return r
}

// clean returns text that every database takes, of at most so many bytes.
func clean(s string, most int) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return strings.ToValidUTF8(s[:min(most, len(s))], "")
}
