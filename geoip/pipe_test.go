//go:build unix

package geoip_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-go/sallyport/geoip"
)

// A pipe is refused without being opened: that would wait for who writes into it.
func TestPipe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Skip(err)
	}
	held, err := os.OpenFile(file, os.O_RDWR, 0) // or code that opens it would hang here
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if _, err := geoip.Open(file); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got %v, want it refused as no regular file", err)
	}
}
