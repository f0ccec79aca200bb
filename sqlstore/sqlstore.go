package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqlerr"
)

// Options are the settings of a [Store]. The zero value is the recommended one.
type Options struct {
	// Timeout is how long one call on the database may take, retries included and
	// whatever the driver's own settings. 0: 1 second.
	Timeout time.Duration
	// PollInterval is how often a Tail that waits looks for what other processes
	// have published: how long a revocation takes to reach them. 0: 100 ms.
	PollInterval time.Duration
}

// Store is a [core.Store] in a database. It is safe for concurrent use.
type Store struct {
	*tables
	options Options
	begun   atomic.Bool // that the feed has its buckets

	publishing sync.Mutex
	publish    chan struct{} // closed when something is published here
}

var (
	_ core.Store      = (*Store)(nil)
	_ core.Sweeper    = (*Store)(nil)
	_ core.ManyLoader = (*Store)(nil)
	_ core.Checker    = (*Store)(nil)
)

// New returns a store on a database, which stays the app's to close. It makes no
// call. The tables are made by [Migrations].
func New(db *sql.DB, d Dialect, o Options) (*Store, error) {
	if o.Timeout == 0 {
		o.Timeout = time.Second
	}
	if o.PollInterval == 0 {
		o.PollInterval = 100 * time.Millisecond
	}
	var mistakes []error
	if db == nil {
		mistakes = append(mistakes, errors.New("sqlstore: no database"))
	}
	e, known := engines[d]
	if !known {
		mistakes = append(mistakes, fmt.Errorf("sqlstore: Dialect %q: want SQLite, MySQL or PostgreSQL", d))
	}
	if o.Timeout < time.Millisecond || o.PollInterval < time.Millisecond {
		mistakes = append(mistakes, errors.New("sqlstore: Timeout and PollInterval: want at least 1 ms"))
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	return &Store{tables: newTables(db, e), options: o, publish: make(chan struct{})}, nil
}

// call makes one call on the database and returns when it has answered, when ctx is
// done or when its time is up: a driver may overstay.
func call[T any](ctx context.Context, patience time.Duration, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	type reply struct {
		value T
		err   error
	}
	replies := make(chan reply, 1)
	go func() {
		var r reply
		r.value, r.err = f(ctx)
		replies <- r
	}()
	var none T
	select {
	case r := <-replies:
		if sqlerr.NoTable(r.err) {
			r.err = fmt.Errorf("sqlstore: %w: are the migrations applied?", r.err)
		}
		if r.err != nil {
			return none, r.err
		}
		return r.value, nil
	case <-ctx.Done():
		return none, fmt.Errorf("sqlstore: %w", context.Cause(ctx))
	}
}

// ask is call for what may be tried again when others were at work.
func ask[T any](ctx context.Context, t *tables, patience time.Duration, f func(context.Context) (T, error)) (T, error) {
	helps := func(err error) bool { return errors.Is(err, errMoved) || t.engine.busy(err) }
	return call(ctx, patience, func(ctx context.Context) (v T, err error) {
		err = patiently(ctx, helps, func() error { v, err = f(ctx); return err })
		return v, err
	})
}
