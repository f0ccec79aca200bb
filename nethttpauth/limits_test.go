package nethttpauth_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// An app's own handler that counts is refused and let in as the login route is, with
// the same answers, and shares its counts.
func TestOwnLoginIsLimited(t *testing.T) {
	type step struct {
		user, password, from string
		home                 bool // in the browser that has signed in
		after                time.Duration
		site                 string // Sec-Fetch-Site
	}
	steps := []step{{"alice", "pw", "192.0.2.1:1", true, 0, ""}, {"alice", "pw", "192.0.2.9:1", false, time.Minute, "cross-site"}}
	for i := range 6 {
		steps = append(steps, step{[]string{"alice", " ALICE"}[i%2], "x", fmt.Sprint("192.0.2.", i, ":1"), false, 0, ""})
	}
	steps = append(steps,
		step{"alice", "pw", "192.0.2.7:1", false, 0, ""},
		step{"alice", "pw", "192.0.2.7:1", true, 0, ""},
		step{"alice", "pw", "192.0.2.7:1", false, 15 * time.Second, ""},
		step{"alice", "pw", "192.0.2.7:1", false, 0, ""},
	)
	for i := range 50 {
		steps = append(steps, step{fmt.Sprint("user", i), "x", "192.0.2.66:1", false, 0, ""})
	}
	run := func(route func(i int) string) []string {
		var got []string
		onSite(t, func(c *core.Config) {
			c.Limits = core.Limits{Login: 4}
			c.Audit = func(_ context.Context, e core.Event) { got = append(got, fmt.Sprint(e.Name, " ", e.Cause)) }
		}, func(t *testing.T, s *site) {
			s.mux.HandleFunc("POST "+prefix+"/own", func(w http.ResponseWriter, r *http.Request) {
				name, password, _ := r.BasicAuth()
				if err := s.auth.AllowSignIn(nethttpauth.Request(r), name); err != nil {
					nethttpauth.Write(w, s.auth.Problem(err))
					return
				}
				id, known := s.users[name]
				if !known || password != "pw" {
					s.auth.SignInFailed(nethttpauth.Request(r), name, core.ErrInvalidCredentials)
					nethttpauth.Write(w, s.auth.Problem(core.ErrInvalidCredentials))
					return
				}
				pair, err := nethttpauth.SignIn(w, r, s.auth, core.SignInForm{Identity: id, Username: name, CheckedAt: time.Now()})
				if err != nil {
					nethttpauth.Write(w, s.auth.Problem(err))
					return
				}
				nethttpauth.Write(w, pair.Response())
			})
			device := ""
			for i, step := range steps {
				pass(step.after)
				parts := []part{func(r *http.Request) { r.RemoteAddr = step.from }, header("Sec-Fetch-Site", step.site)}
				if step.home && device != "" {
					parts = append(parts, cookie("device", device))
				}
				var a answer
				if route(i) == "/own" {
					a = s.post("/own", "", append(parts, func(r *http.Request) { r.SetBasicAuth(step.user, step.password) })...)
				} else {
					a = s.post("/login", `{"username":"`+step.user+`","password":"`+step.password+`"}`, parts...)
				}
				if a.status == http.StatusOK {
					if p := a.pair(); step.home {
						device = p.DeviceCookie
						got = append(got, string(p.Session.Risk))
					}
					a.body = ""
				}
				got = append(got, fmt.Sprint(i, " ", a.status, " ", a.header.Get("Retry-After"), " ", a.body))
			}
		})
		return got
	}
	want := run(func(int) string { return "/login" })
	if diff := cmp.Diff(want, run(func(int) string { return "/own" })); diff != "" {
		t.Errorf("its own (-login +own):\n%s", diff)
	}
	if diff := cmp.Diff(want, run(func(i int) string { return []string{"/login", "/own"}[i%2] })); diff != "" {
		t.Errorf("both (-login +both):\n%s", diff)
	}
}
