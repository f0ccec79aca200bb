package ginauth_test

import (
	"os"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core/adaptertest"
)

// No request sees another's identity (P30). SALLYPORT_PROOF sends a third of a
// million and more, which makes a million over the three adapters.
func TestProofIdentity(t *testing.T) {
	requests := 6_700
	if os.Getenv("SALLYPORT_PROOF") != "" {
		requests = 340_000
	}
	adaptertest.RunIdentity(t, adaptertest.Adapter{Serve: serveApp(func(e *gin.Engine) { e.UseRawPath = true })}, requests)
}
