package core

import (
	"math/rand/v2"
	"testing"
)

// What the generators make, of every algorithm, and damaged on top of it, is
// refused without a panic, unless that makes the valid token again (P1, P9).
func FuzzHostileToken(f *testing.F) {
	r := hostileRing(f)
	var forgers []*forger
	for i, key := range r.keys {
		forgers = append(forgers, newForger(f, r, key, uint64(i)))
	}
	for i := range hostileGenerators {
		f.Add(uint8(i), uint8(i), uint16(i), uint16(0), "")
		f.Add(uint8(i+1), uint8(i), uint16(7*i), uint16(99*i), "A")
	}
	f.Fuzz(func(t *testing.T, algorithm, generator uint8, call, at uint16, damage string) {
		h := forgers[int(algorithm)%len(forgers)]
		g := hostileGenerators[int(generator)%len(hostileGenerators)]
		if !g.of(h.key.alg) {
			return
		}
		h.t, h.calls, h.rnd = t, int(call), rand.New(rand.NewPCG(uint64(call), 0))
		token, why := h.next(g)
		if damage == "" {
			if _, fault := h.refused(token, why); fault != "" {
				t.Fatalf("%s: %s: %q", g.name, fault, token)
			}
			return
		}
		i := int(at) % (len(token) + 1)
		for _, token := range []string{token[:i] + damage + token[i:], token[:i] + damage + token[min(i+len(damage), len(token)):], token[:i] + damage} {
			_, panicked, err := h.verify(token)
			if panicked != nil || err == nil && token != h.token && token != h.other {
				t.Errorf("%s: accepted %v, panicked %v: %q", g.name, err == nil, panicked, token)
			}
		}
	})
}
