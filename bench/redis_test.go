package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	atOnce  = 64
	perTurn = 2048 // tasks
)

// task is what one of those at once does, one time.
type task func(n int) error

// rival is a bare call on Redis, by the same client, that a task is compared with.
type rival struct {
	name string
	task
}

// BenchmarkRedisRefresh is POST /refresh by browsers, each with a session of its own
// that moves on every time, and with refresh cookie and device cookie. known says
// whether the process has seen the user's ledger before.
//
// get-set is a script that reads a value as long as the ledger and writes it again,
// commit the store's own with the arguments of such a refresh.
func BenchmarkRedisRefresh(b *testing.B) {
	for _, known := range []bool{true, false} {
		for _, sessions := range []int{1, 5} {
			b.Run(fmt.Sprintf("known=%t/sessions=%d", known, sessions), func(b *testing.B) {
				w := newOnRedis(b, 2*atOnce, sessions, known)
				besides(b, w, atOnce, w.own((*browser).refresh), rival{"get-set", w.getAndSet(b)}, rival{"commit", w.again(b, (*browser).refresh)})
			})
		}
	}
}

// BenchmarkRedisSignIn is POST /login by users who have as many sessions as they may:
// the oldest ends, and is revoked.
func BenchmarkRedisSignIn(b *testing.B) {
	w := newOnRedis(b, 2*atOnce, 5, true)
	besides(b, w, atOnce, w.own((*browser).login), rival{"get-set", w.getAndSet(b)}, rival{"commit", w.again(b, (*browser).login)})
}

// BenchmarkRedisList is the list of a user's five sessions, as a call and as
// GET /sessions, for each of so many users in turn: one after the other, or 64 at once.
//
// get is a script that returns the user's ledger.
func BenchmarkRedisList(b *testing.B) {
	for _, users := range []int{1, 1000, 20_000} {
		b.Run(fmt.Sprint("users=", users), func(b *testing.B) {
			w := newOnRedis(b, users, 5, true)
			w.arrive(b)
			for _, together := range []int{1, atOnce} {
				b.Run(fmt.Sprintf("call/at-once=%d", together), func(b *testing.B) {
					besides(b, w, together, w.inTurn(w.list), rival{"get", w.inTurn(w.ledger)})
				})
				b.Run(fmt.Sprintf("endpoint/at-once=%d", together), func(b *testing.B) {
					besides(b, w, together, w.inTurn(w.get("GET /auth/sessions")), rival{"get", w.inTurn(w.ledger)})
				})
			}
		})
	}
}

// BenchmarkRedisRequest is a guarded request with a token that was seen before, besides
// the script that returns a ledger: of one session here.
func BenchmarkRedisRequest(b *testing.B) {
	w := newOnRedis(b, atOnce, 1, true)
	w.arrive(b)
	for name, route := range map[string]string{"guarded": "GET /orders", "strict": "GET /orders/strict"} {
		b.Run(name, func(b *testing.B) {
			besides(b, w, atOnce, w.inTurn(w.get(route)), rival{"get", w.inTurn(w.ledger)})
		})
	}
}

// besides has a task and its rivals take turns, each by so many at once, and reports
// how many times as much the task takes as a rival: x of the time that passes, the
// median of all turns; cpu-x of this process's processor time; all-x of that and the
// server's.
func besides(b *testing.B, w *onRedis, together int, ours task, rivals ...rival) {
	sides := []*turns{{task: ours}}
	for _, r := range rivals {
		sides = append(sides, &turns{task: r.task})
	}
	for _, s := range sides {
		s.turn(b, w.client, together)
		*s = turns{task: s.task}
	}
	runtime.GC()
	for n := 0; b.Loop(); n++ {
		for i := range sides {
			sides[(n+i)%len(sides)].turn(b, w.client, together)
		}
	}
	for i, r := range rivals {
		theirs := sides[i+1]
		passed := make([]float64, len(theirs.passed))
		for n := range passed {
			passed[n] = float64(sides[0].passed[n]) / float64(theirs.passed[n])
		}
		b.ReportMetric(median(passed), "x-"+r.name)
		b.ReportMetric(float64(sides[0].worked)/float64(theirs.worked), "cpu-x-"+r.name)
		b.ReportMetric(float64(sides[0].worked+sides[0].served)/float64(theirs.worked+theirs.served), "all-x-"+r.name)
	}
	b.ReportMetric(0, "ns/op") // of all turns: it says nothing
}

// turns are those of one of several who take them.
type turns struct {
	task
	passed []time.Duration
	worked time.Duration // by this process
	served time.Duration // by the server
}

func (s *turns) turn(b *testing.B, client *redis.Client, together int) {
	errs := make([]error, together)
	var all sync.WaitGroup
	before, began, server := worked(), time.Now(), served(b, client)
	for n := range errs {
		all.Go(func() {
			for range perTurn / together {
				if errs[n] = s.task(n); errs[n] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	s.passed = append(s.passed, time.Since(began))
	s.worked += worked() - before
	s.served += served(b, client) - server
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
}

// own returns a task that is done for the account of the same number, so that nobody
// else does anything for it meanwhile.
func (w *onRedis) own(do func(*browser, *account) error) task {
	return func(n int) error { return do(w.browsers[n], w.accounts[n]) }
}

// inTurn returns a task that is done for all accounts in turn.
func (w *onRedis) inTurn(do func(*browser, *account) error) task {
	next := make([]int, atOnce)
	return func(n int) error {
		a := w.accounts[(n+next[n])%len(w.accounts)]
		next[n] += atOnce
		return do(w.browsers[n], a)
	}
}

func (w *onRedis) get(route string) func(*browser, *account) error {
	return func(b *browser, a *account) error { return b.get(route, a) }
}

func (w *onRedis) list(_ *browser, a *account) error {
	sessions, err := w.Sessions(context.Background(), a.user)
	if err == nil && len(sessions) != 5 {
		err = fmt.Errorf("got %d sessions, want 5", len(sessions))
	}
	return err
}

var (
	getScript    = redis.NewScript(`return redis.call('GET', KEYS[1])`)
	getSetScript = redis.NewScript(`redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1]) return 1`)
)

// ledger has the server return an account's ledger.
func (w *onRedis) ledger(_ *browser, a *account) error {
	text, err := getScript.Run(context.Background(), w.client, []string{a.key}).Text()
	if err == nil && text == "" {
		err = errors.New("no ledger")
	}
	return err
}

// getAndSet returns a task that reads a value as long as a ledger and writes it again.
func (w *onRedis) getAndSet(tb testing.TB) task {
	value, err := w.client.Get(tb.Context(), w.accounts[0].key).Result()
	if err != nil {
		tb.Fatal(err)
	}
	keys := make([][]string, atOnce)
	for n := range keys {
		keys[n] = []string{fmt.Sprint("get-set-", n)}
	}
	return func(n int) error {
		return getSetScript.Run(context.Background(), w.client, keys[n], value).Err()
	}
}

// again returns a task that has the store's own script do again what it did for an
// account, each time as another change of what the last one made. The accounts are the
// second half of all.
func (w *onRedis) again(tb testing.TB, do func(*browser, *account) error) task {
	const keys, id, before = 3, 5, 6 // where they are among a command's words
	commits := make([][]any, atOnce)
	for n := range commits {
		if err := do(w.browsers[n], w.accounts[len(w.accounts)-atOnce+n]); err != nil {
			tb.Fatal(err)
		}
		commits[n] = *w.commits.last.Load()
	}
	sent := make([]int, atOnce)
	return func(n int) error {
		c := commits[n]
		c[before] = c[id]
		c[id] = fmt.Sprintf("%016d", sent[n])
		sent[n]++
		reply, err := w.client.EvalSha(context.Background(), c[1].(string), []string{c[keys].(string), c[keys+1].(string)}, c[id:]...).Result()
		if err == nil && reply != int64(1) {
			err = errors.New("somebody else has changed the ledger")
		}
		return err
	}
}

// What the benchmarks on Redis compare does what they say it does.
func TestOnRedis(t *testing.T) {
	w := newOnRedis(t, 2*atOnce, 5, true)
	w.arrive(t)
	mine, theirs := w.accounts[0], w.accounts[atOnce]
	ledger := func(a *account) string { return w.client.Get(t.Context(), a.key).Val() }
	// changes is the account whose ledger the task changes, each time; nil: none.
	check := func(name string, task task, changes *account) {
		t.Helper()
		for range 2 {
			before := map[*account]string{mine: ledger(mine), theirs: ledger(theirs)}
			if err := task(0); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for a, was := range before {
				is := ledger(a)
				if changed := is != was; changed != (a == changes) {
					t.Errorf("%s: the ledger of %s changed: %t", name, a.user, changed)
				}
				if len(is) < len(was)*9/10 || len(is) > len(was)*11/10 {
					t.Errorf("%s: a ledger of %d bytes has %d", name, len(was), len(is))
				}
			}
		}
	}
	check("list", w.inTurn(w.list), nil)
	check("GET /sessions", w.inTurn(w.get("GET /auth/sessions")), nil)
	check("guarded", w.inTurn(w.get("GET /orders")), nil)
	check("strict", w.inTurn(w.get("GET /orders/strict")), nil)
	check("a script that gets", w.inTurn(w.ledger), nil)
	check("a script that gets and sets", w.getAndSet(t), nil)
	for name, do := range map[string]func(*browser, *account) error{"refresh": (*browser).refresh, "sign-in": (*browser).login} {
		check(name, w.own(do), mine)
		check("the script of a "+name, w.again(t, do), theirs)
	}
}
