package adaptertest

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// book is a store with a feed. Of text it keeps what it is handed, as a store
// may: so it shows what becomes of that.
type book struct {
	mu      sync.Mutex
	of      map[string]core.Ledger
	log     []core.Revocation
	epoch   core.Epoch
	grown   chan struct{}      // closed when the log has grown
	holders map[core.ID]string // whose each session was when it began
	devices map[string]string  // and each device that the server named
}

func newBook() *book {
	return &book{
		of:      make(map[string]core.Ledger),
		grown:   make(chan struct{}),
		holders: make(map[core.ID]string),
		devices: make(map[string]string),
	}
}

func (b *book) Load(ctx context.Context, user string) (core.Ledger, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.of[user].Clone(), ctx.Err()
}

func (b *book) Commit(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
	if err := ctx.Err(); err != nil {
		return core.Ledger{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch l := b.of[user]; l.Version {
	case c.If:
		b.of[user] = c.Apply(l)
	case c.ID:
		return core.Ledger{}, nil
	default:
		return l.Clone(), core.ErrConflict
	}
	for _, s := range c.Put {
		if _, known := b.holders[s.ID]; !known {
			b.holders[s.ID] = strings.Clone(user)
			if _, said := ownerOf(s.Device.ID); !said {
				b.devices[strings.Clone(s.Device.ID)] = b.holders[s.ID]
			}
		}
	}
	if b.epoch.ID.IsZero() {
		b.epoch = core.Epoch{ID: c.ID, Began: c.At}
	}
	if len(c.Publish) > 0 {
		b.log = append(b.log, c.Publish...)
		close(b.grown)
		b.grown = make(chan struct{})
	}
	return core.Ledger{}, nil
}

// Tail reads the log; a cursor says how much of it was read.
func (b *book) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	batch, grown := b.read(after)
	if len(batch.Events) > 0 || batch.Reset || after == "" || wait <= 0 {
		return batch, ctx.Err()
	}
	rest := time.NewTimer(wait)
	defer rest.Stop()
	select {
	case <-grown:
	case <-rest.C:
	case <-ctx.Done():
		return core.Batch{}, ctx.Err()
	}
	batch, _ = b.read(after)
	return batch, nil
}

func (b *book) read(after core.Cursor) (core.Batch, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := strconv.Atoi(string(after))
	reset := after != "" && (err != nil || n < 0 || n > len(b.log))
	if reset {
		n = 0
	}
	events := append([]core.Revocation(nil), b.log[n:]...)
	return core.Batch{Events: events, Next: core.Cursor(strconv.Itoa(len(b.log))), Epoch: b.epoch, Reset: reset}, b.grown
}

// holder returns whose a session is.
func (b *book) holder(session core.ID) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.holders[session]
}

// bearer returns whose a device is that the server named.
func (b *book) bearer(device string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.devices[device]
}

// names are the users of whom something is kept.
func (b *book) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for user := range b.of {
		names = append(names, user)
	}
	return names
}
