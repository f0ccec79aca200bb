package ginauth_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
)

// After a refusal nothing of the chain runs, however it was put together, and the
// answer is one.
func TestRefusalAborts(t *testing.T) {
	s := newSite(t, nil)
	require := func(rules ...core.Rule) gin.HandlerFunc { return ginauth.Require(s.auth, rules...) }
	optional := func(rules ...core.Rule) gin.HandlerFunc { return ginauth.Optional(s.auth, rules...) }
	var trace []string
	step := func(name string) gin.HandlerFunc {
		return func(c *gin.Context) {
			trace = append(trace, name)
			c.Next()
			trace = append(trace, fmt.Sprint("/", name, " ", c.IsAborted(), " ", c.Writer.Status()))
		}
	}
	user, admin := s.bearer("alice"), s.bearer("root", "admin")
	const in, bad = "[out in handler /in false 200 /out false 200]", "Authorization: Bearer x"
	refused := func(status int) string { return fmt.Sprintf("[out /out true %d]", status) }
	late := func(status int) string { return fmt.Sprintf("[out in /in true %[1]d /out true %[1]d]", status) }
	for i, tt := range []struct {
		rule   string
		use    []gin.HandlerFunc // of the group
		chain  []gin.HandlerFunc // of the route
		header string
		status int
		code   string
		trace  string
	}{
		{"a good token", []gin.HandlerFunc{require(), step("in")}, nil, user, 200, "", in},
		{"nobody", []gin.HandlerFunc{require(), step("in")}, nil, "", 401, "TOKEN_MISSING", refused(401)},
		{"nobody, the guard of the route", nil, []gin.HandlerFunc{require(), step("in")}, "", 401, "TOKEN_MISSING", refused(401)},
		{"nobody, after a middleware", []gin.HandlerFunc{step("in")}, []gin.HandlerFunc{require()}, "", 401, "TOKEN_MISSING", late(401)},
		{"a bad token", []gin.HandlerFunc{require()}, []gin.HandlerFunc{step("in")}, bad, 401, "TOKEN_INVALID", refused(401)},
		{"a rule", []gin.HandlerFunc{require(core.Role("admin")), step("in")}, nil, user, 403, "FORBIDDEN", refused(403)},
		{"a rule that is kept", []gin.HandlerFunc{require(core.Role("admin")), step("in")}, nil, admin, 200, "", in},
		{"the second of two", []gin.HandlerFunc{require()}, []gin.HandlerFunc{step("in"), require(core.Role("admin"))}, user, 403, "FORBIDDEN", late(403)},
		{"the first of two", []gin.HandlerFunc{require(core.Role("admin"))}, []gin.HandlerFunc{step("in"), require()}, user, 403, "FORBIDDEN", refused(403)},
		{"two that are content", []gin.HandlerFunc{require()}, []gin.HandlerFunc{require(core.Role("admin")), step("in")}, admin, 200, "", in},
		{"nobody, optional", []gin.HandlerFunc{optional(), step("in")}, nil, "", 200, "", in},
		{"nobody, optional with a rule", []gin.HandlerFunc{optional(core.Role("admin")), step("in")}, nil, "", 200, "", in},
		{"a bad token, optional", []gin.HandlerFunc{optional(), step("in")}, nil, bad, 401, "TOKEN_INVALID", refused(401)},
		{"a rule, optional", []gin.HandlerFunc{optional(core.Role("admin")), step("in")}, nil, user, 403, "FORBIDDEN", refused(403)},
		{"nobody, optional and then required", []gin.HandlerFunc{optional(), step("in")}, []gin.HandlerFunc{require()}, "", 401, "TOKEN_MISSING", late(401)},
		{"optional and then required", []gin.HandlerFunc{optional()}, []gin.HandlerFunc{require(), step("in")}, user, 200, "", in},
		{"nobody, required and then optional", []gin.HandlerFunc{require(), optional()}, []gin.HandlerFunc{step("in")}, "", 401, "TOKEN_MISSING", refused(401)},
		{"nobody, at a watched login", []gin.HandlerFunc{ginauth.Watch(s.auth), require(), step("in")}, nil, "", 401, "TOKEN_MISSING", refused(401)},
		{"a watched login behind a guard", []gin.HandlerFunc{require(), ginauth.Watch(s.auth), step("in")}, nil, user, 200, "", in},
	} {
		group := s.Group(fmt.Sprint("/", i), step("out"))
		group.Use(tt.use...)
		group.GET("/x", append(tt.chain, func(c *gin.Context) {
			trace = append(trace, "handler")
			c.String(200, "in")
		})...)
		r, w := httptest.NewRequest("GET", fmt.Sprint("/", i, "/x"), nil), httptest.NewRecorder()
		if name, value, ok := strings.Cut(tt.header, ": "); ok {
			r.Header.Set(name, value)
		}
		trace = nil
		s.ServeHTTP(w, r)
		a := answer{w.Code, w.Header(), w.Body.String()}
		if got := fmt.Sprint(trace); a.status != tt.status || a.code() != tt.code || got != tt.trace {
			t.Errorf("%s: got %d %s, %s\nwant %d %s, %s", tt.rule, a.status, a.body, got, tt.status, tt.code, tt.trace)
		}
		if challenge := a.header.Get("WWW-Authenticate"); (challenge == "Bearer") != (tt.code == "TOKEN_MISSING") || strings.Count(a.body, "{") > 1 {
			t.Errorf("%s: got WWW-Authenticate %q, body %s", tt.rule, challenge, a.body)
		}
	}
}

// Routes that are not there can be behind a guard like others.
func TestGuardOfNoRoute(t *testing.T) {
	s := newSite(t, nil)
	s.HandleMethodNotAllowed = true
	s.NoRoute(ginauth.Require(s.auth), func(c *gin.Context) { c.String(404, "not for "+ginauth.Principal(c).UserID) })
	s.NoMethod(ginauth.Require(s.auth))
	s.GET("/x", func(*gin.Context) {})
	alice := s.bearer("alice")
	for _, tt := range []struct{ method, path, header, want string }{
		{"GET", "/none", alice, "404 not for alice"},
		{"GET", "/none", "A: b", "401 TOKEN_MISSING"},
		{"PUT", "/x", alice, "405 405 method not allowed"},
		{"PUT", "/x", "A: b", "401 TOKEN_MISSING"},
	} {
		a := s.ask(tt.method, tt.path, "", tt.header)
		got := fmt.Sprint(a.status, " ", a.code())
		if a.code() == "" {
			got = fmt.Sprint(a.status, " ", a.body)
		}
		if got != tt.want {
			t.Errorf("%s %s, %.9s: got %s, want %s", tt.method, tt.path, tt.header, got, tt.want)
		}
	}
}

// The principal is wherever an app on Gin may look for it, after the handler has
// returned as well; and with the next request it is gone.
func TestPrincipal(t *testing.T) {
	for _, fallback := range []bool{false, true} {
		s := newSite(t, nil)
		s.ContextWithFallback = fallback
		name := func(p *core.Principal) string {
			if p == nil {
				return "nobody"
			}
			return p.UserID
		}
		var after string
		over, told := make(chan struct{}), make(chan string, 1)
		s.Use(func(c *gin.Context) {
			before := name(ginauth.Principal(c))
			c.Next()
			after = before + " " + name(ginauth.Principal(c))
		})
		see := func(c *gin.Context) {
			p, _ := c.Value(core.PrincipalKey{}).(*core.Principal)
			c.String(200, "%s %s %s", name(ginauth.Principal(c)), name(core.FromContext(c.Request.Context())), name(p))
		}
		s.GET("/open", see)
		s.GET("/optional", ginauth.Optional(s.auth), see)
		s.GET("/required", ginauth.Require(s.auth), see)
		s.GET("/later", ginauth.Require(s.auth), func(c *gin.Context) {
			old := c.Copy()
			go func() {
				<-over
				told <- name(ginauth.Principal(old)) + " " + name(core.FromContext(old.Request.Context()))
			}()
		})
		alice, bob := s.bearer("alice"), s.bearer("bob")
		ask := func(path, header string) string {
			r, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
			if n, value, ok := strings.Cut(header, ": "); ok {
				r.Header.Set(n, value)
			}
			s.ServeHTTP(w, r)
			return w.Body.String()
		}
		ask("/later", alice)
		for range 3 { // Gin uses its contexts again
			for _, tt := range []struct{ path, header, want string }{
				{"/required", bob, "bob"},
				{"/open", bob, "nobody"},
				{"/optional", "", "nobody"},
				{"/optional", alice, "alice"},
				{"/optional", "", "nobody"},
			} {
				want := tt.want + " " + tt.want + " " + tt.want
				if !fallback { // c is no context that knows of the request's
					want = tt.want + " " + tt.want + " nobody"
				}
				if got := ask(tt.path, tt.header); got != want {
					t.Errorf("fallback %t: %s: got %s, want %s", fallback, tt.path, got, want)
				}
				if want := "nobody " + tt.want; after != want {
					t.Errorf("fallback %t: %s: before and after: got %s, want %s", fallback, tt.path, after, want)
				}
			}
		}
		close(over)
		if got := <-told; got != "alice alice" {
			t.Errorf("fallback %t: in a copy, later: got %s, want alice", fallback, got)
		}
	}
}

// watchedBody counts what is read.
type watchedBody struct {
	io.Reader
	reads *int
}

func (b watchedBody) Read(p []byte) (int, error) { *b.reads++; return b.Reader.Read(p) }
func (b watchedBody) Close() error               { return nil }

// The body is the app's: nothing before its handler reads any of it.
func TestBodyIsTheApps(t *testing.T) {
	s := newSite(t, nil)
	var reads, before int
	handler := func(c *gin.Context) {
		before = reads
		var body struct {
			Name string `json:"name" binding:"required"`
		}
		if err := c.ShouldBindJSON(&body); err != nil {
			c.String(400, "%v", err)
			return
		}
		c.String(200, body.Name)
	}
	s.POST("/required", ginauth.Require(s.auth), handler)
	s.POST("/optional", ginauth.Optional(s.auth), handler)
	s.POST("/watched", ginauth.Watch(s.auth), handler)
	alice := s.signIn("alice").AccessToken
	for _, tt := range []struct {
		path, token string
		status      int
	}{
		{"/required", alice, 200},
		{"/required", "", 401},
		{"/required", "x", 401},
		{"/optional", alice, 200},
		{"/optional", "", 200},
		{"/optional", "x", 401},
		{"/watched", "", 200},
	} {
		for _, size := range []int{1, 5000, 200 << 10} {
			name := strings.Repeat("x", size)
			reads, before = 0, 0
			r := httptest.NewRequest("POST", tt.path, watchedBody{strings.NewReader(`{"name":"` + name + `"}`), &reads})
			if tt.token != "" {
				r.Header.Set("Authorization", "Bearer "+tt.token)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != tt.status || w.Code == 200 && w.Body.String() != name {
				t.Errorf("%s, token %.1s, %d bytes: got %d %.99s, want %d", tt.path, tt.token, size, w.Code, w.Body, tt.status)
			}
			if before != 0 || w.Code == 401 && reads != 0 {
				t.Errorf("%s, token %.1s: read %d times before the handler, %d in all", tt.path, tt.token, before, reads)
			}
		}
	}
}

// The log sees what was answered: refusals, mounted routes and sign-ins.
func TestLogger(t *testing.T) {
	s := newSite(t, nil)
	var log string
	s.Use(gin.LoggerWithConfig(gin.LoggerConfig{Output: io.Discard, Formatter: func(p gin.LogFormatterParams) string {
		log = fmt.Sprint(p.StatusCode, " ", p.BodySize)
		return ""
	}}))
	ginauth.Mount(s, "/auth", s.auth.Routes())
	s.GET("/required", ginauth.Require(s.auth), func(c *gin.Context) { c.String(203, "abc") })
	s.POST("/own", func(c *gin.Context) {
		pair, err := ginauth.SignIn(c, s.auth, core.SignInForm{Identity: core.Identity{UserID: "alice"}})
		if err != nil {
			t.Error(err)
		}
		ginauth.Write(c, pair.Response())
	})
	alice := s.bearer("alice")
	for _, tt := range []struct {
		method, path, header string
		status               int
	}{
		{"GET", "/required", alice, 203},
		{"GET", "/required", "", 401},
		{"GET", "/auth/sessions", alice, 200},
		{"GET", "/auth/sessions", "", 401},
		{"POST", "/auth/refresh", "", 401},
		{"POST", "/own", "", 200},
	} {
		r, w := httptest.NewRequest(tt.method, tt.path, nil), httptest.NewRecorder()
		r.Header.Set("Authorization", strings.TrimPrefix(tt.header, "Authorization: "))
		s.ServeHTTP(w, r)
		if want := fmt.Sprint(tt.status, " ", w.Body.Len()); w.Code != tt.status || log != want {
			t.Errorf("%s %s: got %d, log %s, want %s", tt.method, tt.path, w.Code, log, want)
		}
	}
}

// A guard keeps what the app's middleware put into the context, and its end.
func TestGuardKeepsContext(t *testing.T) {
	s := newSite(t, nil)
	type key struct{}
	var end context.CancelFunc
	s.GET("/x", func(c *gin.Context) {
		var ctx context.Context
		ctx, end = context.WithCancel(context.WithValue(c.Request.Context(), key{}, "kept"))
		c.Request = c.Request.WithContext(ctx)
		c.Set("own", 1)
	}, ginauth.Require(s.auth), func(c *gin.Context) {
		ctx := c.Request.Context()
		before := ctx.Err()
		end()
		c.String(200, "%v %v %v %v", ctx.Value(key{}), before, ctx.Err(), c.MustGet("own"))
	})
	if a := s.ask("GET", "/x", "", s.bearer("alice")); a.status != http.StatusOK || a.body != "kept <nil> context canceled 1" {
		t.Errorf("got %d %s", a.status, a.body)
	}
}
