package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// HistoryOptions are the settings of a [History]. The zero value is the recommended one.
type HistoryOptions struct {
	// MaxQueued is how many records may wait for the database. All that happens to one
	// session while it waits is one record, of 1.0 KB for a typical session without
	// claims; an audit event is one, of 0.5 KB. Events leave the last quarter to
	// sessions, and users to be forgotten have a bound of their own, of as many. So have
	// the ids of sessions whose commits had no known outcome. 0: 32,768, 34 MB.
	MaxQueued int
	// Timeout is how long one transaction may take. 0: 5 seconds.
	Timeout time.Duration
	// OnLoss is told what was lost since it was told last, and the error of the last
	// transaction; no error: too much was queued at once. It is called by the writer, one
	// call after the other, which waits for it. nil: slog.Error.
	OnLoss func(HistoryLost, error)
}

// HistoryLost counts records that were not written.
type HistoryLost struct {
	Sessions int // what became of a session, its end included
	Events   int
	Forgets  int // users whose rows are still there
}

func (l HistoryLost) plus(m HistoryLost) HistoryLost {
	return HistoryLost{l.Sessions + m.Sessions, l.Events + m.Events, l.Forgets + m.Forgets}
}

func (l HistoryLost) less(m HistoryLost) HistoryLost {
	return HistoryLost{l.Sessions - m.Sessions, l.Events - m.Events, l.Forgets - m.Forgets}
}

func (l HistoryLost) String() string {
	return fmt.Sprintf("%d of sessions, %d events, %d users to forget", l.Sessions, l.Events, l.Forgets)
}

// HistoryHealth is how a [History] is at a moment.
type HistoryHealth struct {
	Queued int       // records that wait for the database, or are being written
	Oldest time.Time // when the oldest of them came to be, by its own time; zero: none
	// Unsettled is how many sessions were concerned by commits whose outcome the live
	// store has not told yet.
	Unsettled int
	Lost      HistoryLost // since NewHistory
	LastError error       // of the last transaction; nil: it was committed
}

// EventHistoryLost is the name of a row in user_session_events which says that others
// are missing. Its error tells how many, and from when to when; it is written as soon
// as nothing waits any more, and at least once in 10,000 records.
const EventHistoryLost core.EventName = "history_lost"

// History writes what happens in a live store, such as one in Redis, to the tables of a
// database: sessions as they are and how they ended, and audit events. [History.Wrap]
// and [History.Audit] take note in memory and never wait for the database; one goroutine
// writes, in transactions of up to 100 records, in their order, and tries again while the
// database is away. The tables are not those of a [Store] that is in use.
//
// What waits is in memory. It is lost, and nobody counts it, when the process is killed.
// What Close has no time for, or is beyond MaxQueued, counts in [HistoryHealth.Lost];
// the latter is told to OnLoss as well, and in the table as [EventHistoryLost]. A record that the database
// refuses three times alone, while it takes another one like it, is set aside and
// counted as lost.
//
// Several processes may write the history of one live store. A row never goes back to
// an older state, and what has ended stays so; only a session that Sweep found over is
// taken up again if it turns out to have been renewed. The end of a session whose
// beginning never came is a row with little more than its id.
//
// A History is safe for concurrent use.
type History struct {
	*tables
	options HistoryOptions

	ctx     context.Context // of all that the writer asks of the database
	cancel  context.CancelFunc
	wake    chan struct{} // something waits
	loss    chan struct{} // something was lost
	closing chan struct{}
	done    chan struct{}

	unsettled atomic.Int64 // as many as doubts hold

	mu        sync.Mutex
	queue     queue
	size      int                // of the next transaction
	strikes   int                // how often the first record was refused alone
	flights   map[string]flight  // commits under way, by user
	doubts    map[string][]doubt // by user
	clock     uint64             // counts what has to be told apart
	sweep     time.Time          // sessions that expired before it are over; zero: nothing to do
	closed    bool               // nothing is taken any more
	dropped   bool               // nor written
	unwritten error              // what Close returns
	err       error              // of the last transaction
	lost      HistoryLost        // since the beginning
	reported  HistoryLost        // to OnLoss
	gap       gap
}

// gap is what the table does not tell yet.
type gap struct {
	told     HistoryLost // by rows that are written or wait
	from, to time.Time   // of the records that are missing
	batches  int         // since the last row that told
}

// NewHistory returns a History in a database, which stays the app's to close, after
// [History.Close]. It makes no call. The tables are made by [Migrations].
func NewHistory(db *sql.DB, d Dialect, o HistoryOptions) (*History, error) {
	if o.MaxQueued == 0 {
		o.MaxQueued = 32_768
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.OnLoss == nil {
		o.OnLoss = func(lost HistoryLost, err error) {
			slog.Error("sallyport: history lost", "sessions", lost.Sessions, "events", lost.Events, "forgets", lost.Forgets, "error", err)
		}
	}
	var mistakes []error
	if db == nil {
		mistakes = append(mistakes, errors.New("sqlstore: no database"))
	}
	e, known := engines[d]
	if !known {
		mistakes = append(mistakes, fmt.Errorf("sqlstore: Dialect %q: want SQLite, MySQL or PostgreSQL", d))
	}
	if o.MaxQueued < 0 || o.Timeout < time.Millisecond {
		mistakes = append(mistakes, errors.New("sqlstore: want MaxQueued above 0, and Timeout of at least 1 ms"))
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	h := &History{
		tables: newTables(db, e), options: o,
		wake: make(chan struct{}, 1), loss: make(chan struct{}, 1),
		closing: make(chan struct{}), done: make(chan struct{}),
		queue: newQueue(), size: historyBatch,
		flights: make(map[string]flight), doubts: make(map[string][]doubt),
	}
	h.ready.Store(true) // it prepares nothing
	h.ctx, h.cancel = context.WithCancel(context.Background())
	go h.run()
	return h, nil
}

// Close writes what waits until ctx is done, and stops the writer. Its error says how
// many records were not written; they count as lost. Further ones are not taken, and
// count as lost as well.
func (h *History) Close(ctx context.Context) error {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.closing)
	}
	h.mu.Unlock()
	select {
	case <-h.done:
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cancel()
	left := h.queue.drop()
	h.dropped = true
	if n := left.Sessions + left.Events + left.Forgets; n > 0 {
		h.lost = h.lost.plus(left)
		h.unwritten = fmt.Errorf("sqlstore: %d records of history were not written: %w", n, context.Cause(ctx))
		if h.err != nil {
			h.unwritten = fmt.Errorf("%w: %w", h.unwritten, h.err)
		}
	}
	return h.unwritten
}

// Health returns how the History is. It does not ask the database.
func (h *History) Health() HistoryHealth {
	h.mu.Lock()
	defer h.mu.Unlock()
	return HistoryHealth{
		Queued: h.queue.len(), Oldest: h.queue.oldest(), Unsettled: int(h.unsettled.Load()),
		Lost: h.lost, LastError: h.err,
	}
}

// Purge is [Store.Purge].
func (h *History) Purge(ctx context.Context, before time.Time) (int, error) {
	return h.purge(ctx, h.options.Timeout, before)
}

// findings are what is unsound.
func (h *History) findings() []core.Finding {
	var out []core.Finding
	at := h.Health()
	if at.LastError != nil {
		out = append(out, core.Finding{
			Subject: "store",
			Problem: fmt.Sprintf("the history's database fails, and %d records wait: %v", at.Queued, at.LastError),
			Remedy:  "see that it runs, that its tables are up to date, and that this process may write them",
		})
	}
	if at.Lost != (HistoryLost{}) {
		out = append(out, core.Finding{
			Subject: "store",
			Problem: fmt.Sprintf("the history has lost records since the start: %v", at.Lost),
			Remedy:  "see OnLoss for the reason; raise HistoryOptions.MaxQueued if the queue was full; forget users again whose rows stayed",
		})
	}
	return out
}
