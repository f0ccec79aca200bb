package adaptertest

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sallyport-go/sallyport/core"
)

// kit is what one run of a case works with. Its methods are safe to call
// concurrently.
type kit struct {
	ctx     context.Context
	adapter Adapter

	mu      sync.Mutex
	seen    []string
	skipped string
	after   []func() // what is to be done when the case is over, last first
}

// stop ends a case, or a goroutine of one, from within.
type stop struct{}

// guarded runs f and returns when it is done or stopped.
func (k *kit) guarded(f func()) {
	defer func() {
		if r := recover(); r != nil && r != (stop{}) {
			panic(r)
		}
	}()
	f()
}

func (k *kit) errorf(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.seen) < 12 {
		k.seen = append(k.seen, fmt.Sprintf(format, args...))
	}
}

// fatalf ends the goroutine that calls it.
func (k *kit) fatalf(format string, args ...any) {
	k.errorf(format, args...)
	panic(stop{})
}

// skip ends a case that has nothing to check.
func (k *kit) skip(why string) {
	k.skipped = why
	panic(stop{})
}

// finally has something done when the case is over.
func (k *kit) finally(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.after = append(k.after, f)
}

// clean does what is to be done when the case is over.
func (k *kit) clean() {
	for _, f := range slices.Backward(k.after) {
		f()
	}
}

// parallel runs all functions at once and waits for them.
func (k *kit) parallel(fs ...func()) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for _, f := range fs {
		wg.Go(func() {
			<-begin
			k.guarded(f)
		})
	}
	close(begin)
	wg.Wait()
}

func (k *kit) equal(what, got, want string) {
	if got != want {
		k.errorf("%s: got %s, want %s", what, clip(strconv.Quote(got)), clip(strconv.Quote(want)))
	}
}

// equalList compares lists; none is as good as an empty one.
func (k *kit) equalList(what string, got, want []string) {
	if !slices.Equal(got, want) {
		k.errorf("%s: got %s, want %s", what, clip(fmt.Sprintf("%q", got)), clip(fmt.Sprintf("%q", want)))
	}
}

// clip shortens what is printed.
func clip(s string) string {
	if len(s) > 200 {
		return fmt.Sprintf("%s... (%d bytes)", s[:200], len(s))
	}
	return s
}

// site is an app that is served.
type site struct {
	k    *kit
	addr string // host and port
}

// serve serves an app until the case is over.
func (k *kit) serve(app App) *site {
	served, end, err := k.start(app)
	if err != nil {
		k.fatalf("Serve: got error %v", err)
	}
	k.finally(end)
	u, err := url.Parse(served)
	if err != nil || u.Scheme != "http" || !strings.HasPrefix(u.Host, "127.0.0.1:") {
		k.fatalf("Serve: got URL %q, want one of http on 127.0.0.1", served)
	}
	return &site{k: k, addr: u.Host}
}

// start calls Serve, where frameworks panic about routes that they can't take.
func (k *kit) start(app App) (url string, end func(), err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return k.adapter.Serve(app)
}

// probe is a site whose routes show their requests to the case.
type probe struct {
	*site
	conn *conn

	mu   sync.Mutex
	look func(core.Request)
	ran  int // requests so far
}

// The routes of a probe.
const (
	probePath = "/kit/probe"              // every method in probeMethods
	usersPath = "/kit/users/%s/tokens"    // GET, parameter {user}
	pairsPath = "/kit/pairs/%s/of/%s/end" // GET, parameters {first} and {second}
)

var probeMethods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}

// probe serves a probe in an app.
func (k *kit) probe(app App) *probe {
	p := &probe{}
	routes := []core.Route{
		{Method: "GET", Path: "/users/{user}/tokens", Serve: p.serve},
		{Method: "GET", Path: "/pairs/{first}/of/{second}/end", Serve: p.serve},
	}
	for _, m := range probeMethods {
		routes = append(routes, core.Route{Method: m, Path: "/probe", Serve: p.serve})
	}
	app.Groups = append(app.Groups, Group{Prefix: "/kit", Routes: routes})
	p.site = k.serve(app)
	return p
}

func (p *probe) serve(r core.Request) core.Response {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ran++
	if p.look == nil {
		p.k.errorf("the route served a request that nobody sent")
		return text(500, "nobody sent it")
	}
	func() {
		defer func() {
			if r := recover(); r != nil && r != (stop{}) {
				p.k.errorf("panic in a method of the Request: %v", r)
			}
		}()
		p.look(r)
	}()
	return text(200, fmt.Sprintf("probe %d", p.ran))
}

// watch says who looks at requests from now on, and returns how many there were.
func (p *probe) watch(look func(core.Request)) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look = look
	return p.ran
}

// show sends a request and has look see it in the route, over one connection
// for all requests while the server keeps it open.
func (p *probe) show(raw string, look func(core.Request)) {
	before := p.watch(look)
	if p.conn == nil {
		p.conn = p.dial()
	}
	a := p.conn.ask(raw)
	if a.last {
		p.conn = nil
	}
	switch ran := p.watch(nil) - before; {
	case ran == 0:
		p.k.errorf("%s: the route was not reached: got %d %s", line(raw), a.status, clip(a.body))
	case ran > 1:
		p.k.errorf("%s: the route served %d times, want once", line(raw), ran)
	default:
		p.k.equal(line(raw)+": the answer", a.body, fmt.Sprintf("probe %d", before+1))
	}
}

// line is the first line of a request or what there is of it.
func line(raw string) string {
	first, _, _ := strings.Cut(raw, "\r\n")
	return clip(strings.TrimSuffix(first, " HTTP/1.1"))
}

// text is an answer of plain text.
func text(status int, body string) core.Response {
	return core.Response{Status: status, Header: map[string][]string{"Content-Type": {"text/plain"}}, Body: []byte(body)}
}
