package core_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// wire is a link whose calls a test can look at, hold up and break one by one. The
// user of a tail is "".
type wire struct {
	*link
	on atomic.Pointer[tapping]
}

type tapping func(call, user string, do func() error) error

func (f *fragile) wire() *wire { return &wire{link: f.link()} }

func (w *wire) set(on tapping) { w.on.Store(&on) }

// fails has those calls fail that are picked.
func (w *wire) fails(picked func(call, user string) bool) {
	w.set(func(call, user string, do func() error) error {
		if picked(call, user) {
			return errBroken
		}
		return do()
	})
}

func (w *wire) run(call, user string, do func() error) error {
	if on := w.on.Load(); on != nil && *on != nil {
		return (*on)(call, user, do)
	}
	return do()
}

func (w *wire) Load(ctx context.Context, user string) (l core.Ledger, err error) {
	err = w.run("load", user, func() (err error) { l, err = w.link.Load(ctx, user); return err })
	return l, err
}

func (w *wire) Commit(ctx context.Context, user string, c core.Change) (l core.Ledger, err error) {
	err = w.run("commit", user, func() (err error) { l, err = w.link.Commit(ctx, user, c); return err })
	return l, err
}

func (w *wire) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (b core.Batch, err error) {
	err = w.run("tail", "", func() (err error) { b, err = w.link.Tail(ctx, after, wait); return err })
	return b, err
}
