package core

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// What is packed comes back, whatever is put, replaced and purged, as from a map.
func TestPackedSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type row struct {
			Until, Below uint32
			User, More   string
		}
		set, want := newPackedSet(), map[[16]byte]row{}
		text := rapid.SampledFrom([]string{"", "a", "alice", "someone-with-a-longer-name", string(make([]byte, 255))})
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			key := [16]byte{byte(rapid.IntRange(0, 40).Draw(t, "key"))}
			if rapid.IntRange(0, 20).Draw(t, "purge") == 0 {
				over := rapid.Uint32Range(0, 10).Draw(t, "over")
				set.purge(minute(over))
				for k, r := range want {
					if r.Until <= over {
						delete(want, k)
					}
				}
				continue
			}
			r := row{rapid.Uint32Range(0, 20).Draw(t, "until"), rapid.Uint32().Draw(t, "below"), text.Draw(t, "user"), text.Draw(t, "more")}
			set.put(packed{key: key, until: minute(r.Until), below: r.Below, user: []byte(r.User), more: []byte(r.More)})
			if old := want[key]; r.User == "" {
				r.User = old.User
			}
			if old := want[key]; r.More == "" {
				r.More = old.More
			}
			want[key] = r
		}
		rowOf := func(p packed) row { return row{uint32(p.until), p.below, string(p.user), string(p.more)} }
		got := map[[16]byte]row{}
		set.all(func(p packed) bool { got[p.key] = rowOf(p); return true })
		if d := cmp.Diff(want, got); d != "" || set.count != len(want) {
			t.Fatalf("%d held, -want +got:\n%s", set.count, d)
		}
		scanned := map[[16]byte]row{}
		for at := 0; at < len(set.records); {
			p, current, next := set.scan(at)
			if at = next; current {
				scanned[p.key] = rowOf(p)
			}
		}
		if d := cmp.Diff(want, scanned); d != "" {
			t.Fatalf("scanned, -want +got:\n%s", d)
		}
		for i := range 41 {
			p, ok := set.get([16]byte{byte(i)})
			if r, held := want[[16]byte{byte(i)}]; ok != held || ok && rowOf(p) != r {
				t.Fatalf("key %d: got %+v, %v, want %+v, %v", i, p, ok, r, held)
			}
		}
	})
}
