package alike

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// run is what the sequences of a run share.
type run struct {
	dir    string // of the servers
	secret string // of all of them
}

// difference is where servers first differ.
type difference struct {
	at   int // in the sequence
	what string
}

// tally counts what was compared.
type tally struct {
	requests    int
	alike       int            // everything was the same
	byRoute     map[string]int // of those, the ones for a route
	allowed     map[string]int // by the name of the allowance
	statuses    map[int]int
	differences int
}

func newTally() *tally {
	return &tally{byRoute: make(map[string]int), allowed: make(map[string]int), statuses: make(map[int]int)}
}

// check says what was never compared. An allowance must not be all that there is
// to say of a route.
func (c *tally) check(t *testing.T) {
	t.Helper()
	for _, rt := range routes {
		if name := rt.method + " " + rt.path; c.byRoute[name] == 0 {
			t.Errorf("%s: no two answers were the same", name)
		}
	}
}

func (c *tally) log(t *testing.T) {
	t.Helper()
	matched := 0
	for _, n := range c.byRoute {
		matched += n
	}
	t.Logf("%d requests: %d the same in everything, %d of them for a route; %d differences", c.requests, c.alike, matched, c.differences)
	t.Logf("by status: %v", c.statuses)
	for _, rt := range slices.Sorted(maps.Keys(c.byRoute)) {
		t.Logf("%6d the same: %s", c.byRoute[rt], rt)
	}
	for _, a := range allowances {
		t.Logf("%6d allowed: %s (%s)", c.allowed[a.name], a.name, a.reason)
	}
}

// play starts servers, sends them a sequence, and returns where they differ.
func (x *run) play(ctx context.Context, t *testing.T, p *profile, list []*request, sum *tally) (*difference, error) {
	servers, err := start(ctx, t, x.dir, p, x.secret)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	for i, r := range list {
		got := make([]*answer, len(servers))
		views := make([]*view, len(servers))
		errs := make([]error, len(servers))
		var all sync.WaitGroup
		for i, s := range servers {
			all.Go(func() {
				if got[i], errs[i] = s.send(r); errs[i] != nil {
					return
				}
				s.known.asked = append(s.known.asked, window{r.id, got[i].from, got[i].to})
				views[i] = s.known.view(got[i])
				s.known.learn(r, got[i])
			})
		}
		all.Wait()
		for j, err := range errs {
			if err != nil {
				return nil, fmt.Errorf("%s: %w", servers[j].name, err)
			}
		}
		sum.requests++
		sum.statuses[got[0].status]++
		what := differ(servers, views)
		how, rt := r.fits()
		if what == "" {
			sum.alike++
			if how == matched && r.odd == "" {
				sum.byRoute[rt.method+" "+rt.path]++
			}
			continue
		}
		k := slices.IndexFunc(allowances, func(a allowance) bool { return a.covers(r, got, views) })
		if k < 0 {
			return &difference{i, what}, nil
		}
		sum.allowed[allowances[k].name]++
	}
	return nil, nil
}

// shrink drops what a difference does not need: requests, then headers of those
// that are left.
func (x *run) shrink(ctx context.Context, t *testing.T, p *profile, list []*request) []*request {
	tries := 60
	fails := func(list []*request) bool {
		if tries--; tries < 0 || len(list) == 0 {
			return false
		}
		found, err := x.play(ctx, t, p, list, newTally())
		return err == nil && found != nil
	}
	cut := func(list []*request) []*request { return list[len(list)-1:] }
	if fails(cut(list)) {
		list = cut(list)
	}
	for size := len(list) / 2; size > 0; size /= 2 {
		for at := 0; at+size < len(list); { // the last is the one that differs
			shorter := slices.Delete(slices.Clone(list), at, at+size)
			if fails(shorter) {
				list = shorter
			} else {
				at += size
			}
		}
	}
	for i := len(list) - 1; i >= 0; i-- {
		for j := len(list[i].headers) - 1; j > 0; j-- {
			r := *list[i]
			r.headers = slices.Delete(slices.Clone(r.headers), j, j+1)
			shorter := slices.Clone(list)
			shorter[i] = &r
			if fails(shorter) {
				list = shorter
			}
		}
	}
	return list
}

func show(list []*request) string {
	var b strings.Builder
	for _, r := range list {
		b.WriteString(r.String())
	}
	return b.String()
}

func (d *difference) String() string {
	if d == nil {
		return "no difference\n"
	}
	return fmt.Sprintf("request %d of those:\n%s", d.at+1, d.what)
}
