package core

import "testing"

// The refresh rule against a thief with a copy of the cookie, who is slow: more
// than a grace period lies between any two of the things that happen. The thief
// is found if, whatever both do, there is no way to go on for ever in which the
// thief and the victim are both served again and again.

// crime is one state of the server, the victim and the thief.
type crime struct {
	server server
	victim holder
	thief  holder
	stolen bool
}

// holder has tokens.
type holder struct {
	behind  int8 // the refresh token, at most 2
	current bool // the access token is the session's newest
}

type step struct {
	to             crime
	victim, robber bool // who was served
}

// next returns every step that may follow. prompt has the victim use an access
// token as soon as it arrives.
func (c crime) next(v *variant, prompt bool) []step {
	var out []step
	for range graceTick {
		c.server = c.server.older()
	}
	if !c.stolen {
		n := c
		n.stolen, n.thief = true, holder{behind: c.victim.behind}
		out = append(out, step{to: n})
	}
	use := func(n crime) crime {
		if n.server.seen == fresh {
			n.server.seen = 0
		}
		return n
	}
	if c.victim.current {
		out = append(out, step{to: use(c)})
	}
	if c.stolen && c.thief.current {
		out = append(out, step{to: use(c)})
	}
	refresh := func(thief bool) {
		who := c.victim
		if thief {
			who = c.thief
		}
		d := v.decide(c.server, who.behind)
		if !d.verdict.granted() {
			return // found: the session has ended
		}
		n := c
		n.server = d.server
		for _, h := range []*holder{&n.victim, &n.thief} {
			h.behind = min(h.behind+int8(d.gens), 2)
			h.current = h.current && d.serials == 0
		}
		got := holder{current: true}
		if thief {
			n.thief = got
		} else {
			n.victim = got
			if prompt {
				n = use(n)
			}
		}
		out = append(out, step{to: n, victim: !thief, robber: thief})
	}
	refresh(false)
	if c.stolen {
		refresh(true)
	}
	return out
}

// servedForEver reports whether some cycle of states serves both.
func (v *variant) servedForEver(prompt bool) (bool, int) {
	start := crime{server: server{moved: fresh, seen: fresh}}
	edges := map[crime][]step{}
	queue := []crime{start}
	for len(queue) > 0 {
		c := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if _, ok := edges[c]; ok {
			continue
		}
		edges[c] = c.next(v, prompt)
		for _, s := range edges[c] {
			queue = append(queue, s.to)
		}
	}
	part := components(edges)
	type served struct{ victim, thief bool }
	inside := map[int]served{}
	for c, steps := range edges {
		for _, s := range steps {
			if part[c] == part[s.to] {
				both := inside[part[c]]
				both.victim, both.thief = both.victim || s.victim, both.thief || s.robber
				inside[part[c]] = both
			}
		}
	}
	for _, both := range inside {
		if both.victim && both.thief {
			return true, len(edges)
		}
	}
	return false, len(edges)
}

// components numbers the strongly connected components (Tarjan 1972).
func components(edges map[crime][]step) map[crime]int {
	var (
		index = map[crime]int{}
		low   = map[crime]int{}
		part  = map[crime]int{}
		stack []crime
		count int
		visit func(crime)
	)
	visit = func(c crime) {
		index[c] = len(index) + 1
		low[c] = index[c]
		stack = append(stack, c)
		for _, s := range edges[c] {
			if index[s.to] == 0 {
				visit(s.to)
				low[c] = min(low[c], low[s.to])
			} else if part[s.to] == 0 {
				low[c] = min(low[c], index[s.to])
			}
		}
		if low[c] == index[c] {
			count++
			for {
				top := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				part[top] = count
				if top == c {
					break
				}
			}
		}
	}
	for c := range edges {
		if index[c] == 0 {
			visit(c)
		}
	}
	return part
}

// P13: whoever uses a copy outside the grace period is found.
func TestSlowThiefIsFound(t *testing.T) {
	whole := graced(theRule)
	for _, prompt := range []bool{true, false} {
		forEver, states := whole.servedForEver(prompt)
		if forEver {
			t.Errorf("victim uses tokens at once: %v: a thief is served for ever", prompt)
		}
		t.Logf("victim uses tokens at once: %v: found, %d states", prompt, states)
	}
}

func TestFindingThievesNeedsEveryPartOfTheRule(t *testing.T) {
	for _, c := range []struct {
		name   string
		prompt bool
	}{
		{"predecessor always", true},
		{"predecessor always", false},
		{"no late shut-out", true},
		{"no late shut-out", false},
		{"no limit on late replays", false},
	} {
		v := mutants[c.name]
		if forEver, states := v.servedForEver(c.prompt); !forEver {
			t.Errorf("%s, victim uses tokens at once: %v: found in %d states: the model can't tell", c.name, c.prompt, states)
		}
	}
}
