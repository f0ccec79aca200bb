package nethttpauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// who answers with whom a request speaks for.
func who(w http.ResponseWriter, r *http.Request) {
	p := nethttpauth.Principal(r)
	if p != core.FromContext(r.Context()) {
		panic("two principals")
	}
	if p == nil {
		fmt.Fprint(w, "nobody")
		return
	}
	fmt.Fprint(w, p.UserID, " ", p.SessionID)
}

func TestRequireAndOptional(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		alice, bob := s.signIn("alice"), s.signIn("bob")
		ended := s.signIn("alice")
		s.post("/logout", "", bearer(ended.AccessToken)).ok()
		required := nethttpauth.Require(s.auth)(http.HandlerFunc(who))
		optional := nethttpauth.Optional(s.auth)(http.HandlerFunc(who))
		for _, tt := range []struct {
			name     string
			handler  http.Handler
			token    string
			body     string // "": refused
			code     string
			question string
		}{
			{"required, alice", required, alice.AccessToken, "alice " + alice.Session.ID, "", ""},
			{"required, bob", required, bob.AccessToken, "bob " + bob.Session.ID, "", ""},
			{"required, none", required, "", "", "TOKEN_MISSING", "Bearer"},
			{"required, bad", required, "bad", "", "TOKEN_INVALID", `Bearer error="invalid_token"`},
			{"required, ended", required, ended.AccessToken, "", "TOKEN_REVOKED", `Bearer error="invalid_token"`},
			{"optional, alice", optional, alice.AccessToken, "alice " + alice.Session.ID, "", ""},
			{"optional, none", optional, "", "nobody", "", ""},
			{"optional, bad", optional, "bad", "", "TOKEN_INVALID", `Bearer error="invalid_token"`},
			{"optional, ended", optional, ended.AccessToken, "", "TOKEN_REVOKED", `Bearer error="invalid_token"`},
		} {
			r := httptest.NewRequest("GET", "/", nil)
			if tt.token != "" {
				bearer(tt.token)(r)
			}
			w := httptest.NewRecorder()
			tt.handler.ServeHTTP(w, r)
			a := answer{t, tt.name, w.Code, w.Header(), w.Body.String()}
			if tt.body == "" {
				a.refused(401, tt.code).is("WWW-Authenticate", tt.question)
			} else if a.status != 200 || a.body != tt.body {
				t.Errorf("%s: got %d %s, want %s", tt.name, a.status, a.body, tt.body)
			}
			if core.FromContext(r.Context()) != nil {
				t.Errorf("%s: the caller's request has a principal", tt.name)
			}
		}
		if r := httptest.NewRequest("GET", "/", nil); nethttpauth.Principal(r) != nil {
			t.Error("a principal without a guard")
		}
	})
}

func TestWrite(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("X-App", "stays")
	w.Header().Add("Set-Cookie", "app=1")
	out := core.Response{
		Status: http.StatusTeapot,
		Header: http.Header{"Content-Type": {"application/json"}, "Set-Cookie": {"a=1", "b=2"}},
		Body:   []byte("{}\n"),
	}
	nethttpauth.Write(w, out)
	want := http.Header{"Content-Type": {"application/json"}, "X-App": {"stays"}, "Set-Cookie": {"app=1", "a=1", "b=2"}}
	if w.Code != http.StatusTeapot || w.Body.String() != "{}\n" || !reflect.DeepEqual(w.Header(), want) {
		t.Errorf("got %d %v %s, want 418 %v {}", w.Code, w.Header(), w.Body, want)
	}
	if len(out.Header["Set-Cookie"]) != 2 {
		t.Errorf("Write changed the answer: %v", out.Header)
	}
}

// An app's own refusals look like those of the library.
func TestProblem(t *testing.T) { onSite(t, nil, problems) }

func problems(t *testing.T, s *site) {
	for _, tt := range []struct {
		err    error
		status int
		code   string
	}{
		{core.ErrForbidden, 403, "FORBIDDEN"},
		{fmt.Errorf("the app: %w", core.ErrSessionNotFound), 404, "SESSION_NOT_FOUND"},
		{&core.Error{Code: "USER_NOT_FOUND", Status: 404, Detail: "no such user"}, 404, "USER_NOT_FOUND"},
		{core.ErrStoreUnavailable, 503, "STORE_UNAVAILABLE"},
		{errors.New("dial tcp 10.0.0.1: connection refused"), 500, "INTERNAL"},
	} {
		w := httptest.NewRecorder()
		nethttpauth.Write(w, s.auth.Problem(tt.err))
		a := answer{t, tt.code, w.Code, w.Header(), w.Body.String()}.refused(tt.status, tt.code)
		if strings.Contains(a.body, "dial") || strings.Contains(a.body, "the app") {
			t.Errorf("the cause was sent: %s", a.body)
		}
	}
}

// seen is what a route sees of a request.
type seen struct {
	Method, Host, Param, Header, None string
	Cookies, NoCookies                []string
	Peer, Body, Err                   string
	Context                           bool
}

// asSeen sends a request to a route that tells what it sees. The body's limit
// is 4 bytes.
func asSeen(t *testing.T, mount string, r *http.Request) seen {
	t.Helper()
	var got seen
	route := core.Route{Method: "POST", Path: "/a/{name}/b", Serve: func(q core.Request) core.Response {
		body, err := q.Body(4)
		got = seen{
			Method: q.Method(), Host: q.Host(), Param: q.Param("name"), Header: q.Header("x-many"), None: q.Header("X-None") + q.Param("none"),
			Cookies: q.Cookies("c"), NoCookies: q.Cookies("none"),
			Peer: q.Peer().String(), Body: string(body), Err: fmt.Sprint(err), Context: q.Context() == r.Context(),
		}
		return core.Response{Status: http.StatusNoContent}
	}}
	mux := http.NewServeMux()
	nethttpauth.Mount(mux, mount, []core.Route{route})
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	if w.Code != http.StatusNoContent {
		t.Fatalf("%s: got %d", r.URL, w.Code)
	}
	return got
}

func TestRequest(t *testing.T) {
	r := httptest.NewRequest("POST", "http://app.example.com:8443/p/a/x%252Fy%2Fz/b?name=q", strings.NewReader("1234"))
	r.Header["X-Many"] = []string{"one", "two, three"}
	r.Header["Cookie"] = []string{`c=1; d=2; c="q"`, "c=3"}
	r.RemoteAddr = "[2001:db8::1%eth0]:443"
	got := asSeen(t, "/p", r)
	want := seen{
		Method: "POST", Host: "app.example.com:8443", Param: "x%2Fy/z", Header: "one, two, three",
		Cookies: []string{"1", `"q"`, "3"}, Peer: "2001:db8::1%eth0", Body: "1234", Err: "<nil>", Context: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}

	r = httptest.NewRequest("POST", "/a/x/b", strings.NewReader("12345"))
	r.RemoteAddr = "@" // a socket of the file system
	got = asSeen(t, "/", r)
	if got.Err != core.ErrBodyTooLarge.Error() || got.Body != "" || got.Peer != "invalid IP" || got.Cookies != nil {
		t.Errorf("got %+v", got)
	}

	r = httptest.NewRequest("POST", "/p/a/x/b", iotest.ErrReader(errors.New("cut off")))
	if got = asSeen(t, "/p/", r); got.Err != "cut off" {
		t.Errorf("a body that breaks off: got %q", got.Err)
	}
}

// A body that breaks off is the client's fault, and nothing of the cause is sent.
func TestBrokenBody(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		r := httptest.NewRequest("POST", prefix+"/login", iotest.ErrReader(errors.New("cut off")))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.mux.ServeHTTP(w, r)
		a := answer{t, "broken", w.Code, w.Header(), w.Body.String()}.refused(400, "BAD_REQUEST")
		var p struct{ Detail string }
		if err := json.Unmarshal([]byte(a.body), &p); err != nil || strings.Contains(p.Detail, "cut off") {
			t.Errorf("got %s, %v", a.body, err)
		}
	})
}
