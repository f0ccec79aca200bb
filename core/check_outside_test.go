package core_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

type badLimiter struct{ err error }

func (l badLimiter) Take(context.Context, string, core.Rate, int) (core.Allowance, error) {
	return core.Allowance{OK: true}, l.err
}

type badResolver struct{ err error }

func (r badResolver) Resolve(ctx context.Context, _ netip.Addr) (core.Place, error) {
	if r.err == nil {
		return core.Place{}, nil
	}
	<-ctx.Done() // it hangs
	return core.Place{}, r.err
}

// A limiter that fails and a resolver that hangs are found, and nothing of those that
// answer.
func TestCheckOutside(t *testing.T) {
	ill := errors.New("ill")
	for _, tt := range []struct {
		name   string
		change func(*core.Config)
		want   []string
	}{
		{"none", func(*core.Config) {}, nil},
		{"both answer", func(c *core.Config) { c.Limiter, c.Resolver = badLimiter{}, badResolver{} }, nil},
		{"the limiter fails", func(c *core.Config) { c.Limiter = badLimiter{ill} }, []string{"limiter"}},
		{"it is not asked", func(c *core.Config) { c.Limiter, c.Limits.Off = badLimiter{ill}, true }, nil},
		{"the resolver hangs", func(c *core.Config) { c.Resolver = badResolver{ill} }, []string{"resolver"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, memstore.New(), tt.change)
				settle(h)
				var got []string
				for _, f := range h.Check(t.Context()) {
					got = append(got, f.Subject)
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("found %q, want %q", got, tt.want)
				}
			})
		})
	}
}
