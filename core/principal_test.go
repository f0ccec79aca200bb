package core_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// A context carries its principal and what it was made from.
func TestWithPrincipal(t *testing.T) {
	type key struct{}
	alice, bob := &core.Principal{UserID: "alice"}, &core.Principal{UserID: "bob"}
	parent, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "kept"))
	defer cancel()
	for name, from := range map[string]context.Context{
		"Background": context.Background(), "TODO": context.TODO(), "the app's": parent,
		"another principal's": core.WithPrincipal(context.Background(), bob),
	} {
		ctx := core.WithPrincipal(from, alice)
		child, end := context.WithTimeout(context.WithValue(ctx, key{}, "own"), time.Hour)
		for what, c := range map[string]context.Context{"itself": ctx, "a child": child, "a child without its end": context.WithoutCancel(child)} {
			if got := core.FromContext(c); got != alice {
				t.Errorf("%s, %s: got %v, want alice", name, what, got)
			}
			if got, _ := c.Value(core.PrincipalKey{}).(*core.Principal); got != alice {
				t.Errorf("%s, %s: by the key: got %v, want alice", name, what, got)
			}
		}
		if got, want := ctx.Value(key{}), from.Value(key{}); got != want {
			t.Errorf("%s: another value: got %v, want %v", name, got, want)
		}
		if got := ctx.Value("sallyport"); got != nil {
			t.Errorf("%s: a value that nobody put there: %v", name, got)
		}
		if _, ok := ctx.Deadline(); ok || ctx.Err() != nil || (ctx.Done() == nil) != (from.Done() == nil) {
			t.Errorf("%s: it ends otherwise than what it was made from", name)
		}
		asJSON, err := json.Marshal(ctx)
		if text := fmt.Sprintf("%v %+v %#v %v %s", ctx, ctx, core.WithPrincipal(context.Background(), alice), child, asJSON); err == nil && strings.Contains(text, "alice") {
			t.Errorf("%s: printed it shows the user: %s", name, text)
		}
		end()
		if child.Err() == nil {
			t.Errorf("%s: a child does not end", name)
		}
	}
	cancel()
	if core.WithPrincipal(parent, alice).Err() == nil {
		t.Error("it does not end with what it was made from")
	}
	for _, ctx := range []context.Context{context.Background(), core.WithPrincipal(context.Background(), alice)} {
		if got := core.FromContext(core.WithPrincipal(ctx, nil)); got != nil {
			t.Errorf("nobody: got %v", got)
		}
	}
	if got := core.FromContext(context.Background()); got != nil {
		t.Errorf("no context of ours: got %v", got)
	}
}

// On a framework that has no context of its own the principal costs nothing.
func TestWithPrincipalAllocations(t *testing.T) {
	alice := &core.Principal{UserID: "alice"}
	if n := testing.AllocsPerRun(1000, func() {
		if core.FromContext(core.WithPrincipal(context.Background(), alice)) != alice {
			t.Fatal("not alice")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
