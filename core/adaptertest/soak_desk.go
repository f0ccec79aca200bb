package adaptertest

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// soakDesk is the app of a soak, and what it keeps of its requests.
type soakDesk struct {
	s       *soak
	auth    *core.Auth
	store   *book
	foreign []byte // the key of the tokens that the app makes itself

	mu     sync.Mutex
	events ring[core.Event]
	kept   ring[keptPrincipal]
}

// keptPrincipal is what a handler keeps, and what it said then.
type keptPrincipal struct {
	ctx  context.Context
	p    *core.Principal
	said string
}

// ring holds the latest of many, and has the oldest looked at when it goes.
type ring[T any] struct {
	of   []T
	next int
}

const ringSize = 4096

func (r *ring[T]) add(v T, look func(T)) {
	if len(r.of) < ringSize {
		r.of = append(r.of, v)
		return
	}
	look(r.of[r.next])
	r.of[r.next] = v
	r.next = (r.next + 1) % ringSize
}

// openDesk begins the app; the users come later.
func (s *soak) openDesk() *soakDesk {
	d := &soakDesk{s: s, store: newBook(), foreign: []byte(rand.Text() + rand.Text())}
	var err error
	d.auth, err = core.New(core.Config{
		Limits:         core.Limits{Off: true},
		Store:          d.store,
		Keys:           []core.Key{{Secret: []byte(rand.Text() + rand.Text())}},
		Foreign:        core.Foreign{Keys: []core.Key{{Secret: d.foreign}}},
		Authenticate:   d.authenticate,
		Grace:          core.NoGrace, // so that what a refresh answers does not depend on the time
		MaxSessions:    32,
		StoreTimeout:   patience, // a busy machine is no failure
		Prefix:         "/auth",
		AccessCookie:   "access",
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Audit:          d.audit,
	})
	if err != nil {
		s.fatalf("core.New: %v", err)
	}
	s.finally(func() { d.auth.Close() })
	return d
}

func (d *soakDesk) authenticate(_ context.Context, c core.Credentials) (core.Identity, error) {
	if n, ok := ownerOf(c.Username); ok && n < len(d.s.users) {
		if u := d.s.users[n]; u.username == c.Username && u.password == c.Password {
			return u.identity(), nil
		}
	}
	return core.Identity{}, core.ErrInvalidCredentials
}

// app is what is served:
//
//	/auth     the library's routes
//	/admin    the admin group
//	/me       behind Require: GET, and POST with rules
//	/hello    behind Optional
//	/in/{n}   the app's own login, of each user
//	/old      the app's own login, watched
func (d *soakDesk) app() App {
	app := App{
		Groups: []Group{
			{"/auth", d.auth.Routes()},
			{"/admin/", d.auth.AdminRoutes(core.Role("admin"))},
		},
		Guarded: []Guarded{
			{Method: "GET", Path: "/me", Auth: d.auth, Handle: d.answer},
			{Method: "POST", Path: "/me", Auth: d.auth, Rules: []core.Rule{core.SameSite(), core.Strict()}, Handle: d.answer},
			{Method: "GET", Path: "/hello", Auth: d.auth, Optional: true, Handle: d.answer},
		},
		Watched: []Watched{{Method: "POST", Path: "/old", Auth: d.auth, Handle: d.oldLogin}},
	}
	for _, u := range d.s.users {
		app.SignIns = append(app.SignIns, SignIn{
			Method: "POST", Path: fmt.Sprintf("/in/%d", u.n), Auth: d.auth, Form: u.form(),
			Answer: func(p core.Pair, err error) core.Response {
				if err != nil {
					return d.auth.Problem(err)
				}
				return p.Response()
			},
		})
	}
	return app
}

// form is what the app's own login says of a user.
func (u *soakUser) form() core.SignInForm {
	f := core.SignInForm{
		Identity: u.identity(), DeviceName: textOf("name", u.n, 11*u.n), ClientType: textOf("type", u.n, u.n),
		DeviceID: textOf("device", u.n, 13*u.n), Delivery: "cookie",
	}
	if u.n%2 == 1 {
		f.DeviceID, f.Delivery = "", "body"
	}
	return f
}

// shownPrincipal is what the app answers about a principal.
type shownPrincipal struct {
	Same       bool     `json:"same"` // FromContext and Principal are one
	UserID     string   `json:"user_id"`
	SessionID  string   `json:"session_id"`
	DeviceID   string   `json:"device_id"`
	ClientType string   `json:"client_type"`
	Scopes     []string `json:"scopes"`
	Claim      string   `json:"claim"`
}

func show(ctx context.Context, p *core.Principal) shownPrincipal {
	out := shownPrincipal{Same: core.FromContext(ctx) == p}
	if p != nil {
		claims, _ := core.ClaimsOf[soakClaims](p)
		out.UserID, out.SessionID, out.DeviceID, out.ClientType = p.UserID, p.SessionID.String(), p.DeviceID, p.ClientType
		out.Scopes, out.Claim = p.Scopes, claims.Claim
	}
	return out
}

func (d *soakDesk) answer(ctx context.Context, p *core.Principal) core.Response {
	body, _ := json.Marshal(show(ctx, p))
	d.mu.Lock()
	d.kept.add(keptPrincipal{ctx, p, string(body)}, d.lookKept)
	d.mu.Unlock()
	return core.Response{Status: 200, Header: map[string][]string{"Content-Type": {"application/json"}}, Body: body}
}

func (d *soakDesk) lookKept(k keptPrincipal) {
	if now, _ := json.Marshal(show(k.ctx, k.p)); string(now) != k.said {
		d.s.mix(mixedKept, "in the handler: %s\n    kept past it: %s", clip(k.said), clip(string(now)))
	}
}

// oldForm is what is posted to the watched login.
type oldForm struct {
	User    int    `json:"user"`
	Foreign bool   `json:"foreign"`
	Device  string `json:"device"`
	Name    string `json:"name"`
	Type    string `json:"type"`
	Agent   string `json:"agent"`
	IP      string `json:"ip"`
	Pad     string `json:"pad"`
}

type oldAnswer struct {
	User        int    `json:"user"`
	AccessToken string `json:"access_token"`
}

// oldLogin answers with an access token, its own or that of a session.
func (d *soakDesk) oldLogin(ctx context.Context, body []byte) core.Response {
	var f oldForm
	if json.Unmarshal(body, &f) != nil || f.User < 0 || f.User >= len(d.s.users) {
		return text(400, "which user?")
	}
	u := d.s.users[f.User]
	out := oldAnswer{User: f.User}
	if f.Foreign {
		out.AccessToken = d.mint(u)
	} else {
		pair, err := d.auth.SignIn(ctx, core.SignInRequest{
			Identity: u.identity(),
			Client:   core.Client{DeviceID: f.Device, DeviceName: f.Name, ClientType: f.Type, IP: f.IP, UserAgent: f.Agent},
		})
		if err != nil {
			return d.auth.Problem(err)
		}
		out.AccessToken = pair.AccessToken
	}
	answer, _ := json.Marshal(out)
	return core.Response{Status: 200, Header: map[string][]string{"Content-Type": {"application/json"}}, Body: answer}
}

// mint makes a token of the app's own (RFC 7515, HS256).
func (d *soakDesk) mint(u *soakUser) string {
	now := time.Now().Unix()
	claims, _ := json.Marshal(map[string]any{"sub": u.id, "scope": u.scope, "jti": rand.Text(), "iat": now, "exp": now + 3600})
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + enc.EncodeToString(claims)
	mac := hmac.New(sha256.New, d.foreign)
	mac.Write([]byte(signed))
	return signed + "." + enc.EncodeToString(mac.Sum(nil))
}

func (d *soakDesk) audit(_ context.Context, e core.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events.add(e, d.lookEvent)
}

// lookEvent says that all that is named in an event belongs together.
func (d *soakDesk) lookEvent(e core.Event) {
	wrong := func(what, got string) {
		d.s.mix(mixedEvents, "%s of %s: got %s %s", e.Name, clip(fmt.Sprintf("%q", e.UserID)), what, clip(fmt.Sprintf("%q", got)))
	}
	if e.Err != nil {
		wrong("error", e.Err.Error())
	}
	whose := -1
	if u := d.s.byID[e.UserID]; u != nil {
		whose = u.n
	} else if e.UserID != "" {
		wrong("the user", "nobody")
	}
	if e.UserID != "" && !e.Session.IsZero() && d.store.holder(e.Session) != e.UserID {
		wrong("a session of", d.store.holder(e.Session))
	}
	agent, ok := ownerOf(e.UserAgent)
	if !ok && (e.UserAgent != "" || e.Name != core.EventSessionEnded) {
		wrong("User-Agent", e.UserAgent)
		return
	} else if ok && whose < 0 {
		whose = agent // of a client that nobody knows yet
	}
	if ok && agent != whose {
		wrong("User-Agent", e.UserAgent)
	}
	if n, ok := ownerOfAddr(e.IP); e.IP != "" && (!ok || n != whose) {
		wrong("address", e.IP)
	}
	if n, ok := d.owner(e.DeviceID); e.DeviceID != "" && (!ok || n != whose) {
		wrong("device", e.DeviceID)
	}
}

// owner returns whose a device is.
func (d *soakDesk) owner(device string) (user int, ok bool) {
	if u := d.s.byID[d.store.bearer(device)]; u != nil {
		return u.n, true
	}
	return ownerOf(device)
}

// finish looks at all that is kept.
func (d *soakDesk) finish() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.events.of {
		d.lookEvent(e)
	}
	for _, k := range d.kept.of {
		d.lookKept(k)
	}
	for _, name := range d.store.names() {
		if d.s.byID[name] == nil {
			d.s.mix(mixedSessions, "the store has a ledger of %s, who is no user", clip(fmt.Sprintf("%q", name)))
		}
	}
}
