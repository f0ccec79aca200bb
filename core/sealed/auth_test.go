package sealed_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/sealed"
	"github.com/sallyport-go/sallyport/memstore"
)

var signingKey = newKey("")

// newAuth is one process; it is closed when the test ends.
func newAuth(t *testing.T, store core.Store, audit func(core.Event)) *core.Auth {
	t.Helper()
	auth, err := core.New(core.Config{
		Store: store, Keys: []core.Key{{Secret: signingKey.Secret}},
		Audit: func(_ context.Context, e core.Event) { audit(e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return auth
}

func noAudit(core.Event) {}

var (
	phone  = core.Client{DeviceName: "Zoë's phone", IP: "192.0.2.7", UserAgent: "a browser on a phone"}
	laptop = core.Client{DeviceName: "work laptop", IP: "2001:db8::7", UserAgent: "a browser on a laptop"}
)

func signIn(t *testing.T, auth *core.Auth, client core.Client) core.Pair {
	t.Helper()
	p, err := auth.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}, Client: client})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// An app sees what it saw without the wrapper, and the store sees none of it.
func TestAuth(t *testing.T) {
	inner, keys := memstore.New(), []sealed.Key{newKey("a")}
	sealer := newSealer(t, keys...)
	var (
		mu     sync.Mutex
		events []core.Event
	)
	auth := newAuth(t, sealer.Store(inner), func(e core.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, sealer.Event(e))
	})
	pair := signIn(t, auth, phone)
	signIn(t, auth, laptop)
	moved := phone
	moved.IP = "198.51.100.9"
	next, err := auth.Refresh(t.Context(), core.RefreshRequest{Token: pair.RefreshToken, DeviceID: pair.Session.Device.ID, Client: moved})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := auth.Verify(t.Context(), next.AccessToken); err != nil {
		t.Fatal(err)
	}
	lists := func(auth *core.Auth) {
		t.Helper()
		sessions, err := auth.Sessions(t.Context(), "alice")
		if err != nil || len(sessions) != 2 {
			t.Fatalf("got %d sessions, error %v, want 2", len(sessions), err)
		}
		for _, s := range sessions {
			want := laptop
			if s.ID == pair.Session.ID {
				want = moved
			}
			if s.IP != want.IP || s.UserAgent != want.UserAgent || s.Device.Name != want.DeviceName {
				t.Errorf("got %q, %q, %q, want those of %+v", s.IP, s.UserAgent, s.Device.Name, want)
			}
		}
	}
	lists(auth)
	lists(newAuth(t, newSealer(t, keys...).Store(inner), noAudit)) // another process

	mu.Lock()
	defer mu.Unlock()
	all := fmt.Sprintf("%+v %+v", loadStore(t, inner, "alice"), events)
	for _, c := range []core.Client{phone, laptop, moved} {
		for _, text := range []string{c.IP, c.UserAgent, c.DeviceName} {
			if strings.Contains(all, text) {
				t.Errorf("%q is in the store or in an event", text)
			}
		}
	}
	if ip, err := sealer.Open("alice", sealed.IP, events[0].IP); ip != phone.IP || err != nil {
		t.Errorf("the address of the first event: got %q, %v", ip, err)
	}
}

// With the wrong keys nobody's sessions can be loaded, which is no refusal and
// changes nothing: with the right ones they are there again.
func TestAuthWithWrongKeys(t *testing.T) {
	inner, right := memstore.New(), newKey("a")
	pair := signIn(t, newAuth(t, newSealer(t, right).Store(inner), noAudit), phone)
	before := fmt.Sprintf("%#v", loadStore(t, inner, "alice"))

	for what, wrong := range map[string]sealed.Key{"another id": newKey("b"), "another secret": newKey("a")} {
		auth := newAuth(t, newSealer(t, wrong).Store(inner), noAudit)
		_, err1 := auth.Refresh(t.Context(), core.RefreshRequest{Token: pair.RefreshToken, DeviceID: pair.Session.Device.ID})
		_, err2 := auth.Sessions(t.Context(), "alice")
		_, err3 := auth.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
		for _, err := range []error{err1, err2, err3} {
			if !errors.Is(err, core.ErrStoreUnavailable) || !errors.Is(err, sealed.ErrSealed) {
				t.Errorf("%s: got error %v, want ErrStoreUnavailable for ErrSealed", what, err)
			}
		}
	}
	if after := fmt.Sprintf("%#v", loadStore(t, inner, "alice")); after != before {
		t.Errorf("the ledger was changed: got %s, want %s", after, before)
	}
	sessions, err := newAuth(t, newSealer(t, right).Store(inner), noAudit).Sessions(t.Context(), "alice")
	if err != nil || len(sessions) != 1 || sessions[0].IP != phone.IP {
		t.Errorf("with the right key again: got %+v, %v", sessions, err)
	}
}

// No client can have had a text with the prefix kept, in the time before the
// wrapper, that would now keep its user's ledger shut.
func TestClientsCanNotSendThePrefix(t *testing.T) {
	inner := memstore.New()
	before := newAuth(t, inner, noAudit)
	hostile := seal(newSealer(t, newKey("a")), "alice", sealed.UserAgent, "x")
	_, err := before.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}, Client: core.Client{DeviceName: hostile}})
	if !errors.Is(err, core.ErrBadRequest) {
		t.Errorf("as a device's name: got error %v, want ErrBadRequest", err)
	}
	signIn(t, before, core.Client{UserAgent: hostile})
	if agent := loadStore(t, inner, "alice").Sessions[0].UserAgent; agent == "" || strings.HasPrefix(agent, sealed.Prefix) {
		t.Errorf("core kept %q", agent)
	}
	store := newSealer(t, newKey("b")).Store(inner)
	loadStore(t, store, "alice")

	// With the wrapper on, whatever a record says is sealed like all else.
	var c core.Change
	l := loadStore(t, store, "alice")
	c.ID, c.If, c.Put = core.ID{1}, l.Version, l.Sessions
	c.Put[0].UserAgent = hostile
	commit(t, store, "alice", c)
	if got := loadStore(t, store, "alice").Sessions[0].UserAgent; got != hostile {
		t.Errorf("got %q, want %q", got, hostile)
	}
}
