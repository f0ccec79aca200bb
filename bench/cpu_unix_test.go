//go:build unix

package bench

import (
	"syscall"
	"time"
)

// worked returns for how long processors have worked for this process, the garbage
// collector included. Unlike the clock it leaves out what others do on the machine.
func worked() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
