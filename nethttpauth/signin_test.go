package nethttpauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// ownLogin gives a site a login route of its own, POST /mine, and returns the
// form by which it signs in. It answers {"token": ...}, beside a cookie of its
// own, or as the library does if the request asks for "Accept: pair".
func ownLogin(s *site) *core.SignInForm {
	form := &core.SignInForm{Identity: core.Identity{UserID: "alice"}}
	s.mux.HandleFunc("POST "+prefix+"/mine", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-App", "stays")
		w.Header().Add("Set-Cookie", "app=1")
		pair, err := nethttpauth.SignIn(w, r, s.auth, *form)
		switch {
		case err != nil:
			nethttpauth.Write(w, s.auth.Problem(err))
		case r.Header.Get("Accept") == "pair":
			nethttpauth.Write(w, pair.Response())
		default:
			fmt.Fprintf(w, `{"token":%q}`, pair.AccessToken)
		}
	})
	return form
}

// H4: an app's own handler issues the pair, and answers as it always did.
func TestSignInOwnAnswer(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		ownLogin(s)
		a := s.post("/mine", "")
		refresh, device := a.cookie("refresh_token"), a.cookie("device")
		a.cookies(
			"app=1",
			"refresh_token="+refresh+"; Path=/api/v1/auth; Max-Age=604800; HttpOnly; SameSite=Lax",
			"device="+device+"; Path=/api/v1/auth; Max-Age=34560000; HttpOnly; SameSite=Lax",
		)
		a.is("X-App", "stays")
		token, ok := strings.CutPrefix(a.body, `{"token":"`)
		token, last := strings.CutSuffix(token, `"}`)
		if a.status != 200 || !ok || !last || refresh == "" || device == "" {
			t.Fatalf("got %d %s", a.status, a.body)
		}
		s.alive("by the token", pair{AccessToken: token}, true)
		second := s.post("/refresh", "", refreshCookie(refresh), cookie("device", device)).pair()
		s.alive("by the refreshed token", second, true)
		if len(s.failures) > 0 {
			t.Errorf("failures: %v", s.failures)
		}
	})
}

// The library's answer, from an app's handler, is that of its own login route.
func TestSignInLibraryAnswer(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		form := ownLogin(s)
		form.DeviceID, form.DeviceName, form.ClientType = "laptop 1", "Alice's laptop", "desktop"
		a := s.post("/mine", "", header("Accept", "pair"))
		p := a.pair()
		a.equal(fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":3600,"refresh_expires_in":604800,"session":%s}`, p.AccessToken, p.session(true)))
		a.cookies(
			"app=1",
			"refresh_token="+p.Cookie+"; Path=/api/v1/auth; Max-Age=604800; HttpOnly; SameSite=Lax",
			"device="+p.DeviceCookie+"; Path=/api/v1/auth; Max-Age=34560000; HttpOnly; SameSite=Lax",
		)
		if d := p.Session.Device; d.ID != "laptop 1" || d.Name != "Alice's laptop" || d.ClientType != "desktop" || p.Session.IP != "192.0.2.1" {
			t.Errorf("got session %+v", p.Session)
		}
	})
}

func TestSignInBodyDelivery(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		form := ownLogin(s)
		form.Delivery, form.ClientType = "body", "ios"
		a := s.post("/mine", "", header("Accept", "pair"))
		first := a.pair()
		a.cookies("app=1")
		a.equal(fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":3600,"refresh_token":%q,"refresh_expires_in":604800,"session":%s}`,
			first.AccessToken, first.RefreshToken, first.session(true)))
		second := s.post("/refresh", refreshBody(first.RefreshToken)).pair()
		if second.RefreshToken == "" || second.Session.ID != first.Session.ID {
			t.Errorf("refreshed: %+v", second)
		}
		browser := s.signIn("bob")
		a = s.post("/mine", "", header("Accept", "pair"), refreshCookie(browser.Cookie))
		a.cookies("app=1", "refresh_token=; Path=/api/v1/auth; Max-Age=0; HttpOnly; SameSite=Lax")
		s.alive("of the cookie that came along", browser, false)
	})
}

// A refused sign-in adds nothing to the answer, begins nothing and ends nothing.
func TestSignInRefusedInHandler(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, tt := range []struct {
		name   string
		status int
		code   string
		form   func(*core.SignInForm)
		site   func(*site)
		parts  []part
	}{
		{"delivery", 400, "BAD_REQUEST", func(f *core.SignInForm) { f.Delivery = "header" }, nil, nil},
		{"client type", 400, "BAD_REQUEST", func(f *core.SignInForm) { f.ClientType = "iOS" }, nil, nil},
		{"device id", 400, "BAD_REQUEST", func(f *core.SignInForm) { f.DeviceID = long }, nil, nil},
		{"device name", 400, "BAD_REQUEST", func(f *core.SignInForm) { f.DeviceName = "a\nb" }, nil, nil},
		{"nobody", 500, "INTERNAL", func(f *core.SignInForm) { f.Identity.UserID = "" }, nil, nil},
		{"a scope that can't be", 500, "INTERNAL", func(f *core.SignInForm) { f.Identity.Scopes = []string{"a b"} }, nil, nil},
		{"claims that can't be", 500, "INTERNAL", func(f *core.SignInForm) { f.Identity.Claims = map[string]string{"sub": "root"} }, nil, nil},
		{"another site's page", 403, "CROSS_SITE", nil, nil, []part{header("Sec-Fetch-Site", "cross-site")}},
		{"another site's page, an old browser", 403, "CROSS_SITE", nil, nil, []part{header("Origin", "https://evil.example")}},
		{"as many as allowed", 403, "TOO_MANY_SESSIONS", nil, func(s *site) { s.signIn("alice"); s.signIn("alice") }, nil},
		{"the store is down", 503, "STORE_UNAVAILABLE", nil, func(s *site) { s.store.down.Store(true) }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onSite(t, func(c *core.Config) { c.MaxSessions, c.SessionLimitPolicy = 2, core.RefuseNew }, func(t *testing.T, s *site) {
				form := ownLogin(s)
				before := s.signIn("bob")
				if tt.form != nil {
					tt.form(form)
				}
				if tt.site != nil {
					tt.site(s)
				}
				live, err := s.auth.Count(t.Context(), "alice")
				down := s.store.down.Load()
				if err != nil && !down {
					t.Fatal(err)
				}
				a := s.post("/mine", "", append(tt.parts, header("Accept", "pair"))...)
				a.cookies("app=1")
				a.header.Del("Set-Cookie")
				a.refused(tt.status, tt.code).is("X-App", "stays")
				s.store.down.Store(false)
				if n, err := s.auth.Count(t.Context(), "alice"); n != live || err != nil {
					t.Errorf("%d sessions (%v), want %d", n, err, live)
				}
				s.alive("another's", before, true)
			})
		})
	}
}

// The session that the browser had ends, whoever's it was, and its device is
// known by its cookie.
func TestSignInSameBrowser(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		form := ownLogin(s)
		form.DeviceID = "what the client says"
		for _, user := range []string{"alice", "bob"} {
			before := s.signIn(user)
			elsewhere := s.signIn(user)
			p := s.post("/mine", "", header("Accept", "pair"), refreshCookie(before.Cookie), cookie("device", before.DeviceCookie)).pair()
			if p.Session.Device.ID != before.Session.Device.ID || p.Session.ID == before.Session.ID {
				t.Errorf("got %+v after %+v", p.Session, before.Session)
			}
			s.alive(user+"'s in this browser", before, false)
			s.alive(user+"'s elsewhere", elsewhere, true)
			s.alive("the new one", p, true)
		}
	})
}

// Who signs in is what the handler says, in the token and in those after it.
func TestSignInIdentity(t *testing.T) {
	type tenant struct {
		Tenant string `json:"tenant"`
	}
	onSite(t, nil, func(t *testing.T, s *site) {
		form := ownLogin(s)
		form.Identity = core.Identity{UserID: "carol", Scopes: []string{"a:b", "c"}, Roles: []string{"clerk"}, AMR: []string{"pwd", "otp"}, Claims: tenant{"acme"}}
		first := s.post("/mine", "", header("Accept", "pair")).pair()
		second := s.post("/refresh", "", refreshCookie(first.Cookie)).pair()
		for _, p := range []pair{first, second} {
			who, err := s.auth.Verify(t.Context(), p.AccessToken)
			if err != nil {
				t.Fatal(err)
			}
			claims, err := core.ClaimsOf[tenant](who)
			if err != nil || who.UserID != "carol" || !slices.Equal(who.Scopes, form.Identity.Scopes) || !slices.Equal(who.Roles, form.Identity.Roles) ||
				!slices.Equal(who.AMR, form.Identity.AMR) || claims.Tenant != "acme" {
				t.Errorf("got %+v, %+v, %v", who, claims, err)
			}
		}
	})
}

// P27: a password that changes while the handler is checking the old one.
func TestSignInInHandlerOvertaken(t *testing.T) {
	for _, tt := range []struct {
		name    string
		confirm func(context.Context) error
		status  int
		code    string
	}{
		{"no second check", nil, 401, "INVALID_CREDENTIALS"},
		{"the second check refuses", func(context.Context) error { return core.ErrInvalidCredentials }, 401, "INVALID_CREDENTIALS"},
		{"the user was disabled", func(context.Context) error { return core.ErrUserInactive }, 401, "USER_INACTIVE"},
		{"the second check fails", func(context.Context) error { return errors.New("no database") }, 500, "INTERNAL"},
		{"the second check holds", func(context.Context) error { return nil }, 200, ""},
	} {
		onSite(t, nil, func(t *testing.T, s *site) {
			form := ownLogin(s)
			keep := s.signIn("alice")
			pass(time.Minute)
			form.CheckedAt, form.Confirm = time.Now(), tt.confirm
			pass(time.Second)
			id, err := core.ParseID(keep.Session.ID)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.auth.RevokeOthers(t.Context(), "alice", id, core.ReasonPasswordChanged); err != nil {
				t.Fatal(err)
			}
			a := s.post("/mine", "", header("Accept", "pair")).of(tt.name)
			want := 1
			if tt.code == "" {
				s.alive("confirmed", a.pair(), true)
				want = 2
			} else {
				a.cookies("app=1")
				a.header.Del("Set-Cookie")
				a.refused(tt.status, tt.code)
			}
			if n, err := s.auth.Count(t.Context(), "alice"); n != want || err != nil {
				t.Errorf("%s: %d sessions (%v), want %d", tt.name, n, err, want)
			}
		})
	}
}
