//go:build !unix

package bench

import "time"

var started = time.Now()

// worked returns the time that has passed: good enough on a quiet machine.
func worked() time.Duration { return time.Since(started) }
