package nethttpauth_test

import (
	"testing"

	"github.com/sallyport-go/sallyport/internal/checkouttest"
)

// The README's program is the one in example_mount_test.go, which is compiled.
func TestReadmeProgram(t *testing.T) {
	if got, want := checkouttest.Program(t, 0), checkouttest.Main(t, "example_mount_test.go"); got != want {
		t.Errorf("the README's program:\n%s\nwant that of example_mount_test.go:\n%s", got, want)
	}
}

// Until it is published an app outside uses the checkout, as the README says.
func TestFromCheckout(t *testing.T) { checkouttest.Build(t, "", checkouttest.Program(t, 0)) }
