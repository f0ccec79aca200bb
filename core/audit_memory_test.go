package core_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// P37, D4: served from memory as well: each end makes one record, when it is so.
func TestOneRecordOfEachFromMemory(t *testing.T) {
	for _, op := range operations {
		if !op.queued && op.name != "sign in" && op.name != "refresh, inactive" {
			continue
		}
		t.Run(op.name, func(t *testing.T) {
			onScene(t, func(s *scene) {
				before := s.store.ledger(t, "alice")
				s.store.set(func(string, func() error) error { return errBroken })
				elapse(5 * time.Second)
				s.expectMode(core.ModeMemory)
				err := op.do(core.WithActor(t.Context(), admin), s)
				if op.queued != errors.Is(err, core.ErrNotDurable) {
					t.Errorf("answered %v", err)
				}
				s.store.set(nil)
				elapse(5 * time.Second)
				s.expectMode(core.ModeNormal)
				names := map[string]int{}
				for _, e := range s.trail.events {
					wellFormed(t, e)
					key := string(e.Name)
					if e.Name == core.EventSessionEnded {
						key += fmt.Sprint(" ", e.Session)
					}
					names[key]++
					if e.By != admin && e.Name != core.EventModeChanged {
						t.Errorf("%s is by %q", key, e.By)
					}
				}
				after := s.store.ledger(t, "alice")
				gone := 0
				for _, o := range before.Sessions {
					if !slices.ContainsFunc(after.Sessions, func(p core.Session) bool { return p.ID == o.ID }) {
						gone++
						if n := names[fmt.Sprint("session_ended ", o.ID)]; n != 1 {
							t.Errorf("%d records of the end of %v", n, o.ID)
						}
					}
				}
				if gone != op.ended {
					t.Errorf("%d ended, want %d", gone, op.ended)
				}
				for _, name := range []string{"user_forgotten", "access_token_revoked", "signed_in", "refresh_refused"} {
					if want := strings.Count(op.record+" ", name); names[name] != want {
						t.Errorf("%d records %s, want %d", names[name], name, want)
					}
				}
			}, append(changes(op), memoryServed)...)
		})
	}
}

// Sessions that begin and end while the store is away make one record of each as well,
// and so do those that end because of it when it is back.
func TestOneRecordOfWhatBeganInMemory(t *testing.T) {
	for name, do := range map[string]func(s *scene, p core.Pair) error{
		"evicted": func(s *scene, _ core.Pair) error { s.signIn("alice"); s.signIn("alice"); return nil },
		"revoked": func(s *scene, p core.Pair) error {
			return s.Revoke(s.t.Context(), "alice", p.Session.ID, core.ReasonRevoked)
		},
		"all revoked": func(s *scene, _ core.Pair) error {
			_, err := s.RevokeAll(s.t.Context(), "alice", core.ReasonRevoked)
			return err
		},
		"forgotten":  func(s *scene, _ core.Pair) error { return s.Forget(s.t.Context(), "alice") },
		"signed out": func(s *scene, p core.Pair) error { _, err := s.SignOut(s.t.Context(), p.AccessToken); return err },
		"overtaken": func(s *scene, _ core.Pair) error {
			l := s.store.ledger(s.t, "alice")
			_, err := s.store.Store.Commit(s.t.Context(), "alice", core.Change{
				ID: core.ID{7}, If: l.Version, At: l.At, RevokedAt: time.Now().UTC().Truncate(time.Millisecond), KeepUntil: l.At.Add(1000 * time.Hour),
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			onScene(t, func(s *scene) {
				s.store.set(func(string, func() error) error { return errBroken })
				elapse(5 * time.Second)
				s.expectMode(core.ModeMemory)
				p := s.signIn("alice")
				elapse(time.Second)
				if err := do(s, p); err != nil && !errors.Is(err, core.ErrNotDurable) {
					t.Error(err)
				}
				s.store.set(nil)
				elapse(5 * time.Second)
				s.expectMode(core.ModeNormal)
				known := map[core.ID]int{s.first.Session.ID: 0, s.other.Session.ID: 0}
				begun := map[core.ID]int{}
				for _, e := range s.trail.events {
					switch e.Name {
					case core.EventSignedIn:
						begun[e.Session]++
						if _, there := known[e.Session]; !there {
							known[e.Session] = 0
						}
					case core.EventSessionEnded:
						known[e.Session]++
					}
				}
				l := s.store.ledger(t, "alice")
				for id, n := range known {
					want := 1
					if slices.ContainsFunc(l.Sessions, func(o core.Session) bool { return o.ID == id }) {
						want = 0
					}
					if n != want {
						t.Errorf("%d records of the end of %v (began in memory: %v), want %d", n, id, begun[id] > 0, want)
					}
				}
			}, memoryServed)
		})
	}
}

// P37: what is joined with the store, and is not durable there, says so, and who did it.
func TestRecordsOfARejoin(t *testing.T) {
	onScene(t, func(s *scene) {
		s.store.set(func(string, func() error) error { return errBroken })
		elapse(5 * time.Second)
		s.expectMode(core.ModeMemory)
		if _, err := s.SignIn(core.WithActor(t.Context(), admin), user("alice")); err != nil {
			t.Fatal(err)
		}
		s.store.set(func(call string, do func() error) error {
			if call == "commit" {
				return errors.Join(do(), core.ErrNotDurable)
			}
			return do()
		})
		elapse(5 * time.Second)
		s.store.set(nil)
		s.expectMode(core.ModeNormal)
		ends := 0
		for _, e := range s.trail.events {
			if e.Name != core.EventSessionEnded {
				continue
			}
			if ends++; !e.NotDurable || e.By != admin || e.Reason != core.ReasonEvicted {
				t.Errorf("record %+v", e)
			}
		}
		if ends != 1 {
			t.Errorf("%d records of an end, want 1", ends)
		}
	}, memoryServed)
}
