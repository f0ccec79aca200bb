package nethttpauth_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport-go/sallyport/core"
)

// A model of who is signed in, against random histories of two users and an
// admin over HTTP: one, others and all end exactly those (P24).

// step is one request of a history: what is done, by which of all sessions that
// ever began, and to which.
type step struct {
	What, By, To int
}

// entry is what the model knows of a session.
type entry struct {
	held
	live bool
}

// history plays steps.
type history struct {
	*site
	entries []*entry // oldest first
}

const historyCap = 4

// steps are the requests of a history. Each returns an answer and whom it ends.
var steps = []struct {
	name string
	do   func(h *history, by, to *entry) (a answer, ends func(*entry) bool)
}{
	{"sign in", func(h *history, by, to *entry) (answer, func(*entry) bool) {
		return h.begin(to.user, func(*entry) bool { return false })
	}},
	{"sign in, in its browser", func(h *history, by, to *entry) (answer, func(*entry) bool) {
		return h.begin(to.user, by.is, refreshCookie(by.token()))
	}},
	{"refresh", func(h *history, by, to *entry) (answer, func(*entry) bool) {
		a := h.post("/refresh", refreshBody(by.token()))
		if by.live != (a.status == 200) {
			return a, nil
		}
		if by.live {
			by.held = held{a.pair(), by.user, by.older}
		}
		return a, func(*entry) bool { return false }
	}},
	{"sign out", func(h *history, by, to *entry) (answer, func(*entry) bool) {
		return h.post("/logout", "", bearer(by.AccessToken)), by.is
	}},
	{"sign out two", func(h *history, by, to *entry) (answer, func(*entry) bool) {
		return h.post("/logout", refreshBody(to.token()), bearer(by.AccessToken)), func(e *entry) bool { return by.is(e) || to.is(e) }
	}},
	{"sign out everywhere", func(h *history, by, to *entry) (answer, func(*entry) bool) {
		return h.post("/logout-all", "", bearer(by.AccessToken)), by.whole
	}},
	{"sign out all", func(h *history, by, to *entry) (answer, func(*entry) bool) {
		return h.post("/logout", `{"all":true}`, refreshCookie(by.token())), by.whole
	}},
	{"revoke one", func(h *history, by, to *entry) (answer, func(*entry) bool) {
		return h.post("/sessions/revoke", `{"session_id":"`+to.Session.ID+`"}`, bearer(by.AccessToken)), func(e *entry) bool { return by.live && by.user == to.user && to.is(e) }
	}},
	{"revoke the others", func(h *history, by, to *entry) (answer, func(*entry) bool) {
		return h.post("/sessions/revoke-all", "", bearer(by.AccessToken)), func(e *entry) bool { return by.whole(e) && !by.is(e) }
	}},
	{"admin: sign out", func(h *history, by, to *entry) (answer, func(*entry) bool) {
		return h.admin("POST", "/users/"+to.user+"/logout", "", bearer(by.AccessToken)), func(e *entry) bool { return by.may() && e.user == to.user }
	}},
	{"admin: trim", func(h *history, by, to *entry) (answer, func(*entry) bool) {
		var old []*entry
		for _, e := range slices.Backward(h.entries) {
			if e.live && e.user == to.user {
				old = append(old, e)
			}
		}
		old = old[min(2, len(old)):]
		return h.admin("POST", "/users/"+to.user+"/trim", `{"keep":2}`, bearer(by.AccessToken)), func(e *entry) bool { return by.may() && slices.Contains(old, e) }
	}},
	{"admin: revoke a session", func(h *history, by, to *entry) (answer, func(*entry) bool) {
		return h.admin("POST", "/tokens/revoke", sessionBody(to.user, to.Session.ID), bearer(by.AccessToken)), func(e *entry) bool { return by.may() && to.is(e) }
	}},
	{"admin: revoke a refresh token", func(h *history, by, to *entry) (answer, func(*entry) bool) {
		return h.admin("POST", "/tokens/revoke", tokenBody(to.token()), bearer(by.AccessToken)), func(e *entry) bool { return by.may() && to.is(e) }
	}},
}

func (e *entry) is(o *entry) bool    { return e == o }
func (e *entry) whole(o *entry) bool { return e.live && e.user == o.user }
func (e *entry) may() bool           { return e.live && e.user == "root" }

// begin signs a user in. Beyond the cap the oldest that stays ends as well.
func (h *history) begin(user string, replaced func(*entry) bool, parts ...part) (answer, func(*entry) bool) {
	pass(time.Second) // no two are of one age
	a := h.post("/login", `{"username":"`+user+`","password":"pw"}`, parts...)
	p := a.pair()
	var stay []*entry
	for _, e := range h.entries {
		if e.live && e.user == user && !replaced(e) {
			stay = append(stay, e)
		}
	}
	stay = stay[max(0, len(stay)+1-historyCap):]
	h.entries = append(h.entries, &entry{held{p, user, p.AccessToken}, true})
	begun := h.entries[len(h.entries)-1]
	return a, func(e *entry) bool {
		return replaced(e) || e.user == user && e != begun && !slices.Contains(stay, e)
	}
}

// play returns what went wrong, or "".
func (h *history) play(list []step) string {
	for _, user := range []string{"alice", "bob", "root"} {
		h.begin(user, func(*entry) bool { return false })
	}
	for i, step := range list {
		by, to := h.entries[step.By%len(h.entries)], h.entries[step.To%len(h.entries)]
		kind := steps[step.What%len(steps)]
		a, ends := kind.do(h, by, to)
		if ends == nil {
			return fmt.Sprintf("step %d, %s: by a session that is alive, %v: got %d %s", i, kind.name, by.live, a.status, a.body)
		}
		n := 0
		var over []*entry
		for _, e := range h.entries {
			if e.live && ends(e) {
				over = append(over, e)
				n++
			}
		}
		for _, e := range over {
			e.live = false
		}
		if want := fmt.Sprintf(`"revoked":%d`, n); a.status == 200 && strings.Contains(a.body, `"revoked"`) && !strings.Contains(a.body, want) {
			return fmt.Sprintf("step %d, %s: got %s, want %s", i, kind.name, a.body, want)
		}
		if wrong := h.differs(); wrong != "" {
			return fmt.Sprintf("step %d, %s by %s (session %d, alive %v) to %s (session %d): %s", i, kind.name, by.user, slices.Index(h.entries, by), by.live, to.user, slices.Index(h.entries, to), wrong)
		}
	}
	return ""
}

// differs returns where the site is not what the model says, or "".
func (h *history) differs() string {
	want := map[string][]string{} // newest first
	for _, e := range slices.Backward(h.entries) {
		if e.live {
			want[e.user] = append(want[e.user], e.Session.ID)
		}
	}
	for i, e := range h.entries {
		a := h.do("GET", "/sessions", "", bearer(e.AccessToken))
		if e.live != (a.status == 200) {
			return fmt.Sprintf("%s's session %d is alive, %v: got %d %s", e.user, i, e.live, a.status, a.body)
		}
		if !e.live {
			continue
		}
		var list struct {
			Sessions []struct{ ID string }
			Count    int
		}
		if err := json.Unmarshal([]byte(a.body), &list); err != nil {
			return err.Error()
		}
		var got []string
		for _, s := range list.Sessions {
			got = append(got, s.ID)
		}
		if !slices.Equal(got, want[e.user]) || list.Count != len(got) {
			return fmt.Sprintf("%s sees %q, count %d, want %q", e.user, got, list.Count, want[e.user])
		}
	}
	return ""
}

func TestProofHistories(t *testing.T) {
	rounds := 1
	if os.Getenv("SALLYPORT_PROOF") != "" {
		rounds = 50 // of 100
	}
	one := rapid.Custom(func(t *rapid.T) step {
		return step{
			rapid.IntRange(0, len(steps)-1).Draw(t, "what"),
			rapid.IntRange(0, 63).Draw(t, "by"),
			rapid.IntRange(0, 63).Draw(t, "to"),
		}
	})
	for range rounds {
		rapid.Check(t, func(rt *rapid.T) {
			list := rapid.SliceOfN(one, 1, 25).Draw(rt, "steps")
			wrong := ""
			onSite(t, func(c *core.Config) { c.MaxSessions = historyCap }, func(_ *testing.T, s *site) {
				h := &history{site: s}
				wrong = h.play(list)
			})
			if wrong != "" {
				rt.Fatal(wrong)
			}
		})
	}
}
