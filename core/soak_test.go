package core_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// liveHeap returns the bytes that are in use.
func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers and pools held
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// soak is a site and all that happens to it.
type soak struct {
	*house
	rnd   *mathrand.Rand
	guard *core.Guard
	live  []core.Pair // what the regulars' clients hold
	done  map[string]int
}

const soakUsers = 200 // who come again and again

// hour is what happens in one hour, in four steps.
func (s *soak) hour() {
	for step := range 4 {
		for range 6 {
			s.signInAgain()
			s.guest()
		}
		s.clients()
		for range 5 {
			s.endOne(step)
		}
		s.clients()
		for _, token := range s.hostile() {
			if d := s.guard.Check(bearing(token)); d.Refusal == nil {
				s.t.Fatalf("a hostile token got in: %.100s", token)
			}
			s.done["hostile tokens refused"]++
		}
		elapse(15 * time.Minute)
	}
}

// check presents an access token and reports whether it is good.
func (s *soak) check(token string) bool {
	d := s.guard.Check(bearing(token))
	switch {
	case d.Refusal == nil:
		s.done["let in"]++
	case d.Refusal.Status == 401:
		s.done["refused"]++
	default:
		s.t.Fatalf("answered %s", d.Refusal.Body)
	}
	return d.Refusal == nil
}

// clients have every client present its access token and, when that is refused,
// its refresh token. Most give up when that is refused as well.
func (s *soak) clients() {
	held := s.live[:0]
	for _, p := range s.live {
		stays := s.check(p.AccessToken)
		if !stays {
			p, stays = s.refreshed(p)
		}
		if stays || s.rnd.IntN(4) == 0 {
			held = append(held, p)
		}
	}
	clear(s.live[len(held):])
	s.live = held
}

func (s *soak) signInAgain() {
	n := s.rnd.IntN(soakUsers)
	p, err := s.SignIn(s.t.Context(), core.SignInRequest{
		Identity: core.Identity{UserID: fmt.Sprint("regular-", n), Scopes: []string{"a"}, Claims: tenantClaims{Tenant: "acme"}},
		Client:   core.Client{DeviceID: fmt.Sprint("device-", s.rnd.IntN(4)), IP: "192.0.2.1", UserAgent: "Mozilla/5.0"},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.live = append(s.live, p)
	s.done["sign-ins"]++
}

// guest is somebody who comes once and is deleted.
func (s *soak) guest() {
	p := s.signIn("guest-" + rand.Text())
	s.check(p.AccessToken)
	if err := s.Forget(s.t.Context(), p.UserID); err != nil {
		s.t.Fatal(err)
	}
	s.check(p.AccessToken)
	s.done["guests"]++
}

// refreshed returns what a client holds after a refresh, and whether it still
// has a session.
func (s *soak) refreshed(p core.Pair) (core.Pair, bool) {
	next, err := s.Refresh(s.t.Context(), core.RefreshRequest{Token: p.RefreshToken})
	switch {
	case err != nil && !asRefusal(err):
		s.t.Fatal(err)
	case err != nil:
		s.done["refreshes refused"]++
		return p, false
	case s.rnd.IntN(20) == 0:
		s.done["replies lost"]++
		return p, true
	}
	s.done["refreshes"]++
	return next, true
}

func asRefusal(err error) bool {
	var e *core.Error
	return errors.As(err, &e) && e.Status < 500
}

// endOne ends sessions in one of the ways there are.
func (s *soak) endOne(way int) {
	p := s.live[s.rnd.IntN(len(s.live))]
	ctx, err := s.t.Context(), error(nil)
	switch way % 6 {
	case 0:
		err = s.Revoke(ctx, p.UserID, p.Session.ID, core.ReasonRevoked)
	case 1:
		_, err = s.RevokeToken(ctx, p.AccessToken)
	case 2:
		_, err = s.SignOut(ctx, p.RefreshToken, p.AccessToken)
	case 3:
		_, err = s.RevokeOthers(ctx, p.UserID, p.Session.ID, core.ReasonPasswordChanged)
	case 4:
		_, err = s.RevokeToken(ctx, issuedElsewhere(s.t, time.Now(), jwt.MapClaims{"sub": p.UserID, "jti": rand.Text()}))
	case 5:
		_, err = s.Trim(ctx, p.UserID, 2)
	}
	if err != nil && !asRefusal(err) {
		s.t.Fatal(err)
	}
	s.done["revocations"]++
}

// hostile returns tokens of which none is any good, and each is another.
func (s *soak) hostile() []string {
	good := s.live[s.rnd.IntN(len(s.live))]
	parts := strings.Split(good.AccessToken, ".")
	out := []string{good.RefreshToken, strings.Repeat("a", 9000), "sprt_" + rand.Text(), rand.Text()}
	for range 20 {
		junk := rand.Text() + rand.Text()
		out = append(out,
			parts[0]+"."+parts[1]+"."+junk[:43],
			parts[0]+"."+junk+"."+parts[2],
			junk+"."+parts[1]+"."+parts[2],
			good.AccessToken+junk[:4],
			"eyJhbGciOiJub25lIn0."+parts[1]+"."+junk,
		)
	}
	return out
}

// noteMany fills up what is kept of the last 100,000 sessions, which would take
// more days.
func (s *soak) noteMany() {
	for n := 0; n < 99_000; {
		ids := make([]core.ID, 1000)
		for i := range ids {
			ids[i] = randomID(s.t)
		}
		n = s.NoteSessions(ids)
	}
}

// P39: memory and goroutines stay what they are after the first day, however
// many come and go, and Close leaves no goroutine behind.
func TestProofSoak(t *testing.T) {
	const (
		mostHeap    = 512 << 10 // more than after the first day
		mostWorkers = 0
	)
	days := proofOr(30, 2)
	synctest.Test(t, func(t *testing.T) {
		before := runtime.NumGoroutine()
		s := &soak{rnd: mathrand.New(mathrand.NewPCG(1, 2)), done: map[string]int{}}
		s.house = open(t, memstore.New(), withForeign, func(c *core.Config) {
			c.AccessTTL, c.RefreshTTL, c.SessionTTL = 30*time.Minute, 3*time.Hour, 6*time.Hour
			c.RetireAccess = time.Minute
			c.TokenCacheBytes, c.MaxRevocations = 1<<20, 2_000
			c.MaxStaleness = 20 * time.Second // fewer reads of the feed: a day is long
			c.Audit = func(context.Context, core.Event) {}
		})
		s.guard = s.Guard()
		settle(s.house)
		var heap int64
		workers := 0
		for day := range days {
			for range 24 {
				s.hour()
			}
			s.noteMany()
			s.CachedTokens() // what the cache does in the background is done
			synctest.Wait()
			switch got := liveHeap(); {
			case day == 0:
				heap, workers = got, runtime.NumGoroutine()
				t.Logf("after a day: %d KiB, %d goroutines", heap>>10, workers-before)
			case got > heap+mostHeap:
				t.Fatalf("day %d: %d KiB, %d more than after the first", day+1, got>>10, (got-heap)>>10)
			case day == days-1:
				t.Logf("after %d days: %d KiB, %d goroutines", days, got>>10, runtime.NumGoroutine()-before)
			}
			if n := runtime.NumGoroutine(); n > workers+mostWorkers {
				t.Fatalf("day %d: %d goroutines, %d after the first", day+1, n, workers)
			}
		}
		if h := s.Health(); h.Degraded {
			t.Errorf("health %+v", h)
		}
		t.Log(s.done)
		if err := s.Close(); err != nil { // a goroutine that stays keeps the bubble from ending
			t.Error(err)
		}
	})
}

// P39: the cache keeps to its size, whatever tokens are like, and forged ones
// take no room in it.
func TestTokenCacheIsBounded(t *testing.T) {
	const size = 2 << 20
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, filler := range []int{0, 500, 5900} {
		h := still(t, memstore.New(), func() time.Time { return now }, withForeign, func(c *core.Config) { c.TokenCacheBytes = size })
		tokens := make([]string, 2*size/(filler*2+768))
		for i := range tokens {
			tokens[i] = issuedElsewhere(t, now, jwt.MapClaims{"sub": fmt.Sprint("user-", i), "scope": "a b", "filler": strings.Repeat("x", filler)})
		}
		before := liveHeap()
		for _, token := range tokens {
			if _, err := h.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			_, _ = h.Verify(t.Context(), token[:len(token)-8]+"AAAAAAAA")
		}
		kept := h.CachedTokens()
		took := liveHeap() - before
		t.Logf("tokens of %d bytes: %d of %d kept, in %d KiB", len(tokens[0]), kept, len(tokens), took>>10)
		if took > size*5/4 || kept < len(tokens)/8 || kept >= len(tokens) {
			t.Errorf("tokens of %d bytes: %d of %d kept, in %d KiB of %d", len(tokens[0]), kept, len(tokens), took>>10, size>>10)
		}
		runtime.KeepAlive(tokens)
		runtime.KeepAlive(h)
	}
}
