package redisstore_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// The session in the package comment is what redis-cli shows.
func TestLookingAtIt(t *testing.T) {
	redistest.Need(t, "redis-cli")
	server := redistest.Start(t)
	_, port, _ := net.SplitHostPort(server.Addr)
	auth, err := core.New(core.Config{
		Store: openAt(t, server.Client(t), redisstore.Options{}),
		Keys:  []core.Key{{Secret: []byte(newID().String() + newID().String())}},
		Audit: func(context.Context, core.Event) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	var pair core.Pair
	for range 2 {
		if pair, err = auth.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := auth.Revoke(t.Context(), "alice", pair.Session.ID, core.ReasonSignedOut); err != nil {
		t.Fatal(err)
	}

	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(source), "// # Looking at it\n")
	commands := 0
	for said := range strings.SplitSeq(section, "//\t$ ") {
		command, said, _ := strings.Cut(said, "\n")
		if !strings.HasPrefix(command, "redis-cli ") {
			continue // what stands before the first
		}
		commands++
		said, _, _ = strings.Cut(said, "//\n")
		said = strings.ReplaceAll(said, "//\t", "")
		out, err := exec.Command("sh", "-c", strings.Replace(command, "redis-cli", "redis-cli --no-raw -p "+port, 1)).CombinedOutput()
		if err != nil {
			t.Fatal(command, err, string(out))
		}
		if got, want := shape(string(out)), shape(said); got != want {
			t.Errorf("$ %s\ngot:\n%swant something like:\n%s", command, out, said)
		}
	}
	if commands < 5 {
		t.Errorf("got %d commands in the package comment", commands)
	}
}

var (
	quoted = regexp.MustCompile(`"(\\.|[^"\\])*"`)
	name   = regexp.MustCompile(`^"[a-z]*"$`)
	digits = regexp.MustCompile(`[0-9]+`)
)

// shape is text without the values in it.
func shape(text string) string {
	text = quoted.ReplaceAllStringFunc(text, func(s string) string {
		if name.MatchString(s) {
			return s
		}
		return `"..."`
	})
	return digits.ReplaceAllString(text, "0")
}
