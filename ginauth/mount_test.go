package ginauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
)

// A route for GET answers HEAD with the same, less the body; other methods are
// Gin's to refuse.
func TestHead(t *testing.T) {
	s := newSite(t, nil)
	s.HandleMethodNotAllowed = true
	ginauth.Mount(s, "/auth", s.auth.Routes())
	ginauth.Mount(s, "/", s.auth.KeyRoutes())
	alice := s.bearer("alice")
	for _, path := range []string{"/auth/sessions", "/.well-known/jwks.json"} {
		for _, header := range []string{alice, "Authorization: Bearer x"} {
			get, head := s.ask("GET", path, "", header), s.ask("HEAD", path, "", header)
			get.header.Del("Date")
			head.header.Del("Date")
			if head.status != get.status || head.body != "" || fmt.Sprint(head.header) != fmt.Sprint(get.header) || get.body == "" {
				t.Errorf("HEAD %s: got %d %v %q, want %d %v and nothing", path, head.status, head.header, head.body, get.status, get.header)
			}
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			a := s.ask(method, path, "", alice)
			if allow := a.header.Get("Allow"); a.status != 405 || !strings.Contains(allow, "GET") || !strings.Contains(allow, "HEAD") {
				t.Errorf("%s %s: got %d, Allow %q, want 405 and GET, HEAD", method, path, a.status, allow)
			}
		}
	}
	if a := s.ask("HEAD", "/auth/login", ""); a.status != 405 {
		t.Errorf("HEAD of a route for POST: got %d, want 405", a.status)
	}
}

// A group is mounted on an engine, below a group, and below one with a middleware
// or a parameter of its own: also one of the route's name.
func TestMountBelowGroups(t *testing.T) {
	s := newSite(t, nil)
	s.UseRawPath = true
	s.signIn("bob")
	s.signIn("a/b c")
	var tenants []string
	tenant := func(c *gin.Context) { tenants = append(tenants, c.Param("user")) }
	admin := s.auth.AdminRoutes(core.Role("admin"))
	ginauth.Mount(s, "/plain", admin)
	ginauth.Mount(s.Group("/group"), "/admin/", admin)
	ginauth.Mount(s.Group("/of/:org/"), "", admin)
	ginauth.Mount(s.Group("/tenants/:user", tenant), "/admin", admin)
	ginauth.Mount(s.Group("/twice/:user/:org").Group("/x"), "/:user/admin", admin)
	root := s.bearer("root", "admin")
	for _, prefix := range []string{"/plain", "/group/admin", "/of/acme", "/tenants/acme/admin", "/twice/acme/y/x/z/admin"} {
		for sent, want := range map[string]string{
			"bob":       `{"user_id":"bob","token_count":1}`,
			"a%2Fb%20c": `{"user_id":"a/b c","token_count":1}`,
			"acme":      `{"user_id":"acme","token_count":0}`,
		} {
			path := prefix + "/users/" + sent + "/token-count"
			if a := s.ask("GET", path, "", root); a.status != 200 || a.body != want+"\n" {
				t.Errorf("%s: got %d %s, want %s", path, a.status, a.body, want)
			}
			if a := s.ask("GET", path, ""); a.status != 401 {
				t.Errorf("%s: got %d for nobody, want 401", path, a.status)
			}
		}
	}
	for _, name := range tenants {
		if name != "acme" {
			t.Errorf("the group's own parameter: got %q, want acme", name)
		}
	}
	if len(tenants) != 6 {
		t.Errorf("the group's middleware: ran %d times, want 6", len(tenants))
	}
}

// A middleware that refuses keeps a mounted route from running.
func TestMountBehindMiddleware(t *testing.T) {
	s := newSite(t, nil)
	ran := false
	group := s.Group("/x", func(c *gin.Context) {
		if c.GetHeader("X-Door") != "open" {
			c.AbortWithStatusJSON(418, gin.H{"closed": true})
		}
	})
	ginauth.Mount(group, "/", []core.Route{{Method: "POST", Path: "/do", Serve: func(core.Request) core.Response {
		ran = true
		return core.Response{Status: 204}
	}}})
	if a := s.ask("POST", "/x/do", ""); a.status != 418 || ran {
		t.Errorf("got %d, ran %t, want 418 and nothing", a.status, ran)
	}
	if a := s.ask("POST", "/x/do", "", "X-Door: open"); a.status != 204 || !ran {
		t.Errorf("got %d, ran %t, want 204 and the route", a.status, ran)
	}
}

// A request that an app rewrites meets the guards of what it was rewritten to, and
// a principal from before does not let it in.
func TestRewriting(t *testing.T) {
	s := newSite(t, nil)
	rewrite := func(c *gin.Context) {
		c.Request.URL.Path = "/" + c.Param("to")
		s.HandleContext(c)
		c.Abort()
	}
	var ran []string
	greet := func(c *gin.Context) {
		ran = append(ran, c.FullPath())
		name := "nobody"
		if p := ginauth.Principal(c); p != nil {
			name = p.UserID
		}
		c.String(200, name)
	}
	s.GET("/to/:to", rewrite, greet)
	s.GET("/as/:to", ginauth.Require(s.auth), rewrite, greet)
	s.GET("/open", greet)
	s.GET("/user", ginauth.Require(s.auth), greet)
	s.GET("/admin", ginauth.Require(s.auth, core.Role("admin")), greet)
	s.GET("/login", ginauth.Watch(s.auth), func(c *gin.Context) { c.JSON(200, gin.H{"access_token": s.signIn("bob").AccessToken}) })
	alice, root := s.signIn("alice").AccessToken, s.signIn("root", "admin").AccessToken
	for _, tt := range []struct {
		path, token string
		status      int
		body        string
	}{
		{"/to/open", "", 200, "nobody"},
		{"/to/user", "", 401, ""},
		{"/to/user", alice, 200, "alice"},
		{"/to/admin", alice, 403, ""},
		{"/to/admin", root, 200, "root"},
		{"/as/open", "", 401, ""},
		{"/as/open", alice, 200, "alice"}, // the request is the same one
		{"/as/admin", alice, 403, ""},
	} {
		ran = nil
		r, w := httptest.NewRequest("GET", tt.path, nil), httptest.NewRecorder()
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		s.ServeHTTP(w, r)
		if w.Code != tt.status || tt.body != "" && w.Body.String() != tt.body || (len(ran) > 0) != (tt.status == 200) || len(ran) > 1 {
			t.Errorf("%s, token %.1s: got %d %s, ran %v, want %d %s", tt.path, tt.token, w.Code, w.Body, ran, tt.status, tt.body)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/to/login", nil))
	if a := (answer{w.Code, w.Header(), ""}); a.status != http.StatusOK || a.cookie("refresh_token") == "" {
		t.Errorf("a watched login: got %d %v", a.status, a.header)
	}
}
