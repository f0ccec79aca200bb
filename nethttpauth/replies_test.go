package nethttpauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// P15: a losing or failing refresh never clears or replaces a good cookie.
//
// A browser is a net/http/cookiejar.Jar that its tabs share, with net/http's
// own client: it takes the cookies from the jar when a request is sent, and
// gives the jar those of the reply when that arrives. The server is a real
// http.Server, over pipes where time has to pass (it is fake there), and over TCP
// in TestProofRepliesOverTCP. What happens, and in which order, a schedule says:
//
//	A>        tab A sends a refresh; "A>down" one in trouble
//	A!        the server serves it
//	A<        its reply arrives
//	A*        tab A makes a guarded request with the access token that came
//	together  the server serves all that were sent, at the same time
//	+half     time passes: half of Grace less a millisecond
//	+over     Grace and a millisecond
//	+last     what the cookie was promised to last for, less a second
//
// At its end one more refresh is made, and then the browser signs out.

// troubles are what may happen to a refresh, and the reply that is due.
var troubles = map[string]due{
	"":         {200, ""},
	"lost":     {0, ""},                    // it is served, and the connection cut
	"down":     {503, "STORE_UNAVAILABLE"}, // the store fails
	"torn":     {503, "STORE_UNAVAILABLE"}, // the store commits, then fails
	"app":      {500, "INTERNAL"},          // Config.Active fails
	"inactive": {401, "USER_INACTIVE"},     // Config.Active says no: the session ends
	"device":   {401, "DEVICE_MISMATCH"},   // with another browser's device cookie
	"garbage":  {401, "REFRESH_TOKEN_INVALID"},
	"expired":  {401, "REFRESH_TOKEN_EXPIRED"},
	"two":      {400, "BAD_REQUEST"}, // another token in the body
	"cross":    {403, "CROSS_SITE"},
	"large":    {413, "BODY_TOO_LARGE"},
}

// due is what a reply has to be.
type due struct {
	status int // 0: none comes
	code   string
}

var (
	sessionEnded = due{401, "SESSION_ENDED"}
	tokenReused  = due{401, "REFRESH_TOKEN_REUSED"}
)

// regime is how an app treats refresh tokens.
type regime struct {
	name   string
	grace  time.Duration
	policy core.RefreshPolicy
}

const standardGrace = 10 * time.Second

var regimes = []regime{
	{"rotate", 0, core.Rotate},
	{"sliding", 0, core.Sliding},
	{"strict", core.NoGrace, core.Rotate},
}

func (g regime) sliding() bool { return g.policy == core.Sliding }
func (g regime) strict() bool  { return g.grace == core.NoGrace }
func (g regime) rotates() bool { return !g.sliding() && !g.strict() }

// browser is one user's.
type browser struct {
	*wired
	ctx    context.Context
	user   string
	jar    *cookiejar.Jar
	away   map[byte]*flight // by tab
	access map[byte]string  // by tab, until it is used
	until  time.Time        // the cookie in the jar is to open until then
	work   sync.WaitGroup

	rash  bool // something happened that may cost the session: under way for long, or without grace
	over  bool // the session has ended, as it had to
	moved bool // the token has moved on and no reply says so
}

// flight is a refresh under way, and the transport of the client that sends it.
type flight struct {
	*browser
	trouble string
	sent    time.Time
	carried string // the refresh token

	ready, serve, served, arrive, arrived chan struct{}

	got    due
	header http.Header
	body   pairBody
	opens  time.Time // until when a cookie from it is to open
	lost   error
}

type pairBody struct {
	Code             string
	AccessToken      string `json:"access_token"`
	RefreshExpiresIn int    `json:"refresh_expires_in"`
}

func (p pairBody) opens() time.Time {
	return time.Now().Add(time.Duration(p.RefreshExpiresIn) * time.Second)
}

// RoundTrip begins when the client has the cookies from the jar. Those of what
// it returns go to the jar at once.
func (f *flight) RoundTrip(r *http.Request) (*http.Response, error) {
	if c, err := r.Cookie(f.cookie); err == nil {
		f.carried = c.Value
	}
	r = f.spoil(r)
	close(f.ready)
	if err := f.await(f.serve); err != nil {
		return nil, err
	}
	res, err := f.transport.RoundTrip(r)
	if err == nil {
		var text []byte
		text, err = io.ReadAll(res.Body)
		res.Body.Close()
		res.Body = io.NopCloser(bytes.NewReader(text))
		err = errors.Join(err, json.Unmarshal(text, &f.body))
		f.got, f.header, f.opens = due{res.StatusCode, f.body.Code}, res.Header, f.body.opens()
	}
	f.lost = err
	close(f.served)
	if err = errors.Join(err, f.await(f.arrive)); err != nil {
		return nil, err
	}
	return res, nil
}

// spoil returns the request with what gets it into trouble.
func (f *flight) spoil(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Set("Trouble", f.trouble)
	replace := func(name, value string) {
		cookies := r.Cookies()
		r.Header.Del("Cookie")
		for _, c := range cookies {
			if c.Name == name {
				c.Value = value
			}
			r.AddCookie(c)
		}
	}
	switch f.trouble {
	case "device":
		replace(f.device, f.strange)
	case "garbage":
		replace(f.cookie, "garbage")
	case "expired":
		replace(f.cookie, f.expired)
	case "cross":
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	return r
}

func (b *browser) await(c chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
}

// held returns a cookie in the jar, or "".
func (b *browser) held(name string) string {
	for _, c := range b.jar.Cookies(b.group) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// ask sends a request by a transport, and returns when the reply has arrived.
func (b *browser) ask(by http.RoundTripper, method, route, token, body string) (status int, out pairBody, err error) {
	r, err := http.NewRequestWithContext(b.ctx, method, b.group.String()+route, strings.NewReader(body))
	if err != nil {
		return 0, out, err
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := (&http.Client{Jar: b.jar, Transport: by}).Do(r)
	if err != nil {
		return 0, out, err
	}
	defer res.Body.Close()
	return res.StatusCode, out, json.NewDecoder(res.Body).Decode(&out)
}

// browse opens a browser, which signs a new user in.
func (w *wired) browse(ctx context.Context) (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	w.users++
	w.issued = nil
	b := &browser{
		wired: w, ctx: ctx, user: fmt.Sprintf("user-%d", w.users), jar: jar,
		away: make(map[byte]*flight), access: make(map[byte]string),
	}
	status, body, err := b.ask(w.transport, "POST", "/login", "", `{"username":"`+b.user+`","password":"pw"}`)
	b.until = body.opens()
	if err == nil && status != 200 {
		err = fmt.Errorf("login: got %d %s", status, body.Code)
	}
	return b, err
}

// run has a new browser go through a schedule, and returns how it left it.
func (w *wired) run(ctx context.Context, schedule string) (*browser, error) {
	if err := w.prepare(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b, err := w.browse(ctx)
	if err != nil {
		return nil, err
	}
	defer b.work.Wait()
	defer cancel()
	for i, event := range strings.Fields(schedule + " Z> Z! Z< logout") {
		before := b.held(b.cookie)
		err := b.step(event)
		if after := b.held(b.cookie); err == nil && after != before && event[1] != '<' && event != "logout" {
			err = fmt.Errorf("the jar held %q, and now %q", before, after)
		}
		if err != nil {
			return nil, fmt.Errorf("%q, event %d, %s: %w", schedule, i+1, event, err)
		}
	}
	return b, b.auth.Forget(ctx, b.user) // the store has room for so many
}

func (b *browser) step(event string) error {
	switch tab, what := event[0], event[1]; {
	case event == "+half":
		return b.wait(standardGrace/2 - time.Millisecond)
	case event == "+over":
		return b.wait(standardGrace + time.Millisecond)
	case event == "+last":
		return b.wait(time.Until(b.until) - time.Second)
	case event == "together":
		return b.serve(slices.Sorted(maps.Keys(b.away))...)
	case event == "logout":
		return b.logout()
	case what == '>':
		return b.send(tab, event[2:])
	case what == '!':
		return b.serve(tab)
	case what == '<':
		return b.take(tab)
	case what == '*':
		return b.use(tab)
	}
	return errors.New("there is no such event")
}

func (b *browser) wait(d time.Duration) error {
	b.pass(d)
	for _, f := range b.away {
		b.rash = b.rash || b.rotates() && time.Since(f.sent) >= standardGrace/2
	}
	return nil
}

func (b *browser) send(tab byte, trouble string) error {
	b.rash = b.rash || b.strict() && (len(b.away) > 0 || trouble == "lost" || trouble == "torn")
	f := &flight{browser: b, trouble: trouble, sent: time.Now()}
	for _, c := range []*chan struct{}{&f.ready, &f.serve, &f.served, &f.arrive, &f.arrived} {
		*c = make(chan struct{})
	}
	body := ""
	switch trouble {
	case "two":
		body = refreshBody("another")
	case "large":
		body = `{"x":"` + strings.Repeat("x", 64<<10) + `"}`
	}
	b.away[tab] = f
	b.work.Go(func() {
		_, _, _ = b.ask(f, "POST", "/refresh", "", body)
		close(f.arrived)
	})
	return b.await(f.ready)
}

// serve has the server serve what tabs have sent.
func (b *browser) serve(tabs ...byte) error {
	newest := b.expect(len(tabs))
	over := b.over
	for _, tab := range tabs {
		close(b.away[tab].serve)
	}
	var wrong error
	for _, tab := range tabs {
		err := b.await(b.away[tab].served)
		if err == nil {
			err = b.served(tab, newest, over)
		}
		wrong = errors.Join(wrong, err)
	}
	return wrong
}

// served checks what came of a refresh, before which there was a newest token
// and the session was over or not.
func (b *browser) served(tab byte, newest string, over bool) error {
	f := b.away[tab]
	switch {
	case f.trouble == "lost" && f.lost == nil:
		return fmt.Errorf("the reply is not lost: %v", f.got)
	case f.trouble == "lost":
		delete(b.away, tab)
		close(f.arrive)
		return b.await(f.arrived)
	case f.lost != nil:
		return f.lost
	case f.got.status != 200 && f.header["Set-Cookie"] != nil:
		return fmt.Errorf("%v sets a cookie: %q", f.got, f.header["Set-Cookie"])
	}
	want, tore := troubles[f.trouble], b.tore()
	if f.trouble == "torn" && !tore {
		want = troubles[""] // there was nothing to commit
	}
	spent := f.carried != newest || b.moved
	switch reaches := slices.Contains([]string{"", "torn", "app", "inactive", "device"}, f.trouble); {
	case !reaches: // the session
	case over:
		want = sessionEnded
	case f.got == tokenReused && (b.rash || f.trouble == "device" && spent), f.got == sessionEnded && b.rash:
		want = f.got
	}
	if f.got != want {
		return fmt.Errorf("got %v, want %v", f.got, want)
	}
	b.over = b.over || want == sessionEnded || want == tokenReused || want == troubles["inactive"]
	b.moved = b.moved || tore && !b.sliding()
	return nil
}

// take has a tab's reply arrive.
func (b *browser) take(tab byte) error {
	f := b.away[tab]
	delete(b.away, tab)
	before, device := b.held(b.cookie), b.held(b.device)
	close(f.arrive)
	if err := b.await(f.arrived); err != nil {
		return err
	}
	want := before
	for _, c := range (&http.Response{Header: f.header}).Cookies() {
		if c.Name == b.cookie {
			want = c.Value
		}
	}
	after := b.held(b.cookie)
	switch {
	case after != want || after == "" || f.got.status != 200 && after != before:
		return fmt.Errorf("%v: the jar holds %s, want %s", f.got, after, want)
	case b.held(b.device) != device:
		return fmt.Errorf("%v: the device cookie is %q, and was %q", f.got, b.held(b.device), device)
	case b.sliding() && after != before:
		return fmt.Errorf("%v: another token", f.got)
	case b.nth(after) < b.nth(before) && (b.strict() || !b.rash):
		return fmt.Errorf("%v brings an older cookie back", f.got)
	}
	if f.got.status == 200 {
		b.access[tab] = f.body.AccessToken
		if after != before || b.sliding() {
			b.until = f.opens
		}
	}
	return nil
}

// use shows the server that the reply has arrived.
func (b *browser) use(tab byte) error {
	token := b.access[tab]
	delete(b.access, tab)
	if token == "" {
		return nil
	}
	status, body, err := b.ask(b.transport, "GET", "/sessions", token, "")
	if err == nil && status != 200 && !b.rash && !b.over {
		err = fmt.Errorf("the access token that came: got %d %s", status, body.Code)
	}
	b.pass(0) // it is noted in the background
	return err
}

// logout is what deletes the cookie, and nothing else.
func (b *browser) logout() error {
	status, body, err := b.ask(b.transport, "POST", "/logout", "", "")
	if err == nil && (status != 200 || b.held(b.cookie) != "") {
		err = fmt.Errorf("got %d %s, and the jar holds %q", status, body.Code, b.held(b.cookie))
	}
	return err
}

// The schedules that show a rule each, in every regime.
var rules = []struct{ name, schedule string }{
	{"two tabs, the first to be served arrives first", "A> B> A! B! A< B<"},
	{"two tabs, the first to be served arrives last", "A> B> A! B! B< A< +over"},
	{"a reply with the token that was sent brings no cookie", "A> A! +half A< A* +half B> B! +half A> A! A< A* B< +over"},
	{"the token does not move while a straggler's reply is under way", "A>lost A! +half +half A> B> A! B! B< B* +half B> B! B< B* A< +over"},
	{"nor after a late replay", "A>lost A! +over A> B> A! B! A< A* A> A! A< A* B< +over"},
	{"a lost reply is asked for again, soon", "A>lost A! +half A> A! A< A* +over"},
	{"a lost reply is asked for again, late", "A>lost A! +over A> A! A< A* +over"},
	{"so is one that the store cut off", "A>torn A! A< +over B> B! B< B*"},
	{"a straggler is forgiven when the successor is in use", "A> B> A! A< A* +half B! B< +over"},
	{"what comes too late ends the session and leaves the cookie", "A> B> A! A< A* +over B! B<"},
	{"three at the same time", "A> B> C> together C< A< B< B* +over"},
	{"the cookie of a sign-in lasts as it was promised", "+last"},
	{"that of a refresh too", "+half A> A! A< A* +last"},
}

// ruleSchedules returns them by their names, and beside them each trouble
// after and before a refresh that is good.
func ruleSchedules() map[string]string {
	out := make(map[string]string)
	for _, r := range rules {
		out[r.name] = r.schedule
	}
	for name := range troubles {
		good, bad := strings.Join(events('A', true, ""), " "), strings.Join(events('B', true, name), " ")
		out["a good one, then "+name], out[name+", then a good one"] = good+" "+bad, bad+" "+good
	}
	return out
}

// events returns those of a tab that refreshes, with one trouble after the
// other, and then uses what has come or not.
func events(tab byte, use bool, troubles ...string) []string {
	var out []string
	for _, trouble := range troubles {
		out = append(out, string(tab)+">"+trouble, string(tab)+"!")
		switch {
		case trouble == "lost":
		case use:
			out = append(out, string(tab)+"< "+string(tab)+"*")
		default:
			out = append(out, string(tab)+"<")
		}
	}
	return out
}

func TestReplies(t *testing.T) {
	for _, g := range regimes {
		t.Run(g.name, func(t *testing.T) {
			overPipes(t, g, func(t *testing.T, w *wired) {
				for name, schedule := range ruleSchedules() {
					if _, err := w.run(t.Context(), schedule); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		})
	}
}
