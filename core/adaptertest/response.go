package adaptertest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-go/sallyport/core"
)

var responseCases = []testCase{
	{
		"response/status",
		"The status is that of the Response.",
		statuses,
	},
	{
		"response/lines",
		"Each value of a header is a line of its own, in order and unchanged.",
		headerLines,
	},
	{
		"response/cookies",
		"Each Set-Cookie is a line of its own, in order and unchanged, also two of one name.",
		cookieLines,
	},
	{
		"response/content-type",
		"Content-Type is as it was given: not guessed from the body, and nothing is added to it.",
		contentTypes,
	},
	{
		"response/body",
		"The body is the bytes of the Response, whatever they are and however many.",
		responseBodies,
	},
	{
		"response/app-headers",
		"Headers that the app's middleware set before stay, its cookies beside those of the Response; other headers of the Response replace the app's own of the same name. That goes for routes, refusals of the guard and Write.",
		appHeaders,
	},
	{
		"response/shared",
		"One Response may answer many requests, at once too: writing it changes nothing in it.",
		sharedResponse,
	},
	{
		"response/once",
		"A request gets exactly one answer: the next on the connection gets its own, and then there is nothing more.",
		oneAnswer,
	},
	{
		"response/head",
		"HEAD on a GET route, where the framework leads it there, is answered with the same status and headers, and no body.",
		headAnswer,
	},
}

// stage is a site that answers GET /kit/out, and GET /out by Write, with what is
// set.
type stage struct {
	*site
	c *conn

	mu  sync.Mutex
	out core.Response
}

func (k *kit) stage(app App) *stage {
	s := &stage{}
	app.Groups = append(app.Groups, Group{Prefix: "/kit", Routes: []core.Route{
		{Method: "GET", Path: "/out", Serve: func(core.Request) core.Response { return s.get() }},
	}})
	app.Guarded = append(app.Guarded, Guarded{Method: "GET", Path: "/out", Handle: func(context.Context, *core.Principal) core.Response { return s.get() }})
	s.site = k.serve(app)
	return s
}

func (s *stage) get() core.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out
}

// play has an answer written, by a route and by Write, and seen as it arrives.
func (s *stage) play(out core.Response, see func(what string, a answer)) {
	s.mu.Lock()
	s.out = out
	s.mu.Unlock()
	for what, path := range map[string]string{"a route": "/kit/out", "Write": "/out"} {
		if s.c == nil {
			s.c = s.dial()
		}
		a := s.c.ask(wire("GET", path))
		if a.last {
			s.c = nil
		}
		see(what, a)
	}
}

func statuses(k *kit) {
	s := k.stage(App{})
	for _, status := range []int{200, 201, 202, 400, 401, 403, 404, 405, 409, 413, 415, 418, 429, 500, 501, 503} {
		out := text(status, fmt.Sprint(status))
		s.play(out, func(what string, a answer) {
			if a.status != status || a.body != fmt.Sprint(status) {
				k.errorf("%s: got %d %s, want %d", what, a.status, clip(a.body), status)
			}
		})
	}
}

// lines says which lines of a header an answer is to have.
func (k *kit) lines(what string, a answer, name string, want ...string) {
	k.equalList(what+": "+name, a.header.Values(name), want)
}

func headerLines(k *kit) {
	s := k.stage(App{})
	for _, h := range []http.Header{
		{"Www-Authenticate": {`Bearer error="invalid_token"`, `DPoP algs="ES256 EdDSA"`}},
		{"Vary": {"b", "a", "b"}, "Cache-Control": {"no-store"}, "Retry-After": {"1"}},
		{"X-Kit": {"a,b", `"c"; d=%41`, "caf\xe9", "é"}},
		{"Link": {`<https://a.example>; rel="x", <https://b.example>`}, "X-Long": {strings.Repeat("long ", 500) + "."}},
	} {
		h["Content-Type"] = []string{"text/plain"}
		s.play(core.Response{Status: 200, Header: h, Body: []byte("out")}, func(what string, a answer) {
			for name, want := range h {
				k.lines(what, a, name, want...)
			}
		})
	}
}

func cookieLines(k *kit) {
	s := k.stage(App{})
	for _, want := range [][]string{
		{"a=1"},
		{"b=1; Path=/x; HttpOnly; SameSite=Lax", "a=2; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure"},
		{"a=1; Path=/x", "a=1; Path=/y", "a=2; Path=/x"},
		{`a="q"; Path=/`, "b=%41==; path=/", "c=; max-age=1", "__Secure-d=x, y"},
		{"a=" + strings.Repeat("x", 3000), "b=" + strings.Repeat("y", 3000)},
	} {
		out := text(200, "out")
		out.Header["Set-Cookie"] = want
		s.play(out, func(what string, a answer) { k.lines(what, a, "Set-Cookie", want...) })
	}
}

func contentTypes(k *kit) {
	s := k.stage(App{})
	for _, body := range []string{"", "{}", "<!DOCTYPE html><p>", "%PDF-1.7", "\x00\x01", "plain"} {
		for _, kind := range []string{"application/json", "application/problem+json", "text/plain", "text/html", "application/jwk-set+json", "Text/X-Kit; a=B", "application/json; charset=utf-8"} {
			out := core.Response{Status: 200, Header: http.Header{"Content-Type": {kind}}, Body: []byte(body)}
			s.play(out, func(what string, a answer) {
				k.lines(fmt.Sprintf("%s, body %q", what, body), a, "Content-Type", kind)
			})
		}
	}
}

func responseBodies(k *kit) {
	s := k.stage(App{})
	for _, body := range []string{"", "\n", "{}\n", everyByte(), strings.Repeat(everyByte(), 1000)} {
		out := text(200, body)
		out.Header["Set-Cookie"] = []string{"a=1"}
		s.play(out, func(what string, a answer) {
			k.equal(what+": the body", a.body, body)
			k.lines(what, a, "Set-Cookie", "a=1") // also before a long one
		})
	}
	s.play(core.Response{Status: 200, Header: http.Header{"Content-Type": {"text/plain"}}}, func(what string, a answer) {
		k.equal(what+": no body", a.body, "")
	})
}

func appHeaders(k *kit) {
	auth := k.auth()
	s := k.stage(App{
		Header: http.Header{
			"X-App": {"1", "2"}, "Vary": {"Origin"}, "Set-Cookie": {"app=1; Path=/", "app=2; Path=/x"},
			"Cache-Control": {"public", "max-age=60"}, "X-Both": {"app"}, "Content-Type": {"text/html"},
		},
		Guarded: []Guarded{{Method: "GET", Path: "/guarded", Auth: auth.Auth, Handle: answerUser}},
	})
	app := func(what string, a answer) {
		k.lines(what, a, "X-App", "1", "2")
		k.lines(what, a, "Vary", "Origin")
	}
	out := core.Response{Status: 200, Header: http.Header{
		"Set-Cookie": {"kit=1; Path=/", "kit=2; Path=/x"}, "Cache-Control": {"no-store"}, "X-Both": {"kit 1", "kit 2"}, "Content-Type": {"application/json"},
	}, Body: []byte("{}")}
	s.play(out, func(what string, a answer) {
		app(what, a)
		k.lines(what, a, "Cache-Control", "no-store")
		k.lines(what, a, "X-Both", "kit 1", "kit 2")
		k.lines(what, a, "Content-Type", "application/json")
		k.lines(what, a, "Set-Cookie", "app=1; Path=/", "app=2; Path=/x", "kit=1; Path=/", "kit=2; Path=/x")
	})
	s.play(text(200, "no cookies"), func(what string, a answer) {
		app(what, a)
		k.lines(what, a, "Cache-Control", "public", "max-age=60")
		k.lines(what, a, "Set-Cookie", "app=1; Path=/", "app=2; Path=/x")
	})
	a := s.ask(wire("GET", "/guarded"))
	app("a refusal", a)
	k.lines("a refusal", a, "Cache-Control", "no-store")
	k.lines("a refusal", a, "Content-Type", "application/problem+json")
	k.lines("a refusal", a, "Set-Cookie", "app=1; Path=/", "app=2; Path=/x")
}

func sharedResponse(k *kit) {
	// Room behind a value is where a careless append would write.
	roomy := func(values ...string) []string { return append(make([]string, 0, 8), values...) }
	out := core.Response{
		Status: 200,
		Header: http.Header{"Content-Type": roomy("text/plain"), "Set-Cookie": roomy("kit=1", "kit=2"), "Vary": roomy("a", "b")},
		Body:   append(make([]byte, 0, 64), "shared\n"...),
	}
	s := k.stage(App{Header: http.Header{"Set-Cookie": {"app=1"}, "X-App": {"1"}}})
	seen := func(what string, a answer) {
		k.lines(what, a, "Content-Type", "text/plain")
		k.lines(what, a, "Set-Cookie", "app=1", "kit=1", "kit=2")
		k.lines(what, a, "Vary", "a", "b")
		k.equal(what+": the body", a.body, "shared\n")
	}
	for range 3 {
		s.play(out, seen)
	}
	k.parallel(slices.Repeat([]func(){func() {
		c := s.dial()
		for range 20 {
			seen("a route", c.ask(wire("GET", "/kit/out")))
			seen("Write", c.ask(wire("GET", "/out")))
		}
	}}, 4)...)
	for name, want := range map[string][]string{"Content-Type": {"text/plain"}, "Set-Cookie": {"kit=1", "kit=2"}, "Vary": {"a", "b"}} {
		got := out.Header[name]
		k.equalList("afterwards, in the Response: "+name, got[:cap(got)], append(want, make([]string, cap(got)-len(want))...))
	}
	if len(out.Header) != 3 {
		k.errorf("afterwards, in the Response: got headers %q", out.Header)
	}
	k.equal("afterwards, in the Response: Body", string(out.Body[:cap(out.Body)]), "shared\n"+strings.Repeat("\x00", cap(out.Body)-7))
}

func oneAnswer(k *kit) {
	p := k.probe(App{})
	served := 0
	p.watch(func(core.Request) { served++ })
	c := p.dial()
	c.send(wire("GET", probePath) + wireBody("POST", probePath, "read by nobody") + wire("GET", probePath, "Connection: close"))
	for i := range 3 {
		a, err := c.read("GET")
		if err != nil || a.body != fmt.Sprintf("probe %d", i+1) {
			k.errorf("answer %d of 3: got %q, error %v", i+1, clip(a.body), err)
		}
	}
	if a, err := c.read("GET"); err == nil {
		k.errorf("after 3 answers to 3 requests: got one more: %d %s", a.status, clip(a.body))
	}
	p.watch(nil)
	if served != 3 {
		k.errorf("3 requests: the route served %d times", served)
	}
}

func headAnswer(k *kit) {
	s := k.stage(App{})
	out := core.Response{Status: 201, Header: http.Header{
		"Content-Type": {"application/json"}, "Set-Cookie": {"a=1", "b=2"}, "Cache-Control": {"no-store"},
	}, Body: []byte(`{"a":1}`)}
	s.play(out, func(string, answer) {})
	c := s.dial()
	c.send(wire("HEAD", "/kit/out") + wire("GET", "/kit/out"))
	a, err := c.read("HEAD")
	if err != nil {
		k.fatalf("HEAD: no answer: %v", err)
	}
	if a.status == 404 || a.status == 405 {
		k.skip("the framework leads no HEAD to a GET route")
	}
	if a.status != 201 {
		k.errorf("HEAD: got %d, want 201", a.status)
	}
	for name, want := range out.Header {
		k.lines("HEAD", a, name, want...)
	}
	if a, err = c.read("GET"); err != nil || a.status != 201 || a.body != `{"a":1}` {
		k.errorf("GET after HEAD: got %d %s, error %v, want its answer", a.status, clip(a.body), err)
	}
}
