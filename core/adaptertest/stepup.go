package adaptertest

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/sallyport-go/sallyport/core"
)

var stepUpCases = []testCase{
	{
		"stepup/waits",
		"A sign-in that waits for a second factor is answered with the cookie of its device and no other, beside the app's own. The error is handed to the handler as core returned it.",
		stepUpWaits,
	},
	{
		"stepup/cookies",
		"StepUp begins the session of what waited, for the device that the request's cookie names, and adds its cookies to the answer, beside those that the app's middleware and its handler set. The session that the browser had ends.",
		stepUpCookies,
	},
	{
		"stepup/no-cookies",
		"A second factor that is refused, or whose tokens go into the body, adds no cookie. The error is handed to the handler as core returned it.",
		stepUpWithout,
	},
	{
		"limits/retry-after",
		"A route that refuses because of too many attempts answers as core does: 429, with Retry-After.",
		tooManyAttempts,
	},
}

// gate is a desk where alice needs a second factor: POST /login/cookie waits for it, and
// /login/plain does not; /step-up/cookie and /step-up/body take it, by the delivery, and
// /step-up/wrong finds it wrong.
type gate struct {
	*desk
	pending string
}

func (k *kit) gate(app App) *gate {
	g := &gate{}
	d := &desk{auth: k.auth()}
	answer := func(p core.Pair, err error) core.Response {
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
	}
	app.SignIns = append(app.SignIns, SignIn{
		Method: "POST", Path: "/login/cookie", Auth: d.auth.Auth, Answer: answer,
		Form: core.SignInForm{Identity: core.Identity{UserID: "alice", StepUp: true}},
	}, SignIn{
		Method: "POST", Path: "/login/plain", Auth: d.auth.Auth, Answer: answer,
		Form: core.SignInForm{Identity: core.Identity{UserID: "alice"}},
	})
	for delivery, found := range map[string]error{"cookie": nil, "body": nil, "wrong": core.ErrInvalidCredentials} {
		app.StepUps = append(app.StepUps, StepUp{
			Method: "POST", Path: "/step-up/" + delivery, Auth: d.auth.Auth, Answer: answer,
			Form: func() core.StepUpForm {
				form := core.StepUpForm{
					Pending: g.pending,
					Verify:  func(context.Context, string) ([]string, error) { return []string{"otp"}, found },
				}
				if delivery == "body" {
					form.Delivery = delivery
				}
				return form
			},
		})
	}
	d.site = k.serve(app)
	g.desk = d
	return g
}

// post posts to a path and returns what came of it.
func (g *gate) post(path string, lines ...string) (answer, core.Pair, error) {
	a := g.ask(wireBody("POST", path, "{}", lines...))
	g.mu.Lock()
	defer g.mu.Unlock()
	return a, g.pair, g.err
}

// waits has alice sign in, and returns her device's cookie as a browser sends it back.
func (g *gate) waits(others ...string) (device string) {
	a, pair, err := g.post("/login/cookie")
	var e *core.Error
	if !errors.As(err, &e) || !errors.Is(err, core.ErrStepUpRequired) || e.Pending == "" {
		g.k.fatalf("signing in: got %d %s, error %v, want %v", a.status, clip(a.body), err, core.ErrStepUpRequired)
	}
	if pair.AccessToken+pair.RefreshToken != "" {
		g.k.errorf("a sign-in that waits: got tokens")
	}
	g.pending = e.Pending
	sets := a.header.Values("Set-Cookie")
	for i, other := range append(others, own) {
		if i >= len(sets) || !strings.Contains(strings.Join(sets, "\n"), other) {
			g.k.errorf("a sign-in that waits: got cookies %q, want %q among them", sets, other)
		}
	}
	for _, set := range sets {
		pair, _, _ := strings.Cut(set, ";")
		switch name, _, _ := strings.Cut(pair, "="); {
		case strings.HasSuffix(name, "device") && device == "":
			device = pair
		case name == "own" || name == "app":
		default:
			g.k.errorf("a sign-in that waits: an unexpected cookie is set: %s", clip(set))
		}
	}
	if device == "" {
		g.k.fatalf("a sign-in that waits: got cookies %q, want one for the device", sets)
	}
	return device
}

func stepUpWaits(k *kit) {
	g := k.gate(App{Header: http.Header{"Set-Cookie": {"app=1; Path=/"}}})
	g.waits("app=1; Path=/")
	if n, err := g.auth.Count(k.ctx, "alice"); n != 0 || err != nil {
		k.errorf("Count: got %d, error %v, want no session", n, err)
	}
}

func stepUpCookies(k *kit) {
	g := k.gate(App{Header: http.Header{"Set-Cookie": {"app=1; Path=/", "app=2; Path=/x"}}})
	device := g.waits("app=1; Path=/", "app=2; Path=/x")
	_, old, err := g.post("/login/plain", "Cookie: "+device)
	if err != nil {
		k.fatalf("signing in: %v", err)
	}
	a, pair, err := g.post("/step-up/cookie", "Cookie: "+device+"; __Secure-refresh_token="+old.RefreshToken)
	if err != nil || a.status != http.StatusCreated {
		k.fatalf("the second factor: got %d %s, error %v", a.status, clip(a.body), err)
	}
	k.sets(a, pair.RefreshToken, "app=1; Path=/", "app=2; Path=/x", own)
	k.equal("the body", a.body, string(pair.Response().Body))
	sessions, err := g.auth.Sessions(k.ctx, "alice")
	if err != nil || len(sessions) != 1 || sessions[0].ID != pair.Session.ID {
		k.errorf("Sessions: got %d, error %v, want the one that began", len(sessions), err)
	}
}

func stepUpWithout(k *kit) {
	g := k.gate(App{})
	device := g.waits()
	for _, tt := range []struct {
		rule, path, cookie string
		lines              []string
		want               error
		status             int
	}{
		{"from another site", "cookie", device, []string{"Sec-Fetch-Site: cross-site"}, core.ErrCrossSite, 418},
		{"from another device", "cookie", "x=1", nil, core.ErrStepUpInvalid, 418},
		{"a wrong one", "wrong", device, nil, core.ErrStepUpInvalid, 418},
		{"in the body", "body", device, nil, nil, 201},
	} {
		a, pair, err := g.post("/step-up/"+tt.path, append(tt.lines, "Cookie: "+tt.cookie)...)
		if a.status != tt.status || !errors.Is(err, tt.want) {
			k.errorf("%s: got %d %s, error %v, want %d, error %v", tt.rule, a.status, clip(a.body), err, tt.status, tt.want)
		}
		k.lines(tt.rule, a, "Set-Cookie", own)
		if tt.want == nil && (pair.RefreshToken == "" || !strings.Contains(a.body, pair.RefreshToken)) {
			k.errorf("%s: got %s, want the refresh token in it", tt.rule, clip(a.body))
		}
	}
}

// tries is more than the sign-ins to one account that are let through in a minute.
const tries = 11

func tooManyAttempts(k *kit) {
	auth := k.auth()
	s := k.serve(App{Groups: []Group{{Prefix: "/auth", Routes: auth.Routes()}}})
	for i := range tries {
		a := s.ask(wireBody("POST", "/auth/login", `{"username":"alice","password":"x"}`, "Content-Type: application/json"))
		want := auth.Problem(core.ErrInvalidCredentials)
		if i == tries-1 {
			want = auth.Problem(core.ErrTooManyRequests)
			if retry := a.header.Get("Retry-After"); strings.Trim(retry, "0123456789") != "" || retry == "" || retry == "0" {
				k.errorf("attempt %d: got Retry-After %q, want seconds", i+1, retry)
			}
		}
		if a.status != want.Status || a.body != string(want.Body) {
			k.errorf("attempt %d: got %d %s, want %d %s", i+1, a.status, clip(a.body), want.Status, want.Body)
		}
	}
}
