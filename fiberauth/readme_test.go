package fiberauth_test

import (
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/internal/checkouttest"
)

// What the README shows is in the program of example_mount_test.go, line by line.
func TestReadmeProgram(t *testing.T) {
	program := checkouttest.Main(t, "example_mount_test.go")
	for line := range strings.Lines(checkouttest.Program(t, 2)) {
		if !strings.Contains(program, "\t"+line) && !strings.Contains(program, "\n"+line) {
			t.Errorf("the README shows %q, which is not in example_mount_test.go", line)
		}
	}
}

// Until it is published an app outside uses the checkout, as the README says.
func TestFromCheckout(t *testing.T) {
	checkouttest.Build(t, "fiberauth", checkouttest.Main(t, "example_mount_test.go"))
}
