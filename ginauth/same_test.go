package ginauth_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// The same app on net/http and on Gin gets the same requests, byte for byte but for
// the tokens, and has to give the same answers: Gin's router may differ, the adapter
// may not.

// echo answers with all that a route sees of its request.
func echo(r core.Request) core.Response {
	body, err := r.Body(100)
	seen := fmt.Sprintf("%s %q %q %s %v %q %v\n", r.Method(), r.Host(), r.Param("user"), r.Peer(), r.Cookies("refresh_token"), body, err)
	for _, name := range []string{"Authorization", "Cookie", "Content-Type", "X-Odd", "x-odd", "Origin", "User-Agent", "Content-Length", "Transfer-Encoding", "Host", "Trailer"} {
		seen += fmt.Sprintf("%q ", r.Header(name))
	}
	return core.Response{Status: 203, Header: http.Header{"Set-Cookie": {"a=1", "b=2"}, "X-Many": {"1", "2"}}, Body: []byte(seen)}
}

// sameApp serves one app on net/http and on Gin.
func sameApp(auth *core.Auth) (onNetHTTP, onGin http.Handler) {
	probes := []core.Route{{Method: "GET", Path: "/users/{user}/tokens", Serve: echo}}
	for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		probes = append(probes, core.Route{Method: m, Path: "/probe", Serve: echo})
	}
	greet := func(w http.ResponseWriter, r *http.Request) {
		name, p := "nobody", nethttpauth.Principal(r)
		if p != nil {
			name = p.UserID
		}
		body, err := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "%s %q %v %v", name, body, err, r.Trailer)
	}
	login := func(w http.ResponseWriter, r *http.Request) {
		pair, err := auth.SignIn(r.Context(), core.SignInRequest{Identity: core.Identity{UserID: "watched"}})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":%q}`, pair.AccessToken)
	}
	form := core.SignInForm{Identity: core.Identity{UserID: "own"}}
	outer := func(h http.Header) { h["Set-Cookie"] = []string{"outer=1"}; h["X-Many"] = []string{"0"} }

	mux, engine := http.NewServeMux(), gin.New()
	engine.UseRawPath, engine.HandleMethodNotAllowed = true, true
	engine.Use(func(c *gin.Context) { outer(c.Writer.Header()) })
	for prefix, routes := range map[string][]core.Route{"/auth": auth.Routes(), "/admin/": auth.AdminRoutes(core.Role("admin")), "/": auth.KeyRoutes(), "/kit": probes} {
		nethttpauth.Mount(mux, prefix, routes)
		ginauth.Mount(engine, prefix, routes)
	}
	for path, rules := range map[string][]core.Rule{"/required": nil, "/restricted": {core.Role("admin")}} {
		for _, m := range []string{"GET", "POST"} {
			mux.Handle(m+" "+path, nethttpauth.Require(auth, rules...)(http.HandlerFunc(greet)))
			mux.Handle(m+" /optional"+path, nethttpauth.Optional(auth, rules...)(http.HandlerFunc(greet)))
			handler := func(c *gin.Context) { greet(c.Writer, c.Request) }
			methods := []string{m}
			if m == "GET" {
				methods = append(methods, "HEAD") // as net/http has it
			}
			engine.Match(methods, path, ginauth.Require(auth, rules...), handler)
			engine.Match(methods, "/optional"+path, ginauth.Optional(auth, rules...), handler)
		}
	}
	mux.Handle("POST /watched", nethttpauth.Watch(auth)(http.HandlerFunc(login)))
	engine.POST("/watched", ginauth.Watch(auth), func(c *gin.Context) { login(c.Writer, c.Request) })
	mux.HandleFunc("POST /own", func(w http.ResponseWriter, r *http.Request) {
		pair, err := nethttpauth.SignIn(w, r, auth, form)
		if err != nil {
			nethttpauth.Write(w, auth.Problem(err))
			return
		}
		nethttpauth.Write(w, pair.Response())
	})
	engine.POST("/own", func(c *gin.Context) {
		pair, err := ginauth.SignIn(c, auth, form)
		if err != nil {
			ginauth.Write(c, auth.Problem(err))
			return
		}
		ginauth.Write(c, pair.Response())
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outer(w.Header())
		mux.ServeHTTP(w, r)
	}), engine
}

// sending is one request. "{A}" in it stands for an access token of its user, "{R}"
// for the refresh token, "{S}" for the session, "{X}" for the access token of an
// admin.
type sending struct {
	method, target, version string
	lines                   []string
	body                    string
	frame                   string // how the body is sent
}

var (
	sendTargets = []string{
		"POST /auth/login", "POST /auth/refresh", "POST /auth/logout", "POST /auth/logout-all", "GET /auth/sessions", "POST /auth/sessions/revoke", "POST /auth/sessions/revoke-all",
		"GET /admin/users/{U}/tokens", "GET /admin/users/{U}/token-count", "POST /admin/users/{U}/logout", "POST /admin/users/{U}/trim",
		"POST /admin/tokens/revoke", "POST /admin/tokens/lookup", "POST /admin/online", "GET /.well-known/jwks.json",
		"POST /kit/probe", "PUT /kit/probe", "GET /kit/probe?user=x&access_token={A}", "GET /kit/users/a%2Fb+c%2520%C3%A9/tokens", "GET /kit/users/{U}/tokens",
		"POST /required", "GET /restricted", "POST /optional/required", "GET /optional/restricted", "GET /required?access_token={A}", "GET http://other.example/required",
		"POST /watched", "POST /own", "POST /watched", "POST /own",
	}
	sendLines = []string{
		"Authorization: Bearer {A}", "Authorization: Bearer {A}", "Authorization: Bearer {X}", "Authorization: Bearer {X}", "authorization: bearer {A}",
		"Authorization:Bearer  {A}", "Authorization: Bearer {A} ", "Authorization: Bearer", "Authorization: ", "Authorization: Basic eDp5", "Authorization: Bearer {R}",
		"Authorization: Bearer x.y.z", "Authorization: Bearer {A},{A}", "Authorization:\tBearer\t{A}",
		"Cookie: refresh_token={R}", "Cookie: refresh_token={R}", "Cookie: refresh_token={R}; refresh_token={R}", "Cookie: refresh_token=\"{R}\"", "Cookie: refresh_token=; refresh_token={R}",
		"Cookie: refresh_token=other; refresh_token={R}", "Cookie: a=b;refresh_token={R};;", "Cookie: REFRESH_TOKEN={R}", "Cookie: refresh_token = {R}", "Cookie: device=x", "Cookie: ;=;,", "Cookie: refresh_token={R} x",
		"Origin: http://app.example", "Origin: https://elsewhere.example", "Origin: null", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: none", "sec-fetch-site: same-site",
		"Content-Type: application/json", "Content-Type: application/json", "Content-Type: application/json; charset=utf-8", "content-type: APPLICATION/JSON", "Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded", "Content-Type: ;", "Content-Type: multipart/form-data; boundary=x",
		"X-Odd: a", "x-odd: b, c", "X-ODD: \xff\xfe", "X-Odd: caf\xc3\xa9", "X-Odd: " + strings.Repeat("long ", 900), "X-Odd:", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: other.example",
		"X-HTTP-Method-Override: DELETE", "X-Original-URL: /admin", "X-Forwarded-Prefix: /x", "User-Agent: Mozilla/5.0 (X11; Linux x86_64)", "User-Agent: \xff", "Accept-Encoding: gzip", "Content-Encoding: gzip", "Range: bytes=0-1",
		"If-None-Match: *", "Expect: 100-continue", "Connection: close", "Connection: keep-alive", "Connection: Authorization", "Upgrade: h2c", "TE: trailers", "Host: second.example", " folded: x", "Bad Name: x", "Keep-Alive: 1",
	}
	sendBodies = []string{
		"", "", "{}", `{"username":"alice","password":"correct-horse"}`, `{"username":"alice","password":"correct-horse","delivery":"body"}`, `{"username":"alice","password":"x"}`,
		`{"refresh_token":"{R}"}`, `{"refresh_token":"{R}"}`, `{"token":"{A}"}`, `{"token":"{R}"}`, `{"session_id":"{S}"}`, `{"keep":1}`, `{"user_ids":["{U}"]}`, `{"all":true}`,
		`{"username":"alice","username":"bob"}`, `{"a":1}{}`, `[]`, `null`, `{`, "\xef\xbb\xbf{}", "  {} ", "{\"a\":\"\xff\"}", "user=x&first=y", "\x00", strings.Repeat(" ", 64<<10) + "{}", `{"a":"` + strings.Repeat("x", 64<<10) + `"}`, strings.Repeat("x", 101), strings.Repeat("x", 300<<10),
	}
	sendFrames = []string{"length", "length", "length", "chunks", "chunks of one", "trailer", "cut off", "chunks cut off", "bad chunk", "two lengths", "both", "none"}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func randomSending(r *rand.Rand) sending {
	s := sending{version: "HTTP/1.1", body: pick(r, sendBodies), frame: pick(r, sendFrames)}
	s.method, s.target, _ = strings.Cut(pick(r, sendTargets), " ")
	if r.IntN(5) == 0 {
		s.method = pick(r, []string{"GET", "POST", "HEAD", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "BREW"})
	}
	if r.IntN(3) == 0 {
		s.body, s.frame = "", "none"
	}
	if r.IntN(12) == 0 {
		s.version = pick(r, []string{"HTTP/1.0", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0"})
	}
	for range r.IntN(7) {
		s.lines = append(s.lines, pick(r, sendLines))
	}
	if r.IntN(2) == 0 { // what gets further
		s.lines = append(s.lines, "Content-Type: application/json")
	}
	return s
}

// raw is the request as it goes over a connection.
func (s sending) raw(fill *strings.Replacer) string {
	body := fill.Replace(s.body)
	lines := append([]string{s.method + " " + s.target + " " + s.version, "Host: app.example"}, s.lines...)
	chunked := func(size int) (text string) {
		for piece := range slices.Chunk([]byte(body), size) {
			text += fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
		}
		return text
	}
	length := fmt.Sprint("Content-Length: ", len(body))
	switch s.frame {
	case "length":
		lines = append(lines, length)
	case "chunks":
		lines, body = append(lines, "Transfer-Encoding: chunked"), chunked(4000)+"0\r\n\r\n"
	case "chunks of one":
		body = body[:min(len(body), 100)]
		lines, body = append(lines, "Transfer-Encoding: chunked"), chunked(1)+"0\r\n\r\n"
	case "trailer":
		lines, body = append(lines, "Transfer-Encoding: chunked", "Trailer: X-Odd"), chunked(4000)+"0\r\nX-Odd: trailer\r\nAuthorization: Bearer {A}\r\n\r\n"
	case "cut off":
		lines = append(lines, fmt.Sprint("Content-Length: ", len(body)+5))
	case "chunks cut off":
		lines, body = append(lines, "Transfer-Encoding: chunked"), chunked(4000)
	case "bad chunk":
		lines, body = append(lines, "Transfer-Encoding: chunked"), chunked(4000)+"zz\r\n"
	case "two lengths":
		lines = append(lines, length, "Content-Length: 1")
	case "both":
		lines, body = append(lines, length, "Transfer-Encoding: chunked"), chunked(4000)+"0\r\n\r\n"
	case "none":
		body = ""
	}
	return fill.Replace(strings.Join(lines, "\r\n")) + "\r\n\r\n" + body
}

// What no two answers have in common.
var masks = []struct {
	of *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`[\w-]{10,}\.[\w-]{20,}\.[\w-]{20,}`), "<jwt>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`), "<time>"},
	{regexp.MustCompile(`(refresh_token|device)=[\w.-]{20,}`), "$1=<cookie>"},
	{regexp.MustCompile(`(Max-Age=|"(?:refresh_)?expires_in":)\d+`), "$1<n>"},
	{regexp.MustCompile(`[a-z2-7]{26}`), "<id>"},
	{regexp.MustCompile(`"(id|session_id|refresh_token|access_token_hash|device_id)":"[^"]+"`), `"$1":"<id>"`},
	{regexp.MustCompile(`[\w-]{40,}(?:\.[\w-]+)*`), "<secret>"},
}

func mask(s string) string {
	for _, m := range masks {
		s = m.of.ReplaceAllString(s, m.by)
	}
	return s
}

// tell is an answer without what differs each time.
func tell(out *http.Response, body string) string {
	text := fmt.Sprintln(out.StatusCode)
	for _, name := range slices.Sorted(maps.Keys(out.Header)) {
		if name != "Date" && name != "Content-Length" { // a token may be a byte longer
			text += mask(fmt.Sprintf("%s: %q\n", name, out.Header[name]))
		}
	}
	return text + mask(body)
}

// ownAnswer reports whether an answer is the app's, not the router's.
func ownAnswer(told string) bool {
	return !strings.HasPrefix(told, "405") && !strings.HasPrefix(told, "404\nContent-Type: [\"text/plain") && !strings.HasPrefix(told, "3")
}

// filler makes what stands for a case's braces, of sessions of its own.
func filler(t *testing.T, auth *core.Auth, user string) *strings.Replacer {
	t.Helper()
	var pairs [2]core.Pair
	for i, who := range []core.Identity{{UserID: user}, {UserID: "root", Roles: []string{"admin"}}} {
		var err error
		if pairs[i], err = auth.SignIn(t.Context(), core.SignInRequest{Identity: who}); err != nil {
			t.Fatal(err)
		}
	}
	own := pairs[0]
	return strings.NewReplacer("{A}", own.AccessToken, "{R}", own.RefreshToken, "{S}", own.Session.ID.String(), "{X}", pairs[1].AccessToken, "{U}", user)
}

// over sends a request over a connection of its own and returns what came back; ""
// if the connection broke.
func (s sending) over(t *testing.T, addr string, fill *strings.Replacer) (status int, told string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if deadline, ok := t.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		io.WriteString(conn, s.raw(fill)) // the server may not want all of it
		if strings.HasSuffix(s.frame, "cut off") {
			conn.(*net.TCPConn).CloseWrite()
		}
	}()
	defer func() { conn.Close(); <-sent }()
	in := bufio.NewReader(conn)
	for {
		out, err := http.ReadResponse(in, &http.Request{Method: s.method})
		if err != nil {
			return 0, ""
		}
		body, err := io.ReadAll(out.Body)
		switch {
		case err != nil: // a server that refuses the request as such resets the connection
			return 0, ""
		case out.StatusCode >= 200:
			return out.StatusCode, fmt.Sprintf("%stold to close: %t, %s, %v", tell(out, string(body)), out.Close, out.Proto, out.TransferEncoding)
		}
	}
}

// client sends a request by the client of net/http, which has HTTP/2. It tells
// nothing of what that can't say.
func (s sending) client(t *testing.T, server *httptest.Server, fill *strings.Replacer) (status int, told string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), s.method, server.URL+strings.TrimPrefix(fill.Replace(s.target), "http://other.example"), strings.NewReader(fill.Replace(s.body)))
	if err != nil {
		return 0, ""
	}
	r.Host = "app.example"
	if s.frame == "chunks" || s.frame == "trailer" {
		r.ContentLength = -1
	}
	for _, l := range s.lines {
		name, value, _ := strings.Cut(fill.Replace(l), ":")
		r.Header.Add(name, strings.TrimSpace(value))
	}
	out, err := server.Client().Do(r)
	if err != nil {
		return 0, ""
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if out.ProtoMajor != 2 {
		t.Errorf("got %s, want HTTP/2", out.Proto)
	}
	return out.StatusCode, fmt.Sprintf("%s%v", tell(out, string(body)), err)
}

// sameServers are the app on net/http and on Gin.
func sameServers(t *testing.T, auth *core.Auth, tls bool) (servers [2]*httptest.Server) {
	t.Helper()
	onNetHTTP, onGin := sameApp(auth)
	for i, h := range []http.Handler{onNetHTTP, onGin} {
		server := httptest.NewUnstartedServer(h)
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		if server.EnableHTTP2 = tls; tls {
			server.StartTLS()
		} else {
			server.Start()
		}
		server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		t.Cleanup(server.Close)
		servers[i] = server
	}
	return servers
}

func TestSameAsNetHTTP(t *testing.T) {
	for _, tt := range []struct {
		name  string
		http2 bool
		n     int
	}{{"HTTP 1", false, 800}, {"HTTP 2", true, 400}} {
		t.Run(tt.name, func(t *testing.T) {
			auth := newAuth(t, nil)
			servers := sameServers(t, auth, tt.http2)
			reached := make(map[int]int)
			random := rand.New(rand.NewPCG(1, 2))
			for n := range tt.n {
				s, user := randomSending(random), fmt.Sprint("user-", n)
				var status [2]int
				var got [2]string
				for i, server := range servers {
					fill := filler(t, auth, user)
					if tt.http2 {
						status[i], got[i] = s.client(t, server, fill)
					} else {
						status[i], got[i] = s.over(t, strings.TrimPrefix(server.URL, "http://"), fill)
					}
					for _, user := range []string{user, "alice", "own", "watched", "root"} { // both begin with the same
						if err := auth.Forget(t.Context(), user); err != nil {
							t.Fatal(err)
						}
					}
				}
				if got[0] == "" || got[1] == "" {
					reached[0]++
					continue
				}
				reached[status[0]]++
				if ownAnswer(got[0]) != ownAnswer(got[1]) || ownAnswer(got[0]) && got[0] != got[1] {
					t.Errorf("case %d: %+.300v\ngot  %.900s\nwant %.900s", n, s, got[1], got[0])
				}
			}
			if reached[200]+reached[203] < tt.n/8 || reached[401] < tt.n/20 || reached[400] < tt.n/80 || reached[0] > tt.n/3 {
				t.Errorf("got %v by status, want more that get somewhere", reached)
			}
			t.Log(reached)
		})
	}
}
