package geoip

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"time"
)

// Follow looks at the files every so often, and does a [Resolver.Reload] when one is
// another than the one in use, or has another size or modification time: whether it was
// replaced by a rename, which is best, or written to. One that is away, cut off or still
// being written is tried again the next time. A look costs one stat a file. 0 for every:
// one minute.
//
// It returns when ctx ends, with its error, or after [Resolver.Close], with [ErrClosed];
// so it wants a goroutine, and leaves none behind.
func (r *Resolver) Follow(ctx context.Context, every time.Duration) error {
	if every <= 0 {
		every = time.Minute
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.closed:
			return ErrClosed
		case <-ticker.C:
		}
		if !r.changed() {
			continue
		}
		if err := r.Reload(); !errors.Is(err, ErrClosed) {
			r.tell(err)
		}
	}
}

// changed reports whether a file is not what is in use.
func (r *Resolver) changed() bool {
	databases := r.databases.Load()
	return databases != nil && slices.ContainsFunc(*databases, func(d *database) bool {
		info, err := os.Stat(d.file)
		return err != nil || !same(d.info, info)
	})
}

// tell says what became of a reload.
func (r *Resolver) tell(err error) {
	switch {
	case r.options.OnReload != nil:
		r.options.OnReload(err)
	case err != nil:
		slog.Warn("geoip: the old databases stay in use", "error", err)
	default:
		slog.Info("geoip: the databases were read again", "files", r.files)
	}
}
