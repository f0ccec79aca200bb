package core_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// P29: no pending token, device cookie, password or code in a record, in the default
// log, in a notice, in the text of an error, or in the store.
func TestStepUpLeaksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu       sync.Mutex
			text     strings.Builder
			canaries []string
		)
		say := func(v any) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(&text, "%v %+v\n", v, v)
		}
		secret := func(s string) string {
			if s == "" {
				t.Fatal("an empty canary")
			}
			canaries = append(canaries, s)
			if i := strings.IndexByte(s, '_'); i == 4 {
				canaries = append(canaries, s[5:])
			}
			return s
		}
		old := slog.Default()
		defer slog.SetDefault(old)
		slog.SetDefault(slog.New(slog.NewTextHandler(lockedWriter{&mu, &text}, nil)))

		password, typo := secret(rand.Text()), secret(rand.Text())
		records := func(_ context.Context, e core.Event) { say(e) }
		for _, audit := range []func(context.Context, core.Event){nil, records} {
			score := 0
			store := newTap()
			h := open(t, store, func(c *core.Config) {
				c.Audit, c.Scorer, c.Limits.Login, c.Limits.StepUp = audit, scored(&score), 30, 20
				c.Notify = func(_ context.Context, n core.Notice) error { say(n); return errBroken }
				c.Authenticate = func(_ context.Context, who core.Credentials) (core.Identity, error) {
					switch {
					case who.Username == "broken":
						return core.Identity{}, errBroken
					case who.Password != password:
						return core.Identity{}, core.ErrInvalidCredentials
					}
					return core.Identity{UserID: who.Username, StepUp: true}, nil
				}
			})
			h.lossy = true
			settle(h)
			routes := h.Routes()
			at := slices.IndexFunc(routes, func(r core.Route) bool { return r.Path == "/login" })
			login := func(user, password, device string) (core.Response, string) {
				out := routes[at].Serve(letterbox{
					ctx: t.Context(), cookies: map[string]string{"__Secure-device": device, "__Secure-refresh_token": device},
					body: map[string]string{"username": user, "password": password},
				})
				body := struct{ Pending string }{}
				_ = json.Unmarshal(out.Body, &body)
				return out, body.Pending
			}
			stepUp := func(pending, device, code string, err error) core.Pair {
				pair, _, err := h.StepUpFrom(letterbox{ctx: t.Context(), cookies: map[string]string{"__Secure-device": device}}, core.StepUpForm{
					Pending: pending,
					Verify: func(context.Context, string) ([]string, error) {
						if code != "" && err == nil {
							return []string{"otp"}, nil
						}
						return nil, err
					},
				})
				if err != nil {
					say(err)
					say(h.Problem(err).Header)
				}
				return pair
			}
			round := func() {
				score = 50
				out, pending := login("alice", password, "")
				if pending == "" {
					return
				}
				secret(pending)
				device := secret((&http.Response{Header: out.Header}).Cookies()[0].Value)
				for range 2 {
					stepUp(pending, device, "", core.ErrInvalidCredentials)
				}
				stepUp(pending, "spdt_x"+device[6:], secret(rand.Text()), nil)
				stepUp(pending[:len(pending)-1]+"?", device, secret(rand.Text()), nil)
				stepUp(pending, device, "", errBroken)
				if pair := stepUp(pending, device, secret(rand.Text()), nil); pair.RefreshToken != "" {
					secret(pair.RefreshToken)
					_, err := h.Refresh(t.Context(), core.RefreshRequest{Token: pending, DeviceID: device[:20]})
					say(err)
				}
				stepUp(pending, device, secret(rand.Text()), nil)
				for _, token := range []string{pending, device} {
					_, err := h.Verify(t.Context(), token)
					say(err)
					_, err = h.SignOut(t.Context(), token)
					say(err)
					_, _, err = h.Find(t.Context(), token)
					say(err)
				}
				login("alice", typo, device)
				login("broken", password, device)
			}
			for range 3 {
				round()
				elapse(time.Minute)
			}
			for _, user := range []string{"alice", "the first of all"} {
				say(store.ledger(t, user))
			}
			_, waits := login("alice", password, "")
			secret(waits)
			store.set(func(string, func() error) error { return errBroken })
			round()
			stepUp(waits, "", secret(rand.Text()), nil)
			elapse(5 * time.Second)
			round()
			store.set(nil)
			_, err := h.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice", StepUp: true}})
			if e := new(core.Error); errors.As(err, &e) && e.Pending != "" {
				secret(e.Pending)
			}
			say(err)
			elapse(5 * time.Second)
		}
		mu.Lock()
		got := text.String()
		mu.Unlock()
		for _, name := range []string{"step_up_required", "step_up_refused", "signed_in", "sign_in_refused", "notice_failed", "failed"} {
			if strings.Count(got, name) < 2 {
				t.Errorf("too little was said of %s: %d bytes", name, len(got))
			}
		}
		for _, c := range canaries {
			if strings.Contains(got, c) {
				t.Errorf("%q leaked", c)
			}
		}
		t.Logf("%d canaries, %d bytes", len(canaries), len(got))
	})
}
