package core_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// P29: no token and no secret in a record, in the default log, or in the text
// of an error, whatever happens.
func TestNothingLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu       sync.Mutex
			text     strings.Builder
			canaries []string
		)
		say := func(v any) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(&text, "%v %+v %#v\n", v, v, v)
		}
		keep := func(p core.Pair) core.Pair {
			canaries = append(canaries, p.AccessToken, p.RefreshToken)
			canaries = append(canaries, strings.Split(p.AccessToken, ".")[1:]...)
			canaries = append(canaries, strings.TrimPrefix(p.RefreshToken, "sprt_"))
			return p
		}
		old := slog.Default()
		defer slog.SetDefault(old)
		slog.SetDefault(slog.New(slog.NewTextHandler(lockedWriter{&mu, &text}, nil)))

		secret := testSecret("canary")
		canaries = append(canaries, string(secret), fmt.Sprintf("%x", secret), fmt.Sprint(secret))
		for _, audit := range []func(context.Context, core.Event){nil, func(_ context.Context, e core.Event) { say(e) }} {
			h, store, a, b := stage(t, func(c *core.Config) {
				c.Audit = audit
				c.Keys = []core.Key{{Secret: secret}}
			})
			h.lossy = true
			keep(a)
			keep(b)
			for _, d := range deeds {
				c := keep(h.signIn("alice"))
				elapse(11 * time.Second)
				if err := d.do(t.Context(), h, keep(h.refresh(c)), c); err != nil {
					say(err)
				}
			}
			c := keep(h.signIn("alice"))
			for i := range len(c.RefreshToken) {
				bad := c.RefreshToken[:i] + "?" + c.RefreshToken[i+1:]
				_, err := h.Refresh(t.Context(), core.RefreshRequest{Token: bad})
				say(err)
			}
			for i := 0; i < len(c.AccessToken); i += 7 {
				_, err := h.Verify(t.Context(), c.AccessToken[:i]+"?"+c.AccessToken[i:])
				say(err)
				_, err = h.RevokeToken(t.Context(), c.AccessToken[:i])
				say(err)
			}
			elapse(2 * time.Hour)
			_, err := h.Verify(t.Context(), c.AccessToken)
			say(err)
			store.set(func(string, func() error) error { return errBroken })
			for _, d := range deeds {
				err := d.do(t.Context(), h, a, b)
				if errors.Is(err, errBroken) {
					say(err)
				}
			}
			for _, f := range h.Check(t.Context()) {
				say(f)
			}
			store.set(nil)
		}
		got := text.String()
		if strings.Count(got, "signed_in") < 10 || !strings.Contains(got, "token_hash=") {
			t.Errorf("too little was said: %d bytes", len(got))
		}
		for _, c := range canaries {
			if strings.Contains(got, c) {
				t.Errorf("%q leaked", c)
			}
		}
		t.Logf("%d canaries, %d bytes", len(canaries), len(got))
	})
}

type lockedWriter struct {
	mu   *sync.Mutex
	text *strings.Builder
}

func (w lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}
