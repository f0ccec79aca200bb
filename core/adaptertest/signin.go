package adaptertest

import (
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/sallyport-go/sallyport/core"
)

var signInCases = []testCase{
	{
		"signin/cookies",
		"SignIn begins a session for the client that asks, and adds its cookies to the answer, beside those that the app's middleware and its handler set. The rest of the answer is the handler's.",
		signInCookies,
	},
	{
		"signin/browser",
		"SignIn sees the request's cookies: it knows the browser's device again, and ends the session that the browser had.",
		signInBrowser,
	},
	{
		"signin/no-cookies",
		"A sign-in that is refused, or whose tokens go into the body, adds no cookie. The error is handed to the handler as core returned it.",
		signInWithout,
	},
}

// desk is a site where alice signs in: POST /login/cookie and /login/body, by
// the delivery, and /login/pigeon, which is none.
type desk struct {
	*site
	auth auth

	mu   sync.Mutex
	pair core.Pair
	err  error
}

// own is the cookie that the handler of a desk sets.
const own = "own=1; Path=/own"

func (k *kit) desk(app App) *desk {
	d := &desk{auth: k.auth()}
	for _, delivery := range []string{"cookie", "body", "pigeon"} {
		app.SignIns = append(app.SignIns, SignIn{
			Method: "POST", Path: "/login/" + delivery, Auth: d.auth.Auth,
			Form: core.SignInForm{Identity: core.Identity{UserID: "alice"}, DeviceName: "kit", Delivery: delivery},
			Answer: func(p core.Pair, err error) core.Response {
				d.mu.Lock()
				defer d.mu.Unlock()
				d.pair, d.err = p, err
				out := text(418, "not the pair")
				if err == nil {
					out = p.Response()
					out.Status = http.StatusCreated
				}
				out.Header["Set-Cookie"] = []string{own}
				return out
			},
		})
	}
	d.site = k.serve(app)
	return d
}

// signIn posts to a login and returns what came of it.
func (d *desk) signIn(delivery string, lines ...string) (answer, core.Pair, error) {
	a := d.ask(wireBody("POST", "/login/"+delivery, "{}", lines...))
	d.mu.Lock()
	defer d.mu.Unlock()
	return a, d.pair, d.err
}

// signedIn posts to the login that is to succeed with cookies, and returns the
// pair and the values of the cookies as a browser sends them back.
func (d *desk) signedIn(lines ...string) (pair core.Pair, cookies string) {
	a, pair, err := d.signIn("cookie", lines...)
	if err != nil || a.status != http.StatusCreated {
		d.k.fatalf("signing in: got %d %s, error %v", a.status, clip(a.body), err)
	}
	d.k.equal("the body", a.body, string(pair.Response().Body))
	d.k.lines("the answer", a, "Content-Type", "application/json")
	d.k.lines("the answer", a, "Cache-Control", "no-store")
	return pair, d.k.sets(a, pair.RefreshToken, own)
}

// sets says that an answer sets a refresh cookie with a token, a device cookie,
// and the app's own cookies, nothing else; it returns those of the library.
func (k *kit) sets(a answer, token string, others ...string) string {
	var ours []string
	refresh := 0
	for _, set := range a.header.Values("Set-Cookie") {
		pair, _, _ := strings.Cut(set, ";")
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case len(others) > 0 && set == others[0]:
			others = others[1:]
			continue
		case strings.HasSuffix(name, "refresh_token") && value == token:
			refresh++
		case !strings.HasSuffix(name, "device"):
			k.errorf("an unexpected cookie is set: %s", clip(set))
		}
		ours = append(ours, pair)
	}
	if len(ours) != 2 || refresh != 1 {
		k.errorf("got cookies %q, want one with the refresh token, one for the device", a.header.Values("Set-Cookie"))
	}
	if len(others) > 0 {
		k.errorf("got cookies %q, want %q as well, in this order", a.header.Values("Set-Cookie"), others)
	}
	return strings.Join(ours, "; ")
}

func signInCookies(k *kit) {
	d := k.desk(App{Header: http.Header{"Set-Cookie": {"app=1; Path=/", "app=2; Path=/x"}, "X-App": {"1", "2"}}})
	a, pair, err := d.signIn("cookie", "User-Agent: kit agent", "X-Forwarded-For: 192.0.2.1")
	if err != nil || a.status != http.StatusCreated {
		k.fatalf("signing in: got %d %s, error %v", a.status, clip(a.body), err)
	}
	k.sets(a, pair.RefreshToken, "app=1; Path=/", "app=2; Path=/x", own)
	k.lines("the answer", a, "X-App", "1", "2")
	k.equal("the body", a.body, string(pair.Response().Body))
	sessions, err := d.auth.Sessions(k.ctx, "alice")
	if err != nil || len(sessions) != 1 || sessions[0].ID != pair.Session.ID {
		k.fatalf("Sessions: got %d, error %v, want the one that began", len(sessions), err)
	}
	k.equal("the session's device name", sessions[0].Device.Name, "kit")
	k.equal("the session's IP", sessions[0].IP, "127.0.0.1")
	k.equal("the session's UserAgent", sessions[0].UserAgent, "kit agent")
}

func signInBrowser(k *kit) {
	d := k.desk(App{})
	first, cookies := d.signedIn()
	second, _ := d.signedIn("Cookie: x=1; " + cookies)
	k.equal("the device of the second sign-in", second.Session.Device.ID, first.Session.Device.ID)
	third, _ := d.signedIn()
	if third.Session.Device.ID == first.Session.Device.ID {
		k.errorf("a browser without a cookie: got the device of another")
	}
	sessions, err := d.auth.Sessions(k.ctx, "alice")
	if err != nil {
		k.fatalf("Sessions: %v", err)
	}
	for _, s := range sessions {
		if s.ID == first.Session.ID {
			k.errorf("after its browser signed in again: the first session is alive")
		}
	}
	if len(sessions) != 2 {
		k.errorf("got %d sessions, want 2", len(sessions))
	}
}

func signInWithout(k *kit) {
	d := k.desk(App{})
	for _, tt := range []struct {
		rule     string
		delivery string
		lines    []string
		want     error
		status   int
	}{
		{"from another site", "cookie", []string{"Sec-Fetch-Site: cross-site"}, core.ErrCrossSite, 418},
		{"from another origin", "cookie", []string{"Origin: https://evil.example"}, core.ErrCrossSite, 418},
		{"from here", "body", []string{"Origin: http://kit.example"}, nil, 201},
		{"an unknown delivery", "pigeon", nil, core.ErrBadRequest, 418},
		{"in the body", "body", nil, nil, 201},
	} {
		a, pair, err := d.signIn(tt.delivery, tt.lines...)
		if a.status != tt.status || !errors.Is(err, tt.want) {
			k.errorf("%s: got %d %s, error %v, want %d, error %v", tt.rule, a.status, clip(a.body), err, tt.status, tt.want)
		}
		k.lines(tt.rule, a, "Set-Cookie", own)
		if tt.want == nil && !strings.Contains(a.body, pair.RefreshToken) {
			k.errorf("%s: got %s, want the refresh token in it", tt.rule, clip(a.body))
		}
	}
}
