package core_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// A resolver that takes longer than the store may keeps nobody out.
func TestOutsiderSlowerThanTheStoreMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := outside(t, memstore.New(), func(c *core.Config) { c.Risk.Timeout = 5 * time.Second })
		laptop := gadget{"laptop", firefoxOnMac}
		p := s.comes("alice", laptop, atHome)
		elapse(time.Minute)
		o.resolves(func(ctx context.Context, _ netip.Addr) (core.Place, error) {
			<-ctx.Done()
			return core.Place{}, ctx.Err()
		})
		s.goesOn(p, laptop, vpnZurich)
		if _, err := s.tries("alice", laptop, atHome); err != nil {
			t.Errorf("sign-in: %v", err)
		}
	})
}
