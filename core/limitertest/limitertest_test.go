package limitertest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/limitertest"
)

// advancing is a limiter in a bubble of synctest.
type advancing struct{ core.Limiter }

func (advancing) Advance(d time.Duration) { <-time.After(d) }

func TestMemory(t *testing.T) {
	t.Run("of its own", func(t *testing.T) {
		limitertest.Run(t, func(testing.TB) core.Limiter { return core.NewLimiter() })
	})
	t.Run("shared", func(t *testing.T) {
		l := core.NewLimiter()
		limitertest.Run(t, func(testing.TB) core.Limiter { return l })
	})
	t.Run("in time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if err := limitertest.Check(func() core.Limiter { return advancing{core.NewLimiter()} }); err != nil {
				t.Error(err)
			}
		})
	})
}
