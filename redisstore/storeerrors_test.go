package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// guest is somebody who is signed in when Redis falls ill.
type guest struct {
	user     string
	pair     core.Pair
	root     core.Pair // an administrator's
	newcomer string    // who is not signed in
	unspoilt *site     // of which no call has reached Redis
}

// errand is something that needs the store.
type errand struct {
	name    string
	ends    bool // the guest's session, if all is well
	writes  bool
	without bool // it may be answered without the store
	late    bool // it is run when what was known of revocations is of no use any more
	do      func(s *site, g *guest) answer
}

var errands = []errand{
	{name: "login", writes: true, do: func(s *site, g *guest) answer {
		return s.request("POST", "/auth/login", fmt.Sprintf(`{"username":%q,"password":"x"}`, g.newcomer))
	}},
	{name: "login where somebody is signed in", writes: true, ends: true, do: func(s *site, g *guest) answer {
		return s.request("POST", "/auth/login", fmt.Sprintf(`{"username":%q,"password":"x"}`, g.newcomer), cookie("refresh_token", g.pair.RefreshToken))
	}},
	{name: "refresh", writes: true, do: func(s *site, g *guest) answer {
		return s.request("POST", "/auth/refresh", "", cookie("refresh_token", g.pair.RefreshToken))
	}},
	{name: "logout", writes: true, ends: true, do: func(s *site, g *guest) answer {
		return s.request("POST", "/auth/logout", "", cookie("refresh_token", g.pair.RefreshToken))
	}},
	{name: "logout by access token", writes: true, ends: true, do: func(s *site, g *guest) answer {
		return s.request("POST", "/auth/logout", "", bearer(g.pair.AccessToken))
	}},
	{name: "sessions", do: func(s *site, g *guest) answer {
		return s.request("GET", "/auth/sessions", "", bearer(g.pair.AccessToken))
	}},
	{name: "sessions/revoke", writes: true, ends: true, do: func(s *site, g *guest) answer {
		return s.request("POST", "/auth/sessions/revoke", fmt.Sprintf(`{"session_id":%q}`, g.pair.Session.ID), bearer(g.pair.AccessToken), cookie("refresh_token", g.pair.RefreshToken))
	}},
	{name: "admin logout", writes: true, ends: true, do: func(s *site, g *guest) answer {
		return s.request("POST", "/admin/users/"+g.user+"/logout", "", bearer(g.root.AccessToken))
	}},
	{name: "SignIn", writes: true, do: func(s *site, g *guest) answer {
		_, err := s.SignIn(s.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: g.newcomer}})
		return answered(err)
	}},
	{name: "SignIn, and the first call on Redis", writes: true, do: func(s *site, g *guest) answer {
		_, err := g.unspoilt.SignIn(s.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: g.newcomer}})
		return answered(err)
	}},
	{name: "Refresh", writes: true, do: func(s *site, g *guest) answer {
		_, err := s.Refresh(s.t.Context(), core.RefreshRequest{Token: g.pair.RefreshToken})
		return answered(err)
	}},
	{name: "Revoke", writes: true, ends: true, do: func(s *site, g *guest) answer {
		return answered(s.Revoke(s.t.Context(), g.user, g.pair.Session.ID, core.ReasonRevoked))
	}},
	{name: "guard, strict", do: func(s *site, g *guest) answer {
		return s.request("GET", "/strict", "", bearer(g.pair.AccessToken))
	}},
	{name: "guard, within the lease", without: true, do: func(s *site, g *guest) answer {
		return s.request("GET", "/page", "", bearer(g.pair.AccessToken))
	}},
	{name: "guard, when MaxDegraded is over", late: true, do: func(s *site, g *guest) answer {
		return s.request("GET", "/page", "", bearer(g.pair.AccessToken))
	}},
}

// P16: whatever Redis answers, what needs it is 503, with Retry-After and no cookie;
// and nobody is signed out by it.
func TestProofStoreErrorsAre503(t *testing.T) {
	server := redistest.Start(t)
	for i, ill := range slices.Concat(redistest.Refusals(), redistest.Nonsense(), redistest.Silences()) {
		for k, client := range []struct {
			name    string
			retries bool
			change  func(*redis.Options)
		}{
			{"no retries", false, func(o *redis.Options) { o.MaxRetries = -1 }},
			{"retries at once", true, func(o *redis.Options) { o.MinRetryBackoff, o.MaxRetryBackoff = -1, -1 }},
			{"retries", true, func(*redis.Options) {}},
		} {
			if !proof() && i%2 != k {
				continue
			}
			t.Run(ill.Name+", "+client.name, func(t *testing.T) {
				t.Parallel()
				w := &ward{t: t, keys: newKeys(), proxy: redistest.StartProxy(t, server.Addr), prefix: newID().String(), retries: client.retries}
				w.client = newClient(t, w.proxy.Addr(), client.change)
				for j, e := range errands {
					if (proof() || (i+j)%13 == 0) && (e.writes || len(ill.Honest) == 0) {
						w.try(e, ill)
					}
					if (proof() || (i+j)%13 == 1) && e.writes { // which fails after all has been read
						w.try(e, ill, "get")
					}
				}
			})
		}
	}
}

// ward is where errands are run on a Redis that is ill.
type ward struct {
	t      *testing.T
	keys   []core.Key
	proxy  *redistest.Proxy
	client *redis.Client
	prefix string
	// retries says that the client may send a command that failed again when the
	// call has long been answered.
	retries bool
	guests  int
}

const staleness = 100 * time.Millisecond // the least

// open starts a process with short patience.
func (w *ward) open() *site {
	store := openAt(w.t, w.client, redisstore.Options{Prefix: w.prefix, Timeout: 50 * time.Millisecond})
	return openSite(w.t, w.keys, store, func(c *core.Config) {
		c.StoreTimeout = 200 * time.Millisecond
		c.MaxStaleness = staleness
		c.MaxDegraded = staleness
	})
}

// try runs an errand while Redis is ill, but for some commands, and again when it is
// well.
func (w *ward) try(e errand, ill redistest.Behaviour, well ...string) {
	w.t.Helper()
	w.guests++
	g := &guest{user: fmt.Sprint("guest", w.guests), newcomer: fmt.Sprint("newcomer", w.guests), unspoilt: w.open()}
	s := w.open()
	defer s.Close()
	g.unspoilt.Close()
	for user, pair := range map[string]*core.Pair{g.user: &g.pair, "root-of-" + g.user: &g.root} {
		w.well(e, "at first", func() (err error) {
			*pair, err = s.SignIn(w.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}})
			return err
		})
	}
	works := func(token string) func() error {
		return func() error {
			_, err := s.Verify(w.t.Context(), token)
			return err
		}
	}
	w.well(e, "at first", works(g.pair.AccessToken))
	w.well(e, "at first", works(g.root.AccessToken))
	redistest.Eventually(w.t, func(context.Context) error {
		if s.Health().FeedAge < 0 {
			return errors.New("the feed was not read")
		}
		return nil
	})

	w.proxy.Misbehave(ill, well...)
	if fellIll := time.Now(); e.late {
		redistest.Eventually(w.t, func(context.Context) error { // and what was heard before vouches for as long
			if mode := s.Health().Mode; mode != core.ModeClosed || time.Since(fellIll) <= staleness {
				return fmt.Errorf("the mode is %s", mode)
			}
			return nil
		})
	}
	got := e.do(s, g)
	w.proxy.Heal()
	retry, _ := strconv.Atoi(got.header.Get("Retry-After"))
	tookPlace := ill.Reaches && slices.Contains(well, "get") // and a second look shows it
	switch {
	case got.status == http.StatusOK && (e.without || tookPlace):
	case got.status != http.StatusServiceUnavailable || got.code != core.ErrStoreUnavailable.Code:
		w.t.Errorf("%s: got %d %s, want 503 %s", e.name, got.status, got.code, core.ErrStoreUnavailable.Code)
	case got.header != nil && retry < 1:
		w.t.Errorf("%s: Retry-After is %q", e.name, got.header.Get("Retry-After"))
	}
	if set := got.header["Set-Cookie"]; set != nil && got.status != http.StatusOK {
		w.t.Errorf("%s: set the cookie %q", e.name, set)
	}

	// What was to end may have ended, if it is queued or the command took place.
	mayHaveEnded := e.ends && (ill.Reaches || w.retries || s.audited(core.EventRevocationQueued) > 0)
	if !mayHaveEnded {
		w.well(e, "afterwards", works(g.pair.AccessToken))
		w.well(e, "afterwards, strictly", func() error {
			if got := s.request("GET", "/strict", "", bearer(g.pair.AccessToken)); got.status != http.StatusOK {
				return &core.Error{Code: got.code, Status: got.status}
			}
			return nil
		})
		w.well(e, "afterwards", func() (err error) {
			_, err = s.Refresh(w.t.Context(), core.RefreshRequest{Token: g.pair.RefreshToken})
			return err
		})
		if n := s.audited(core.EventSessionEnded); n > 0 {
			w.t.Errorf("%s: %d sessions ended", e.name, n)
		}
	}
	if n := s.audited(core.EventReused, core.EventRefreshRefused, core.EventSignInRefused, core.EventDeviceMismatch); n > 0 {
		w.t.Errorf("%s: %d refusals were audited", e.name, n)
	}
	w.well(e, "once more", func() error {
		got := e.do(s, g)
		if got.status == http.StatusOK || mayHaveEnded && got.status != http.StatusServiceUnavailable {
			return nil
		}
		return &core.Error{Code: got.code, Status: got.status}
	})
	if !e.ends {
		return
	}
	redistest.Eventually(w.t, func(context.Context) error {
		_, err := s.Refresh(w.t.Context(), core.RefreshRequest{Token: g.pair.RefreshToken})
		if errors.Is(err, core.ErrSessionEnded) {
			return nil
		}
		return fmt.Errorf("%s: the session that was to end: %w", e.name, err)
	})
}

// well asks until the store answers, and fails if the answer is an error.
func (w *ward) well(e errand, when string, ask func() error) {
	w.t.Helper()
	redistest.Eventually(w.t, func(context.Context) error {
		err := ask()
		if err != nil && !errors.Is(err, core.ErrStoreUnavailable) {
			w.t.Errorf("%s, %s: %v", e.name, when, err)
			return nil
		}
		return err
	})
}
