package core_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/sallyport-go/sallyport/core"
)

// poisons are what somebody may try to write into a log.
var poisons = []string{
	"\r\n", "\n", "\r", "\x00", "\x1b[31m", "\x07", "\x7f", "\t", "\v",
	"\u0085", "\u009b31m", "\u2028", "\u2029", "\u202e", "\u2066", "\u2069", "\u200f", "\u061c",
	"\xff", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\ufeff",
	"\nsallyport: signed_in user=root", "\" level=ERROR msg=\"", `{"user":"root"}`, "level=INFO msg=x\n",
	strings.Repeat("\u202e", 700), strings.Repeat("a", 5000), strings.Repeat("é", 400) + "\n",
}

// letterbox is a request with every header poisoned that an Auth reads.
type letterbox struct {
	ctx     context.Context
	poison  string
	headers map[string]string
	cookies map[string]string
	body    any
	params  map[string]string
}

func (r letterbox) Context() context.Context { return r.ctx }
func (r letterbox) Method() string           { return "POST" }
func (r letterbox) Host() string             { return "kit.example" }
func (r letterbox) Param(name string) string { return r.params[name] }
func (r letterbox) Peer() netip.Addr         { return netip.MustParseAddr("127.0.0.1") }

func (r letterbox) Header(name string) string {
	if v, ok := r.headers[name]; ok {
		return v
	}
	switch name {
	case "Content-Type":
		return "application/json"
	case "Origin", "Sec-Fetch-Site", "Authorization":
		return ""
	case "X-Forwarded-For":
		return "192.0.2.1%" + r.poison + ", fe80::1%" + r.poison
	}
	return "Mozilla/5.0 " + r.poison + " Firefox"
}

func (r letterbox) Cookies(name string) []string {
	if v, ok := r.cookies[name]; ok {
		return []string{v}
	}
	return []string{r.poison, "spdt_" + r.poison}
}

func (r letterbox) Body(int64) ([]byte, error) {
	b, err := json.Marshal(r.body)
	return b, err
}

// P37, D10: nothing that comes with a request forges a record: each event is free of
// control characters, and is one line in slog's handlers.
func TestNothingForgesARecord(t *testing.T) {
	for _, poison := range poisons {
		synctest.Test(t, func(t *testing.T) {
			kept := new(trail)
			store := newTap()
			h := open(t, store, func(c *core.Config) {
				add := c.Audit
				c.Audit = func(ctx context.Context, e core.Event) { kept.add(ctx, e); add(ctx, e) }
				c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
				c.Limits.Login, c.Limits.StepUp = 4, 2
				c.Authenticate = func(_ context.Context, who core.Credentials) (core.Identity, error) {
					switch {
					case who.Password == "fails":
						return core.Identity{}, errBroken
					case who.Password != "right":
						return core.Identity{}, core.ErrInvalidCredentials
					}
					return core.Identity{UserID: "alice", StepUp: strings.HasPrefix(who.Username, "two")}, nil
				}
			})
			h.lossy = true
			settle(h)
			kept.all()
			routes := map[string]core.Route{}
			for _, r := range append(h.Routes(), h.AdminRoutes(core.Role("admin"))...) {
				routes[r.Path] = r
			}
			root, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "root", Roles: []string{"admin"}}})
			if err != nil {
				t.Fatal(err)
			}
			ask := func(path string, body any, change ...func(*letterbox)) core.Response {
				r := letterbox{ctx: t.Context(), poison: poison, body: body}
				for _, c := range change {
					c(&r)
				}
				return routes[path].Serve(r)
			}
			asRoot := func(r *letterbox) {
				r.headers = map[string]string{"Authorization": "Bearer " + root.AccessToken}
				r.params = map[string]string{"user": "bob" + poison}
			}
			login := func(name, password, device string) core.Response {
				return ask("/login", map[string]string{"username": name, "password": password, "device_id": device, "device_name": "name"})
			}
			login("alice", "right", "dev"+poison)
			login("alice", "right", "")
			login("alice"+poison, "wrong", "dev"+poison)
			login("bob"+poison, "wrong", "")
			login("carol", "fails", "")
			ask("/login", map[string]string{"username": "alice", "password": "right", "device_name": "x" + poison, "client_type": "web" + poison})
			for range 5 {
				login("dave"+poison, "wrong", "")
			}
			pending := struct{ Pending string }{}
			if err := json.Unmarshal(login("two", "right", "").Body, &pending); err != nil || pending.Pending == "" {
				t.Errorf("no sign-in waits: %v", err)
			}
			for range 3 {
				for _, p := range []string{pending.Pending, poison, "sppt_" + poison} {
					h.StepUpFrom(letterbox{ctx: t.Context(), poison: poison}, core.StepUpForm{Pending: p, Verify: wrong})
				}
				h.StepUp(t.Context(), core.StepUpRequest{Pending: pending.Pending, Client: core.Client{DeviceID: "d" + poison, UserAgent: poison, IP: poison}, Verify: wrong})
			}
			h.Refresh(t.Context(), core.RefreshRequest{Token: root.RefreshToken, DeviceID: "another" + poison, Client: core.Client{IP: poison, UserAgent: poison}})
			h.Refresh(t.Context(), core.RefreshRequest{Token: "sprt_" + poison, DeviceID: poison})
			ask("/refresh", map[string]string{"refresh_token": "sprt_x" + poison, "device_id": poison}, func(r *letterbox) { r.cookies = map[string]string{"__Secure-refresh_token": ""} })
			ask("/refresh", map[string]string{}, func(r *letterbox) { r.cookies = map[string]string{"__Secure-refresh_token": root.RefreshToken} })
			ask("/logout", map[string]string{"refresh_token": poison})
			h.AllowSignIn(letterbox{ctx: t.Context(), poison: poison}, poison)
			h.SignInFailed(letterbox{ctx: t.Context(), poison: poison}, poison, fmt.Errorf("%s: %w", poison, core.ErrInvalidCredentials))
			h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "erin"}, Client: core.Client{IP: poison, UserAgent: poison, Hints: core.ClientHints{Brands: poison, Platform: poison}}})
			store.set(func(string, func() error) error { return errBroken })
			ask("/users/{user}/logout", map[string]string{}, asRoot)
			ask("/tokens/revoke", map[string]string{"user_id": "bob" + poison, "session_id": root.Session.ID.String()}, asRoot)
			ask("/users/{user}/tokens", nil, asRoot)
			h.RevokeAll(core.WithActor(t.Context(), "admin"+poison), "bob", core.ReasonRevokedByAdmin)
			elapse(time.Second)
			store.set(nil)
			elapse(5 * time.Second)

			seen := map[core.EventName]bool{}
			for _, e := range kept.all() {
				seen[e.Name] = true
				wellFormed(t, e)
				oneLine(t, e)
			}
			for _, name := range []core.EventName{
				core.EventSignedIn, core.EventSignInRefused, core.EventLimited, core.EventStepUpRequired, core.EventStepUpRefused,
				core.EventRefreshRefused, core.EventRevocationQueued, core.EventModeChanged, core.EventFailed,
			} {
				if !seen[name] {
					t.Errorf("%q: no record %s", poison, name)
				}
			}
		})
	}
}

// oneLine checks that the default sink makes one line of a record.
func oneLine(t *testing.T, e core.Event) {
	t.Helper()
	old := slog.Default()
	defer slog.SetDefault(old)
	var text, lines bytes.Buffer
	for b, handler := range map[*bytes.Buffer]slog.Handler{&text: slog.NewTextHandler(&text, nil), &lines: slog.NewJSONHandler(&lines, nil)} {
		slog.SetDefault(slog.New(handler))
		core.LogEvent(t.Context(), e)
		s := b.String()
		if strings.Count(s, "\n") != 1 || !strings.HasSuffix(s, "\n") || strings.ContainsAny(s, "\r\x00\x1b\u0085\u2028\u2029\u202e") || !utf8.ValidString(s) {
			t.Errorf("%s: logged as %q", e.Name, s)
		}
		if strings.Count(s, "sallyport: ") < 1 || handler == nil {
			t.Errorf("%s: logged as %q", e.Name, s)
		}
	}
	var record map[string]any
	if err := json.Unmarshal(lines.Bytes(), &record); err != nil || record["msg"] != "sallyport: "+string(e.Name) {
		t.Errorf("%s: %v, %v", e.Name, record, err)
	}
}

// A device's id is a client's word: what could forge a line is no word.
func TestDeviceWords(t *testing.T) {
	h := open(t, newTap())
	for _, poison := range []string{"\n", "\x00", "\x7f", "\u0085", "\u009b", "\xff", strings.Repeat("a", 129)} {
		for what, c := range map[string]core.Client{"id": {DeviceID: "a" + poison}, "name": {DeviceName: "a" + poison}} {
			_, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}, Client: c})
			if !errors.Is(err, core.ErrBadRequest) {
				t.Errorf("device %s %q: %v, want ErrBadRequest", what, poison, err)
			}
		}
	}
	for _, word := range []string{"Zoë's \u200fטלפון", "a b", "日本"} {
		if _, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}, Client: core.Client{DeviceName: word}}); err != nil {
			t.Errorf("device name %q: %v", word, err)
		}
	}
}
