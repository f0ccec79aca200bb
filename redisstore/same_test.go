package redisstore_test

import (
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/storetest"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// TestSameProof takes a store in memory, on a stand-in, on one server and on a Cluster
// through one history, which has to get the same answers from all. The digest that
// it logs is that of the stores of other modules.
func TestSameProof(t *testing.T) {
	long(t)
	h := storetest.History{Seed: 1, Steps: 2000}
	if proof() {
		h.Steps = 25_000
	}
	storetest.Same(t, h, map[string]core.Store{
		"memory":    memstore.New(),
		"miniredis": open(t, mini(t)),
		"redis":     open(t, redistest.Local(t)),
		"cluster":   open(t, redistest.StartCluster(t, 3).Client(t)),
	})
}
