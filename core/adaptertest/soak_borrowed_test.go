//go:build !race

package adaptertest_test

import (
	"testing"

	"github.com/sallyport-go/sallyport/core/adaptertest"
)

// What is not copied is written over while others read it: under the race
// detector that is all there would be to see.
func TestBorrowedStringsAreCaught(t *testing.T) {
	catch(t, broken{how: borrowStrings, caught: []string{"identity/events"}})
}

// Of a body core keeps nothing: decoding makes strings of its own. That bodies
// have to stay is the rule of request/strings-stay all the same.
func TestBorrowedBodiesMixNothingUp(t *testing.T) {
	if err := adaptertest.CheckIdentity(bend(borrowBodies), 800, 1); err != nil {
		t.Error(err)
	}
}
