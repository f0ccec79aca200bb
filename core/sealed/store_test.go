package sealed_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/sealed"
	"github.com/sallyport-go/sallyport/core/storetest"
	"github.com/sallyport-go/sallyport/memstore"
)

func TestStore(t *testing.T) {
	s := newSealer(t, newKey("a"), newKey("b"))
	storetest.Run(t, func(testing.TB) core.Store { return s.Store(memstore.New()) })
}

// Twice is no less a store, and so is one with the basic methods alone.
func TestStores(t *testing.T) {
	s, outer := newSealer(t, newKey("a")), newSealer(t, newKey("a"))
	t.Run("twice", func(t *testing.T) {
		storetest.Run(t, func(testing.TB) core.Store { return outer.Store(s.Store(memstore.New())) })
	})
	t.Run("basic", func(t *testing.T) {
		storetest.Run(t, func(testing.TB) core.Store { return s.Store(struct{ core.Store }{memstore.New()}) })
	})
}

// loadStore loads, and wants no error.
func loadStore(t *testing.T, s core.Store, user string) core.Ledger {
	t.Helper()
	l, err := s.Load(t.Context(), user)
	if err != nil {
		t.Fatalf("Load(%s): got error %v, want none", user, err)
	}
	return l
}

func commit(t *testing.T, s core.Store, user string, c core.Change) {
	t.Helper()
	if _, err := s.Commit(t.Context(), user, c); err != nil {
		t.Fatalf("Commit(%s): got error %v, want none", user, err)
	}
}

// A wrapper has the optional interfaces of what it wraps, and no other.
func TestOptionalInterfaces(t *testing.T) {
	type (
		S = core.Sweeper
		M = core.ManyLoader
		C = core.Checker
		B = core.Store
	)
	m, c, b := memstore.New(), finder{}, struct{ core.Store }{memstore.New()}
	sealer := newSealer(t, newKey("a"))
	for name, store := range map[string]core.Store{
		"...": b,
		"S..": struct {
			B
			S
		}{b, m},
		".M.": struct {
			B
			M
		}{b, m},
		"..C": struct {
			B
			C
		}{b, c},
		"SM.": struct {
			B
			S
			M
		}{b, m, m},
		"S.C": struct {
			B
			S
			C
		}{b, m, c},
		".MC": struct {
			B
			M
			C
		}{b, m, c},
		"SMC": struct {
			B
			S
			M
			C
		}{b, m, m, c},
	} {
		wrapped := sealer.Store(store)
		got := []byte("...")
		if s, ok := wrapped.(core.Sweeper); ok {
			got[0] = 'S'
			if _, err := s.Sweep(t.Context(), time.Now(), 1); err != nil {
				t.Errorf("%s: Sweep: %v", name, err)
			}
		}
		if s, ok := wrapped.(core.ManyLoader); ok {
			got[1] = 'M'
			if _, err := s.LoadMany(t.Context(), []string{"alice"}); err != nil {
				t.Errorf("%s: LoadMany: %v", name, err)
			}
		}
		if s, ok := wrapped.(core.Checker); ok {
			got[2] = 'C'
			if f := s.Check(t.Context(), time.Now()); len(f) != 1 || f[0].Subject != "found" {
				t.Errorf("%s: Check: got %v, want the finding of the store", name, f)
			}
		}
		if string(got) != name {
			t.Errorf("over %s: got %s", name, got)
		}
		for i := range reflect.TypeOf(wrapped).NumMethod() {
			method := reflect.TypeOf(wrapped).Method(i).Name
			if !slices.Contains([]string{"Load", "Commit", "Tail", "Sweep", "LoadMany", "Check"}, method) {
				t.Errorf("over %s: it has a method %s", name, method)
			}
		}
	}
	if sealer.Store(nil) != nil {
		t.Error("Store(nil): got a store, want nil")
	}
}

type finder struct{}

func (finder) Check(context.Context, time.Time) []core.Finding {
	return []core.Finding{{Subject: "found"}}
}

// The interfaces that a store may have are those that the wrapper passes on.
func TestEveryInterfaceIsPassedOn(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../store.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if _, ok := spec.Type.(*ast.InterfaceType); ok {
				got = append(got, spec.Name.Name)
			}
		}
		return true
	})
	if want := []string{"Store", "Sweeper", "ManyLoader", "Checker"}; !slices.Equal(got, want) {
		t.Errorf("core/store.go declares %q, the wrapper passes on %q", got, want)
	}
}

// replying answers every call with what it is told.
type replying struct {
	core.Store
	ledger core.Ledger
	err    error
}

func (r replying) Load(context.Context, string) (core.Ledger, error) { return r.ledger.Clone(), r.err }

func (r replying) Commit(context.Context, string, core.Change) (core.Ledger, error) {
	return r.ledger.Clone(), r.err
}

func (r replying) LoadMany(context.Context, []string) (map[string]core.Ledger, error) {
	return map[string]core.Ledger{"alice": r.ledger.Clone()}, r.err
}

func (r replying) Tail(context.Context, core.Cursor, time.Duration) (core.Batch, error) {
	return core.Batch{Reset: true}, r.err
}

// Errors of the store are the wrapper's, the very same.
func TestErrors(t *testing.T) {
	sealer := newSealer(t, newKey("a"))
	broken := errors.New("broken")
	for _, err := range []error{
		broken, context.Canceled, core.ErrNotDurable, fmt.Errorf("two of three: %w", core.ErrNotDurable),
		core.ErrConflict, fmt.Errorf("server 7: %w", core.ErrConflict),
	} {
		stands := core.Ledger{Version: core.ID{1}, Sessions: []core.Session{{IP: seal(sealer, "alice", sealed.IP, "192.0.2.7")}}}
		s := sealer.Store(replying{ledger: stands, err: err})
		l, got := s.Commit(t.Context(), "alice", core.Change{})
		if got != err {
			t.Errorf("Commit: got error %v, want %v", got, err)
		}
		if conflict := errors.Is(err, core.ErrConflict); conflict != (len(l.Sessions) == 1) || conflict && l.Sessions[0].IP != "192.0.2.7" {
			t.Errorf("Commit with error %v: got %+v", err, l)
		}
		if _, got := s.Load(t.Context(), "alice"); got != err {
			t.Errorf("Load: got error %v, want %v", got, err)
		}
		if _, got := s.(core.ManyLoader).LoadMany(t.Context(), nil); got != err {
			t.Errorf("LoadMany: got error %v, want %v", got, err)
		}
		if b, got := s.Tail(t.Context(), "", 0); got != err || !b.Reset {
			t.Errorf("Tail: got %v, error %v, want %v", b, got, err)
		}
	}
}

// What does not open is ErrSealed from every call that would hand it out, and no
// other error with it: not ErrConflict, on which there is a ledger to go on from.
func TestDoesNotOpen(t *testing.T) {
	sealer, other := newSealer(t, newKey("a")), newSealer(t, newKey("lost"))
	value := seal(other, "alice", sealed.IP, "192.0.2.7")
	stands := core.Ledger{Version: core.ID{1}, Pending: []core.Pending{{Session: core.Session{IP: value}}}}
	check := func(call string, err error) {
		t.Helper()
		if !errors.Is(err, sealed.ErrSealed) || errors.Is(err, core.ErrConflict) || !strings.Contains(fmt.Sprint(err), `ip, key "lost"`) {
			t.Errorf("%s: got error %v, want ErrSealed that names the key", call, err)
		}
	}
	s := sealer.Store(replying{ledger: stands})
	l, err := s.Load(t.Context(), "alice")
	check("Load", err)
	many, err := s.(core.ManyLoader).LoadMany(t.Context(), nil)
	check("LoadMany", err)
	conflict, err := sealer.Store(replying{ledger: stands, err: core.ErrConflict}).Commit(t.Context(), "alice", core.Change{})
	check("Commit", err)
	if !reflect.ValueOf(l).IsZero() || !reflect.ValueOf(conflict).IsZero() || many != nil {
		t.Errorf("got ledgers %+v, %+v, %+v with the errors", l, conflict, many)
	}
}

// Values that are there from before come back as they are, and are sealed when
// their record is next written.
func TestPlainFromBefore(t *testing.T) {
	inner := memstore.New()
	store := newSealer(t, newKey("a")).Store(inner)
	first := filled()
	commit(t, inner, "alice", first)
	if diff := cmp.Diff(first.Apply(core.Ledger{}), loadStore(t, store, "alice")); diff != "" {
		t.Errorf("plain values (-want +got):\n%s", diff)
	}
	second := core.Change{ID: core.ID{2}, If: first.ID, At: first.At, KeepUntil: first.KeepUntil, Put: first.Put[:1]}
	commit(t, store, "alice", second)
	held := loadStore(t, inner, "alice")
	if sealedTexts(held.Sessions) == 0 || sealedTexts(held.Devices) != 0 {
		t.Errorf("got %d texts of sessions and %d of devices sealed, want those of the session that was written",
			sealedTexts(held.Sessions), sealedTexts(held.Devices))
	}
	if diff := cmp.Diff(second.Apply(first.Apply(core.Ledger{})), loadStore(t, store, "alice"), unordered); diff != "" {
		t.Errorf("half of it sealed (-want +got):\n%s", diff)
	}
}

// A timeline: a key is added, begins to seal, and the old one goes when nothing is
// sealed with it.
func TestRotation(t *testing.T) {
	inner, old, fresh := memstore.New(), newKey("old"), newKey("new")
	with := func(keys ...sealed.Key) core.Store { return newSealer(t, keys...).Store(inner) }
	first := filled()
	want := first.Apply(core.Ledger{})
	reads := func(when string, s core.Store) {
		t.Helper()
		if diff := cmp.Diff(want, loadStore(t, s, "alice"), unordered); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	refuses := func(when string, s core.Store, key string) {
		t.Helper()
		if _, err := s.Load(t.Context(), "alice"); !errors.Is(err, sealed.ErrSealed) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: got error %v, want ErrSealed that names key %s", when, err, key)
		}
	}
	holds := func(when string, ofOld, ofNew int) {
		t.Helper()
		text := fmt.Sprintf("%q", fmt.Sprint(loadStore(t, inner, "alice")))
		if o, n := strings.Count(text, `sealed\t1:old:`), strings.Count(text, `sealed\t1:new:`); o != ofOld || n != ofNew {
			t.Errorf("%s: %d values of the old key and %d of the new, want %d and %d", when, o, n, ofOld, ofNew)
		}
	}
	commit(t, with(old), "alice", first)
	all := sealedTexts(first) // none yet: what was handed in stays
	if all != 0 {
		t.Fatalf("%d texts of the caller's are sealed", all)
	}
	all = sealedTexts(loadStore(t, inner, "alice"))
	holds("with the old key", all, 0)
	reads("with the new one known", with(old, fresh))
	reads("with the new one first", with(fresh, old))
	refuses("too early", with(fresh), `key "old"`)

	next := core.Change{ID: core.ID{2}, If: first.ID, At: first.At, KeepUntil: first.KeepUntil, Put: first.Put[:1]}
	commit(t, with(fresh, old), "alice", next)
	want = next.Apply(want)
	holds("one session written anew", all-8, 8)
	reads("of both keys", with(fresh, old))
	reads("of both, in the other order", with(old, fresh))
	refuses("too early", with(fresh), `key "old"`)
	refuses("back too early", with(old), `key "new"`)

	last := filled()
	last.ID, last.If = core.ID{3}, next.ID
	last.End = []core.Ended{{ID: first.Put[0].ID}, {ID: first.Put[1].ID}}
	commit(t, with(fresh, old), "alice", last)
	want = last.Apply(want)
	holds("all written anew", 0, all)
	reads("with the old one gone", with(fresh))
}

// One Sealer serves any number of stores and goroutines.
func TestConcurrent(t *testing.T) {
	sealer := newSealer(t, newKey("a"), newKey("b"))
	stores := []core.Store{sealer.Store(memstore.New()), sealer.Store(memstore.New())}
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			<-begin
			store, user := stores[g%2], fmt.Sprint("user-", g/4)
			for i := range 50 {
				address := fmt.Sprintf("192.0.2.%d", g)
				e := sealer.Event(core.Event{UserID: user, IP: address})
				if got, err := sealer.Open(user, sealed.IP, e.IP); got != address || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
				l, err := store.Load(t.Context(), user)
				if err != nil {
					t.Error(err)
				}
				c := core.Change{ID: core.ID{byte(g + 1), byte(i + 1)}, If: l.Version, Put: []core.Session{{ID: core.ID{byte(g)}, IP: address}}}
				for l, err = store.Commit(t.Context(), user, c); errors.Is(err, core.ErrConflict); l, err = store.Commit(t.Context(), user, c) {
					c.If = l.Version
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	close(begin)
	wg.Wait()
	for g := range 16 {
		l := loadStore(t, stores[g%2], fmt.Sprint("user-", g/4))
		i := slices.IndexFunc(l.Sessions, func(s core.Session) bool { return s.ID == core.ID{byte(g)} })
		if i < 0 || l.Sessions[i].IP != fmt.Sprintf("192.0.2.%d", g) {
			t.Errorf("goroutine %d: got %+v", g, l.Sessions)
		}
	}
}
