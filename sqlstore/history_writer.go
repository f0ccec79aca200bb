package sqlstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

const (
	historyBatch   = 100 // records in one transaction
	historyStrikes = 3   // how often a record is refused alone before it is set aside
	historyTold    = 100 // transactions after which a gap is told though others wait
	shortestPause  = 50 * time.Millisecond
	longestPause   = 2 * time.Second
)

// run writes until the History is closed and nothing waits, or its context is done.
func (h *History) run() {
	defer close(h.done)
	defer h.cancel()
	var pause time.Duration
	for {
		h.tell()
		batch, sweep, closing := h.next()
		switch {
		case h.ctx.Err() != nil:
			return
		case len(batch) > 0:
			if h.store(batch) {
				pause = 0
			} else if pause = min(max(2*pause, shortestPause), longestPause); !h.wait(pause) {
				return
			}
		case closing:
			return
		}
		switch {
		case !sweep.IsZero() && pause == 0:
			h.sweepOnce(sweep)
		case len(batch) == 0:
			select {
			case <-h.wake:
			case <-h.loss:
				signal(h.loss) // for tell
			case <-h.closing:
			case <-h.ctx.Done():
			}
		}
	}
}

// next returns what has to be done: the records of the next transaction, and up to
// when sessions have to be swept, once few records wait.
func (h *History) next() (batch []*entry, sweep time.Time, closing bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := &h.queue
	idle := len(q.taken)+len(q.waiting) == 0
	if h.lost != h.gap.told && len(q.taken) == 0 && (idle || h.gap.batches >= historyTold) {
		q.taken = append(q.taken, h.gapEntry())
	}
	if len(q.waiting) < historyBatch && !h.closed {
		sweep = h.sweep
	}
	return q.take(h.size), sweep, h.closed
}

// gapEntry is the record of what was lost since the last one. h.mu is held.
func (h *History) gapEntry() *entry {
	g := &h.gap
	const layout = time.RFC3339Nano
	r := &eventRow{
		at: g.to.UTC().Truncate(time.Millisecond), name: string(EventHistoryLost),
		error: fmt.Sprintf("not written: %v; from %s to %s", h.lost.less(g.told), g.from.UTC().Format(layout), g.to.UTC().Format(layout)),
	}
	*g = gap{told: h.lost}
	return &entry{kind: ofGap, at: r.at, event: r}
}

// store writes records, and reports whether to go on at once. What the database
// refuses, while it takes records like them, is divided until one is left.
func (h *History) store(batch []*entry) bool {
	for _, e := range batch {
		if e.event != nil && e.event.id.IsZero() {
			rand.Read(e.event.id[:])
		}
	}
	err, late := h.attempt(batch)
	away := late
	if err != nil && !late {
		away = h.probe(batch[0].kind) != nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dropped { // Close has counted it as lost
		return false
	}
	h.err = err
	n := len(batch)
	switch {
	case err == nil:
		h.queue.written(n)
		h.size, h.strikes = min(2*h.size, historyBatch), 0
		h.gap.batches++
		return true
	case h.ctx.Err() != nil:
		return false
	case late:
		h.size = max(n/2, 1)
		return false
	case away:
		return false
	case n > 1:
		h.size = n / 2
		return true
	}
	if h.strikes++; h.strikes < historyStrikes {
		return false
	}
	h.strikes = 0
	h.lose(batch[0])
	h.queue.written(1)
	return true
}

// attempt makes one transaction. late says that its time was up.
func (h *History) attempt(batch []*entry) (err error, late bool) {
	ctx, cancel := context.WithTimeout(h.ctx, h.options.Timeout)
	defer cancel()
	err = h.write(ctx, true, func(tx conn) error { return tx.record(ctx, batch) })
	return err, ctx.Err() != nil
}

var errProbed = errors.New("sqlstore: a probe is rolled back")

// probe reports, by no error, that the database takes records of a kind. It leaves none.
func (h *History) probe(kind entryKind) error {
	ctx, cancel := context.WithTimeout(h.ctx, h.options.Timeout)
	defer cancel()
	const nobody = "sallyport-probe"
	like := &entry{kind: kind, user: nobody, session: core.ID{1}}
	switch like.endedAt = time.Unix(0, 0); kind {
	case ofSession:
		like.row, like.reason = &core.Session{ID: like.session}, core.ReasonRevoked
	case ofEvent, ofGap:
		like.event = &eventRow{at: like.endedAt, id: like.session}
	}
	err := h.write(ctx, true, func(tx conn) error {
		if err := tx.record(ctx, []*entry{like}); err != nil {
			return err
		}
		return errProbed
	})
	if errors.Is(err, errProbed) {
		return nil
	}
	return err
}

// wait waits before the database is asked again. It reports whether to go on.
func (h *History) wait(pause time.Duration) bool {
	closing := h.closing
	select {
	case <-closing: // there is no time to lose
		pause, closing = shortestPause, nil
	default:
	}
	over := time.NewTimer(pause/2 + mrand.N(pause))
	defer over.Stop()
	loss := h.loss
	for {
		select {
		case <-over.C:
			return true
		case <-loss:
			signal(h.loss)
			h.tell()
			loss = nil // once is enough
		case <-closing:
			return true
		case <-h.ctx.Done():
			return false
		}
	}
}

// tell tells OnLoss what was lost since it was told last.
func (h *History) tell() {
	select {
	case <-h.loss:
	default:
		return
	}
	h.mu.Lock()
	lost, err := h.lost.less(h.reported), h.err
	h.reported = h.lost
	h.mu.Unlock()
	if lost != (HistoryLost{}) {
		h.options.OnLoss(lost, err)
	}
}

// sweepOnce ends some sessions that have expired, and notes when there are no more.
func (h *History) sweepOnce(before time.Time) {
	ctx, cancel := context.WithTimeout(h.ctx, h.options.Timeout)
	c, err := h.change(ctx, sessionsOver, before, batch)
	cancel()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
	if (err != nil || c.found < batch) && h.sweep.Equal(before) {
		h.sweep = time.Time{} // after an error Sweep is called again
	}
}
