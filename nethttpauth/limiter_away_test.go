package nethttpauth_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// silent is a limiter that never answers.
type silent struct{}

func (silent) Take(ctx context.Context, _ string, _ core.Rate, _ int) (core.Allowance, error) {
	<-ctx.Done()
	return core.Allowance{}, ctx.Err()
}

// A limiter that takes all the time that it has refuses nobody: who tries is counted in
// memory, and limited there.
func TestLimiterSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth, err := core.New(core.Config{
			Store:   memstore.New(),
			Keys:    []core.Key{{Secret: []byte(rand.Text() + rand.Text())}},
			Limits:  core.Limits{Login: 3},
			Limiter: silent{},
			Audit:   func(context.Context, core.Event) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		r := nethttpauth.Request(httptest.NewRequest("POST", "/login", nil))
		for i := range 3 {
			if err := auth.AllowSignIn(r, "alice"); err != nil {
				t.Errorf("sign-in %d: got %v, want it let through", i+1, err)
			}
		}
		if err := auth.AllowSignIn(r, "alice"); !errors.Is(err, core.ErrTooManyRequests) {
			t.Errorf("the fourth: got %v, want %v", err, core.ErrTooManyRequests)
		}
	})
}
