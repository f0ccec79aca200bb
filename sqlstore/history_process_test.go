package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/sqlstore"
)

// records has a History of its own, as of one more process, note a change that its live
// store took.
func records(t *testing.T, s *site, user string, at int, c core.Change) {
	t.Helper()
	h := newHistory(t, s, sqlstore.HistoryOptions{})
	then(t, h.Wrap(memstore.New()), user, at, c)
	closed(t, h)
}

// Processes write what they did whenever they come to it. In whatever order the rows of
// one session arrive, the table says the same in the end.
func TestHistoryProcesses(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		s := newSite(t, engine)
		first := signedIn(0)
		second := refreshed(first, 10)
		third := second.Clone()
		third.LastSeenAt = after(20)
		changes := []core.Change{
			{Put: []core.Session{first}},
			{Put: []core.Session{second}},
			{Put: []core.Session{third}},
			{End: []core.Ended{{ID: first.ID, Reason: core.ReasonSignedOut}}},
		}
		for i, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}, {0, 3, 2, 1}} {
			user := "user-" + string(rune('a'+i))
			for _, n := range order {
				records(t, s, user, 30, changes[n])
			}
			told(t, user, s.rows(t)[user][first.ID], third, after(30), core.ReasonSignedOut)
		}
		late := first.Clone() // a later serial is newer, whatever the clocks said
		late.LastSeenAt, late.IP = after(20), "192.0.2.9"
		records(t, s, "clocks", 30, core.Change{Put: []core.Session{late}})
		records(t, s, "clocks", 30, core.Change{Put: []core.Session{second}})
		told(t, "clocks", s.rows(t)["clocks"][first.ID], second, time.Time{}, "")
		records(t, s, "again", 40, core.Change{End: []core.Ended{{ID: first.ID, Reason: core.ReasonReuse}}})
		records(t, s, "again", 50, core.Change{End: []core.Ended{{ID: first.ID, Reason: core.ReasonRevoked}}})
		told(t, "ended twice", s.rows(t)["again"][first.ID], core.Session{ID: first.ID}, after(40), core.ReasonReuse)
	})
}

// A live store that lets sessions expire says nothing about it: Sweep of the wrapper has
// their rows ended, and what was renewed, or ended otherwise, is put right when that
// becomes known.
func TestHistorySweep(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		s := newSite(t, engine)
		h := newHistory(t, s, sqlstore.HistoryOptions{})
		store := h.Wrap(silent{memstore.New()})
		one, two, three, four := signedIn(0), signedIn(0), signedIn(0), signedIn(5000)
		then(t, store, "alice", 0, core.Change{Put: []core.Session{one, two, three, four}})
		for range 120 { // more than one transaction sweeps
			then(t, store, "bob", 0, core.Change{Put: []core.Session{signedIn(0)}})
		}
		until(t, h, "written", isWritten)
		n, err := store.(core.Sweeper).Sweep(t.Context(), after(3601), 10)
		if n != 0 || err != nil {
			t.Errorf("got %d, %v of a live store that is no Sweeper", n, err)
		}
		over := func(id core.ID) bool { return !s.rows(t)["alice"][id].EndedAt.IsZero() }
		all := func() bool {
			for _, r := range s.rows(t)["bob"] {
				if r.Reason != core.ReasonExpired {
					return false
				}
			}
			return over(one.ID)
		}
		eventually(t, "swept", all)
		told(t, "expired", s.rows(t)["alice"][one.ID], one, one.ExpiresAt, core.ReasonExpired)
		told(t, "not yet over", s.rows(t)["alice"][four.ID], four, time.Time{}, "")
		renewed := refreshed(two, 3000)
		then(t, store, "alice", 3000, core.Change{
			Put: []core.Session{renewed}, End: []core.Ended{{ID: three.ID, Reason: core.ReasonSignedOut}},
		})
		older := one.Clone()
		older.IP = "192.0.2.9"
		then(t, store, "alice", 3000, core.Change{Put: []core.Session{older}}) // as old, and as long
		closed(t, h)
		rows := s.rows(t)["alice"]
		told(t, "renewed", rows[two.ID], renewed, time.Time{}, "")
		told(t, "signed out", rows[three.ID], three, after(3000), core.ReasonSignedOut)
		told(t, "as old", rows[one.ID], older, one.ExpiresAt, core.ReasonExpired)

		if n, err := h.Purge(t.Context(), after(3601)); n != 122 || err != nil {
			t.Errorf("purged %d, %v, want 122", n, err)
		}
		if rows := s.rows(t); len(rows["alice"]) != 2 || rows["bob"] != nil {
			t.Errorf("after the purge got %v", rows)
		}
	})
}

// silent is a store with nothing but what it has to have.
type silent struct{ core.Store }

// unsure is a store whose commits fail, after they have taken place or before.
type unsure struct {
	*memstore.Store
	first bool // it takes place
	err   error
}

func (u *unsure) Commit(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
	if u.err == nil {
		return u.Store.Commit(ctx, user, c)
	}
	if u.first {
		u.Store.Commit(ctx, user, c)
	}
	return core.Ledger{}, u.err
}

// What a commit did whose outcome is unknown is told when the live store tells it, and
// never if it did not take place.
func TestHistoryUnknownOutcome(t *testing.T) {
	lost := errors.New("the reply was lost")
	for _, took := range []bool{true, false} {
		s := newSite(t, "sqlite")
		h := newHistory(t, s, sqlstore.HistoryOptions{})
		live := &unsure{Store: memstore.New(), first: took}
		store := h.Wrap(live)
		one, two, gone := signedIn(0), signedIn(0), signedIn(0)
		then(t, store, "alice", 0, core.Change{Put: []core.Session{one}})
		then(t, store, "bob", 0, core.Change{Put: []core.Session{gone}})
		fails := func(user string, at int, c core.Change) {
			t.Helper()
			l, _ := store.Load(t.Context(), user)
			c.ID, c.If, c.At = newID(), l.Version, after(at)
			if _, err := store.Commit(t.Context(), user, c); err != lost {
				t.Fatalf("got %v, want the error of the live store", err)
			}
		}
		live.err = lost
		fails("alice", 1, core.Change{Put: []core.Session{two}, End: []core.Ended{{ID: one.ID, Reason: core.ReasonEvicted}}})
		fails("bob", 1, core.Change{Forget: true})
		if got := h.Health().Unsettled; got != 3 {
			t.Errorf("got %d unsettled, want 3", got)
		}
		live.err = nil
		until(t, h, "written", isWritten)
		if rows := s.rows(t); len(rows["alice"]) != 1 || len(rows["bob"]) != 1 {
			t.Errorf("before it is known got %v", rows)
		}
		store.Load(t.Context(), "alice")
		store.(core.ManyLoader).LoadMany(t.Context(), []string{"bob"})
		if got := h.Health().Unsettled; got != 0 {
			t.Errorf("got %d unsettled", got)
		}
		closed(t, h)
		rows := s.rows(t)
		if !took {
			told(t, "goes on", rows["alice"][one.ID], one, time.Time{}, "")
			if len(rows["alice"]) != 1 || len(rows["bob"]) != 1 {
				t.Errorf("of what did not take place got %v", rows)
			}
			continue
		}
		told(t, "evicted", rows["alice"][one.ID], one, after(1), core.ReasonEvicted)
		told(t, "began", rows["alice"][two.ID], two, time.Time{}, "")
		if rows["bob"] != nil {
			t.Errorf("forgotten, got %v", rows["bob"])
		}
	}
}

// NotDurable says that the change took place, and a conflict that it did not.
func TestHistoryOutcomes(t *testing.T) {
	s := newSite(t, "sqlite")
	h := newHistory(t, s, sqlstore.HistoryOptions{})
	for user, err := range map[string]error{"alice": core.ErrNotDurable, "bob": core.ErrConflict} {
		store := h.Wrap(&unsure{Store: memstore.New(), err: err})
		if _, got := store.Commit(t.Context(), user, core.Change{ID: newID(), At: began, Put: []core.Session{signedIn(0)}}); got != err {
			t.Errorf("got %v, want %v", got, err)
		}
	}
	closed(t, h)
	if rows := s.rows(t); len(rows["alice"]) != 1 || len(rows) != 1 {
		t.Errorf("got %v", rows)
	}
}

// checking is a store that finds something.
type checking struct{ silent }

func (checking) Check(context.Context, time.Time) []core.Finding {
	return []core.Finding{{Subject: "store", Problem: "it is old"}}
}

func TestHistoryWrapped(t *testing.T) {
	s := newSite(t, "sqlite")
	h := newHistory(t, s, sqlstore.HistoryOptions{MaxQueued: 1, OnLoss: func(sqlstore.HistoryLost, error) {}})
	if _, is := h.Wrap(silent{memstore.New()}).(core.ManyLoader); is {
		t.Error("it loads many, and the live store does not")
	}
	live := memstore.New()
	store := h.Wrap(live)
	old := signedIn(-9000)
	old.ExpiresAt = after(-1)
	l, err := live.Commit(t.Context(), "alice", core.Change{ID: newID(), At: after(-9000), KeepUntil: after(-1), Put: []core.Session{old}})
	if err != nil {
		t.Fatal(l, err)
	}
	many, err := store.(core.ManyLoader).LoadMany(t.Context(), []string{"alice"})
	if err != nil || len(many["alice"].Sessions) != 1 {
		t.Errorf("got %v, %v", many, err)
	}
	if n, err := store.(core.Sweeper).Sweep(t.Context(), after(0), 10); n == 0 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	check := func(s core.Store) (found string) {
		for _, f := range s.(core.Checker).Check(t.Context(), began) {
			found += f.Problem + "\n"
		}
		return found
	}
	until(t, h, "written", isWritten)
	if got := check(store); got != "" {
		t.Errorf("found %q", got)
	}
	s.away(t)
	for range 3 {
		then(t, store, "bob", 0, core.Change{Put: []core.Session{signedIn(0)}})
	}
	until(t, h, "away", isAway)
	got := check(h.Wrap(checking{silent{live}}))
	if !strings.HasPrefix(got, "it is old\nthe history's database fails, and 1 records wait") || !strings.Contains(got, "lost records since the start: 2 of sessions") {
		t.Errorf("found %q", got)
	}
	s.back(t)
}

// A database that takes its time slows nobody down: what is committed meanwhile is
// answered while the writer waits for a lock.
func TestHistoryWaitsAlone(t *testing.T) {
	s := newSite(t, "postgres")
	h := newHistory(t, s, sqlstore.HistoryOptions{})
	store := h.Wrap(memstore.New())
	tx, err := s.direct.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE user_sessions IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		then(t, store, fmt.Sprint("user-", i), i, core.Change{Put: []core.Session{signedIn(i)}})
	}
	if got := h.Health().Queued; got != 1000 {
		t.Errorf("got %d waiting, want 1000", got)
	}
	tx.Rollback()
	closed(t, h)
	if got := len(s.rows(t)); got != 1000 {
		t.Errorf("got %d rows", got)
	}
}

// Nothing is left running by what is closed, whether or not it came to an end.
func TestHistoryLeavesNothing(t *testing.T) {
	s := newSite(t, "sqlite")
	before := runtime.NumGoroutine()
	for range 20 {
		h := newHistory(t, s, sqlstore.HistoryOptions{})
		h.Audit(nil)(t.Context(), core.Event{Time: began, Name: core.EventSignedIn})
		closed(t, h)
	}
	eventually(t, "as few goroutines as before", func() bool { return runtime.NumGoroutine() <= before })
	if n := len(s.events(t)["signed_in"]); n != 20 {
		t.Errorf("got %d events", n)
	}
}

func TestHistoryOfAnAuth(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		s := newSite(t, engine)
		h := newHistory(t, s, sqlstore.HistoryOptions{})
		auth, err := core.New(core.Config{
			Store: h.Wrap(memstore.New()), Keys: []core.Key{{Secret: []byte(newID().String() + newID().String())}}, Audit: h.Audit(nil),
		})
		if err != nil {
			t.Fatal(err)
		}
		signIn := func(user string) *core.Pair {
			t.Helper()
			p, err := auth.SignIn(t.Context(), core.SignInRequest{
				Identity: core.Identity{UserID: user},
				Client:   core.Client{IP: "192.0.2.7", UserAgent: "a browser \xff\x00of sorts"},
			})
			if err != nil {
				t.Fatal(err)
			}
			return &p
		}
		stays, goes := signIn("alice"), signIn("alice")
		signIn("mallory")
		fresh, err := auth.Refresh(t.Context(), core.RefreshRequest{Token: stays.RefreshToken})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := auth.SignOut(t.Context(), goes.RefreshToken); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if err := auth.Forget(t.Context(), "mallory"); err != nil {
			t.Fatal(err)
		}
		if found := auth.Check(t.Context()); len(found) > 0 && found[0].Subject == "store" {
			t.Errorf("found %v", found)
		}
		auth.Close()
		closed(t, h)
		rows := s.rows(t)
		if len(rows) != 1 || len(rows["alice"]) != 2 {
			t.Fatalf("got %v", rows)
		}
		if r := rows["alice"][fresh.Session.ID]; r.Session.Serial != 2 || !r.EndedAt.IsZero() || r.Session.IP != "192.0.2.7" {
			t.Errorf("got %+v of what goes on", r)
		}
		if r := rows["alice"][goes.Session.ID]; r.Reason != core.ReasonSignedOut || r.EndedAt.IsZero() {
			t.Errorf("got %+v of what was signed out", r)
		}
		want := map[string][]string{
			"signed_in": {"alice", "alice"}, "refreshed": {"alice"}, "session_ended": {"alice signed_out"}, "user_forgotten": {""},
		}
		if got := s.events(t); !reflect.DeepEqual(got, want) {
			t.Errorf("got events %q, want %q", got, want)
		}
	})
}
