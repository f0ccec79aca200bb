package nethttpauth_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// With Config.Problem every refusal, of every route and guard, has the app's
// shape, and nothing else of it is different.
func TestProblemReplaced(t *testing.T) {
	for _, r := range refusals() {
		t.Run(r.code+strings.ReplaceAll(" "+r.route, "/", " "), func(t *testing.T) {
			var standard answer
			onRefusing(t, r.change, func(t *testing.T, s *refusing) { standard = r.ask(s) })
			var shaped []core.Error
			onRefusing(t, func(c *core.Config) {
				if r.change != nil {
					r.change(c)
				}
				c.Problem = func(e core.Error) (string, []byte) {
					shaped = append(shaped, e)
					return "application/vnd.app", fmt.Appendf(nil, "oh %s (%d): %s", e.Code, e.Status, e.Detail)
				}
			}, func(t *testing.T, s *refusing) {
				got := r.ask(s)
				if r.code == "STEP_UP_REQUIRED" { // the device's, which is another
					got, standard = got.withoutCookies(), standard.withoutCookies()
				}
				if len(shaped) == 0 {
					t.Fatalf("%s: not asked", got.asked)
				}
				e := shaped[len(shaped)-1]
				if want := fmt.Sprintf("oh %s (%d): %s", r.code, contract[r.code], e.Detail); got.body != want || e.Detail == "" || strings.Count(standard.body, e.Detail) != 1 {
					t.Errorf("%s: got %s, want %s, and the detail of %s", got.asked, got.body, want, standard.body)
				}
				if cause := errors.Unwrap(&e); cause != nil || e.Error() != "sallyport: "+e.Detail {
					t.Errorf("%s: the app is told %v, caused by %v", got.asked, &e, cause)
				}
				got.is("Content-Type", "application/vnd.app")
				want := maps.Clone(standard.header)
				want["Content-Type"] = got.header["Content-Type"]
				if got.status != standard.status || !maps.EqualFunc(got.header, want, slices.Equal) {
					t.Errorf("%s: got %d %v, want %d %v", got.asked, got.status, got.header, standard.status, want)
				}
				got.is("Cache-Control", "no-store")
				got.is("WWW-Authenticate", r.challenge)
				got.cookies()
				if after := got.header.Get("Retry-After"); (after != "") != (got.status == http.StatusServiceUnavailable || got.status == http.StatusTooManyRequests) {
					t.Errorf("%s: Retry-After is %q", got.asked, after)
				}
			})
		})
	}
}

// What an app answers with its own errors goes through the same function, and a
// guard's answer is no exception.
func TestProblemOfTheApp(t *testing.T) {
	onSite(t, func(c *core.Config) {
		c.Problem = func(e core.Error) (string, []byte) { return "text/plain", []byte(e.Code + "\n" + e.Detail) }
	}, func(t *testing.T, s *site) {
		s.mux.Handle("/app", nethttpauth.Require(s.auth)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			nethttpauth.Write(w, s.auth.Problem(fmt.Errorf("in the app: %w", &core.Error{Code: "NO_ORDER", Status: 404, Detail: "no such order"})))
		})))
		p := s.signIn("alice")
		for _, tt := range []struct {
			part      part
			status    int
			body      string
			challenge string
		}{
			{bearer(p.AccessToken), 404, "NO_ORDER\nno such order", ""},
			{bearer("x"), 401, "TOKEN_INVALID\nthe access token is not valid", `Bearer error="invalid_token"`},
		} {
			a := s.ask("GET", "/app", "", tt.part)
			if a.status != tt.status || a.body != tt.body {
				t.Errorf("got %d %s, want %d %s", a.status, a.body, tt.status, tt.body)
			}
			a.is("Content-Type", "text/plain")
			a.is("Cache-Control", "no-store")
			a.is("WWW-Authenticate", tt.challenge)
		}
	})
}
