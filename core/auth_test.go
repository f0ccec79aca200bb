package core_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testSecret is no secret: it is made of its name.
func testSecret(name string) []byte {
	sum := sha256.Sum256([]byte("a secret of the tests: " + name))
	return sum[:]
}

// trail gathers what is audited.
type trail struct {
	mu     sync.Mutex
	events []core.Event
	token  string // for those tests that look at one
}

func (r *trail) add(_ context.Context, e core.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// all returns the events since the last call.
func (r *trail) all() []core.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.events = nil
	return events
}

// take returns the events since the last call, as "name" or "name: reason", sorted.
func (r *trail) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, e := range r.events {
		line := string(e.Name)
		if e.Reason != "" {
			line += ": " + string(e.Reason)
		}
		out = append(out, line)
	}
	r.events = nil
	slices.Sort(out)
	return out
}

func (r *trail) expect(t *testing.T, what string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := r.take(); !slices.Equal(got, want) {
		t.Errorf("%s: audited %q, want %q", what, got, want)
	}
}

// house is one process in a test: an Auth and what it audits.
type house struct {
	*core.Auth
	t     *testing.T
	trail *trail
	quiet bool // deeds use no token, which would be noted in the background
	lossy bool // it is closed while its store is away
}

// open starts an Auth that is closed when the test ends.
func open(t *testing.T, store core.Store, changes ...func(*core.Config)) *house {
	t.Helper()
	h := &house{t: t, trail: &trail{}}
	c := core.Config{Store: store, Keys: []core.Key{{Secret: testSecret("key")}}, Audit: h.trail.add}
	for _, change := range changes {
		change(&c)
	}
	auth, err := core.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := auth.Close(); err != nil && !(h.lossy && errors.Is(err, core.ErrNotDurable)) {
			t.Error(err)
		}
	})
	h.Auth = auth
	return h
}

func (h *house) signIn(user string) core.Pair {
	h.t.Helper()
	pair, err := h.SignIn(h.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}})
	if err != nil {
		h.t.Fatalf("sign-in: %v", err)
	}
	return pair
}

func (h *house) refresh(p core.Pair) core.Pair {
	h.t.Helper()
	pair, err := h.Refresh(h.t.Context(), core.RefreshRequest{Token: p.RefreshToken})
	if err != nil {
		h.t.Fatalf("refresh: %v", err)
	}
	return pair
}

func (h *house) expectVerify(p core.Pair, want error) {
	h.t.Helper()
	if _, err := h.Verify(h.t.Context(), p.AccessToken); !errors.Is(err, want) {
		h.t.Errorf("verify: %v, want %v", err, want)
	}
}

func (h *house) expectRefresh(p core.Pair, want error) core.Pair {
	h.t.Helper()
	next, err := h.Refresh(h.t.Context(), core.RefreshRequest{Token: p.RefreshToken})
	if !errors.Is(err, want) {
		h.t.Errorf("refresh: %v, want %v", err, want)
	}
	return next
}

func (h *house) expectCount(user string, want int) {
	h.t.Helper()
	if n, err := h.Count(h.t.Context(), user); err != nil || n != want {
		h.t.Errorf("%s has %d sessions (%v), want %d", user, n, err, want)
	}
}

// elapse lets fake time pass and what is due happen.
func elapse(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// settle gets past the time in which a new store's feed vouches for nothing.
func settle(h *house) {
	h.signIn("the first of all")
	elapse(2 * time.Minute)
	h.trail.take()
}

// tap is a store whose calls a test can look at and break.
type tap struct {
	*memstore.Store
	mu sync.Mutex
	on func(call string, do func() error) error
}

func (s *tap) set(on func(call string, do func() error) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = on
}

func (s *tap) run(call string, do func() error) error {
	s.mu.Lock()
	on := s.on
	s.mu.Unlock()
	if on == nil {
		return do()
	}
	return on(call, do)
}

func (s *tap) Load(ctx context.Context, user string) (l core.Ledger, err error) {
	err = s.run("load", func() error { l, err = s.Store.Load(ctx, user); return err })
	return l, err
}

func (s *tap) LoadMany(ctx context.Context, users []string) (l map[string]core.Ledger, err error) {
	err = s.run("load", func() error { l, err = s.Store.LoadMany(ctx, users); return err })
	return l, err
}

func (s *tap) Commit(ctx context.Context, user string, c core.Change) (l core.Ledger, err error) {
	err = s.run("commit", func() error { l, err = s.Store.Commit(ctx, user, c); return err })
	return l, err
}

func (s *tap) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (b core.Batch, err error) {
	err = s.run("tail", func() error { b, err = s.Store.Tail(ctx, after, wait); return err })
	return b, err
}

func newTap() *tap { return &tap{Store: memstore.New()} }

var errBroken = errors.New("broken by the test")

// counting has a tap count calls by name.
func (s *tap) counting() func() map[string]int {
	var mu sync.Mutex
	n := map[string]int{}
	s.set(func(call string, do func() error) error {
		mu.Lock()
		n[call]++
		mu.Unlock()
		return do()
	})
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		out := n
		n = map[string]int{}
		return out
	}
}

type tenantClaims struct {
	Tenant string   `json:"tenant"`
	Limits []uint64 `json:"limits"`
}

// P26: all of it without HTTP.
func TestLifeOfASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		h := open(t, memstore.New())
		settle(h)
		claims := tenantClaims{"acme", []uint64{1 << 60, 3}}
		first, err := h.SignIn(ctx, core.SignInRequest{
			Identity: core.Identity{UserID: "alice", Scopes: []string{"a:b", "c"}, Roles: []string{"admin"}, AMR: []string{"pwd"}, Claims: claims},
			Client:   core.Client{DeviceID: "dev", DeviceName: "Alice's", ClientType: "phone", IP: "192.0.2.7", UserAgent: "UA"},
		})
		if err != nil {
			t.Fatal(err)
		}
		h.trail.expect(t, "sign-in", "signed_in")
		if first.UserID != "alice" || first.ExpiresIn != time.Hour || first.RefreshExpiresIn != 7*24*time.Hour || first.Same {
			t.Errorf("pair %+v", first)
		}
		check := func(pair core.Pair) {
			t.Helper()
			p, err := h.Verify(ctx, pair.AccessToken)
			if err != nil {
				t.Fatal(err)
			}
			got, err := core.ClaimsOf[tenantClaims](p)
			if err != nil || !cmp.Equal(got, claims) {
				t.Errorf("claims %+v (%v), want %+v", got, err, claims)
			}
			if p.UserID != "alice" || p.SessionID != first.Session.ID || p.DeviceID != "dev" || p.ClientType != "phone" || p.DeviceType != first.Session.Device.Type ||
				!slices.Equal(p.Scopes, []string{"a:b", "c"}) || !slices.Equal(p.Roles, []string{"admin"}) || !slices.Equal(p.AMR, []string{"pwd"}) ||
				!p.AuthTime.Equal(first.Session.AuthTime) || p.ExpiresAt.Sub(p.IssuedAt) != time.Hour {
				t.Errorf("principal %+v", p)
			}
			if core.FromContext(core.WithPrincipal(ctx, p)) != p || core.FromContext(ctx) != nil {
				t.Error("the principal does not come back from a context")
			}
		}
		check(first)
		elapse(time.Minute)
		second := h.refresh(first)
		h.trail.expect(t, "refresh", "refreshed")
		check(second)
		if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken || second.Same {
			t.Errorf("refreshed to %+v", second)
		}
		if again := h.refresh(second); again.RefreshToken != second.RefreshToken || !again.Same || again.AccessToken == second.AccessToken {
			t.Errorf("at once again: %+v", again)
		}
		h.trail.expect(t, "at once again", "refresh_repeated")
		if replay := h.refresh(first); replay.RefreshToken != second.RefreshToken || replay.Same {
			t.Errorf("the predecessor again: %+v", replay)
		}
		h.trail.expect(t, "the predecessor again", "refresh_replayed")

		other := h.signIn("alice")
		h.trail.take()
		sessions, err := h.Sessions(ctx, "alice")
		if err != nil || len(sessions) != 2 || sessions[0].ID != other.Session.ID || sessions[1].ID != first.Session.ID || sessions[1].Device.Name != "Alice's" || sessions[1].IP != "192.0.2.7" {
			t.Errorf("sessions %+v, %v", sessions, err)
		}
		h.expectCount("alice", 2)
		h.expectCount("nobody", 0)
		tokens, err := h.Tokens(ctx, "alice")
		if err != nil || len(tokens) != 2 || tokens[0].SessionID != other.Session.ID || tokens[1].ClientType != "phone" || tokens[1].DeviceID != "dev" || tokens[0].Expired || len(tokens[0].AccessTokenHash) != 16 {
			t.Errorf("tokens %+v, %v", tokens, err)
		}
		online, err := h.Online(ctx, "nobody", "alice", "alice")
		if err != nil || len(online) != 1 || online[0].UserID != "alice" || len(online[0].Sessions) != 2 || !online[0].LastActiveAt.Equal(other.Session.LastSeenAt) {
			t.Errorf("online %+v, %v", online, err)
		}
		for _, token := range []string{first.AccessToken, first.RefreshToken, second.AccessToken} {
			if user, s, err := h.Find(ctx, token); err != nil || user != "alice" || s.ID != first.Session.ID {
				t.Errorf("found %q, %v, %v", user, s.ID, err)
			}
		}
		elapse(time.Hour) // both access tokens have expired
		if tokens, err := h.Tokens(ctx, "alice"); err != nil || !tokens[0].Expired {
			t.Errorf("tokens %+v, %v", tokens, err)
		}
		if user, _, err := h.Find(ctx, other.AccessToken); err != nil || user != "alice" {
			t.Errorf("found by an expired token: %q, %v", user, err)
		}
		if n, err := h.SignOut(ctx, "", "garbage", other.AccessToken); n != 1 || err != nil {
			t.Errorf("signed out of %d, %v", n, err)
		}
		h.trail.expect(t, "sign-out", "session_ended: signed_out")
		h.expectRefresh(other, core.ErrSessionEnded)
		h.trail.expect(t, "refresh after it", "refresh_refused")
		if n, err := h.SignOut(ctx, other.RefreshToken); n != 0 || err != nil {
			t.Errorf("signed out a second time of %d, %v", n, err)
		}
	})
}

// Every way to end sessions ends exactly those, here at once, and is audited once.
func TestRevoking(t *testing.T) {
	type fixture struct {
		*house
		pairs []core.Pair // of alice: 0, 1, 2, the last the newest
		other core.Pair
	}
	count := func(n int, err error) (int, error) { return n, err }
	for _, c := range []struct {
		name   string
		do     func(f fixture) (int, error)
		n      int
		err    error
		ended  []int
		audits []string
	}{
		{name: "one", do: func(f fixture) (int, error) {
			return 0, f.Revoke(t.Context(), "alice", f.pairs[1].Session.ID, core.ReasonRevoked)
		}, ended: []int{1}, audits: []string{"session_ended: revoked"}},
		{name: "another user's", do: func(f fixture) (int, error) {
			return 0, f.Revoke(t.Context(), "bob", f.pairs[1].Session.ID, core.ReasonRevoked)
		}, err: core.ErrSessionNotFound},
		{name: "others", do: func(f fixture) (int, error) {
			return f.RevokeOthers(t.Context(), "alice", f.pairs[1].Session.ID, core.ReasonPasswordChanged)
		}, n: 2, ended: []int{0, 2}, audits: []string{"session_ended: password_changed", "session_ended: password_changed"}},
		{name: "all", do: func(f fixture) (int, error) {
			return f.RevokeAll(t.Context(), "alice", core.ReasonRevokedByAdmin)
		}, n: 3, ended: []int{0, 1, 2}, audits: []string{"session_ended: revoked_by_admin", "session_ended: revoked_by_admin", "session_ended: revoked_by_admin"}},
		{name: "all of nobody", do: func(f fixture) (int, error) {
			return f.RevokeAll(t.Context(), "nobody", core.ReasonRevokedByAdmin)
		}},
		{name: "trim", do: func(f fixture) (int, error) { return f.Trim(t.Context(), "alice", 1) }, n: 2, ended: []int{0, 1}, audits: []string{"session_ended: trimmed", "session_ended: trimmed"}},
		{name: "trim to what there is", do: func(f fixture) (int, error) { return f.Trim(t.Context(), "alice", 3) }},
		{name: "trim to less than nothing", do: func(f fixture) (int, error) { return f.Trim(t.Context(), "alice", -1) }, err: core.ErrBadRequest},
		{name: "forget", do: func(f fixture) (int, error) { return 0, f.Forget(t.Context(), "alice") }, ended: []int{0, 1, 2}, audits: []string{"session_ended: forgotten", "session_ended: forgotten", "session_ended: forgotten", "user_forgotten"}},
		{name: "an access token", do: func(f fixture) (int, error) {
			return count(f.RevokeToken(t.Context(), f.pairs[1].AccessToken))
		}, n: 1, audits: []string{"access_token_revoked"}},
		{name: "a refresh token", do: func(f fixture) (int, error) {
			return count(f.RevokeToken(t.Context(), f.pairs[1].RefreshToken))
		}, n: 1, ended: []int{1}, audits: []string{"session_ended: revoked_by_admin"}},
		{name: "no token", do: func(f fixture) (int, error) { return f.RevokeToken(t.Context(), "x") }, err: core.ErrTokenNotFound},
		{name: "sign-out with two", do: func(f fixture) (int, error) {
			return f.SignOut(t.Context(), f.pairs[0].RefreshToken, f.pairs[0].AccessToken, f.pairs[2].AccessToken)
		}, n: 2, ended: []int{0, 2}, audits: []string{"session_ended: signed_out", "session_ended: signed_out"}},
		{name: "sign-out everywhere", do: func(f fixture) (int, error) {
			return f.SignOutAll(t.Context(), f.pairs[0].RefreshToken, f.pairs[1].AccessToken)
		}, n: 3, ended: []int{0, 1, 2}, audits: []string{"session_ended: signed_out_all", "session_ended: signed_out_all", "session_ended: signed_out_all"}},
		{name: "sign-out without a token", do: func(f fixture) (int, error) { return f.SignOut(t.Context(), "", "") }, err: core.ErrTokenMissing},
		{name: "sign-out with a bad access token", do: func(f fixture) (int, error) { return f.SignOut(t.Context(), "bad") }, err: core.ErrTokenInvalid},
		{name: "sign-out with a bad refresh token", do: func(f fixture) (int, error) { return f.SignOutAll(t.Context(), "sprt_bad") }, err: core.ErrRefreshTokenInvalid},
		{name: "bad user id", do: func(f fixture) (int, error) { return f.RevokeAll(t.Context(), "a\nb", core.ReasonRevoked) }, err: core.ErrBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newTap()
				f := fixture{house: open(t, store)}
				settle(f.house)
				for range 3 {
					f.pairs = append(f.pairs, f.signIn("alice"))
					elapse(time.Second)
				}
				f.other = f.signIn("bob")
				f.trail.take()
				n, err := c.do(f)
				if n != c.n || !errors.Is(err, c.err) {
					t.Fatalf("%d, %v; want %d, %v", n, err, c.n, c.err)
				}
				look := func() {
					for i, p := range f.pairs {
						want := error(nil)
						if slices.Contains(c.ended, i) || c.name == "an access token" && i == 1 {
							want = core.ErrTokenRevoked
						}
						f.expectVerify(p, want)
					}
					f.expectVerify(f.other, nil)
				}
				look()
				elapse(time.Second) // signs of life are written, and the feed is read
				calls := store.counting()
				look()
				if got := calls(); got["load"] != 0 {
					t.Errorf("the guard asked the store: %v", got)
				}
				f.trail.expect(t, c.name, c.audits...)
				for i, p := range f.pairs {
					if slices.Contains(c.ended, i) {
						f.expectRefresh(p, core.ErrSessionEnded)
						if _, _, err := f.Find(t.Context(), p.RefreshToken); !errors.Is(err, core.ErrTokenNotFound) {
							t.Errorf("found: %v", err)
						}
						if _, err := f.RevokeToken(t.Context(), p.AccessToken); !errors.Is(err, core.ErrTokenNotFound) {
							t.Errorf("revoked again: %v", err)
						}
						if _, err := f.SignOutAll(t.Context(), p.AccessToken); !errors.Is(err, core.ErrTokenRevoked) {
							t.Errorf("a token that was taken away signs out everywhere: %v", err)
						}
					} else {
						f.expectVerify(f.refresh(p), nil)
					}
				}
			})
		})
	}
}

// One access token: the second time it is no news; the 9th takes all along.
func TestRevokingTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memstore.New())
		settle(h)
		pairs := []core.Pair{h.signIn("alice")}
		for range 9 {
			elapse(11 * time.Second)
			pairs = append(pairs, h.refresh(pairs[len(pairs)-1]))
		}
		for i := range 9 {
			h.expectVerify(pairs[9], nil)
			for want := 1; want >= 0; want-- {
				if n, err := h.RevokeToken(t.Context(), pairs[i].AccessToken); n != want || err != nil {
					t.Fatalf("token %d: %d, %v; want %d", i, n, err, want)
				}
			}
			h.expectVerify(pairs[i], core.ErrTokenRevoked)
		}
		h.expectVerify(pairs[9], core.ErrTokenRevoked)
		elapse(11 * time.Second)
		h.expectVerify(h.refresh(pairs[9]), nil)

		elapse(2 * time.Hour)
		if n, err := h.RevokeToken(t.Context(), pairs[9].AccessToken); n != 0 || err != nil {
			t.Errorf("an expired one: %d, %v", n, err)
		}
	})
}

// P25: signing in again in the second of a revoke-all works; older tokens do not.
func TestSignInInTheSecondOfARevokeAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memstore.New())
		settle(h)
		old := h.signIn("alice")
		if _, err := h.RevokeAll(t.Context(), "alice", core.ReasonPasswordChanged); err != nil {
			t.Fatal(err)
		}
		next := h.signIn("alice")
		for range 3 {
			h.expectVerify(old, core.ErrTokenRevoked)
			h.expectVerify(next, nil)
			elapse(time.Second)
		}
		h.expectRefresh(old, core.ErrSessionEnded)
		h.expectVerify(h.refresh(next), nil)
	})
}

// P26: a sign-in makes a session of its own and ends the browser's, whoever's it is.
func TestSignInReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memstore.New())
		alice, bob, kept := h.signIn("alice"), h.signIn("bob"), h.signIn("alice")
		h.trail.take()
		pair, err := h.SignIn(t.Context(), core.SignInRequest{
			Identity: core.Identity{UserID: "alice"},
			Replaces: []string{"", "garbage", alice.RefreshToken, alice.RefreshToken, alice.AccessToken, bob.RefreshToken},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, old := range []core.Pair{alice, bob, kept} {
			if pair.Session.ID == old.Session.ID {
				t.Error("a session id came twice")
			}
		}
		h.trail.expect(t, "replaced", "session_ended: replaced", "session_ended: replaced", "signed_in")
		h.expectVerify(alice, core.ErrTokenRevoked)
		h.expectVerify(bob, core.ErrTokenRevoked)
		h.expectVerify(kept, nil)
		h.expectVerify(pair, nil)
	})
}

func TestSignInErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		h := open(t, store, func(c *core.Config) { c.MaxSessions, c.SessionLimitPolicy = 1, core.RefuseNew })
		long := string(make([]byte, 129))
		for _, c := range []struct {
			name string
			r    core.SignInRequest
			want error
		}{
			{"no user", core.SignInRequest{}, core.ErrInternal},
			{"a control character", core.SignInRequest{Identity: core.Identity{UserID: "a\x00"}}, core.ErrInternal},
			{"a scope with a space", core.SignInRequest{Identity: core.Identity{UserID: "a", Scopes: []string{"b c"}}}, core.ErrInternal},
			{"an empty role", core.SignInRequest{Identity: core.Identity{UserID: "a", Roles: []string{""}}}, core.ErrInternal},
			{"claims that are no object", core.SignInRequest{Identity: core.Identity{UserID: "a", Claims: 7}}, core.ErrInternal},
			{"a claim of ours", core.SignInRequest{Identity: core.Identity{UserID: "a", Claims: map[string]string{"sub": "b"}}}, core.ErrInternal},
			{"claims and scopes that no token has room for", core.SignInRequest{Identity: core.Identity{
				UserID: "a", Scopes: slices.Repeat([]string{"0123456789abcdef"}, 120), Claims: map[string]string{"x": string(slices.Repeat([]byte("y"), 4000))},
			}}, core.ErrInternal},
			{"a client type out of its alphabet", core.SignInRequest{Identity: core.Identity{UserID: "a"}, Client: core.Client{ClientType: "Web"}}, core.ErrBadRequest},
			{"a device id that is too long", core.SignInRequest{Identity: core.Identity{UserID: "a"}, Client: core.Client{DeviceID: long}}, core.ErrBadRequest},
			{"a device name with a line break", core.SignInRequest{Identity: core.Identity{UserID: "a"}, Client: core.Client{DeviceName: "a\nb"}}, core.ErrBadRequest},
		} {
			if _, err := h.SignIn(t.Context(), c.r); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
			if l, err := store.Load(t.Context(), "a"); err != nil || !l.Version.IsZero() {
				t.Errorf("%s: something was committed: %+v, %v", c.name, l, err)
			}
		}
		h.trail.expect(t, "errors of the app")
		first := h.signIn("a")
		h.trail.take()
		if _, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "a"}}); !errors.Is(err, core.ErrTooManySessions) {
			t.Errorf("one too many: %v", err)
		}
		h.trail.expect(t, "one too many", "sign_in_refused")
		h.expectVerify(first, nil)
	})
}

func TestRefreshErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		h := open(t, store)
		pair, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "a"}, Client: core.Client{DeviceID: "d1"}})
		if err != nil {
			t.Fatal(err)
		}
		h.trail.take()
		calls := store.counting()
		try := func(token, device string, want error, audits ...string) {
			t.Helper()
			if _, err := h.Refresh(t.Context(), core.RefreshRequest{Token: token, DeviceID: device}); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			h.trail.expect(t, want.Error(), audits...)
		}
		try("", "", core.ErrRefreshTokenMissing)
		try("sprt_AQ", "", core.ErrRefreshTokenInvalid, "refresh_refused")
		try(pair.AccessToken, "", core.ErrRefreshTokenInvalid, "refresh_refused")
		try(pair.RefreshToken[:len(pair.RefreshToken)-1]+"?", "", core.ErrRefreshTokenInvalid, "refresh_refused")
		try(open(t, memstore.New(), func(c *core.Config) { c.Keys[0].Secret = testSecret("another") }).signIn("a").RefreshToken, "", core.ErrRefreshTokenInvalid, "refresh_refused")
		if n := calls(); n["load"]+n["commit"] != 0 {
			t.Errorf("the store was asked: %v", n)
		}
		try(pair.RefreshToken, "d2", core.ErrDeviceMismatch, "device_mismatch")
		second := h.refresh(pair)
		h.expectVerify(second, nil)
		elapse(11 * time.Second)
		h.trail.take()
		try(pair.RefreshToken, "d1", core.ErrRefreshTokenReused, "refresh_reused", "session_ended: reuse")
		try(pair.RefreshToken, "d1", core.ErrSessionEnded, "refresh_refused")
		h.expectVerify(second, core.ErrTokenRevoked)
	})
}
