package storetest_test

import (
	"testing"
	"testing/synctest"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/storetest"
	"github.com/sallyport-go/sallyport/memstore"
)

func TestStoresThatKeepTheRules(t *testing.T) {
	t.Run("memstore", func(t *testing.T) {
		storetest.Run(t, func(testing.TB) core.Store { return memstore.New() })
	})
	// One store for all cases: they bear with what the others left.
	t.Run("memstore, shared", func(t *testing.T) {
		store := memstore.New()
		storetest.Run(t, func(testing.TB) core.Store { return store })
	})
	t.Run("Check", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			err := storetest.Check(func() (core.Store, func()) { return memstore.New(), nil })
			if err != nil {
				t.Error(err)
			}
		})
	})
}
