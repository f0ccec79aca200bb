package nethttpauth_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// wired is an app behind an http.Server.
type wired struct {
	regime
	auth           *core.Auth
	server         *httptest.Server
	transport      http.RoundTripper
	group          *url.URL            // of the routes
	pass           func(time.Duration) // lets time go by
	cookie, device string              // names
	users          int

	strange  string    // another browser's device cookie
	expired  string    // a refresh token whose life is over
	prepared time.Time // when they were got

	fault func(r *http.Request, status int, h http.Header) // in the replies, or nil

	mu      sync.Mutex
	issued  []string        // refresh cookies of the browser, oldest first
	torn    bool            // the last request found the store torn
	meeting *sync.WaitGroup // of the requests that are served together
}

// trouble is what happens to one request.
type trouble struct {
	name    string
	torn    bool
	meeting *sync.WaitGroup
}

type troubleKey struct{}

func troubleOf(ctx context.Context) *trouble {
	if t, ok := ctx.Value(troubleKey{}).(*trouble); ok {
		return t
	}
	return &trouble{} // in the background
}

// torn is a store with trouble.
type torn struct {
	*memstore.Store
	app *wired
}

func (s torn) Load(ctx context.Context, user string) (core.Ledger, error) {
	t := troubleOf(ctx)
	if t.name == "down" || t.torn {
		return core.Ledger{}, errDown
	}
	l, err := s.Store.Load(ctx, user)
	if t.meeting != nil { // nobody commits before all have loaded
		t.meeting.Done()
		t.meeting.Wait()
	}
	return l, err
}

func (s torn) Commit(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
	t := troubleOf(ctx)
	stands, err := s.Store.Commit(ctx, user, c)
	if err == nil && t.name == "torn" {
		t.torn = true
		s.app.mu.Lock()
		defer s.app.mu.Unlock()
		s.app.torn = true
		return core.Ledger{}, errDown
	}
	return stands, err
}

// wire starts an app on a server that is set up but does not run.
func wire(t *testing.T, g regime, secure bool, server *httptest.Server) *wired {
	w := &wired{regime: g, server: server, cookie: "refresh_token", device: "device"}
	if secure {
		w.cookie, w.device = "__Secure-refresh_token", "__Secure-device"
	}
	auth, err := core.New(core.Config{
		Store:            torn{memstore.New(), w},
		Keys:             []core.Key{{Secret: testKey}},
		Prefix:           prefix,
		Cookie:           core.Cookie{Insecure: !secure},
		Grace:            g.grace,
		RefreshPolicy:    g.policy,
		RefreshTTL:       max(time.Minute, 2*g.grace),
		MaxStaleness:     time.Hour, // nothing is revoked elsewhere
		StoreTimeout:     time.Hour, // the store does not hang
		LedgerCacheBytes: -1,        // what is done to a load is done to each
		Audit:            func(context.Context, core.Event) {},
		Authenticate: func(_ context.Context, c core.Credentials) (core.Identity, error) {
			return core.Identity{UserID: c.Username}, nil
		},
		Active: func(ctx context.Context, _ string) (bool, error) {
			switch troubleOf(ctx).name {
			case "app":
				return false, errDown
			case "inactive":
				return false, nil
			}
			return true, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	nethttpauth.Mount(mux, prefix, auth.Routes())
	server.Config.Handler = http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		t := &trouble{name: r.Header.Get("Trouble")}
		if r.Header["Trouble"] != nil {
			w.mu.Lock()
			t.meeting = w.meeting
			w.mu.Unlock()
		}
		if t.name == "lost" {
			out = httptest.NewRecorder()
		}
		mux.ServeHTTP(noting{out, r, w}, r.WithContext(context.WithValue(r.Context(), troubleKey{}, t)))
		if t.name == "lost" {
			panic(http.ErrAbortHandler)
		}
	})
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	w.auth, w.transport = auth, server.Client().Transport
	w.group, err = url.Parse(server.URL + prefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Close()
		auth.Close()
	})
	return w
}

// noting notes which tokens are sent, before they are.
type noting struct {
	http.ResponseWriter
	r *http.Request
	w *wired
}

func (n noting) WriteHeader(status int) {
	n.w.mu.Lock()
	for _, c := range (&http.Response{Header: n.Header()}).Cookies() {
		if c.Name == n.w.cookie && !slices.Contains(n.w.issued, c.Value) {
			n.w.issued = append(n.w.issued, c.Value)
		}
	}
	n.w.mu.Unlock()
	if n.w.fault != nil {
		n.w.fault(n.r, status, n.Header())
	}
	n.ResponseWriter.WriteHeader(status)
}

// expect gets ready for requests that are served together, and returns the
// newest token.
func (w *wired) expect(requests int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.torn, w.meeting = false, nil
	if requests > 1 {
		w.meeting = new(sync.WaitGroup)
		w.meeting.Add(requests)
	}
	return w.issued[len(w.issued)-1]
}

// tore reports whether the store was torn since expect.
func (w *wired) tore() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.torn
}

// nth returns how many tokens were issued before one.
func (w *wired) nth(token string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Index(w.issued, token)
}

// prepare gets what troubles need from another browser. An expired token says
// so for an hour.
func (w *wired) prepare(ctx context.Context) error {
	if !w.prepared.IsZero() && time.Since(w.prepared) < 30*time.Minute {
		return nil
	}
	b, err := w.browse(ctx)
	if err != nil {
		return err
	}
	w.strange, w.expired = b.held(w.device), b.held(w.cookie)
	w.pass(time.Until(b.until))
	w.prepared = time.Now()
	return nil
}

// pipes is a listener in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Addr() net.Addr {
	end, _ := net.Pipe()
	return end.LocalAddr()
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// overPipes runs a test on an app in a bubble of fake time: with all of HTTP/1.1
// and without sockets, which fake time does not wait for.
func overPipes(t *testing.T, g regime, test func(t *testing.T, w *wired)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		w := wire(t, g, false, &httptest.Server{Listener: p, Config: &http.Server{}})
		w.server.Client().Transport.(*http.Transport).DialContext = p.dial
		w.pass = pass
		synctest.Wait()
		test(t, w)
	})
}

// What breaks the promise is found out.
func TestRepliesTellFaults(t *testing.T) {
	const refresh = prefix + "/refresh"
	edit := func(h http.Header, old, new string) {
		for i, line := range h["Set-Cookie"] {
			h["Set-Cookie"][i] = strings.Replace(line, old, new, 1)
		}
	}
	for name, fault := range map[string]func(r *http.Request, status int, h http.Header){
		"a refusal deletes the cookie": func(r *http.Request, status int, h http.Header) {
			if status == 401 {
				h.Add("Set-Cookie", dropped)
			}
		},
		"a failure deletes the cookie": func(r *http.Request, status int, h http.Header) {
			if status == 503 {
				h.Add("Set-Cookie", dropped)
			}
		},
		"the same token is set again": func(r *http.Request, status int, h http.Header) {
			if c, err := r.Cookie("refresh_token"); err == nil && status == 200 && r.URL.Path == refresh && h["Set-Cookie"] == nil {
				h.Add("Set-Cookie", c.String()+"; Path="+prefix+"; Max-Age=60")
			}
		},
		"a cookie lasts too short": func(r *http.Request, status int, h http.Header) { edit(h, "Max-Age=60", "Max-Age=58") },
		"the path is another": func(r *http.Request, status int, h http.Header) {
			if r.URL.Path == refresh {
				edit(h, "Path="+prefix, "Path=/")
			}
		},
		"the device cookie goes": func(r *http.Request, status int, h http.Header) {
			if r.URL.Path == refresh {
				h.Add("Set-Cookie", "device=; Path="+prefix+"; Max-Age=0")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			overPipes(t, regimes[0], func(t *testing.T, w *wired) {
				w.fault = fault
				found := 0
				for _, schedule := range ruleSchedules() {
					if _, err := w.run(t.Context(), schedule); err != nil {
						found++
					}
				}
				if found == 0 {
					t.Error("no schedule shows it")
				}
				t.Logf("%d of %d schedules show it", found, len(ruleSchedules()))
			})
		})
	}
}

// crowd is a set of schedules: some tabs, whose events come in every order.
type crowd struct {
	name      string
	refreshes []int // of each tab
	passes    int   // how often time passes in between, at most
	troubled  func(chosen []string) bool
	ends      []string
	uses      []bool // whether tabs use what comes
}

var crowds = []crowd{
	{"two tabs", []int{1, 1}, 1, anyTrouble, []string{"", "+over", "+last"}, []bool{true, false}},
	{"a retry", []int{2, 1}, 1, fewTroubles, []string{"+over"}, []bool{true}},
	{"a retry in time", []int{2, 1}, 3, noTrouble, []string{"+over"}, []bool{true}},
	{"three tabs", []int{1, 1, 1}, 1, fewTroubles, []string{"+over"}, []bool{true}},
}

// in returns what of a crowd tells something in a regime: where no grace period
// runs out, less hangs on time.
func (c crowd) in(g regime) crowd {
	if !g.rotates() {
		c.uses = []bool{true}
		if len(c.ends) == 1 {
			c.passes = 0
		}
	}
	return c
}

func anyTrouble([]string) bool { return true }

func noTrouble(chosen []string) bool { return strings.Join(chosen, "") == "" }

// fewTroubles allows one, or any number of replies that were lost.
func fewTroubles(chosen []string) bool {
	chosen = slices.DeleteFunc(slices.Clone(chosen), func(name string) bool { return name == "" })
	return len(chosen) <= 1 || !slices.ContainsFunc(chosen, func(name string) bool { return name != "lost" })
}

// schedules returns all of a crowd.
func (c crowd) schedules() []string {
	var out []string
	refreshes := 0
	for _, n := range c.refreshes {
		refreshes += n
	}
	alike := slices.Min(c.refreshes) == slices.Max(c.refreshes)
	for _, chosen := range choices(refreshes) {
		if !c.troubled(chosen) {
			continue
		}
		for _, use := range c.uses {
			var tabs [][]string
			left := chosen
			for i, n := range c.refreshes {
				tabs = append(tabs, events(byte('A'+i), use, left[:n]...))
				left = left[n:]
			}
			for _, order := range everyOrder(tabs, alike, c.passes, nil) {
				for _, end := range c.ends {
					out = append(out, order+" "+end)
				}
			}
		}
	}
	return out
}

// choices returns every choice of troubles for some refreshes.
func choices(refreshes int) [][]string {
	if refreshes == 0 {
		return [][]string{nil}
	}
	var out [][]string
	for _, chosen := range choices(refreshes - 1) {
		for _, name := range slices.Sorted(maps.Keys(troubles)) {
			out = append(out, append(slices.Clip(chosen), name))
		}
	}
	return out
}

// everyOrder returns every order in which the events of tabs can go on, with time
// passing in between at most so often. Tabs that are alike, with one refresh
// each, begin in turn: their names make no difference.
func everyOrder(tabs [][]string, alike bool, passes int, done []string) []string {
	var out []string
	over := true
	for i, events := range tabs {
		if len(events) == 0 {
			continue
		}
		over = false
		if alike && i > 0 && unsent(events) && unsent(tabs[i-1]) {
			continue
		}
		rest := slices.Clone(tabs)
		rest[i] = events[1:]
		out = append(out, everyOrder(rest, alike, passes, append(slices.Clip(done), events[0]))...)
	}
	if over {
		return []string{strings.Join(done, " ")}
	}
	if passes > 0 && len(done) > 0 && done[len(done)-1][0] != '+' {
		for _, step := range []string{"+half", "+over"} {
			out = append(out, everyOrder(tabs, alike, passes-1, append(slices.Clip(done), step))...)
		}
	}
	return out
}

func unsent(events []string) bool { return len(events) > 0 && events[0][1] == '>' }

// tryAll has browsers go through schedules: one of so many, all in a long proof.
func (w *wired) tryAll(t *testing.T, schedules []string, apart int) {
	if os.Getenv("SALLYPORT_PROOF") != "" {
		apart = 1
	}
	tried, honest, ended := 0, 0, 0
	for i := 0; i < len(schedules); i += apart {
		b, err := w.run(t.Context(), schedules[i])
		if err != nil {
			t.Fatal(err)
		}
		tried++
		switch {
		case b.over:
			ended++
		case !b.rash:
			honest++
		}
	}
	t.Logf("%d of %d schedules: in %d the last refresh had to work, in %d the session had to end", tried, len(schedules), honest, ended)
}

// Every order of the events of each crowd, over pipes and in fake time.
func TestProofReplies(t *testing.T) {
	for _, g := range regimes {
		for _, c := range crowds {
			t.Run(g.name+", "+c.name, func(t *testing.T) {
				t.Parallel()
				schedules := c.in(g).schedules()
				overPipes(t, g, func(t *testing.T, w *wired) { w.tryAll(t, schedules, 499) })
			})
		}
	}
}

// Over TCP and TLS, where time is real: none has to pass, and a grace period is
// longer than a schedule takes. Two tabs are served in every order, and three at
// the same time.
func TestProofRepliesOverTCP(t *testing.T) {
	schedules := crowd{refreshes: []int{1, 1}, uses: []bool{true}, ends: []string{""}, troubled: func(chosen []string) bool {
		return !slices.Contains(chosen, "expired") // which takes time
	}}.schedules()
	for _, chosen := range choices(3) {
		var sent []string
		var replies [][]string
		for i, name := range chosen {
			if name == "" || name == "lost" || name == "app" { // these meet in the store
				list := events(byte('A'+i), true, name)
				sent, replies = append(sent, list[0]), append(replies, list[2:])
			}
		}
		if len(sent) < len(chosen) {
			continue
		}
		for _, order := range everyOrder(replies, false, 0, nil) {
			schedules = append(schedules, strings.Join(sent, " ")+" together "+order)
		}
	}
	for _, g := range regimes {
		if !g.strict() {
			g.grace = 5 * time.Minute
		}
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", g.name, http2), func(t *testing.T) {
				server := httptest.NewUnstartedServer(nil)
				server.EnableHTTP2 = http2
				w := wire(t, g, true, server)
				w.pass = func(time.Duration) {}
				w.tryAll(t, schedules, 29)
			})
		}
	}
}
