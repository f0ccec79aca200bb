package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// Audit returns a sink for core.Config.Audit that takes note of an event and calls
// next, unless that is nil. Text is stored without what is no UTF-8 and without NUL.
//
// After a Forget no row is the user's: core.EventUserForgotten is stored without the
// name, so that the table tells that and when somebody was forgotten and, if it was not
// the user, by whom; the ends of sessions that it brings about are not stored. next is
// told everything. Rows about others go on to tell what the user did to them, in by_user.
// (Who comes back with a token of a forgotten user makes new events, which name the user.)
func (h *History) Audit(next func(context.Context, core.Event)) func(context.Context, core.Event) {
	return func(ctx context.Context, e core.Event) {
		h.note(&e)
		if next != nil {
			next(ctx, e)
		}
	}
}

func (h *History) note(e *core.Event) {
	r := &eventRow{
		at: e.Time.UTC().Truncate(time.Millisecond), name: clean(string(e.Name), 64),
		cause: clean(e.Cause, 64), by: clean(e.By, 255), notDurable: e.NotDurable,
	}
	switch {
	case e.Name == core.EventUserForgotten:
	case e.Reason == core.ReasonForgotten:
		return
	default:
		r.user, r.session, r.reason = clean(e.UserID, 255), e.Session, clean(string(e.Reason), 64)
		r.device, r.address = clean(e.DeviceID, 255), clean(e.IP, 255)
		r.userAgent, r.tokenHash, r.mode = clean(e.UserAgent, 512), clean(e.TokenHash, 64), clean(string(e.Mode), 64)
		r.risk = cleanRisk(e.Risk)
		if e.Err != nil {
			r.error = clean(e.Err.Error(), 1024)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.admit(&entry{kind: ofEvent, at: r.at, user: r.user, event: r})
}

// Wrap returns a store that passes every call to live and its answer back, as they are,
// and takes note of what was committed: with no error, or with core.ErrNotDurable.
//
// Of a commit whose outcome is unknown nothing is written until the live store tells:
// by the next Load of that user, or conflict, which core asks for at once. Then its
// sessions are written as they are there, and those that it was to end and that are not
// there have ended; a Forget took place if nothing is kept of the user. No row tells
// what did not happen, and if nobody ever asks, what did is not told.
//
// A Forget removes the user's rows after all that was noted before it. What else is
// committed for the same user while a Forget is under way may be missing. Records of
// the user that wait in another process are written when they come: after an outage of
// the database, Forget again who was forgotten meanwhile.
//
// The store is a core.ManyLoader if live is one. It always is a core.Checker, which adds
// what is unsound about the History, and a core.Sweeper: Sweep asks live, if that is one,
// and has the writer end, with core.ReasonExpired, the sessions in the table that have
// expired, as in a live store that lets them expire without a word. It counts only what
// live removed.
func (h *History) Wrap(live core.Store) core.Store {
	w := wrapped{live, h}
	if many, is := live.(core.ManyLoader); is {
		return &wrappedMany{w, many}
	}
	return &w
}

type wrapped struct {
	live core.Store
	h    *History
}

type wrappedMany struct {
	wrapped
	many core.ManyLoader
}

// flight is how many commits for a user are under way, and how often the user was
// forgotten since the first of them began.
type flight struct {
	n         int
	forgotten int
}

// ticket is what was so when a call began.
type ticket struct {
	forgotten int
	at        uint64
}

// doubt is what a commit did if it took place.
type doubt struct {
	noted  uint64
	at     time.Time
	puts   []core.ID
	ends   []core.Ended
	forget bool
}

func (d *doubt) len() int {
	n := len(d.puts) + len(d.ends)
	if d.forget {
		n++
	}
	return n
}

func (w *wrapped) Load(ctx context.Context, userID string) (core.Ledger, error) {
	if w.h.unsettled.Load() == 0 {
		return w.live.Load(ctx, userID)
	}
	t := w.h.asks()
	l, err := w.live.Load(ctx, userID)
	if err == nil {
		w.h.settle(userID, t, &l)
	}
	return l, err
}

func (w *wrappedMany) LoadMany(ctx context.Context, userIDs []string) (map[string]core.Ledger, error) {
	if w.h.unsettled.Load() == 0 {
		return w.many.LoadMany(ctx, userIDs)
	}
	t := w.h.asks()
	all, err := w.many.LoadMany(ctx, userIDs)
	if err == nil {
		for _, id := range userIDs {
			l := all[id]
			w.h.settle(id, t, &l)
		}
	}
	return all, err
}

func (w *wrapped) Commit(ctx context.Context, userID string, c core.Change) (core.Ledger, error) {
	t := w.h.begins(userID)
	stands, err := w.live.Commit(ctx, userID, c)
	switch {
	case err == nil, errors.Is(err, core.ErrNotDurable):
		w.h.committed(userID, t, &c)
	case errors.Is(err, core.ErrConflict):
		w.h.ends(userID)
		w.h.settle(userID, t.at, &stands)
	default:
		w.h.doubtful(userID, t, &c)
	}
	return stands, err
}

func (w *wrapped) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	return w.live.Tail(ctx, after, wait)
}

func (w *wrapped) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	w.h.mu.Lock()
	if before.After(w.h.sweep) {
		w.h.sweep = before
	}
	signal(w.h.wake)
	w.h.mu.Unlock()
	if live, is := w.live.(core.Sweeper); is {
		return live.Sweep(ctx, before, limit)
	}
	return 0, ctx.Err()
}

func (w *wrapped) Check(ctx context.Context, now time.Time) []core.Finding {
	var out []core.Finding
	if live, is := w.live.(core.Checker); is {
		out = live.Check(ctx, now)
	}
	return append(out, w.h.findings()...)
}

// asks begins a call that may settle doubts which are there now.
func (h *History) asks() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tick()
}

// begins begins a commit.
func (h *History) begins(user string) ticket {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.flights[user]
	f.n++
	h.flights[user] = f
	return ticket{f.forgotten, h.tick()}
}

// ends ends a commit.
func (h *History) ends(user string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.landed(user)
}

// landed ends a commit and returns how often the user was forgotten. h.mu is held.
func (h *History) landed(user string) int {
	f := h.flights[user]
	if f.n--; f.n == 0 {
		delete(h.flights, user)
	} else {
		h.flights[user] = f
	}
	return f.forgotten
}

// committed takes note of a change that took place.
func (h *History) committed(user string, t ticket, c *core.Change) {
	puts := make([]core.Session, len(c.Put))
	for i := range c.Put {
		puts[i] = c.Put[i].Clone()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	forgotten := h.landed(user) != t.forgotten
	switch {
	case c.Forget:
		h.forget(user, c.At)
		return
	case forgotten: // nobody knows which of the two was first
		return
	}
	for i := range puts {
		h.put(user, c.At, &puts[i])
	}
	for _, e := range c.End {
		h.end(user, c.At, e)
	}
}

// doubtful takes note of a change that may have taken place.
func (h *History) doubtful(user string, t ticket, c *core.Change) {
	d := doubt{at: c.At, forget: c.Forget}
	for i := range c.Put {
		d.puts = append(d.puts, c.Put[i].ID)
	}
	d.ends = append(d.ends, c.End...)
	h.mu.Lock()
	defer h.mu.Unlock()
	forgotten := h.landed(user) != t.forgotten
	n := d.len()
	switch {
	case n == 0 || forgotten && !c.Forget:
		return
	case h.closed || int(h.unsettled.Load())+n > h.options.MaxQueued:
		for range d.puts {
			h.lose(&entry{kind: ofSession, at: c.At})
		}
		for range d.ends {
			h.lose(&entry{kind: ofSession, at: c.At})
		}
		if d.forget {
			h.lose(&entry{kind: ofForget, at: c.At})
		}
		return
	}
	d.noted = h.tick()
	h.doubts[user] = append(h.doubts[user], d)
	h.unsettled.Add(int64(n))
}

// settle takes note of what a ledger, asked for at some time, tells of changes that
// may have taken place.
func (h *History) settle(user string, asked uint64, l *core.Ledger) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.doubts[user]
	if len(all) == 0 || all[len(all)-1].noted > asked {
		return
	}
	h.settled(user)
	stands := make(map[core.ID]*core.Session, len(l.Sessions))
	for i := range l.Sessions {
		stands[l.Sessions[i].ID] = &l.Sessions[i]
	}
	for i := range all {
		d := &all[i]
		if d.forget && l.Version.IsZero() {
			h.forget(user, d.at)
		}
		for _, id := range d.puts {
			if s := stands[id]; s != nil {
				s := s.Clone()
				h.put(user, d.at, &s)
			}
		}
		for _, e := range d.ends {
			if stands[e.ID] == nil {
				h.end(user, d.at, e)
			}
		}
	}
}

// settled drops the doubts about a user. h.mu is held.
func (h *History) settled(user string) {
	for i := range h.doubts[user] {
		h.unsettled.Add(-int64(h.doubts[user][i].len()))
	}
	delete(h.doubts, user)
}
