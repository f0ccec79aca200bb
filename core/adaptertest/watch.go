package adaptertest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/sallyport-go/sallyport/core"
)

var watchCases = []testCase{
	{
		"watch/cookies",
		"To a login answer with an access token of a new session Watch adds the session's cookies, beside those that the app set, and that no cache may keep it. Status, other headers and body stay as they are.",
		watchCookies,
	},
	{
		"watch/browser",
		"Watch sees the request's cookies: it ends the session that the browser had.",
		watchBrowser,
	},
	{
		"watch/untouched",
		"Every other answer passes as it is: a failed login, one without a token, with a bad one, without a body.",
		watchUntouched,
	},
	{
		"watch/long",
		"An answer that is longer than LoginAnswerMax passes as it is, all of it; one of exactly that size is watched.",
		watchLong,
	},
	{
		"watch/refusal",
		"When the session can't be had, core's refusal takes the place of what the handler answered, its headers and cookies included; those that the app's middleware set before stay.",
		watchRefusal,
	},
	{
		"watch/cross-site",
		"A login from another site is refused before the handler runs.",
		watchCrossSite,
	},
	{
		"watch/request",
		"The handler behind Watch gets its request whole: the body is there to be read, and the context is what the app's middleware made it.",
		watchRequest,
	},
}

// porch is a site whose login, POST /login, is watched and answers what is set.
type porch struct {
	*site
	auth auth

	mu     sync.Mutex
	answer func() core.Response
	ran    int
}

func (k *kit) porch(app App) *porch {
	p := &porch{auth: k.auth()}
	app.Watched = append(app.Watched, Watched{Method: "POST", Path: "/login", Auth: p.auth.Auth, Handle: func(context.Context, []byte) core.Response {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ran++
		return p.answer()
	}})
	p.site = k.serve(app)
	return p
}

// login logs in, with a handler that does so by answer. It returns what came
// back, and how often the handler ran.
func (p *porch) login(answer func() core.Response, lines ...string) (answer, int) {
	p.mu.Lock()
	p.answer, p.ran = answer, 0
	p.mu.Unlock()
	a := p.ask(wireBody("POST", "/login", "{}", lines...))
	p.mu.Lock()
	defer p.mu.Unlock()
	return a, p.ran
}

// begin begins a session, as an app's own login handler would.
func (p *porch) begin() core.Pair {
	pair, err := p.auth.SignIn(p.k.ctx, core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		p.k.errorf("signing in: %v", err)
	}
	return pair
}

// loggedIn is what an app's login answers: JSON of so many bytes or more.
func loggedIn(token string, size int) core.Response {
	body := fmt.Sprintf("{ \"access_token\" : %q,\n\"more\":\"", token)
	body += strings.Repeat("x", max(0, size-len(body)-2)) + `"}`
	return core.Response{Status: http.StatusCreated, Header: http.Header{
		"Content-Type": {"application/json; charset=utf-8"}, "Cache-Control": {"max-age=60"},
		"Set-Cookie": {"own=1; Path=/own", "own=2"}, "X-Own": {"1", "2"},
	}, Body: []byte(body)}
}

func watchCookies(k *kit) {
	p := k.porch(App{Header: http.Header{"Set-Cookie": {"app=1"}, "X-App": {"1", "2"}}})
	for _, size := range []int{0, 5000, 40 << 10} {
		var pair core.Pair
		var out core.Response
		a, _ := p.login(func() core.Response {
			pair = p.begin()
			out = loggedIn(pair.AccessToken, size)
			return out
		})
		if a.status != http.StatusCreated {
			k.errorf("got %d, want %d", a.status, http.StatusCreated)
		}
		k.sets(a, pair.RefreshToken, "app=1", "own=1; Path=/own", "own=2")
		k.lines("the answer", a, "Cache-Control", "no-store")
		k.lines("the answer", a, "Content-Type", "application/json; charset=utf-8")
		k.lines("the answer", a, "X-Own", "1", "2")
		k.lines("the answer", a, "X-App", "1", "2")
		k.equal("the body", a.body, string(out.Body))
	}
}

func watchBrowser(k *kit) {
	p := k.porch(App{})
	var pair core.Pair
	in := func() core.Response {
		pair = p.begin()
		return loggedIn(pair.AccessToken, 0)
	}
	a, _ := p.login(in)
	cookies := k.sets(a, pair.RefreshToken, "own=1; Path=/own", "own=2")
	p.login(in, "Cookie: x=1; "+cookies)
	sessions, err := p.auth.Sessions(k.ctx, "alice")
	if err != nil || len(sessions) != 1 || sessions[0].ID != pair.Session.ID {
		k.errorf("after the browser logged in again: got %d sessions, error %v, want the newer alone", len(sessions), err)
	}
}

// unchanged says that an answer arrived as the handler gave it.
func (k *kit) unchanged(what string, a answer, out core.Response) {
	if a.status != out.Status {
		k.errorf("%s: got %d, want %d", what, a.status, out.Status)
	}
	k.equal(what+": the body", a.body, string(out.Body))
	for name, want := range out.Header {
		k.lines(what, a, name, want...)
	}
	if out.Header["Set-Cookie"] == nil {
		k.lines(what, a, "Set-Cookie")
	}
}

func watchUntouched(k *kit) {
	p := k.porch(App{})
	for what, change := range map[string]func(*core.Response){
		"a failed login":         func(out *core.Response) { out.Status = 401 },
		"a failure":              func(out *core.Response) { out.Status = 500 },
		"elsewhere":              func(out *core.Response) { out.Status, out.Header["Location"] = 303, []string{"/home"} },
		"a text":                 func(out *core.Response) { out.Body = []byte("access_token: none") },
		"broken JSON":            func(out *core.Response) { out.Body = out.Body[:len(out.Body)-1] },
		"another member":         func(out *core.Response) { out.Body = []byte(strings.ReplaceAll(string(out.Body), "access_", "other_")) },
		"a bad token":            func(out *core.Response) { out.Body = []byte(`{"access_token":"nonsense"}`) },
		"an empty body":          func(out *core.Response) { out.Body = nil },
		"no content":             func(out *core.Response) { out.Status, out.Body = 204, nil },
		"no cookies":             func(out *core.Response) { out.Status = 403; delete(out.Header, "Set-Cookie") },
		"bytes that are no text": func(out *core.Response) { out.Body = []byte(everyByte()) },
	} {
		var out core.Response
		a, _ := p.login(func() core.Response {
			out = loggedIn(p.begin().AccessToken, 3000)
			change(&out)
			return out
		})
		if out.Status == 204 {
			delete(out.Header, "Content-Type") // of nothing
		}
		k.unchanged(what, a, out)
	}
}

func watchLong(k *kit) {
	p := k.porch(App{})
	for _, more := range []int{0, 1, 1000, 200 << 10} {
		var pair core.Pair
		var out core.Response
		a, _ := p.login(func() core.Response {
			pair = p.begin()
			out = loggedIn(pair.AccessToken, core.LoginAnswerMax+more)
			return out
		})
		what := fmt.Sprintf("%d bytes", len(out.Body))
		if more == 0 {
			k.equal(what+": the body", a.body, string(out.Body))
			k.sets(a, pair.RefreshToken, "own=1; Path=/own", "own=2")
			continue
		}
		k.unchanged(what, a, out)
	}
}

func watchRefusal(k *kit) {
	app := http.Header{"Set-Cookie": {"app=1", "app=2"}, "X-App": {"1", "2"}}
	p := k.porch(App{Header: app})
	a, _ := p.login(func() core.Response {
		out := loggedIn(p.begin().AccessToken, 3000)
		if _, err := p.auth.RevokeAll(k.ctx, "alice", core.ReasonRevoked); err != nil {
			k.errorf("RevokeAll: %v", err)
		}
		return out
	})
	want := p.auth.Problem(core.ErrSessionEnded)
	maps.Copy(want.Header, app)
	k.unchanged("the refusal", a, want)
	k.lines("the refusal", a, "X-Own")
}

func watchCrossSite(k *kit) {
	p := k.porch(App{})
	for _, l := range []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"} {
		a, ran := p.login(func() core.Response { return loggedIn(p.begin().AccessToken, 0) }, l)
		k.unchanged(l, a, p.auth.Problem(core.ErrCrossSite))
		if ran > 0 {
			k.errorf("%s: the handler ran", l)
		}
	}
	if _, ran := p.login(func() core.Response { return text(200, "") }, "Origin: http://kit.example"); ran != 1 {
		k.errorf("from this site: the handler ran %d times, want once", ran)
	}
}

func watchRequest(k *kit) {
	v := &visits{}
	s := k.serve(App{Context: v.context, Watched: []Watched{{
		Method: "POST", Path: "/login", Auth: k.auth().Auth,
		Handle: func(ctx context.Context, body []byte) core.Response {
			return text(200, visit(ctx)+" "+string(body))
		},
	}}})
	c := s.dial()
	for i, body := range []string{"", `{"password":"` + everyByte() + `"}`, strings.Repeat("long ", 20000)} {
		a := c.ask(wireBody("POST", "/login", body, "Content-Type: application/json"))
		k.equal("what the handler saw", a.body, fmt.Sprintf("%d %s", i+1, body))
	}
}
