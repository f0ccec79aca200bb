package adaptertest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What a soak may find mixed up, each with its rule.
const (
	mixedAnswers    = "identity/answers"
	mixedCookies    = "identity/cookies"
	mixedPrincipals = "identity/principals"
	mixedSessions   = "identity/sessions"
	mixedEvents     = "identity/events"
	mixedKept       = "identity/kept"
)

var soakRules = []struct{ name, rule string }{
	{mixedAnswers, "An answer is to the request that it comes after, and tells of that request's user alone, whoever else used the connection before."},
	{mixedCookies, "The cookies of an answer, and the tokens in it, are those of the session that it tells of."},
	{mixedPrincipals, "The principal of a request is whom its own token speaks for, and nobody without one."},
	{mixedSessions, "What a session keeps of its client stays what that client sent: its address, User-Agent, device and client type."},
	{mixedEvents, "Who and what is named in an event stays the user, the session and the client that it is about."},
	{mixedKept, "A context and a principal that are kept past the handler go on saying what they said in it."},
}

// RunIdentity proves that no request sees another's identity: it sends that many
// requests of many users, in random order, over a few keep-alive connections,
// some pipelined, and looks at every answer, at every session and event, and at
// what handlers keep. A failure shows what was mixed up, and the seed. A few
// thousand requests find what is not copied; they take about a second.
func RunIdentity(t *testing.T, a Adapter, requests int) {
	n, err := rand.Int(rand.Reader, big.NewInt(1<<32))
	if err != nil {
		t.Fatal(err)
	}
	s := newSoak(a, n.Uint64(), requests)
	began := time.Now()
	s.run()
	t.Logf("%d requests of %d users over %d keep-alive connections (%d opened) in %.1fs, seed %d: %d mix-ups",
		s.sent.Load(), len(s.users), soakConns, s.dialed.Load(), time.Since(began).Seconds(), s.seed, s.mixUps())
	if err := s.failure(); err != nil {
		t.Error(err)
	}
}

// CheckIdentity is [RunIdentity] without a [testing.T], with a seed: what the
// users do follows from it, in which order the server gets to it does not. It
// returns nil, or all failures joined, each a *[Failure].
func CheckIdentity(a Adapter, requests int, seed uint64) error {
	s := newSoak(a, seed, requests)
	s.run()
	return s.failure()
}

const (
	soakConns   = 16
	soakClients = 16 // each with users of its own, on whatever connection is free
	soakUsers   = 8  // of one client
	soakShown   = 3  // examples of each kind of mix-up
)

// soak is one run.
type soak struct {
	*kit
	desk  *soakDesk
	site  *site
	seed  uint64
	users []*soakUser
	byID  map[string]*soakUser
	conns chan *conn

	left, sent, dialed atomic.Int64

	found sync.Mutex
	mixed map[string][]string // by rule, soakShown at most
	count int
}

func newSoak(a Adapter, seed uint64, requests int) *soak {
	s := &soak{
		kit:   &kit{adapter: a},
		seed:  seed,
		byID:  make(map[string]*soakUser),
		conns: make(chan *conn, soakConns),
		mixed: make(map[string][]string),
	}
	s.left.Store(int64(requests))
	return s
}

// mix records a mix-up.
func (s *soak) mix(rule, format string, args ...any) {
	s.found.Lock()
	defer s.found.Unlock()
	s.count++
	if len(s.mixed[rule]) < soakShown {
		s.mixed[rule] = append(s.mixed[rule], fmt.Sprintf(format, args...))
	}
}

func (s *soak) mixUps() int {
	s.found.Lock()
	defer s.found.Unlock()
	return s.count
}

// failure is all that was found, a rule at a time.
func (s *soak) failure() error {
	s.found.Lock()
	defer s.found.Unlock()
	var failures []error
	for _, r := range soakRules {
		if seen := s.mixed[r.name]; seen != nil {
			seen = append(slices.Clone(seen), fmt.Sprintf("(seed %d, %d requests)", s.seed, s.sent.Load()))
			failures = append(failures, &Failure{Case: r.name, Rule: r.rule, Seen: seen})
		}
	}
	if seen := s.kit.seen; seen != nil { // it did not come so far
		failures = append(failures, &Failure{Case: soakRules[0].name, Rule: soakRules[0].rule, Seen: seen})
	}
	return errors.Join(failures...)
}

func (s *soak) run() {
	// Nothing waits that long unless an adapter is broken.
	limit := patience + time.Duration(s.left.Load())*10*time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s.ctx = ctx
	defer s.clean()
	s.guarded(s.soak)
}

func (s *soak) soak() {
	s.desk = s.openDesk()
	clients := make([]*soakClient, soakClients)
	for i := range clients {
		clients[i] = s.client(i)
	}
	s.site = s.serve(s.desk.app())
	for range soakConns {
		s.conns <- s.dial()
	}
	var turns []func()
	for _, c := range clients {
		turns = append(turns, c.play)
	}
	s.parallel(turns...)
	s.wash()
	s.desk.auth.Close()
	for _, u := range s.users {
		if !u.out {
			s.look(u, true)
		}
	}
	s.desk.finish()
}

func (s *soak) dial() *conn {
	s.dialed.Add(1)
	return s.site.dial()
}

// take returns how many of n requests are still to be sent.
func (s *soak) take(n int) int {
	return int(max(0, min(int64(n), s.left.Add(-int64(n))+int64(n))))
}

// wash sends nobody's requests over every connection, so that what was kept of
// the last ones is written over as well.
func (s *soak) wash() {
	for range soakConns {
		c := <-s.conns
		for range 3 {
			if c == nil {
				c = s.dial()
			}
			a := c.ask(wireBody("POST", "/auth/login", `{"pad":"`+dirt+`"}`,
				"User-Agent: "+dirt, "X-Forwarded-For: "+dirt, "Cookie: device="+dirt+"; access="+dirt, "Content-Type: application/json"))
			if a.status != 400 {
				s.mix(mixedAnswers, "a login without a name: got %d %s, want 400", a.status, clip(a.body))
			}
			if a.last {
				c = nil
			}
		}
	}
}

// look compares a user's ledger with what its client has seen; devices: the
// known ones too.
func (s *soak) look(u *soakUser, devices bool) {
	l, err := s.desk.store.Load(s.ctx, u.id)
	if err != nil {
		s.fatalf("Load: %v", err)
	}
	wrong := func(what, got, want string) {
		u.out = true
		s.mix(mixedSessions, "of %s: %s: got %s, want %s", u.id, what, clip(fmt.Sprintf("%q", got)), clip(fmt.Sprintf("%q", want)))
	}
	if len(l.Sessions) != len(u.live) {
		wrong("sessions in the store", fmt.Sprint(len(l.Sessions)), fmt.Sprint(len(u.live)))
	}
	for _, got := range l.Sessions {
		want := u.stay(got.ID.String())
		if want == nil {
			wrong("a session in the store", got.ID.String(), "one of its own")
			continue
		}
		for _, f := range []struct{ what, got, want string }{
			{"User-Agent", got.UserAgent, want.agent},
			{"device", got.Device.ID, want.device},
			{"device name", got.Device.Name, want.name},
			{"client type", got.Device.ClientType, want.kind},
			{"address", got.IP, want.ip},
			{"scopes", fmt.Sprint(got.Scopes), fmt.Sprint([]string{u.scope})},
		} {
			if f.got != f.want {
				wrong(f.what, f.got, f.want)
			}
		}
	}
	if !devices {
		return
	}
	for _, d := range l.Devices {
		if n, ok := s.desk.owner(d.ID); !ok || n != u.n {
			wrong("a known device", d.ID, "one of its own")
		}
		if n, ok := ownerOf(cmp.Or(d.Name, u.scope)); !ok || n != u.n {
			wrong("a known device's name", d.Name, "one of its own")
		}
		if n, ok := ownerOfAddr(d.IP); !ok || n != u.n {
			wrong("a known device's address", d.IP, "one of its own")
		}
	}
}
