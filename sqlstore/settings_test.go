package sqlstore_test

import (
	"os"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/storetest"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// proof reports whether tests are to run at full length.
func proof() bool { return os.Getenv("SALLYPORT_PROOF") != "" }

// long leaves a test out that takes long and shows nothing about data races, nor about
// the module on its own, where SALLYPORT_QUICK is set.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("SALLYPORT_QUICK") != "" {
		t.Skip("it takes long")
	}
}

// A store is the same whatever the driver makes of times, parameters and counts.
func TestSettingsProof(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := migrated(t, sqltest.New(t, engine))
		settings := d.Settings()
		if !proof() {
			t.Skip("all cases with each setting: minutes")
		}
		for _, options := range settings {
			t.Run(options, func(t *testing.T) {
				storetest.Run(t, func(t testing.TB) core.Store { return open(t, d.With(options), sqlstore.Options{}) })
			})
		}
	})
}
