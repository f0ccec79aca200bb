package core

import (
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// generator makes hostile tokens of one kind for a forger's key: never one that
// is in truth valid. With a token comes the reason for which it has to be
// refused; nil: any that is not its time.
type generator struct {
	name   string
	weight int         // share of all tokens; 0: 1
	only   []Algorithm // nil: all
	make   func(f *forger) (token string, why error)
}

// of reports whether the generator makes tokens of an algorithm.
func (g generator) of(alg Algorithm) bool { return g.only == nil || slices.Contains(g.only, alg) }

var hostileGenerators = slices.Concat(headerGenerators, payloadGenerators, textGenerators, signatureGenerators)

// tally counts what a verifier did.
type tally struct {
	hostile, accepted, valid, validAccepted int
	of                                      map[string]int // hostile ones, by generator
}

// Generated hostile tokens, of every algorithm: none is accepted, each is
// refused for its reason, none makes the verifier panic or ask a server, and
// every valid one in between is accepted (P1, P2, P3, P4, P5, P9).
// SALLYPORT_PROOF runs a million different ones.
func TestProofHostileTokens(t *testing.T) {
	want := 14_000
	if proof() {
		want = 1_000_000
	}
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()

	ring := hostileRing(t)
	var mu sync.Mutex
	all := tally{of: make(map[string]int)}
	t.Run("all", func(t *testing.T) {
		for i, key := range ring.keys {
			t.Run(string(key.alg), func(t *testing.T) {
				t.Parallel()
				f := newForger(t, ring, key, uint64(i))
				f.url = server.URL
				got := f.run((want + len(ring.keys) - 1) / len(ring.keys))
				t.Logf("%d hostile, %d accepted; %d valid, %d accepted", got.hostile, got.accepted, got.valid, got.validAccepted)
				mu.Lock()
				defer mu.Unlock()
				all.add(got)
			})
		}
	})
	for _, g := range hostileGenerators {
		algorithms := "every algorithm"
		if g.only != nil {
			algorithms = fmt.Sprint(g.only)
		}
		t.Logf("%7d  %s, %s", all.of[g.name], g.name, algorithms)
		if all.of[g.name] == 0 {
			t.Errorf("%s: made none", g.name)
		}
	}
	t.Logf("%d generators: %d hostile, %d accepted; %d valid, %d accepted", len(all.of), all.hostile, all.accepted, all.valid, all.validAccepted)
	if all.hostile < want || all.accepted != 0 || all.valid < want/8 || all.validAccepted != all.valid {
		t.Errorf("got %+v, want %d hostile ones and none accepted, %d valid ones and all accepted", all, want, want/8)
	}
	if len(all.of) != len(hostileGenerators) || len(all.of) < 20 {
		t.Errorf("%d names of %d generators, want at least 20, and each once", len(all.of), len(hostileGenerators))
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the verifier asked a server %d times", n)
	}
}

func (a *tally) add(b tally) {
	a.hostile += b.hostile
	a.accepted += b.accepted
	a.valid += b.valid
	a.validAccepted += b.validAccepted
	for name, n := range b.of {
		a.of[name] += n
	}
}

// run has the verifier look at n hostile tokens or a few more, all different,
// and at a valid one after every eighth.
func (f *forger) run(n int) tally {
	got := tally{of: make(map[string]int)}
	var list []generator
	shares := 0
	for _, g := range hostileGenerators {
		if g.of(f.key.alg) {
			g.weight = max(g.weight, 1)
			shares += g.weight
			list = append(list, g)
		}
	}
	seen, seed := make(map[uint64]bool, n), maphash.MakeSeed()
	for _, g := range list {
		f.calls = 0
		share := (n*g.weight + shares - 1) / shares
		faults, passed := 0, 0
		for got.of[g.name] < share {
			if f.calls > 5*share+1000 {
				f.t.Fatalf("%s: makes the same tokens again and again", g.name)
			}
			token, why := f.next(g)
			id := maphash.String(seed, token)
			if seen[id] {
				continue
			}
			seen[id] = true
			accepted, fault := f.refused(token, why)
			if accepted {
				passed++
			}
			if fault != "" {
				if faults++; faults <= 2 {
					f.t.Errorf("%s: %s: %.2000q", g.name, fault, token)
				}
			}
			got.of[g.name]++
			if got.hostile++; got.hostile%8 == 0 {
				got.valid++
				if f.acceptsValid() {
					got.validAccepted++
				}
			}
		}
		if got.accepted += passed; faults > 0 {
			f.t.Errorf("%s: %d of %d accepted, %d others wrongly refused", g.name, passed, share, faults-passed)
		}
	}
	return got
}

// verify calls the verifier, with the leeway that the generator asked for.
func (f *forger) verify(token string) (c *accessClaims, panicked any, err error) {
	defer func() { panicked = recover() }()
	v := tokenVerifier(f.ring)
	v.leeway = f.leeway
	c, err = v.verify(token, tokenTime)
	return c, nil, err
}

// refused shows a hostile token to the verifier. The fault is empty if it was
// refused as it has to be.
func (f *forger) refused(token string, why error) (accepted bool, fault string) {
	c, panicked, err := f.verify(token)
	expired := errors.Is(err, ErrTokenExpired)
	switch {
	case panicked != nil:
		return false, fmt.Sprint("panicked: ", panicked)
	case err == nil:
		return true, "accepted"
	case !expired && !errors.Is(err, ErrTokenInvalid):
		return false, fmt.Sprint("neither invalid nor expired: ", err)
	case expired != (c != nil):
		return false, fmt.Sprintf("claims %+v came with %v", c, err)
	case why == nil && expired, why != nil && !errors.Is(err, why):
		return false, fmt.Sprintf("got %v, want %v", err, why)
	}
	return false, ""
}

// acceptsValid shows a valid token to the verifier.
func (f *forger) acceptsValid() bool {
	f.valid++
	f.begin(f.valid)
	form := validForms[f.below(len(validForms))]
	token, want := form.make(f)
	got, panicked, err := f.verify(token)
	if err != nil || panicked != nil || !reflect.DeepEqual(got, want) {
		f.t.Errorf("valid, %s: %v %v\n got %+v\nwant %+v\n%.2000q", form.name, err, panicked, got, want, token)
	}
	return err == nil && panicked == nil
}

// validForms are what whoever has the key may write, though the ring does not.
var validForms = []struct {
	name string
	make func(f *forger) (string, *accessClaims)
}{
	{"as minted", func(f *forger) (string, *accessClaims) {
		return f.signed(object(f.header()), f.payload), f.claims
	}},
	{"a header in another order, with white space", func(f *forger) (string, *accessClaims) {
		h := f.header()
		slices.Reverse(h)
		return f.signed(strings.ReplaceAll(object(h), ",", " ,\r\n\t"), f.payload), f.claims
	}},
	{"an escaped header", func(f *forger) (string, *accessClaims) {
		h := f.header()
		h[0].name, h[1].value = f.escaped(h[0].name), `"`+f.escaped(f.key.id)+`"`
		return f.signed(object(h), f.payload), f.claims
	}},
	{"the longest header", func(f *forger) (string, *accessClaims) {
		h := object(f.header())
		return f.signed(h+strings.Repeat(" ", accessHeaderMax-len(h)), f.payload), f.claims
	}},
	{"a payload in another order, with white space", func(f *forger) (string, *accessClaims) {
		list := f.members()
		f.rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return f.signed(object(f.header()), strings.ReplaceAll(object(list), `,"`, " ,\n\t\r\"")), f.claims
	}},
	{"an escaped value", func(f *forger) (string, *accessClaims) {
		return f.signed(object(f.header()), object(put(f.members(), "sub", `"`+f.escaped(f.claims.Subject)+`"`))), f.claims
	}},
	{"an app's claim more", func(f *forger) (string, *accessClaims) {
		f.claims.App = append(f.claims.App[:len(f.claims.App)-1], `,"zz":{"a":[null,1.50],"exp":1}}`...)
		return f.signed(object(f.header()), object(append(f.members(), member{"zz", `{"exp": 1, "a": [null, 1.50]}`}))), f.claims
	}},
	{"no claim but those required", func(f *forger) (string, *accessClaims) {
		c := f.claims
		c.Device, c.DeviceType, c.ClientType, c.Scopes, c.Roles, c.AMR, c.App = "", "", "", nil, nil, nil, nil
		return f.signed(object(f.header()), string(encoded(f.t, c))), c
	}},
	{"the first moment", func(f *forger) (string, *accessClaims) {
		f.leeway = leeways[f.below(len(leeways))]
		f.claims.IssuedAt = tokenTime.Truncate(time.Second).Add(f.leeway)
		return f.signed(object(f.header()), string(encoded(f.t, f.claims))), f.claims
	}},
	{"the last moment", func(f *forger) (string, *accessClaims) {
		f.leeway = leeways[f.below(len(leeways))]
		f.claims.ExpiresAt = tokenTime.Truncate(time.Second).Add(time.Second - f.leeway)
		return f.signed(object(f.header()), string(encoded(f.t, f.claims))), f.claims
	}},
	{"the greatest numbers", func(f *forger) (string, *accessClaims) {
		c := f.claims
		c.Serial, c.ExpiresAt, c.Subject = AllSerials-1, time.Unix(secondsMax, 0).UTC(), strings.Repeat("u", userIDMax)
		return f.signed(object(f.header()), string(encoded(f.t, c))), c
	}},
	{"the longest token", func(f *forger) (string, *accessClaims) {
		return f.signed(object(f.header()), f.padded(accessTokenMax)), f.claims
	}},
}

var leeways = []time.Duration{0, time.Second, maxLeeway}
