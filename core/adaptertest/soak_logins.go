package adaptertest

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/internal/agent"
)

// newStay is a session that a client wants to begin.
func (c *soakClient) newStay(u *soakUser) *stay {
	st := &stay{
		name:   textOf("name", u.n, c.rand.IntN(1000)),
		kind:   textOf("type", u.n, c.rand.IntN(1000)),
		device: textOf("device", u.n, c.rand.IntN(1000)),
	}
	st.agent, st.ip, _ = c.from(u)
	return st
}

func (st *stay) lines() []string {
	return []string{"User-Agent: " + st.agent, "X-Forwarded-For: " + st.ip}
}

func signInOf(u *soakUser, st *stay) core.SignInRequest {
	return core.SignInRequest{Identity: u.identity(), Client: core.Client{
		DeviceID: st.device, DeviceName: st.name, ClientType: st.kind, IP: st.ip, UserAgent: st.agent,
	}}
}

// The names of the cookies, as they are by default.
const (
	refreshCookie = "__Secure-refresh_token"
	deviceCookie  = "__Secure-device"
)

// browser is what a browser brings along: who used it last, and its device.
type browser struct {
	cookies []string
	user    *soakUser // of the session that ends, if there is one
	old     *stay
	known   bool // it brings its user's device cookie
}

func (b *browser) line() []string {
	if b.cookies == nil {
		return nil
	}
	return []string{"Cookie: " + strings.Join(b.cookies, "; ")}
}

// browser returns one that a user may sign in from.
func (c *soakClient) browser(u *soakUser) *browser {
	b := &browser{}
	if u.cookie != "" && c.rand.IntN(2) == 0 {
		b.known = true
		b.cookies = append(b.cookies, deviceCookie+"="+u.cookie)
	}
	if c.rand.IntN(3) == 0 {
		owner := u
		if other := c.pick(); other != nil && c.rand.IntN(2) == 0 {
			owner = other
		}
		for _, st := range owner.live {
			if st.inCookie && st.refresh != "" {
				b.user, b.old = owner, st
				b.cookies = append(b.cookies, refreshCookie+"="+st.refresh)
				break
			}
		}
	}
	return b
}

// about are those whom a sign-in from a browser concerns.
func (b *browser) about(u *soakUser) []*soakUser {
	if b.user != nil && b.user != u {
		return []*soakUser{u, b.user}
	}
	return []*soakUser{u}
}

// enter signs a user in, in one of the ways that there are.
func (c *soakClient) enter(u *soakUser) exchange {
	b, st := c.browser(u), c.newStay(u)
	switch roll := c.rand.IntN(10); {
	case roll < 5:
		return c.login(u, st, b)
	case roll < 8:
		return c.ownLogin(u, st, b)
	default:
		return c.oldLogin(u, st, b)
	}
}

// login is the library's.
func (c *soakClient) login(u *soakUser, st *stay, b *browser) exchange {
	body := map[string]any{"username": u.username, "password": u.password, "device_name": st.name, "client_type": st.kind}
	if c.rand.IntN(2) == 0 {
		body["device_id"] = st.device
	} else {
		st.device = ""
	}
	st.inCookie = c.rand.IntN(2) == 0
	if !st.inCookie {
		body["delivery"] = "body"
	}
	return exchange{c.send("POST", "/auth/login", body, append(st.lines(), b.line()...)...), b.about(u), func(a *seenAnswer) {
		a.begun(u, st, b)
	}}
}

// ownLogin is the app's, by the adapter's SignIn.
func (c *soakClient) ownLogin(u *soakUser, st *stay, b *browser) exchange {
	f := u.form()
	st.device, st.name, st.kind, st.inCookie = f.DeviceID, f.DeviceName, f.ClientType, f.Delivery == "cookie"
	return exchange{c.send("POST", fmt.Sprintf("/in/%d", u.n), map[string]any{}, append(st.lines(), b.line()...)...), b.about(u), func(a *seenAnswer) {
		a.begun(u, st, b)
	}}
}

// oldLogin is the app's, watched.
func (c *soakClient) oldLogin(u *soakUser, st *stay, b *browser) exchange {
	st.inCookie = true
	f := oldForm{User: u.n, Device: st.device, Name: st.name, Type: st.kind, Agent: st.agent, IP: st.ip, Pad: dirt[:c.rand.IntN(300)]}
	if u.keepsAll() && c.rand.IntN(2) == 0 {
		// From here on the session is known by its cookies alone.
		f = oldForm{User: u.n, Foreign: true}
		st.device, st.kind, st.foreign = "", "web", true
		st.name = agent.Parse(st.agent, agent.Hints{}).Name()
		if b.known {
			st.device = u.device
		}
	} else {
		b.known = false // the app's login does not look at the cookie
	}
	return exchange{c.send("POST", "/old", f, append(st.lines(), b.line()...)...), b.about(u), func(a *seenAnswer) {
		var got oldAnswer
		if !a.want(200) || !a.into(&got) {
			return
		}
		a.same(mixedAnswers, "the user", fmt.Sprint(got.User), fmt.Sprint(u.n))
		a.cookies(u, st)
		a.opens(u, st, st.refresh)
		if !f.Foreign {
			st.access = got.AccessToken
			a.opens(u, st, st.access)
		}
		a.entered(u, st, b)
	}}
}

// shownSession and shownPair are what answers tell.
type shownSession struct {
	ID      string `json:"id"`
	Current bool   `json:"current"`
	Device  struct {
		ID         string `json:"id"`
		Name       string `json:"name"`
		ClientType string `json:"client_type"`
	} `json:"device"`
	IP string `json:"ip"`
}

type shownPair struct {
	AccessToken  string       `json:"access_token"`
	RefreshToken string       `json:"refresh_token"`
	Session      shownSession `json:"session"`
}

// begun looks at the answer to a sign-in.
func (a *seenAnswer) begun(u *soakUser, st *stay, b *browser) {
	var got shownPair
	if !a.want(200) || !a.into(&got) {
		return
	}
	st.id = got.Session.ID
	if b.known {
		st.device = u.device
	} else if st.device == "" {
		st.device = got.Session.Device.ID // named by the server: nobody's name
		if _, taken := ownerOf(st.device); taken {
			a.wrong(mixedAnswers, "the device: got %q, want a new one", st.device)
		}
	}
	a.pair(u, st, &got)
	a.entered(u, st, b)
}

// entered takes note of a session that has begun, and of that which it replaced.
func (a *seenAnswer) entered(u *soakUser, st *stay, b *browser) {
	if h := a.desk.store.holder(mustID(st.id)); h != u.id {
		a.wrong(mixedAnswers, "the session: got one of %q", h)
	}
	u.live = append(u.live, st)
	if b.old != nil {
		b.user.ended(b.old)
	}
}

func mustID(id string) core.ID {
	parsed, _ := core.ParseID(id) // zero: nobody's
	return parsed
}

// pair looks at the tokens of an answer, in body and cookies.
func (a *seenAnswer) pair(u *soakUser, st *stay, got *shownPair) {
	a.session(&got.Session, st, true)
	st.access = got.AccessToken
	a.opens(u, st, st.access)
	if st.inCookie {
		a.cookies(u, st)
	} else {
		st.refresh = got.RefreshToken
		for _, set := range a.header.Values("Set-Cookie") {
			if !strings.HasPrefix(set, refreshCookie+"=;") { // which may be deleted
				a.wrong(mixedCookies, "got %s, want no cookie", clip(set))
			}
		}
	}
	a.opens(u, st, st.refresh)
}

// cookies takes what an answer sets, which is for one user.
func (a *seenAnswer) cookies(u *soakUser, st *stay) {
	st.refresh = ""
	for _, set := range a.header.Values("Set-Cookie") {
		parsed, err := http.ParseSetCookie(set)
		switch {
		case err == nil && parsed.Name == refreshCookie && st.refresh == "":
			st.refresh = parsed.Value
		case err == nil && parsed.Name == deviceCookie && st.device != "":
			u.cookie, u.device = parsed.Value, st.device
		case err == nil && parsed.Name == deviceCookie:
			u.cookie, u.device = "", "" // of which session is yet to be seen
		default:
			a.wrong(mixedCookies, "an unexpected cookie: %s", clip(set))
		}
	}
	if st.refresh == "" {
		a.wrong(mixedCookies, "got no refresh cookie")
	}
}

// opens says whose a token is.
func (a *seenAnswer) opens(u *soakUser, st *stay, token string) {
	user, s, err := a.desk.auth.Find(a.ctx, token)
	if err != nil {
		a.wrong(mixedCookies, "a token of the answer: %v", err)
		return
	}
	if st.id == "" { // the answer did not tell
		st.id, st.device = s.ID.String(), cmp.Or(st.device, s.Device.ID)
	}
	a.same(mixedCookies, "a token's user", user, u.id)
	a.same(mixedCookies, "a token's session", s.ID.String(), st.id)
}

// session compares what is told of a session.
func (a *seenAnswer) session(got *shownSession, st *stay, current bool) {
	a.same(mixedAnswers, "the session", got.ID, st.id)
	a.same(mixedAnswers, "current", fmt.Sprint(got.Current), fmt.Sprint(current))
	a.same(mixedAnswers, "the device", got.Device.ID, st.device)
	a.same(mixedAnswers, "the device's name", got.Device.Name, st.name)
	a.same(mixedAnswers, "the client type", got.Device.ClientType, st.kind)
	a.same(mixedAnswers, "the address", got.IP, st.ip)
}

// refresh presents a session's refresh token in the way it came.
func (c *soakClient) refresh(u *soakUser, st *stay) exchange {
	agent, ip, lines := c.from(u)
	var body any
	if st.inCookie {
		lines = append(lines, "Cookie: x=1; "+refreshCookie+"="+st.refresh)
	} else {
		body = map[string]any{"refresh_token": st.refresh, "device_id": st.device}
	}
	return exchange{c.send("POST", "/auth/refresh", body, lines...), []*soakUser{u}, func(a *seenAnswer) {
		var got shownPair
		if !a.want(200) || !a.into(&got) {
			return
		}
		st.agent, st.ip = agent, ip
		a.pair(u, st, &got)
	}}
}

// refusedLogin has a wrong password.
func (c *soakClient) refusedLogin(u *soakUser) exchange {
	st := c.newStay(u)
	body := map[string]any{"username": u.username, "password": "not " + u.password, "device_id": st.device, "device_name": st.name}
	return exchange{c.send("POST", "/auth/login", body, st.lines()...), []*soakUser{u}, func(a *seenAnswer) { a.want(401) }}
}

// refusedRefresh has a token of nobody.
func (c *soakClient) refusedRefresh(u *soakUser) exchange {
	st := c.newStay(u)
	body := map[string]any{"refresh_token": dirt[:1+c.rand.IntN(100)], "device_id": st.device}
	return exchange{c.send("POST", "/auth/refresh", body, st.lines()...), []*soakUser{u}, func(a *seenAnswer) { a.want(401) }}
}
