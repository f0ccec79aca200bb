package sqlstore_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// faults are ways in which one call on a driver goes wrong.
func faults() map[string]*fault {
	all := map[string]*fault{
		"an error":                {err: errors.New("the disk is on fire")},
		"an error after the deed": {err: errors.New("unexpected EOF"), late: true},
	}
	if proof() {
		maps.Copy(all, map[string]*fault{
			"a bad connection":               {err: driver.ErrBadConn},
			"the text of a deadlock":         {err: errors.New("sql: no rows in result set, Error 1213 (40001)")},
			"a context that is over":         {err: context.Canceled},
			"a context that is over by then": {err: context.DeadlineExceeded, late: true},
		})
	}
	return all
}

// frail is a store on a driver that goes wrong, and one beside it that does not.
type frail struct {
	*sqlstore.Store
	driver   *faulty
	sound    *sqlstore.Store
	database sqltest.Database
}

func newFrail(t *testing.T, engine string) frail {
	d := migrated(t, sqltest.New(t, engine))
	driver := faultyOf(t, d)
	s, err := sqlstore.New(driver.open(t), dialects[engine], sqlstore.Options{Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return frail{s, driver, open(t, d, sqlstore.Options{}), d}
}

// eachCall makes a call over and over, and has one of those on the driver go wrong,
// another one each time, until the call makes no more. check is told what it came to.
func (f frail) eachCall(how *fault, try func(check func(do func() error) (failed bool, err error))) int {
	step := 3
	if proof() {
		step = 1
	}
	for n := 0; ; n += step {
		hit := ""
		try(func(do func() error) (bool, error) {
			f.driver.fail(func(i int, call string) *fault {
				if i != n {
					return nil
				}
				hit = call
				return how
			})
			defer f.driver.fail(nil)
			err := do()
			return hit != "", err
		})
		if hit == "" {
			return n
		}
	}
}

// Wherever a call on the database goes wrong in the middle of a commit: it took place
// whole or not at all; success is said only of what did; and sent again it takes place
// once.
func TestFaultsInCommitProof(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		f := newFrail(t, engine)
		commit(t, f.sound, "somebody", change("somebody", core.ID{}))
		for name, how := range faults() {
			for _, first := range []bool{true, false} {
				calls := f.eachCall(how, func(check func(func() error) (bool, error)) {
					user := newID().String()
					var l core.Ledger
					at := 0
					if !first {
						commit(t, f.sound, user, raised(user, l, 1))
						l, at = load(t, f.sound, user), 1
					}
					from := tail(t, f.sound, "").Next
					c := raised(user, l, at+1)
					_, err := check(func() error { _, err := f.Commit(t.Context(), user, c); return err })
					now, torn := tally(load(t, f.sound, user))
					events := tail(t, f.sound, from).Events
					switch {
					case torn != nil:
						t.Errorf("%s: %v", name, torn)
					case now != at && now != at+1, len(events) != now-at:
						t.Errorf("%s: the ledger moved from %d to %d, the feed by %d", name, at, now, len(events))
					case err == nil && now != at+1, errors.Is(err, core.ErrConflict):
						t.Errorf("%s: got error %v, and the ledger moved from %d to %d", name, err, at, now)
					}
					if _, err := f.Commit(t.Context(), user, c); err != nil {
						t.Errorf("%s: sent again: got error %v", name, err)
					}
					now, torn = tally(load(t, f.sound, user))
					if events := tail(t, f.sound, from).Events; torn != nil || now != at+1 || len(events) != 1 {
						t.Errorf("%s: sent again: the ledger moved from %d to %d, %v, the feed by %d", name, at, now, torn, len(events))
					}
				})
				if calls < 5 {
					t.Errorf("%s: a commit makes %d calls", name, calls)
				}
			}
		}
	})
}

// Wherever a call on the database goes wrong in the middle of a read, the read is an
// error or complete.
func TestFaultsInReadsProof(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		f := newFrail(t, engine)
		users := []string{"alice", "bob", "carol"}
		from := tail(t, f.sound, "").Next
		for i, user := range users {
			if i < 2 {
				commit(t, f.sound, user, raised(user, core.Ledger{}, 1))
			}
		}
		reads := map[string]func() (complete bool, err error){
			"Load": func() (bool, error) {
				l, err := f.Load(t.Context(), "alice")
				n, torn := tally(l)
				return n == 1 && torn == nil, err
			},
			"LoadMany": func() (bool, error) {
				all, err := f.LoadMany(t.Context(), users)
				n, torn := tally(all["bob"])
				return len(all) == 2 && n == 1 && torn == nil, err
			},
			"Tail": func() (bool, error) {
				b, err := f.Tail(t.Context(), from, 0)
				return len(b.Events) == 2 && !b.Reset, err
			},
			"Tail from the start": func() (bool, error) {
				b, err := f.Tail(t.Context(), "", 0)
				return len(b.Events) == 2, err
			},
			"Tail from elsewhere": func() (bool, error) {
				b, err := f.Tail(t.Context(), "elsewhere", 0)
				return len(b.Events) == 2 && b.Reset, err
			},
		}
		for name, how := range faults() {
			for call, read := range reads {
				f.eachCall(how, func(check func(func() error) (bool, error)) {
					complete := false
					_, err := check(func() (err error) { complete, err = read(); return err })
					if err == nil && !complete || errors.Is(err, core.ErrConflict) {
						t.Errorf("%s: %s: got error %v and complete %t", name, call, err, complete)
					}
					if complete, err = read(); err != nil || !complete {
						t.Errorf("%s: %s: afterwards got error %v and complete %t", name, call, err, complete)
					}
				})
			}
		}
	})
}

// Wherever a call on the database goes wrong while it is swept and purged, what lives
// stays, and what is over goes the next time.
func TestFaultsInSweepProof(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		f := newFrail(t, engine)
		for name, how := range faults() {
			f.eachCall(how, func(check func(func() error) (bool, error)) {
				over, lives := newID().String(), newID().String()
				commit(t, f.sound, over, raised(over, core.Ledger{}, 1))
				c := raised(lives, core.Ledger{}, 1)
				c.KeepUntil, c.Put[0].ExpiresAt = base.Add(1000*time.Hour), base.Add(1000*time.Hour)
				commit(t, f.sound, lives, c)
				hit, err := check(func() error {
					_, err := f.Sweep(t.Context(), base.Add(2*time.Hour), 1000)
					_, err2 := f.Purge(t.Context(), base.Add(2*time.Hour))
					return errors.Join(err, err2)
				})
				if !hit && err != nil {
					t.Errorf("%s: got error %v", name, err)
				}
				for range 2 {
					if _, err := f.Sweep(t.Context(), base.Add(2*time.Hour), 1000); err != nil {
						t.Errorf("%s: afterwards: %v", name, err)
					}
				}
				if l := load(t, f.sound, over); !l.Version.IsZero() || len(l.Sessions) > 0 {
					t.Errorf("%s: what was over stays, at %v", name, l.Version)
				}
				if n, err := tally(load(t, f.sound, lives)); n != 1 || err != nil {
					t.Errorf("%s: who lives is at %d, %v", name, n, err)
				}
			})
		}
	})
}

// An error that every statement brings is never taken for an answer.
func TestFaultsOfAll(t *testing.T) {
	f := newFrail(t, "sqlite")
	commit(t, f.Store, "alice", change("alice", core.ID{}))
	for _, text := range []string{"database is shut", "Error 1062 (23000): Duplicate entry", "SQLSTATE 40001", "UNIQUE constraint failed"} {
		f.driver.fail(func(_ int, call string) *fault {
			if strings.HasPrefix(call, "rollback") {
				return nil
			}
			return &fault{err: errors.New(text)}
		})
		if l, err := f.Load(t.Context(), "alice"); err == nil {
			t.Errorf("%s: Load: got %v", text, l)
		}
		if _, err := f.Commit(t.Context(), "alice", change("alice", core.ID{})); err == nil || errors.Is(err, core.ErrConflict) {
			t.Errorf("%s: Commit: got error %v", text, err)
		}
		if b, err := f.Tail(t.Context(), "", 0); err == nil {
			t.Errorf("%s: Tail: got %v", text, b)
		}
	}
}
