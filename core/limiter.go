package core

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Limiter counts what may be done so often and no more: by the generic cell rate
// algorithm, so that a key may take Count at once and then one each Per/Count. It is
// exact: of any number of calls at once no more than Count are let through. One is in
// memory, for each process on its own ([NewLimiter]); redisstore has one for many.
// limitertest proves one.
type Limiter interface {
	// Take takes n of what a key may take, or nothing if that is too much. n = 0
	// takes nothing and tells how things stand, as if one were asked for. A key is 1
	// to 128 bytes of printable ASCII without spaces, and names nobody. A key that is
	// asked for at several rates keeps what it used at each. It is safe for concurrent
	// use. An error means that it is not known: the Auth then counts in its own memory.
	// A context that is done, a key or a rate that is none and a negative n are errors
	// and take nothing.
	Take(ctx context.Context, key string, r Rate, n int) (Allowance, error)
}

// Rate is how much a key may take: Count in a time of Per. Count is at least 1, Per at
// least Count microseconds and at most 366 days.
type Rate struct {
	Count int
	Per   time.Duration
}

// Allowance is the answer of a [Limiter].
type Allowance struct {
	OK         bool          // n were taken; for n = 0: one could be
	Left       int           // that may be taken at once after this
	RetryAfter time.Duration // if not OK: when as much may be taken; 0 if that is never, being more than Count
}

// CheckTake says what is wrong with the arguments of a Take: for those who write a
// [Limiter].
func CheckTake(key string, r Rate, n int) error {
	switch {
	case key == "" || len(key) > 128 || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }):
		return fmt.Errorf("sallyport: limiter: key %q: want 1 to 128 bytes of printable ASCII", key)
	case r.Count < 1 || r.Per/time.Microsecond < time.Duration(r.Count) || r.Per > 366*24*time.Hour:
		return fmt.Errorf("sallyport: limiter: rate of %d in %v: want a Count of at least 1, and a Per of at least Count microseconds and at most 366 days", r.Count, r.Per)
	case n < 0:
		return fmt.Errorf("sallyport: limiter: n is %d, want 0 or more", n)
	}
	return nil
}
