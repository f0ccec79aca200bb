package adaptertest_test

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sallyport-go/sallyport/core/adaptertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broken is an adapter with one mistake that somebody makes one day.
type broken struct {
	name string
	how  func(b *bent)
	// caught are the cases that have to fail; also are others of their groups
	// that may fail too, since they lean on what is broken or depend on who
	// comes first.
	caught []string
	also   []string
}

func TestAdapterThatKeepsTheRules(t *testing.T) {
	adaptertest.Run(t, bend(func(*bent) {}))
}

func TestBrokenAdaptersAreCaught(t *testing.T) {
	caught := map[string]bool{}
	for _, a := range slices.Concat(
		brokenRequests, brokenCookies, brokenParams, brokenBodies, brokenContexts,
		brokenResponses, brokenGuards, brokenMounts, brokenSignIns, brokenStepUps, brokenWatches,
	) {
		for _, name := range a.caught {
			caught[name] = true
		}
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			var groups []string
			for _, name := range a.caught {
				group, _, _ := strings.Cut(name, "/")
				groups = append(groups, group)
			}
			err := adaptertest.CheckGroups(bend(a.how), groups...)
			failed := failures(t, err)
			for _, name := range a.caught {
				if !slices.Contains(failed, name) {
					t.Errorf("case %s did not fail", name)
				}
			}
			for _, name := range failed {
				if !slices.Contains(a.caught, name) && !matches(a.also, name) {
					t.Errorf("case %s failed too", name)
				}
			}
			if t.Failed() {
				t.Log(err)
			}
		})
	}

	// A case that nobody has seen failing proves nothing.
	if err := adaptertest.Check(bend(func(*bent) {})); err != nil {
		t.Errorf("an adapter that is not bent: %v", err)
	}
	for _, name := range adaptertest.CaseNames() {
		if !caught[name] {
			t.Errorf("no broken adapter is caught by %s", name)
		}
	}
}

// The server's own address passes for the client's where both are 127.0.0.1.
func TestPeerAtTheWrongEnd(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.0.9:0"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("this machine has one loopback address: %v", err)
		}
		t.Skipf("this machine has one loopback address: %v", err)
	} else {
		l.Close()
	}
	wrong := bend(func(b *bent) {
		b.peer = func(r *http.Request) netip.Addr {
			return netip.MustParseAddrPort(r.Context().Value(http.LocalAddrContextKey).(net.Addr).String()).Addr()
		}
	})
	if failed := failures(t, adaptertest.CheckGroups(wrong, "request")); !slices.Equal(failed, []string{"request/peer"}) {
		t.Errorf("got failures %q, want request/peer", failed)
	}
}

// An adapter that can't be served breaks every case, and says why.
func TestServeFails(t *testing.T) {
	down := errors.New("no port is free")
	failed := failures(t, adaptertest.Check(adaptertest.Adapter{
		Serve: func(adaptertest.App) (string, func(), error) { return "", nil, down },
	}))
	if len(failed) != len(adaptertest.CaseNames()) {
		t.Errorf("got %d failures, want %d", len(failed), len(adaptertest.CaseNames()))
	}
}

// failures are the names of the cases that failed.
func failures(t *testing.T, err error) []string {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got error %v, want failures joined", err)
	}
	var names []string
	for _, err := range joined.Unwrap() {
		var f *adaptertest.Failure
		if !errors.As(err, &f) || f.Rule == "" || len(f.Seen) == 0 || !strings.Contains(f.Error(), f.Rule) {
			t.Fatalf("got %T %v, want a Failure that says what was seen", err, err)
		}
		names = append(names, f.Case)
	}
	return names
}

// matches reports whether name is one of the names, or of a group like "guard/".
func matches(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return n == name || strings.HasSuffix(n, "/") && strings.HasPrefix(name, n)
	})
}
