package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// lossy is a process whose replies from Redis get lost, beside one that hears all.
type lossy struct {
	t            *testing.T
	proxy        *redistest.Proxy
	site, beside *site
	trials       int
	cut          func(n int, user string) <-chan int
}

// P20: wherever the reply of Redis is cut, to a load or to a commit, nobody is taken
// for a thief, no refresh token has two successors, and who tries again gets on.
func TestProofLostReplies(t *testing.T) {
	server := redistest.Start(t)
	for name, retries := range map[string]int{"the client retries": 0, "the client does not retry": -1} {
		for deed, try := range map[string]func(*lossy, int) int{
			"refresh": (*lossy).refresh, "sign in": (*lossy).signIn, "revoke": (*lossy).revoke,
		} {
			for _, reply := range []string{"load", "commit", "commit that conflicts"} {
				t.Run(fmt.Sprintf("%s, %s, %s", deed, reply, name), func(t *testing.T) {
					t.Parallel()
					keys, prefix := newKeys(), newID().String()
					proxy := redistest.StartProxy(t, server.Addr)
					open := func(addr string) *site {
						client := newClient(t, addr, func(o *redis.Options) {
							o.MaxRetries, o.MinRetryBackoff, o.MaxRetryBackoff = retries, time.Millisecond, time.Millisecond
						})
						s := openSite(t, keys, openAt(t, client, redisstore.Options{Prefix: prefix}))
						t.Cleanup(func() { s.Close() })
						return s
					}
					l := &lossy{t: t, proxy: proxy, site: open(proxy.Addr()), beside: open(server.Addr)}
					l.beside.signIn("somebody") // from here on the server has the script
					l.cut = func(n int, user string) <-chan int {
						key := ":u:" + user
						commits := redistest.Command(key, "evalsha", "eval")
						switch reply {
						case "load":
							return proxy.CutReplyAfter(n, redistest.Command(key, "get"))
						case "commit":
							return proxy.CutReplyAfter(n, commits)
						}
						return proxy.CutReplyAfter(n, func(words []string) bool {
							if !commits(words) {
								return false
							}
							if _, err := l.beside.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}}); err != nil {
								t.Errorf("the process beside: %v", err)
							}
							return true
						})
					}
					step := 8
					for n, length := 0, 0; n <= length; n += step {
						length = try(l, n)
						if t.Failed() {
							t.Fatalf("after %d of %d bytes of the reply", n, length)
						}
						if proof() || length < step {
							step = 1
						}
					}
					for _, s := range []*site{l.site, l.beside} {
						if n := s.audited(core.EventReused, core.EventDeviceMismatch, core.EventRecovered); n > 0 {
							t.Errorf("%d refreshes were taken for something else", n)
						}
					}
					t.Logf("%d replies were cut", l.trials)
				})
			}
		}
	}
}

// newUser returns one whom nobody knows.
func (l *lossy) newUser() string {
	l.trials++
	return fmt.Sprint("user", l.trials)
}

// lost returns how long the reply was that was lost.
func (l *lossy) lost(happened <-chan int) int {
	l.t.Helper()
	select {
	case length := <-happened:
		return length
	default:
		l.t.Fatal("no reply was cut")
		return 0
	}
}

// again repeats what failed as a store that is away makes it fail, until it does not.
func (l *lossy) again(err error, do func() error) error {
	l.t.Helper()
	if !errors.Is(err, core.ErrStoreUnavailable) {
		return err
	}
	redistest.Eventually(l.t, func(context.Context) error {
		if err = do(); errors.Is(err, core.ErrStoreUnavailable) {
			return err
		}
		return nil
	})
	return err
}

func (l *lossy) refresh(n int) int {
	user := l.newUser()
	first := l.beside.signIn(user)
	cut := l.cut(n, user)
	var answers []core.Pair
	ask := func(s *site, token string) func() error {
		return func() error {
			pair, err := s.Refresh(l.t.Context(), core.RefreshRequest{Token: token})
			if err == nil {
				answers = append(answers, pair)
			}
			return err
		}
	}
	expect := func(who string, err error) {
		if err != nil {
			l.t.Errorf("%s: %v", who, err)
		}
	}
	asks := ask(l.site, first.RefreshToken)
	expect("the client", l.again(asks(), asks))
	length := l.lost(cut)
	expect("the client, again", asks())
	expect("another tab", ask(l.beside, first.RefreshToken)())
	if len(answers) == 0 {
		return length
	}
	expect("the successor", ask(l.beside, answers[0].RefreshToken)())
	for _, pair := range answers {
		if pair.RefreshToken != answers[0].RefreshToken || pair.Session.Gen != first.Session.Gen+1 {
			l.t.Errorf("two successors: generations %d and %d", answers[0].Session.Gen, pair.Session.Gen)
		}
		_, err := l.beside.Verify(l.t.Context(), pair.AccessToken)
		expect("the access token", err)
	}
	return length
}

func (l *lossy) signIn(n int) int {
	user := l.newUser()
	cut := l.cut(n, user)
	var pair core.Pair
	tries := 0
	do := func() (err error) {
		tries++
		pair, err = l.site.SignIn(l.t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}})
		return err
	}
	if err := l.again(do(), do); err != nil {
		l.t.Errorf("sign in: %v", err)
	}
	length := l.lost(cut)
	if _, err := l.beside.Refresh(l.t.Context(), core.RefreshRequest{Token: pair.RefreshToken}); err != nil {
		l.t.Errorf("the session: %v", err)
	}
	sessions, err := l.beside.Sessions(l.t.Context(), user)
	mine := 0
	for _, s := range sessions {
		if s.ID == pair.Session.ID {
			mine++
		}
	}
	if others := l.audits(user) - 1; err != nil || mine != 1 || len(sessions) > tries+others {
		l.t.Errorf("%d sessions after %d tries, %d of them this one, %v", len(sessions), tries, mine, err)
	}
	return length
}

// audits returns how many sign-ins of a user were acknowledged.
func (l *lossy) audits(user string) int {
	n := 0
	for _, s := range []*site{l.site, l.beside} {
		s.mu.Lock()
		for _, e := range s.events {
			if e.Name == core.EventSignedIn && e.UserID == user {
				n++
			}
		}
		s.mu.Unlock()
	}
	return n
}

func (l *lossy) revoke(n int) int {
	user := l.newUser()
	ends, stays := l.beside.signIn(user), l.beside.signIn(user)
	cut := l.cut(n, user)
	do := func() error { return l.site.Revoke(l.t.Context(), user, ends.Session.ID, core.ReasonRevoked) }
	err := do()
	length := l.lost(cut)
	again := l.again(err, do)
	if again != nil && !(errors.Is(err, core.ErrStoreUnavailable) && errors.Is(again, core.ErrSessionNotFound)) { // which the first has ended
		l.t.Errorf("revoke: %v, and then %v", err, again)
	}
	redistest.Eventually(l.t, func(context.Context) error {
		_, refresh := l.beside.Refresh(l.t.Context(), core.RefreshRequest{Token: ends.RefreshToken})
		_, verify := l.beside.Verify(l.t.Context(), ends.AccessToken)
		if !errors.Is(refresh, core.ErrSessionEnded) || !errors.Is(verify, core.ErrTokenRevoked) {
			return fmt.Errorf("the session that was revoked: %w, %w", refresh, verify)
		}
		return nil
	})
	if _, err := l.beside.Refresh(l.t.Context(), core.RefreshRequest{Token: stays.RefreshToken}); err != nil {
		l.t.Errorf("the other session: %v", err)
	}
	return length
}
