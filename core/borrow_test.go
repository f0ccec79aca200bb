package core_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/core"
)

// borrowing is a request whose headers are gone when the handler has returned.
type borrowing struct {
	visit
	buffer []byte
}

func borrow(token string) *borrowing {
	return &borrowing{visit{}, []byte("Bearer " + token)}
}

func (b *borrowing) BorrowHeader(name string) string {
	if name != "Authorization" {
		panic("nothing else is lent: " + name)
	}
	return unsafe.String(&b.buffer[0], len(b.buffer))
}

// reuse does to the buffer what the next request does.
func (b *borrowing) reuse(with string) { copy(b.buffer, "Bearer "+with) }

// A token that is looked up in a buffer of the framework's is not kept there:
// what another request writes into it changes nothing that is known.
func TestBorrowedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap(), withForeign)
		settle(h)
		tokens := map[string]string{
			"alice": h.signIn("alice").AccessToken,
			"bob":   issuedElsewhere(t, time.Now(), jwt.MapClaims{"sub": "bob", "jti": "1"}),
		}
		bad := strings.Repeat("A", len(tokens["alice"]))
		for user, token := range tokens {
			first := borrow(token)
			d := h.Guard().Check(first)
			expectDecision(t, "borrowed", d, user, nil, "")
			shown := fmt.Sprintf("%+v", *d.Principal)
			first.reuse(bad)
			if got := fmt.Sprintf("%+v", *d.Principal); got != shown {
				t.Errorf("the principal is now %s, was %s", got, shown)
			}
			expectDecision(t, "the same buffer, another token", h.Guard().Check(first), "", core.ErrTokenInvalid, invalidToken)
			expectDecision(t, "the same token in another", h.Guard().Check(borrow(token)), user, nil, "")
			expectDecision(t, "not borrowed", h.Guard().Check(bearing(token)), user, nil, "")
		}
		if n := h.CachedTokens(); n != len(tokens) {
			t.Errorf("%d tokens are kept, want %d", n, len(tokens))
		}

		// Refused, dropped and found expired by borrowed text as by any.
		revoked := borrow(tokens["alice"])
		if _, err := h.RevokeAll(t.Context(), "alice", core.ReasonRevoked); err != nil {
			t.Fatal(err)
		}
		expectDecision(t, "revoked", h.Guard().Check(revoked), "", core.ErrTokenRevoked, invalidToken)
		revoked.reuse(tokens["alice"][:8] + bad[8:])
		expectDecision(t, "revoked, elsewhere", h.Guard().Check(borrow(tokens["alice"])), "", core.ErrTokenRevoked, invalidToken)
		expectDecision(t, "bob is not", h.Guard().Check(borrow(tokens["bob"])), "bob", nil, "")
		elapse(2 * time.Hour)
		expectDecision(t, "expired", h.Guard().Check(borrow(tokens["bob"])), "", core.ErrTokenExpired, invalidToken)
		expectDecision(t, "still expired", h.Guard().Check(borrow(tokens["bob"])), "", core.ErrTokenExpired, invalidToken)
	})
}

// A known token in a borrowed header costs nothing.
func TestBorrowedTokenAllocations(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	h := still(t, newTap(), func() time.Time { return now })
	h.signIn("the first of all")
	now = now.Add(2 * time.Minute)
	r, guard := borrow(h.signIn("alice").AccessToken), h.Guard()
	h.ReadFeed(t.Context())
	check := func() {
		if d := guard.Check(r); d.Principal == nil {
			t.Fatal(string(d.Refusal.Body))
		}
	}
	check()
	h.FlushUses(t.Context())
	if n := testing.AllocsPerRun(1000, check); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// A user id that a call was given in a framework's buffer is not kept there: when
// the buffer holds something else, the record names the same user, and a
// revocation that the call confirmed holds before the feed has brought it.
func TestBorrowedUserID(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	store, clock := newTap(), func() time.Time { return now }
	h, other := still(t, store, clock), still(t, store, clock)
	first := h.signIn("the first of all")
	if err := h.Revoke(t.Context(), first.UserID, first.Session.ID, core.ReasonRevoked); err != nil {
		t.Fatal(err)
	}
	h.ReadFeed(t.Context()) // it begins with the first revocation
	now = now.Add(2 * time.Minute)
	alice, guard := h.signIn("alice").AccessToken, h.Guard()
	h.ReadFeed(t.Context())
	expectDecision(t, "before", guard.Check(bearing(alice)), "alice", nil, "")

	if n, err := other.RevokeAll(t.Context(), "alice", core.ReasonRevoked); n != 1 || err != nil {
		t.Fatalf("RevokeAll elsewhere: %d, %v", n, err)
	}
	for _, user := range []string{"alice", "the first of all"} {
		buffer := []byte(user)
		if n, err := h.RevokeAll(t.Context(), unsafe.String(&buffer[0], len(buffer)), core.ReasonRevoked); n != 0 || err != nil {
			t.Fatalf("RevokeAll: %d, %v", n, err)
		}
		clear(buffer) // what the next request brings
	}
	expectDecision(t, "before the feed is read", guard.Check(bearing(alice)), "", core.ErrTokenRevoked, invalidToken)

	h.signIn("alice")
	buffer := []byte("alice")
	if n, err := h.RevokeAll(t.Context(), unsafe.String(&buffer[0], len(buffer)), core.ReasonRevoked); n != 1 || err != nil {
		t.Fatalf("RevokeAll: %d, %v", n, err)
	}
	copy(buffer, "bobby")
	for _, e := range h.trail.events {
		if e.Name == core.EventSessionEnded && e.UserID == "bobby" {
			t.Errorf("the end of alice's session is audited as that of %q", e.UserID)
		}
	}
}

// What a sign-in and a refresh say is kept: none of it in a framework's buffer.
func TestBorrowedWords(t *testing.T) {
	var buffers [][]byte
	lend := func(s string) string {
		b := []byte(s)
		buffers = append(buffers, b)
		return unsafe.String(&b[0], len(b))
	}
	next := func() { // what the next request brings
		for _, b := range buffers {
			clear(b)
		}
	}
	h := open(t, newTap())
	pair, err := h.SignIn(t.Context(), core.SignInRequest{
		Identity: core.Identity{UserID: lend("alice"), Scopes: []string{lend("a")}, Roles: []string{lend("r")}, AMR: []string{lend("pwd")}},
		Client:   core.Client{DeviceID: lend("d1"), DeviceName: lend("laptop"), ClientType: lend("desktop"), IP: lend("192.0.2.1"), UserAgent: lend("agent 1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	next()
	expect := func(agent, ip string) {
		t.Helper()
		sessions, err := h.Sessions(t.Context(), "alice")
		if err != nil || len(sessions) != 1 {
			t.Fatalf("got %v, %v, want alice's session", sessions, err)
		}
		s := sessions[0]
		got := fmt.Sprint(s.Scopes, s.Roles, s.AMR, s.Device.ID, s.Device.Name, s.Device.ClientType, s.IP, s.UserAgent)
		if want := fmt.Sprint("[a] [r] [pwd]d1laptopdesktop", ip, agent); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	expect("agent 1", "192.0.2.1")
	if pair.UserID != "alice" {
		t.Errorf("the pair is of %q", pair.UserID)
	}

	if _, err := h.Refresh(t.Context(), core.RefreshRequest{
		Token: lend(pair.RefreshToken), DeviceID: lend("d1"), Client: core.Client{IP: lend("192.0.2.2"), UserAgent: lend("agent 2")},
	}); err != nil {
		t.Fatal(err)
	}
	next()
	expect("agent 2", "192.0.2.2")

	if err := h.Forget(t.Context(), lend("alice")); err != nil {
		t.Fatal(err)
	}
	next()
	for _, e := range h.trail.events {
		if said := e.UserID + e.DeviceID + e.IP + e.UserAgent; strings.Contains(said, "\x00") {
			t.Errorf("%s: it says %q", e.Name, said)
		}
	}
}
