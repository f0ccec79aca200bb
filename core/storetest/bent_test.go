package storetest_test

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// bent is a store that is right but for the methods that are replaced. What
// replaces one calls the right one through store.
type bent struct {
	store  *memstore.Store
	load   func(ctx context.Context, user string) (core.Ledger, error)
	commit func(ctx context.Context, user string, c core.Change) (core.Ledger, error)
	tail   func(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error)
	sweep  func(ctx context.Context, before time.Time, limit int) (int, error)
	many   func(ctx context.Context, users []string) (map[string]core.Ledger, error)

	mu    sync.Mutex
	users map[string]bool // that were ever committed to
}

// bend returns a store that is broken in one way.
func bend(how func(b *bent)) core.Store {
	s := memstore.New()
	b := &bent{
		store: s, load: s.Load, commit: s.Commit, tail: s.Tail, sweep: s.Sweep, many: s.LoadMany,
		users: map[string]bool{},
	}
	how(b)
	return b
}

func (b *bent) Load(ctx context.Context, user string) (core.Ledger, error) { return b.load(ctx, user) }

func (b *bent) Commit(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
	b.mu.Lock()
	b.users[user] = true
	b.mu.Unlock()
	return b.commit(ctx, user, c)
}

func (b *bent) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	return b.tail(ctx, after, wait)
}

func (b *bent) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	return b.sweep(ctx, before, limit)
}

func (b *bent) LoadMany(ctx context.Context, users []string) (map[string]core.Ledger, error) {
	return b.many(ctx, users)
}

// changing edits every change before it is committed, and is told what stands.
func (b *bent) changing(edit func(stands core.Ledger, c *core.Change)) {
	b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
		stands, _ := b.store.Load(context.Background(), user)
		edit(stands, &c)
		return b.store.Commit(ctx, user, c)
	}
}

// publishing edits what is published.
func (b *bent) publishing(edit func(list []core.Revocation) []core.Revocation) {
	b.changing(func(stands core.Ledger, c *core.Change) {
		if c.If == stands.Version { // not for a change that is sent again
			c.Publish = edit(append([]core.Revocation(nil), c.Publish...))
		}
	})
}

// publish appends revocations to the feed beside any commit.
func (b *bent) publish(list ...core.Revocation) {
	user := "other-" + core.ID{1}.String()
	stands, _ := b.store.Load(context.Background(), user)
	id := stands.Version
	id[0]++
	b.store.Commit(context.Background(), user, core.Change{ID: id, If: stands.Version, Publish: list})
}

// handingOut edits every ledger that is handed out, and of nothing else.
func (b *bent) handingOut(edit func(user string, l *core.Ledger)) {
	b.load = func(ctx context.Context, user string) (core.Ledger, error) {
		l, err := b.store.Load(ctx, user)
		edit(user, &l)
		return l, err
	}
	b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
		l, err := b.store.Commit(ctx, user, c)
		edit(user, &l)
		return l, err
	}
	b.many = func(ctx context.Context, users []string) (map[string]core.Ledger, error) {
		ledgers, err := b.store.LoadMany(ctx, users)
		for user, l := range ledgers {
			edit(user, &l)
			ledgers[user] = l
		}
		return ledgers, err
	}
}

// reading edits every batch that is read.
func (b *bent) reading(edit func(after core.Cursor, batch *core.Batch)) {
	b.tail = func(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
		batch, err := b.store.Tail(ctx, after, wait)
		if err == nil {
			edit(after, &batch)
		}
		return batch, err
	}
}

// naming makes one user of all those whose ids have the same key.
func (b *bent) naming(key func(string) string) {
	b.load = func(ctx context.Context, user string) (core.Ledger, error) { return b.store.Load(ctx, key(user)) }
	b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
		return b.store.Commit(ctx, key(user), c)
	}
}

// everyTime edits all times that are reached from a pointer.
func everyTime(v reflect.Value, edit func(time.Time) time.Time) {
	switch v.Kind() {
	case reflect.Pointer:
		everyTime(v.Elem(), edit)
	case reflect.Slice:
		for i := range v.Len() {
			everyTime(v.Index(i), edit)
		}
	case reflect.Struct:
		if t, is := v.Interface().(time.Time); is {
			v.Set(reflect.ValueOf(edit(t)))
			return
		}
		for i := range v.NumField() {
			everyTime(v.Field(i), edit)
		}
	}
}
