package memstore_test

import (
	"os"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/storetest"
	"github.com/sallyport-go/sallyport/memstore"
)

// TestSameProof takes the store through the history that all stores are taken through. The
// digest that it logs is that of the others.
func TestSameProof(t *testing.T) {
	h := storetest.History{Seed: 1, Steps: 2000}
	if os.Getenv("SALLYPORT_PROOF") != "" {
		h.Steps = 25_000
	}
	storetest.Same(t, h, map[string]core.Store{"memory": memstore.New()})
}
