package core_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
)

// deed is a call that changes something, on a user with two sessions.
type deed struct {
	name   string
	do     func(ctx context.Context, h *house, a, b core.Pair) error
	audits []string
	gone   []int // whose access tokens are refused afterwards
}

func one(n int, err error) error {
	if err == nil && n != 1 {
		return fmt.Errorf("%d, want 1", n)
	}
	return err
}

func two(n int, err error) error {
	if err == nil && n != 2 {
		return fmt.Errorf("%d, want 2", n)
	}
	return err
}

var deeds = []deed{
	{"sign in", func(ctx context.Context, h *house, _, _ core.Pair) error {
		p, err := h.SignIn(ctx, core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
		if err == nil && !h.quiet {
			h.expectVerify(p, nil)
		}
		return err
	}, []string{"session_ended: evicted", "signed_in"}, []int{0}},
	{"refresh", func(ctx context.Context, h *house, a, _ core.Pair) error {
		p, err := h.Refresh(ctx, core.RefreshRequest{Token: a.RefreshToken})
		if err == nil && !h.quiet {
			h.expectVerify(p, nil)
		}
		return err
	}, []string{"refreshed"}, []int{0}},
	{"revoke", func(ctx context.Context, h *house, a, _ core.Pair) error {
		return h.Revoke(ctx, "alice", a.Session.ID, core.ReasonRevoked)
	}, []string{"session_ended: revoked"}, []int{0}},
	{"revoke others", func(ctx context.Context, h *house, a, _ core.Pair) error {
		return one(h.RevokeOthers(ctx, "alice", a.Session.ID, core.ReasonRevoked))
	}, []string{"session_ended: revoked"}, []int{1}},
	{"revoke all", func(ctx context.Context, h *house, _, _ core.Pair) error {
		return two(h.RevokeAll(ctx, "alice", core.ReasonRevoked))
	}, []string{"session_ended: revoked", "session_ended: revoked"}, []int{0, 1}},
	{"trim", func(ctx context.Context, h *house, _, _ core.Pair) error {
		return one(h.Trim(ctx, "alice", 1))
	}, []string{"session_ended: trimmed"}, []int{0}},
	{"forget", func(ctx context.Context, h *house, _, _ core.Pair) error {
		return h.Forget(ctx, "alice")
	}, []string{"session_ended: forgotten", "session_ended: forgotten", "user_forgotten"}, []int{0, 1}},
	{"revoke a token", func(ctx context.Context, h *house, a, _ core.Pair) error {
		return one(h.RevokeToken(ctx, a.AccessToken))
	}, []string{"access_token_revoked"}, []int{0}},
	{"sign out", func(ctx context.Context, h *house, a, _ core.Pair) error {
		return one(h.SignOut(ctx, a.RefreshToken))
	}, []string{"session_ended: signed_out"}, []int{0}},
	{"sign out everywhere", func(ctx context.Context, h *house, a, _ core.Pair) error {
		return two(h.SignOutAll(ctx, a.AccessToken))
	}, []string{"session_ended: signed_out_all", "session_ended: signed_out_all"}, []int{0, 1}},
}

// stage readies a user with two sessions of a cap of two, in a process whose
// feed vouches; refreshes retire older access tokens.
func stage(t *testing.T, changes ...func(*core.Config)) (h *house, store *tap, a, b core.Pair) {
	store = newTap()
	h = open(t, store, append([]func(*core.Config){func(c *core.Config) {
		c.MaxSessions, c.RetireAccess = 2, core.AtOnce
	}}, changes...)...)
	settle(h)
	a = h.signIn("alice")
	elapse(time.Second)
	b = h.signIn("alice")
	elapse(time.Second)
	h.trail.take()
	return h, store, a, b
}

func (s *tap) ledger(t *testing.T, user string) core.Ledger {
	t.Helper()
	l, err := s.Store.Load(context.WithoutCancel(t.Context()), user)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// queued reports whether a deed is a revocation that can wait for the store.
func (d *deed) queued() bool { return d.name != "sign in" && d.name != "refresh" && d.name != "trim" }

// P16, D2: a store that fails is ErrStoreUnavailable and nothing else, and nothing is
// audited as done; what is stored is what was, or what was wanted. A revocation is
// enforced here all the same, said not to be durable, and stored once the store is back.
func TestStoreFailures(t *testing.T) {
	for _, cache := range []int{0, -1} { // with, and without, ledgers that need no load
		for _, d := range deeds {
			for nth := 1; ; nth++ {
				reached := false
				t.Run(fmt.Sprint(d.name, " failing from call ", nth, ", cache ", cache), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { reached = storeFails(t, d, cache, nth) })
				})
				if !reached {
					break
				}
			}
		}
	}
}

func storeFails(t *testing.T, d deed, cache, nth int) (reached bool) {
	h, store, a, b := stage(t, func(c *core.Config) { c.LedgerCacheBytes = cache })
	h.quiet = true
	before := store.ledger(t, "alice")
	var n atomic.Int64 // the feed's reader and the writers of activity call as well
	store.set(func(call string, do func() error) error {
		if call == "tail" {
			return do()
		}
		if n.Add(1) >= int64(nth) {
			return errBroken
		}
		return do()
	})
	err := d.do(t.Context(), h, a, b)
	if reached = n.Load() >= int64(nth); !reached {
		if err != nil {
			t.Errorf("no call failed, but %v", err)
		}
		store.set(nil)
		return false
	}
	if !errors.Is(err, core.ErrStoreUnavailable) || !errors.Is(err, errBroken) || errors.Is(err, core.ErrNotDurable) != d.queued() {
		t.Errorf("%v, want ErrStoreUnavailable because of the store's", err)
	}
	if diff := cmp.Diff(before, store.ledger(t, "alice")); diff != "" {
		t.Errorf("the ledger changed:\n%s", diff)
	}
	expect := func() {
		for i, p := range []core.Pair{a, b} {
			want := error(nil)
			if d.queued() && slices.Contains(d.gone, i) {
				want = core.ErrTokenRevoked
			}
			h.expectVerify(p, want)
		}
	}
	if !d.queued() {
		h.trail.expect(t, d.name)
		store.set(nil)
		expect()
		if err := d.do(t.Context(), h, a, b); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		return true
	}
	if got := h.trail.take(); len(got) != 1 || !strings.HasPrefix(got[0], "revocation_queued") || h.Health().Queued != 1 {
		t.Errorf("audited %q, health %+v", got, h.Health())
	}
	expect()
	elapse(3 * time.Second) // the feed is read, and the lease lapses: what waits can't be written
	if h.Health().Queued != 1 || !h.Health().Degraded {
		t.Errorf("health %+v", h.Health())
	}
	h.trail.take()
	store.set(nil)
	elapse(time.Second)
	audited := slices.DeleteFunc(h.trail.take(), func(line string) bool { return line == "mode_changed" })
	slices.Sort(d.audits)
	if !slices.Equal(audited, d.audits) {
		t.Errorf("audited %q, want %q", audited, d.audits)
	}
	if h.Health().Queued != 0 || h.Health().Degraded {
		t.Errorf("health %+v", h.Health())
	}
	asks := open(t, store)
	for i, p := range []core.Pair{a, b} {
		want := error(nil)
		if slices.Contains(d.gone, i) {
			want = core.ErrTokenRevoked
		}
		h.expectVerify(p, want)
		asks.expectVerify(p, want)
	}
	return true
}

// P16: looks at a store that fails. Guards go on for a time, see D3.
func TestStoreFailsLooks(t *testing.T) {
	for name, look := range map[string]func(h *house) error{
		"sessions": func(h *house) error { _, err := h.Sessions(t.Context(), "alice"); return err },
		"count":    func(h *house) error { _, err := h.Count(t.Context(), "alice"); return err },
		"tokens":   func(h *house) error { _, err := h.Tokens(t.Context(), "alice"); return err },
		"online":   func(h *house) error { _, err := h.Online(t.Context(), "alice"); return err },
		"find":     func(h *house) error { _, _, err := h.Find(t.Context(), h.trail.token); return err },
	} {
		synctest.Test(t, func(t *testing.T) {
			h, store, a, _ := stage(t)
			h.trail.token = a.AccessToken
			store.set(func(string, func() error) error { return errBroken })
			elapse(5 * time.Second) // the lease lapses
			h.trail.take()
			if err := look(h); !errors.Is(err, core.ErrStoreUnavailable) {
				t.Errorf("%s: %v, want ErrStoreUnavailable", name, err)
			}
			h.trail.expect(t, name)
		})
	}
}

// P20, P37: a commit whose reply is lost, whatever happened to it, counts once:
// it is answered, enforced here, and audited as if the reply had come.
func TestLostReplies(t *testing.T) {
	touch := func(t *testing.T, store *tap, h *house) {
		// Somebody else commits over it: the other session is seen in use.
		l := store.ledger(t, "alice")
		if l.Version.IsZero() {
			return
		}
		c := core.Change{ID: core.ID{0xcc, 1}, If: l.Version, At: l.At, KeepUntil: l.At.Add(1000 * time.Hour), Foreign: []core.RevokedToken{}}
		if _, err := store.Store.Commit(context.Background(), "alice", c); err != nil {
			t.Error(err)
		}
	}
	for _, strict := range []bool{false, true} {
		for _, d := range deeds {
			for name, fault := range map[string]func(t *testing.T, h *house, store *tap, do func() error) error{
				"done": func(_ *testing.T, _ *house, _ *tap, do func() error) error {
					return errors.Join(do(), errBroken)
				},
				"not done": func(*testing.T, *house, *tap, func() error) error { return errBroken },
				"done, and others committed since": func(t *testing.T, h *house, store *tap, do func() error) error {
					err := do()
					touch(t, store, h)
					return errors.Join(err, errBroken)
				},
				"not done, and others committed": func(t *testing.T, h *house, store *tap, _ func() error) error {
					touch(t, store, h)
					return errBroken
				},
			} {
				t.Run(fmt.Sprintf("%s, strict %v, %s", d.name, strict, name), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						h, store, a, b := stage(t, func(c *core.Config) {
							if strict {
								c.Grace = core.NoGrace
							}
						})
						first := true
						store.set(func(call string, do func() error) error {
							switch {
							case call == "tail":
								return errBroken // this process learns nothing from the feed
							case call == "commit" && first:
								first = false
								return fault(t, h, store, do)
							}
							return do()
						})
						if err := d.do(t.Context(), h, a, b); err != nil {
							t.Fatal(err)
						}
						h.trail.expect(t, d.name, d.audits...)
						asks := open(t, store) // has no feed either
						for i, p := range []core.Pair{a, b} {
							want := error(nil)
							if slices.Contains(d.gone, i) {
								want = core.ErrTokenRevoked
							}
							h.expectVerify(p, want)
							asks.expectVerify(p, want)
						}
					})
				})
			}
		}
	}
}

// A commit may take place long after it was given up: then it still counts once.
func TestLateCommits(t *testing.T) {
	for _, d := range deeds {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, store, a, b := stage(t, func(c *core.Config) { c.Grace = core.NoGrace })
				commits := 0
				var late func() error
				store.set(func(call string, do func() error) error {
					if call != "commit" {
						return do()
					}
					if commits++; commits == 1 {
						late = do
						return errBroken
					}
					if late != nil {
						_ = late()
						late = nil
					}
					return do()
				})
				if err := d.do(t.Context(), h, a, b); err != nil {
					t.Fatal(err)
				}
				h.trail.expect(t, d.name, d.audits...)
				want := 2
				switch d.name {
				case "revoke", "revoke others", "trim", "sign out":
					want = 1
				case "revoke all", "forget", "sign out everywhere":
					want = 0
				}
				h.expectCount("alice", want)
			})
		})
	}
}

// A session that began unnoticed and was ended meanwhile does not begin again
// under an id that is revoked everywhere.
func TestSignInEndedBeforeItsReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h, other := open(t, store), open(t, store)
		settle(h)
		first := true
		store.set(func(call string, do func() error) error {
			if call != "commit" || !first {
				return do()
			}
			first = false
			if err := do(); err != nil {
				t.Error(err)
			}
			if n, err := other.RevokeAll(t.Context(), "alice", core.ReasonRevoked); n != 1 || err != nil {
				t.Errorf("revoked %d, %v", n, err)
			}
			return errBroken
		})
		pair := h.signIn("alice")
		elapse(time.Second)
		h.expectVerify(pair, nil)
		other.expectVerify(pair, nil)
	})
}

// Nothing about a commit hangs on the client's connection.
func TestClientGoesAway(t *testing.T) {
	for _, d := range deeds {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, store, a, b := stage(t)
				ctx, cancel := context.WithCancel(t.Context())
				store.set(func(call string, do func() error) error {
					cancel()
					return do()
				})
				if err := d.do(ctx, h, a, b); err != nil {
					t.Error(err)
				}
				h.trail.expect(t, d.name, d.audits...)
			})
		})
	}
}

// A store that hangs is given up after StoreTimeout.
func TestStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &hanging{tap: newTap()}
		h := open(t, store, func(c *core.Config) { c.StoreTimeout = 700 * time.Millisecond })
		h.lossy = true
		settle(h)
		store.hangs.Store(true)
		begin := time.Now()
		_, err := h.RevokeAll(t.Context(), "alice", core.ReasonRevoked)
		if took := time.Since(begin); !errors.Is(err, core.ErrStoreUnavailable) || !errors.Is(err, context.DeadlineExceeded) || took != 700*time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
	})
}

type hanging struct {
	*tap
	hangs atomic.Bool
}

func (s *hanging) Load(ctx context.Context, user string) (core.Ledger, error) {
	if s.hangs.Load() {
		<-ctx.Done()
		return core.Ledger{}, ctx.Err()
	}
	return s.tap.Load(ctx, user)
}

// dice is a source of ids that fails, or answers zeros, at its nth read.
type dice struct {
	nth, reads int
	zeros      bool
}

func (d *dice) Read(b []byte) (int, error) {
	d.reads++
	if d.reads != d.nth {
		return rand.Read(b)
	}
	if d.zeros {
		clear(b)
		return len(b), nil
	}
	return 0, errBroken
}

// P28: a source of ids that fails is an error, wherever it fails, and nothing
// changes.
func TestFailingRandom(t *testing.T) {
	for _, zeros := range []bool{false, true} {
		for _, d := range deeds {
			for nth := 1; ; nth++ {
				random := &dice{zeros: zeros}
				synctest.Test(t, func(t *testing.T) {
					h, store, a, b := stage(t, func(c *core.Config) { c.Random = random })
					h.quiet = true
					before := store.ledger(t, "alice")
					random.reads, random.nth = 0, nth
					err := d.do(t.Context(), h, a, b)
					if random.reads < nth {
						if err != nil {
							t.Errorf("%s: %v", d.name, err)
						}
						return
					}
					random.nth = 0
					if !errors.Is(err, core.ErrInternal) || !zeros && !errors.Is(err, errBroken) {
						t.Errorf("%s, read %d: %v", d.name, nth, err)
					}
					h.trail.expect(t, d.name)
					if diff := cmp.Diff(before, store.ledger(t, "alice")); diff != "" {
						t.Errorf("%s, read %d: the ledger changed:\n%s", d.name, nth, diff)
					}
				})
				if random.reads < nth {
					if nth == 1 {
						t.Errorf("%s drew no id", d.name)
					}
					break
				}
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		for nth := 1; nth <= 3; nth++ {
			h := open(t, newTap(), func(c *core.Config) { c.Random = &dice{nth: nth} })
			elapse(time.Second)
			if found := h.Check(t.Context()); len(found) != 1 || found[0].Subject != "store" {
				t.Errorf("check with read %d failing: %v", nth, found)
			}
		}
	})
}

// moody signs unless it is told not to.
type moody struct {
	crypto.Signer
	refuses atomic.Bool
}

func (m *moody) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if m.refuses.Load() {
		return nil, errBroken
	}
	return m.Signer.Sign(r, digest, o)
}

// A signer that fails costs nobody a session: nothing is committed, however
// often the client tries, and it goes on when the signer is back.
func TestFailingSigner(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		signer := &moody{Signer: key}
		h, store, a, _ := stage(t, func(c *core.Config) {
			c.Keys = []core.Key{{Signer: signer}}
			c.Secrets = []core.Secret{{Value: testSecret("refresh")}}
		})
		before := store.ledger(t, "alice")
		signer.refuses.Store(true)
		for range 6 {
			h.expectRefresh(a, core.ErrInternal)
			if _, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}}); !errors.Is(err, core.ErrInternal) {
				t.Errorf("sign-in: %v", err)
			}
			elapse(time.Minute)
		}
		h.trail.expect(t, "a failing signer")
		if diff := cmp.Diff(before, store.ledger(t, "alice")); diff != "" {
			t.Errorf("the ledger changed:\n%s", diff)
		}
		signer.refuses.Store(false)
		h.expectVerify(h.refresh(a), nil)
	})
}

// P27: refresh asks whether the user is active.
func TestActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		active, failure := true, error(nil)
		asked := 0
		h, store, a, b := stage(t, func(c *core.Config) {
			c.Active = func(_ context.Context, user string) (bool, error) {
				asked++
				if user != "alice" {
					t.Errorf("asked about %q", user)
				}
				return active, failure
			}
		})
		second := h.refresh(a)
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		elapse(time.Minute)
		h.trail.take()
		before := store.ledger(t, "alice")
		active, failure = false, errBroken
		h.expectRefresh(second, core.ErrInternal)
		h.trail.expect(t, "a failure is no refusal")
		if diff := cmp.Diff(before, store.ledger(t, "alice")); diff != "" {
			t.Errorf("the ledger changed:\n%s", diff)
		}
		failure = nil
		h.expectRefresh(b, core.ErrUserInactive)
		h.trail.expect(t, "inactive", "refresh_refused", "session_ended: user_inactive")
		h.expectVerify(b, core.ErrTokenRevoked)
		h.expectRefresh(b, core.ErrSessionEnded)
		h.trail.take()
		h.expectVerify(second, nil)

		elapse(time.Minute) // it was seen: a is spent
		failure = errBroken
		h.expectRefresh(a, core.ErrRefreshTokenReused)
		h.trail.expect(t, "reuse is found all the same", "refresh_reused", "session_ended: reuse")
	})
}
