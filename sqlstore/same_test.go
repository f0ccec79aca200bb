package sqlstore_test

import (
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/storetest"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// TestSameProof takes a store in memory and one on each database through one history,
// which has to get the same answers from all. The digest that it logs is that of the
// stores of other modules at full length.
func TestSameProof(t *testing.T) {
	long(t)
	h := storetest.History{Seed: 1, Steps: 500}
	if proof() {
		h.Steps = 25_000
	}
	stores := map[string]core.Store{"memory": memstore.New()}
	for _, engine := range sqltest.Engines() {
		stores[engine] = open(t, migrated(t, sqltest.New(t, engine)), sqlstore.Options{})
	}
	storetest.Same(t, h, stores)
}
