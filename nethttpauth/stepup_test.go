package nethttpauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// gated gives a site two users with a second factor, whose code is their name
// backwards, and the app's own route POST /app/code.
func gated(s *site) {
	for user := range s.users {
		id := s.users[user]
		id.StepUp = true
		s.users[user] = id
	}
	s.mux.HandleFunc("POST /app/code", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Pending, Code, Device, Delivery string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		pair, err := nethttpauth.StepUp(w, r, s.auth, core.StepUpForm{
			Pending: body.Pending, DeviceID: body.Device, Delivery: body.Delivery,
			Verify: func(_ context.Context, user string) ([]string, error) {
				if body.Code == "panic" {
					panic("the app's own")
				}
				if body.Code != user+"'s code" {
					return nil, core.ErrInvalidCredentials
				}
				return []string{"otp"}, nil
			},
		})
		if err != nil {
			nethttpauth.Write(w, s.auth.Problem(err))
			return
		}
		nethttpauth.Write(w, pair.Response())
	})
}

// pendingOf checks that a login waits, byte for byte, and returns what for.
func (a answer) pendingOf() string {
	a.t.Helper()
	var p struct{ Pending, Detail string }
	_ = json.Unmarshal([]byte(a.body), &p)
	want := fmt.Sprintf(`{"type":"about:blank","title":"Unauthorized","status":401,"code":"STEP_UP_REQUIRED","detail":%q,"pending":%q,"expires_in":300}`, p.Detail, p.Pending)
	if a.status != 401 || !strings.HasPrefix(p.Pending, "sppt_") {
		a.t.Fatalf("%s: got %d %s, want 401 with what waits", a.asked, a.status, a.body)
	}
	a.equal(want)
	a.is("Content-Type", "application/problem+json")
	a.is("Cache-Control", "no-store")
	a.is("Retry-After", "")
	a.is("WWW-Authenticate", "")
	return p.Pending
}

func code(pending, user, more string) string {
	return fmt.Sprintf(`{"pending":%q,"code":%q%s}`, pending, user+"'s code", more)
}

func TestLoginStepUp(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		gated(s)
		login := s.post("/login", `{"username":"alice","password":"pw"}`)
		pending, device := login.pendingOf(), login.cookie("device")
		if set := login.header.Values("Set-Cookie"); len(set) != 1 || device == "" || !strings.Contains(set[0], "Max-Age=34560000; HttpOnly; SameSite=Lax") {
			t.Errorf("cookies %q, want that of the device alone", set)
		}
		own := cookie("device", device)
		s.post("/refresh", "", refreshCookie(pending)).refused(401, "REFRESH_TOKEN_INVALID")
		s.post("/refresh", refreshBody(pending)).refused(401, "REFRESH_TOKEN_INVALID")
		s.do("GET", "/sessions", "", bearer(pending)).refused(401, "TOKEN_INVALID")
		s.post("/logout", "", bearer(pending)).refused(401, "TOKEN_INVALID")
		before := s.ledgers()

		s.ask("POST", "/app/code", code(pending, "alice", ""), own, header("Sec-Fetch-Site", "cross-site")).refused(403, "CROSS_SITE")
		s.ask("POST", "/app/code", code(pending, "alice", ""), own, header("Origin", "https://evil.example")).refused(403, "CROSS_SITE")
		s.ask("POST", "/app/code", code(pending, "alice", `,"delivery":"pigeon"`), own).refused(400, "BAD_REQUEST")
		s.ask("POST", "/app/code", code(pending, "alice", `,"device":"a\u0007"`)).refused(400, "BAD_REQUEST")
		s.unchanged("what is refused before it is looked at", before)

		other := s.post("/login", `{"username":"bob","password":"pw"}`)
		s.ask("POST", "/app/code", code(pending, "alice", "")).of("no cookie").refused(401, "INVALID_CREDENTIALS")
		s.ask("POST", "/app/code", code(pending, "alice", ""), cookie("device", other.cookie("device"))).of("another's cookie").refused(401, "INVALID_CREDENTIALS")
		s.ask("POST", "/app/code", code(pending, "bob", ""), own).of("wrong").refused(401, "INVALID_CREDENTIALS")
		s.ask("POST", "/app/code", strings.Replace(code(pending, "x", ""), "x's code", "panic", 1), own).of("panicking").refused(500, "INTERNAL")

		pass(13 * time.Second) // the user may try again
		a := s.ask("POST", "/app/code", code(pending, "alice", ""), own).ok()
		p := a.pair()
		if p.Cookie == "" || p.RefreshToken != "" || a.cookie("device") == "" {
			t.Errorf("cookies %q, body %s", a.header.Values("Set-Cookie"), a.body)
		}
		s.alive("completed", p, true)
		s.post("/refresh", "", refreshCookie(p.Cookie), cookie("device", a.cookie("device"))).ok()
		s.ask("POST", "/app/code", code(pending, "alice", ""), own).of("twice").refused(401, "INVALID_CREDENTIALS")
	})
}

// The id of a device is no secret: it is in tokens and in lists. Only the cookie proves
// that one is that device.
func TestStepUpOnTheWordOfADevice(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		gated(s)
		login := s.post("/login", `{"username":"alice","password":"pw"}`)
		pending := login.pendingOf()
		id := s.ledgers()["alice"].Pending[0].Session.Device.ID
		s.ask("POST", "/app/code", code(pending, "alice", `,"device":"`+id+`"`)).refused(401, "INVALID_CREDENTIALS")
		s.ask("POST", "/app/code", code(pending, "alice", `,"delivery":"body","device":"`+id+`"`)).refused(401, "INVALID_CREDENTIALS")
		s.ask("POST", "/app/code", code(pending, "alice", ""), cookie("device", login.cookie("device"))).ok()
	})
}

// A client without cookies gets its tokens in the body, and has its own word for itself.
func TestStepUpInBody(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		gated(s)
		old := s.ask("POST", "/app/code", code(s.post("/login", `{"username":"alice","password":"pw","delivery":"body"}`).pendingOf(), "alice", `,"delivery":"body"`)).ok().pair()
		login := s.post("/login", `{"username":"alice","password":"pw","delivery":"body","device_id":"phone 1"}`)
		pending := login.pendingOf()
		login.cookies()
		s.ask("POST", "/app/code", code(pending, "alice", `,"delivery":"body","device":"phone 2"`)).refused(401, "INVALID_CREDENTIALS")
		a := s.ask("POST", "/app/code", code(pending, "alice", `,"delivery":"body","device":"phone 1"`), refreshCookie(old.RefreshToken)).ok()
		a.cookies("refresh_token=; Path=" + prefix + "; Max-Age=0; HttpOnly; SameSite=Lax")
		p := a.pair()
		if p.RefreshToken == "" || p.Session.Device.ID != "phone 1" {
			t.Errorf("got %s", a.body)
		}
		s.alive("completed", p, true)
		s.alive("that the client had", old, false)
	})
}

// P16: a store that is away is 503, and sets no cookie.
func TestStepUpStoreDown(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		gated(s)
		login := s.post("/login", `{"username":"alice","password":"pw"}`)
		pending := login.pendingOf()
		s.store.down.Store(true)
		s.ask("POST", "/app/code", code(pending, "alice", ""), cookie("device", login.cookie("device"))).refused(503, "STORE_UNAVAILABLE")
		s.store.down.Store(false)
		pass(3 * time.Second)
		s.ask("POST", "/app/code", code(pending, "alice", ""), cookie("device", login.cookie("device"))).ok()
	})
}

// A login that is watched may have to wait as well: the device has its cookie then.
func TestWatchedStepUp(t *testing.T) {
	onSite(t, func(c *core.Config) {
		acceptForeign(c)
		c.Risk.StepUp = 1
		c.Scorer = always(50)
	}, func(t *testing.T, s *site) {
		gated(s)
		watched(s, func(w http.ResponseWriter, _ *http.Request) { loginAnswer(w, foreignToken(t, "alice", nil)) })
		login := s.post("/theirs", "")
		pending := login.pendingOf()
		if login.cookie("refresh_token") != "" || login.cookie("device") == "" {
			t.Fatalf("cookies %q, want that of the device", login.header.Values("Set-Cookie"))
		}
		s.ask("POST", "/app/code", code(pending, "alice", ""), cookie("device", login.cookie("device"))).ok()
	})
}

type always int

func (score always) Score(context.Context, core.Evidence) (core.Risk, error) {
	return core.Risk{Score: int(score)}, nil
}

// D9: whoever tries too often is refused with a time to wait, right or wrong.
func TestTooManyRequests(t *testing.T) {
	limited := func(t *testing.T, a answer, after time.Duration) {
		t.Helper()
		a.refused(429, "TOO_MANY_REQUESTS").is("Retry-After", fmt.Sprint(int(after/time.Second)))
	}
	onSite(t, func(c *core.Config) {
		c.Limits = core.Limits{Login: 3, StepUp: 2, Refresh: 2, LogoutAll: 1, Lookup: 1}
	}, func(t *testing.T, s *site) {
		right := `{"username":"alice","password":"pw"}`
		for range 3 {
			s.post("/login", `{"username":"alice","password":"x"}`).refused(401, "INVALID_CREDENTIALS")
		}
		limited(t, s.post("/login", right), 20*time.Second)
		limited(t, s.post("/login", `{"username":" ALICE ","password":"pw"}`), 20*time.Second)
		pass(20 * time.Second)
		p := s.post("/login", right).pair()
		limited(t, s.post("/login", right), 20*time.Second)

		first := s.post("/refresh", "", refreshCookie(p.Cookie)).pair()
		s.post("/refresh", "", refreshCookie(first.Cookie)).ok()
		limited(t, s.post("/refresh", "", refreshCookie(first.Cookie)), 30*time.Second)

		root := s.signIn("root")
		lookup := `{"token":"` + first.AccessToken + `"}`
		s.admin("POST", "/tokens/lookup", lookup, bearer(root.AccessToken)).ok()
		limited(t, s.admin("POST", "/tokens/lookup", lookup, bearer(root.AccessToken)), time.Minute)

		s.post("/logout-all", "", bearer(s.signIn("bob").AccessToken)).ok()
		again := s.signIn("bob")
		limited(t, s.post("/logout-all", "", bearer(again.AccessToken)), time.Minute)
		s.alive("not signed out", again, true)

		pass(time.Minute)
		gated(s)
		login := s.post("/login", `{"username":"bob","password":"pw"}`)
		pending, own := login.pendingOf(), cookie("device", login.cookie("device"))
		for range 2 {
			s.ask("POST", "/app/code", code(pending, "x", ""), own).refused(401, "INVALID_CREDENTIALS")
		}
		limited(t, s.ask("POST", "/app/code", code(pending, "bob", ""), own), 30*time.Second)
		pass(30 * time.Second)
		s.ask("POST", "/app/code", code(pending, "bob", ""), own).ok()
	})
}

// Others can't lock out a user on the device of a sign-in that waits: the password was
// right there.
func TestWaitingDeviceIsNotLockedOut(t *testing.T) {
	onSite(t, func(c *core.Config) { c.Limits = core.Limits{Login: 2} }, func(t *testing.T, s *site) {
		gated(s)
		login := s.post("/login", `{"username":"alice","password":"pw"}`)
		login.pendingOf()
		s.post("/login", `{"username":"alice","password":"x"}`).refused(401, "INVALID_CREDENTIALS")
		s.post("/login", `{"username":"alice","password":"pw"}`).refused(429, "TOO_MANY_REQUESTS")
		s.post("/login", `{"username":"alice","password":"pw"}`, cookie("device", login.cookie("device"))).pendingOf()
	})
}
